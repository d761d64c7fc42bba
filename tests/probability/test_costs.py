"""Decisions by cost against brute force, and against the Bayes decision of a known posterior."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, make_scorer
from sklearn.model_selection import cross_val_score

from skimb.probability import cost_savings, expected_cost, min_cost
from skimb.probability.costs import cost_matrix

RNG = np.random.default_rng(0)
PROBA = softmax(RNG.normal(size=(200, 4)) * 2, axis=1)
FOUR = np.array([[0, 1, 2, 5], [3, 0, 1, 4], [10, 6, 0, 2], [50, 40, 20, 0.0]])


def by_brute_force(proba, costs):
    chosen = []
    for i, p in enumerate(proba):
        matrix = costs if np.ndim(costs) == 2 else costs[i]
        expected = [sum(p[k] * matrix[k][j] for k in range(len(p))) for j in range(len(p))]
        chosen.append(int(np.argmin(expected)))
    return chosen


class TestMinCost:
    def test_equals_brute_force(self):
        assert_array_equal(min_cost(PROBA, FOUR), by_brute_force(PROBA, FOUR))

    def test_costs_of_each_sample_equal_brute_force(self):
        costs = RNG.normal(size=(200, 4, 4))
        assert_array_equal(min_cost(PROBA, costs), by_brute_force(PROBA, costs))

    def test_equal_errors_are_the_most_probable_class(self):
        assert_array_equal(min_cost(PROBA, 1 - np.eye(4)), PROBA.argmax(axis=1))

    @pytest.mark.parametrize("positive", [0, 1])
    def test_of_two_classes_the_threshold_is_the_ratio_of_costs(self, positive):
        p = np.linspace(0.0005, 0.9995, 500)
        found = min_cost(p, {"fp": 1, "fn": 20}, positive=positive)
        assert_array_equal(found == positive, p > 1 / 21)
        both = np.column_stack([1 - p, p])[:, :: 1 if positive else -1]
        assert_array_equal(min_cost(both, {"fp": 1, "fn": 20}, positive=positive), found)

    def test_gains_of_right_decisions_count(self):
        # 0.1 * 10 - 0.9 * 1 > 0, with the opposite sign
        assert_array_equal(min_cost([0.08, 0.1], {"tp": -10, "fp": 1, "fn": 0}), [0, 1])

    def test_amounts_as_costs_of_a_miss(self):
        p, amount = RNG.random(100), RNG.exponential(100, 100)
        found = min_cost(p, {"fp": 5, "tp": 5, "fn": amount})
        assert_array_equal(found, p * amount > 5)
        matrices = np.stack([[np.zeros(100), np.full(100, 5)], [amount, np.full(100, 5)]])
        assert_array_equal(min_cost(p, np.moveaxis(matrices, -1, 0)), found)

    def test_of_equal_costs_the_first_class(self):
        assert_array_equal(min_cost([0.5, 0.5], {"fp": 1, "fn": 1}), [0, 0])

    @pytest.mark.parametrize(
        "costs", [FOUR[:, [0, 1, 2, 2]], FOUR + np.array([0, 0, 0, 100])], ids=["equal", "dearer"]
    )
    def test_a_class_that_is_never_predicted_warns(self, costs):
        with pytest.warns(UserWarning, match="position 3 is never predicted"):
            assert (min_cost(PROBA, costs) != 3).all()

    def test_the_warning_is_about_matrices_for_all_samples(self, recwarn):
        min_cost(PROBA, FOUR)
        min_cost(PROBA[:, :2] / PROBA[:, :2].sum(axis=1, keepdims=True), np.zeros((200, 2, 2)))
        assert not recwarn.list

    @pytest.mark.parametrize(
        ("p", "costs", "message"),
        [
            (PROBA, np.eye(3), r"shape (3, 3), but there are 4 classes. Accepted are (4, 4)"),
            (PROBA, np.ones((7, 4, 4)), "(200, 4, 4) for costs of each sample"),
            (PROBA, {"fp": 1, "fn": 2}, "not accepted for 4 classes"),
            ([0.2], {"fp": 1}, "must have the costs 'fp' and 'fn'"),
            ([0.2], {"fp": 1, "fn": 2, "miss": 3}, "must have the costs 'fp' and 'fn'"),
            ([0.2], {"fp": 1, "fn": np.nan}, "finite"),
            ([0.2], {"fp": 1, "fn": [1, 2, 3]}, "(1, 2, 2) for costs of each sample"),
            ([0.2], {"fp": [1, 2], "fn": [1, 2, 3]}, "array with one for each sample"),
            ([0.2], {"fp": 0, "fn": 0}, "does not depend on the prediction"),
            ([1.2], {"fp": 1, "fn": 2}, "p must be in [0, 1]"),
        ],
    )
    def test_errors(self, p, costs, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            min_cost(p, costs)

    def test_costs_of_each_sample_are_not_accepted_before_the_samples_are_known(self):
        with pytest.raises(ValueError, match=r"Accepted are \(2, 2\)"):
            cost_matrix(np.zeros((5, 2, 2)), 2)


class TestExpectedCost:
    y, predicted = RNG.integers(4, size=200), RNG.integers(4, size=200)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_equals_the_confusion_matrix_times_the_costs(self, weighted):
        weight = RNG.exponential(size=200) if weighted else None
        counts = confusion_matrix(self.y, self.predicted, sample_weight=weight)
        found = expected_cost(self.y, self.predicted, FOUR, sample_weight=weight)
        assert found == pytest.approx((counts * FOUR).sum() / counts.sum())

    def test_probabilities_are_decided_at_least_cost(self):
        expected = np.mean(FOUR[self.y, by_brute_force(PROBA, FOUR)])
        assert expected_cost(self.y, PROBA, FOUR) == pytest.approx(expected)

    def test_costs_of_each_sample(self):
        costs = RNG.random((200, 4, 4))
        expected = np.mean([c[k, j] for c, k, j in zip(costs, self.y, self.predicted, strict=True)])
        assert expected_cost(self.y, self.predicted, costs) == pytest.approx(expected)

    @pytest.mark.parametrize("names", [("ok", "bad"), ("fine", "wrong")])
    def test_text_labels_with_the_positive_one_on_either_side(self, names):
        y = np.array(names)[[0, 0, 0, 1, 1]]
        predicted = np.array(names)[[0, 1, 0, 0, 1]]
        found = expected_cost(y, predicted, {"fp": 1, "fn": 20}, pos_label=names[1])
        assert found == pytest.approx(21 / 5)
        p = [0.01, 0.1, 0.02, 0.03, 0.7]
        assert expected_cost(y, p, {"fp": 1, "fn": 20}, pos_label=names[1]) == found

    def test_zeros_and_ones_are_labels_and_mean_the_same_as_probabilities(self):
        y, costs = [0, 0, 1], {"fp": 1, "fn": 20}
        assert expected_cost(y, [0, 1, 0], costs) == expected_cost(y, [0.0, 1.0, 0.0], costs) == 7

    def test_classes_that_y_lacks(self):
        found = expected_cost(["a", "a"], ["a", "b"], 1 - np.eye(3), classes=["a", "b", "c"])
        assert found == 0.5
        with pytest.raises(ValueError, match="but there are 2 classes"):
            expected_cost(["a", "a"], ["a", "b"], 1 - np.eye(3))

    def test_is_a_score_for_cross_validation(self):
        X = RNG.normal(size=(300, 2))
        y = (X[:, 0] + RNG.normal(size=300) > 1).astype(int)
        scorer = make_scorer(expected_cost, greater_is_better=False, costs={"fp": 1, "fn": 5})
        scores = cross_val_score(LogisticRegression(), X, y, scoring=scorer, error_score="raise")
        assert (scores < 0).all()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"y": np.eye(2, dtype=int)}, "exclude each other"),
            ({"pos_label": 7}, "pos_label=7 is not accepted"),
            ({"classes": [0, 2]}, "must be distinct and hold all labels"),
            ({"p_or_labels": [[0.1, 0.2, 0.7]] * 2}, "a column per class"),
            ({"p_or_labels": [0, 1, 0]}, "inconsistent numbers of samples"),
            ({"p_or_labels": [0.5, 7.0]}, "p must be in"),
        ],
    )
    def test_errors(self, arguments, message):
        valid = {"y": [0, 1], "p_or_labels": [0, 1], "costs": {"fp": 1, "fn": 2}}
        with pytest.raises(ValueError, match=message):
            expected_cost(**valid | arguments)


class TestCostSavings:
    def test_are_against_the_best_constant_decision(self):
        y = np.repeat([0, 1], [90, 10])
        costs = {"fp": 1, "fn": 20}
        assert cost_savings(y, y, costs) == 1
        # all positive costs 90, all negative 200
        assert cost_savings(y, np.ones(100, dtype=int), costs) == pytest.approx(0)
        assert cost_savings(y, 0 * y, costs) == pytest.approx(1 - 200 / 90)

    def test_a_constant_decision_that_costs_nothing_is_an_error(self):
        with pytest.raises(ValueError, match="no share can be saved"):
            cost_savings([0, 0], [0, 1], {"fp": 1, "fn": 20})


@pytest.mark.slow
def test_no_threshold_is_cheaper_than_the_known_posterior():
    rng = np.random.default_rng(1)
    y = (rng.random(100_000) < 0.05).astype(int)
    x = rng.normal(size=len(y)) + 2 * y
    posterior = 0.05 * norm.pdf(x - 2) / (0.05 * norm.pdf(x - 2) + 0.95 * norm.pdf(x))
    costs = {"fp": 1, "fn": 20}
    bayes = expected_cost(y, posterior, costs)
    others = [expected_cost(y, (x >= cut).astype(int), costs) for cut in np.linspace(-2, 4, 61)]
    assert min(others) > bayes * 0.995
    assert_allclose(
        np.linspace(-2, 4, 61)[np.argmin(others)], 2 / 2 + np.log(19 / 20) / 2, atol=0.15
    )
