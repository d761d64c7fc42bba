"""Losses that are functions of sums over a batch, with the weights inside the sums."""

from __future__ import annotations

from typing import Any

from keras import ops

from skimb._types import Tensor
from skimb.losses.base import ImbalancedLoss
from skimb.losses.traits import LossTraits


class BatchLoss(ImbalancedLoss):
    """Base class of the batch-level losses, which single samples have no value of.

    Subclasses define `of_probabilities`, or all of `of_batch`. Samples have one loss a batch, so
    that `reduction` is of no effect on them.
    """

    traits = LossTraits(batch_level=True)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Any:
        """Return the loss of a batch.

        `sample_weight` has a weight per sample, or one for each label or pixel. Weights multiply
        what is summed.
        """
        y_true, y_pred = (ops.convert_to_tensor(t, self.dtype) for t in (y_true, y_pred))
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight, self.dtype)
        if y_pred.ndim > 2 and self._kind(y_pred) != "pixels":
            raise ValueError(
                f"{type(self).__name__} with target={self.target!r} takes a row for each sample, "
                f"got y_pred of shape {tuple(y_pred.shape)}."
            )
        return self.of_batch(y_true, y_pred, sample_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        return self(y_true, y_pred)

    def of_batch(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Any:
        """Return the loss of a batch."""
        y, p, softmax = self._probabilities(y_true, y_pred)
        return self.of_probabilities(y, p, self._weight(sample_weight, y, softmax))

    def _probabilities(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any, bool]:
        """Do what `canonical` does, with probabilities in the place of logits."""
        y, p, softmax = self._shaped(y_true, y_pred)
        if self.from_logits:
            p = ops.softmax(p, axis=-1) if softmax else ops.sigmoid(p)
        return y, p, softmax

    def of_probabilities(self, y: Tensor, p: Tensor, weight: Tensor) -> Any:
        """Return the loss of targets, probabilities and weights.

        Parameters
        ----------
        y, p : tensors of shape (n, L)
            One column per class or label; one column alone is the positive class.
        weight : tensor of shape (n, 1) or (n, L)
        """
        raise NotImplementedError

    def _weight(self, sample_weight: Tensor, y: Tensor, softmax: bool) -> Any:
        """Return weights with as many axes as y, ones where there are none."""
        if sample_weight is None:
            return ops.ones_like(y[..., :1])
        weight = ops.convert_to_tensor(sample_weight, y.dtype)
        while weight.ndim < y.ndim:
            weight = ops.expand_dims(weight, -1)
        shape = (*y.shape[:-1], 1) if softmax else tuple(y.shape)  # classes share their row's
        if weight.ndim != y.ndim or any(
            given not in (None, 1, wanted) and wanted is not None
            for given, wanted in zip(weight.shape[1:], shape[1:], strict=True)
        ):
            raise ValueError(
                f"sample_weight has the shape {tuple(sample_weight.shape)}. Accepted are a weight "
                f"a row, (n,), or weights of the shape {shape}."
            )
        return weight


def ratio(numerator: Tensor, denominator: Tensor) -> Any:
    """Return a quotient that is 0, with a gradient of 0, where the denominator is 0."""
    some = denominator > 0
    return ops.where(some, numerator, 0.0) / ops.where(some, denominator, 1.0)


def masked_mean(values: Tensor, mask: Tensor, axis: Tensor = None) -> Any:
    """Return the mean of the values that count, 0 where none does."""
    mask = ops.cast(mask, values.dtype)
    return ratio(ops.sum(values * mask, axis=axis), ops.sum(mask, axis=axis))


def both_classes(y: Tensor, p: Tensor) -> tuple[Any, Any]:
    """Return targets and probabilities with a column for each of two classes."""
    if y.shape[-1] > 1:
        return y, p
    return ops.concatenate([1.0 - y, y], axis=-1), ops.concatenate([1.0 - p, p], axis=-1)
