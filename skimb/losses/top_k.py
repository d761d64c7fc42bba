"""Cross-entropy of the worst pixels of each image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
from keras import ops

from skimb._types import Tensor
from skimb.losses.base import CommonArguments, number
from skimb.losses.images import ImageLoss, flat_pixels


@keras.saving.register_keras_serializable(package="skimb")
class TopKCrossEntropy(ImageLoss):
    r"""Cross-entropy of the k % worst pixels of each image (online hard example mining).

    .. math:: \frac{100}{k N} \sum_{i \in \mathrm{worst}} -\log p_{y_i}

    The many pixels that are right leave the loss to the few that are wrong.

    Parameters
    ----------
    k : float in (0, 100], default=10.0
        Percentage of the pixels of an image that are kept; 100 is cross-entropy.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    k % is a share of the weight of the pixels: one of weight 2 takes the place of two, and the last
    one may be kept in part.

    References
    ----------
    .. [1] Z. Wu, C. Shen, A. van den Hengel, "Bridging Category-level and Instance-level Semantic
       Image Segmentation", 2016. https://arxiv.org/abs/1605.06885

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import TopKCrossEntropy
    >>> mask = np.array([[[1, 0, 0, 0]]])
    >>> logits = np.array([[[[0.0], [-9.0], [-9.0], [-9.0]]]], "float32")
    >>> print(f"{float(TopKCrossEntropy(k=25)(mask, logits)):.4f}")
    0.6931
    """

    traits = replace(ImageLoss.traits, numeric=("k",))

    def __init__(self, *, k: float = 10.0, **common: Unpack[CommonArguments]) -> None:
        super().__init__(**common)
        self.k = number(k, "k", above=0.0, most=100.0)

    def _inputs(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any, bool]:
        return self.canonical(y_true, y_pred)

    def of_images(self, y: Tensor, outputs: Tensor, weight: Tensor, softmax: bool) -> Any:
        weight = flat_pixels(weight, y)[..., 0]
        y, z = flat_pixels(y, y), flat_pixels(outputs, y)
        if softmax:
            terms = -ops.sum(y * ops.log_softmax(z, axis=-1), axis=-1)
        else:
            terms = (-y * ops.log_sigmoid(z) - (1.0 - y) * ops.log_sigmoid(-z))[..., 0]
        order = ops.argsort(-ops.stop_gradient(terms), axis=1)
        terms, weight = (ops.take_along_axis(v, order, axis=1) for v in (terms, weight))
        share = self.k / 100.0
        before = ops.cumsum(weight, axis=1) - weight
        left = share * ops.sum(weight, axis=1, keepdims=True) - before
        kept = ops.minimum(ops.maximum(left, 0.0), weight)
        return ops.mean(kept * terms, axis=1) / share
