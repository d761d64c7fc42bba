"""Balanced batches of a stream: rare classes are topped up from a sample that is kept of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from skimb.data.batching import BalancedBatches
from skimb.data.kept_sample import joined_samples
from skimb.data.samples import Samples


def rebatched(blocks: Iterable[Samples], n_rows: int) -> Iterator[Samples]:
    """Yield samples in blocks of one size, the last one smaller, whatever the size they come in."""
    waiting: list[Samples] = []
    for block in blocks:
        waiting.append(block)
        while sum(map(len, waiting)) >= n_rows:
            found = joined_samples(waiting)
            waiting = []
            if len(found) > n_rows:
                waiting = [found.take(np.arange(n_rows, len(found)))]
                found = found.take(np.arange(n_rows))
            yield found
    left = [block for block in waiting if len(block)]
    if left:
        yield joined_samples(left)


def balanced(
    blocks: Iterable[Samples],
    kept: Samples,
    counts: np.ndarray,
    batch_size: int,
    n_rows: int,
    rng: np.random.RandomState,
) -> Iterator[Samples]:
    """Yield the samples of balanced batches one after the other, in blocks of at most `n_rows`.

    In each block of the stream the classes are balanced as in
    :class:`skimb.data.batching.BalancedBatches`. A class that has fewer samples there than its
    share, or none, is topped up with samples that were kept of it. Samples that do not fill a batch
    wait for the next block.

    Parameters
    ----------
    blocks : iterable of Samples
        With codes of classes.
    kept : Samples
        A sample of each class.
    counts : ndarray of shape (n_classes,)
        Number of samples of each class in the stream, 0 for those that are left out.
    batch_size : int
    n_rows : int
        A multiple of `batch_size`.
    rng : RandomState
    """
    store = [np.flatnonzero(kept.y == code) for code in range(len(counts))]
    # so many of each class, times the number of classes, are whole batches
    step = batch_size // math.gcd(batch_size, np.count_nonzero(counts))
    waiting: list[Samples] = []
    for block in blocks:
        pool = joined_samples([*waiting, block])
        n_used = np.bincount(pool.y).max(initial=0) // step * step
        waiting = [pool]
        if n_used:
            pool, spare = _split(pool, n_used)
            waiting = [spare]
            yield from _batches(pool, kept, store, counts, n_used, batch_size, n_rows, rng)
    if waiting and len(waiting[0]):
        n_used = np.bincount(waiting[0].y).max()
        yield from _batches(waiting[0], kept, store, counts, n_used, batch_size, n_rows, rng)


def _split(pool: Samples, most: int) -> tuple[Samples, Samples]:
    """Return at most so many samples of each class, and the rest."""
    order = np.argsort(pool.y, kind="stable")
    ordered = pool.y[order]
    # the position of each sample among those of its class
    place = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    used = np.sort(order[place < most])
    return pool.take(used), pool.take(np.sort(order[place >= most]))


def _batches(
    pool: Samples,
    kept: Samples,
    store: list[np.ndarray],
    counts: np.ndarray,
    n_used: int,
    batch_size: int,
    n_rows: int,
    rng: np.random.RandomState,
) -> Iterator[Samples]:
    """Yield a pool of samples, topped up, in the order of balanced batches."""
    found = np.bincount(pool.y, minlength=len(counts))
    # at least as many as a batch has of the class, so that none repeats one of them alone
    least = -(-batch_size // np.count_nonzero(counts))
    share = np.ceil(counts / counts.max() * n_used).astype(int)
    wanted = np.minimum(np.maximum(share, least), n_used)
    parts = [pool]
    for code in np.flatnonzero((counts > 0) & (found < wanted)):
        n_missing = min(wanted[code] - found[code], len(store[code]))
        parts.append(kept.take(rng.choice(store[code], n_missing, replace=False)))
    topped_up = joined_samples(parts)
    order = BalancedBatches(topped_up.y, batch_size).epoch(rng)
    for start in range(0, len(order), n_rows):
        yield topped_up.take(order[start : start + n_rows])
