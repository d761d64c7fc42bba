"""Joint augmentation of images, masks and pixel weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from skimb._types import Tensor
from skimb.training.augmentation import Augmentation
from skimb.training.image_transformations import turned

# geometric transformations, which have to be applied to the masks as well
_MOVING = (
    "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear",
    "RandomPerspective", "RandomElasticTransform", "RandomCrop",
)  # fmt: skip

# photometric transformations and noise, which leave masks unchanged
_IN_PLACE = (
    "AutoContrast", "CLAHE", "Dropout", "Equalization", "GaussianDropout", "GaussianNoise",
    "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast",
    "RandomErasing", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert",
    "RandomPosterization", "RandomSaturation", "RandomSharpness", "Solarization",
    "SpatialDropout2D",
)  # fmt: skip


@dataclass(frozen=True)
class MaskAugmentation(Augmentation):
    """Random transformation of the images of a training batch and of their masks.

    Geometric Keras layers are applied to images and masks alike. A function takes (images, masks),
    two tensors of shape (n, H, W[, C]) and (n, H, W, M), and returns both. The channels of the
    masks are labels, followed by pixel weights if there are any. They have to be transformed
    together and without interpolation. Pixels filled in from outside the image get the label -1,
    which has no weight.
    """

    def __post_init__(self) -> None:
        for layer in self._layers:
            _check_layer(layer)

    @property
    def _layers(self) -> list[Any]:
        return _flat(self.function) if isinstance(self.function, layers.Layer) else []

    @property
    def leaves_gaps(self) -> bool:
        """Whether pixels without a label may be filled in from outside the image."""
        if self.function is turned:
            return False
        in_place = (*_IN_PLACE, "RandomFlip")
        return not self._layers or any(not _is_one_of(layer, in_place) for layer in self._layers)

    @property
    def _inside(self) -> float:
        """Marker of the pixels inside the image, distinct from every fill value."""
        filled_in = [getattr(layer, "fill_value", None) or 0.0 for layer in self._layers]
        apart = [n for n in (1.0, 2.0, 0.5) if all(abs(n - other) > 0.25 for other in filled_in)]
        return apart[0] if apart else 1.0

    def __call__(self, X: Tensor, y: Tensor, weight: Tensor) -> tuple[Any, Any, Any]:
        """Return the augmented images of a batch with the matching masks and weights.

        Raises
        ------
        ValueError
            If the function does not return images and masks of the same shapes.
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
                    f"augmentation={self.function!r} turned {name} of shape {tuple(before.shape)} "
                    f"into {name} of shape {shape}. It must keep the shape."
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
                    f"augmentation={self.function!r} must return a pair (images, masks), got "
                    f"{type(both).__name__}."
                )
            return both
        images = X if len(X.shape) == 4 else ops.expand_dims(X, -1)
        images, masks = _through(self.function, images, masks)
        return images if len(X.shape) == 4 else ops.squeeze(images, -1), masks


def _flat(layer: keras.layers.Layer) -> list[Any]:
    """Return the individual layers of an augmentation, with pipelines flattened."""
    if isinstance(layer, (keras.Sequential, layers.Pipeline)):
        return [found for inner in layer.layers for found in _flat(inner)]
    return [layer]


def _is_one_of(layer: keras.layers.Layer, names: tuple[str, ...]) -> bool:
    # by name, since some versions of Keras lack some of them
    return isinstance(layer, tuple(getattr(layers, n) for n in names if hasattr(layers, n)))


def _check_layer(layer: keras.layers.Layer) -> None:
    """Raise a ValueError if the effect of a layer on masks is not known."""
    if not _is_one_of(layer, (*_MOVING, *_IN_PLACE)):
        raise ValueError(
            f"augmentation contains the layer {type(layer).__name__}, whose effect on masks is not "
            f"known. Accepted are the Keras layers {', '.join(_MOVING[:-1])}, those for colour and "
            "noise, and a function that takes (images, masks) and returns both."
        )
    # such a layer clips masks to the value range as if they were images
    if getattr(layer, "value_range", (0, 255))[1] < 255 and _is_one_of(layer, _MOVING):
        raise ValueError(
            f"augmentation contains {type(layer).__name__} with value_range={layer.value_range}, "
            "to which it clips masks too. Set value_range=(0, 255)."
        )


def _through(layer: keras.layers.Layer, images: Tensor, masks: Tensor) -> tuple[Any, Any]:
    """Return images and masks after the same transformation by a layer or a pipeline."""
    for inner in _flat(layer):
        if _is_one_of(inner, _IN_PLACE):
            images = inner(images, training=True)
        else:
            both = inner({"images": images, "segmentation_masks": masks}, training=True)
            images, masks = both["images"], both["segmentation_masks"]
    return images, masks
