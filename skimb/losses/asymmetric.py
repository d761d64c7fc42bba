"""Asymmetric loss: easy negatives are down-weighted, and the easiest thrown away."""

from __future__ import annotations

from typing import Any, Unpack

import keras
from keras import ops

from skimb._types import Tensor
from skimb.losses.base import CommonArguments, ImbalancedLoss, number
from skimb.losses.traits import LossTraits


@keras.saving.register_keras_serializable(package="skimb")
class Asymmetric(ImbalancedLoss):
    r"""Asymmetric loss for binary and multilabel targets.

    .. math:: -y (1 - p)^{\gamma_+} \log p - (1 - y) p_m^{\gamma_-} \log(1 - p_m),
        \quad p_m = \max(p - m, 0)

    A focal loss with an exponent for the positives and another for the many negatives, of which
    those below the margin :math:`m` cost nothing at all.

    Parameters
    ----------
    gamma_pos : float, default=1.0
        Exponent :math:`\gamma_+` of the positives.
    gamma_neg : float, default=4.0
        Exponent :math:`\gamma_-` of the negatives.
    margin : float in [0, 1], default=0.05
        Probability :math:`m` below which a negative costs nothing.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    References
    ----------
    .. [1] T. Ridnik, E. Ben-Baruch, N. Zamir, A. Noy, I. Friedman, M. Protter, L. Zelnik-Manor,
       "Asymmetric Loss For Multi-Label Classification", ICCV 2021.
       https://arxiv.org/abs/2009.14119

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import Asymmetric
    >>> loss = Asymmetric(target="multilabel")
    >>> print(f"{float(loss(np.array([[1, 0]]), np.array([[0.0, -4.0]], 'float32'))):.4f}")
    0.1733
    """

    traits = LossTraits(
        targets=("binary", "multilabel"),
        has_positive=True,
        numeric=("gamma_pos", "gamma_neg", "margin"),
    )

    def __init__(
        self,
        *,
        gamma_pos: float = 1.0,
        gamma_neg: float = 4.0,
        margin: float = 0.05,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.gamma_pos = number(gamma_pos, "gamma_pos")
        self.gamma_neg = number(gamma_neg, "gamma_neg")
        self.margin = number(margin, "margin", most=1.0)

    def sigmoid_terms(self, y: Tensor, z: Tensor) -> Any:
        log_p, log_q = ops.log_sigmoid(z), ops.log_sigmoid(-z)
        positive = -ops.exp(self.gamma_pos * log_q) * log_p
        p, q = ops.exp(log_p), ops.exp(log_q)
        counts = p > self.margin
        shifted = ops.where(counts, p - self.margin, 1.0)  # a power of 0 has no gradient
        # log(1 - p_m) as it is with a margin, and where it could be log(0), from the logit
        inside = ops.where(counts, ops.maximum(q + self.margin, 1e-30), 1.0)
        log_rest = ops.where(ops.cast(self.margin, z.dtype) > 0.0, ops.log(inside), log_q)
        negative = -ops.exp(self.gamma_neg * ops.log(shifted)) * log_rest
        return y * positive + (1.0 - y) * ops.where(counts, negative, 0.0)
