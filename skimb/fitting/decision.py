"""From logits to probabilities and labels: the correction of the prior, and the threshold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from scipy.special import logit

from skimb.losses import CrossEntropy, Focal, LogitAdjusted, VectorScaling
from skimb.losses.binding import BoundLoss
from skimb.probability import apply_threshold, best_threshold, correct_focal
from skimb.probability.thresholds import checked_metric
from skimb.data.targets import Target

# probabilities of exactly 0 and 1 have no finite logit
_LEAST = np.finfo(np.float64).tiny
_MOST = 1.0 - np.finfo(np.float64).epsneg

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
        See :func:`skimb.probability.apply_threshold`.
    scale : float or ndarray of shape (K,), default=1.0
        Factor on the logits.
    gamma : float, default=0.0
        Exponent of the focal loss whose effect on the probabilities is undone.
    shift : float or ndarray of shape (K,) or (n_labels,), default=0.0
        What is added to the logits: the logarithm of the ratio of the priors.
    """

    target: Target
    threshold: Any = 0.5
    scale: Any = field(default=1.0)
    gamma: float = 0.0
    shift: Any = field(default=0.0)

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
        """Return the labels that the thresholds decide for."""
        if np.ndim(self.threshold) == 0 and self.threshold == 0.5:
            return self.target.decode(self.corrected(logits))
        p = self.probabilities(logits)
        if self.target.kind == "multilabel":
            return apply_threshold(p, self.threshold, multilabel=True)
        chosen = apply_threshold(p.reshape(-1, p.shape[-1]), self.threshold)
        return self.target.classes_[chosen].reshape(p.shape[:-1])


def corrections(
    loss: BoundLoss, target: Target, trained_prior: np.ndarray, true_prior: np.ndarray
) -> dict[str, Any]:
    """Return what undoes the effect of weights, resampling and the loss on the probabilities.

    Parameters
    ----------
    loss : BoundLoss
    target : Target
    trained_prior, true_prior : ndarray of shape (n_classes,) or (n_labels, 2)
        The weight of each class in training, and outside; only ratios within a row count.

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
            shift = shift - np.log(both[..., ::-1] if loss.turned else both)
    elif isinstance(own, (LogitAdjusted, VectorScaling)):
        shift = shift + own.derived()["adjustment"]
        if isinstance(own, VectorScaling):
            found["scale"] = own.derived()["class_scale"]
    elif isinstance(own, CrossEntropy) and not own.label_smoothing:
        if own.pos_weight is not None:
            shift = shift - np.log(_weights_of_alpha([1.0, own.pos_weight], shift))
    elif not (isinstance(own, _PROPER_IN_KERAS) and not own.get_config().get("label_smoothing")):
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


def _weights_of_alpha(alpha: Any, shift: np.ndarray) -> np.ndarray:
    """Return weights of the classes in the shape of the shift."""
    parts = list(alpha) if isinstance(alpha, list) or np.ndim(alpha) else [1.0 - alpha, alpha]
    weights = np.stack(np.broadcast_arrays(*parts), axis=-1)
    return np.maximum(np.broadcast_to(weights, shift.shape), _LEAST)


def check_threshold(threshold: Any, target: Target) -> None:
    """Raise a ValueError if a threshold is none for this kind of target."""
    n_classes = len(target.classes_)
    shapes: list[tuple[int, ...]] = [()] if target.kind in ("binary", "multilabel") else []
    if target.kind != "binary":
        shapes.append((n_classes,))
    values = np.asarray(threshold)
    if np.ndim(threshold) == 0 and threshold == 0.5:
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
            f"classes or labels. Accepted are {accepted}, 0.5, or the name of a score such as 'f1'."
        )
    least = 0.0 if () in shapes else np.finfo(float).tiny  # it is divided by
    if not ((values >= least) & (values <= 1)).all():
        raise ValueError(
            f"threshold={threshold!r} has to be between 0 and 1, and above 0 for more than two "
            "classes."
        )


def threshold_for(
    metric: str,
    target: Target,
    minority: int,
    y: np.ndarray,
    probabilities: np.ndarray,
    sample_weight: np.ndarray,
) -> Any:
    """Return the threshold with the best score on some rows.

    Parameters
    ----------
    metric : str
        Name of a score. Of two classes, ``"f1"`` and its like are those of the minority class.
    target : Target
    minority : int
        Position of the rarest class.
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
    # the score of a class is that of the rare one, the threshold always that of the second class
    found = best_threshold(
        (y == target.classes_[minority]).astype(int),
        probabilities[:, minority],
        metric,
        sample_weight=sample_weight,
        pos_label=1,
    )
    return float(found if minority == 1 else 1.0 - found)
