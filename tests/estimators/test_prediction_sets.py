"""Sets of classes that cover the true one, whatever it is."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimb import ImbalancedNNClassifier

CLF = ImbalancedNNClassifier("mlp", epochs=8, cv=3, random_state=0)


def three(n, seed=0):
    """Three classes that overlap, the rarest first by name."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.1, 0.3, 0.6])
    X = rng.normal(size=(n, 2)) + np.array([[0, 1.5], [1.5, 0], [0, 0]])[y]
    return X, np.array(["a rare", "b", "c"])[y]


@pytest.fixture(scope="module")
def fitted():
    return clone(CLF).fit(*three(1500))


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_each_class_is_covered_in_new_samples(fitted, coverage):
    X, y = three(6000, seed=1)
    sets = fitted.predict_set(X, coverage=coverage)
    assert (sets.shape, sets.dtype) == ((6000, 3), bool)
    for k, label in enumerate(fitted.classes_):
        assert abs(sets[y == label, k].mean() - coverage) < 0.07
    assert sets.sum(axis=1).mean() < 2.9


def test_class_is_in_the_set_from_its_quantile_of_the_probabilities_out_of_fold(fitted):
    X, y = three(1500)
    p, p_new = fitted.oof_predict_proba_, fitted.predict_proba(X[:50])
    for k, label in enumerate(fitted.classes_):
        own = np.sort(p[y == label, k])
        position = int(np.floor((len(own) + 1) * 0.1))
        assert_array_equal(fitted.predict_set(X[:50])[:, k], p_new[:, k] >= own[position - 1])


@pytest.mark.slow
def test_sets_of_two_classes_with_weights_in_a_pipeline_and_after_pickling():
    X, y = three(600)
    y = np.where(y == "a rare", "a rare", "other")
    pipe = make_pipeline(StandardScaler(), clone(CLF)).fit(X, y)
    sets = pipe[-1].predict_set(pipe[0].transform(X))
    again = pickle.loads(pickle.dumps(pipe[-1]))
    assert_array_equal(again.predict_set(pipe[0].transform(X)), sets)
    assert 0.85 < sets[y == "a rare", 0].mean() < 1
    # a sample of weight 0 says nothing
    weight = np.where(np.arange(600) < 500, 1.0, 0.0)
    clf = clone(CLF).fit(X, y, sample_weight=weight)
    assert_array_equal(clf.predict_set(X), clone(CLF).fit(X[:500], y[:500]).predict_set(X))


def test_correction_of_probabilities_leaves_sets_of_two_classes_unchanged():
    X, y = three(400)
    y = np.where(y == "a rare", "a rare", "other")
    plain, corrected = clone(CLF), clone(CLF).set_params(prior_correction=True)
    assert_array_equal(plain.fit(X, y).predict_set(X), corrected.fit(X, y).predict_set(X))


@pytest.mark.slow
def test_class_of_too_few_samples_is_in_every_set_with_a_warning():
    X, y = three(300)
    keep = np.r_[np.flatnonzero(y == "a rare")[:6], np.flatnonzero(y != "a rare")]
    clf = clone(CLF).fit(X[keep], y[keep])
    with pytest.warns(UserWarning, match=r"\['a rare'\] are in every prediction set.* 9 samples"):
        assert clf.predict_set(X)[:, 0].all()


def test_without_held_out_probabilities_the_error_says_how_to_get_them():
    X, y = three(200)
    clf = clone(CLF).set_params(cv=None, epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"cv=None.*cv=5.*set_thresholds"):
        clf.predict_set(X)


def test_coverage_and_indicator_targets_that_are_not_accepted(fitted, multilabel):
    with pytest.raises(ValueError, match="coverage must be a number between 0 and 1"):
        fitted.predict_set(three(10)[0], coverage=90)
    clf = clone(CLF).set_params(epochs=1).fit(*multilabel)
    with pytest.raises(ValueError, match="indicator matrix"):
        clf.predict_set(multilabel[0])
