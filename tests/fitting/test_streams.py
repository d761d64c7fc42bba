"""`partial_fit` over a stream of chunks."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import average_precision_score

from skimb import ImbalancedNNClassifier
from skimb.weighting import class_weights


def stream(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)).astype("float32")
    y = (X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=n) > 2.6).astype(int)
    return X, y


def in_chunks(clf, X, y, n_chunks, epochs=1):
    for _ in range(epochs):
        for rows in np.array_split(np.arange(len(X)), n_chunks):
            clf.partial_fit(X[rows], y[rows], classes=[0, 1])
    return clf


@pytest.mark.slow
def test_twenty_chunks_come_near_a_fit_of_as_many_epochs():
    X, y = stream(20_000)
    X_test, y_test = stream(20_000, seed=1)
    clf = ImbalancedNNClassifier(cv=None, random_state=0, epochs=10, early_stopping=False)
    whole = clone(clf).fit(X, y).predict_proba(X_test)[:, 1]
    parts = in_chunks(clone(clf), X, y, 20, epochs=10).predict_proba(X_test)[:, 1]
    expected = average_precision_score(y_test, whole)
    assert average_precision_score(y_test, parts) > expected - 0.03


@pytest.mark.parametrize("batching", ["shuffled", "stratified", "balanced"])
def test_counts_and_balanced_weights_follow_the_stream(batching):
    X, y = stream(3000)
    clf = ImbalancedNNClassifier(
        cv=None, random_state=0, class_weight="balanced", batching=batching
    )
    seen = 0
    for rows in np.array_split(np.arange(3000), 5):
        clf.partial_fit(X[rows], y[rows], classes=[0, 1])
        seen += len(rows)
        assert_allclose(clf.class_counts_, np.bincount(y[:seen], minlength=2))
        if batching != "balanced":
            expected = class_weights(y[:seen], "balanced")
            assert_allclose(list(clf.class_weight_.values()), list(expected.values()))
    assert clf.n_iter_ == 5


@pytest.mark.parametrize("batching", ["shuffled", "stratified", "balanced"])
def test_chunk_without_the_rare_class_trains_on(batching):
    X, y = stream(2000)
    clf = ImbalancedNNClassifier(cv=None, random_state=0, batching=batching)
    clf.partial_fit(X[:1000], y[:1000], classes=[0, 1])
    usual = y[1000:] == 0
    clf.partial_fit(X[1000:][usual], y[1000:][usual])
    assert np.isfinite(clf.predict_proba(X)).all()


def test_known_prior_sets_the_weights_from_the_first_chunk_on():
    X, y = stream(2000)
    clf = ImbalancedNNClassifier(
        cv=None,
        random_state=0,
        class_weight="balanced",
        class_prior=[0.9, 0.1],
        prior_correction=True,
    )
    clf.partial_fit(X, y, classes=[0, 1])
    assert_allclose(list(clf.class_weight_.values()), [1 / 1.8, 1 / 0.2])


@pytest.mark.slow
def test_memory_is_that_of_a_chunk():
    def peak(n_chunks):
        clf = ImbalancedNNClassifier(cv=None, random_state=0, model__hidden_layer_sizes=())
        rng = np.random.default_rng(0)
        tracemalloc.start()
        for _ in range(n_chunks):
            X = rng.normal(size=(5000, 20)).astype("float32")
            clf.partial_fit(X, (X[:, 0] > 1.5).astype(int), classes=[0, 1])
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(2)  # what is compiled stays
    assert peak(30) < 1.3 * peak(3)
