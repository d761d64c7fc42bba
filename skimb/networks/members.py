"""Layers with which several networks of one shape are trained as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops


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
    """Gives each of several networks the rows, one network after the other.

    Parameters
    ----------
    n_members : int
    **kwargs
        As in :class:`keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import Members
    >>> np.asarray(Members(2)(np.array([[1.0], [2.0]]))).ravel().tolist()
    [1.0, 2.0, 1.0, 2.0]
    """

    def __init__(self, n_members: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_members = n_members

    def call(self, inputs: Any) -> Any:
        return ops.concatenate([inputs] * self.n_members)

    def compute_output_shape(self, input_shape: Sequence[int]) -> Sequence[int]:
        return input_shape  # the number of rows is not known

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "n_members": self.n_members}


@keras.saving.register_keras_serializable(package="skimb")
class MemberDense(layers.Layer):
    """A dense layer for each of several networks, all in one product.

    Parameters
    ----------
    units : int
        Of the layer of each network.
    n_members : int
        Number of networks. The rows are those of the first, then those of the second, and so on.
    activation : str or callable or None, default=None
    kernel_regularizer : keras.regularizers.Regularizer or None, default=None
    **kwargs
        As in :class:`keras.layers.Layer`.

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
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.n_members = n_members
        self.activation = keras.activations.get(activation)
        # Glorot's for each network: Keras takes the axis of the networks for one of a convolution
        self.kernel_initializer = keras.initializers.VarianceScaling(
            scale=n_members, mode="fan_avg", distribution="uniform"
        )
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Sequence[int]) -> None:
        self.kernel = self.add_weight(
            shape=(self.n_members, input_shape[-1], self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.n_members * self.units,), initializer="zeros", name="bias"
        )

    def call(self, inputs: Any) -> Any:
        by_member = ops.reshape(inputs, (self.n_members, -1, inputs.shape[-1]))
        bias = ops.reshape(self.bias, (self.n_members, 1, self.units))
        x = self.activation(ops.matmul(by_member, self.kernel) + bias)
        return ops.reshape(x, (-1, self.units))

    def compute_output_shape(self, input_shape: Sequence[int]) -> Sequence[int]:
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {
            "units": self.units,
            "n_members": self.n_members,
            "activation": keras.activations.serialize(self.activation),
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
