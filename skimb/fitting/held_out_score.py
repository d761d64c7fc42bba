"""The score of the samples that members of a cross-fit held out, and its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skimb.data.samples import Samples
from skimb.fitting.crossfit import HeldOut
from skimb.fitting.decision import Decision
from skimb.fitting.network import BuiltNetwork
from skimb.fitting.parameters import FitParameters
from skimb.fitting.tuned_threshold import with_tuned_threshold
from skimb.metrics.intervals import interval_of_predictions
from skimb.metrics.scorers import Snapshot, scorer_for
from skimb.probability.binomial import Interval

# above this many probabilities a threshold fits none of them in particular
_MANY = 2**18

# the standard error is then known to 4 percent, and half a second is enough for 20,000 samples
_N_RESAMPLES = 400


@dataclass(frozen=True)
class HeldOutScore:
    """A score of held-out samples, and what its interval is computed from.

    Attributes
    ----------
    value : float
    scoring : str
    predicted : ndarray or None
        The labels that were scored, where they are not those of one threshold.
    """

    value: float
    scoring: str
    predicted: np.ndarray | None


def score_of_held_out(
    params: FitParameters,
    built: BuiltNetwork,
    before: Decision,
    decision: Decision,
    train: Samples,
    found: HeldOut,
    seed: int,
    chosen_elsewhere: bool,
) -> HeldOutScore | None:
    """Return the score of held-out samples, as `score` would find it on fresh ones.

    A threshold with the best score on some samples scores better on these than on others. So a
    threshold that is chosen by a score is chosen anew for each fold, on the other folds.

    Parameters
    ----------
    params : FitParameters
    built : BuiltNetwork
    before, decision : Decision
        Before and after the choice of the threshold.
    train : Samples
        Encoded, with codes for labels.
    found : HeldOut
    seed : int
        Of the choice of the threshold.
    chosen_elsewhere : bool
        Whether the threshold was chosen on a validation set, and so fits these samples no better
        than others.

    Returns
    -------
    HeldOutScore or None
        None where `scoring` is a function, which takes X.
    """
    if callable(params.scoring):
        return None
    target, known = decision.target, found.known
    samples, logits = train.take(known), found.logits[known]
    predicted = None
    own = isinstance(params.threshold, str) and not chosen_elsewhere
    if own and logits.size <= _MANY:
        fold = found.fold[known]
        predicted = _predicted_fold_by_fold(params, built, before, samples, logits, fold, seed)
    y, flat, weight = target.for_scores(samples.y, logits, samples.weight, decision.decode)
    scorer = scorer_for(params.scoring, target, decision.positive)
    scored = Snapshot(decision, flat, predicted)
    value = float(scorer(scored, None, y, sample_weight=weight))
    return HeldOutScore(value, params.scoring, predicted)


def _predicted_fold_by_fold(
    params: FitParameters,
    built: BuiltNetwork,
    before: Decision,
    samples: Samples,
    logits: np.ndarray,
    fold: np.ndarray,
    seed: int,
) -> np.ndarray | None:
    """Return labels by thresholds of the other folds, None if a class is missing in these."""
    target, parts = before.target, []
    if target.kind not in ("binary", "multiclass", "multilabel"):
        return None
    present = target.counts(samples.y, np.ones(len(samples))) > 0
    for k in np.unique(fold):
        rest = samples.take(np.flatnonzero(fold != k))
        if not (target.counts(rest.y, np.ones(len(rest))) > 0)[present].all():
            return None
        chosen, _ = with_tuned_threshold(params, built, before, rest, seed, logits[fold != k])
        parts.append(chosen.decode(logits[fold == k]))
    predicted = np.empty((len(samples), *parts[0].shape[1:]), parts[0].dtype)
    for k, labels in zip(np.unique(fold), parts, strict=True):
        predicted[fold == k] = labels
    return predicted


def known_score(score: HeldOutScore | None, found: HeldOut | None) -> tuple[HeldOutScore, HeldOut]:
    """Return both, or raise an AttributeError that says why there is no score."""
    if found is None:
        raise AttributeError(
            "oof_score_ and oof_score_interval_ are of samples that members of the network held "
            "out, and this estimator was fitted without such members. Fit with cv=5."
        )
    if score is None:
        raise AttributeError(
            "oof_score_ and oof_score_interval_ are not defined where scoring is a function, which "
            "takes an estimator and X. Set scoring to a name such as 'f1', or pass "
            "oof_predict_proba_ to skimb.metrics.score_interval."
        )
    return score, found


def interval_of_held_out(
    score: HeldOutScore, found: HeldOut, decision: Decision, seed: int
) -> Interval:
    """Return the 95 % interval of a score of held-out samples.

    Parameters
    ----------
    score : HeldOutScore
    found : HeldOut
    decision : Decision
    seed : int
        Of the bootstrap samples.

    Returns
    -------
    Interval

    Raises
    ------
    AttributeError
        If a class has too few samples for an interval.
    """
    target, known = decision.target, found.known
    y, logits, weight = target.for_scores(
        found.codes[known], found.logits[known], found.weight[known], decision.decode
    )
    if y.ndim == 1:
        labels, sizes = np.unique(y, return_counts=True)
        if len(labels) < 2 or sizes.min() < 2:
            counts = dict(zip(labels.tolist(), sizes.tolist(), strict=True))
            raise AttributeError(
                f"oof_score_interval_ is not defined for the held-out samples {counts} by class: "
                "an interval requires two classes and two samples of each. Use folds that hold "
                "out more samples, such as cv=5."
            )
    interval = interval_of_predictions(
        score.scoring,
        target,
        decision.positive,
        y,
        decision.decode(logits) if score.predicted is None else score.predicted,
        decision.probabilities(logits),
        weight,
        n_resamples=_N_RESAMPLES,
        random_state=seed,
    )
    return interval._replace(score=score.value)
