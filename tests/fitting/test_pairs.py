"""Pairs of features that decide together, with which trees of a cross-fitted ensemble begin."""

from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from scipy.stats import chi2_contingency
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

from skimb import ImbalancedNNClassifier
from skimb.data.folds import Folds
from skimb.data.samples import Samples, Schema
from skimb.data.tables import FeatureEncoder
from skimb.fitting import fold_training
from skimb.fitting.pairs import Parts, pairs_of_folds, parts_of, scores_of_pairs
from skimb.networks import initial_values, mlp_ensemble, with_pairs
from skimb.networks.trees import N_TREES, TREE_MEMBERS

FEW_EPOCHS = {"epochs": 2, "random_state": 0}


def samples_of(X, y, weight=None):
    n = len(y)
    weight = np.ones(n) if weight is None else weight
    return Samples(X, y, weight, Schema(X.shape[1], None, X.shape[1:]), np.arange(n), n)


def two_folds(n):
    first = np.arange(n) % 2 == 0
    return Folds(np.column_stack([first, ~first]), np.column_stack([~first, first]))


def found(X, y, weight=None, encoder=None, folds=None, seed=0):
    """Return the pairs of the first columns of features, of each fold."""
    samples = samples_of(X, y, weight)
    folds = two_folds(len(y)) if folds is None else folds
    of_folds = pairs_of_folds(samples, folds, encoder, seed)
    return [[(int(a[0]), int(b[0])) for a, b in pairs] for pairs in of_folds]


def drawn(log_odds, rng):
    return (rng.random(len(log_odds)) < expit(log_odds)).astype(int)


def product_of_two(n=2000, seed=0):
    """Return features of which the product of two decides, and a third one by itself."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8))
    return X, drawn(2 * X[:, 1] * X[:, 6] + 2 * X[:, 3] - 3, rng)


def test_the_pair_that_decides_has_the_first_trees_of_every_fold():
    for pairs in found(*product_of_two()):
        assert len(pairs) == N_TREES
        assert pairs[0] == (1, 6)
        assert pairs.count((1, 6)) >= 3


def test_scores_are_the_squared_rests_of_each_cell_over_their_variance():
    rng = np.random.default_rng(0)
    n = 200
    cells = np.column_stack([rng.integers(size, size=n) for size in (3, 2, 4)])
    codes, weight, p = rng.integers(2, size=n), rng.uniform(0.5, 2, n), rng.uniform(0.1, 0.6, n)
    indicators = np.hstack([cells[:, [j]] == np.arange(size) for j, size in enumerate((3, 2, 4))])
    scores = scores_of_pairs(Parts(indicators, np.array([0, 3, 5])), codes, weight, p)
    for one, other in combinations(range(3), 2):
        gain = expected = 0.0
        for cell in np.unique(cells[:, [one, other]], axis=0):
            inside = (cells[:, [one, other]] == cell).all(axis=1)
            variance = np.sum((weight * p * (1 - p))[inside])
            gain += np.sum((weight * (codes - p))[inside]) ** 2 / (variance + 1)
            expected += variance / (variance + 1)
        assert scores[one, other] == pytest.approx((gain - expected) / (2 * expected) ** 0.5, 1e-4)


def test_scores_of_labels_that_the_probabilities_explain_are_those_of_chance():
    scores = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        cells = rng.integers(3, size=(2000, 2))
        indicators = np.hstack([cells[:, [j]] == np.arange(3) for j in range(2)])
        p = expit(cells[:, 0] + cells[:, 1] - 4.0)
        codes = (rng.random(len(p)) < p).astype(int)
        parts = Parts(indicators, np.array([0, 3]))
        scores.append(scores_of_pairs(parts, codes, np.ones(len(p)), p)[0, 1])
    assert abs(np.mean(scores)) < 0.2  # three standard errors
    assert 0.8 < np.std(scores) < 1.2


def test_pairs_of_categories_are_those_of_a_test_of_independence():
    rng = np.random.default_rng(0)
    codes = rng.integers(4, size=(3000, 6))
    y = drawn(rng.normal(0, 1.5, (4, 4))[codes[:, 2], codes[:, 5]] - 3, rng)
    X = pd.DataFrame({f"c{j}": np.array([*"abcd"])[column] for j, column in enumerate(codes.T)})
    encoder = FeatureEncoder().fit(X, np.ones(len(y)))
    trained = np.ones((len(y), 1), dtype=bool)
    folds = Folds(trained, ~trained)
    (pairs,) = found(encoder.transform(X), y, encoder=encoder, folds=folds)

    def p_value(pair):
        cells = codes[:, pair[0]] * 4 + codes[:, pair[1]]
        return chi2_contingency(np.histogram2d(cells, y, [np.arange(17), [0, 1, 2]])[0]).pvalue

    strongest = min(combinations(range(6), 2), key=p_value)
    assert strongest == (2, 5)
    assert (pairs[0][0] // 4, pairs[0][1] // 4) == strongest  # four columns a feature


def test_columns_of_a_feature_are_together():
    rng = np.random.default_rng(0)
    n = 1500
    kinds, number = rng.integers(3, size=n), rng.normal(size=n)
    y = drawn(np.where(kinds == 1, 3.0, -3.0) * number - 2, rng)
    X = pd.DataFrame({"kind": np.array([*"abc"])[kinds], "number": number})
    encoder = FeatureEncoder().fit(X, np.ones(n))
    (pairs, _) = pairs_of_folds(samples_of(encoder.transform(X), y), two_folds(n), encoder, 0)
    number_of, kind_of = pairs[0]
    assert_array_equal(number_of, [0])
    assert_array_equal(kind_of, [1, 2, 3])


def test_labels_that_a_fold_holds_out_change_nothing_of_its_pairs():
    X, y = product_of_two()
    folds = two_folds(len(y))
    other = y.copy()
    other[folds.held_out[:, 0]] = np.random.default_rng(1).permutation(other[folds.held_out[:, 0]])
    before, after = found(X, y), found(X, other)
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_a_sample_of_weight_two_counts_as_two():
    X, y = product_of_two(600)
    weight = np.random.default_rng(1).integers(1, 4, size=len(y))
    repeated = np.repeat(np.arange(len(y)), weight)
    folds = two_folds(len(y))
    assert found(X, y, weight.astype(float)) == found(
        X[repeated], y[repeated], folds=folds.take(repeated)
    )


def test_what_is_looked_at_of_many_samples_stands_for_all():
    X, y = product_of_two(60_000)
    assert (y == 0).sum() > 30_000  # of which a sixth is looked at
    for seed in range(3):
        assert [pairs[0] for pairs in found(X, y, seed=seed)] == [(1, 6)] * 2


def test_many_samples_do_not_make_pairs_of_chance():
    # the scores of chance would grow with the number of samples that each one stands for
    rng = np.random.default_rng(0)
    n = 100_000
    X = rng.normal(size=(n, 8))
    y = drawn(X[:, 0] - X[:, 3] - 3, rng)
    for pairs in found(X, y):
        assert Counter(pairs).most_common(1)[0][1] < N_TREES / 2


@pytest.mark.parametrize("zeros", [0.5, 0.75, 0.9])
@pytest.mark.parametrize("sign", [1, -1])
def test_amounts_that_are_mostly_zero_are_paired(zeros, sign):
    rng = np.random.default_rng(0)
    n = 6000
    X = rng.normal(size=(n, 6))
    X[:, 1] = sign * np.where(rng.random(n) < zeros, 0, rng.lognormal(3, 1, n))
    y = drawn(4 * (X[:, 1] != 0) * X[:, 4] + 1.5 * X[:, 0] - 2.5, rng)
    for pairs in found(X, y):
        assert pairs[0] == (1, 4)


@pytest.mark.parametrize("n_parts", [2, 5, 8])
def test_parts_are_those_of_the_quantiles_of_numpy(n_parts):
    rng = np.random.default_rng(0)
    column = np.column_stack([rng.normal(size=1000)])
    parts = parts_of(column, np.ones(1000), [np.array([0])], n_parts).indicators
    assert_array_equal(parts.sum(axis=1), 1)
    edges = np.quantile(column, np.arange(1, n_parts) / n_parts, method="inverted_cdf")
    assert_array_equal(parts.argmax(axis=1), np.searchsorted(edges, column[:, 0]))


def test_a_value_of_most_samples_is_a_part_and_none_is_empty():
    rng = np.random.default_rng(0)
    rest = rng.normal(size=1000)
    for value in (rest.min() - 1, 0.0, rest.max() + 1):
        column = np.where(rng.random(1000) < 0.6, value, rest)[:, None]
        parts = parts_of(column, np.ones(1000), [np.array([0])], 5).indicators
        assert parts.any(axis=0).all()
        assert parts.shape[1] > 1
        of_value = parts[column[:, 0] == value]
        assert_array_equal(of_value, np.broadcast_to(of_value[0], of_value.shape))


def test_a_constant_is_in_no_pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 6))
    X[:, 5] = 1.0
    y = drawn(3 * X[:, 0] - 2, rng)
    for pairs in found(X, y):
        assert all(5 not in pair for pair in pairs)


@pytest.mark.parametrize("weight", [1e-6, 1e6, 1e13, 1e40, 1e300])
def test_weights_of_any_size_are_no_trouble(weight, recwarn):
    X, y = product_of_two(400)
    pairs = found(X, y, np.full(len(y), weight))
    assert not recwarn.list
    if weight > 1:
        assert all(len(of_fold) == N_TREES for of_fold in pairs)
    else:  # less than a sample
        assert pairs == [[], []]


def test_of_many_features_those_with_an_effect_are_paired():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 150))
    X[:, 130] = np.sign(X[:, 130])
    y = drawn(2 * X[:, 20] * X[:, 130] + 1.5 * (X[:, 20] + X[:, 130]) - 3, rng)
    assert [pairs[0] for pairs in found(X, y)] == [(20, 130)] * 2


@pytest.mark.parametrize(
    "columns",
    [
        lambda X: X[:, :1],
        lambda X: np.zeros_like(X),
        lambda X: np.column_stack([X[:, 0], np.zeros(len(X))]),
    ],
    ids=["one", "constant", "one and a constant"],
)
def test_there_may_be_nothing_to_pair(columns):
    X, y = product_of_two(400)
    assert found(columns(X), y) == [[], []]


def test_a_fold_without_positives_has_no_pairs():
    X, y = product_of_two(400)
    y[::2] = 0
    without, with_both = found(X, y)
    assert without == []
    assert len(with_both) == N_TREES


def test_trees_begin_with_the_columns_of_their_pair_and_others_as_before():
    model = mlp_ensemble((6,), 1, n_members=5, n_tree_members=4)
    values = initial_values(model, np.random.RandomState(0))
    pairs = [[(np.array([1]), np.array([3, 4])), (np.array([5]), np.array([0]))], [], [], []]
    at = [v is model.get_layer(TREE_MEMBERS).selection for v in model.variables].index(True)
    before, after = values[at].copy(), with_pairs(model, values, pairs)[at]
    assert_array_equal(values[at], before)
    share = softmax(24 * after, axis=1)  # what a split is a mean of
    assert (share[0, 1, 0, :2] > 0.9).all()
    assert (share[0, [3, 4], 0, 2:].sum(axis=0) > 0.9).all()
    assert_allclose(  # the proportions within a feature are the random ones
        share[0, 3, 0, 2:] / share[0, 4, 0, 2:],
        np.exp(24 * (before[0, 3, 0, 2:] - before[0, 4, 0, 2:])),
        rtol=1e-4,
    )
    assert (share[0, 5, 1, :2] > 0.9).all()
    assert (share[0, 0, 1, 2:] > 0.9).all()
    assert_array_equal(after[0, :, 2:], before[0, :, 2:])
    assert_array_equal(after[1:], before[1:])


@pytest.mark.parametrize("target", ["three classes", "two labels"])
def test_targets_of_several_outputs_have_no_pairs(target, monkeypatch):
    def never(*given):
        raise AssertionError("pairs are of one output")

    monkeypatch.setattr("skimb.fitting.pairs.pairs_of_folds", never)
    X, y = product_of_two(300)
    y = y + (X[:, 0] > 1) if target == "three classes" else np.column_stack([y, X[:, 0] > 1])
    clf = ImbalancedNNClassifier(**FEW_EPOCHS).fit(X, y.astype(int))
    assert "trees" in clf.cv_results_["param_view"]


def test_pairs_are_reproducible_and_of_the_user_s_folds():
    X, y = product_of_two(300)
    folds = list(StratifiedKFold(3).split(X, y))
    fits = [ImbalancedNNClassifier(**FEW_EPOCHS, cv=folds).fit(X, y) for _ in range(2)]
    assert_array_equal(*[clf.predict_proba(X) for clf in fits])


@pytest.mark.slow
def test_pairs_of_categories_are_learned_from_few_positives(monkeypatch):
    rng = np.random.default_rng(0)
    n, n_train = 12_000, 4000
    codes = rng.integers(6, size=(n, 15))
    first, second = rng.normal(0, 1.5, (2, 6, 6))
    log_odds = first[codes[:, 0], codes[:, 1]] + second[codes[:, 2], codes[:, 3]] - 4.5
    y = drawn(log_odds, rng)
    X = pd.DataFrame({f"c{j}": np.array([*"abcdef"])[column] for j, column in enumerate(codes.T)})

    def precision():
        clf = ImbalancedNNClassifier(random_state=0).fit(X[:n_train], y[:n_train])
        return average_precision_score(y[n_train:], clf.predict_proba(X[n_train:])[:, 1])

    begun = precision()
    monkeypatch.setattr(fold_training, "begun_with_pairs", lambda built, *given: built)
    at_random = precision()
    best_possible = average_precision_score(y[n_train:], log_odds[n_train:])
    assert begun > at_random + 0.2 * (best_possible - at_random)
