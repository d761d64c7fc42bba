"""Networks for images."""

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


def cnn(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    hidden_layer_sizes: Sequence[int] = (32, 64),
    activation: Any = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    normalize: bool = True,
    normalized_output: bool = False,
    dtype: str = "float32",
    input_dtype: str | None = None,
) -> keras.Model:
    """Return a convolutional network for images.

    Each hidden layer is a 3x3 convolution followed by a 2x2 maximum, as long as the image is at
    least four pixels wide and high. The last maps enter the logits by their mean and by their
    maximum: a small defect shows in the maximum, however large the image.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one image: (height, width) or (height, width, channels).
    n_outputs : int
        Number of logits.
    hidden_layer_sizes : sequence of int, default=(32, 64)
        Filters of each convolution.
    activation, dropout, l2, normalized_output, dtype, input_dtype
        As in :func:`mlp`.
    normalize : bool, default=True
        Whether to standardise each channel inside the network.

    Returns
    -------
    keras.Model
        Uncompiled, from (n, *input_shape) to logits of shape (n, n_outputs).

    Examples
    --------
    >>> from skimb.networks import cnn
    >>> cnn((28, 28), 10).output_shape
    (None, 10)
    """
    sizes = checked_sizes(hidden_layer_sizes, dropout, l2)
    if len(input_shape) not in (2, 3) or not sizes:
        raise ValueError(
            "model='cnn' takes images of shape (height, width) or (height, width, channels) and at "
            f"least one hidden layer, got rows of shape {tuple(input_shape)} and "
            f"model__hidden_layer_sizes={tuple(sizes)}. For a table use model='mlp'."
        )
    inputs = keras.Input(tuple(input_shape), dtype=input_dtype or variable_dtype(dtype))
    x = inputs if len(input_shape) == 3 else layers.Reshape((*input_shape, 1))(inputs)
    x = standardized(x, normalize)
    functions = activations(sizes, activation, normalized_output)
    for filters, function in zip(sizes, functions, strict=True):
        x = layers.Conv2D(
            filters, 3, padding="same", activation=function, kernel_regularizer=penalty(l2),
            dtype=dtype,
        )(x)  # fmt: skip
        if min(x.shape[1:3]) >= 4:
            x = layers.MaxPooling2D(dtype=dtype)(x)
        if dropout:
            x = layers.SpatialDropout2D(dropout, dtype=dtype)(x)
    mean = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    maximum = layers.GlobalMaxPooling2D(dtype=dtype)(x)
    x = layers.Concatenate(dtype=dtype)([mean, maximum])
    return keras.Model(inputs, logits(x, n_outputs, l2, normalized_output, dtype))
