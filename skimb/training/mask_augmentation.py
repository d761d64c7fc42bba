"""Augmentation of images together with their masks and the weights of their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from skimb._types import Tensor
from skimb.training.augmentation import Augmentation

# what moves pixels, and labels along with them
_MOVING = (
    "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear",
    "RandomPerspective", "RandomElasticTransform", "RandomCrop",
)  # fmt: skip

# what leaves pixels where they are
_IN_PLACE = (
    "AutoContrast", "CLAHE", "Dropout", "Equalization", "GaussianDropout", "GaussianNoise",
    "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast",
    "RandomErasing", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert",
    "RandomPosterization", "RandomSaturation", "RandomSharpness", "Solarization",
    "SpatialDropout2D",
)  # fmt: skip


@dataclass(frozen=True)
class MaskAugmentation(Augmentation):
    """What is done to the images of a training batch, and to their masks likewise.

    Layers of Keras that move pixels get both. A function takes (images, masks), two tensors of
    shape (n, H, W[, C]) and (n, H, W, M), and returns both; the channels of the masks are labels,
    and weights if pixels have their own, to be moved together and without interpolation.
    Pixels that come from outside the image get the label -1, which has no weight.
    """

    def __post_init__(self) -> None:
        for layer in self._layers:
            _check_layer(layer)

    @property
    def _layers(self) -> list[Any]:
        return _flat(self.function) if isinstance(self.function, layers.Layer) else []

    @property
    def leaves_gaps(self) -> bool:
        """Whether pixels may come from outside the image, which have no label."""
        in_place = (*_IN_PLACE, "RandomFlip")
        return not self._layers or any(not _is_one_of(layer, in_place) for layer in self._layers)

    @property
    def _inside(self) -> float:
        """What marks the pixels of the image, a number that is not filled in outside of it."""
        filled_in = [getattr(layer, "fill_value", None) or 0.0 for layer in self._layers]
        apart = [n for n in (1.0, 2.0, 0.5) if all(abs(n - other) > 0.25 for other in filled_in)]
        return apart[0] if apart else 1.0

    def __call__(self, X: Tensor, y: Tensor, weight: Tensor) -> tuple[Any, Any, Any]:
        """Return the images of a batch, changed, with masks and weights that go with them.

        Raises
        ------
        ValueError
            If the function gives others than asked for.
        """
        X = ops.convert_to_tensor(X)
        labels = ops.cast(y, X.dtype)
        labels = labels if len(labels.shape) == 4 else ops.expand_dims(labels, -1)
        channels = [labels, ops.full_like(labels[..., :1], self._inside)]
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
        inside = ops.abs(moved[..., n_labels] - self._inside) < 0.2
        labels = ops.where(inside[..., None], ops.round(moved[..., :n_labels]), -1.0)
        labels = labels if len(y.shape) == 4 else labels[..., 0]
        if len(weight.shape) == 3:
            weight = ops.cast(moved[..., -1], weight.dtype)
        return ops.cast(changed, X.dtype), ops.cast(labels, y.dtype), weight

    def _both(self, X: Tensor, masks: Tensor) -> tuple[Any, Any]:
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


def _flat(layer: keras.layers.Layer) -> list[Any]:
    """Return the layers that an augmentation consists of."""
    if isinstance(layer, (keras.Sequential, layers.Pipeline)):
        return [found for inner in layer.layers for found in _flat(inner)]
    return [layer]


def _is_one_of(layer: keras.layers.Layer, names: tuple[str, ...]) -> bool:
    # by name, since not every version of Keras has them all
    return isinstance(layer, tuple(getattr(layers, n) for n in names if hasattr(layers, n)))


def _check_layer(layer: keras.layers.Layer) -> None:
    """Raise a ValueError if it is not known what a layer does to masks."""
    if not _is_one_of(layer, (*_MOVING, *_IN_PLACE)):
        raise ValueError(
            f"augmentation holds the layer {type(layer).__name__}, of which it is not known what "
            f"it does to masks. Accepted are the layers of Keras {', '.join(_MOVING[:-1])}, those "
            "of colour and noise, and a function from (images, masks) to both."
        )
    # it clips masks as if they were images
    if getattr(layer, "value_range", (0, 255))[1] < 255 and _is_one_of(layer, _MOVING):
        raise ValueError(
            f"augmentation holds {type(layer).__name__} with value_range={layer.value_range}, to "
            "which it clips masks too. Set value_range=(0, 255)."
        )


def _through(layer: keras.layers.Layer, images: Tensor, masks: Tensor) -> tuple[Any, Any]:
    """Return images and masks changed alike by a layer, or by several of them in turn."""
    for inner in _flat(layer):
        if _is_one_of(inner, _IN_PLACE):
            images = inner(images, training=True)
        else:
            both = inner({"images": images, "segmentation_masks": masks}, training=True)
            images, masks = both["images"], both["segmentation_masks"]
    return images, masks
