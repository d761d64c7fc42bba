"""Prediction sets: coverage of each class in populations that are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax

from skimb.probability import prediction_sets, set_thresholds


def population(n, rng, share=(0.9, 0.07, 0.03)):
    y = rng.choice(len(share), n, p=share)
    logits = np.log(share) + rng.normal(size=(n, len(share)))
    logits[np.arange(n), y] += 1.5
    return y, softmax(logits, axis=1)


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_each_class_is_covered_the_rare_one_too(coverage):
    rng = np.random.default_rng(0)
    y_test, p_test = population(20_000, rng)
    found = []
    for _ in range(60):
        sets = prediction_sets(p_test, set_thresholds(*population(1500, rng), coverage))
        hit = sets[np.arange(len(y_test)), y_test]
        found.append([hit[y_test == k].mean() for k in range(3)])
    assert_allclose(np.mean(found, axis=0), coverage, atol=0.02)


def test_limit_is_the_order_statistic_of_each_class():
    rng = np.random.default_rng(0)
    y, p = np.repeat([0, 1], [50, 19]), rng.random(69)
    limits = set_thresholds(y, p, 0.9)
    # floor(51 * .1) = 5 and floor(20 * .1) = 2
    assert_allclose(limits, [np.sort(1 - p[:50])[4], np.sort(p[50:])[1]])


def test_ties_and_constant_scores_are_in_the_sets():
    y = np.repeat([0, 1], [50, 20])
    assert prediction_sets([0.3], set_thresholds(y, np.full(70, 0.3), 0.9)).all()


@pytest.mark.parametrize("rare", ["a rare one", "the rare one"])
def test_text_labels_whichever_sorts_first(rare):
    rng = np.random.default_rng(0)
    y, p = rng.random(200) < 0.2, rng.random(200)
    names = np.where(y, rare, "most")
    first = rare < "most"
    expected = set_thresholds(y.astype(int), p)
    limits = set_thresholds(names, p, pos_label=rare)
    assert_allclose(limits, expected[::-1] if first else expected)
    sets = prediction_sets(p, limits, positive=0 if first else 1)
    expected_sets = prediction_sets(p, expected)
    assert_array_equal(sets, expected_sets[:, ::-1] if first else expected_sets)


def test_a_class_with_too_few_samples_is_in_every_set():
    y, p = np.repeat([0, 1], [30, 8]), np.linspace(0, 1, 38)
    with pytest.warns(UserWarning, match=r"\[1\] are in every .* at least 9 samples"):
        limits = set_thresholds(y, p, 0.9)
    assert limits[1] == 0
    with pytest.warns(UserWarning, match=r"\['c'\] are in every"):
        limits = set_thresholds(
            np.repeat(["a", "b"], 20), np.full((40, 3), 1 / 3), classes=["a", "b", "c"]
        )
    assert limits[2] == 0


def test_nine_samples_are_enough_for_nine_in_ten(recwarn):
    y, p = np.repeat([0, 1], [9, 9]), np.linspace(0.01, 0.99, 18)
    assert set_thresholds(y, p, 0.9)[1] == p[9]
    assert not recwarn.list


def test_samples_of_weight_zero_are_left_out_and_equal_weights_change_nothing():
    rng = np.random.default_rng(0)
    y, p = population(400, rng)
    weight = 0.3 * (rng.random(400) < 0.8)
    expected = set_thresholds(y[weight > 0], p[weight > 0], 0.8)
    assert_allclose(set_thresholds(y, p, 0.8, sample_weight=weight), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coverage": 1}, "coverage must be a number between 0 and 1"),
        ({"coverage": "0.9"}, "coverage must be a number between 0 and 1"),
        ({"y": np.eye(2, dtype=int)}, "exclude each other"),
        ({"p": [0.2, 1.7]}, r"p must be in \[0, 1\]"),
        ({"p": [[0.2, 0.2, 0.6]] * 2}, "there are 2 classes"),
        ({"pos_label": 5}, "pos_label=5"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        set_thresholds(**{"y": [0, 1], "p": [0.2, 0.8], "coverage": 0.5} | arguments)


def test_thresholds_of_another_shape_are_an_error():
    with pytest.raises(ValueError, match="each of the 2 classes"):
        prediction_sets([0.2], [0.1, 0.2, 0.3])
