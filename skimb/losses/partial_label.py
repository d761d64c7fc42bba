"""Loss for samples of which several classes are acceptable."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from skimb._types import Tensor
from skimb.losses.base import CommonArguments, ImbalancedLoss, one_of
from skimb.losses.traits import LossTraits


@keras.saving.register_keras_serializable(package="skimb")
class PartialLabel(ImbalancedLoss):
    r"""Cross-entropy for candidate sets: any class of the set is right.

    ``variant="sum"`` asks for probability on the set S as a whole,

    .. math:: -\log \sum_{c \in S} p_c,

    and ``variant="max"`` is the cross-entropy of the candidate that the network already finds the
    most probable, with the other candidates left out of the softmax.

    Parameters
    ----------
    variant : {"sum", "max"}, default="sum"
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`. `y_true` is an indicator matrix of shape
        (n, K) with at least one 1 a sample; a sample without any costs nothing.

    References
    ----------
    .. [1] R. Jin, Z. Ghahramani, "Learning with Multiple Labels", NIPS 2002.
    .. [2] L. Feng et al., "Provably Consistent Partial-Label Learning", NeurIPS 2020.
       https://arxiv.org/abs/2007.08929

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import PartialLabel
    >>> loss = PartialLabel()
    >>> print(f"{float(loss(np.array([[1, 1, 0]]), np.zeros((1, 3), 'float32'))):.4f}")
    0.4055
    """

    traits = LossTraits(targets=("candidates",))

    def __init__(
        self,
        *,
        variant: str = "sum",
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.variant = one_of(variant, "variant", ("sum", "max"))

    def softmax_terms(self, y: Tensor, z: Tensor) -> Any:
        # differences of logits are all that counts, and large ones are rounded
        z = z - ops.stop_gradient(ops.max(z, axis=-1, keepdims=True))
        candidate = y > 0.5
        some = ops.any(candidate, axis=-1)
        # without candidates, all classes are: a finite stand-in that costs nothing
        candidate = ops.logical_or(candidate, ops.logical_not(some)[..., None])
        lowest = ops.full_like(z, -np.inf)
        of_set = ops.where(candidate, z, lowest)
        if self.variant == "sum":
            terms = ops.logsumexp(z, axis=-1) - ops.logsumexp(of_set, axis=-1)
        else:
            best = ops.one_hot(ops.argmax(of_set, axis=-1), z.shape[-1], dtype=z.dtype)
            z_best = ops.sum(best * z, axis=-1)
            left = ops.where(ops.logical_and(candidate, best < 0.5), lowest, z)
            terms = ops.logsumexp(left, axis=-1) - z_best
        return ops.where(some, terms, 0.0)
