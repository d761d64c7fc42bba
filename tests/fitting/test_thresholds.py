"""The threshold of the classifier: chosen on the rows held out, of effect on `predict` alone."""

import warnings

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import f1_score, recall_score

from skimb import ImbalancedNNClassifier
from skimb.probability import best_threshold

CLF = ImbalancedNNClassifier("mlp", epochs=15, random_state=0, early_stopping=False)


def split(X, y):
    return X[::2], y[::2], {"X_val": X[1::2], "y_val": y[1::2]}


def hard(n=1200, seed=0):
    """Classes that overlap, 15 % positives."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.15).astype(int)
    return rng.normal(size=(n, 4)) + 0.8 * y[:, None], y


@pytest.mark.slow
@pytest.mark.parametrize("rare", [0, 1])
@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy", "accuracy", "matthews_corrcoef"])
def test_chosen_threshold_equals_brute_force_on_the_rows_held_out(rare, metric):
    from sklearn.metrics import get_scorer

    X, y = hard()
    y = y if rare else 1 - y
    X, y, val = split(X, y)
    clf = clone(CLF).set_params(threshold=metric).fit(X, y, **val)
    p = clf.predict_proba(val["X_val"])[:, 1]
    score = get_scorer(metric)._score_func
    extra = {"pos_label": rare} if metric == "f1" else {}
    cuts = np.r_[-1.0, np.unique(p)]
    best = max(score(val["y_val"], (p > cut).astype(int), **extra) for cut in cuts)
    assert_allclose(score(val["y_val"], clf.predict(val["X_val"]), **extra), best, rtol=1e-12)


def test_threshold_changes_predict_and_nothing_else():
    X, y = hard()
    plain = clone(CLF).fit(X, y)
    moved = clone(CLF).set_params(threshold=0.8).fit(X, y)
    assert_array_equal(plain.predict_proba(X), moved.predict_proba(X))
    assert_array_equal(plain.decision_function(X), moved.decision_function(X))
    assert_array_equal(moved.predict(X), (plain.predict_proba(X)[:, 1] >= 0.8).astype(int))
    assert (plain.threshold_, moved.threshold_) == (0.5, 0.8)
    assert moved.score(X, y) == f1_score(y, moved.predict(X))


@pytest.mark.slow
def test_labels_get_a_threshold_each(multilabel):
    X, Y, val = split(*multilabel)
    clf = clone(CLF).set_params(threshold="f1").fit(X, Y, **val)
    assert clf.threshold_.shape == (4,)
    p, Y_val = clf.predict_proba(val["X_val"]), val["y_val"]
    for label in range(4):
        cuts = np.r_[-1.0, np.unique(p[:, label])]
        best = max(f1_score(Y_val[:, label], p[:, label] > c, zero_division=0) for c in cuts)
        found = f1_score(Y_val[:, label], clf.predict(val["X_val"])[:, label])
        assert_allclose(found, best, rtol=1e-12)


def test_several_classes_do_no_worse_than_the_most_probable_one(multiclass):
    X, y = multiclass
    X = X + np.random.default_rng(0).normal(0, 3, X.shape)  # too easy otherwise
    X, y, val = split(X, y)
    plain = clone(CLF).fit(X, y)
    clf = clone(CLF).set_params(threshold="f1_macro").fit(X, y, **val)
    assert clf.threshold_.shape == (3,)
    before = f1_score(val["y_val"], plain.predict(val["X_val"]), average="macro")
    assert f1_score(val["y_val"], clf.predict(val["X_val"]), average="macro") >= before


def test_string_labels_and_given_arrays(multilabel):
    X, y = hard()
    names = np.array(["rare", "usual"])[1 - y]
    clf = clone(CLF).set_params(threshold=0.3).fit(X, names)
    assert_array_equal(clf.predict(X) == "rare", clf.predict_proba(X)[:, 0] >= 0.3)
    clf.set_params(pos_label="usual").fit(X, names)
    assert_array_equal(clf.predict(X) == "usual", clf.predict_proba(X)[:, 1] >= 0.3)
    X, Y = multilabel
    given = np.array([0.2, 0.5, 0.7, 0.9])
    clf = clone(CLF).set_params(threshold=given).fit(X, Y)
    assert_array_equal(clf.predict(X), (clf.predict_proba(X) >= given).astype(int))


@pytest.mark.slow
def test_choosing_a_threshold_does_not_stop_the_training_early():
    X, y = hard(300)
    clf = ImbalancedNNClassifier(
        cv=None, epochs=60, random_state=0, threshold="f1", patience=1
    ).fit(X, y)
    assert clf.n_iter_ == clf.best_iter_ == 60


def test_network_that_is_only_initialized_decides_by_the_threshold_too():
    X, y = hard()
    trained = clone(CLF).fit(X, y)
    clf = clone(CLF).set_params(model=trained.model_, threshold=0.8, prior_correction=True)
    clf.initialize(X, y)
    assert_array_equal(clf.predict(X), (clf.predict_proba(X)[:, 1] >= 0.8).astype(int))
    assert clf.predict_proba(X)[:, 1].mean() < trained.predict_proba(X)[:, 1].mean()
    with pytest.raises(ValueError, match="threshold='f1' cannot be used in initialize"):
        clf.set_params(threshold="f1").initialize(X, y)


def test_threshold_is_chosen_without_the_training_rows():
    X, y = hard()
    clf = clone(CLF).set_params(model="mlp", threshold="recall", epochs=3).fit(X, y)
    assert clf.class_counts_.sum() == round(0.9 * len(y))
    assert recall_score(y, clf.predict(X)) > 0.9  # all of them is the best recall


@pytest.mark.slow
def test_default_network_without_folds_chooses_its_threshold_on_the_training_rows():
    X, y = hard()
    clf = clone(CLF).set_params(model="auto", cv=None, threshold="f1", epochs=30).fit(X, y)
    assert clf.class_counts_.sum() == len(y)
    p = clf.predict_proba(X)[:, 1]
    assert clf.threshold_ == best_threshold(y, p)
    held_out = clone(clf).fit(X[200:], y[200:], X_val=X[:200], y_val=y[:200])
    assert held_out.threshold_ == best_threshold(y[:200], held_out.predict_proba(X[:200])[:, 1])


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        (1.5, "threshold"), (-0.1, "threshold"), ([0.5, 0.5], "threshold"),
        ("average_precision", "average_precision"), ("f11", "f11"),
    ],
)  # fmt: skip
def test_thresholds_that_are_none_raise(binary, threshold, message):
    clf = clone(CLF).set_params(threshold=threshold)
    with pytest.raises(ValueError, match=message):
        clf.fit(*binary)
    assert not hasattr(clf, "classes_")


def test_streams_choose_no_threshold(binary):
    X, y = binary
    with pytest.raises(ValueError, match="threshold='f1' cannot be used in partial_fit"):
        clone(CLF).set_params(threshold="f1").partial_fit(X, y, classes=[0, 1])


@pytest.mark.slow
def test_f1_threshold_does_no_harm_on_mammography(mammography):
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    X, y = mammography
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    clf = ImbalancedNNClassifier(cv=None, random_state=0)
    half = cross_val_score(clf, X, y, cv=folds).mean()
    chosen = cross_val_score(clone(clf).set_params(threshold="f1"), X, y, cv=folds).mean()
    assert chosen >= half


@pytest.mark.parametrize("threshold", ["roc_auc", "f11", [0.0, 0.5, 0.5]])
def test_thresholds_that_cannot_be_used_are_found_before_the_training(multiclass, threshold):
    X, y = multiclass
    started = []

    class Start(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            started.append(1)

    clf = clone(CLF).set_params(threshold=threshold, callbacks=[Start()])
    with pytest.raises(ValueError, match="threshold="):
        clf.fit(X, y)
    assert not started


def test_a_number_is_about_the_rarer_class_whichever_sorts_first(binary):
    X, y = binary
    names = np.where(y == 1, "fraud", "ok")  # the rare one comes first
    clf = ImbalancedNNClassifier("mlp", epochs=2, threshold=0.1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(X, names)
        assert_array_equal(clf.predict(X) == "fraud", clf.predict_proba(X)[:, 0] >= 0.1)
        clf.fit(X, y)
        assert_array_equal(clf.predict(X) == 1, clf.predict_proba(X)[:, 1] >= 0.1)
