"""Centreline Dice: overlap of skeletons, for vessels, roads and other thin structures."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any, Unpack

import keras
from keras import ops

from skimb._types import Tensor
from skimb.losses.base import CommonArguments, integer, number
from skimb.losses.batch import ratio
from skimb.losses.images import ImageLoss, image_axes, is_background


@keras.saving.register_keras_serializable(package="skimb")
class ClDice(ImageLoss):
    r"""Soft clDice, the overlap of masks with each other's centrelines, mixed with Dice.

    .. math:: (1 - \alpha)\, \mathrm{Dice} + \alpha \left(1 -
        \frac{2\, T_{\text{prec}} T_{\text{sens}}}{T_{\text{prec}} + T_{\text{sens}}}\right), \quad
        T_{\text{prec}} = \frac{\sum S_p y}{\sum S_p}, \;
        T_{\text{sens}} = \frac{\sum S_y p}{\sum S_y}

    with :math:`S_p` and :math:`S_y` the soft skeletons of the prediction and of the mask. A gap in
    a vessel costs as much in a thin as in a thick one, so that what is connected stays connected.

    Parameters
    ----------
    alpha : float in [0, 1], default=0.5
        Share of clDice, in the paper at most 0.5; 1 leaves Dice out, for a sum of terms that has
        it: ``loss={"dice_cross_entropy": 1, "cl_dice": 0.5}`` with ``loss__cl_dice__alpha=1.0``.
    iterations : int, default=5
        Steps of thinning. Structures of more than twice this many pixels across are left without a
        part of their skeleton.
    epsilon : float, default=1e-5
        As in :class:`Dice`, in both fractions too.
    background : int or None, default=None
        Of several classes the one without a skeleton, left out of clDice; None is the first. The
        estimators fill it in.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    A skeleton is what repeated erosions take away in excess of openings, by minima over crosses and
    maxima over squares of three pixels a side. Pixels of weight 0 are passed over by both, as is
    what lies outside the image.

    References
    ----------
    .. [1] S. Shit, J. C. Paetzold, A. Sekuboyina et al., "clDice - a Novel Topology-Preserving Loss
       Function for Tubular Structure Segmentation", CVPR 2021. https://arxiv.org/abs/2003.07311

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import ClDice
    >>> vessel = np.array([[[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]])
    >>> gap = np.array([[[0, 0, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0]]])
    >>> logits = np.float32(20 * gap[..., None] - 10)
    >>> print(f"{float(ClDice(alpha=1.0)(vessel, logits)):.4f}")
    0.1429
    """

    traits = replace(ImageLoss.traits, has_positive=True, numeric=("alpha", "epsilon"))

    def __init__(
        self,
        *,
        alpha: float = 0.5,
        iterations: int = 5,
        epsilon: float = 1e-5,
        background: int | None = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.alpha = number(alpha, "alpha", most=1.0)
        self.iterations = integer(iterations, "iterations", least=1)
        self.epsilon = number(epsilon, "epsilon", above=0.0)
        self.background = background if background is None else integer(background, "background")

    def of_images(self, y: Tensor, outputs: Tensor, weight: Tensor, softmax: bool) -> Any:
        axis, weight = image_axes(y), ops.broadcast_to(weight, ops.shape(y))

        def total(values: Tensor) -> Any:
            return ops.sum(weight * values, axis=axis)

        both, sizes = total(outputs * y), total(outputs) + total(y)
        dice = 1.0 - (2.0 * both + self.epsilon) / (sizes + self.epsilon)
        counted = weight > 0.0
        of_y = ops.stop_gradient(soft_skeleton(y, counted, self.iterations))
        of_p = soft_skeleton(outputs, counted, self.iterations)
        precision = (total(of_p * y) + self.epsilon) / (total(of_p) + self.epsilon)
        sensitivity = (total(of_y * outputs) + self.epsilon) / (total(of_y) + self.epsilon)
        cl_dice = 1.0 - ratio(2.0 * precision * sensitivity, precision + sensitivity)
        if y.shape[-1] > 1:  # a mean without the background
            foreground = 1.0 - ops.cast(is_background(self.background, y.shape[-1]), y.dtype)
            cl_dice = ops.sum(foreground * cl_dice, axis=-1) / (y.shape[-1] - 1)
        else:
            cl_dice = ops.mean(cl_dice, axis=-1)
        return (1.0 - self.alpha) * ops.mean(dice, axis=-1) + self.alpha * cl_dice


def soft_skeleton(mask: Tensor, counted: Tensor, iterations: int) -> Any:
    """Return the soft skeleton of masks of shape (n, ..., K) with values between 0 and 1.

    Parameters
    ----------
    mask : tensor of shape (n, ..., K)
    counted : boolean tensor of the same shape
        The pixels that are known.
    iterations : int
    """
    axes = range(1, mask.ndim - 1)

    def eroded(values: Tensor) -> Any:
        values = -ops.where(counted, values, 1.0)
        return -reduce(ops.maximum, [_largest(values, axis) for axis in axes])

    def dilated(values: Tensor) -> Any:
        return reduce(_largest, axes, ops.where(counted, values, 0.0))

    thinner = eroded(mask)
    skeleton = ops.relu(mask - dilated(thinner))
    for _ in range(iterations):
        mask, thinner = thinner, eroded(thinner)
        skeleton = skeleton + (1.0 - skeleton) * ops.relu(mask - dilated(thinner))
    return skeleton


def _largest(values: Tensor, axis: int) -> Any:
    """Return the maximum of each value and its two neighbours along an axis."""
    # faster on a CPU than max_pool, of which the gradient is slow
    at = (slice(None),) * axis
    first, last = (*at, slice(None, 1)), (*at, slice(-1, None))
    before = ops.concatenate([values[first], values[*at, :-1]], axis=axis)
    after = ops.concatenate([values[*at, 1:], values[last]], axis=axis)
    return ops.maximum(values, ops.maximum(before, after))
