"""Streams gathered to blocks, samples that are kept of them, and balanced batches."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skimb.data.kept_sample import KeptSample
from skimb.data.samples import Samples, Schema
from skimb.data.stream_batches import balanced, rebatched
from skimb.data.streams import Batch, features, gathered, labelled, read_ahead


@pytest.fixture
def reader():
    with ThreadPoolExecutor(1) as found:
        yield found


def samples(y, first=0):
    """Return samples that hold their number, from `first` on."""
    y = np.asarray(y)
    X = np.arange(first, first + len(y), dtype="float32")[:, np.newaxis]
    return Samples(X, y, np.ones(len(y)), Schema(1, None, (1,)), np.arange(len(y)), len(y))


def numbers(found):
    return np.concatenate([part.X[:, 0] for part in found]).astype(int)


@pytest.mark.parametrize("sizes", [[1] * 25, [25], [7, 9, 2, 7], [10, 10, 5]])
def test_blocks_hold_all_samples_in_order_whatever_the_batches(sizes):
    ends = np.cumsum(sizes)
    batches = [
        Batch(np.arange(b - n, b)[:, None], np.arange(b - n, b))
        for n, b in zip(sizes, ends, strict=True)
    ]
    found = list(gathered(batches, 10))
    assert [len(block.X) for block in found] == [10, 10, 5]
    assert_array_equal(np.concatenate([block.X[:, 0] for block in found]), np.arange(25))
    assert_array_equal(np.concatenate([block.y for block in found]), np.arange(25))


def test_rows_of_sparse_batches_stay_in_order():
    X = sp.csr_matrix(np.arange(46).reshape(23, 2))
    found = list(gathered([Batch(X[:20], np.arange(20)), Batch(X[20:], np.arange(20, 23))], 3))
    assert [block.X.shape[0] for block in found] == [3] * 7 + [2]
    assert_array_equal(sp.vstack([block.X for block in found]).toarray(), X.toarray())


def test_columns_of_frames_go_by_name_and_have_to_be_in_every_batch():
    a = pd.DataFrame({"p": [0, 1], "q": [1, 0]})
    y = np.array([0, 1])
    (found,) = gathered([Batch(a, a), Batch(a[["q", "p"]], a[["q", "p"]])])
    for part in (found.X, found.y):
        assert_array_equal(part.to_numpy(), np.tile(a.to_numpy(), (2, 1)))
    other = a.rename(columns={"q": "r"})
    with pytest.raises(ValueError, match=r"different columns of X: not all have \['q', 'r'\]"):
        list(gathered([Batch(a, y), Batch(other, y)]))
    with pytest.raises(ValueError, match=r"different columns of y: not all have \['q', 'r'\]"):
        list(gathered([Batch(a, a), Batch(a, other)]))


@pytest.mark.parametrize("n_rows", [3, 7, 100])
def test_blocks_keep_batches_that_the_stream_fills_anew(n_rows):
    def filled():
        X, y, weight = np.empty((5, 2)), np.empty(5, int), np.empty(5)
        for first in range(0, 25, 5):
            y[:], weight[:] = np.arange(first, first + 5), first
            X[:] = y[:, np.newaxis]
            yield X, y, weight

    found = list(gathered(labelled(filled()), n_rows))
    assert_array_equal(np.concatenate([block.X[:, 1] for block in found]), np.arange(25))
    assert_array_equal(np.concatenate([block.y for block in found]), np.arange(25))
    weight = np.concatenate([block.sample_weight for block in found])
    assert_array_equal(weight, np.repeat([0, 5, 10, 15, 20], 5))


@pytest.mark.parametrize("kind", [list, pd.DataFrame, sp.csr_array])
def test_batches_of_any_kind_outlive_a_change_of_what_was_yielded(kind):
    rows = [np.ones(2), np.ones(2)]
    X = rows if kind is list else kind(np.ones((2, 2)))
    batch = next(features([X]))
    if kind is list:
        rows[0][:] = 7
    elif kind is pd.DataFrame:
        X.iloc[:, :] = 7
    else:
        X.data[:] = 7
    kept = batch.X.toarray() if hasattr(batch.X, "toarray") else np.asarray(batch.X)
    assert_array_equal(kept, np.ones((2, 2)))


def test_samples_are_cut_to_blocks_of_one_size():
    parts = [samples(np.zeros(n, int), first) for n, first in ((3, 0), (0, 3), (9, 3), (1, 12))]
    found = list(rebatched(parts, 4))
    assert [len(block) for block in found] == [4, 4, 4, 1]
    assert_array_equal(numbers(found), np.arange(13))


def test_an_error_of_a_stream_is_raised_where_its_item_would_be_used(reader):
    def items():
        yield 1
        raise LookupError("gone")

    found = read_ahead(items(), reader)
    assert next(found) == 1
    with pytest.raises(LookupError, match="gone"):
        next(found)


def test_a_stream_that_is_left_early_is_closed(reader):
    closed = []

    def items():
        try:
            yield from range(100)
        finally:
            closed.append(True)

    found = read_ahead(items(), reader)
    next(found)
    found.close()
    assert closed == [True]


def test_kept_samples_are_uniform_within_a_class_and_stand_for_all():
    kept_counts = Counter()
    for seed in range(60):
        kept = KeptSample(np.random.RandomState(seed), most=20)
        for first in range(0, 200, 50):
            y = np.arange(first, first + 50) % 50 == 0
            kept.add(samples(y.astype(int), first))
        found = kept.samples()
        assert_allclose(np.bincount(found.y, found.weight), [196, 4])
        assert np.bincount(found.y).tolist() == [10, 4]  # all of the rare class
        kept_counts.update(found.X[found.y == 0, 0].astype(int).tolist())
    halves = np.array([sum(kept_counts[i] for i in part) for part in np.split(np.arange(200), 4)])
    # 600 draws, 150 of each quarter with a standard deviation of 10
    assert np.all(np.abs(halves - 150) < 40)


def test_kept_samples_give_way_to_classes_that_come_later():
    kept = KeptSample(np.random.RandomState(0), most=30)
    for label in range(3):
        kept.add(samples(np.full(100, label)))
    assert np.bincount(kept.samples().y).tolist() == [10, 10, 10]


def in_blocks(labels, size=100):
    return [samples(labels[i : i + size], i) for i in range(0, len(labels), size)]


def balanced_epoch(labels, batch_size, kept=None, size=100):
    every = samples(labels)
    found = balanced(
        in_blocks(labels, size),
        every if kept is None else kept,
        np.bincount(labels).astype(float),
        batch_size,
        5 * batch_size,
        np.random.RandomState(0),
    )
    return list(found)


@pytest.mark.parametrize("batch_size", [10, 16, 25])
@pytest.mark.parametrize("order", ["mixed", "sorted"])
def test_every_batch_of_a_stream_shows_the_classes_in_equal_numbers(batch_size, order):
    labels = np.repeat([0, 1, 2], [900, 80, 20])
    if order == "mixed":
        labels = np.random.RandomState(0).permutation(labels)
    found = balanced_epoch(labels, batch_size)
    y = np.concatenate([block.y for block in found])
    assert all(len(block) % batch_size == 0 for block in found[:-1])
    for start in range(0, len(y) - batch_size + 1, batch_size):
        counts = np.bincount(y[start : start + batch_size], minlength=3)
        assert counts.max() - counts.min() <= 1
    if order == "mixed":
        # each of the most common class once, and the others as often as it
        uses = np.bincount(numbers(found), minlength=len(labels))
        assert np.all(uses[labels == 0] == 1)
        assert_allclose(np.bincount(y), 900, rtol=0.03)


def test_samples_of_a_rare_class_are_used_about_equally_often():
    labels = np.random.RandomState(1).permutation(np.repeat([0, 1], [9500, 500]))
    kept = samples(labels).take(np.flatnonzero(labels)[:100])
    found = balanced_epoch(labels, 20, kept, size=1000)
    uses = np.bincount(numbers(found), minlength=len(labels))[labels == 1]
    assert uses.mean() == pytest.approx(19, rel=0.05)
    assert uses.min() > 10
    assert uses.max() < 60


def test_a_class_that_a_block_lacks_comes_from_what_was_kept_of_it():
    labels = np.repeat([0, 1], [990, 10])  # the last block alone has the rare class
    first = balanced_epoch(labels, 10)[0]
    assert first.y[:10].sum() == 5
    assert set(first.X[first.y == 1, 0].astype(int)) <= set(range(990, 1000))
