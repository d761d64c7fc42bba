"""The parts that the built-in networks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skimb._types import Activation, Tensor

STANDARDIZE = "standardize"

# so many noise vectors for a batch, that rows of 200 seldom share one
_NOISE_VECTORS = 128
# rows that differ by a thousandth of a standard deviation get noise independent of each other
_SCATTERING = 1000.0


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

    def call(self, inputs: Tensor) -> Any:
        return ops.matmul(_unit_length(inputs, axis=-1), _unit_length(self.kernel, axis=0))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "units": self.units, "kernel_initializer": initializer}


def _unit_length(x: Tensor, axis: int) -> Any:
    # not keras.ops.normalize, whose gradient is NaN for a row of zeros
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(square, keras.config.epsilon() ** 2))


@keras.saving.register_keras_serializable(package="skimb")
class Jitter(layers.Layer):
    """Gaussian noise while training, in which equal rows get equal noise.

    So a row of weight 2 is the same as the row twice, which noise of each row's own would spoil.
    For every batch a number of noise vectors is drawn, and which of them a row gets follows from
    its values, by a random direction that scatters even close rows.

    Parameters
    ----------
    smallest, largest : float
        Bounds between which the standard deviation of each noise vector is drawn, log-uniform.
    seed : int or None, default=None
    **kwargs
        As in :class:`keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import Jitter
    >>> rows = np.array([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0]])
    >>> moved = np.asarray(Jitter(0.1, 3.0, seed=0, dtype="float64")(rows, training=True))
    >>> (moved != rows).all(), (moved[0] == moved[2]).all()
    (np.True_, np.True_)
    """

    def __init__(
        self, smallest: float, largest: float, *, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.smallest, self.largest = smallest, largest
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        if not training:
            return inputs
        n_features = inputs.shape[-1]
        options = {"dtype": inputs.dtype, "seed": self.seed_generator}
        direction = keras.random.normal((n_features,), stddev=_SCATTERING, **options)
        place = ops.sum(inputs * direction, axis=-1)
        vector = ops.cast((place - ops.floor(place)) * _NOISE_VECTORS, "int32")
        bounds = np.log(self.smallest), np.log(self.largest)
        deviation = ops.exp(keras.random.uniform((_NOISE_VECTORS, 1), *bounds, **options))
        noise = deviation * keras.random.normal((_NOISE_VECTORS, n_features), **options)
        return inputs + ops.take(noise, ops.clip(vector, 0, _NOISE_VECTORS - 1), axis=0)

    def compute_output_shape(self, input_shape: Sequence[int]) -> Sequence[int]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"smallest": self.smallest, "largest": self.largest, "seed": self.seed}
        return {**super().get_config(), **own}


def standardized(x: Tensor, normalize: bool) -> Any:
    """Return the input standardised with stored statistics, or as it is."""
    if not normalize:
        return x
    # Batch normalisation that is frozen is standardisation with a stored mean and variance, and a
    # network of Keras's own layers loads anywhere. Keras's Normalization bakes its numbers into a
    # compiled program, so that every fold of a search would compile anew.
    return layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, name=STANDARDIZE, dtype=x.dtype
    )(x)


def logits(x: Tensor, n_outputs: int, l2: float, normalized: bool, dtype: str) -> Any:
    """Return the last layer, of logits or of cosines, in float32 where the policy is mixed."""
    dtype = "float32" if dtype.startswith("mixed_") else dtype
    if normalized:  # no penalty, since the length of the vectors is of no effect
        return Cosines(n_outputs, dtype=dtype, name="logits")(x)
    return layers.Dense(n_outputs, kernel_regularizer=penalty(l2), dtype=dtype, name="logits")(x)


def activations(sizes: Sequence[int], activation: Activation, normalized_output: bool) -> list[Any]:
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
