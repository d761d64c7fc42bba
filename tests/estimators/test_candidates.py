"""Candidate sets: rows of which any marked class is right."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, train_test_split

from skimb import ImbalancedNNClassifier

CLF = ImbalancedNNClassifier(cv=None, target="candidates", loss="partial_label", random_state=0)


@pytest.fixture(scope="module")
def digits():
    """Digits whose true label has two random companions, and clean rows to test on."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    rng = np.random.default_rng(0)
    Y = np.eye(10, dtype=int)[y]
    for row, label in zip(Y, y, strict=True):
        row[rng.choice(np.delete(np.arange(10), label), 2, replace=False)] = 1
    return X, Y, y, X_test, y_test


@pytest.fixture(scope="module")
def fitted(digits):
    X, Y, *_ = digits
    return clone(CLF).fit(X, Y)


@pytest.mark.slow
def test_the_true_class_is_found_among_companions(fitted, digits):
    *_, X_test, y_test = digits
    predicted = fitted.predict(X_test)
    assert predicted.shape == y_test.shape
    assert np.mean(predicted == y_test) >= 0.9


@pytest.mark.slow
def test_most_probable_class_is_predicted_of_probabilities_that_sum_to_one(fitted, digits):
    *_, X_test, _ = digits
    proba = fitted.predict_proba(X_test)
    assert_allclose(proba.sum(axis=1), 1)
    assert_array_equal(fitted.predict(X_test), proba.argmax(axis=1))


@pytest.mark.parametrize("variant", ["sum", "max"])
def test_loss_of_an_epoch_is_that_of_the_paper(digits, variant):
    X, Y, *_ = digits
    X, Y = X[:40], Y[:40]
    clf = clone(CLF).set_params(
        model="mlp", loss__variant=variant, class_weight=None, epochs=1, batch_size=40,
        dtype="float64", optimizer="sgd", optimizer__learning_rate=1e-9,
    )  # fmt: skip
    clf.fit(X, Y)
    z = clf.decision_function(X)
    of_set = np.where(Y > 0, z, -np.inf)
    if variant == "sum":
        expected = logsumexp(z, axis=1) - logsumexp(of_set, axis=1)
    else:
        best = np.eye(10)[of_set.argmax(axis=1)] > 0
        left = np.where(best | (Y == 0), z, -np.inf)
        expected = logsumexp(left, axis=1) - of_set.max(axis=1)
    assert_allclose(clf.loss_, expected.mean(), rtol=1e-6)


def test_counts_and_weights_share_a_row_among_its_candidates():
    rng = np.random.default_rng(0)
    Y = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1], [1, 1, 1]] * 5)
    X, weight = rng.normal(size=(20, 2)), rng.uniform(0.5, 2, 20)
    clf = clone(CLF).set_params(epochs=1, class_weight="balanced")
    clf.fit(X, Y, sample_weight=weight)
    counts = sum(w * row / row.sum() for w, row in zip(weight, Y, strict=True))
    assert_allclose(clf.class_counts_, counts)
    assert_allclose(list(clf.class_weight_.values()), counts.sum() / (3 * counts))


@pytest.mark.slow
def test_weights_of_classes_enter_by_the_mean_over_the_candidates():
    rng = np.random.default_rng(0)
    Y = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 0]] * 5)
    X = rng.normal(size=(20, 2))
    given = clone(CLF).set_params(model="mlp", model__normalize=False)
    given.set_params(class_weight={0: 1.0, 1: 2.0, 2: 5.0})
    of_rows = (Y @ [1.0, 2.0, 5.0]) / Y.sum(axis=1)
    by_hand = clone(given).set_params(class_weight=None)
    a = given.fit(X, Y).predict_proba(X)
    assert_allclose(a, by_hand.fit(X, Y, sample_weight=of_rows).predict_proba(X), rtol=1e-6)


@pytest.mark.slow
def test_score_takes_true_labels_or_candidates(fitted, digits):
    X, Y, _, X_test, y_test = digits
    expected = f1_score(y_test, fitted.predict(X_test), average="macro")
    assert_allclose(fitted.score(X_test, y_test), expected)
    acceptable = Y[np.arange(len(X)), fitted.predict(X)] == 1
    accuracy = clone(fitted).set_params(scoring="accuracy").fit(X, Y)
    assert_allclose(accuracy.score(X, Y), acceptable.mean())


def test_row_without_candidates_is_named(digits):
    X, Y, *_ = digits
    Y = Y.copy()
    Y[[5, 9]] = 0
    clf = clone(CLF)
    with pytest.raises(ValueError, match=r"no candidate in rows \[5, 9\]"):
        clf.fit(X, Y)
    assert not hasattr(clf, "classes_")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": "cross_entropy"}, "Losses for candidates targets are 'partial_label'"),
        ({"loss": "categorical_crossentropy"}, "sets of classes"),
        ({"target": "auto"}, "partial_label|PartialLabel"),
        ({"prior_correction": True}, "no closed form"),
        ({"class_weight": None, "pos_weight": "balanced"}, "Only binary"),
        ({"threshold": 0.3}, "10 numbers"),
        ({"target": "sets"}, "'target' parameter"),
    ],
)
def test_what_has_no_meaning_for_candidates_is_refused(digits, params, message):
    X, Y, *_ = digits
    with pytest.raises(ValueError, match=message):
        clone(CLF).set_params(**params).fit(X[:50], Y[:50])


def test_class_labels_are_refused_as_candidates(digits):
    X, _, y, *_ = digits
    with pytest.raises(ValueError, match="takes an indicator matrix"):
        clone(CLF).fit(X, y)


def test_two_classes_are_refused_as_candidates():
    with pytest.raises(ValueError, match="three classes or more"):
        clone(CLF).fit(np.eye(4), [[0, 1], [1, 0], [1, 1], [0, 1]])


@pytest.mark.slow
def test_classes_of_a_stream_have_to_be_the_columns(digits):
    X, Y = digits[0][:100], digits[1][:100]
    for clf in (CLF, ImbalancedNNClassifier(cv=None)):
        with pytest.raises(ValueError, match="indicator matrix of 10 columns"):
            clone(clf).partial_fit(X, Y, classes=list("abcdefghij"))
        stream = clone(clf).partial_fit(X, Y, classes=np.arange(10))
        stream.partial_fit(X, Y, classes=np.arange(10))


@pytest.mark.slow
def test_thresholds_batches_and_early_stopping_work_as_elsewhere(digits):
    X, Y, _, X_test, y_test = digits
    clf = clone(CLF).set_params(threshold="f1", early_stopping=True, monitor="accuracy")
    for batching in ("stratified", "balanced"):
        clf.set_params(batching=batching).fit(X, Y)
        assert clf.threshold_.shape == (10,)
        assert clf.n_iter_ < 100
        assert np.mean(clf.predict(X_test) == y_test) >= 0.85


@pytest.mark.slow
def test_is_searched_and_learns_from_a_stream(digits):
    X, Y, _, X_test, y_test = digits
    search = GridSearchCV(clone(CLF).set_params(epochs=10), {"loss__variant": ["sum", "max"]}, cv=2)
    assert search.fit(X, Y).best_score_ > 0.7
    stream = clone(CLF)
    for _ in range(8):
        for rows in np.array_split(np.arange(len(X)), 6):
            stream.partial_fit(X[rows], Y[rows])
    assert np.mean(stream.predict(X_test) == y_test) > 0.7
