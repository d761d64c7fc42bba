"""Networks for tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from skimb.networks.layers import (
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
    activation: Any = "relu",
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
        Shape of one row. More than one axis is flattened.
    n_outputs : int
        Number of logits.
    hidden_layer_sizes : sequence of int, default=(64, 32)
        Units of each hidden layer; empty for a linear model.
    activation : str or callable, default="relu"
        Activation of the hidden layers.
    dropout : float in [0, 1), default=0.0
        Share of the units dropped after each hidden layer while training.
    l2 : float >= 0, default=0.0
        Penalty on the squared weights of every dense layer.
    normalize : bool, default=True
        Whether to standardise the features inside the network, with a mean and a variance that
        start at 0 and 1 and are set by the estimators.
    normalized_output : bool, default=False
        Whether the network ends in :class:`Cosines` instead of a dense layer. The last hidden layer
        has no activation then, since features of one sign all lie in one corner and their cosines
        tell little. The estimators set it for losses made for cosines, such as ``"ldam"``.
    dtype : str, default="float32"
        Keras dtype policy of the layers. The logits of a mixed policy are float32.
    input_dtype : str or None, default=None
        Dtype of the input, `dtype` if None. Standardisation is computed in it, so float64 input
        keeps features with a large offset exact in a float32 network.

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
    # an image without channels has one, which is standardised as a whole
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
