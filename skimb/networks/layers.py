"""Layers and checks shared by the built-in networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skimb._types import Activation, Tensor

STANDARDIZE = "standardize"

# number of noise vectors per batch, large enough that samples of a batch of 200 seldom share one
_NOISE_VECTORS = 128
# samples that differ by a thousandth of a standard deviation get independent noise
_SCATTERING = 1000.0


@keras.saving.register_keras_serializable(package="skimb")
class Cosines(layers.Layer):
    """Output layer of cosine similarities between its input and one vector for each class.

    Parameters
    ----------
    units : int
        Number of classes.
    kernel_initializer : str or keras.initializers.Initializer, default="glorot_uniform"
    **kwargs
        Passed to :class:`keras.layers.Layer`.

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
    # not keras.ops.normalize, whose gradient is NaN for a vector of zeros
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(square, keras.config.epsilon() ** 2))


@keras.saving.register_keras_serializable(package="skimb")
class Jitter(layers.Layer):
    """Gaussian noise during training, equal for equal samples.

    So a sample of weight 2 is equivalent to the same sample twice, which independent noise would
    prevent. For every batch a number of noise vectors is sampled. The values of a sample determine
    which of them it gets, by a projection on a random direction that separates even close samples.

    Parameters
    ----------
    smallest, largest : float
        Bounds between which the standard deviation of each noise vector is sampled log-uniformly.
    seed : int or None, default=None
    **kwargs
        Passed to :class:`keras.layers.Layer`.

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
    """Return the input, standardised with stored statistics if `normalize`."""
    if not normalize:
        return x
    # Frozen batch normalisation standardises with a stored mean and variance, and a network of
    # built-in Keras layers can be loaded without skimb. Keras's Normalization makes its statistics
    # constants of a compiled program, so that every fold of a search would compile again.
    return layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, name=STANDARDIZE, dtype=x.dtype
    )(x)


def logits(x: Tensor, n_outputs: int, l2: float, normalized: bool, dtype: str) -> Any:
    """Return the output of the last layer, logits or cosines, in float32 for mixed policies."""
    dtype = "float32" if dtype.startswith("mixed_") else dtype
    if normalized:  # no penalty, since the length of the vectors has no effect
        return Cosines(n_outputs, dtype=dtype, name="logits")(x)
    return layers.Dense(n_outputs, kernel_regularizer=penalty(l2), dtype=dtype, name="logits")(x)


def activations(sizes: Sequence[int], activation: Activation, normalized_output: bool) -> list[Any]:
    """Return the activation of each hidden layer, None for the last one before cosines."""
    functions = [activation] * len(sizes)
    if normalized_output and functions:
        functions[-1] = None
    return functions


def penalty(l2: float) -> Any:
    """Return the L2 regulariser of a layer, or None if `l2` is 0."""
    return keras.regularizers.L2(l2) if l2 else None


def variable_dtype(dtype: str) -> str:
    """Return the dtype of the variables under a dtype policy."""
    return keras.dtype_policies.get(dtype).variable_dtype


def checked_sizes(hidden_layer_sizes: Sequence[int], dropout: float, l2: float) -> list[int]:
    """Validate the parameters shared by all networks and return the sizes as integers."""
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes))
    if sizes.size and (sizes.ndim > 1 or sizes.dtype.kind not in "iu" or sizes.min() < 1):
        raise ValueError(
            f"model__hidden_layer_sizes={hidden_layer_sizes!r} must be a sequence of integers of "
            "at least 1, such as (64, 32)."
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"model__dropout={dropout!r} must be in [0, 1).")
    if not (np.isfinite(l2) and l2 >= 0):
        raise ValueError(f"model__l2={l2!r} must be a finite number of at least 0.")
    return [int(size) for size in sizes]
