"""Networks for images."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import keras
import numpy as np
from keras import layers

from skimb._types import Activation, Tensor
from skimb.networks.layers import (
    activations,
    checked_sizes,
    logits,
    penalty,
    standardized,
    variable_dtype,
)
from skimb.networks.normalization import SteadyNormalization
from skimb.networks.sizes import AddChannel, CropToSize, PadToMultiple

# a moving average over about ten batches, since image data sets have few batches
_MOMENTUM = 0.9

# the filters of the first convolution, and the most that any has
_FILTERS, _MOST_FILTERS = 16, 128

# also of the smallest images, where one convolution sees nothing but edges
_LEAST_LAYERS = 3


def cnn(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    hidden_layer_sizes: Sequence[int] | None = None,
    activation: Activation = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    batch_normalization: bool = True,
    few_per_batch: bool = False,
    normalize: bool = True,
    normalized_output: bool = False,
    dtype: str = "float32",
    input_dtype: str | None = None,
) -> keras.Model:
    """Return a convolutional network for images.

    Each hidden layer is a 3x3 convolution, batch normalisation and 2x2 max pooling, as long as the
    feature map is at least four pixels wide and high. The logits are computed from global average
    and global max pooling of the last feature maps. The maximum responds to a small defect, however
    large the image.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one image: (height, width) or (height, width, channels).
    n_outputs : int
        Number of logits.
    hidden_layer_sizes : sequence of int or None, default=None
        Number of filters of each convolution. None is 16, 32, 64 and 128, and 128 from there on, as
        many as leave at least three pixels of the shorter side and no fewer than three:
        (16, 32, 64) of 28 x 28.
    activation, dropout, l2, normalized_output, dtype, input_dtype
        As in :func:`mlp`.
    batch_normalization : bool, default=True
        Whether the outputs of each convolution are normalised over the batch.
    few_per_batch : bool, default=False
        Whether that is by :class:`SteadyNormalization`. The estimators set it for several batches
        of fewer than four images.
    normalize : bool, default=True
        Whether to standardise each channel inside the network.

    Returns
    -------
    keras.Model
        Uncompiled, from ``(n, *input_shape)`` to logits of shape (n, n_outputs).

    Examples
    --------
    >>> from skimb.networks import cnn
    >>> cnn((28, 28), 10).output_shape
    (None, 10)
    """
    of_image = len(input_shape) in (2, 3)
    if hidden_layer_sizes is None:
        hidden_layer_sizes = _filters_for(min(input_shape[:2])) if of_image else ()
    sizes = checked_sizes(hidden_layer_sizes, dropout, l2)
    if not of_image or not sizes:
        raise ValueError(
            "model='cnn' requires images of shape (height, width) or (height, width, channels) and "
            f"at least one hidden layer, got samples of shape {tuple(input_shape)} and "
            f"model__hidden_layer_sizes={tuple(sizes)}. For tabular data use model='mlp'."
        )
    inputs = keras.Input(tuple(input_shape), dtype=input_dtype or variable_dtype(dtype))
    x = inputs if len(input_shape) == 3 else layers.Reshape((*input_shape, 1))(inputs)
    x = standardized(x, normalize)
    functions = activations(sizes, activation, normalized_output)
    for filters, function in zip(sizes, functions, strict=True):
        x = layers.Conv2D(
            filters, 3, padding="same", use_bias=not batch_normalization,
            kernel_initializer="he_normal" if batch_normalization else "glorot_uniform",
            kernel_regularizer=penalty(l2), dtype=dtype,
        )(x)  # fmt: skip
        if batch_normalization:
            x = _normalization(few_per_batch, dtype)(x)
        x = layers.Activation(function, dtype=dtype)(x)
        if min(x.shape[1:3]) >= 4:
            x = layers.MaxPooling2D(dtype=dtype)(x)
        if dropout:
            x = layers.SpatialDropout2D(dropout, dtype=dtype)(x)
    mean = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    maximum = layers.GlobalMaxPooling2D(dtype=dtype)(x)
    x = layers.Concatenate(dtype=dtype)([mean, maximum])
    return keras.Model(inputs, logits(x, n_outputs, l2, normalized_output, dtype))


def _normalization(few_per_batch: bool, dtype: str) -> layers.Layer:
    """Return a layer that normalises over batches of few images, or of many."""
    if few_per_batch:
        return SteadyNormalization(dtype=dtype)
    return layers.BatchNormalization(momentum=_MOMENTUM, dtype=dtype)


def _filters_for(side: int) -> list[int]:
    """Return the filters of each convolution for images with this shorter side."""
    n_layers = max(_LEAST_LAYERS, int(np.log2(max(side, 1) / 3)))
    return [min(_FILTERS * 2**position, _MOST_FILTERS) for position in range(n_layers)]


def unet(
    input_shape: Sequence[int | None],
    n_outputs: int,
    *,
    depth: int = 3,
    width: int = 16,
    activation: Activation = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    few_per_batch: bool = False,
    normalize: bool = True,
    dtype: str = "float32",
    input_dtype: str | None = None,
) -> keras.Model:
    """Return a U-Net [1]_ with logits for every pixel of an image of any height and width.

    In the contracting path, each of `depth` levels halves the image and doubles the number of
    filters. In the expanding path, skip connections concatenate the feature maps of the same size.
    Each level has two 3x3 convolutions, each followed by batch normalisation. The network pads
    images to a multiple of ``2 ** depth`` and crops the logits to the original size.

    Parameters
    ----------
    input_shape : sequence of int or None
        (height, width) or (height, width, channels). Height and width are ignored: the network
        accepts images of any size.
    n_outputs : int
        Number of logits per pixel.
    depth : int >= 0, default=3
        Number of times the image is halved. The receptive field of a pixel is about
        ``10 * 2 ** depth`` pixels.
    width : int >= 1, default=16
        Number of filters of the first level.
    activation, l2, dtype, input_dtype
        As in :func:`mlp`.
    dropout : float in [0, 1), default=0.0
        Fraction of the feature maps dropped during training, at the end of each level of the
        contracting path.
    few_per_batch : bool, default=False
        As in :func:`cnn`.
    normalize : bool, default=True
        Whether to standardise each channel inside the network.

    Returns
    -------
    keras.Model
        Uncompiled, from (n, H, W[, C]) to logits of shape (n, H, W, n_outputs).

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
       Segmentation", MICCAI 2015. https://arxiv.org/abs/1505.04597

    Examples
    --------
    >>> from skimb.networks import unet
    >>> unet((64, 64), 1, depth=2, width=4).output_shape
    (None, None, None, 1)
    """
    checked_sizes((), dropout, l2)
    if len(input_shape) not in (2, 3):
        raise ValueError(
            "model='unet' requires images of shape (height, width) or (height, width, channels), "
            f"got samples of shape {tuple(input_shape)}."
        )
    for name, value, least in (("depth", depth, 0), ("width", width, 1)):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise ValueError(f"model__{name}={value!r} must be an integer of at least {least}.")

    def level(x: Tensor, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(
                filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal",
                kernel_regularizer=penalty(l2), dtype=dtype,
            )(x)  # fmt: skip
            x = _normalization(few_per_batch, dtype)(x)
            x = layers.Activation(activation, dtype=dtype)(x)
        return x

    sides = (None, None)
    inputs = keras.Input((*sides, *input_shape[2:]), dtype=input_dtype or variable_dtype(dtype))
    x = inputs if len(input_shape) == 3 else AddChannel(dtype=inputs.dtype)(inputs)
    whole = standardized(x, normalize)
    x = PadToMultiple(2**depth, dtype=inputs.dtype)(whole)
    maps = []
    for position in range(depth):
        x = level(x, width * 2**position)
        if dropout:
            x = layers.SpatialDropout2D(dropout, dtype=dtype)(x)
        maps.append(x)
        x = layers.MaxPooling2D(dtype=dtype)(x)
    x = level(x, width * 2**depth)
    for position in reversed(range(depth)):
        x = layers.Conv2DTranspose(
            width * 2**position, 2, strides=2, kernel_initializer="he_normal",
            kernel_regularizer=penalty(l2), dtype=dtype,
        )(x)  # fmt: skip
        x = layers.Concatenate(dtype=dtype)([maps[position], x])
        x = level(x, width * 2**position)
    x = logits(x, n_outputs, l2, False, dtype)
    return keras.Model(inputs, CropToSize(dtype=x.dtype)([x, whole]))
