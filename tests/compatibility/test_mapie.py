"""Conformal classifiers of MAPIE around the estimator, against the coverage that they promise."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skimb import ImbalancedNNClassifier

mapie = pytest.importorskip("mapie.classification")

# without folds of its own, as MAPIE holds samples out itself
CLF = ImbalancedNNClassifier("mlp", epochs=8, cv=None, random_state=0)
NAMES = np.array(["a rare", "b", "c"])


def three(n, seed=0):
    """Three classes that overlap, the rarest first by name."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.1, 0.3, 0.6])
    X = rng.normal(size=(n, 2)) + np.array([[0, 1.5], [1.5, 0], [0, 0]])[y]
    return X, NAMES[y]


def covered(sets, y):
    """The share of samples whose class is in their set."""
    return np.mean([row[label] for row, label in zip(sets, np.searchsorted(NAMES, y), strict=True)])


def assert_covers(conformal, share=0.9):
    X, y = three(5000, seed=2)
    predicted, sets = conformal.predict_set(X)
    assert sets.shape == (5000, 3, 1)
    assert abs(covered(sets[:, :, 0], y) - share) < 0.03
    assert sets.sum(axis=1).mean() < 2.5
    return predicted


def test_split_conformal_sets_of_a_fitted_classifier_cover_what_they_promise():
    fitted = clone(CLF).fit(*three(800))
    conformal = mapie.SplitConformalClassifier(
        fitted, confidence_level=0.9, prefit=True, random_state=0
    ).conformalize(*three(1000, seed=1))
    assert_array_equal(assert_covers(conformal), fitted.predict(three(5000, seed=2)[0]))


def test_cross_conformal_sets_cover_what_they_promise():
    conformal = mapie.CrossConformalClassifier(
        clone(CLF), confidence_level=0.9, cv=3, random_state=0
    ).fit_conformalize(*three(1000))
    assert_covers(conformal)
