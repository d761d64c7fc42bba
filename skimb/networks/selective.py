"""The first layer of ensemble members that learn with some of their inputs at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skimb._types import Activation, Tensor


@keras.saving.register_keras_serializable(package="skimb")
class SelectiveDense(layers.Layer):
    """Dense layer of several members, which drops inputs in training and has factors for them.

    Parameters
    ----------
    members, units : int
    activation : str, callable or None, default=None
    input_dropout : float in [0, 1) or sequence of float, default=0.0
        Fraction of the inputs that are dropped in a step of the training, the same ones for all
        samples of the batch, so that a sample of weight 2 is the same as the sample twice, and for
        all members. What is left is scaled up, as by Keras's ``Dropout``. A sequence has one for
        each member: of two members the one of the larger fraction drops those of the other as well.
    input_factors : bool, default=False
        Whether each member learns a factor for each input, 1 at first.
    kernel_initializer : str or keras.initializers.Initializer, default="glorot_uniform"
    kernel_regularizer : str, keras.regularizers.Regularizer or None, default=None
    seed : int or None, default=None
    **kwargs
        Passed to :class:`keras.layers.Layer`.

    Raises
    ------
    ValueError
        If `input_dropout` is not accepted.

    Attributes
    ----------
    kernel : keras.Variable of shape (members, n_inputs, units)
    bias : keras.Variable of shape (members, units)
    factors : keras.Variable of shape (members, n_inputs)
        With `input_factors`. The layer predicts with the product of kernel and factors.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import SelectiveDense
    >>> layer = SelectiveDense(5, 3, input_dropout=0.2, input_factors=True)
    >>> tuple(layer(np.ones((2, 4), "float32")).shape), tuple(layer.factors.shape)
    ((2, 5, 3), (5, 4))
    """

    def __init__(
        self,
        members: int,
        units: int,
        activation: Activation | None = None,
        *,
        input_dropout: float | Sequence[float] = 0.0,
        input_factors: bool = False,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.members, self.units = members, units
        self.activation = keras.activations.get(activation)
        self._rates = checked_rates(input_dropout, members)
        self.input_dropout = self._rates.tolist()
        self.input_factors = input_factors
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.seed = seed
        if self._rates.any():
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Sequence[int]) -> None:
        n_inputs = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel", shape=(self.members, n_inputs, self.units),
            initializer=self.kernel_initializer, regularizer=self.kernel_regularizer,
        )  # fmt: skip
        self.bias = self.add_weight(
            name="bias", shape=(self.members, self.units), initializer="zeros"
        )
        if self.input_factors:
            shape = (self.members, n_inputs)
            self.factors = self.add_weight(name="factors", shape=shape, initializer="ones")

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        kernel: Tensor = self.kernel
        if self.input_factors:
            kernel = kernel * ops.expand_dims(self.factors, -1)
        if training and self._rates.any():
            # in the kernel, which is smaller than a batch of inputs
            rates = np.float32(self._rates).reshape(-1, 1, 1)
            drawn = uniform_numbers(self.seed_generator.next(), kernel.shape[1])
            kept = ops.where(drawn[:, None] >= rates, 1.0 / (1.0 - rates), 0.0)
            kernel = kernel * ops.cast(kept, kernel.dtype)
        return self.activation(ops.einsum("bi,kio->bko", inputs, kernel) + self.bias)

    def dense(self, values: dict[int, np.ndarray]) -> list[np.ndarray]:
        """Return kernel and bias of the dense layer that predicts the same.

        Parameters
        ----------
        values : dict of int to ndarray
            Of the variables, by their ``id``.
        """
        kernel, bias = values[id(self.kernel)], values[id(self.bias)]
        if self.input_factors:
            kernel = kernel * values[id(self.factors)][:, :, np.newaxis]
        return [kernel, bias]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return (input_shape[0], self.members, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("members", "units", "input_dropout", "input_factors", "seed")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


def checked_rates(input_dropout: float | Sequence[float], members: int) -> np.ndarray:
    """Return the fraction of the inputs to drop, one or one for each member, if it is accepted."""
    rates = np.asarray(input_dropout)
    accepted = rates.dtype.kind in "fiu" and rates.shape in ((), (members,))
    if not (accepted and np.all((rates >= 0) & (rates < 1))):
        raise ValueError(
            f"model__input_dropout={input_dropout!r} must be a number in [0, 1), or one for each "
            f"of the {members} members with an encoding or of trees."
        )
    return rates


def uniform_numbers(state: Tensor, n: int) -> Any:
    """Return numbers of [0, 1) that every compiler and every dtype of a network agree on.

    XLA and TensorFlow draw different ones from the same seed, and so would a network whose fit is
    long enough for XLA. These are the hash of a counter, by the finaliser of MurmurHash3.

    Parameters
    ----------
    state : tensor of shape (2,)
        The seed and the number of the step, of a ``keras.random.SeedGenerator``.
    n : int

    Returns
    -------
    tensor of shape (n,), float32
    """
    seed, step = ops.cast(state[0], "uint32"), ops.cast(state[1], "uint32")
    mixed = _mixed(np.arange(n, dtype=np.uint32) + _mixed(step + _mixed(seed)))
    # float32 holds 24 bits
    return ops.cast(ops.right_shift(mixed, np.uint32(8)), "float32") * np.float32(2.0**-24)


def _mixed(x: Tensor) -> Any:
    """Return a bijection of uint32 in which every bit depends on all bits of the input."""
    x = ops.bitwise_xor(x, ops.right_shift(x, np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = ops.bitwise_xor(x, ops.right_shift(x, np.uint32(13))) * np.uint32(0xC2B2AE35)
    return ops.bitwise_xor(x, ops.right_shift(x, np.uint32(16)))
