"""The choice of a threshold on samples: by a score, a rule, or the reconstruction errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skimb._types import Features, PerClass
from skimb.data.pixel_targets import some_pixels
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting.decision import Decision, threshold_parameter
from skimb.fitting.decision_report import Choice, Reports, reports_of
from skimb.fitting.decision_rules import chosen_by_rule
from skimb.fitting.network import BuiltNetwork
from skimb.fitting.parameters import FitParameters
from skimb.probability import best_threshold
from skimb.probability.lesion_cuts import LesionChoice, choose_lesion_cut
from skimb.probability.rules import Rule
from skimb.training import outputs
from skimb.training.dataset import dense

# that a threshold is chosen on: every cut of every class is tried
MOST_PIXELS = 2**19

# Tukey's outer fence: what is beyond it is called far out
_FENCE = 3.0


def with_tuned_threshold(
    params: FitParameters,
    built: BuiltNetwork,
    decision: Decision,
    samples: Samples,
    seed: int,
    logits: np.ndarray | None = None,
    held_out: bool = True,
) -> tuple[Decision, Reports | None]:
    """Return the decision with its threshold, chosen on these samples by a score or a rule.

    With it comes the report of the choice, None where there is none.

    Parameters
    ----------
    params, built, decision
    samples : Samples
        The validation set where there is one, otherwise the training samples.
    seed : int
        Of the pixels that are looked at where there are very many.
    logits : ndarray of shape (n_samples, n_outputs) or None, default=None
        Those of the samples, where they are not the network's own: of members that held them out.
    held_out : bool, default=True
        Whether the network was trained without the samples.
    """
    target = decision.target
    if target.kind == "reconstruction":
        errors = reconstruction_errors(built, samples.X)
        return replace(decision, threshold=_error_threshold(params, errors, samples)), None
    if not params.names_threshold:
        return decision, None
    chosen_on = "X_val" if samples.supplied else "held-out samples"
    if logits is not None:
        chosen_on = "out-of-fold samples"
    elif not held_out:
        chosen_on = "training samples"
    if logits is None:
        found = outputs(built.network, samples.X, built.interface.input_dtype)
        logits = built.interface.logits(found)
    y, logits, weight = target.for_scores(samples.y, logits, samples.weight, decision.decode)
    metric, positive = threshold_parameter(params, target), decision.positive
    lesions: LesionChoice | None = None
    if isinstance(metric, Rule) and metric.of_lesions:
        foreground = decision.probabilities(logits)[..., positive]
        lesions = choose_lesion_cut(metric, y == target.classes_[positive], foreground, weight)
    if target.per_pixel:
        y, logits, weight = some_pixels(y, logits, weight, MOST_PIXELS, seed)
    probabilities = decision.probabilities(logits)
    chosen: PerClass
    choices: Sequence[Choice | None] | None = None
    if lesions is not None:
        chosen, choices = lesions.threshold, [lesions]
    elif isinstance(metric, Rule):
        chosen, choices = chosen_by_rule(
            metric, target, positive, samples, y, probabilities, weight
        )
    else:
        chosen = threshold_for(metric, target, positive, y, probabilities, weight)
    decision = replace(decision, threshold=chosen)
    names = samples.schema.label_names if target.kind == "multilabel" else None
    predicted = decision.decode(logits)
    return decision, reports_of(
        metric, chosen_on, target, positive, chosen, names, y, predicted, weight, choices
    )


def reconstruction_errors(built: BuiltNetwork, X: Features) -> np.ndarray:
    """Return the mean squared error of each reconstruction, float64 of shape (n_samples,)."""
    wanted = dense(X, built.interface.output_dtype)
    given = outputs(built.network, wanted, built.interface.input_dtype)
    difference = (given.reshape(wanted.shape) - wanted).astype(np.float64)
    return np.mean(np.square(difference), axis=tuple(range(1, wanted.ndim)))


def _error_threshold(params: FitParameters, errors: np.ndarray, samples: Samples) -> float:
    """Return the reconstruction error above which a sample is an anomaly."""
    if params.contamination is None:
        if not params.names_threshold:
            return float(params.threshold)  # type: ignore[arg-type]
        return float(
            best_threshold(
                samples.y, errors, str(params.threshold), sample_weight=samples.weight, pos_label=1
            )
        )
    if params.contamination == "auto":
        quartiles = [weighted_quantile(errors, samples.weight, share) for share in (0.25, 0.75)]
        return quartiles[1] + _FENCE * (quartiles[1] - quartiles[0])
    limit = weighted_quantile(-errors, samples.weight, float(params.contamination))
    # a sample at the limit itself is normal, whatever the rounding in another batch
    at_limit = np.isin(-errors, limit).any()
    return -(limit - 1e-6 * abs(limit)) if at_limit else -limit


def weighted_quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """Return the value below which a share of the weight lies.

    Parameters
    ----------
    values, weight : ndarray of shape (n,)
        A value of weight 2 counts as the value twice.
    share : float in [0, 1]

    Returns
    -------
    float
        Midway to the next value where the share is reached exactly.
    """
    order = np.argsort(values, kind="stable")
    values, weight = values[order], weight[order]
    reached = np.cumsum(weight) / weight.sum()
    # sums of weights are rounded
    first, last = np.searchsorted(reached, [share - 1e-12, share + 1e-12])
    positive = np.flatnonzero(weight > 0)
    return float((values[min(first, positive[-1])] + values[min(last, positive[-1])]) / 2)


def threshold_for(
    metric: str,
    target: Target,
    positive: int,
    y: np.ndarray,
    probabilities: np.ndarray,
    sample_weight: np.ndarray,
) -> Any:
    """Return the threshold with the best score on some samples.

    Parameters
    ----------
    metric : str
        Name of a score. Of two classes, ``"f1"`` and its like are those of the minority class.
    target : Target
    positive : int
        Position of the class that scores of one class are about.
    y : ndarray of shape (n,) or (n, n_labels)
        Labels.
    probabilities : ndarray of shape (n, n_classes) or (n, n_labels)
    sample_weight : ndarray of shape (n,)

    Returns
    -------
    float or ndarray
    """
    if target.kind != "binary":
        classes = target.classes_ if y.ndim == 1 else None
        return best_threshold(
            y, probabilities, metric, sample_weight=sample_weight, classes=classes
        )
    return float(
        best_threshold(
            (y == target.classes_[positive]).astype(int),
            probabilities[:, positive],
            metric,
            sample_weight=sample_weight,
            pos_label=1,
        )
    )
