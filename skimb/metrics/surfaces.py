"""Scores of the distances between the surfaces of true and predicted masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.utils._param_validation import validate_parameter_constraints

from skimb._types import Labels, Tensor
from skimb.metrics.base import NOT_NEGATIVE
from skimb.metrics.mask_pairs import MaskPairs, mask_pairs, mean_over_classes

# three pixels of 0.1 mm are no further apart than 0.3 mm, whatever the sum rounds to
_ROUNDING = 1e-9

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def surface_dice(
    y_true: Tensor,
    y_pred: Tensor,
    tolerance: float = 1.0,
    spacing: float | Sequence[float] = 1.0,
    *,
    labels: Labels = None,
    sample_weight: Tensor = None,
) -> float:
    r"""Share of the true and predicted surfaces that agree within a tolerance.

    .. math:: \frac{|\{s \in S : d(s, T) \le \tau\}| + |\{t \in T : d(t, S) \le \tau\}|}{|S| + |T|}

    with the pixels S and T of the true and the predicted surface of an image, and their Euclidean
    distances. Unlike the Dice coefficient it does not depend on the size of the object, and ignores
    deviations that annotators show among themselves. It is the normalised surface Dice, or surface
    Dice at tolerance [1]_.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_images, height, width) or (height, width)
        Labels of pixels. Volumes of shape (n_images, depth, height, width) are accepted too.
    tolerance : float >= 0, default=1.0
        Largest distance that counts as agreement, in the unit of `spacing`.
    spacing : float or sequence of float, default=1.0
        Distance of neighbouring pixels, in pixels by default: a number, or one for each axis of an
        image, such as (height, width).
    labels : array-like or None, default=None
        Foreground classes, whose scores are averaged. None is all labels that occur except 0 or
        False, and for strings all except the first in sorted order.
    sample_weight : array-like of shape (n_images,) or of the shape of `y_true`, default=None
        Weights of the images in the mean; with weights of pixels, an image has the mean of those
        above 0. Pixels of weight 0 are ignored: they are neither true nor predicted foreground.

    Returns
    -------
    float
        Between 0 and 1, the mean over the images and then over the classes. NaN if all images have
        the weight 0.

    Raises
    ------
    ValueError
        If these are no masks, the shapes do not match, or a parameter is not accepted.

    See Also
    --------
    hausdorff_distance_95 : The distance between the surfaces.
    mean_dice : The Dice coefficient of pixels.

    Notes
    -----
    The surface is made of the foreground pixels one of whose neighbours along an axis is not of the
    class. What is outside of the image is not, so that the edge of the image is part of the
    surface where foreground reaches it. Every pixel of it counts alike; [1]_ weights by area.

    An image in which the class is neither present nor predicted scores 1, and 0 where it is one of
    both. Where most images are empty, a mean near 1 says little: ``sample_weight=np.any(y_true,
    axis=(1, 2))`` is the mean over the images that show foreground, for which
    :func:`false_alarms_per_image` counts the errors in the others. Classes that are nowhere present
    or predicted are left out.

    References
    ----------
    .. [1] S. Nikolov et al., "Clinically Applicable Segmentation of Head and Neck Anatomy for
       Radiotherapy: Deep Learning Algorithm Development and Validation Study", Journal of Medical
       Internet Research 23(7), 2021. https://arxiv.org/abs/1809.04430

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.metrics import surface_dice
    >>> y_true, y_pred = np.zeros((2, 1, 12, 12), int)
    >>> y_true[:, 2:8, 2:8] = 1
    >>> y_pred[:, 3:9, 2:8] = 1  # one pixel further down
    >>> surface_dice(y_true, y_pred), surface_dice(y_true, y_pred, tolerance=0)
    (1.0, 0.5)
    """
    validate_parameter_constraints(
        {"tolerance": [NOT_NEGATIVE]}, {"tolerance": tolerance}, "surface_dice"
    )

    def agreement(there: Floats, back: Floats) -> float:
        distances = np.concatenate([there, back])
        return float(np.mean(distances <= tolerance * (1 + _ROUNDING)))

    pairs = mask_pairs(y_true, y_pred, labels, sample_weight)
    distances = _checked_spacing(spacing, pairs)
    return _mean(pairs, distances, agreement, both_empty=1.0, one_empty=np.zeros(len(pairs.weight)))


def hausdorff_distance_95(
    y_true: Tensor,
    y_pred: Tensor,
    spacing: float | Sequence[float] = 1.0,
    *,
    labels: Labels = None,
    sample_weight: Tensor = None,
) -> float:
    r"""Return the 95th percentile of the distances between true and predicted surfaces.

    .. math:: \max\left(P_{95}\{d(s, T) : s \in S\}, \; P_{95}\{d(t, S) : t \in T\}\right)

    with the pixels S and T of the true and the predicted surface of an image, and their Euclidean
    distances. The maximum in the place of the percentile, which one stray pixel decides, is the
    Hausdorff distance. Smaller is better.

    Parameters
    ----------
    y_true, y_pred, spacing, labels, sample_weight
        As for :func:`surface_dice`.

    Returns
    -------
    float
        In the unit of `spacing`, the mean over the images and then over the classes. NaN if all
        images have the weight 0.

    Raises
    ------
    ValueError
        If these are no masks, the shapes do not match, or a parameter is not accepted.

    See Also
    --------
    surface_dice : Share of the surfaces that agree, whose definition of a surface is this one.

    Notes
    -----
    Other definitions take the percentile of both sets of distances together, or the mean of both
    percentiles [1]_. Percentiles are interpolated linearly, as by :func:`numpy.percentile`.

    An image in which the class is neither present nor predicted has the distance 0. Where it is one
    of both, there is no distance; the diagonal of the image, which no distance exceeds, stands for
    it, so that missing a lesion is never better than finding it in a wrong place. The diagonal is
    that of the smallest box around all pixels that are not ignored. Classes that are nowhere
    present or predicted are left out.

    References
    ----------
    .. [1] L. Maier-Hein et al., "Metrics reloaded: recommendations for image analysis validation",
       Nature Methods 21, 2024. https://arxiv.org/abs/2206.01653

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.metrics import hausdorff_distance_95
    >>> y_true, y_pred = np.zeros((2, 1, 12, 12), int)
    >>> y_true[:, 2:8, 2:8] = 1
    >>> y_pred[:, 4:10, 2:8] = 1  # two pixels further down
    >>> hausdorff_distance_95(y_true, y_pred)
    2.0
    >>> hausdorff_distance_95(y_true, y_pred, spacing=(0.5, 1.0))  # pixels of half the height
    1.0
    """

    def percentile(there: Floats, back: Floats) -> float:
        return float(max(np.percentile(there, 95), np.percentile(back, 95)))

    pairs = mask_pairs(y_true, y_pred, labels, sample_weight)
    distances = _checked_spacing(spacing, pairs)
    diagonals = np.array([_diagonal(counted, distances) for counted in pairs.counted])
    return _mean(pairs, distances, percentile, both_empty=0.0, one_empty=diagonals)


def _mean(
    pairs: MaskPairs,
    spacing: Floats,
    score: Callable[[Floats, Floats], float],
    *,
    both_empty: float,
    one_empty: Floats,
) -> float:
    """Return the mean of a score of the surface distances over the images and classes."""
    if not len(pairs.weight):
        return float("nan")
    if not pairs.of_classes:
        return both_empty
    of_classes = []
    for masks in pairs.of_classes:
        scores = []
        for true, predicted, worst in zip(*masks, one_empty, strict=True):
            if true.any() and predicted.any():
                scores.append(score(*_surface_distances(true, predicted, spacing)))
            else:
                scores.append(worst if true.any() or predicted.any() else both_empty)
        of_classes.append(float(np.average(scores, weights=pairs.weight)))
    return mean_over_classes(of_classes)


def _surface_distances(true: Mask, predicted: Mask, spacing: Floats) -> tuple[Floats, Floats]:
    """Return the distances of the true surface from the predicted one, and the reverse."""
    box = _box(true | predicted)
    here, there = _surface(true[box]), _surface(predicted[box])
    to_here, to_there = (
        ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in (here, there)
    )
    return to_there[here], to_here[there]


def _surface(mask: Mask) -> Mask:
    return mask & ~ndimage.binary_erosion(mask)


def _box(mask: Mask) -> tuple[slice, ...]:
    """Return the smallest box around a mask that is not empty."""
    return ndimage.find_objects(mask.astype(np.int8))[0]


def _diagonal(counted: Mask, spacing: Floats) -> float:
    sides = [along.stop - along.start for along in _box(counted)]
    return float(np.linalg.norm(sides * spacing))


def _checked_spacing(spacing: float | Sequence[float], pairs: MaskPairs) -> Floats:
    """Return the distance of neighbouring pixels along each axis of an image."""
    n_axes = pairs.counted.ndim - 1
    found = np.asarray(spacing, dtype=np.float64)
    if found.shape not in ((), (n_axes,)) or not (np.isfinite(found) & (found > 0)).all():
        raise ValueError(
            f"spacing={spacing!r} is not a distance of neighbouring pixels. Accepted are a number "
            f"above 0, and {n_axes} of them, one for each axis of an image."
        )
    return np.broadcast_to(found, (n_axes,))
