"""Keras metrics averaged over samples or images: precision at k and Dice."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from skimb._types import DType, Tensor
from skimb.metrics.base import AT_LEAST_1, DecisionMetric, RareClassMetric


@keras.saving.register_keras_serializable(package="skimb")
class PrecisionAtK(RareClassMetric):
    """Fraction of true labels among the k with the highest scores, averaged over the samples.

    Parameters
    ----------
    k : int, default=10
        Number of top-scored labels of each sample.
    name : str or None, default=None
        None is ``"precision_at_<k>"``.
    dtype
        See :class:`keras.metrics.Metric`.

    Notes
    -----
    For indicator targets: ``y_true`` and ``y_pred`` of shape (n, L), ``sample_weight`` of shape
    (n,). Logits and probabilities have the same order, so either is accepted. Ties are broken in
    favour of the label further left.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.metrics import PrecisionAtK
    >>> metric = PrecisionAtK(k=2)
    >>> metric.update_state(np.array([[1, 0, 1], [0, 1, 0]]), np.array([[2, 1, 3], [0, 5, 1.0]]))
    >>> print(f"{float(metric.result()):.2f}")
    0.75
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"k": [AT_LEAST_1]}

    def __init__(self, *, k: int = 10, name: str | None = None, dtype: DType = None) -> None:
        super().__init__(name=name or f"precision_at_{k}", dtype=dtype)
        self._check(k=k)
        self.k = int(k)
        self.total = self.add_variable((), "zeros", self.dtype, name="total")
        self.weight = self.add_variable((), "zeros", self.dtype, name="weight")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Add the samples of a batch."""
        y, z = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        if z.ndim != 2 or y.ndim != 2 or y.shape[-1] != z.shape[-1]:
            raise ValueError(
                f"PrecisionAtK got y_true of shape {tuple(y.shape)} for y_pred of shape "
                f"{tuple(z.shape)}. Accepted are an indicator matrix (n, L), and a score for each "
                "label."
            )
        if self.k > z.shape[-1]:
            raise ValueError(f"k={self.k} must be at most {z.shape[-1]}, the number of labels.")
        _, best = ops.top_k(z, self.k)
        hits = ops.take_along_axis(ops.cast(y, self.dtype), best, axis=-1)
        share = ops.mean(hits, axis=-1)
        weight = ops.ones_like(share)
        if sample_weight is not None:
            weight = ops.convert_to_tensor(sample_weight, self.dtype)
            if weight.ndim == 2 and weight.shape[1] == 1:
                weight = ops.squeeze(weight, axis=1)
            if weight.ndim != 1:
                raise ValueError(
                    f"sample_weight has the shape {tuple(weight.shape)}. Accepted is one weight "
                    "per sample, (n,)."
                )
        self.total.assign_add(ops.sum(weight * share))
        self.weight.assign_add(ops.sum(weight))

    def result(self) -> Any:
        """Return the mean over all samples since the last reset."""
        return ops.divide_no_nan(self.total.value, self.weight.value)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "k": self.k}


@keras.saving.register_keras_serializable(package="skimb")
class MeanDice(DecisionMetric):
    r"""Dice coefficient of each image and class, averaged over images and then over classes.

    .. math:: \frac{2 |A \cap B|}{|A| + |B|}

    An image in which a class is neither present nor predicted is excluded from the mean of that
    class.

    Parameters
    ----------
    threshold : float, default=0.5
        Probability above which a pixel of a mask with one channel is predicted as foreground. With
        several channels the first is the background, and the largest output decides.
    target, from_logits, name, dtype
        See :class:`~skimb.metrics.base.DecisionMetric`.

    Notes
    -----
    ``y_true`` is of shape (n, ...), (n, ..., 1) or one-hot (n, ..., K), ``y_pred`` of shape
    (n, ..., 1) or (n, ..., K). A ``sample_weight`` per image weights its coefficient, one per
    pixel weights the terms of its sums. :class:`skimb.losses.Dice` is the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.metrics import MeanDice
    >>> metric = MeanDice()
    >>> masks = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 0]]])
    >>> logits = np.array([[[3, 2], [-1, -1]], [[-1, -1], [-1, -2.0]]])[..., np.newaxis]
    >>> metric.update_state(masks, logits)
    >>> print(f"{float(metric.result()):.4f}")
    0.6667
    """

    targets = ("pixels",)

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        target: str = "auto",
        from_logits: bool = True,
        name: str | None = "mean_dice",
        dtype: DType = None,
    ) -> None:
        super().__init__(
            threshold=threshold, target=target, from_logits=from_logits, name=name, dtype=dtype
        )
        self.total: Tensor = None  # created in the first batch, which shows the number of classes
        self.weight: Tensor = None

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Add the images of a batch."""
        y, decisions, kind = self.decided(y_true, y_pred)
        if y.ndim < 3:
            raise ValueError(
                f"MeanDice got y_pred of shape {tuple(y.shape)}, which has no axes for the pixels. "
                "Accepted are (n, ..., 1) and (n, ..., K)."
            )
        weight = self.weights(sample_weight, y, kind)
        if kind == "multiclass":
            y, decisions = y[..., 1:], decisions[..., 1:]
        pixels = tuple(range(1, y.ndim - 1))
        if all(n == 1 for n in weight.shape[1:]):
            of_image, weight = ops.reshape(weight, (-1, 1)), ops.ones_like(weight)
        else:
            of_image = ops.ones((1, 1), self.dtype)
        both = ops.sum(weight * y * decisions, axis=pixels)
        areas = ops.sum(weight * (y + decisions), axis=pixels)
        counted = of_image * ops.cast(areas > 0.0, self.dtype)
        if self.total is None:
            self.total = self.add_variable((y.shape[-1],), "zeros", self.dtype, name="total")
            self.weight = self.add_variable((y.shape[-1],), "zeros", self.dtype, name="weight")
        self.total.assign_add(ops.sum(counted * ops.divide_no_nan(2.0 * both, areas), axis=0))
        self.weight.assign_add(ops.sum(counted, axis=0))

    def result(self) -> Any:
        """Return the mean over all images since the last reset."""
        if self.total is None:
            return ops.zeros((), self.dtype)
        weight = self.weight.value
        of_classes = ops.divide_no_nan(self.total.value, weight)
        return ops.divide_no_nan(ops.sum(of_classes), ops.sum(ops.cast(weight > 0.0, self.dtype)))
