"""Losses of whole images: one number an image, with the weights of its pixels inside."""

from __future__ import annotations

from typing import Any

from keras import ops

from skimb._types import Tensor
from skimb.losses.batch import BatchLoss, ratio
from skimb.losses.traits import LossTraits


class ImageLoss(BatchLoss):
    """Base class of the losses that single pixels have no value of.

    A weight for a whole image multiplies its loss, a weight for a pixel enters the formula. A pixel
    of weight 0 does not count, whatever its label and its output. Subclasses define `of_images`.
    """

    traits = LossTraits(targets=("pixels",))

    def of_batch(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Any:
        of_image = sample_weight is not None and sample_weight.shape[1:] in ((), (1,))
        y, outputs, softmax = self._inputs(y_true, y_pred)
        pixel_weight = self._weight(None if of_image else sample_weight, y, softmax)
        losses = self.of_images(y, outputs, pixel_weight, softmax)
        if of_image:
            weight = ops.reshape(ops.convert_to_tensor(sample_weight, losses.dtype), (-1,))
            if self.reduction == "mean_with_sample_weight":
                return ratio(ops.sum(weight * losses), ops.sum(weight))
            losses = weight * losses
        if self.reduction in (None, "none"):
            return losses
        return ops.sum(losses) if self.reduction == "sum" else ops.mean(losses)

    def _inputs(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any, bool]:
        """Return targets, outputs as the formula takes them, and whether the classes exclude."""
        return self._probabilities(y_true, y_pred)

    def of_images(self, y: Tensor, outputs: Tensor, weight: Tensor, softmax: bool) -> Any:
        """Return the loss of each image, of shape (n,).

        Parameters
        ----------
        y, outputs : tensors of shape (n, ..., K)
            Targets and probabilities (or logits, see `_inputs`); one column is the foreground.
        weight : tensor of shape (1 or n, ..., 1 or K)
        softmax : bool
            Whether the columns are classes that exclude each other.
        """
        raise NotImplementedError


def image_axes(y: Tensor) -> tuple[int, ...]:
    """Return the axes of a tensor between that of the images and that of the classes."""
    return tuple(range(1, y.ndim - 1))


def flat_pixels(values: Tensor, y: Tensor) -> Any:
    """Return values of pixels in the shape of the targets, flattened to (n, n_pixels, K)."""
    values = ops.broadcast_to(values, (*ops.shape(y)[:-1], values.shape[-1]))
    return ops.reshape(values, (ops.shape(y)[0], -1, values.shape[-1]))


def is_background(background: int | None, n_classes: int) -> list[bool]:
    """Return for each class whether it is the background, by default the first.

    Raises
    ------
    ValueError
        If there is no such class.
    """
    if background is not None and background >= n_classes:
        raise ValueError(
            f"background={background} is not the index of one of {n_classes} classes, which are "
            "counted from 0."
        )
    return [k == (background or 0) for k in range(n_classes)]
