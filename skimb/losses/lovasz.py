"""Lovász losses: the Jaccard index, continued from masks to outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from skimb._types import Tensor
from skimb.losses.batch import masked_mean
from skimb.losses.images import ImageLoss, flat_pixels


@keras.saving.register_keras_serializable(package="skimb")
class Lovasz(ImageLoss):
    r"""Lovász hinge for one logit, Lovász softmax for several classes, of each image.

    .. math:: \sum_i m_{\pi(i)} \left(\Delta(\pi_1 \dots \pi_i) - \Delta(\pi_1 \dots \pi_{i-1})
        \right)

    with :math:`m` the errors of the pixels in descending order :math:`\pi`, and :math:`\Delta` the
    Jaccard loss if the first :math:`i` of them were the wrong ones. An error is :math:`\max(0, 1 -
    z)` for the logit of the true side, or :math:`|y - p|` for each class; the classes present in an
    image are averaged.

    Parameters
    ----------
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    Probabilities of 0 and 1 have a Lovász softmax of 1 minus the Jaccard index. For an empty mask,
    whose Jaccard loss is 1 if any pixel is wrong, the loss is the largest error of the image.

    References
    ----------
    .. [1] M. Berman, A. Rannen Triki, M. B. Blaschko, "The Lovász-Softmax Loss: A Tractable
       Surrogate for the Optimization of the Intersection-Over-Union Measure in Neural Networks",
       CVPR 2018. https://arxiv.org/abs/1705.08790

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import Lovasz
    >>> mask = np.array([[[1, 1, 0, 0]]])
    >>> logits = np.array([[[[1.0], [-1.0], [-1.0], [-1.0]]]], "float32")
    >>> print(f"{float(Lovasz()(mask, logits)):.4f}")  # half of the Jaccard index is lost
    1.0000
    """

    traits = replace(ImageLoss.traits, has_positive=True)

    def _inputs(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any, bool]:
        return self.canonical(y_true, y_pred)

    def of_images(self, y: Tensor, outputs: Tensor, weight: Tensor, softmax: bool) -> Any:
        weight = flat_pixels(ops.broadcast_to(weight, ops.shape(y)), y)
        y, z = flat_pixels(y, y), flat_pixels(outputs, y)
        if softmax:
            errors = ops.abs(y - ops.softmax(z, axis=-1))
        else:
            errors = ops.relu(1.0 - z * (2.0 * y - 1.0))
        losses = _extension(errors, y, weight)
        if not softmax:
            return ops.mean(losses, axis=-1)
        return masked_mean(losses, ops.sum(weight * y, axis=1) > 0.0, axis=-1)


def _extension(errors: Tensor, y: Tensor, weight: Tensor) -> Any:
    """Return the Lovász extension of the Jaccard loss, (n, K), of pixels (n, n_pixels, K)."""
    order = ops.argsort(-ops.stop_gradient(errors), axis=1)
    errors, y, weight = (ops.take_along_axis(v, order, axis=1) for v in (errors, y, weight))
    true = ops.sum(weight * y, axis=1, keepdims=True)
    kept = true - ops.cumsum(weight * y, axis=1)
    union = true + ops.cumsum(weight * (1.0 - y), axis=1)
    # nothing is in the union yet where the mask is empty and the first pixels do not count
    some = union > 0.0
    jaccard = ops.where(some, 1.0 - kept / ops.where(some, union, 1.0), 0.0)
    steps = ops.concatenate([jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]], axis=1)
    return ops.sum(errors * steps, axis=1)
