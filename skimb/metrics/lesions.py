"""Scores of lesions, the connected components of masks, which count alike whatever their size."""

from __future__ import annotations

from numbers import Real
from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skimb._types import Labels, Tensor
from skimb.data.lesions import lesion_counts
from skimb.metrics.base import AT_LEAST_1
from skimb.metrics.mask_pairs import mask_pairs, mean_over_classes

_A_SHARE = [Interval(Real, 0, 1, closed="both")]


class _Counts(NamedTuple):
    """Summed weights of the lesions of a class: found, missed, and predicted where there is none.

    An image's lesions have the weight of the image.
    """

    found: float
    missed: float
    false_alarms: float


def lesion_recall(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    labels: Labels = None,
    min_size: int = 1,
    min_overlap: float = 0.0,
    sample_weight: Tensor = None,
) -> float:
    """Share of the lesions that are found, the sensitivity per lesion.

    A lesion is a connected component of the true pixels of a class; pixels that touch at a corner
    are connected. Lesions of all images count alike. Two lesions that one predicted component
    covers are both found.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_images, height, width) or (height, width)
        Labels of pixels. Volumes of shape (n_images, depth, height, width) are accepted too.
    labels : array-like or None, default=None
        Foreground classes, whose scores are averaged. None is all labels that occur except 0 or
        False, and for strings all except the first in sorted order.
    min_size : int, default=1
        Lesions of fewer pixels are left out.
    min_overlap : float in [0, 1], default=0.0
        Share of the pixels of a lesion that has to be predicted for it to be found. 0.0 is any
        pixel.
    sample_weight : array-like of shape (n_images,) or of the shape of `y_true`, default=None
        The lesions of an image have its weight, with weights of pixels the mean of those above 0.
        Pixels of weight 0 are ignored: they are neither true nor predicted foreground.

    Returns
    -------
    float
        Between 0 and 1. Classes without lesions are left out of the mean; NaN if there are no
        lesions at all.

    Raises
    ------
    ValueError
        If these are no masks, the shapes do not match, or a parameter is not accepted.

    See Also
    --------
    false_alarms_per_image : What is found in error.
    lesion_f1 : Both in one number.

    Examples
    --------
    >>> from skimb.metrics import lesion_recall
    >>> y_true = [[1, 0, 0, 1, 1], [0, 0, 0, 1, 1]]
    >>> y_pred = [[0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    >>> lesion_recall(y_true, y_pred)
    0.5
    >>> lesion_recall(y_true, y_pred, min_size=2), lesion_recall(y_true, y_pred, min_overlap=0.5)
    (1.0, 0.0)
    """
    counts, _ = _counted(
        "lesion_recall", y_true, y_pred, labels, min_size, sample_weight, min_overlap
    )
    return mean_over_classes([_ratio(c.found, c.found + c.missed) for c in counts])


def false_alarms_per_image(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    labels: Labels = None,
    min_size: int = 1,
    sample_weight: Tensor = None,
) -> float:
    """Number of predicted lesions that touch no true one, per image.

    A predicted lesion is a connected component of the predicted pixels of a class; pixels that
    touch at a corner are connected. It is a false alarm if none of its pixels is truly of the
    class.

    Parameters
    ----------
    y_true, y_pred, labels
        As for :func:`lesion_recall`.
    min_size : int, default=1
        Predicted lesions of fewer pixels are left out. True lesions of any size count.
    sample_weight : array-like of shape (n_images,) or of the shape of `y_true`, default=None
        Weights of the images in the mean, as for :func:`lesion_recall`.

    Returns
    -------
    float
        At least 0, the mean over the classes that occur. NaN if all images have the weight 0.

    Raises
    ------
    ValueError
        If these are no masks, the shapes do not match, or a parameter is not accepted.

    See Also
    --------
    lesion_recall : Share of the true lesions that are found.

    Examples
    --------
    >>> from skimb.metrics import false_alarms_per_image
    >>> y_true = [[[0, 0, 0, 1]], [[0, 0, 0, 0]]]
    >>> y_pred = [[[1, 0, 1, 1]], [[1, 0, 1, 0]]]
    >>> false_alarms_per_image(y_true, y_pred)
    1.5
    """
    counts, n_images = _counted(
        "false_alarms_per_image", y_true, y_pred, labels, min_size, sample_weight
    )
    if n_images and not counts:
        return 0.0
    return mean_over_classes([c.false_alarms / n_images for c in counts])


def lesion_f1(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    labels: Labels = None,
    min_size: int = 1,
    min_overlap: float = 0.0,
    sample_weight: Tensor = None,
) -> float:
    r"""F1 score of lesions, of which each counts alike.

    .. math:: \frac{2 \, TP}{2 \, TP + FN + FP}

    with the numbers of true lesions that are found and missed, see :func:`lesion_recall`, and of
    predicted lesions that touch no true one, see :func:`false_alarms_per_image`.

    Parameters
    ----------
    y_true, y_pred, labels
        As for :func:`lesion_recall`.
    min_size : int, default=1
        True lesions and false alarms of fewer pixels are left out.
    min_overlap, sample_weight
        As for :func:`lesion_recall`.

    Returns
    -------
    float
        Between 0 and 1. Classes with neither lesions nor false alarms are left out of the mean;
        NaN if there is no other.

    Raises
    ------
    ValueError
        If these are no masks, the shapes do not match, or a parameter is not accepted.

    See Also
    --------
    mean_dice : F1 score of pixels.

    Examples
    --------
    >>> from skimb.metrics import lesion_f1
    >>> lesion_f1([[1, 0, 0, 1, 0, 0]], [[1, 0, 0, 0, 0, 1]])
    0.5
    """
    counts, _ = _counted("lesion_f1", y_true, y_pred, labels, min_size, sample_weight, min_overlap)
    return mean_over_classes(
        [_ratio(2 * c.found, 2 * c.found + c.missed + c.false_alarms) for c in counts]
    )


def _counted(
    name: str,
    y_true: Tensor,
    y_pred: Tensor,
    labels: Labels,
    min_size: int,
    sample_weight: Tensor,
    min_overlap: float = 0.0,
) -> tuple[list[_Counts], float]:
    """Return the counts of each class that occurs, and the summed weight of the images."""
    validate_parameter_constraints(
        {"min_size": [AT_LEAST_1], "min_overlap": _A_SHARE},
        {"min_size": min_size, "min_overlap": min_overlap},
        name,
    )
    pairs = mask_pairs(y_true, y_pred, labels, sample_weight)
    counts = []
    for true, predicted in pairs.of_classes:
        of_images = [
            lesion_counts(*image, min_size, min_overlap)
            for image in zip(true, predicted, strict=True)
        ]
        counts.append(_Counts(*(pairs.weight @ np.array(of_images, dtype=np.float64)).tolist()))
    return counts, float(pairs.weight.sum())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
