"""Folds of cross-fitting: splitters, pairs of positions and groups, and what is neither."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
)

from skimb import ImbalancedNNClassifier
from skimb.data.folds import folds_of
from skimb.data.samples import Samples, Schema
from skimb.data.targets import BinaryTarget

QUICK = {"model": "mlp", "model__hidden_layer_sizes": (4,), "epochs": 2, "random_state": 0}


def noisy(n):
    rng = np.random.default_rng(0)
    y = (np.arange(n) % 5 == 0).astype(int)
    return rng.normal(size=(n, 3)) + y[:, None], y


def samples_of(y):
    n = len(y)
    return Samples(np.zeros((n, 1)), y, np.ones(n), Schema(1, None, (1,)), np.arange(n), n)


def test_a_splitter_without_a_seed_gives_the_same_folds_and_leaves_the_global_generator():
    X, y = noisy(60)
    clf = ImbalancedNNClassifier(**QUICK, cv=StratifiedKFold(3, shuffle=True))
    first = clone(clf).fit(X, y).oof_predict_proba_
    np.random.seed(7)
    assert_array_equal(clone(clf).fit(X, y).oof_predict_proba_, first)
    before = np.random.get_state()
    splitter = ShuffleSplit(3)
    folds_of(splitter, BinaryTarget(np.arange(2)), samples_of(y), 0)
    after = np.random.get_state()
    assert_array_equal(after[1], before[1])
    assert after[2] == before[2]
    assert splitter.random_state is None


@pytest.mark.parametrize("cv", [3, None, "auto"])
def test_groups_that_no_splitter_uses_are_warned_of(cv):
    X, y = noisy(60)
    with pytest.warns(UserWarning, match=r"groups are not used by cv=.*GroupKFold") as caught:
        ImbalancedNNClassifier(**QUICK, cv=cv).fit(X, y, groups=np.arange(60) // 4)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.arange(59), "groups has 59 values, but X has 60 rows"),
        (np.arange(61), "groups has 61 values, but X has 60 rows"),
        (np.zeros((60, 2)), r"groups has the shape \(60, 2\).*, \(60,\).*ngroup\(\)"),
        (np.zeros((60, 4, 4)), r"groups has the shape \(60, 4, 4\)"),
        (7, r"groups has the shape \(\)"),
        ("patient", r"groups='patient' is a text.*groups=frame\['patient'\]"),
        (np.where(np.arange(60) < 2, np.nan, 1.0), "groups contains NaN, or None, 2 times"),
        (np.where(np.arange(60) < 3, None, "a"), "groups contains NaN, or None, 3 times"),
        (pd.array([None, *range(59)], dtype="Int64"), "groups contains NaN, or None, 1 times"),
    ],
)
def test_groups_have_a_value_for_every_sample(groups, message):
    X, y = noisy(60)
    with pytest.raises(ValueError, match=message):
        ImbalancedNNClassifier(**QUICK, cv=GroupKFold(3)).fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (StratifiedGroupKFold(3), r"splits by groups.*fit\(X, y, groups=groups\)"),
        (KFold, r"cv=KFold is a class. Pass an instance, cv=KFold\(\)"),
        ({"n_splits": 3}, "not an iterable of splits"),
        ([1, 2], "not an iterable of splits"),
        ([(np.arange(60), np.arange(50))] * 2, "^cv, a list of splits, has a split that trains"),
    ],
)
def test_what_is_no_splitter_is_named_with_the_cure(cv, message):
    X, y = noisy(60)
    with pytest.raises((ValueError, TypeError), match=message):
        ImbalancedNNClassifier(**QUICK, cv=cv).fit(X, y)


def test_a_generator_of_splits_that_is_used_up_says_so():
    X, y = noisy(60)
    clf = ImbalancedNNClassifier(**QUICK, cv=StratifiedKFold(3).split(X, y)).fit(X, y)
    with pytest.raises(ValueError, match=r"pass list\(generator\)"):
        clf.fit(X, y)
