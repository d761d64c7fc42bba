"""The parts that the built-in networks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

STANDARDIZE = "standardize"


@keras.saving.register_keras_serializable(package="skimb")
class Cosines(layers.Layer):
    """A last layer whose outputs are the cosines between its input and a vector for each class.

    Parameters
    ----------
    units : int
        Number of classes.
    kernel_initializer : str or keras.initializers.Initializer, default="glorot_uniform"
    **kwargs
        As in :class:`keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import Cosines
    >>> float(abs(Cosines(3)(np.ones((2, 4), "float32"))).numpy().max()) <= 1.0
    True
    """

    def __init__(
        self, units: int, *, kernel_initializer: Any = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Sequence[int]) -> None:
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer=self.kernel_initializer, name="kernel"
        )

    def call(self, inputs: Any) -> Any:
        return ops.matmul(_unit_length(inputs, axis=-1), _unit_length(self.kernel, axis=0))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "units": self.units, "kernel_initializer": initializer}


def _unit_length(x: Any, axis: int) -> Any:
    # not keras.ops.normalize, whose gradient is NaN for a row of zeros
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(square, keras.config.epsilon() ** 2))


def standardized(x: Any, normalize: bool) -> Any:
    """Return the input standardised with stored statistics, or as it is."""
    if not normalize:
        return x
    # Batch normalisation that is frozen is standardisation with a stored mean and variance, and a
    # network of Keras's own layers loads anywhere. Keras's Normalization bakes its numbers into a
    # compiled program, so that every fold of a search would compile anew.
    return layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, name=STANDARDIZE, dtype=x.dtype
    )(x)


def logits(x: Any, n_outputs: int, l2: float, normalized: bool, dtype: str) -> Any:
    """Return the last layer, of logits or of cosines, in float32 where the policy is mixed."""
    dtype = "float32" if dtype.startswith("mixed_") else dtype
    if normalized:  # no penalty, since the length of the vectors is of no effect
        return Cosines(n_outputs, dtype=dtype, name="logits")(x)
    return layers.Dense(n_outputs, kernel_regularizer=penalty(l2), dtype=dtype, name="logits")(x)


def activations(sizes: Sequence[int], activation: Any, normalized_output: bool) -> list[Any]:
    """Return the activation of each hidden layer; before cosines the last has none."""
    functions = [activation] * len(sizes)
    if normalized_output and functions:
        functions[-1] = None
    return functions


def penalty(l2: float) -> Any:
    """Return the regulariser of a layer."""
    return keras.regularizers.L2(l2) if l2 else None


def variable_dtype(dtype: str) -> str:
    """Return the dtype in which a policy keeps variables."""
    return keras.dtype_policies.get(dtype).variable_dtype


def checked_sizes(hidden_layer_sizes: Sequence[int], dropout: float, l2: float) -> list[int]:
    """Return the sizes as integers, or raise a ValueError about what all networks share."""
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes))
    if sizes.size and (sizes.ndim > 1 or sizes.dtype.kind not in "iu" or sizes.min() < 1):
        raise ValueError(
            f"model__hidden_layer_sizes={hidden_layer_sizes!r} has to be a sequence of integers of "
            "at least 1, such as (64, 32)."
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"model__dropout={dropout!r} has to be in [0, 1).")
    if not (np.isfinite(l2) and l2 >= 0):
        raise ValueError(f"model__l2={l2!r} has to be a finite number of at least 0.")
    return [int(size) for size in sizes]
