"""Choice of the cut between scores that keeps the promise of a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from skimb._warnings import warn_user
from skimb.probability.binomial import (
    Interval,
    effective_size,
    lower_bound,
    p_at_least,
    p_at_most,
    upper_bound,
    wilson,
)
from skimb.probability.checks import Floats
from skimb.probability.cut_scores import TIED, Codes, all_cuts
from skimb.probability.fixed_sequence import first_flagged, lowest_cut
from skimb.probability.rules import Rule, check_support, needed


@dataclass(frozen=True)
class RuleChoice:
    """A threshold that keeps a rule, and what it amounts to.

    Attributes
    ----------
    rule : Rule
        What was promised.
    threshold : float
        Samples with a score >= threshold are flagged.
    bound : float or None
        The figure of the population is at least this (recall, precision) or at most this (fpr,
        alerts) with the confidence of the rule. It is as good as the promise or slightly better,
        since cuts lie between samples. None without confidence.
    recall, precision, fpr, alerts : Interval
        Of the samples, with the two-sided interval of Wilson at the confidence of the rule, or at
        0.95. The cut was chosen on the same samples, which the interval does not account for.
    n_positive, n_negative : float
        Numbers of samples, or their effective numbers with weights.
    """

    rule: Rule
    threshold: float
    bound: float | None
    recall: Interval
    precision: Interval
    fpr: Interval
    alerts: Interval
    n_positive: float
    n_negative: float


@dataclass(frozen=True)
class _Cuts:
    """Counts of every cut from no sample flagged to all, in the order of falling thresholds."""

    thresholds: Floats
    n_samples: Codes  # flagged, whatever their weight
    flagged: Floats
    hits: Floats
    effective: Floats
    sizes: tuple[float, float]  # effective, of the positives and the negatives
    size: float

    @property
    def recall(self) -> Floats:
        return self.hits / self.hits[-1]

    @property
    def precision(self) -> Floats:
        """NaN where no sample is flagged."""
        undefined = np.full_like(self.hits, np.nan)
        return np.divide(self.hits, self.flagged, undefined, where=self.flagged > 0)

    @property
    def fpr(self) -> Floats:
        false = self.flagged - self.hits
        return np.maximum(false, 0.0) / false[-1]

    @property
    def alerts(self) -> Floats:
        return self.flagged / self.flagged[-1]


def choose_cut(
    rule: Rule,
    truth: NDArray[Any],
    scores: Floats,
    sample_weight: Floats | None = None,
) -> RuleChoice:
    """Choose the cut that keeps a rule.

    A cut lies midway between two distinct scores, so that equal scores are never separated.
    Without confidence the estimates on these samples keep the promise. Of the cuts with at least
    the recall, the one of best precision is chosen; of those with at least the precision, or at
    most the false positive rate or share of alerts, the one of best recall. Of equal cuts it is
    the one with the highest threshold.

    With confidence the promise holds in the population with this probability over the draw of the
    samples, although the cut is chosen on them [1]_. For recall, the cuts below a certain order
    statistic of the scores of the positives qualify, for the false positive rate those above one
    of the negatives, and for alerts above one of all samples. Which one, the binomial distribution
    gives exactly, without assumptions on the scores. For precision, cuts are tested from the
    strictest on (see :mod:`skimb.probability.fixed_sequence`).

    Parameters
    ----------
    rule : Rule
    truth : ndarray of shape (n_samples,)
        0 and 1.
    scores : ndarray of shape (n_samples,), float64
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Estimates count a sample of weight 2 twice. Confidence comes from the number of
        independent samples. With unequal weights it is the effective number (sum w)^2 / sum w^2
        of the positives, negatives, flagged or all samples, and the guarantee is approximate.

    Returns
    -------
    RuleChoice

    Raises
    ------
    ValueError
        If there is one class only, or no cut that flags a positive keeps the promise. The message
        gives the number of samples that are needed, or what can be reached.

    References
    ----------
    .. [1] Wilks. "Determination of Sample Sizes for Setting Tolerance Limits". Annals of
       Mathematical Statistics 12 (1), 1941.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.probability.rule_cuts import choose_cut
    >>> from skimb.probability.rules import Rule
    >>> truth, scores = np.array([0, 0, 1, 0, 1]), np.array([0.1, 0.2, 0.4, 0.5, 0.9])
    >>> choice = choose_cut(Rule("recall", 0.9), truth, scores)
    >>> round(choice.threshold, 2), choice.recall.score, round(choice.precision.score, 2)
    (0.3, 1.0, 0.67)
    """
    weight = np.ones(len(scores)) if sample_weight is None else np.asarray(sample_weight, float)
    counted = weight > 0
    truth, scores, weight = np.asarray(truth)[counted] == 1, scores[counted], weight[counted]
    if not len(truth) or truth.all() or not truth.any():
        raise ValueError(
            f"The threshold rule {rule} needs samples of both classes, got {int(truth.sum())} "
            f"positive and {int((~truth).sum())} negative samples of weight above 0."
        )
    cuts = _counts(truth, scores, weight)
    check_support(rule, *cuts.sizes)
    chosen = _chosen(rule, cuts)
    confidence = rule.confidence or 0.95
    effective = float(cuts.effective[chosen])
    return RuleChoice(
        rule,
        float(cuts.thresholds[chosen]),
        bound_of(rule, _size(rule, cuts)),
        recall=wilson(cuts.recall[chosen], cuts.sizes[0], confidence),
        precision=wilson(cuts.precision[chosen], effective, confidence),
        fpr=wilson(cuts.fpr[chosen], cuts.sizes[1], confidence),
        alerts=wilson(cuts.alerts[chosen], cuts.size, confidence),
        n_positive=cuts.sizes[0],
        n_negative=cuts.sizes[1],
    )


def choose_label_cut(
    rule: Rule,
    label: str,
    truth: NDArray[Any],
    scores: Floats,
    sample_weight: Floats | None = None,
) -> RuleChoice | None:
    """Choose the cut of one label of an indicator matrix, None where it is the same in all samples.

    Parameters
    ----------
    rule : Rule
    label : str
        The column in messages, such as ``"at position 1"``.
    truth, scores, sample_weight
        As in :func:`choose_cut`.

    Warns
    -----
    UserWarning
        If the label is 0 or 1 in all samples.
    """
    if len(np.unique(truth)) == 1:
        warn_user(
            f"The label {label} is {int(truth[0])} in all samples, so that the threshold rule "
            f"{rule} does not apply to it. Its threshold is 0.5."
        )
        return None
    try:
        return choose_cut(rule, truth, scores, sample_weight)
    except ValueError as error:
        raise ValueError(f"For the label {label}: {error}") from error


def _counts(truth: NDArray[np.bool_], scores: Floats, weight: Floats) -> _Cuts:
    order, stops, thresholds = all_cuts(scores)
    truth_, weight_ = truth[order], weight[order]

    def up_to(values: Floats) -> Floats:
        return np.concatenate([[0.0], np.cumsum(values)])[stops]

    flagged, squares = up_to(weight_), up_to(np.square(weight_))
    effective = np.divide(np.square(flagged), squares, np.zeros_like(flagged), where=squares > 0)
    return _Cuts(
        thresholds,
        stops,
        flagged,
        up_to(weight_ * truth_),
        effective,
        (effective_size(weight[truth]), effective_size(weight[~truth])),
        effective_size(weight),
    )


def _chosen(rule: Rule, cuts: _Cuts) -> int:
    """Return the position of the cut that keeps the rule."""
    if rule.promise == "precision":
        return _of_precision(rule, cuts)
    figures = getattr(cuts, rule.promise)
    if rule.confidence is None:
        kept = figures >= rule.value - TIED if rule.is_floor else figures <= rule.value + TIED
    else:
        n = _size(rule, cuts)
        test = p_at_least if rule.is_floor else p_at_most
        kept = test(figures * n, n, rule.value) <= 1 - rule.confidence + TIED
    aim = cuts.precision if rule.promise == "recall" else cuts.recall
    found = _first_of_best(np.where(kept, aim, -1.0))
    if cuts.hits[found] > 0:
        return found
    first = np.flatnonzero(cuts.hits > 0)[0]
    with_confidence = "" if rule.confidence is None else " with that confidence"
    raise ValueError(
        f"The threshold rule {rule} can only be kept{with_confidence} by flagging no positive "
        f"sample: the strictest cut that finds one flags {cuts.n_samples[first]} samples, with fpr "
        f"{cuts.fpr[first]:.4g} and alerts {cuts.alerts[first]:.4g}. Allow as much, choose the "
        "threshold on more samples, or look for equal scores."
    )


def _of_precision(rule: Rule, cuts: _Cuts) -> int:
    precision = np.nan_to_num(cuts.precision)
    if rule.confidence is None:
        kept = (precision >= rule.value - TIED) & (cuts.hits > 0)
        if kept.any():
            return _first_of_best(np.where(kept, cuts.hits, -1.0))
    else:
        lowest = lowest_cut(
            cuts.n_samples,
            precision * cuts.effective,
            cuts.effective,
            cuts.sizes[0],
            rule,
        )
        if lowest is not None:
            # negatives alone lie between this cut and the first with the same hits
            return int(np.flatnonzero(cuts.hits >= cuts.hits[lowest] * (1 - TIED))[0])
    at = _first_of_best(precision)
    first = first_flagged(rule, cuts.sizes[0])
    found = f"precision {precision[at]:.4g} with recall {cuts.recall[at]:.4g}"
    if rule.confidence is None:
        raise ValueError(
            f"The threshold rule {rule} is kept by no cut: the best has {found}. Promise less, or "
            "improve the scores."
        )
    raise ValueError(
        f"The threshold rule {rule} is kept with that confidence by no cut of those tested, which "
        f"flag {first} samples and more (at least {needed(rule)}, if all are positive): the best "
        f"of all cuts has {found} of {cuts.n_samples[at]} flagged samples. Choose the threshold on "
        "more samples, or promise less, or lower or leave out the confidence."
    )


def _first_of_best(values: Floats) -> int:
    """Return the position of the highest value, the first (the strictest cut) if tied."""
    values = np.nan_to_num(values, nan=-1.0)
    return int(np.flatnonzero(values >= values.max() - TIED)[0])


def _size(rule: Rule, cuts: _Cuts) -> float:
    """Return the number of samples that the promised share is a share of, NaN if they vary."""
    sizes = {"recall": cuts.sizes[0], "fpr": cuts.sizes[1], "alerts": cuts.size}
    return sizes.get(rule.promise, np.nan)


def bound_of(rule: Rule, size: float) -> float | None:
    """Return the bound that the order statistic has, fixed before the scores are known.

    Parameters
    ----------
    rule : Rule
    size : float
        The number of samples that the promised share is a share of, or their effective number. NaN
        for precision.

    Returns
    -------
    float or None
        The promise or slightly better. None without confidence.
    """
    if rule.confidence is None:
        return None
    if not abs(size - np.round(size)) <= 1e-9:
        return rule.value
    n, alpha = round(size), 1 - rule.confidence
    if rule.is_floor:
        hits = int(binom.ppf(rule.confidence, n, rule.value)) + 1
        return max(rule.value, lower_bound(hits, n, rule.confidence))
    most = int(binom.ppf(alpha, n, rule.value))
    most -= int(binom.cdf(most, n, rule.value) > alpha)
    return min(rule.value, upper_bound(most, n, rule.confidence))
