"""Unified focal loss: focal loss and focal Tversky loss with common hyperparameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
from keras import ops

from skimb._types import Tensor
from skimb.losses.base import CommonArguments, integer, number, one_of
from skimb.losses.batch import ratio
from skimb.losses.images import ImageLoss, image_axes, is_background


@keras.saving.register_keras_serializable(package="skimb")
class UnifiedFocal(ImageLoss):
    r"""Unified focal loss, a mixture of a focal and a focal Tversky loss.

    .. math:: \lambda \left(-\frac{1}{N} \sum_i \sum_k \delta_k\, y_{ik} (1 - p_{ik})^{\gamma_k}
        \log p_{ik}\right) + (1 - \lambda) \sum_k (1 - T_k)^{1 - \gamma'_k}, \quad
        T_k = \frac{TP_k + \epsilon}{TP_k + \delta FN_k + (1 - \delta) FP_k + \epsilon}

    with :math:`\delta_k = \delta` for the classes of the foreground and :math:`1 - \delta` for the
    background. The asymmetric variant spares the foreground the suppression of easy pixels, and
    the background the enhancement: :math:`\gamma_k` is :math:`\gamma` for the background and 0 for
    the foreground, :math:`\gamma'_k` the other way round. In the symmetric variant both are
    :math:`\gamma` for all classes.

    Parameters
    ----------
    focal_weight : float in [0, 1], default=0.5
        Share :math:`\lambda` of the focal loss.
    delta : float in [0, 1], default=0.6
        Weight of the foreground against the background, and of false negatives against false
        positives.
    gamma : float in [0, 1), default=0.5
        How strongly easy pixels are down-weighted, and how strongly classes with little overlap are
        weighted up.
    variant : {"asymmetric", "symmetric"}, default="asymmetric"
    epsilon : float, default=1e-5
        As in :class:`Tversky`.
    background : int or None, default=None
        Of several classes the one that is not foreground; None is the first. The estimators fill it
        in.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    References
    ----------
    .. [1] M. Yeung, E. Sala, C.-B. Schönlieb, L. Rundo, "Unified Focal Loss: Generalising Dice and
       Cross Entropy-Based Losses to Handle Class Imbalanced Medical Image Segmentation",
       Computerized Medical Imaging and Graphics 95, 2022. https://arxiv.org/abs/2102.04525

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import UnifiedFocal
    >>> mask = np.array([[[1, 0], [0, 0]]])
    >>> print(f"{float(UnifiedFocal()(mask, np.zeros((1, 2, 2, 1), 'float32'))):.4f}")
    0.7379
    """

    traits = replace(
        ImageLoss.traits,
        has_positive=True,
        numeric=("focal_weight", "delta", "gamma", "epsilon"),
    )

    def __init__(
        self,
        *,
        focal_weight: float = 0.5,
        delta: float = 0.6,
        gamma: float = 0.5,
        variant: str = "asymmetric",
        epsilon: float = 1e-5,
        background: int | None = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.focal_weight = number(focal_weight, "focal_weight", most=1.0)
        self.delta = number(delta, "delta", most=1.0)
        if number(gamma, "gamma", most=1.0) == 1.0:
            raise ValueError("gamma=1.0 has to be below 1, or every overlap costs the same.")
        self.gamma = float(gamma)
        self.variant = one_of(variant, "variant", ("asymmetric", "symmetric"))
        self.epsilon = number(epsilon, "epsilon", above=0.0)
        self.background = background if background is None else integer(background, "background")

    def _inputs(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any, bool]:
        return self.canonical(y_true, y_pred)

    def of_images(self, y: Tensor, outputs: Tensor, weight: Tensor, softmax: bool) -> Any:
        z, axis = outputs, image_axes(y)
        if softmax:
            log_p, background = ops.log_softmax(z, axis=-1), self.background
            # of the other classes, exact where p rounds to 1
            log_q = ops.stack([_log_of_others(log_p, k) for k in range(y.shape[-1])], axis=-1)
        else:  # the background in front
            y = ops.concatenate([1.0 - y, y], axis=-1)
            log_p = ops.concatenate([ops.log_sigmoid(-z), ops.log_sigmoid(z)], axis=-1)
            log_q, background = log_p[..., ::-1], 0
        behind = ops.cast(is_background(background, y.shape[-1]), y.dtype)
        every = self.variant == "symmetric"
        suppression = self.gamma * (1.0 if every else behind)
        enhancement = self.gamma * (1.0 if every else 1.0 - behind)
        delta = self.delta + (1.0 - 2.0 * self.delta) * behind
        # (1 - p)^gamma by its logarithm: a power of 0 has no gradient for gamma < 1
        terms = -delta * y * ops.exp(suppression * log_q) * log_p
        focal = ops.mean(ops.sum(weight * terms, axis=-1), axis=axis)

        p = ops.exp(log_p)
        true, predicted, tp = (ops.sum(weight * values, axis=axis) for values in (y, p, p * y))
        errors = self.delta * (true - tp) + (1.0 - self.delta) * (predicted - tp)
        lost = ratio(errors, tp + errors + self.epsilon)
        some = lost > 0.0
        tversky = ops.where(some, ops.where(some, lost, 1.0) ** (1.0 - enhancement), 0.0)
        return self.focal_weight * focal + (1.0 - self.focal_weight) * ops.sum(tversky, axis=-1)


def _log_of_others(log_p: Tensor, k: int) -> Any:
    """Return the logarithm of the probability of all classes but one."""
    return ops.logsumexp(ops.concatenate([log_p[..., :k], log_p[..., k + 1 :]], axis=-1), axis=-1)
