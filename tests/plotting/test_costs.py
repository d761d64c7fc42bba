"""The display of costs: its numbers, and where an estimator decides."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier

from skimb import ImbalancedNNClassifier
from skimb.plotting import CostDisplay
from skimb.probability import expected_cost

COSTS = {"fp": 1.0, "fn": 20.0}


@pytest.fixture(autouse=True)
def no_figures_stay_open():
    from matplotlib import pyplot as plt

    yield
    plt.close("all")


def scored(n=200, share=0.1):
    rng = np.random.default_rng(0)
    y = (rng.random(n) < share).astype(int)
    return rng, y, np.round(1 / (1 + np.exp(-rng.normal(2.5 * y - 1.5, 1))), 2)  # with ties


def test_cost_at_each_threshold_is_that_of_the_predictions():
    rng, y, p = scored()
    weight = rng.uniform(0.5, 2, len(y))
    amounts = {"fp": 5.0, "tp": 5.0, "fn": rng.lognormal(3, 1, len(y))}
    for costs in (COSTS, [[0, 1], [7, -2]], amounts):
        display = CostDisplay.from_predictions(y, p, costs, sample_weight=weight)
        expected = [
            expected_cost(y, (p >= cut).astype(int), costs, sample_weight=weight)
            for cut in display.thresholds
        ]
        assert_allclose(display.cost, expected)
        assert display.constant == pytest.approx(min(expected[0], expected[-1]))


def test_positive_class_may_be_the_first_of_the_labels():
    _, y, p = scored()
    names = np.where(y == 1, "bad", "good")
    by_name = CostDisplay.from_predictions(names, p, COSTS, pos_label="bad", threshold=0.3)
    by_code = CostDisplay.from_predictions(y, p, COSTS, threshold=0.3)
    assert_allclose(by_name.cost, by_code.cost)
    predicted = np.where(p >= 0.3, "bad", "good")
    assert by_name.at_threshold == pytest.approx(
        expected_cost(names, predicted, COSTS, pos_label="bad")
    )
    assert "class bad" in by_name.ax_.get_xlabel()


@pytest.mark.parametrize("threshold", [2.0, np.inf])
def test_threshold_above_all_scores_costs_the_misses(threshold):
    _, y, p = scored()
    display = CostDisplay.from_predictions(y, p, COSTS, threshold=threshold)
    assert display.at_threshold == pytest.approx(20 * y.mean())


def test_estimator_is_marked_where_it_decides(binary):
    X, y = binary
    names = np.where(y == 1, "fraud", "usual")
    clf = ImbalancedNNClassifier(
        "mlp", epochs=20, class_weight="balanced", costs=COSTS, random_state=0
    ).fit(X, names)
    display = CostDisplay.from_estimator(clf, X, names)
    assert display.pos_label == "fraud"
    predicted = clf.predict(X)
    assert display.at_threshold == pytest.approx(
        expected_cost(names, predicted, COSTS, pos_label="fraud")
    )
    assert_allclose(display.threshold_.get_xdata()[0], display.threshold)


def test_any_classifier_is_drawn_with_costs_that_are_passed(binary):
    X, y = binary
    fixed = FixedThresholdClassifier(LogisticRegression(), threshold=0.2).fit(X, y)
    display = CostDisplay.from_estimator(fixed, X, y, costs=COSTS)
    assert display.at_threshold == pytest.approx(expected_cost(y, fixed.predict(X), COSTS))
    assert 0.2 <= display.threshold < 0.3


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda X, y: CostDisplay.from_estimator(LogisticRegression().fit(X, y), X, y), "costs=N"),
        (lambda X, y: CostDisplay.from_predictions(y, np.zeros((len(y), 2)), COSTS), "two classes"),
        (lambda X, y: CostDisplay.from_predictions(y, X[:, 0], np.eye(3)), "shape"),
        (lambda X, y: CostDisplay.from_predictions(y, X[:, 0], COSTS, pos_label=7), "pos_label=7"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_with_its_cure(binary, call, said):
    with pytest.raises(ValueError, match=said):
        call(*binary)
