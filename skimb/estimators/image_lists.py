"""Lists of images of different sizes: padded to train on, and one by one to predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import keras
import numpy as np

from skimb._types import Estimator, Features


def differ_in_size(X: Features) -> bool:
    """Whether X is a list of images of different height or width."""
    if not isinstance(X, (list, tuple)) or len(X) < 2:
        return False
    shapes = [tuple(getattr(image, "shape", ())) for image in X]
    return all(len(shape) in (2, 3) for shape in shapes) and len({s[:2] for s in shapes}) > 1


def padded(
    X: Sequence[Any], y: Sequence[Any], sample_weight: Sequence[Any] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images, masks and weights as arrays of the largest size; what is added has no weight.

    Parameters
    ----------
    X : sequence of array-like of shape (height, width[, channels])
    y : sequence of array-like of shape (height, width)
    sample_weight : array-like of shape (n_images,), sequence of those of shape (height, width), or
            None

    Raises
    ------
    ValueError
        If images and masks do not go together.
    """
    images, masks = [_array(image) for image in X], [_array(mask) for mask in y]
    if len(images) != len(masks):
        raise ValueError(
            f"X is a list of {len(images)} images, but y has {len(masks)} masks. There has to be a "
            "mask for each image."
        )
    for index, (image, mask) in enumerate(zip(images, masks, strict=True)):
        if image.ndim != images[0].ndim or image.shape[2:] != images[0].shape[2:]:
            raise ValueError(
                f"X is a list of images of different channels: the first is of shape "
                f"{images[0].shape}, number {index} of shape {image.shape}. Give all of them the "
                "same number of channels."
            )
        if mask.shape != image.shape[:2]:
            raise ValueError(
                f"X[{index}] is an image of shape {image.shape}, but y[{index}] a mask of shape "
                f"{mask.shape}. There has to be a label for each pixel."
            )
    weights = [np.ones(mask.shape) for mask in masks]
    if sample_weight is not None:
        if len(sample_weight) != len(masks):
            raise ValueError(
                f"sample_weight has {len(sample_weight)} entries for {len(masks)} images. Pass a "
                "weight, or an array of the weights of all pixels, for each image."
            )
        pairs = zip(masks, sample_weight, strict=True)
        weights = [np.broadcast_to(np.asarray(w, float), mask.shape) for mask, w in pairs]
    height, width = (max(mask.shape[axis] for mask in masks) for axis in (0, 1))

    return (
        _stacked(images, (height, width), mode="edge"),
        _stacked(masks, (height, width), mode="edge"),
        _stacked(weights, (height, width)),
    )


def padded_logits(logits: Sequence[np.ndarray]) -> np.ndarray:
    """Return the logits of single images as those of images of the largest size."""
    sizes = np.array([part.shape[1:3] for part in logits])
    return _stacked([part[0] for part in logits], sizes.max(axis=0))


def _stacked(arrays: Sequence[np.ndarray], size: Sequence[int], **how: Any) -> np.ndarray:
    def pad(array: np.ndarray) -> np.ndarray:
        more = [(0, size[axis] - array.shape[axis]) for axis in (0, 1)]
        return np.pad(array, [*more, *[(0, 0)] * (array.ndim - 2)], **how)

    return np.stack([pad(array) for array in arrays])


def as_batch(image: Any) -> np.ndarray:
    """Return an image as a batch of one."""
    return _array(image)[np.newaxis]


def _array(image: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(image) if keras.ops.is_tensor(image) else np.asarray(image)


def image_by_image(method: Callable[..., np.ndarray]) -> Callable[..., Any]:
    """Return a method that predicts for lists of images of different sizes one by one."""

    @wraps(method)
    def predict(self: Estimator, X: Features) -> Any:
        if differ_in_size(X):
            return [method(self, as_batch(image))[0] for image in X]
        return method(self, X)

    return predict
