"""True and predicted masks of each foreground class, for the scores of masks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skimb._types import Labels, Tensor


class MaskPairs(NamedTuple):
    """Masks to compare.

    Attributes
    ----------
    of_classes : list of pair of ndarray of bool of shape (n_images, ...)
        True and predicted pixels of each class that occurs in either, without ignored pixels.
    counted : ndarray of bool of shape (n_images, ...)
        The pixels that are not ignored.
    weight : ndarray of shape (n_images,)
        Weights of the images, all above 0.
    """

    of_classes: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]
    counted: NDArray[np.bool_]
    weight: NDArray[np.float64]


def mask_pairs(y_true: Tensor, y_pred: Tensor, labels: Labels, sample_weight: Tensor) -> MaskPairs:
    """Return the masks of each class, without ignored images and pixels.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_images, height, width) or (height, width)
    labels : array-like or None
        Foreground classes, as for :func:`skimb.metrics.mean_dice`.
    sample_weight : array-like of shape (n_images,) or of the shape of `y_true`, or None
        An image has the mean of the weights of its pixels that are not ignored.

    Returns
    -------
    MaskPairs

    Raises
    ------
    ValueError
        If these are no masks, or the shapes do not match.
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim < 2:
        raise ValueError(
            f"y_true has the shape {y_true.shape}, which is no mask. Accepted are masks of shape "
            "(n_images, height, width), and a single one of shape (height, width)."
        )
    if y_true.ndim == 2:
        y_true, y_pred = y_true[np.newaxis], y_pred[np.newaxis]
        if sample_weight is not None and np.ndim(sample_weight) == 2:
            sample_weight = np.asarray(sample_weight)[np.newaxis]
    weight = weight_of_every_pixel(y_true, y_pred, sample_weight)
    axes = tuple(range(1, y_true.ndim))
    kept = (weight > 0).any(axis=axes)
    y_true, y_pred, weight = y_true[kept], y_pred[kept], weight[kept]
    counted = weight > 0
    found = []
    for label in foreground_labels(y_true[counted], y_pred[counted], labels):
        true, predicted = (y_true == label) & counted, (y_pred == label) & counted
        if true.any() or predicted.any():
            found.append((true, predicted))
    return MaskPairs(found, counted, weight.sum(axis=axes) / counted.sum(axis=axes))


def weight_of_every_pixel(
    y_true: np.ndarray, y_pred: np.ndarray, sample_weight: Tensor
) -> NDArray[np.float64]:
    """Return weights of images or pixels as weights of pixels.

    Raises
    ------
    ValueError
        If the shapes do not match, or a weight is negative or NaN.
    """
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true has the shape {y_true.shape} and y_pred {y_pred.shape}, but every pixel needs "
            "a label in both."
        )
    n_images = y_true.shape[:1]
    weight = np.ones(n_images) if sample_weight is None else np.asarray(sample_weight, np.float64)
    if weight.shape not in (n_images, y_true.shape):
        raise ValueError(
            f"sample_weight has the shape {weight.shape}. Accepted are a weight per image, "
            f"{n_images}, or a weight per pixel, {y_true.shape}."
        )
    if not (weight >= 0).all():
        raise ValueError(
            f"sample_weight has {int(np.sum(~(weight >= 0)))} values that are negative or NaN. "
            "A weight is at least 0; images and pixels of weight 0 are ignored."
        )
    if weight.shape != y_true.shape:
        weight = weight.reshape(-1, *[1] * (y_true.ndim - 1))
    return np.broadcast_to(weight, y_true.shape)


def foreground_labels(y_true: np.ndarray, y_pred: np.ndarray, labels: Labels) -> np.ndarray:
    """Return the foreground classes: `labels`, or those that occur except the background."""
    if labels is not None:
        return np.asarray(labels)
    found = np.union1d(y_true, y_pred)
    return found[found != 0] if found.dtype.kind in "biuf" else found[1:]


def mean_over_classes(scores: list[float]) -> float:
    """Return the mean of the scores that are defined, NaN if there are none."""
    defined = [score for score in scores if not np.isnan(score)]
    return float(np.mean(defined)) if defined else float("nan")
