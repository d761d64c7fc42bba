"""How much of each class there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skimb._types import Label
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting.labelled import position_of_label


@dataclass(frozen=True)
class ClassCounts:
    """How much of each class there is.

    Attributes
    ----------
    weighted : ndarray of shape (n_classes,) or (n_labels, 2), float64
        Summed sample weights, from which weights and priors are computed.
    unweighted : ndarray of the shape of `weighted`, float64
        Numbers of samples or pixels, which decide what is rare: weights that make up for a rare
        class do not make it common.
    n_samples : int
        Number of samples, of masks of pixels, that were counted.
    positive : int
        Position of the class that everything with a side is about: `pos_label`, the rarest, or the
        foreground.
    """

    weighted: np.ndarray
    unweighted: np.ndarray
    n_samples: int
    positive: int


def count_classes(
    target: Target,
    samples: Samples,
    so_far: ClassCounts | None = None,
    pos_label: Label = None,
) -> ClassCounts:
    """Count the classes, on top of those of earlier samples.

    Parameters
    ----------
    target : Target
    samples : Samples
        With codes for labels.
    so_far : ClassCounts or None, default=None
    pos_label : label or None, default=None
        The class that the user has named as positive; None is the rarest.
    """
    weighted = target.counts(samples.y, samples.weight)
    unweighted = target.counts(samples.y, (samples.weight > 0).astype(np.float64))
    n_samples = target.n_counted(samples.y)
    if so_far is not None:
        weighted, n_samples = weighted + so_far.weighted, n_samples + so_far.n_samples
        unweighted = unweighted + so_far.unweighted
    positive = position_of_label(pos_label, target)
    positive = target.positive(unweighted) if positive is None else positive
    return ClassCounts(weighted, unweighted, n_samples, positive)
