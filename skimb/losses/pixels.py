"""A loss of masks as the trainer calls it, with weights of classes, of pixels and of images."""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from typing import Any

import keras
import numpy as np
from keras import ops

from skimb._types import Tensor
from skimb.losses.base import ImbalancedLoss, shallow_copy
from skimb.losses.binding import BoundLoss
from skimb.losses.registry import LossSpec

_CLASS_WEIGHT = "pixel_class_weight"


class PixelLoss(BoundLoss):
    """A loss of a label for each pixel.

    Weights of classes and of pixels go inside the sums of a loss of overlap. A weight of an image
    multiplies its loss, so that an image of weight 2 counts as two images do.

    Parameters
    ----------
    loss, **parameters
        As in :class:`~skimb.losses.binding.BoundLoss`.
    class_weight : ndarray of shape (n_classes,)
        Weights of the pixels of each class, one number for all being none.
    void : bool, default=False
        Whether masks may have the label -1, of pixels that do not count.
    """

    def __init__(
        self, loss: Any, *, class_weight: np.ndarray, void: bool = False, **parameters: Any
    ) -> None:
        spec = loss if isinstance(loss, LossSpec) else LossSpec(loss)
        params = dict(spec.params)
        reduction = params.pop("reduction", "mean")
        if not inspect.isclass(spec.source):
            reduction = getattr(spec.source, "reduction", reduction)
        if reduction not in ("mean", "sum_over_batch_size"):
            raise ValueError(
                f"loss={loss!r} has reduction={reduction!r}, but the losses of images are "
                "averaged. Leave it at 'sum_over_batch_size'."
            )
        super().__init__(LossSpec(spec.source, params), reduction="none", **parameters)
        self.void = void
        self.class_weight = None if np.ptp(class_weight) == 0 else np.asarray(class_weight)
        if self.class_weight is not None:
            self.values = {**self.values, _CLASS_WEIGHT: self.class_weight}

    def with_values(self, values: dict[str, Any]) -> PixelLoss:
        """Return the same loss with tensors in the place of its numbers."""
        values = dict(values)
        class_weight = values.pop(_CLASS_WEIGHT, self.class_weight)
        bound = shallow_copy(super().with_values(values))
        bound.class_weight = class_weight
        return bound

    def signature(self) -> Hashable:
        """Return what tells two losses apart that cannot share a compiled program."""
        return (PixelLoss, super().signature(), self.void, self.class_weight is None)

    def _of_batch(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Any:
        of_pixel, of_image = None, None
        if self.void:
            of_pixel = ops.cast(_first_channel(y_true, y_pred) >= 0, y_pred.dtype)
            y_true = ops.maximum(y_true, 0)
        if self.class_weight is not None:
            of_pixel = _product(of_pixel, self._weight_of_class(y_true, y_pred))
        if sample_weight is not None:
            weight = ops.cast(sample_weight, y_pred.dtype)
            if len(weight.shape) == 1:
                of_image = weight
            else:
                of_pixel = _product(of_pixel, weight)
        losses = self._of_images(*self._as_taken(y_true, y_pred), of_pixel)
        return ops.mean(losses if of_image is None else losses * of_image)

    def _weight_of_class(self, y_true: Tensor, y_pred: Tensor) -> Any:
        """Return the weight that each pixel has by its class, (n, H, W)."""
        table = ops.cast(self.class_weight, y_pred.dtype)
        if len(y_true.shape) == len(y_pred.shape) - 1:
            return ops.take(table, ops.cast(y_true, "int32"))
        y = ops.cast(y_true, y_pred.dtype)
        if y_true.shape[-1] == 1:
            return table[0] + (table[1] - table[0]) * y[..., 0]
        return ops.sum(table * y, axis=-1)

    def _of_images(self, y: Tensor, y_pred: Tensor, weight: Tensor) -> Any:
        """Return the loss of each image, (n,); or one number where the loss gives no more."""
        if isinstance(self.loss, ImbalancedLoss):
            return self.loss(y, y_pred, sample_weight=weight)
        if isinstance(self.loss, keras.losses.Loss):
            terms = self.loss.call(*(ops.convert_to_tensor(t, y_pred.dtype) for t in (y, y_pred)))
        else:
            terms = self.loss(ops.cast(y, y_pred.dtype), y_pred)
        if len(terms.shape) == len(y_pred.shape):  # a term for each output of a pixel
            terms = ops.mean(terms, axis=-1)
        terms = terms if weight is None else terms * weight
        axes = tuple(range(1, len(terms.shape)))
        return ops.mean(terms, axis=axes) if axes else terms

    def check_weights(self, y: np.ndarray, n_outputs: int, weight: np.ndarray) -> None:
        """Raise a ValueError if there are weights for which the loss has no terms.

        Parameters
        ----------
        y : ndarray of shape (n, H, W), (n, H, W, 1) or (n, H, W, n_outputs)
            Encoded masks.
        n_outputs : int
        weight : ndarray of shape (n,) or (n, H, W)
        """
        if isinstance(self.loss, ImbalancedLoss):
            return
        by_pixel = (
            self.void or self.class_weight is not None or (weight.ndim > 1 and np.ptp(weight) > 0)
        )
        if not by_pixel and np.ptp(weight) == 0:
            return
        masks = ops.convert_to_tensor(y[:2])
        ends = ops.full((*y[:2].shape[:3], n_outputs), 0.5, dtype=self.dtype)
        if isinstance(self.loss, keras.losses.Loss):
            terms = self.loss.call(ops.cast(masks, self.dtype), ends)
        else:
            terms = self.loss(ops.cast(masks, self.dtype), ends)
        if len(terms.shape) < (3 if by_pixel else 1):
            have = "an image" if len(terms.shape) else "a whole batch"
            raise ValueError(
                f"loss={self.loss!r} gives one number for {have}, so the weights of classes, "
                "pixels or images, and pixels that augmentation leaves without a label, cannot "
                "enter it and would be ignored. Set class_weight=None and augmentation=None (and "
                "pass no sample_weight), or return one value per pixel."
            )


def _first_channel(y: Tensor, y_pred: Tensor) -> Any:
    return y if len(y.shape) < len(y_pred.shape) else y[..., 0]


def _product(weight: Tensor, other: Tensor) -> Any:
    return other if weight is None else weight * other
