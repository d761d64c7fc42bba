"""Which rows go into which batch: one index array an epoch, planned in NumPy.

Consecutive slices of `batch_size` rows of that array are the batches; only the last may be smaller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

# i * golden ratio mod 1: every stretch of consecutive i is spread evenly over [0, 1)
_GOLDEN = (5**0.5 - 1) / 2


class Batches(Protocol):
    """A plan of which samples go into which batch."""

    @property
    def batch_size(self) -> int: ...

    @property
    def n_batches(self) -> int: ...

    @property
    def n_epoch_rows(self) -> int: ...

    @property
    def row_frequency(self) -> np.ndarray | None: ...

    def epoch(self, rng: np.random.RandomState) -> np.ndarray: ...


class _Plan:
    """What follows from the length of an epoch."""

    batch_size: int

    @property
    def n_epoch_rows(self) -> int:
        """Length of the array that `epoch` returns, the same in every epoch."""
        raise NotImplementedError

    @property
    def n_batches(self) -> int:
        """Batches an epoch."""
        return -(-self.n_epoch_rows // self.batch_size)

    @property
    def row_frequency(self) -> np.ndarray | None:
        """How often each row is shown, 1 on average, None where all are as often as the others."""
        return None


@dataclass(frozen=True)
class ShuffledBatches(_Plan):
    """Every row once an epoch, in random order; the last batch may be smaller.

    Parameters
    ----------
    n_rows : int
    batch_size : int
        Rows a batch, at most `n_rows`.

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

    @property
    def n_epoch_rows(self) -> int:
        """Length of the array that `epoch` returns: `n_rows`."""
        return self.n_rows

    def epoch(self, rng: np.random.RandomState) -> np.ndarray:
        """Return the rows of one epoch in order, int32 of shape (n_epoch_rows,)."""
        return rng.permutation(self.n_rows).astype(np.int32)


@dataclass(frozen=True)
class _Quotas:
    """How many rows an epoch takes from each group.

    Attributes
    ----------
    n_full : int
        Number of batches of full size.
    full : ndarray of shape (n_groups,)
        Rows in all those batches together, as evenly among them as integers allow.
    last : ndarray of shape (n_groups,)
        Rows in the last, smaller batch; zeros if there is none.
    """

    n_full: int
    full: np.ndarray
    last: np.ndarray

    @cached_property
    def per_epoch(self) -> np.ndarray:
        return self.full + self.last

    def batches(self, rng: np.random.RandomState) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each group and the ascending numbers of the batches that its rows go to.

        Each full batch gets the group's mean number of rows, rounded up or down. What is rounded up
        is dealt out to the full batches in turn, group after group: so each batch gets equally
        many such rows, and none gets two of a group. A turn goes through the batches in golden
        steps, so that the rows of each group are spread evenly over the epoch.
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
class _GroupedBatches(_Plan):
    """Batches that take a set number of rows from each of several groups."""

    codes: np.ndarray
    batch_size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", np.asarray(self.codes))

    @cached_property
    def _groups(self) -> list[np.ndarray]:
        """Rows of each group that occurs, the smallest group first."""
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
        # half a random number: a whole one could round up to the next batch
        position = np.concatenate(batches) + 0.5 * rng.random_sample(self.n_epoch_rows)
        return np.concatenate(rows)[np.argsort(position)]


class StratifiedBatches(_GroupedBatches):
    """Every row once an epoch, every batch with the class ratio of the data.

    In each batch the number of rows of a class is its exact share rounded up or down, and the rows
    of a class that has less than one row a batch are spread evenly over the epoch. A class with at
    least as many rows as there are batches has a row in every batch. In a small last batch that
    comes before the ratio: what the rare classes get beyond their share there, the commonest have
    less, and if the batch is smaller than the number of such classes, the rarest have a row each.

    Rows with several labels are stratified by the rarest of their labels; rows without any are a
    class of their own.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,) or (n_rows, n_labels)
        Class of each row, from 0, or 0 and 1 for each label.
    batch_size : int
        Rows a batch, at most `n_rows`.

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
    """Every batch holds the classes in equal numbers, to within one row.

    An epoch shows every row of the largest class once and draws as many rows of each other class,
    anew in each epoch, in shuffled passes: no row of a class is used a second time before all have
    been used, so within an epoch the rows of a class are used equally often to within one. Where
    `batch_size` is not divisible by the number of classes K that occur, the surplus rows rotate
    between the classes, so that over an epoch each class has as many rows as the largest. The last
    batch may be smaller and is balanced too. If fewer than K rows are left for it, the rarest
    classes get one row more than that in an epoch, so that it holds one row of each class; of
    several equally large classes some then show one row twice.

    Rows with several labels are drawn by label, as in class-aware sampling [1]_: the groups are the
    rows of each label that occurs and the rows without any label. Each batch takes equally from the
    groups, by turns if there are more groups than rows in a batch. As a row has several labels, the
    rare ones become more frequent but not equally frequent. An epoch is as long as the data (or one
    row a group, if that is more), so that it need not show every row of a large group; the next
    epoch draws others.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,) or (n_rows, n_labels)
        Class of each row, from 0, or 0 and 1 for each label. Classes without rows do not count.
    batch_size : int
        Rows a batch. An epoch is a single smaller batch if it has fewer rows.

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
                f"Balanced batches hold every class, so batch_size={self.batch_size} is too small "
                f"for {n_classes} classes: use batch_size={n_classes} or more, or "
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
        # the turn goes on from the full batches to the last, so that both together are equal too
        full, surplus = divmod(n_full * self.batch_size, n_groups)
        group = np.arange(n_groups)
        last = n_rest // n_groups + ((group - surplus) % n_groups < n_rest % n_groups)
        if self.codes.ndim == 1 and 0 < n_rest < n_groups:
            last = np.ones_like(group)
        return _Quotas(n_full, full + (group < surplus), last)

    @cached_property
    def row_frequency(self) -> np.ndarray:
        """How often each row is shown in an epoch, in expectation and relative to the mean.

        ndarray of shape (n_rows,) with the mean 1.
        """
        drawn = self._quotas.per_epoch
        frequency = np.zeros(len(self.codes))
        for rows, n_drawn in zip(self._groups, drawn, strict=True):
            frequency[rows] += n_drawn / len(rows)
        return frequency * (len(self.codes) / drawn.sum())


def plan_batches(
    batching: str, codes: np.ndarray, batch_size: int
) -> ShuffledBatches | StratifiedBatches | BalancedBatches:
    """Return the batch plan of a name.

    Parameters
    ----------
    batching : {"shuffled", "stratified", "balanced"}
    codes : ndarray of int of shape (n_rows,) or (n_rows, n_labels)
        Class of each row, from 0, or 0 and 1 for each label.
    batch_size : int
        Taken as the number of rows if it is larger.

    Returns
    -------
    ShuffledBatches, StratifiedBatches or BalancedBatches

    Raises
    ------
    ValueError
        If there is no such name, or `batch_size` is too small for balanced batches.

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
    """Return the rows of each class that occurs, the rarest first."""
    rows = np.argsort(codes, kind="stable").astype(np.int32)
    return _non_empty(np.split(rows, np.cumsum(np.bincount(codes))[:-1]))


def _rows_by_label(codes: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each label that occurs and the rows without any, the fewest first."""
    columns = [np.flatnonzero(column) for column in codes.T]
    without = np.flatnonzero(~codes.any(axis=1))
    return _non_empty([rows.astype(np.int32) for rows in (*columns, without)])


def _non_empty(groups: list[np.ndarray]) -> list[np.ndarray]:
    return sorted((rows for rows in groups if len(rows)), key=len)


def rarest_label(codes: np.ndarray) -> np.ndarray:
    """Return for each row the rarest of its labels, n_labels if it has none."""
    rarest_first = np.argsort(np.count_nonzero(codes, axis=0), kind="stable")
    present = codes[:, rarest_first] != 0
    return np.where(
        present.any(axis=1), rarest_first[present.argmax(axis=1)], codes.shape[1]
    ).astype(np.int32)


def _share_out(n: int, sizes: np.ndarray, at_least_one: np.ndarray) -> np.ndarray:
    """Share out n rows to groups by largest remainder, but one to each group that must have one."""
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
    """Return n of the rows, in one shuffled pass over all of them after the other."""
    n_passes = -(-n // len(rows))
    if n_passes <= 1:
        return rng.permutation(rows)[:n]
    order = np.argsort(rng.random_sample((n_passes, len(rows))), axis=1)
    return rows[order.ravel()[:n]]
