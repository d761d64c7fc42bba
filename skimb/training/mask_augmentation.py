"""Augmentation of images together with their masks and the weights of their pixels."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from skimb.training.augmentation import Augmentation

# a value that nobody fills in at the edge of a moved image
_INSIDE = -7.0

# layers that leave pixels where they are
_IN_PLACE = (layers.GaussianNoise, layers.GaussianDropout, layers.Dropout, layers.SpatialDropout2D)


class MaskAugmentation(Augmentation):
    """What is done to the images of a training batch, and to their masks likewise.

    Layers of Keras that know masks get both. A function takes (images, masks), two tensors of shape
    (n, H, W[, C]) and (n, H, W, M), and returns both; the channels of the masks are labels, and
    weights if pixels have their own, which are to be moved together and without interpolation.
    Pixels that come from outside the image get the label -1, which has no weight.
    """

    def __call__(self, X: Any, y: Any, weight: Any) -> tuple[Any, Any, Any]:
        """Return the images of a batch, changed, with masks and weights that go with them.

        Raises
        ------
        ValueError
            If the function gives others than asked for.
        """
        X = ops.convert_to_tensor(X)
        labels = ops.cast(y, X.dtype)
        labels = labels if len(labels.shape) == 4 else ops.expand_dims(labels, -1)
        channels = [labels, ops.full_like(labels[..., :1], _INSIDE)]
        if len(weight.shape) == 3:
            channels.append(ops.expand_dims(ops.cast(weight, X.dtype), -1))
        masks = ops.concatenate(channels, axis=-1)
        changed, moved = self._both(X, masks)
        for name, before, after in (("images", X, changed), ("masks", masks, moved)):
            shape = tuple(getattr(after, "shape", ()))
            if shape != tuple(before.shape):
                raise ValueError(
                    f"augmentation={self.function!r} makes {name} of shape {shape} of {name} of "
                    f"shape {tuple(before.shape)}. It has to keep the shape."
                )
        n_labels = labels.shape[-1]
        inside = ops.abs(moved[..., n_labels] - _INSIDE) < 0.5
        labels = ops.where(inside[..., None], ops.round(moved[..., :n_labels]), -1.0)
        labels = labels if len(y.shape) == 4 else labels[..., 0]
        if len(weight.shape) == 3:
            weight = ops.cast(moved[..., -1], weight.dtype)
        return ops.cast(changed, X.dtype), ops.cast(labels, y.dtype), weight

    def _both(self, X: Any, masks: Any) -> tuple[Any, Any]:
        if not isinstance(self.function, layers.Layer):
            both = self.function(X, masks)
            if not (isinstance(both, tuple) and len(both) == 2):
                raise ValueError(
                    f"augmentation={self.function!r} has to return a pair, (images, masks), got "
                    f"{type(both).__name__}."
                )
            return both
        images = X if len(X.shape) == 4 else ops.expand_dims(X, -1)
        images, masks = _through(self.function, images, masks)
        return images if len(X.shape) == 4 else ops.squeeze(images, -1), masks


def _through(layer: Any, images: Any, masks: Any) -> tuple[Any, Any]:
    """Return images and masks changed alike by a layer, or by several of them in turn."""
    if isinstance(layer, (keras.Sequential, layers.Pipeline)):
        for inner in layer.layers:
            images, masks = _through(inner, images, masks)
        return images, masks
    if isinstance(layer, _IN_PLACE):
        return layer(images, training=True), masks
    if not hasattr(layer, "transform_segmentation_masks"):
        raise ValueError(
            f"augmentation holds {layer!r}, of which it is not known what it does to masks. "
            "Accepted are the image layers of Keras such as keras.layers.RandomFlip, and a "
            "function from (images, masks) to both."
        )
    both = layer({"images": images, "segmentation_masks": masks}, training=True)
    return both["images"], both["segmentation_masks"]
