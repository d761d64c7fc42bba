"""Thresholds against every cut tried, corrections against models whose posterior is known."""

import re
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, softmax
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, fbeta_score, get_scorer, make_scorer

from skimb.probability import (
    apply_threshold,
    best_threshold,
    correct_focal,
    correct_prior,
    expected_calibration_error,
)
from skimb.probability import class_thresholds as ascent
from skimb.probability.cut_scores import Rows

OF_A_CLASS = ["f1", "jaccard", "precision", "recall"]
BINARY_METRICS = [
    *(f"{name}{mean}" for name in OF_A_CLASS for mean in ("", "_macro", "_micro", "_weighted")),
    *("accuracy", "balanced_accuracy", "matthews_corrcoef", "mutual_info_score"),
]
# mutual information takes no weights
WEIGHTED_METRICS = BINARY_METRICS[:-1]


def score(metric, y_true, y_pred, weight=None, **kwargs):
    scorer = get_scorer(metric)
    kwargs = scorer._kwargs | kwargs | ({} if weight is None else {"sample_weight": weight})
    return scorer._sign * scorer._score_func(y_true, y_pred, **kwargs)


def best_over_all_cuts(metric, y, scores, weight=None):
    cuts = [*np.unique(scores), np.inf]
    return max(score(metric, y, (scores >= cut).astype(int), weight) for cut in cuts)


def tables(n=36):
    rng = np.random.default_rng(0)
    y = rng.random(n) < 0.2
    informed = expit(rng.normal(size=n) + 2 * y - 1)
    alone = np.zeros(n, dtype=int)
    alone[7] = 1
    return {
        "informed": (y.astype(int), informed),
        "ties": (y.astype(int), informed.round(1)),
        "misleading": (y.astype(int), 1 - informed),
        "constant": (y.astype(int), np.full(n, 0.3)),
        "one positive": (alone, rng.random(n)),
        "zeros and ones": (y.astype(int), np.where(rng.random(n) < 0.7, y, ~y).astype(float)),
        "logits": (y.astype(int), 3 * logit(informed)),
    }


@pytest.fixture
def three_classes():
    rng = np.random.default_rng(1)
    y = rng.choice(3, 300, p=[0.8, 0.15, 0.05])
    return y, softmax(1.5 * np.eye(3)[y] + rng.normal(size=(300, 3)) + [2, 0, 0], axis=1)


class TestBestThreshold:
    @pytest.mark.parametrize("metric", BINARY_METRICS)
    @pytest.mark.parametrize(("y", "scores"), tables().values(), ids=tables())
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
    def test_no_cut_scores_better(self, metric, y, scores):
        found = apply_threshold(scores, best_threshold(y, scores, metric))
        assert_allclose(score(metric, y, found), best_over_all_cuts(metric, y, scores), rtol=1e-12)

    @pytest.mark.parametrize("metric", WEIGHTED_METRICS)
    @pytest.mark.parametrize(("y", "scores"), tables().values(), ids=tables())
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
    def test_no_cut_scores_better_with_weights(self, metric, y, scores):
        weight = np.random.default_rng(1).exponential(size=len(y))
        found = apply_threshold(scores, best_threshold(y, scores, metric, sample_weight=weight))
        best = best_over_all_cuts(metric, y, scores, weight)
        assert_allclose(score(metric, y, found, weight), best, rtol=1e-12)

    def test_integer_weights_equal_repeated_rows_and_zeros_left_out_rows(self):
        y, scores = tables()["informed"]
        repeats = np.random.default_rng(0).integers(0, 4, len(y))
        repeated = best_threshold(np.repeat(y, repeats), np.repeat(scores, repeats))
        assert best_threshold(y, scores, sample_weight=repeats) == repeated

    def test_lies_midway_between_the_scores_next_to_the_cut(self):
        assert best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9]) == pytest.approx(0.4)

    def test_of_equal_cuts_the_one_closest_to_one_half(self):
        # accuracy is 2/3 for no row, the first, or all but the last positive
        y, scores = [1, 0, 1, 0, 0, 0], [0.9, 0.8, 0.65, 0.3, 0.2, 0.1]
        assert best_threshold(y, scores, "accuracy") == pytest.approx((0.65 + 0.3) / 2)
        assert best_threshold([1, 0], [0.2, 0.8], "accuracy") == 0.9
        assert best_threshold([0, 1], [0.5, 0.5], "recall") == 0.25

    @pytest.mark.parametrize(
        ("y", "scores", "expected", "positives"),
        [
            ([1, 1, 1, 0], [0.2, 0.4, 0.2, 0.2], 0.1, 4),
            ([1, 1, 1, 0], [0.0, 0.4, 0.0, 0.0], 0.0, 4),
            ([0, 0, 1], [0.8, 0.4, 0.4], 0.9, 0),
            ([0, 0, 1], [1.0, 0.4, 0.4], np.nextafter(1, 2), 0),
        ],
    )
    def test_all_or_no_row_positive(self, y, scores, expected, positives):
        threshold = best_threshold(y, scores, "accuracy")
        assert threshold == pytest.approx(expected, abs=1e-16)
        assert apply_threshold(scores, threshold).sum() == positives

    def test_neighbouring_floats_are_told_apart(self):
        scores = [0.3, np.nextafter(0.3, 1)]
        assert_array_equal(apply_threshold(scores, best_threshold([0, 1], scores)), [0, 1])

    def test_string_labels_and_the_smaller_as_positive(self):
        y, scores = tables()["ties"]
        names = np.where(y == 1, "fraud", "ok")
        expected = best_threshold(y, scores)
        both = np.column_stack([scores, 1 - scores])
        assert best_threshold(names, scores, pos_label="fraud") == expected
        assert best_threshold(names, both, pos_label="fraud") == expected
        assert best_threshold(y, both[:, ::-1]) == expected
        assert best_threshold(names, 1 - scores, "f1") == best_threshold(1 - y, 1 - scores)

    @pytest.mark.parametrize("metric", [make_scorer(fbeta_score, beta=2), "callable"])
    def test_scorers_and_callables(self, metric):
        y, scores = tables()["informed"]

        def f2(y_true, y_pred, sample_weight=None):
            return fbeta_score(y_true, y_pred, beta=2, sample_weight=sample_weight)

        weight = np.random.default_rng(1).exponential(size=len(y))
        threshold = best_threshold(
            y, scores, f2 if metric == "callable" else metric, sample_weight=weight
        )
        best = max(f2(y, scores >= cut, weight) for cut in np.unique(scores))
        assert f2(y, scores >= threshold, weight) == best

    def test_callable_sees_labels_and_is_avoided_where_nan(self):
        def metric(y_true, y_pred):
            assert set(y_true) | set(y_pred) <= {"no", "yes"}
            return np.mean(y_true[y_pred == "yes"] == "yes") if "yes" in y_pred else np.nan

        assert best_threshold(["no", "yes", "no"], [0.2, 0.7, 0.9], metric) == pytest.approx(0.45)

    def test_errors_count_negatively(self):
        y, scores = tables()["informed"]
        assert best_threshold(y, scores, "neg_mean_squared_error") == best_threshold(
            y, scores, "accuracy"
        )

    @pytest.mark.parametrize("metric", ["f1", "f1_macro", "accuracy", "mutual_info_score"])
    @pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
    def test_each_label_by_itself(self, metric, make):
        y, scores = zip(*(tables()[name] for name in ("informed", "ties")), strict=True)
        Y, S = np.column_stack([*y, 0 * y[0]]), np.column_stack([*scores, scores[0]])
        name = "f1" if metric == "f1_macro" else metric
        expected = [*map(best_threshold, y, scores, [name, name]), 0.5]
        thresholds = best_threshold(make(Y), S, metric)
        assert_array_equal(thresholds, expected)
        assert_array_equal(
            apply_threshold(S, thresholds, multilabel=True), np.greater_equal(S, expected)
        )


class TestClassThresholds:
    @pytest.mark.parametrize(
        ("metric", "weighted"),
        [*((name, False) for name in BINARY_METRICS), *((name, True) for name in WEIGHTED_METRICS)],
    )
    def test_never_worse_than_the_most_probable_class(self, three_classes, metric, weighted):
        y, proba = (values[:100] for values in three_classes)
        weight = np.random.default_rng(0).exponential(size=100) if weighted else None
        thresholds = best_threshold(y, proba, metric, sample_weight=weight)
        name = f"{metric}_macro" if metric in OF_A_CLASS else metric
        kwargs = {"zero_division": 0.0} if metric.split("_")[0] in OF_A_CLASS else {}
        before = score(name, y, proba.argmax(axis=1), weight, **kwargs)
        after = score(name, y, apply_threshold(proba, thresholds), weight, **kwargs)
        assert after >= before - 1e-12
        assert thresholds.sum() == pytest.approx(1)

    def test_rare_classes_gain(self, three_classes):
        y, proba = three_classes
        after = f1_score(y, apply_threshold(proba, best_threshold(y, proba)), average="macro")
        assert after > f1_score(y, proba.argmax(axis=1), average="macro") + 0.05

    def test_equals_exhaustive_search_on_few_rows(self):
        reached = []
        grid = np.linspace(-6, 6, 121)
        shifts = np.stack(np.meshgrid([0.0], grid, grid), axis=-1).reshape(-1, 3)
        for seed in range(20):
            rng = np.random.default_rng(seed)
            y = np.r_[0, 1, 2, rng.choice(3, 9, p=[0.6, 0.2, 0.2])]
            log_p = log_softmax(np.eye(3)[y] + rng.normal(size=(12, 3)), axis=1)
            found = apply_threshold(np.exp(log_p), best_threshold(y, np.exp(log_p)))
            predicted = np.argmax(log_p - shifts[:, np.newaxis], axis=2)
            hits = np.stack([((predicted == k) & (y == k)).sum(axis=1) for k in range(3)], axis=1)
            counts = np.stack([(predicted == k).sum(axis=1) for k in range(3)], axis=1)
            best = (2 * hits / (counts + np.bincount(y))).mean(axis=1).max()
            reached.append(f1_score(y, found, average="macro") / best)
        assert np.mean(np.array(reached) > 1 - 1e-12) >= 0.8
        assert min(reached) > 0.9

    @pytest.mark.slow
    def test_callable_agrees_with_the_counts(self, three_classes):
        y, proba = (values[:60] for values in three_classes)

        def macro_f1(y_true, y_pred):
            return f1_score(y_true, y_pred, average="macro")

        names = np.array(["ok", "odd", "rare"])
        expected = best_threshold(y, proba)
        assert_allclose(best_threshold(names[y], proba, macro_f1, classes=names), expected)

    def test_labels_without_rows_are_not_tuned(self, three_classes):
        y, proba = three_classes
        thresholds = best_threshold(y[y < 2], proba[y < 2], "accuracy", classes=[0, 1, 2])
        assert thresholds.shape == (3,)
        assert (thresholds > 0).all()

    def test_zeros_and_ones(self):
        y, proba = [0, 1, 2, 2], np.eye(3)[[0, 1, 2, 1]]
        assert_array_equal(apply_threshold(proba, best_threshold(y, proba)), [0, 1, 2, 1])

    def test_equal_thresholds_are_the_most_probable_class(self, three_classes):
        _, proba = three_classes
        assert_array_equal(apply_threshold(proba, np.full(3, 0.2)), proba.argmax(axis=1))
        assert_array_equal(apply_threshold(proba, [1e-300, 1, 1]), np.zeros(300))


def many_classes(n, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    prior = 1 / (np.arange(n_classes) + 3.0)
    y = np.r_[np.arange(n_classes), rng.choice(n_classes, n - n_classes, p=prior / prior.sum())]
    logits = np.log(prior) + rng.normal(size=(n, n_classes))
    logits[np.arange(n), y] += 2.5
    return y, softmax(logits, axis=1)


class TestManyClasses:
    @pytest.mark.parametrize("metric", WEIGHTED_METRICS)
    @pytest.mark.parametrize("weighted", [False, True])
    def test_every_cut_scores_as_its_predictions_do(self, metric, weighted):
        y, proba = many_classes(25, 5)
        weight = np.random.default_rng(0).exponential(size=25) if weighted else None
        name = f"{metric}_macro" if metric in OF_A_CLASS else metric
        kwargs = {"zero_division": 0.0} if metric.split("_")[0] in OF_A_CLASS else {}
        rows = Rows(np.arange(5), y, weight, metric)
        for k in (0, 3):
            rivals = np.where(proba.argmax(axis=1) == k, (k + 1) % 5, proba.argmax(axis=1))
            order = np.argsort(-proba[:, k])
            expected = []
            for stop in range(26):
                predicted = rivals.copy()
                predicted[order[:stop]] = k
                expected.append(score(name, y, predicted, weight, **kwargs))
            found = rows.scores_at(np.arange(26), order, k, rivals)
            assert_allclose(found, expected, rtol=1e-12, atol=1e-12)

    def test_no_class_gains_by_another_cut_of_its_own(self):
        y, proba = many_classes(40, 5)
        thresholds = best_threshold(y, proba)
        reached = f1_score(y, apply_threshold(proba, thresholds), average="macro")
        for k in range(5):
            others = np.delete(proba / thresholds, k, axis=1).max(axis=1)
            for limit in (proba[:, k] / others) * (1 - 1e-9):
                moved = thresholds.copy()
                moved[k] = limit
                predicted = apply_threshold(proba, moved)
                assert f1_score(y, predicted, average="macro") <= reached + 1e-12

    @pytest.mark.slow
    def test_cuts_far_from_the_samples_of_a_class_are_not_missed(self, monkeypatch):
        for seed in range(2):
            y, proba = many_classes(1200, 60, seed)
            monkeypatch.setattr(ascent, "_ALL_CUTS", 2**16)
            near = apply_threshold(proba, best_threshold(y, proba))
            monkeypatch.setattr(ascent, "_ALL_CUTS", 2**30)
            every = apply_threshold(proba, best_threshold(y, proba))
            few, many = (f1_score(y, found, average="macro") for found in (near, every))
            assert few > f1_score(y, proba.argmax(axis=1), average="macro") + 0.05
            assert few >= many - 0.003

    def test_bounded_rounds_reach_nearly_the_same(self, monkeypatch):
        y, proba = many_classes(1500, 30)
        before = f1_score(y, proba.argmax(axis=1), average="macro")
        to_the_end = apply_threshold(proba, best_threshold(y, proba))
        monkeypatch.setattr(ascent, "_TO_THE_END", 0)
        bounded = apply_threshold(proba, best_threshold(y, proba))
        few, many = (f1_score(y, found, average="macro") for found in (bounded, to_the_end))
        assert few - before > 0.9 * (many - before)

    @pytest.mark.parametrize("metric", ["balanced_accuracy", "f1_weighted", "accuracy"])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_other_scores_of_many_classes_gain_too(self, metric, weighted):
        y, proba = many_classes(1800, 50)
        weight = np.random.default_rng(0).exponential(size=1800) if weighted else None
        found = apply_threshold(proba, best_threshold(y, proba, metric, sample_weight=weight))
        before = score(metric, y, proba.argmax(axis=1), weight)
        assert score(metric, y, found, weight) > before + 0.002

    @pytest.mark.slow
    def test_memory_grows_with_the_number_of_classes_not_with_its_square(self, monkeypatch):
        monkeypatch.setattr(ascent, "_TO_THE_END", 0)
        n, n_classes = 300, 250
        y, proba = many_classes(n, n_classes)
        names = np.array([f"class {k:03}" for k in range(n_classes)])
        tracemalloc.start()
        best_threshold(names[y], proba, classes=names)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12 * proba.nbytes  # a count per sample and pair of classes is 250 times

    def test_a_class_of_one_sample_and_an_absent_one(self):
        y, proba = many_classes(300, 12)
        y[y == 11] = 0
        thresholds = best_threshold(y, proba, classes=np.arange(12))
        assert (thresholds > 0).all()
        after = f1_score(y, apply_threshold(proba, thresholds), average="macro")
        assert after >= f1_score(y, proba.argmax(axis=1), average="macro")

    def test_probabilities_of_zero_and_one_of_many_classes(self):
        y = np.arange(40) % 20
        proba = np.eye(20)[np.where(y < 3, 5, y)]
        found = apply_threshold(proba, best_threshold(y, proba))
        assert_array_equal(found[y >= 3], y[y >= 3])


GAUSSIAN = np.linspace(-6, 8, 57)
PRIOR = np.array([0.97, 0.03])
JOINT = PRIOR * norm.pdf(GAUSSIAN[:, np.newaxis], [0, 2])
POSTERIOR = JOINT / JOINT.sum(axis=1, keepdims=True)


class TestCorrectPrior:
    @pytest.mark.parametrize("scale", [1, 17.0])
    def test_undoes_weights_by_bayes_rule(self, scale):
        weights = np.array([0.5, 20.0])
        weighted = JOINT * weights / (JOINT * weights).sum(axis=1, keepdims=True)
        assert_allclose(correct_prior(weighted, weights * scale), POSTERIOR, rtol=1e-10)
        assert_allclose(correct_prior(weighted[:, 1], weights), POSTERIOR[:, 1], rtol=1e-10)
        labels = correct_prior(weighted, [[20, 0.5], [0.5, 20]], multilabel=True)
        assert_allclose(labels, POSTERIOR, rtol=1e-10)

    def test_undoes_resampling_and_weights_on_top(self):
        resampled = JOINT / PRIOR * [0.6, 0.4]
        weighted = resampled * [1, 3]
        for joint, weights in ((resampled, None), (weighted, [1, 3])):
            proba = joint / joint.sum(axis=1, keepdims=True)
            options = {"trained_prior": [60, 40], "true_prior": PRIOR}
            assert_allclose(correct_prior(proba, weights, **options), POSTERIOR, rtol=1e-10)

    def test_a_model_trained_with_weights_returns_to_the_prior(self):
        rng = np.random.default_rng(0)
        y = (rng.random(40_000) < 0.03).astype(int)
        X = rng.normal(size=(40_000, 1)) + 2 * y[:, np.newaxis]
        model = LogisticRegression(C=1e6, class_weight={0: 1, 1: 97 / 3}).fit(X, y)
        corrected = correct_prior(model.predict_proba(X), [1, 97 / 3])[:, 1]
        assert corrected.mean() == pytest.approx(y.mean(), rel=0.05)
        before = expected_calibration_error(y, model.predict_proba(X))
        assert expected_calibration_error(y, corrected) < before / 10

    def test_round_trip(self, three_classes):
        proba, weights = three_classes[1], np.array([1, 5, 30.0])
        there = correct_prior(proba, 1 / weights)
        assert_allclose(correct_prior(there, weights), proba, rtol=1e-12)

    def test_zeros_ones_and_small_probabilities(self):
        proba = np.array([0.0, 1e-300, 1.0])
        assert_allclose(correct_prior(proba, [1, 100]), [0, 1e-302, 1], rtol=1e-12)
        table = np.array([[1, 0, 0], [1, 1e-300, 0]])
        assert_allclose(correct_prior(table, [1, 100, 1]), [[1, 0, 0], [1, 1e-302, 0]], rtol=1e-12)


def focal_minimiser(eta, gamma):
    def risk(logits):
        log_p = log_softmax(np.append(logits, 0))
        return -(eta * (1 - np.exp(log_p)) ** gamma * log_p).sum()

    start = np.log(eta[:-1] / eta[-1])
    found = minimize(risk, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-15})
    return softmax(np.append(found.x, 0))


class TestCorrectFocal:
    @pytest.mark.parametrize("gamma", [0, 0.5, 1, 2, 5.0])
    @pytest.mark.parametrize("eta", [[0.97, 0.03], [0.4, 0.6], [0.9, 0.07, 0.03], [0.2, 0.3, 0.5]])
    def test_recovers_the_posterior_from_the_minimiser_of_the_risk(self, eta, gamma):
        p = focal_minimiser(np.array(eta), gamma)
        assert_allclose(correct_focal([p], gamma), [eta], rtol=1e-5)
        if len(eta) == 2:
            assert_allclose(correct_focal(p[1:], gamma), eta[1:], rtol=1e-5)
            assert_allclose(correct_focal([p], gamma, multilabel=True), [eta], rtol=1e-5)

    def test_weights_are_undone_after_it(self):
        eta, weights = np.array([0.9, 0.1]), np.array([1, 7.0])
        p = focal_minimiser(eta * weights / (eta @ weights), 2)
        assert_allclose(correct_prior(correct_focal([p], 2), weights), [eta], rtol=1e-5)

    def test_gamma_zero_is_the_identity(self, three_classes):
        proba = three_classes[1]
        assert_allclose(correct_focal(proba, 0), proba, rtol=1e-13)
        assert_allclose(correct_focal(proba[:, 0], 0), proba[:, 0], rtol=1e-13)

    @pytest.mark.parametrize("gamma", [0.3, 1, 2, 8])
    def test_finite_and_rising_up_to_zero_and_one(self, gamma):
        p = np.array([0, 1e-320, 1e-300, 1e-20, 1e-9, 0.1, 0.5, 0.9, 1 - 1e-9, 1 - 1e-16, 1])
        one = correct_focal(p, gamma)
        assert (np.diff(one) >= 0).all()
        assert_array_equal(one[[0, 6, -1]], [0, 0.5, 1])
        two = correct_focal(np.column_stack([1 - p, p]), gamma)
        assert_allclose(two[:, 1], one, rtol=1e-10, atol=1e-300)
        three = correct_focal([[1, 0, 0], [1, 1e-200, 0], [0.5, 0.5, 0]], gamma)
        assert_array_equal(three[:, 2], 0)
        assert_allclose(three[:, 0], [1, 1, 0.5])


class TestExpectedCalibrationError:
    def test_by_hand(self):
        y, proba = [0, 1, 1, 0], [0.0, 0.5, 0.6, 0.9]
        assert expected_calibration_error(y, proba, n_bins=2) == pytest.approx(
            (2 * 0.25 + 2 * 0.25) / 4
        )
        # only the last two share a bin of width 1/2
        weighted = expected_calibration_error(y, proba, n_bins=2, sample_weight=[1, 1, 3, 1])
        assert weighted == pytest.approx((0.5 + abs(3 * 0.6 + 0.9 - 3)) / 6)

    def test_columns_and_string_labels(self):
        y, scores = tables()["informed"]
        expected = expected_calibration_error(y, scores)
        names, both = np.where(y == 1, "yes", "no"), np.column_stack([1 - scores, scores])
        assert expected_calibration_error(names, both) == pytest.approx(expected)

    def test_bins_by_histogram(self):
        y, scores = tables(5000)["informed"]
        edges = np.linspace(0, 1, 16)
        inside = [(scores > a) & (scores <= b) for a, b in pairwise(edges)]
        expected = sum(abs(y[rows].sum() - scores[rows].sum()) for rows in inside) / 5000
        assert expected_calibration_error(y, scores) == pytest.approx(expected)


Y, P = [0, 1, 1], [0.1, 0.5, 0.7]
P3 = np.full((3, 3), 1 / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_threshold(Y, P, "f11"), "metric='f11' is not a score. Did you mean 'f1'"),
        (
            lambda: best_threshold(Y, P, "roc_auc"),
            "metric='roc_auc' is computed from probabilities",
        ),
        (lambda: best_threshold(Y, P, "neg_log_loss"), "the same at every threshold"),
        (lambda: best_threshold(Y, P, "average_precision"), "the same at every threshold"),
        (lambda: best_threshold(Y, P, "f1_samples"), "mixes labels"),
        (lambda: best_threshold(np.eye(3), P3, "f1_micro"), "Use 'f1'."),
        (lambda: best_threshold(Y, P, 3), "metric must be a name or metric(y_true, y_pred), got 3"),
        (lambda: best_threshold(Y, P, lambda y, d: np.nan), "nan for all predictions"),
        (lambda: best_threshold([1, 1, 1], P), "scores has the shape (3,), y the classes [1]"),
        (lambda: best_threshold([1, 1, 1], P, classes=[0, 1]), "y has the one class [1]"),
        (lambda: best_threshold(Y, P, sample_weight=[0, 1, 1]), "y the classes [1]"),
        (lambda: best_threshold(Y, P, pos_label=2), "pos_label=2 is not accepted"),
        (
            lambda: best_threshold([0, 1, 2], P),
            "scores has the shape (3,), y the classes [0, 1, 2]",
        ),
        (lambda: best_threshold(Y, P3), "pass classes= if y lacks some"),
        (lambda: best_threshold(Y, P3, classes=[0, 2, 3]), "hold all labels of y, [0, 1]"),
        (lambda: best_threshold([0, 1, 2], P3, pos_label=1), "pos_label=1 is not accepted"),
        (lambda: best_threshold([0, 1, 2], P3 - 1), "scores must be in [0, 1]"),
        (lambda: best_threshold(np.eye(3), P3[:, :2]), "shape of the indicator matrix y, (3, 3)"),
        (lambda: best_threshold(Y, [0.1, np.nan, 0]), "scores contains NaN"),
        (lambda: best_threshold(Y, P[:2]), "inconsistent numbers of samples"),
        (lambda: apply_threshold(P3, 0.5), "threshold=0.5 does not match proba of shape (3, 3)"),
        (lambda: apply_threshold(P3, [0.5, 0.5, 0]), "a number > 0 for each class"),
        (lambda: apply_threshold(P3, [0.5, 0.5], multilabel=True), "one for each label"),
        (lambda: apply_threshold(P, np.nan), "threshold=nan does not match"),
        (lambda: correct_prior(P), "correct_prior needs weights, or trained_prior and true_prior"),
        (lambda: correct_prior(P, true_prior=[0.5, 0.5]), "got weights=None, trained_prior=None"),
        (lambda: correct_prior(P, [1, 0]), "weights must be finite and > 0, of shape (2,)"),
        (lambda: correct_prior(P3, [1, 2]), "of shape (3,) for this proba, got [1, 2]"),
        (lambda: correct_prior(P3, [1, 2, 3], multilabel=True), "of shape (3, 2)"),
        (lambda: correct_prior([1.5], [1, 2]), "proba must be in [0, 1]"),
        (lambda: correct_prior([[0.9, 0.8]], [1, 2]), "sums 1.7 to 1.7"),
        (lambda: correct_focal(P, -1), "gamma must be a finite number >= 0, got -1"),
        (lambda: correct_focal(P, multilabel=True, gamma=1), "a column for each"),
        (lambda: expected_calibration_error(Y, P, n_bins=0), "n_bins must be an int >= 1, got 0"),
        (lambda: expected_calibration_error([0, 1, 2], P), "Accepted are labels of two classes"),
        (lambda: expected_calibration_error(Y, P3), "proba has the shape (3, 3)"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
