"""From network outputs to probabilities and labels: prior correction, and the threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import keras
import numpy as np
from scipy.special import logit

from skimb._types import PerClass
from skimb.data.targets import Target
from skimb.fitting.parameters import FitParameters, ThresholdSpec
from skimb.fitting.plan import Plan
from skimb.fitting.weights import ClassWeights
from skimb.losses import CrossEntropy, Focal, LogitAdjusted, VectorScaling
from skimb.losses.binding import BoundLoss
from skimb.probability import apply_threshold, correct_focal
from skimb.probability.costs import cost_matrix, expected_costs, warn_of_dominated
from skimb.probability.rules import Rule
from skimb.probability.thresholds import checked_metric

# probabilities of exactly 0 and 1 have no finite logit
_LEAST = np.finfo(np.float64).tiny
_MOST = 1.0 - np.finfo(np.float64).epsneg

_CALIBRATE = (
    " Calibrate the estimator on held-out samples with sklearn.calibration.CalibratedClassifierCV, "
    "and pass its probabilities and the costs to skimb.probability.min_cost."
)

_PROPER_IN_KERAS = (
    keras.losses.BinaryCrossentropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.SparseCategoricalCrossentropy,
)


@dataclass(frozen=True)
class Decision:
    """What an estimator makes of the logits of its network.

    Attributes
    ----------
    target : Target
    threshold : float or ndarray, default=0.5
        Of two classes the probability from which the positive one is predicted; otherwise see
        :func:`skimb.probability.apply_threshold`.
    positive : int, default=1
        Position of the positive one of two classes.
    scale : float or ndarray of shape (K,), default=1.0
        Factor on the logits.
    gamma : float, default=0.0
        Exponent of the focal loss whose effect on the probabilities is undone.
    shift : float or ndarray of shape (K,) or (n_labels,), default=0.0
        Added to the logits: the logarithm of the ratio of the priors.
    costs : ndarray of shape (K, K) or None, default=None
        cost[true, predicted], by which labels are predicted in the place of the threshold.
    for_costs : Decision or None, default=None
        With the probabilities that costs are expected under, those of the population. None where
        there are no such probabilities, or classes do not exclude each other.
    """

    target: Target
    threshold: PerClass = 0.5
    positive: int = 1
    scale: PerClass = 1.0
    gamma: float = 0.0
    shift: PerClass = 0.0
    costs: np.ndarray | None = None
    for_costs: Decision | None = None

    def corrected(self, logits: np.ndarray) -> np.ndarray:
        """Return the logits of the probabilities that the estimator predicts."""
        if np.all(np.equal(self.shift, 0.0)) and not self.gamma and np.all(self.scale == 1.0):
            return logits
        logits = logits.astype(np.float64) * self.scale
        if self.gamma:
            logits = self._without_focus(logits)
        return logits + self.shift

    def _without_focus(self, logits: np.ndarray) -> np.ndarray:
        multilabel = self.target.kind == "multilabel"
        p = self.target.probabilities(logits)
        flat = correct_focal(p.reshape(-1, p.shape[-1]), self.gamma, multilabel=multilabel)
        p = np.clip(flat.reshape(p.shape), _LEAST, _MOST)
        if self.target.link == "softmax":
            return np.log(p)
        return logit(p if multilabel else p[..., 1:])

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return probabilities, float64 of shape (n_rows, ..., n_classes)."""
        return self.target.probabilities(self.corrected(logits))

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return log-probabilities, exact where the probability rounds to 0."""
        return self.target.log_probabilities(self.corrected(logits))

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Return the labels that the thresholds, or the costs, decide for."""
        if self.costs is not None:
            return self.cheapest(logits, self.costs)
        if self.target.kind == "binary":
            return self.target.classes_[np.where(self._is_positive(logits), *self._codes)]
        if np.ndim(self.threshold) == 0 and self.threshold == 0.5:
            return self.target.decode(self.corrected(logits))
        p = self.probabilities(logits)
        if self.target.kind == "multilabel":
            return apply_threshold(p, self.threshold, multilabel=True)
        chosen = apply_threshold(p.reshape(-1, p.shape[-1]), self.threshold)
        return self.target.classes_[chosen].reshape(p.shape[:-1])

    def cheapest(self, logits: np.ndarray, costs: np.ndarray) -> np.ndarray:
        """Return the labels of least expected cost; of equal ones the first.

        Parameters
        ----------
        logits : ndarray of shape (n, n_outputs)
        costs : ndarray of shape (K, K) or (n, K, K)
            cost[true, predicted].

        Raises
        ------
        ValueError
            If there are no probabilities of the population.
        """
        if self.for_costs is None:
            raise ValueError(
                "Costs are expected under the probabilities of the population, but the loss that "
                f"this estimator was fitted with has no closed form for these.{_CALIBRATE}"
            )
        expected = expected_costs(self.for_costs.probabilities(logits), costs)
        return self.target.classes_[np.argmin(expected, axis=1)]

    @property
    def _codes(self) -> tuple[int, int]:
        return self.positive, 1 - self.positive

    def _is_positive(self, logits: np.ndarray) -> np.ndarray:
        if self.threshold == 0.5:  # exact also where the probability rounds to it
            difference = self.target.decision(self.corrected(logits))
            return difference >= 0 if self.positive == 1 else difference <= 0
        return self.probabilities(logits)[..., self.positive] >= self.threshold


def initial_decision(
    params: FitParameters,
    plan: Plan,
    target: Target,
    loss: BoundLoss,
    weights: ClassWeights,
    positive: int,
) -> Decision:
    """Return the decision as far as it is known before the training.

    A threshold that is still to be chosen is 0.5.

    Raises
    ------
    ValueError
        If the threshold is not valid for the target, or there is no closed form for
        ``prior_correction=True``.
    """
    if target.kind == "reconstruction":
        return Decision(target)
    check_threshold(threshold_parameter(params, target), target)
    threshold: PerClass = 0.5 if params.names_threshold else params.threshold
    threshold = threshold if np.ndim(threshold) == 0 else np.array(threshold, np.float64)
    decision = Decision(target, threshold, positive)
    if params.prior_correction:
        if target.kind == "multilabel" and plan.batches.row_frequency is not None:
            raise ValueError(
                "prior_correction=True has no closed form for batching='balanced' with indicator "
                "targets, since which samples are drawn depends on all of their labels together. "
                "Use batching='stratified' with class_weight or pos_weight, or calibrate the "
                "estimator on held-out samples."
            )
        undone = corrections(loss, target, weights.trained_prior, weights.prior)
        decision = replace(decision, **undone)
    return _with_costs(params, decision, loss, weights)


def _with_costs(
    params: FitParameters, decision: Decision, loss: BoundLoss, weights: ClassWeights
) -> Decision:
    """Return the decision with the costs, and the probabilities that costs are expected under."""
    target, costs = decision.target, params.costs
    exclusive = target.kind != "multilabel" and not target.per_pixel
    if costs is not None:
        if not exclusive:
            raise ValueError(
                "costs are of classes that exclude each other, but y is an indicator matrix, whose "
                "labels do not. Leave costs=None and set prior_correction=True with a threshold "
                "for each label, fp / (fp + fn) of what a false positive and a false negative cost."
            )
        if not isinstance(params.threshold, Real) or params.threshold != 0.5:
            raise ValueError(
                f"threshold={params.threshold_as_written} and costs={costs!r} both say how to "
                "decide. Leave threshold at 0.5 to decide by costs, or set costs=None."
            )
        if not _has_closed_form(loss):
            raise ValueError(
                "costs are expected under the probabilities of the population, for which "
                "prior_correction=True has no closed form with "
                f"loss={getattr(loss.loss, 'name', loss.loss)!r}.{_CALIBRATE}"
            )
        costs = cost_matrix(costs, len(target.classes_), positive=decision.positive)
        warn_of_dominated(costs)
    if not exclusive or not _has_closed_form(loss):
        return decision
    undone = corrections(loss, target, weights.trained_prior, weights.prior)
    return replace(decision, costs=costs, for_costs=replace(decision, **undone))


def threshold_parameter(params: FitParameters, target: Target) -> Any:
    """Return what the threshold is, or is to be chosen by."""
    # the Dice coefficient of the pixels of two classes is the F1 of the foreground
    dice = params.names_threshold and params.threshold == "dice"
    return "f1" if dice and target.per_pixel and len(target.classes_) == 2 else params.threshold


def corrections(
    loss: BoundLoss, target: Target, trained_prior: np.ndarray, true_prior: np.ndarray
) -> dict[str, Any]:
    """Return what corrects probabilities for weights, resampling and the loss.

    Parameters
    ----------
    loss : BoundLoss
    target : Target
    trained_prior, true_prior : ndarray of shape (n_classes,) or (n_labels, 2)
        The weight of each class in training, and outside; only ratios within a sample count.

    Returns
    -------
    dict
        Arguments for :class:`Decision`.

    Raises
    ------
    ValueError
        If there is no closed form for the loss.
    """
    # there is nothing to undo for a class that the training has not seen yet
    unseen = (trained_prior <= 0) | (true_prior <= 0)
    ratio = np.where(unseen, 1.0, true_prior) / np.where(unseen, 1.0, trained_prior)
    ratio = np.where(unseen, np.max(ratio, axis=-1, keepdims=True), ratio)
    shift = np.log(ratio)
    own = loss.loss
    found: dict[str, Any] = {}
    if isinstance(own, Focal):
        found["gamma"] = own.gamma
        alpha = own.numeric_values().get("alpha")
        if alpha is not None and not (alpha.ndim == 0 and target.link == "softmax"):
            # a weight of the classes under another name
            both = _weights_of_alpha(alpha, shift)
            shift = shift - np.log(both[..., ::-1] if loss.flipped else both)
    elif isinstance(own, (LogitAdjusted, VectorScaling)):
        shift = shift + own.derived()["adjustment"]
        if isinstance(own, VectorScaling):
            found["scale"] = own.derived()["class_scale"]
    elif isinstance(own, CrossEntropy) and not own.label_smoothing:
        if own.pos_weight is not None:
            of_classes = _weights_of_alpha([1.0, own.pos_weight], shift)
            shift = shift - np.log(of_classes[..., ::-1] if loss.flipped else of_classes)
    elif not _has_closed_form(loss):
        calibrates = target.kind != "candidates" and not target.per_pixel
        elsewhere = (
            " For other losses calibrate the estimator on held-out rows with "
            "sklearn.calibration.CalibratedClassifierCV."
        )
        elsewhere = elsewhere if calibrates else ""
        raise ValueError(
            f"prior_correction=True has no closed form for loss={getattr(own, 'name', own)!r}. "
            "It has one for cross-entropy without label smoothing, 'focal', 'logit_adjusted' and "
            f"'vector_scaling'.{elsewhere}"
        )
    if target.link == "sigmoid":  # one logit stands for the difference of two
        shift = shift[..., 1] - shift[..., 0]
    return {**found, "shift": shift}


def _has_closed_form(loss: BoundLoss) -> bool:
    """Whether the probabilities of the population follow from those that the loss leads to."""
    own = loss.loss
    if isinstance(own, CrossEntropy):
        return not own.label_smoothing
    if isinstance(own, _PROPER_IN_KERAS):
        return not own.get_config().get("label_smoothing")
    return isinstance(own, (Focal, LogitAdjusted, VectorScaling))


def _weights_of_alpha(alpha: Any, shift: np.ndarray) -> np.ndarray:
    """Return weights of the classes in the shape of the shift."""
    parts = list(alpha) if isinstance(alpha, list) or np.ndim(alpha) else [1.0 - alpha, alpha]
    weights = np.stack(np.broadcast_arrays(*parts), axis=-1)
    return np.maximum(np.broadcast_to(weights, shift.shape), _LEAST)


def check_threshold(threshold: ThresholdSpec, target: Target) -> None:
    """Raise a ValueError if a threshold is not valid for this kind of target."""
    n_classes = len(target.classes_)
    shapes: list[tuple[int, ...]] = [()] if target.kind in ("binary", "multilabel") else []
    if target.kind != "binary":
        shapes.append((n_classes,))
    values = np.asarray(threshold)
    if isinstance(threshold, Rule) or (values.ndim == 0 and threshold == 0.5):
        return
    if isinstance(threshold, str):
        try:
            checked_metric(threshold, multilabel=target.kind == "multilabel")
        except ValueError as error:
            raise ValueError(f"threshold={threshold!r} cannot be chosen by: {error}") from error
        return
    if values.dtype.kind not in "fiu" or values.shape not in shapes:
        accepted = " or ".join("a number" if s == () else f"{s[0]} numbers" for s in shapes)
        raise ValueError(
            f"threshold={threshold!r} is not accepted for a {target.kind} target with {n_classes} "
            f"classes or labels. Accepted are {accepted}, 0.5, the name of a score such as 'f1', "
            "or a rule such as {'recall': 0.9}."
        )
    least = 0.0 if () in shapes else np.finfo(float).tiny  # it is divided by
    if not ((values >= least) & (values <= 1)).all():
        raise ValueError(
            f"threshold={threshold!r} has to be between 0 and 1, and above 0 for more than two "
            "classes."
        )
