"""Optimizer for an ensemble of networks trained together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from skimb._types import Tensor
from skimb.networks.ensemble import PIECEWISE_MEMBERS
from skimb.networks.trees import FASTER, RESPONSES, SPLITS, TREE_MEMBERS

#: the layers with the responses of trees, in training and in a network that predicts
_RESPONSES = (TREE_MEMBERS, TREE_MEMBERS + RESPONSES)


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
        weight grows far above ``1 / weight_decay``. A sequence has one for each member. The last
        members are those of trees, before them are those with an encoding.
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
        name: str = "member_decay",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, float(np.max(weight_decay)), name=name, **kwargs)
        self.weight_decay = weight_decay
        # a variable, so that fits with different weight decay share a compiled program
        self.decay = keras.Variable(weight_decay, trainable=False, name="decay")

        self._n_trees = 0
        # mean and uncentered variance of all gradients, or None where each variable has its own
        self._moments: list[Any] | None = None

    def build(self, variables: Any) -> None:
        if self.built:
            return
        dtypes = {variable.dtype for variable in variables}
        if self.amsgrad or len(dtypes) != 1 or tf.distribute.has_strategy():
            super().build(variables)
        else:
            # In one row: XLA compiles a loop for each operation on each variable, which are most of
            # those of a step, and takes a quarter less time for the whole.
            keras.optimizers.Optimizer.build(self, variables)
            (dtype,) = dtypes
            n_weights = sum(math.prod(variable.shape) for variable in variables)
            self._moments = [
                self.add_variable((n_weights,), initializer="zeros", dtype=dtype, name=name)
                for name in ("momentum", "velocity")
            ]
        of_trees = [v.shape[0] for v in variables if _layer_of(v) in _RESPONSES]
        self._n_trees = of_trees[0] if of_trees else 0

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        """Update all variables with a gradient by Adam."""
        if self._moments is None:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        mean, variance = self._moments
        places = map(self._get_variable_index, trainable_variables)
        found = dict(zip(places, grads, strict=True))
        sizes = [math.prod(variable.shape) for variable in self._trainable_variables]
        parts = [found.get(i, ops.zeros((size,), mean.dtype)) for i, size in enumerate(sizes)]
        gradient = ops.concatenate([ops.reshape(ops.cast(g, mean.dtype), (-1,)) for g in parts])
        moved: Any = 1.0
        if len(found) < len(sizes):  # the moments of the others stay
            moved = np.repeat([float(i in found) for i in range(len(sizes))], sizes)
            moved = ops.cast(moved, mean.dtype)
        mean.assign_add((gradient - mean) * (moved * (1.0 - self.beta_1)))
        variance.assign_add((ops.square(gradient) - variance) * (moved * (1.0 - self.beta_2)))
        step = ops.cast(self.iterations + 1, mean.dtype)
        size = ops.cast(learning_rate, mean.dtype) * ops.sqrt(1.0 - self.beta_2**step)
        change = mean * (size / (1.0 - self.beta_1**step)) / (ops.sqrt(variance) + self.epsilon)
        ends = np.cumsum(sizes)
        for i in found:
            variable = self._trainable_variables[i]
            of_variable = change[ends[i] - sizes[i] : ends[i]]
            variable.assign_sub(ops.reshape(of_variable, variable.shape))

    def _use_weight_decay(self, variable: Any) -> bool:
        return len(variable.shape) == 3 and _layer_of(variable) != TREE_MEMBERS + SPLITS

    def _apply_weight_decay(self, variables: Any) -> None:
        for variable in variables:
            if self._use_weight_decay(variable):
                decay = ops.cast(self._decay_of(variable), variable.dtype)
                lost = ops.cast(self.learning_rate, variable.dtype) * decay
                variable.assign(variable - variable * ops.minimum(lost, 1.0))

    def _decay_of(self, variable: Any) -> Any:
        """Return the weight decay of a kernel, of the members that it is of."""
        # responses of trees move faster, and what is multiplied by a factor has to be kept smaller
        factor = FASTER if _layer_of(variable) in _RESPONSES else 1.0
        decay: Tensor = ops.convert_to_tensor(self.decay)
        if not len(decay.shape):
            return decay * factor
        n_members = variable.shape[0]
        start = 0
        if _layer_of(variable) in _RESPONSES:
            start = decay.shape[0] - n_members
        elif _layer_of(variable) == PIECEWISE_MEMBERS:
            start = decay.shape[0] - n_members - self._n_trees
        return ops.reshape(decay[start : start + n_members] * factor, (-1, 1, 1))


def _layer_of(variable: Any) -> str:
    """Return the name of the layer of a variable."""
    return variable.path.rpartition("/")[0].rpartition("/")[2]
