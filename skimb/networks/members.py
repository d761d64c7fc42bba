"""Layers with which several networks that share most of their weights are trained as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="skimb")
class RandomSigns(keras.initializers.Initializer):
    """Draws -1 and 1 with equal probability.

    Parameters
    ----------
    seed : int or None, default=None

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import RandomSigns
    >>> bool((abs(np.asarray(RandomSigns(seed=0)((4, 3)))) == 1).all())
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        signs = np.random.RandomState(self.seed).choice([-1.0, 1.0], size=tuple(shape))
        return ops.convert_to_tensor(signs, dtype=dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"seed": self.seed}


@keras.saving.register_keras_serializable(package="skimb")
class SoftClip(layers.Layer):
    """Lets values far from 0 grow ever less: x / sqrt(1 + (x / bound)^2).

    Parameters
    ----------
    bound : float
        What no value exceeds.
    **kwargs
        As in :class:`keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import SoftClip
    >>> np.asarray(SoftClip(3.0, dtype="float64")(np.array([[0.1, 1000.0]]))).round(3).tolist()
    [[0.1, 3.0]]
    """

    def __init__(self, bound: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bound = bound

    def call(self, inputs: Any) -> Any:
        return inputs * ops.rsqrt(1.0 + ops.square(inputs / self.bound))

    def compute_output_shape(self, input_shape: Sequence[int]) -> Sequence[int]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "bound": self.bound}


@keras.saving.register_keras_serializable(package="skimb")
class Members(layers.Layer):
    """Gives each of several networks its own view of the rows: features times signs of its own.

    Parameters
    ----------
    n_members : int
    kernel_initializer : str or keras.initializers.Initializer, default=RandomSigns
    **kwargs
        As in :class:`keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import Members
    >>> tuple(Members(4)(np.ones((2, 3), "float32")).shape)
    (8, 3)
    """

    def __init__(self, n_members: int, *, kernel_initializer: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_members = n_members
        self.kernel_initializer = keras.initializers.get(kernel_initializer) or RandomSigns()

    def build(self, input_shape: Sequence[int]) -> None:
        self.kernel = self.add_weight(
            shape=(self.n_members, 1, input_shape[-1]),
            initializer=self.kernel_initializer,
            name="kernel",
        )

    def call(self, inputs: Any) -> Any:
        n_features = inputs.shape[-1]
        return ops.reshape(ops.expand_dims(inputs, 0) * self.kernel, (-1, n_features))

    def compute_output_shape(self, input_shape: Sequence[int]) -> Sequence[int]:
        return input_shape  # the number of rows is not known

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        own = {"n_members": self.n_members, "kernel_initializer": initializer}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="skimb")
class MemberDense(layers.Layer):
    """A dense layer of which networks share the kernel, each with scales and a bias of its own.

    Parameters
    ----------
    units : int
    n_members : int
        The rows are those of the first network, then those of the second, and so on.
    activation : str or callable or None, default=None
    kernel_initializer : str or keras.initializers.Initializer, default="glorot_uniform"
    kernel_regularizer : keras.regularizers.Regularizer or None, default=None
    **kwargs
        As in :class:`keras.layers.Layer`.

    References
    ----------
    Y. Wen, D. Tran, J. Ba, "BatchEnsemble: an Alternative Approach to Efficient Ensemble and
    Lifelong Learning", ICLR 2020. https://arxiv.org/abs/2002.06715

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import MemberDense
    >>> tuple(MemberDense(5, 4)(np.ones((8, 3), "float32")).shape)
    (8, 5)
    """

    def __init__(
        self,
        units: int,
        n_members: int,
        activation: Any = None,
        *,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.n_members = n_members
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Sequence[int]) -> None:
        n_features = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(n_features, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
        )
        of_each = {"shape": (self.n_members, 1, self.units)}
        self.input_scale = self.add_weight(
            shape=(self.n_members, 1, n_features), initializer="ones", name="input_scale"
        )
        self.output_scale = self.add_weight(**of_each, initializer="ones", name="output_scale")
        self.bias = self.add_weight(**of_each, initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        by_member = ops.reshape(inputs, (self.n_members, -1, inputs.shape[-1]))
        scaled = ops.reshape(by_member * self.input_scale, (-1, inputs.shape[-1]))
        x = ops.reshape(ops.matmul(scaled, self.kernel), (self.n_members, -1, self.units))
        return ops.reshape(self.activation(x * self.output_scale + self.bias), (-1, self.units))

    def compute_output_shape(self, input_shape: Sequence[int]) -> Sequence[int]:
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {
            "units": self.units,
            "n_members": self.n_members,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="skimb")
class MeanOfMembers(layers.Layer):
    """The mean of what several networks say; while training what each of them says.

    Parameters
    ----------
    n_members : int
        The rows are those of the first network, then those of the second, and so on.
    **kwargs
        As in :class:`keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import MeanOfMembers
    >>> outputs = np.array([[1.0], [2.0], [3.0], [6.0]])
    >>> np.asarray(MeanOfMembers(2)(outputs)).tolist()
    [[2.0], [4.0]]
    >>> tuple(MeanOfMembers(2)(outputs, training=True).shape)
    (4, 1)
    """

    def __init__(self, n_members: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_members = n_members

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            return inputs
        return ops.mean(ops.reshape(inputs, (self.n_members, -1, inputs.shape[-1])), axis=0)

    def compute_output_shape(self, input_shape: Sequence[int]) -> Sequence[int]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "n_members": self.n_members}


def members_of(model: keras.Model) -> int:
    """Return how many outputs a network has for each row while it is trained, 1 for most.

    Examples
    --------
    >>> from skimb.networks import members_of, mlp
    >>> members_of(mlp((20,), 1))
    1
    """
    found = [layer.n_members for layer in model.layers if isinstance(layer, MeanOfMembers)]
    return found[0] if found else 1
