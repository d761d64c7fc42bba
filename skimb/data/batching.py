"""Batching schemes: assignment of samples to batches, as one index array per epoch.

Consecutive slices of length `batch_size` are the batches. Only the last one may be smaller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

# of the size of even batches
_MULTIPLE = 8

# golden ratio: i * _GOLDEN mod 1 spreads any run of consecutive i evenly over [0, 1)
_GOLDEN = (5**0.5 - 1) / 2


class Batches(Protocol):
    """Batching scheme, which assigns samples to batches."""

    @property
    def batch_size(self) -> int: ...

    @property
    def n_batches(self) -> int: ...

    @property
    def n_epoch_rows(self) -> int: ...

    @property
    def row_frequency(self) -> np.ndarray | None: ...

    def epoch(self, rng: np.random.RandomState) -> np.ndarray: ...


class _Batches:
    """Base class with the properties that follow from the length of an epoch."""

    batch_size: int

    @property
    def n_epoch_rows(self) -> int:
        """Length of the array that `epoch` returns, the same in every epoch."""
        raise NotImplementedError

    @property
    def n_batches(self) -> int:
        """Number of batches per epoch."""
        return -(-self.n_epoch_rows // self.batch_size)

    @property
    def row_frequency(self) -> np.ndarray | None:
        """Relative frequency of each sample in an epoch, 1 on average; None if all are equal."""
        return None


@dataclass(frozen=True)
class ShuffledBatches(_Batches):
    """Batches of all samples once per epoch, in random order; the last batch may be smaller.

    Parameters
    ----------
    n_rows : int
        Number of samples.
    batch_size : int
        Number of samples per batch, at most `n_rows`.
    drop_last : bool, default=False
        Whether an epoch leaves out the samples of a smaller last batch, others each time.

    Examples
    --------
    >>> import numpy as np
    >>> batches = ShuffledBatches(n_rows=5, batch_size=2)
    >>> batches.n_batches
    3
    >>> sorted(batches.epoch(np.random.RandomState(0)).tolist())
    [0, 1, 2, 3, 4]
    """

    n_rows: int
    batch_size: int
    drop_last: bool = False

    @property
    def n_epoch_rows(self) -> int:
        """Length of the array that `epoch` returns: `n_rows`, or that of the full batches."""
        return self.n_rows - self.n_rows % self.batch_size if self.drop_last else self.n_rows

    def epoch(self, rng: np.random.RandomState) -> np.ndarray:
        """Return the rows of one epoch in order, int32 of shape (n_epoch_rows,)."""
        return rng.permutation(self.n_rows)[: self.n_epoch_rows].astype(np.int32)


def even_batches(n_rows: int, batch_size: int) -> ShuffledBatches:
    """Return batches of one size, at most `batch_size`, and as many as that size would make.

    A smaller last batch is compiled apart and takes several times as long. Left out of an epoch are
    fewer than eight samples for each of its batches: a multiple of eight is the size for the folds
    of a table too, which differ by a sample, and for tables of about its size.

    Examples
    --------
    >>> batches = even_batches(386, 200)
    >>> batches.batch_size, batches.n_batches
    (192, 2)
    """
    if n_rows <= batch_size:
        return ShuffledBatches(n_rows, n_rows)
    size = n_rows // -(-n_rows // batch_size)
    return ShuffledBatches(n_rows, max(1, size - size % _MULTIPLE), drop_last=True)


@dataclass(frozen=True)
class _Quotas:
    """Number of samples that an epoch takes from each group.

    Attributes
    ----------
    n_full : int
        Number of batches of full size.
    full : ndarray of shape (n_groups,)
        Samples in all those batches together, distributed as evenly as integers allow.
    last : ndarray of shape (n_groups,)
        Samples in the last, smaller batch; zeros if there is no such batch.
    """

    n_full: int
    full: np.ndarray
    last: np.ndarray

    @cached_property
    def per_epoch(self) -> np.ndarray:
        return self.full + self.last

    def batches(self, rng: np.random.RandomState) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each group with the batch indices of its samples, in ascending order.

        Each full batch gets the group's mean number of samples, rounded up or down. The samples
        from rounding up are dealt out to the full batches in turn, group after group. So all
        batches get the same number of them, and none gets two of one group. Each round visits the
        batches in steps of the golden ratio, which spreads the samples of a group evenly over the
        epoch.
        """
        n_full = self.n_full
        turn = np.argsort(np.argsort((np.arange(n_full) * _GOLDEN + rng.random_sample()) % 1))
        dealt = 0
        for group in rng.permutation(len(self.full)):
            each, surplus = divmod(int(self.full[group]), n_full) if n_full else (0, 0)
            rounded_up = turn[np.arange(dealt, dealt + surplus) % n_full] if surplus else turn[:0]
            dealt += surplus
            if each:
                counts = np.full(n_full, each)
                counts[rounded_up] += 1
                in_full = np.repeat(np.arange(n_full), counts)
            else:
                in_full = np.sort(rounded_up)
            yield group, np.append(in_full, np.full(self.last[group], n_full))


@dataclass(frozen=True, eq=False)
class _GroupedBatches(_Batches):
    """Base class of batches with a fixed number of samples from each of several groups."""

    codes: np.ndarray
    batch_size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", np.asarray(self.codes))

    @cached_property
    def _groups(self) -> list[np.ndarray]:
        """Indices of the samples of each non-empty group, the smallest group first."""
        raise NotImplementedError

    @cached_property
    def _quotas(self) -> _Quotas:
        raise NotImplementedError

    @property
    def n_epoch_rows(self) -> int:
        """Length of the array that `epoch` returns, the same in every epoch."""
        return int(self._quotas.per_epoch.sum())

    def epoch(self, rng: np.random.RandomState) -> np.ndarray:
        """Return the rows of one epoch in order, int32 of shape (n_epoch_rows,)."""
        rows, batches = [], []
        for group, batches_of_group in self._quotas.batches(rng):
            rows.append(_passes(self._groups[group], len(batches_of_group), rng))
            batches.append(batches_of_group)
        # times 0.5, since batch index plus a number just below 1 could round up to the next batch
        position = np.concatenate(batches) + 0.5 * rng.random_sample(self.n_epoch_rows)
        return np.concatenate(rows)[np.argsort(position)]


class StratifiedBatches(_GroupedBatches):
    """Stratified batches: all samples once per epoch, with the class ratio of the data per batch.

    In each batch the number of samples of a class is its exact proportion, rounded up or down.
    Classes with less than one sample per batch are spread evenly over the epoch. A class with at
    least as many samples as there are batches has a sample in every batch. In a small last batch
    this takes precedence over the ratio. Samples that rare classes get there beyond their
    proportion are taken from the most common classes. If the batch is smaller than the number of
    such classes, the rarest have one sample each.

    Samples with several labels are stratified by the rarest of their labels. Samples without labels
    form a class of their own.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,) or (n_rows, n_labels)
        Class of each sample, from 0, or 0 and 1 for each label.
    batch_size : int
        Number of samples per batch, at most `n_rows`.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.array([0] * 18 + [1] * 6)
    >>> batches = StratifiedBatches(codes, batch_size=8)
    >>> codes[batches.epoch(np.random.RandomState(0))].reshape(3, 8).sum(axis=1)
    array([2, 2, 2])
    """

    @cached_property
    def _groups(self) -> list[np.ndarray]:
        return _rows_by_class(self.codes if self.codes.ndim == 1 else rarest_label(self.codes))

    @cached_property
    def _quotas(self) -> _Quotas:
        sizes = _sizes(self._groups)
        n_full, n_rest = divmod(int(sizes.sum()), self.batch_size)
        last = _share_out(n_rest, sizes, at_least_one=sizes >= n_full + (n_rest > 0))
        return _Quotas(n_full, sizes - last, last)


class BalancedBatches(_GroupedBatches):
    """Balanced batches: equal numbers of samples of all classes per batch, to within one.

    An epoch uses every sample of the largest class once, and oversamples each other class to the
    same number. Oversampling is done anew in each epoch by shuffled passes: no sample is repeated
    before all samples of its class have been used. So within an epoch the samples of a class are
    used equally often, to within one. If `batch_size` is not divisible by the number of classes K
    that occur, the surplus samples rotate between the classes, so that over an epoch each class has
    as many samples as the largest. The last batch may be smaller and is balanced too. If fewer than
    K samples are left for it, the rarest classes get one additional sample per epoch, so that it
    contains one sample of each class. If several classes are equally large, some of them then use
    one sample twice.

    Samples with several labels are drawn by label, as in class-aware sampling [1]_. The groups are
    the samples of each label that occurs, and the samples without labels. Each batch takes equal
    numbers from the groups, in rotation if there are more groups than samples in a batch. As a
    sample can have several labels, rare labels become more frequent but not equally frequent. An
    epoch is as long as the data (or one sample per group, if that is more), so it need not use all
    samples of a large group. The next epoch draws others.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,) or (n_rows, n_labels)
        Class of each sample, from 0, or 0 and 1 for each label. Classes without samples are
        ignored.
    batch_size : int
        Number of samples per batch. An epoch with fewer samples is a single smaller batch.

    Raises
    ------
    ValueError
        If `batch_size` is smaller than the number of classes.

    References
    ----------
    .. [1] L. Shen, Z. Lin and Q. Huang, "Relay backpropagation for effective learning of deep
       convolutional neural networks", ECCV 2016.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.array([0] * 9 + [1] * 2)
    >>> batches = BalancedBatches(codes, batch_size=6)
    >>> batches.n_epoch_rows, batches.row_frequency.round(2)[[0, -1]]
    (18, array([0.61, 2.75]))
    >>> codes[batches.epoch(np.random.RandomState(0))].reshape(3, 6).sum(axis=1)
    array([3, 3, 3])
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        n_classes = len(self._groups)
        if self.codes.ndim == 1 and self.batch_size < n_classes:
            raise ValueError(
                f"Balanced batches contain every class, so batch_size={self.batch_size} is too "
                f"small for {n_classes} classes: use batch_size={n_classes} or more, or "
                "batching='stratified'."
            )

    @cached_property
    def _groups(self) -> list[np.ndarray]:
        return _rows_by_class(self.codes) if self.codes.ndim == 1 else _rows_by_label(self.codes)

    @cached_property
    def _quotas(self) -> _Quotas:
        n_groups = len(self._groups)
        if self.codes.ndim == 1:
            n_rows = n_groups * len(self._groups[-1])
        else:
            n_rows = max(n_groups, len(self.codes))
        n_full, n_rest = divmod(n_rows, self.batch_size)
        # the rotation continues from the full batches to the last, so that totals are equal too
        full, surplus = divmod(n_full * self.batch_size, n_groups)
        group = np.arange(n_groups)
        last = n_rest // n_groups + ((group - surplus) % n_groups < n_rest % n_groups)
        if self.codes.ndim == 1 and 0 < n_rest < n_groups:
            last = np.ones_like(group)
        return _Quotas(n_full, full + (group < surplus), last)

    @cached_property
    def row_frequency(self) -> np.ndarray:
        """Expected frequency of each sample in an epoch, relative to the mean.

        ndarray of shape (n_rows,) with mean 1.
        """
        drawn = self._quotas.per_epoch
        frequency = np.zeros(len(self.codes))
        for rows, n_drawn in zip(self._groups, drawn, strict=True):
            frequency[rows] += n_drawn / len(rows)
        return frequency * (len(self.codes) / drawn.sum())


def plan_batches(
    batching: str, codes: np.ndarray, batch_size: int
) -> ShuffledBatches | StratifiedBatches | BalancedBatches:
    """Return the batching scheme of a name.

    Parameters
    ----------
    batching : {"shuffled", "stratified", "balanced"}
    codes : ndarray of int of shape (n_rows,) or (n_rows, n_labels)
        Class of each sample, from 0, or 0 and 1 for each label.
    batch_size : int
        Number of samples per batch, at most that of the data; larger values are clipped.

    Returns
    -------
    ShuffledBatches, StratifiedBatches or BalancedBatches

    Raises
    ------
    ValueError
        If the name is unknown, or `batch_size` is too small for balanced batches.

    Examples
    --------
    >>> import numpy as np
    >>> plan_batches("balanced", np.array([0, 0, 0, 1]), batch_size=32).batch_size
    4
    """
    n_rows = len(codes)
    batch_size = min(batch_size, n_rows)
    if batching == "shuffled":
        return ShuffledBatches(n_rows, batch_size)
    if batching == "stratified":
        return StratifiedBatches(codes, batch_size)
    if batching == "balanced":
        return BalancedBatches(codes, batch_size)
    raise ValueError(
        f"batching must be 'shuffled', 'stratified' or 'balanced', got batching={batching!r}."
    )


def _sizes(groups: list[np.ndarray]) -> np.ndarray:
    return np.array([len(rows) for rows in groups], dtype=np.int64)


def _rows_by_class(codes: np.ndarray) -> list[np.ndarray]:
    """Return the sample indices of each class that occurs, the rarest class first."""
    rows = np.argsort(codes, kind="stable").astype(np.int32)
    return _non_empty(np.split(rows, np.cumsum(np.bincount(codes))[:-1]))


def _rows_by_label(codes: np.ndarray) -> list[np.ndarray]:
    """Return the sample indices of each label that occurs, and of no label, smallest first."""
    columns = [np.flatnonzero(column) for column in codes.T]
    without = np.flatnonzero(~codes.any(axis=1))
    return _non_empty([rows.astype(np.int32) for rows in (*columns, without)])


def _non_empty(groups: list[np.ndarray]) -> list[np.ndarray]:
    return sorted((rows for rows in groups if len(rows)), key=len)


def rarest_label(codes: np.ndarray) -> np.ndarray:
    """Return the rarest label of each sample, or n_labels for a sample without labels."""
    rarest_first = np.argsort(np.count_nonzero(codes, axis=0), kind="stable")
    present = codes[:, rarest_first] != 0
    return np.where(
        present.any(axis=1), rarest_first[present.argmax(axis=1)], codes.shape[1]
    ).astype(np.int32)


def _share_out(n: int, sizes: np.ndarray, at_least_one: np.ndarray) -> np.ndarray:
    """Allocate n samples to groups by largest remainder, at least one to groups that need one."""
    shares, remainders = divmod(n * sizes, sizes.sum())
    forced = at_least_one & (shares == 0)
    if n:
        shares[forced] = 1
    left = n - shares.sum()
    if left > 0:
        remainders[forced] = -1
        shares[np.argsort(-remainders, kind="stable")[:left]] += 1
    for _ in range(-left):
        shares[np.lexsort((sizes, shares))[-1]] -= 1
    return shares


def _passes(rows: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """Return n of the indices, in consecutive shuffled passes over all of them."""
    n_passes = -(-n // len(rows))
    if n_passes <= 1:
        return rng.permutation(rows)[:n]
    order = np.argsort(rng.random_sample((n_passes, len(rows))), axis=1)
    return rows[order.ravel()[:n]]
