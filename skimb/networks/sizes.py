"""Layers that let a network accept images of any height and width."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from skimb._types import Tensor


@keras.saving.register_keras_serializable(package="skimb")
class AddChannel(layers.Layer):
    """Layer that adds a channel axis to images of shape (n, H, W), of any height and width.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import AddChannel
    >>> tuple(AddChannel()(np.ones((2, 5, 8), "float32")).shape)
    (2, 5, 8, 1)
    """

    def call(self, inputs: Tensor) -> Any:
        return ops.expand_dims(inputs, -1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape with an additional axis of size 1."""
        return (*input_shape, 1)


@keras.saving.register_keras_serializable(package="skimb")
class PadToMultiple(layers.Layer):
    """Layer that pads images at the bottom and on the right by repeating the edge pixels.

    Parameters
    ----------
    multiple : int
        Height and width are padded to a multiple of this.
    **kwargs
        Passed to :class:`keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import PadToMultiple
    >>> tuple(PadToMultiple(4)(np.ones((1, 5, 8, 3), "float32")).shape)
    (1, 8, 8, 3)
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, inputs: Tensor) -> Any:
        x = inputs
        for axis, size in enumerate(ops.shape(inputs)[1:3], start=1):
            missing = -size % self.multiple
            if isinstance(missing, int) and not missing:
                continue
            # by index, since ops.pad rejects padding larger than the image, which may be one pixel
            x = ops.take(x, ops.minimum(ops.arange(size + missing), size - 1), axis=axis)
        return x

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape with height and width rounded up."""
        sides = (None if n is None else n + -n % self.multiple for n in input_shape[1:3])
        return (input_shape[0], *sides, *input_shape[3:])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="skimb")
class CropToSize(layers.Layer):
    """Layer that crops images to the size of reference images, at the bottom and on the right.

    Called on a pair of tensors, the images and the reference images.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import CropToSize
    >>> tuple(CropToSize()([np.ones((1, 8, 8, 2), "float32"), np.ones((1, 5, 8, 3))]).shape)
    (1, 5, 8, 2)
    """

    def call(self, inputs: Tensor) -> Any:
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        return x[:, :height, :width]

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape of the images with height and width of the reference images."""
        x, like = input_shape
        return (x[0], *like[1:3], *x[3:])
