"""Dice score of segmentation masks."""

from __future__ import annotations

import numpy as np

from skimb._types import Labels, Tensor
from skimb.metrics.mask_pairs import foreground_labels, weight_of_every_pixel


def mean_dice(
    y_true: Tensor, y_pred: Tensor, *, labels: Labels = None, sample_weight: Tensor = None
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
        If the shapes do not match, or a weight is negative or NaN.

    See Also
    --------
    skimb.metrics.MeanDice : Keras metric, the mean over the coefficients of single images.
    lesion_f1 : F1 of connected components in the place of pixels.
    surface_dice : Share of the surfaces that agree within a tolerance.

    Examples
    --------
    >>> from skimb.metrics import mean_dice
    >>> mean_dice([[[0, 1], [1, 1]]], [[[0, 1], [1, 0]]])
    0.8
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    weight = weight_of_every_pixel(y_true, y_pred, sample_weight)
    found = []
    for label in foreground_labels(y_true, y_pred, labels):
        true, predicted = y_true == label, y_pred == label
        both, either = (np.sum(weight * part) for part in (true & predicted, true ^ predicted))
        if both or either:
            found.append(2 * both / (2 * both + either))
    return float(np.mean(found)) if found else 0.0
