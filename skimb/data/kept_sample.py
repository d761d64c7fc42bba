"""A bounded sample of a stream, drawn class by class while the stream passes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skimb.data.samples import Samples
from skimb.data.streams import concatenated

#: samples that are kept in all, and the bytes of their features
MOST_KEPT, MOST_KEPT_BYTES = 20_000, 2**26


@dataclass
class _Kept:
    """Samples of a class with the least random numbers so far, which are a uniform sample of it."""

    samples: Samples
    keys: np.ndarray
    weight: float = 0.0  # of all samples of the class
    limit: float = np.inf  # no sample with a number from here on is among them

    def add(self, samples: Samples, rows: np.ndarray, keys: np.ndarray) -> None:
        self.weight += float(samples.weight[rows].sum())
        rows = rows[keys[rows] < self.limit]
        if len(rows):
            self.samples = joined_samples([self.samples, samples.take(rows)])
            self.keys = np.concatenate([self.keys, keys[rows]])

    def cut(self, size: int) -> None:
        if len(self.keys) > size:
            order = np.argpartition(self.keys, size)
            self.limit = float(self.keys[order[size]])
            kept = np.sort(order[:size])
            self.samples, self.keys = self.samples.take(kept), self.keys[kept]


class KeptSample:
    """A uniform sample of each class of a stream, of bounded size.

    Each class is given equal room, so that of rare classes all samples are kept where they are few.
    Their weights are scaled so that a class has the weight of all of its samples. The rows of an
    indicator matrix count as one class.

    Parameters
    ----------
    rng : RandomState
        Draws a number for each sample; those with the least are kept.
    most : int, default=20_000
        Samples that are kept of all classes together.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.data.kept_sample import KeptSample
    >>> from skimb.data.samples import Samples, Schema
    >>> kept = KeptSample(np.random.RandomState(0), most=20)
    >>> X, y = np.zeros((100, 2)), np.repeat([0, 1], [98, 2])
    >>> for _ in range(3):
    ...     kept.add(Samples(X, y, np.ones(100), Schema(2, None, (2,)), np.arange(100), 100))
    >>> found = kept.samples()
    >>> np.bincount(found.y), np.bincount(found.y, found.weight)
    (array([10,  6]), array([294.,   6.]))
    """

    def __init__(self, rng: np.random.RandomState, most: int = MOST_KEPT) -> None:
        self._rng, self._most = rng, most
        self._classes: dict[Hashable, _Kept] = {}
        self._always: list[Samples] = []

    def add(self, samples: Samples, always: Sequence[int] | np.ndarray = ()) -> None:
        """Add the samples of a block.

        Parameters
        ----------
        samples : Samples
            With labels.
        always : sequence of int, default=()
            Positions of samples that are kept in any case, beside the others.
        """
        if len(always):
            self._always.append(samples.take(np.asarray(always)))
        rest = np.ones(len(samples), bool)
        rest[list(always)] = False
        keys = self._rng.random_sample(len(samples))
        for label, rows in _rows_by_label(samples.y).items():
            if label not in self._classes:
                self._classes[label] = _Kept(samples.take(rows[:0]), keys[:0])
            self._classes[label].add(samples, rows[rest[rows]], keys)
        bytes_of_row = 8 * int(np.prod(samples.X.shape[1:]))
        most = min(self._most, MOST_KEPT_BYTES // bytes_of_row)
        for kept in self._classes.values():
            kept.cut(max(1, most // len(self._classes)))

    def samples(self) -> Samples:
        """Return what is kept, with weights that stand for all samples."""
        found = list(self._always)
        for kept in self._classes.values():
            if len(kept.samples):
                weight = kept.samples.weight
                found.append(replace(kept.samples, weight=weight * (kept.weight / weight.sum())))
        return joined_samples(found)


def joined_samples(parts: list[Samples]) -> Samples:
    """Return samples of one schema as one."""
    if len(parts) == 1:
        return parts[0]

    def of_all(name: str) -> Any:
        return concatenated([getattr(part, name) for part in parts])

    return replace(
        parts[0],
        X=of_all("X"),
        y=of_all("y"),
        weight=of_all("weight"),
        positions=of_all("positions"),
    )


def _rows_by_label(y: np.ndarray) -> dict[Hashable, np.ndarray]:
    if y.ndim > 1:
        return {0: np.arange(len(y))}
    labels, codes = np.unique(y, return_inverse=True)
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    return dict(zip(labels.tolist(), rows, strict=True))
