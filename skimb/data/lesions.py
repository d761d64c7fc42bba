"""Lesions of a mask: its connected components, and which of them another mask finds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Return the number of the component of each pixel, 0 outside, and the components' sizes.

    Pixels that touch at a corner are connected.

    Parameters
    ----------
    mask : ndarray of bool of shape (height, width) or (depth, height, width)
    """
    numbers, n_components = ndimage.label(mask, np.ones((3,) * mask.ndim))
    return numbers, np.bincount(numbers.ravel(), minlength=n_components + 1)[1:]


def lesion_counts(
    true: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    min_size: int = 1,
    min_overlap: float = 0.0,
) -> tuple[int, int, int]:
    """Return the numbers of lesions that are found, that are missed, and of false alarms.

    Parameters
    ----------
    true, predicted : ndarray of bool of shape (height, width) or (depth, height, width)
        Without ignored pixels.
    min_size : int, default=1
        Lesions and false alarms of fewer pixels are left out.
    min_overlap : float in [0, 1], default=0.0
        Share of the pixels of a lesion that has to be predicted. 0.0 is any pixel.
    """
    lesions, sizes = components(true)
    hit = np.bincount(lesions[predicted], minlength=len(sizes) + 1)[1:]
    found = (hit > 0) & (hit / sizes >= min_overlap)
    large = sizes >= min_size
    numbers, sizes = components(predicted)
    touched = np.bincount(numbers[true], minlength=len(sizes) + 1)[1:] > 0
    false_alarms = ~touched & (sizes >= min_size)
    return int(np.sum(large & found)), int(np.sum(large & ~found)), int(np.sum(false_alarms))
