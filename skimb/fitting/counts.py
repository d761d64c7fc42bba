"""How much of each class there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skimb.data.samples import Samples
from skimb.data.targets import Target


@dataclass(frozen=True)
class ClassCounts:
    """How much of each class there is.

    Attributes
    ----------
    weighted : ndarray of shape (n_classes,) or (n_labels, 2), float64
        Summed sample weights.
    n_samples : int
        Number of samples, of masks of pixels, that were counted.
    positive : int
        Position of the class that scores of one class are about: the rarest, or the foreground.
    """

    weighted: np.ndarray
    n_samples: int
    positive: int


def count_classes(
    target: Target, samples: Samples, so_far: ClassCounts | None = None
) -> ClassCounts:
    """Count the classes, on top of those of earlier samples.

    Parameters
    ----------
    target : Target
    samples : Samples
        With codes for labels.
    so_far : ClassCounts or None, default=None
    """
    weighted = target.counts(samples.y, samples.weight)
    n_samples = target.n_counted(samples.y)
    if so_far is not None:
        weighted, n_samples = weighted + so_far.weighted, n_samples + so_far.n_samples
    return ClassCounts(weighted, n_samples, target.positive(weighted))
