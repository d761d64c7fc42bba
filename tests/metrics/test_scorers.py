"""Scores against counting by hand, and scorers by name in the estimators and in searches."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier

from skimb import ImbalancedNNClassifier
from skimb.data.labels import infer
from skimb.data.pixel_targets import BinaryPixelsTarget, MulticlassPixelsTarget
from skimb.fitting.decision import Decision
from skimb.metrics import (
    MinorityScore,
    false_alarms_per_image,
    hausdorff_distance_95,
    lesion_f1,
    lesion_recall,
    mean_dice,
    minority_score,
    minority_scorer,
    precision_at_k,
    precision_at_k_scorer,
    surface_dice,
)
from skimb.metrics.scorers import Snapshot, scorer_for

Y_TRUE = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
Y_PRED = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0])


def quick(**params):
    return ImbalancedNNClassifier(
        cv=None, **{"epochs": 3, "random_state": 0, "verbose": 0} | params
    )


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (3 * 3 - 2) / 10),
        ({"reward": 1, "penalty": 0}, 3 / 10),
        ({"reward": 0, "penalty": 5}, -10 / 10),
        ({"pos_label": 0}, (3 * 4 - 1) / 10),
        ({"pos_label": 7}, 0.0),
        ({"sample_weight": [0, 0, 0, 0, 1, 1, 2, 2, 2, 2], "pos_label": 1}, (3 * 6 - 2) / 10),
        ({"sample_weight": [1, 1, 1, 1, 1, 1, 2, 2, 2, 0], "pos_label": 1}, (3 * 6 - 2) / 12),
    ],
)
def test_minority_score_rewards_hits_and_punishes_false_alarms(params, expected):
    assert minority_score(Y_TRUE, Y_PRED, **params) == pytest.approx(expected)


def test_positive_class_is_the_one_of_least_weight():
    # six rows of weight 1 in two against four of weight 2: then 0 is the rare class
    weight = [1, 0.5, 0.5, 0.5, 0.5, 1, 2, 2, 2, 2]
    expected = minority_score(Y_TRUE, Y_PRED, pos_label=0, sample_weight=weight)
    assert minority_score(Y_TRUE, Y_PRED, sample_weight=weight) == expected


def test_rows_of_weight_0_do_not_tell_what_is_rare():
    y = np.append(Y_TRUE, 2)
    weight = np.append(np.ones(10), 0.0)
    got = minority_score(y, np.append(Y_PRED, 1), sample_weight=weight)
    assert got == minority_score(Y_TRUE, Y_PRED)


def test_of_equally_rare_classes_the_last_is_positive():
    assert minority_score([0, 1], [1, 1]) == (3 - 1) / 2
    assert minority_score(["b", "a"], ["a", "a"]) == 0.0


def test_minority_score_of_several_classes_is_that_of_the_rarest():
    rng = np.random.default_rng(0)
    y, d = rng.choice(4, 200, p=[0.5, 0.3, 0.05, 0.15]), rng.integers(0, 4, 200)
    table = confusion_matrix(y, d)
    hits, predicted = table[2, 2], table[:, 2].sum()
    expected = (2 * hits - 0.5 * (predicted - hits)) / 200
    assert minority_score(y, d, reward=2, penalty=0.5) == pytest.approx(expected)


def test_minority_score_of_labels_is_their_sum():
    rng = np.random.default_rng(0)
    Y, D = rng.integers(0, 2, (50, 3)), rng.integers(0, 2, (50, 3))
    weight = rng.uniform(0, 2, 50)
    each = [minority_score(Y[:, j], D[:, j], pos_label=1, sample_weight=weight) for j in range(3)]
    assert minority_score(Y, D, sample_weight=weight) == pytest.approx(sum(each))
    assert minority_score(csr_matrix(Y), D, sample_weight=weight) == pytest.approx(sum(each))


@pytest.mark.parametrize("labels", [[False, True], ["no", "yes"], [-1, 1], [7.0, 9.0]], ids=str)
@pytest.mark.parametrize("container", [np.asarray, list, pd.Series])
def test_labels_may_be_of_any_kind_and_in_any_container(labels, container):
    y, d = np.array(labels)[Y_TRUE], np.array(labels)[Y_PRED]
    assert minority_score(container(y), container(d)) == minority_score(Y_TRUE, Y_PRED)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "params", "message"),
    [
        ([0, 0, 0], [0, 0, 1], {}, r"one class \[0\].*Pass pos_label"),
        ([0, 1], [0, 1, 1], {}, "inconsistent numbers of samples"),
        ([0, 1], ["a", "b"], {}, "string and number"),
        ([0, 1], [0.2, 0.7], {}, "continuous"),
        (np.eye(2, dtype=int), [0, 1], {}, "[Mm]ix"),
        (
            np.eye(2, dtype=int),
            np.eye(2, dtype=int),
            {"pos_label": 1},
            "pos_label=1 is not supported",
        ),
        ([0, 1], [0, 1], {"reward": -1}, "reward"),
        ([0, 1], [0, 1], {"penalty": None}, "penalty"),
        ([0, 1], [0, 1], {"sample_weight": [1, -1]}, "sample_weight"),
        ([0, 1], [0, 1], {"sample_weight": [1]}, "inconsistent numbers of samples"),
    ],
)
def test_minority_score_refuses_what_it_cannot_count(y_true, y_pred, params, message):
    with pytest.raises(ValueError, match=message):
        minority_score(y_true, y_pred, **params)


@pytest.mark.parametrize(("k", "expected"), [(1, 2 / 3), (2, 1 / 2), (3, 4 / 9), (4, 5 / 12)])
def test_precision_at_k_of_three_rows_by_hand(k, expected):
    Y = [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 1]]
    scores = [[9, 1, 5, 7], [1, 2, 3, 4], [0, -1, 3, -2]]
    assert precision_at_k(Y, scores, k=k) == pytest.approx(expected)


def test_labels_of_the_same_score_come_in_the_order_of_the_columns():
    Y = np.eye(5, dtype=int)
    for k in range(1, 6):
        assert precision_at_k(Y, np.zeros((5, 5)), k=k) == pytest.approx(1 / 5)
        assert precision_at_k(Y[:k], np.zeros((k, 5)), k=k) == pytest.approx(1 / k)


def test_weighted_row_is_the_row_repeated():
    rng = np.random.default_rng(0)
    Y, scores, weight = rng.integers(0, 2, (20, 6)), rng.normal(size=(20, 6)), np.arange(20) % 4
    expected = precision_at_k(np.repeat(Y, weight, 0), np.repeat(scores, weight, 0), k=3)
    assert precision_at_k(Y, scores, k=3, sample_weight=weight) == pytest.approx(expected)
    assert precision_at_k(csr_matrix(Y), scores, k=3, sample_weight=weight) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(
    ("Y", "scores", "k", "message"),
    [
        (np.eye(3, dtype=int), np.eye(3), 4, "k=4 must be at most 3"),
        (np.eye(3, dtype=int), np.eye(3), 0, "'k' parameter"),
        (np.eye(3, dtype=int), np.eye(3), 1.5, "'k' parameter"),
        ([0, 1, 2], np.eye(3), 1, "Y_true has the shape"),
        (np.eye(3, dtype=int), np.ones((3, 2)), 1, "Y_true has the shape"),
        (np.eye(3, dtype=int), np.ones(3), 1, "Y_true has the shape"),
        (np.eye(3, dtype=int), np.full((3, 3), np.nan), 1, "Y_score contains NaN"),
        (np.eye(3, dtype=int) * 2, np.eye(3), 1, "indicator"),
    ],
)
def test_precision_at_k_refuses_what_it_cannot_rank(Y, scores, k, message):
    with pytest.raises(ValueError, match=message):
        precision_at_k(Y, scores, k=k)


@pytest.mark.slow
def test_searches_of_scikit_learn_take_the_scorers(binary):
    X, y = binary
    search = GridSearchCV(
        LogisticRegression(max_iter=500),
        {"C": [0.01, 1.0], "class_weight": [None, "balanced"]},
        scoring={"points": minority_scorer, "dear": make_scorer(minority_score, penalty=9.0)},
        refit="points",
        cv=3,
    ).fit(X, y)
    best = search.best_estimator_
    expected = minority_score(y, best.predict(X), pos_label=1)
    assert minority_scorer(best, X, y) == search.score(X, y) == pytest.approx(expected)
    dear = search.cv_results_["mean_test_dear"]
    assert np.all(dear <= search.cv_results_["mean_test_points"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [
        OneVsRestClassifier(LogisticRegression(max_iter=500)),
        MLPClassifier(max_iter=20),
        RandomForestClassifier(5, random_state=0),
        ImbalancedNNClassifier(cv=None, epochs=2, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_precision_at_k_scorer_ranks_with_whatever_scores_an_estimator_has(estimator, multilabel):
    X, Y = multilabel
    fitted = estimator.fit(X, Y)
    p = fitted.predict_proba(X)
    p = np.stack([column[:, 1] for column in p], axis=1) if isinstance(p, list) else p
    weight = np.linspace(0.5, 2.0, len(X))
    expected = precision_at_k(Y, p, k=2, sample_weight=weight)
    got = precision_at_k_scorer(2)(fitted, X, Y, sample_weight=weight)
    assert got == pytest.approx(expected, abs=1e-3)  # probabilities tie where logits do not


def test_scorers_travel_to_other_processes(binary, multilabel):
    for scorer, (X, y) in ((minority_scorer, binary), (precision_at_k_scorer(2), multilabel)):
        clf = OneVsRestClassifier(LogisticRegression(max_iter=500)).fit(X, y)
        assert pickle.loads(pickle.dumps(scorer))(clf, X, y) == scorer(clf, X, y)


def test_precision_at_k_scorer_is_for_cross_validation(multilabel):
    X, Y = multilabel
    clf = OneVsRestClassifier(LogisticRegression(max_iter=500))
    scores = cross_val_score(clf, X, Y, scoring=precision_at_k_scorer(1), cv=3)
    assert scores.min() > Y.mean()


@pytest.mark.parametrize("rare", ["fraud", "a fraud"])
def test_score_by_name_is_that_of_the_minority_class(binary, rare):
    X, y = binary
    labels = np.where(y == 1, rare, "b honest")
    clf = quick(scoring="minority_score").fit(X, labels)
    expected = minority_score(labels, clf.predict(X), pos_label=rare)
    assert clf.minority_class_ == rare
    assert clf.score(X, labels) == expected
    few = np.append(np.flatnonzero(y == 0)[:5], np.flatnonzero(y == 1)[:20])
    expected = minority_score(labels[few], clf.predict(X[few]), pos_label=rare)
    assert clf.score(X[few], labels[few]) == expected


@pytest.mark.slow
def test_score_by_name_of_several_classes_is_that_of_the_rarest(multiclass):
    X, y = multiclass
    clf = quick(scoring="minority_score").fit(X, y)
    weight = np.linspace(0.5, 2.0, len(X))
    expected = minority_score(y, clf.predict(X), pos_label=2, sample_weight=weight)
    assert clf.score(X, y, sample_weight=weight) == pytest.approx(expected)
    common = y != 2
    assert clf.score(X[common], y[common]) == minority_score(
        y[common], clf.predict(X[common]), pos_label=2
    )


def test_scores_by_name_of_labels_are_those_of_the_functions(multilabel):
    X, Y = multilabel
    clf = quick(scoring="precision_at_2").fit(X, Y)
    assert clf.score(X, Y) == precision_at_k(Y, clf.decision_function(X), k=2)
    clf.set_params(scoring="minority_score")
    assert clf.score(X, Y) == pytest.approx(minority_score(Y, clf.predict(X)))


def test_metrics_by_name_are_followed_on_the_training_rows(binary, multilabel):
    X, y = binary
    clf = quick(metrics=["minority_score"]).fit(X, y)
    assert len(clf.history_["minority_score"]) == 3
    assert clf.history_["minority_score"][-1] == pytest.approx(minority_score(y, clf.predict(X)))
    X, Y = multilabel
    clf = quick(metrics=["precision_at_1", "precision_at_3"]).fit(X, Y)
    z = clf.decision_function(X)
    for k in (1, 3):
        expected = precision_at_k(Y, z, k=k)
        assert clf.history_[f"precision_at_{k}"][-1] == pytest.approx(expected)


def test_grid_search_of_the_estimator_is_on_its_own_score(binary):
    X, y = binary
    search = GridSearchCV(
        quick(scoring="minority_score"), {"weight_power": [0.0, 1.0]}, cv=2, error_score="raise"
    ).fit(X, y)
    best = search.best_estimator_
    assert search.score(X, y) == minority_score(y, best.predict(X), pos_label=1)


def test_hard_metric_of_keras_is_the_score_of_the_decisions(binary):
    X, y = binary
    clf = quick().fit(X, y)
    metric = MinorityScore()
    metric.update_state(y, clf.decision_function(X))
    assert float(metric.result()) == pytest.approx(minority_score(y, clf.predict(X)), rel=1e-6)


LABELS = infer(np.array([[1, 0, 1], [0, 1, 1]]))
BINARY = infer(np.array([0, 1]))
CLASSES = infer(np.array([0, 1, 2]))
MASKS = BinaryPixelsTarget(np.array([0, 1]), background=0)


@pytest.mark.parametrize(
    ("scoring", "target", "message"),
    [
        ("precision_at_2", BINARY, "'precision_at_2'.*the target is binary"),
        ("precision_at_2", CLASSES, "'precision_at_2'.*the target is multiclass"),
        ("precision_at_4", LABELS, "k=4 must be at most 3"),
        ("precision_at_0", LABELS, "'precision_at_0'.*Did you mean 'precision_at_10'"),
        ("precision_at_k", LABELS, "'precision_at_k'.*Did you mean 'precision_at_10'"),
        ("precision_at_-1", LABELS, "is not a score"),
        ("precision_at_2.0", LABELS, "is not a score"),
        ("minority_scor", BINARY, "Did you mean 'minority_score'"),
        ("dice", BINARY, "'dice'.* is a score of masks, but the target is binary"),
        ("lesion_f1", LABELS, "is a score of masks, but the target is multilabel"),
        ("neg_hausdorff_95", CLASSES, "ImbalancedNNSegmenter takes masks"),
        ("hausdorff_95", MASKS, "Did you mean 'neg_hausdorff_95'"),
        ("surface_dise", MASKS, "Did you mean 'surface_dice'"),
    ],
)
def test_names_that_do_not_fit_raise(scoring, target, message):
    with pytest.raises(ValueError, match=message):
        scorer_for(scoring, target, 0)


@pytest.mark.parametrize("params", [{"scoring": "precision_at_2"}, {"metrics": ["precision_at_9"]}])
def test_name_that_does_not_fit_is_known_before_the_training(params, binary):
    def never(**_):
        raise AssertionError("trained")

    with pytest.raises(ValueError, match="the target is binary"):
        quick(callbacks=[keras.callbacks.LambdaCallback(on_train_begin=never)], **params).fit(
            *binary
        )


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "neg_log_loss", "roc_auc"])
def test_other_names_are_those_of_scikit_learn(name):
    logits = np.random.default_rng(0).normal(size=(10, 1))
    snapshot = Snapshot(Decision(BINARY), logits)
    assert_allclose(
        scorer_for(name, BINARY, 1)(snapshot, logits, Y_TRUE),
        get_scorer(name)(snapshot, logits, Y_TRUE),
    )


@pytest.mark.parametrize("weight_of", ["images", "pixels"])
@pytest.mark.parametrize("weighted", [False, True])
def test_names_of_masks_are_the_scores_of_the_foreground_that_is_predicted(weighted, weight_of):
    rng = np.random.default_rng(0)
    y, logits = rng.integers(1, 4, (5, 8, 9)), rng.normal(size=(5, 8, 9, 3))
    snapshot = Snapshot(Decision(MulticlassPixelsTarget(np.arange(1, 4), background=2)), logits)
    predicted = 1 + logits.argmax(axis=-1)
    weight = rng.integers(0, 3, 5 if weight_of == "images" else y.shape) if weighted else None
    given = {"labels": [1, 3], "sample_weight": weight}
    for name, expected in {
        "dice": mean_dice(y, predicted, **given),
        "lesion_recall": lesion_recall(y, predicted, **given),
        "lesion_f1": lesion_f1(y, predicted, **given),
        "neg_false_alarms": -false_alarms_per_image(y, predicted, **given),
        "surface_dice": surface_dice(y, predicted, **given),
        "neg_hausdorff_95": -hausdorff_distance_95(y, predicted, **given),
    }.items():
        scorer = scorer_for(name, snapshot.decision.target, 0)
        assert_allclose(scorer(snapshot, None, y, sample_weight=weight), expected)


@pytest.mark.parametrize("name", ["accuracy", "roc_auc", "average_precision", "f1"])
def test_other_scores_of_masks_are_those_of_their_pixels(name):
    rng = np.random.default_rng(0)
    y, logits, weight = rng.integers(0, 2, (3, 4, 5)), rng.normal(size=(3, 4, 5, 1)), np.arange(3)
    of_masks = scorer_for(name, MASKS, 1)(Snapshot(Decision(MASKS), logits), None, y, weight)
    flat = Snapshot(Decision(BINARY), logits.reshape(-1, 1))
    by_pixel = np.repeat(weight, 20)
    of_pixels = scorer_for(name, BINARY, 1)(flat, None, y.ravel(), sample_weight=by_pixel)
    assert_allclose(of_masks, of_pixels)
