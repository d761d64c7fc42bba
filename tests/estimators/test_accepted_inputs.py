"""Containers of samples, labels and weights that mean the same, or are an error with its cure."""

import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import DataConversionWarning

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
Y1 = np.repeat([0, 1], [60, 20])
GAPS = RNG.random((80, 4)) < 0.2


def fitted(X=X, y=Y1, **fit_arguments):
    clf = ImbalancedNNClassifier(
        "mlp", model__hidden_layer_sizes=(4,), epochs=2, cv=None, random_state=0
    )
    return clf.fit(X, y, **fit_arguments)


@pytest.mark.parametrize("values", [X, X.astype("float32"), (10 * X).astype(int), X.astype(object)])
def test_masked_values_are_missing_values(values):
    gaps = np.where(GAPS, np.nan, values.astype(float))
    gaps = gaps.astype("float32") if values.dtype == "float32" else gaps
    masked = np.ma.MaskedArray(values, GAPS)
    expected = fitted(gaps).predict_proba(gaps)
    assert_allclose(fitted(masked).predict_proba(masked), expected, rtol=1e-6)


def test_masked_labels_weights_and_pixels_are_refused():
    with pytest.raises(ValueError, match="a masked entry in the place of a label in 60 of 80"):
        fitted(y=np.ma.masked_equal(Y1, 0))
    with pytest.raises(ValueError, match="sample_weight contains NaN, 20 times"):
        fitted(sample_weight=np.ma.masked_equal(1.0 - Y1, 0.0))
    images, masks = np.zeros((4, 8, 8)), np.zeros((4, 8, 8), int)
    masks[:, 2:4] = 1
    masks[:, :, 7] = 255
    with pytest.raises(ValueError, match=r"32 masked pixels.*sample_weight=\(~y.mask\)"):
        ImbalancedNNSegmenter(epochs=1).fit(images, np.ma.masked_equal(masks, 255))


@pytest.mark.parametrize("kind", [bool, int, np.uint8])
def test_objects_that_are_all_bools_or_integers_are_labels(kind):
    y = Y1.astype(kind).astype(object)
    clf = fitted(y=y)
    assert clf.classes_.tolist() == [0, 1]
    assert clf.classes_.dtype.kind == ("b" if kind is bool else "i")
    assert_array_equal(clf.predict_proba(X), fitted().predict_proba(X))
    assert clf.score(X, y) == fitted().score(X, Y1)
    indicators = np.column_stack([y, y[::-1]])
    assert fitted(y=indicators).predict_proba(X).shape == (80, 2)


@pytest.mark.parametrize(
    ("y", "found"),
    [
        (pd.cut(X[:, 0], [-9, 0, 9]), "Interval"),
        (pd.PeriodIndex(np.where(Y1, "2020", "2021"), freq="Y"), "Period"),
        (np.array([True, 0] * 40, dtype=object), "bool and int"),
        ([Fraction(int(label), 2) for label in Y1], "Fraction"),
    ],
)
def test_objects_that_are_no_labels_are_named_with_the_cure(y, found):
    with pytest.raises(ValueError, match=rf"Unknown label type.*{found}.*str\(label\) for label"):
        fitted(y=y)


def test_two_columns_with_one_name_are_named():
    frame = pd.DataFrame(X, columns=["a", "a", "b", "c"])
    with pytest.raises(ValueError, match=r"several columns with the name 'a'.*Rename them"):
        fitted(frame)
    with pytest.raises(ValueError, match=r"several columns with the name 'a'.*Rename them"):
        fitted(frame.assign(t="text"))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ("label", r"y is the str 'label'.*y = X.pop\('label'\)"),
        ((label for label in Y1), r"y is a generator, a stream of labels.*list\(y\)"),
        (map(int, Y1), r"y is a map, a stream"),
        ({i: label for i, label in enumerate(Y1)}.values(), r"y is a dict_values, a stream"),
        (3, r"y is the int 3, but a label for each sample"),
    ],
)
def test_what_holds_no_labels_is_named_with_the_cure(y, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fitted(y=y)


def test_structured_array_is_named_with_the_cure():
    records = np.array([tuple(row) for row in X], dtype=[(name, float) for name in "abcd"])
    with pytest.raises(TypeError, match=r"fields \['a', 'b', 'c', 'd'\].*pd.DataFrame\(X\)"):
        fitted(records)
    assert fitted(pd.DataFrame(records)).n_features_in_ == 4


@pytest.mark.parametrize("y", [Y1[:, np.newaxis], pd.DataFrame({"label": Y1})])
def test_labels_in_a_column_are_taken_with_a_warning_at_the_line_of_the_user(y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf = fitted(y=y)
    assert [(w.category, w.filename) for w in caught] == [(DataConversionWarning, __file__)]
    assert_array_equal(clf.predict_proba(X), fitted().predict_proba(X))


def test_one_weight_is_that_of_every_sample():
    clf = fitted(sample_weight=2)
    assert clf.class_counts_.tolist() == [120, 40]
    assert clf.score(X, Y1, sample_weight=3.0) == clf.score(X, Y1)
    expected = fitted(sample_weight=np.full(80, 2.0)).predict_proba(X)
    assert_array_equal(clf.predict_proba(X), expected)
