"""Optimizer for an ensemble of networks trained together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from skimb._types import Tensor
from skimb.networks.trees import TREE_MEMBERS


@keras.saving.register_keras_serializable(package="skimb")
class MemberDecay(keras.optimizers.AdamW):
    """Adam with decoupled weight decay [1]_ of the kernels of ensemble members.

    Weight decay applies to kernels of three axes. Biases, factors of
    inputs and shared layers are unchanged.

    Parameters
    ----------
    learning_rate : float or schedule, default=0.01
    weight_decay : float or sequence of float, default=1.0
        Each step subtracts the fraction ``learning_rate * weight_decay`` from every kernel. So no
        weight grows far above ``1 / weight_decay``. A sequence has one for each member; a kernel of
        some of the members has those of the first, or of the last.
    of_last : sequence of str, default=("tree_members",)
        Names of layers that are of the last members.
    name : str, default="member_decay"
    **kwargs
        Passed to :class:`keras.optimizers.AdamW`.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
       https://arxiv.org/abs/1711.05101

    Examples
    --------
    >>> from skimb.training.optimizers import MemberDecay
    >>> MemberDecay(weight_decay=0.5).get_config()["weight_decay"]
    0.5
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        weight_decay: float | Sequence[float] = 1.0,
        of_last: Sequence[str] = (TREE_MEMBERS,),
        name: str = "member_decay",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, float(np.max(weight_decay)), name=name, **kwargs)
        self.weight_decay = weight_decay
        self.of_last = list(of_last)
        # a variable, so that fits with different weight decay share a compiled program
        self.decay = keras.Variable(weight_decay, trainable=False, name="decay")

    def _use_weight_decay(self, variable: Tensor) -> bool:
        return len(variable.shape) == 3

    def _apply_weight_decay(self, variables: Any) -> None:
        for variable in variables:
            if self._use_weight_decay(variable):
                decay = ops.cast(self.decay, variable.dtype)
                if len(decay.shape):
                    n_members = variable.shape[0]
                    last = variable.path.split("/")[-2] in self.of_last
                    own = decay[-n_members:] if last else decay[:n_members]
                    decay = ops.reshape(own, (-1, 1, 1))
                lost = ops.cast(self.learning_rate, variable.dtype) * decay
                variable.assign(variable - variable * lost)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "of_last": self.of_last}
