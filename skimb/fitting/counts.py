"""How much of each class there is."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from skimb._types import Label
from skimb.data.samples import Samples
from skimb.data.targets import CandidatesTarget, MultilabelTarget, Target
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
    positive_class : int
        Position in ``classes_`` of the positive class: `pos_label`, the rarest, or the foreground.
    """

    weighted: np.ndarray
    unweighted: np.ndarray
    n_samples: int
    positive_class: int


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
    positive = _position_of_positive(target, unweighted, pos_label)
    return ClassCounts(weighted, unweighted, n_samples, positive)


def _position_of_positive(target: Target, unweighted: np.ndarray, pos_label: Label) -> int:
    named = position_of_label(pos_label, target)
    return target.positive(unweighted) if named is None else named


class LabelCounts:
    """Counts of the labels of a stream, block by block, before all of its classes are known.

    Parameters
    ----------
    kind : {"auto", "candidates"}
        What an indicator matrix is.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.data.targets import BinaryTarget
    >>> from skimb.fitting.counts import LabelCounts
    >>> counts = LabelCounts("auto")
    >>> counts.add(np.array(["no", "no"]), np.array([1.0, 1.0]))
    >>> counts.add(np.array(["no", "yes"]), np.array([1.0, 2.0]))
    >>> counts.of(BinaryTarget(np.array(["no", "yes"]))).weighted
    array([3., 2.])
    """

    def __init__(self, kind: str) -> None:
        self._indicators = CandidatesTarget if kind == "candidates" else MultilabelTarget
        self._columns: Target | None = None
        self._of_columns: Any = 0.0
        self._of_labels: dict[Hashable, np.ndarray] = {}
        self.n_samples = 0

    def add(self, y: np.ndarray, weight: np.ndarray) -> None:
        """Count the labels of a block.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        weight : ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If y is of another kind than in the blocks before.
        """
        if y.ndim > 1 and self._of_labels:
            raise ValueError(
                "X yields some batches with class labels, and some with an indicator matrix. Make "
                "them one kind."
            )
        if y.ndim > 1 or self._columns is not None:
            self._add_indicators(y, weight)
        else:
            labels, codes = np.unique(y, return_inverse=True)
            found = np.stack([np.bincount(codes, weight), np.bincount(codes)], axis=1)
            for label, of_label in zip(labels.tolist(), found, strict=True):
                self._of_labels[label] = self._of_labels.get(label, 0.0) + of_label
        self.n_samples += len(y)

    def of(self, target: Target, pos_label: Label = None) -> ClassCounts:
        """Return the counts in the order of the classes of a target."""
        if self._columns is not None:
            weighted, unweighted = self._of_columns
        else:
            none = np.zeros(2)
            found = [self._of_labels.get(label, none) for label in target.classes_.tolist()]
            weighted, unweighted = np.array(found).T
        positive = _position_of_positive(target, unweighted, pos_label)
        return ClassCounts(weighted, unweighted, self.n_samples, positive)

    def _add_indicators(self, y: np.ndarray, weight: np.ndarray) -> None:
        if self._columns is None:
            self._columns = self._indicators(np.arange(y.shape[1]))
        codes = self._columns.codes(y)
        found = [self._columns.counts(codes, each) for each in (weight, np.ones(len(y)))]
        self._of_columns = self._of_columns + np.array(found)
