"""Which rows come into which batch, by counting."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skimb.data.batching import (
    BalancedBatches,
    ShuffledBatches,
    StratifiedBatches,
    even_batches,
    plan_batches,
)

SEEDS = range(150)
NAMES = ["shuffled", "stratified", "balanced"]


def random_codes(seed):
    """Return class codes of a random distribution and size, and a batch size."""
    rng = np.random.RandomState(seed)
    n_classes = rng.randint(1, 7)
    sizes = np.maximum(1, rng.dirichlet(np.full(n_classes, 0.4)) * rng.randint(1, 400)).astype(int)
    if seed % 5 == 0:
        sizes[0] = 1
    if seed % 7 == 0:
        sizes[:] = sizes.max()
    codes = rng.permutation(np.repeat(rng.permutation(8)[:n_classes], sizes))
    batch_size = rng.randint(1, 50) if seed % 3 else rng.randint(1, 2 * len(codes) + 1)
    return codes, batch_size


def random_labels(seed):
    """Return indicators of labels of very different frequencies, and a batch size."""
    rng = np.random.RandomState(seed)
    n_rows, n_labels = rng.randint(1, 500), rng.randint(1, 7)
    codes = (rng.rand(n_rows, n_labels) < rng.dirichlet(np.ones(n_labels))).astype(int)
    return codes, rng.randint(1, 60)


def split(batches, rng):
    """Return the batches of an epoch, after a look at what holds for every plan."""
    rows = batches.epoch(rng)
    assert rows.dtype == np.int32
    assert len(rows) == batches.n_epoch_rows > 0
    parts = [rows[i : i + batches.batch_size] for i in range(0, len(rows), batches.batch_size)]
    assert len(parts) == batches.n_batches > 0
    return parts


def counts_in(parts, codes):
    """Return how often each class that occurs is in each batch, of shape (batches, classes)."""
    return np.array([[np.sum(codes[part] == k) for k in np.unique(codes)] for part in parts])


def groups_of(codes):
    groups = [np.flatnonzero(column) for column in codes.T]
    groups.append(np.flatnonzero(codes.sum(axis=1) == 0))
    return [rows for rows in groups if len(rows)]


class TestEveryPlan:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("make", [random_codes, random_labels])
    def test_follows_the_random_state(self, name, make):
        for seed in range(0, 40):
            codes, batch_size = make(seed)
            batches = plan_batches(name, codes, max(batch_size, 6))
            rng, same = np.random.RandomState(seed), np.random.RandomState(seed)
            before = codes.copy()
            epochs = [batches.epoch(rng) for _ in range(3)]
            again = plan_batches(name, codes, max(batch_size, 6))
            for epoch in epochs:
                assert_array_equal(epoch, again.epoch(same))
            if len(epochs[0]) > 20:
                assert not np.array_equal(epochs[0], epochs[1])
            assert_array_equal(codes, before)

    @pytest.mark.parametrize("name", ["shuffled", "stratified"])
    @pytest.mark.parametrize("make", [random_codes, random_labels])
    def test_every_row_once(self, name, make):
        for seed in SEEDS:
            codes, batch_size = make(seed)
            batches = plan_batches(name, codes, batch_size)
            rng = np.random.RandomState(seed)
            for _ in range(2):
                rows = np.concatenate(split(batches, rng))
                assert_array_equal(np.sort(rows), np.arange(len(codes)))
            assert batches.row_frequency is None

    @pytest.mark.parametrize("name", NAMES)
    def test_batch_larger_than_the_data(self, name):
        codes = np.array([0, 0, 0, 1])
        assert plan_batches(name, codes, 1000).batch_size == 4
        kinds = {"stratified": StratifiedBatches, "balanced": BalancedBatches}
        for size in (6, 7, 1000):
            batches = kinds[name](codes, size) if name in kinds else ShuffledBatches(4, size)
            (part,) = split(batches, np.random.RandomState(0))
            assert_array_equal(np.unique(part), np.arange(4))

    def test_one_row(self):
        for name in NAMES:
            for codes in (np.array([0]), np.array([3]), np.array([[0, 1]]), np.array([[0, 0]])):
                assert plan_batches(name, codes, 32).epoch(np.random.RandomState(0)).tolist() == [0]

    def test_unknown_name(self):
        with pytest.raises(ValueError, match=r"'stratified' or 'balanced', got batching='even'"):
            plan_batches("even", np.array([0, 1]), 2)

    @pytest.mark.parametrize("name", NAMES)
    def test_order_within_a_batch_is_random(self, name):
        codes = np.repeat([0, 1], [60, 40])
        batches = plan_batches(name, codes, 20)
        rng = np.random.RandomState(0)
        first = [codes[batches.epoch(rng)[0]] for _ in range(400)]
        # a standard deviation is 0.025
        assert abs(np.mean(first) - (0.5 if name == "balanced" else 0.4)) < 0.1
        changes = [np.sum(np.diff(codes[part]) != 0) for part in split(batches, rng)]
        assert np.mean(changes) > 6  # classes in blocks would change once


class TestStratified:
    @pytest.mark.slow
    def test_ratio_of_each_batch(self):
        exceptions = 0
        for seed in range(600):
            codes, batch_size = random_codes(seed)
            batches = StratifiedBatches(codes, batch_size)
            parts = split(batches, np.random.RandomState(seed))
            counts = counts_in(parts, codes)
            totals = counts.sum(axis=0)
            exact = np.array([[len(part)] for part in parts]) * totals / len(codes)
            enough = totals >= len(parts)
            full = counts[[len(part) == batch_size for part in parts]]
            assert np.all(full[:, enough] > 0)
            if full.size:  # the same numbers in every batch, to within one
                assert np.all(np.ptp(full, axis=0) <= 1)
            room = len(parts[-1]) >= enough.sum()
            if room:
                assert np.all(counts[:, enough] > 0)
            if np.sum(np.where(enough, np.maximum(exact[-1] // 1, 1), exact[-1] // 1)) <= len(
                parts[-1]
            ):
                assert np.all(np.abs(counts - exact) < 1)
            else:  # the classes leave each other no room in the last batch
                exceptions += 1
                assert np.max(np.abs(counts[:-1] - exact[:-1]), initial=0) < 1 + enough.sum()
        assert 0 < exceptions < 60

    def test_tiny_last_batch_holds_the_rarest(self):
        codes = np.repeat([0, 1], [93, 8])
        for seed in range(10):
            parts = split(StratifiedBatches(codes, 20), np.random.RandomState(seed))
            assert [codes[part].sum() for part in parts][-1] == 1
            assert sorted(codes[part].sum() for part in parts[:-1]) == [1, 1, 1, 2, 2]

    @pytest.mark.slow
    @pytest.mark.parametrize("n_rare", [1, 2, 5, 16, 63])
    def test_few_rows_are_spread_evenly(self, n_rare):
        n_batches = 200
        codes = np.repeat([0, 1, 2], [n_batches * 10 - n_rare - 400, n_rare, 400])
        batches = StratifiedBatches(codes, 10)
        rng = np.random.RandomState(0)
        where = []
        for _ in range(30):
            parts = split(batches, rng)
            rare = counts_in(parts, codes)[:, 1]
            assert rare.max() == 1
            # the number up to each batch, as against the exact one
            exact = np.arange(1, n_batches + 1) * n_rare / n_batches
            assert np.max(np.abs(np.cumsum(rare) - exact)) < 2.5
            where.append(np.flatnonzero(rare)[0])
        assert len(set(where)) > 15 / n_rare

    def test_each_row_comes_to_different_batches(self):
        codes = np.repeat([0, 1], [95, 5])
        batches = StratifiedBatches(codes, 10)
        rng = np.random.RandomState(0)
        with_last = {tuple(sorted(split(batches, rng)[3])) for _ in range(20)}
        assert len(with_last) == 20

    def test_multilabel_goes_by_the_rarest_label(self):
        for seed in range(60):
            codes, batch_size = random_labels(seed)
            frequency = codes.sum(axis=0)
            group = [
                min(np.flatnonzero(row), key=lambda label: frequency[label], default=-1)
                if row.any()
                else -1
                for row in codes
            ]
            group = np.array(group) + 1
            ours = plan_batches("stratified", codes, batch_size)
            same = plan_batches("stratified", group, batch_size)
            rng = np.random.RandomState(seed)
            full = [part for part in split(ours, rng) if len(part) == ours.batch_size]
            assert_array_equal(
                np.sort(counts_in(full, group), axis=0),
                np.sort(counts_in(split(same, rng)[: len(full)], group), axis=0),
            )


class TestBalanced:
    @pytest.mark.slow
    def test_equal_numbers(self):
        tried = 0
        for seed in range(600):
            codes, batch_size = random_codes(seed)
            n_classes = len(np.unique(codes))
            if batch_size < n_classes:
                continue
            tried += 1
            batches = BalancedBatches(codes, batch_size)
            rng = np.random.RandomState(seed)
            for _ in range(2):
                parts = split(batches, rng)
                counts = counts_in(parts, codes)
                assert np.all(np.ptp(counts, axis=1) <= 1)
                assert counts.min() >= 1
                drawn = counts.sum(axis=0)
                largest = np.bincount(codes).max()
                assert drawn.min() == largest
                assert drawn.max() <= largest + (len(parts[-1]) == n_classes)
                if batch_size % n_classes == 0:
                    assert drawn.max() == largest
                shown = np.bincount(codes, batches.row_frequency)[np.unique(codes)]
                assert_allclose(shown / len(codes), drawn / drawn.sum(), rtol=1e-12)
        assert tried > 400

    def test_rows_are_used_evenly(self):
        for seed in range(600):
            codes, batch_size = random_codes(seed)
            sizes = np.bincount(codes)
            if batch_size < np.sum(sizes > 0):
                continue
            batches = BalancedBatches(codes, batch_size)
            used = np.bincount(batches.epoch(np.random.RandomState(seed)), minlength=len(codes))
            assert used.min() >= 1
            for k in np.unique(codes):
                assert np.ptp(used[codes == k]) <= 1
            if np.sum(sizes == sizes.max()) == 1:
                assert np.all(used[codes == sizes.argmax()] == 1)

    def test_surplus_rotates(self):
        codes = np.repeat([0, 1, 2], [900, 30, 2])
        counts = counts_in(split(BalancedBatches(codes, 16), np.random.RandomState(0)), codes)
        surplus = counts[:-1] == 6
        assert_array_equal(surplus.sum(axis=1), 1)
        assert np.max(np.abs(np.cumsum(surplus, axis=0) * 3 - np.arange(1, 169)[:, None])) < 9

    def test_rare_rows_are_drawn_anew(self):
        codes = np.repeat([0, 1], [100, 40])
        batches = BalancedBatches(codes, 10)
        rng = np.random.RandomState(0)
        used = np.array([np.bincount(batches.epoch(rng), minlength=140) for _ in range(200)])
        assert np.all(used[:, :100] == 1)
        assert set(np.unique(used[:, 100:])) == {2, 3}
        assert len({tuple(epoch) for epoch in used}) == 200
        # 2.5 uses on average; a standard deviation is 0.035
        assert_allclose(used[:, 100:].mean(axis=0), 2.5, atol=0.17)

    def test_passes_come_one_after_the_other(self):
        codes = np.repeat([0, 1], [60, 7])
        rows = BalancedBatches(codes, 2).epoch(np.random.RandomState(0))
        rare = rows[codes[rows] == 1]
        for start in range(0, 56, 7):
            assert_array_equal(np.sort(rare[start : start + 7]), np.arange(60, 67))

    def test_last_batch_holds_every_class(self):
        codes = np.repeat([0, 1, 2], [11, 5, 1])
        parts = split(BalancedBatches(codes, 4), np.random.RandomState(0))
        assert [len(part) for part in parts] == [4] * 8 + [3]
        assert_array_equal(counts_in(parts, codes)[-1], [1, 1, 1])
        parts = split(BalancedBatches(np.repeat([0, 1], [3, 1]), 5), np.random.RandomState(0))
        assert [len(part) for part in parts] == [5, 2]

    def test_too_small_a_batch(self):
        codes = np.array([0, 1, 1, 4])
        assert BalancedBatches(codes, 3).n_batches == 2
        with pytest.raises(ValueError, match="batch_size=2 is too small for 3 classes"):
            BalancedBatches(codes, 2)
        with pytest.raises(ValueError, match="batch_size=2 is too small for 3 classes"):
            plan_batches("balanced", codes, 2)

    def test_rows_of_a_class_are_shown_equally_often(self):
        frequency = BalancedBatches(np.array([1, 1, 3]), 2).row_frequency
        assert_allclose(frequency, [0.75, 0.75, 1.5])


class TestBalancedLabels:
    def test_length_of_an_epoch(self):
        for seed in SEEDS:
            codes, batch_size = random_labels(seed)
            batches = BalancedBatches(codes, batch_size)
            assert batches.n_epoch_rows == max(len(codes), len(groups_of(codes)))
            for _ in range(2):
                split(batches, np.random.RandomState(seed))

    def test_groups_are_used_equally_where_rows_have_one_label(self):
        for seed in SEEDS:
            rng = np.random.RandomState(seed)
            codes, batch_size = random_codes(seed)  # the last of the classes is no label
            labels = np.equal.outer(codes, np.arange(codes.max())).astype(int)
            batches = BalancedBatches(labels, batch_size)
            counts = counts_in(split(batches, rng), codes)
            assert np.all(np.ptp(counts, axis=1) <= 1)  # also with fewer rows than groups
            assert np.ptp(counts.sum(axis=0)) <= 1
            used = np.bincount(batches.epoch(rng), minlength=len(codes))
            for k in np.unique(codes):
                assert np.ptp(used[codes == k]) <= 1

    def test_rare_labels_become_more_frequent(self):
        rng = np.random.RandomState(0)
        codes = (rng.rand(3000, 4) < [0.5, 0.2, 0.02, 0.003]).astype(int)
        batches = BalancedBatches(codes, 32)
        drawn = np.mean(
            [[codes[part].mean(axis=0) for part in split(batches, rng)[:-1]] for _ in range(40)],
            axis=0,
        )
        assert np.all(drawn[:, 2:] > 0.15)  # a group of five in every single batch
        mean = drawn.mean(axis=0)
        assert mean[3] > 50 * codes[:, 3].mean()
        assert mean[2] > 8 * codes[:, 2].mean()
        assert_allclose(batches.row_frequency @ codes / len(codes), mean, atol=0.01)

    @pytest.mark.slow
    def test_row_frequency_is_the_expectation(self):
        for seed in range(20):
            codes, batch_size = random_labels(seed)
            batches = BalancedBatches(codes, batch_size)
            rng = np.random.RandomState(seed)
            drawn = [np.bincount(batches.epoch(rng), minlength=len(codes)) for _ in range(600)]
            mean = np.mean(drawn, axis=0)
            assert_allclose(batches.row_frequency.mean(), 1)
            assert_allclose(batches.row_frequency, mean / mean.mean(), atol=0.25)
            shown = batches.row_frequency @ codes / len(codes)
            assert_allclose(shown, mean @ codes / mean.sum(), atol=0.02)

    def test_the_next_epoch_draws_others(self):
        codes = np.zeros((200, 1), int)
        codes[:10] = 1
        batches = BalancedBatches(codes, 20)
        rng = np.random.RandomState(0)
        seen = np.unique([batches.epoch(rng) for _ in range(20)])
        assert_array_equal(seen, np.arange(200))


@pytest.mark.parametrize(
    ("n_rows", "size"), [(1, 1), (199, 199), (201, 96), (386, 192), (950, 184)]
)
def test_even_batches_have_one_size_near_the_largest_and_leave_out_others_each_time(n_rows, size):
    batches = even_batches(n_rows, 200)
    assert batches.batch_size == size
    assert batches.n_batches == -(-n_rows // 200)
    rng = np.random.RandomState(0)
    epochs = [batches.epoch(rng) for _ in range(300)]
    for rows in epochs:
        assert len(rows) == batches.n_batches * size == len(np.unique(rows))
        assert n_rows - len(rows) < 8 * batches.n_batches
    seen = np.bincount(np.concatenate(epochs), minlength=n_rows)
    assert seen.min() > 260
