"""Dice score of segmentation masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from skimb._types import Tensor


def mean_dice(
    y_true: Tensor, y_pred: Tensor, *, labels: Any = None, sample_weight: Tensor = None
) -> float:
    r"""Dice coefficient of each class over all pixels, averaged over the foreground classes.

    .. math:: \frac{2 \, TP}{2 \, TP + FP + FN}

    It is the F1 score of the pixels of a class. The counts are summed over all images. An image
    without the class adds only its false positives, so that predicting nothing is not rewarded. A
    class that is neither present nor predicted anywhere is ignored.

    Parameters
    ----------
    y_true, y_pred : array-like of the same shape, usually (n_images, height, width)
        Labels of pixels.
    labels : array-like or None, default=None
        Foreground classes. None is all labels that occur except 0 or False, and for strings all
        except the first in sorted order.
    sample_weight : array-like of shape (n_images,) or of the shape of `y_true`, default=None

    Returns
    -------
    float
        Between 0 and 1; 0 if none of the classes is present or predicted.

    Raises
    ------
    ValueError
        If the shapes do not match.

    See Also
    --------
    skimb.metrics.MeanDice : Keras metric, the mean over the coefficients of single images.

    Examples
    --------
    >>> from skimb.metrics import mean_dice
    >>> mean_dice([[[0, 1], [1, 1]]], [[[0, 1], [1, 0]]])
    0.8
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true has the shape {y_true.shape} and y_pred {y_pred.shape}, but every pixel needs "
            "a label in both."
        )
    weight = np.ones(y_true.shape[:1]) if sample_weight is None else np.asarray(sample_weight)
    if weight.shape not in (y_true.shape[:1], y_true.shape):
        raise ValueError(
            f"sample_weight has the shape {weight.shape}. Accepted are a weight per image, "
            f"{y_true.shape[:1]}, or a weight per pixel, {y_true.shape}."
        )
    if weight.shape != y_true.shape:
        weight = weight.reshape(-1, *[1] * (y_true.ndim - 1))
    if labels is None:
        labels = np.union1d(y_true, y_pred)
        labels = labels[labels != 0] if labels.dtype.kind in "biuf" else labels[1:]
    found = []
    for label in np.asarray(labels):
        true, predicted = y_true == label, y_pred == label
        both, either = (np.sum(weight * part) for part in (true & predicted, true ^ predicted))
        if both or either:
            found.append(2 * both / (2 * both + either))
    return float(np.mean(found)) if found else 0.0
