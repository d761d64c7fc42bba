"""Networks for tabular data."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from skimb._types import Activation, Tensor
from skimb.networks.layers import (
    Jitter,
    activations,
    checked_sizes,
    logits,
    penalty,
    standardized,
    variable_dtype,
)


def mlp(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    hidden_layer_sizes: Sequence[int] = (64, 32),
    activation: Activation = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    normalize: bool = True,
    normalized_output: bool = False,
    dtype: str = "float32",
    input_dtype: str | None = None,
) -> keras.Model:
    """Return a multilayer perceptron.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one sample. Several axes are flattened.
    n_outputs : int
        Number of logits.
    hidden_layer_sizes : sequence of int, default=(64, 32)
        Number of units of each hidden layer; empty for a linear model.
    activation : str or callable, default="relu"
        Activation of the hidden layers.
    dropout : float in [0, 1), default=0.0
        Fraction of the units dropped after each hidden layer during training.
    l2 : float >= 0, default=0.0
        L2 penalty on the weights of every dense layer.
    normalize : bool, default=True
        Whether to standardise the features inside the network. Mean and variance are initialised
        to 0 and 1 and set by the estimators.
    normalized_output : bool, default=False
        Whether the output layer is :class:`Cosines` instead of a dense layer. The last hidden layer
        then has no activation, because non-negative features all lie in one orthant, where cosine
        similarities discriminate poorly. The estimators set it for losses that require cosines,
        such as ``"ldam"``.
    dtype : str, default="float32"
        Keras dtype policy of the layers. The logits of a mixed policy are float32.
    input_dtype : str or None, default=None
        Dtype of the input, `dtype` if None. Standardisation is computed in this dtype, so float64
        input keeps features with a large offset exact in a float32 network.

    Returns
    -------
    keras.Model
        Uncompiled, from ``(n, *input_shape)`` to logits of shape (n, n_outputs).

    Examples
    --------
    >>> from skimb.networks import mlp
    >>> mlp((20,), 1, hidden_layer_sizes=(16,)).output_shape
    (None, 1)
    """
    sizes = checked_sizes(hidden_layer_sizes, dropout, l2)
    inputs = keras.Input(tuple(input_shape), dtype=input_dtype or variable_dtype(dtype))
    # an image of shape (H, W) is one channel, which is standardised as a whole
    x = layers.Reshape((*input_shape, 1))(inputs) if len(input_shape) == 2 else inputs
    x = standardized(x, normalize)
    if len(input_shape) > 1:
        x = layers.Flatten(dtype=inputs.dtype)(x)
    functions = activations(sizes, activation, normalized_output)
    for units, function in zip(sizes, functions, strict=True):
        x = layers.Dense(units, function, kernel_regularizer=penalty(l2), dtype=dtype)(x)
        if dropout:
            x = layers.Dropout(dropout, dtype=dtype)(x)
    return keras.Model(inputs, logits(x, n_outputs, l2, normalized_output, dtype))


def autoencoder(
    input_shape: Sequence[int],
    *,
    hidden_layer_sizes: Sequence[int] = (128, 128),
    activation: Activation = "relu",
    noise: float | Sequence[float] = (0.1, 3.0),
    dropout: float = 0.0,
    l2: float = 0.0,
    dtype: str = "float32",
    input_dtype: str | None = None,
) -> keras.Model:
    """Return a denoising autoencoder, which reconstructs samples from noisy inputs.

    It needs no bottleneck, because the noise [1]_ prevents it from learning the identity. With
    strong noise it learns to map distant inputs back to the data. With weak noise it learns the
    local structure of the data.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one sample. Several axes are flattened, and restored in the output.
    hidden_layer_sizes : sequence of int, default=(128, 128)
        Number of units of each hidden layer, encoder and decoder together.
    activation : str or callable, default="relu"
        Activation of the hidden layers.
    noise : float or (float, float), default=(0.1, 3.0)
        Standard deviation of the noise, or bounds between which it is sampled, see
        :class:`Jitter`. 0 disables noise.
    dropout, l2, dtype, input_dtype
        As in :func:`mlp`.

    Returns
    -------
    keras.Model
        Uncompiled, from ``(n, *input_shape)`` to the same shape. It does not standardise, because
        its input and output are compared; the estimators standardise instead.

    References
    ----------
    .. [1] P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio, P.-A. Manzagol, "Stacked Denoising
       Autoencoders", JMLR 11, 2010.

    Examples
    --------
    >>> from skimb.networks import autoencoder
    >>> autoencoder((20,), hidden_layer_sizes=(64, 8, 64)).output_shape
    (None, 20)
    """
    sizes = checked_sizes(hidden_layer_sizes, dropout, l2)
    bounds = _checked_noise(noise)
    inputs = keras.Input(tuple(input_shape), dtype=input_dtype or variable_dtype(dtype))
    x = inputs if len(input_shape) == 1 else layers.Flatten(dtype=inputs.dtype)(inputs)
    if bounds[1]:
        x = Jitter(*bounds, dtype=inputs.dtype)(x)
    for units in sizes:
        x = layers.Dense(units, activation, kernel_regularizer=penalty(l2), dtype=dtype)(x)
        if dropout:
            x = layers.Dropout(dropout, dtype=dtype)(x)
    dtype = "float32" if dtype.startswith("mixed_") else dtype
    n_features = int(np.prod(input_shape))
    x = layers.Dense(n_features, kernel_regularizer=penalty(l2), dtype=dtype, name="rows")(x)
    if len(input_shape) > 1:
        x = layers.Reshape(tuple(input_shape), dtype=dtype)(x)
    return keras.Model(inputs, x)


def _checked_noise(noise: Tensor) -> tuple[float, float]:
    bounds = np.atleast_1d(np.asarray(noise))
    accepted = bounds.shape in ((1,), (2,)) and bounds.dtype.kind in "fiu"
    if accepted:
        smallest, largest = float(bounds[0]), float(bounds[-1])
        if np.isfinite(largest) and (0 < smallest <= largest or smallest == largest == 0):
            return smallest, largest
    raise ValueError(
        f"model__noise={noise!r} is not accepted. It must be a standard deviation, 0 for no noise, "
        "or two bounds above 0 such as (0.1, 3.0), the smaller one first."
    )
