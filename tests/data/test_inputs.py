"""The container of several inputs: what scikit-learn takes of it, and what it refuses."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.model_selection import KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import check_consistent_length, indexable, resample, shuffle
from sklearn.utils.validation import _num_samples

from skimb.data import Inputs
from skimb.data.inputs import Layout

NUMBERS = np.arange(12.0).reshape(6, 2)
IMAGES = np.arange(6 * 4).reshape(6, 2, 2)
KINDS = {
    "array": NUMBERS,
    "pandas": pd.DataFrame(NUMBERS, columns=list("ab"), index=list("uvwxyz")),
    "polars": pl.DataFrame(NUMBERS, schema=list("ab")),
    "sparse": csr_array(NUMBERS),
    "lists": NUMBERS.tolist(),
}


def table(X):
    part = X["table"]
    return part.toarray() if hasattr(part, "toarray") else np.asarray(part)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "key",
    [
        np.array([4, 1]),
        [0, 0, 5],
        slice(1, 4),
        np.array([True, False] * 3),
        3,
        (np.array([2]), ...),
    ],
    ids=["positions", "repeated", "slice", "mask", "single", "with ellipsis"],
)
def test_samples_are_taken_of_every_input_alike(kind, key):
    X = Inputs({"table": KINDS[kind], "image": IMAGES})[key]
    rows = key[0] if isinstance(key, tuple) else [key] if isinstance(key, int) else key
    assert_array_equal(table(X), NUMBERS[rows])
    assert_array_equal(X["image"], IMAGES[rows])
    assert X.names == ("table", "image")


def test_scikit_learn_counts_splits_and_shuffles_samples():
    X, y = Inputs({"table": NUMBERS, "image": IMAGES}), np.arange(6)
    assert _num_samples(X) == len(X) == 6
    check_consistent_length(X, y)
    assert indexable(X, y)[0] is X
    assert [len(test) for _, test in KFold(3).split(X)] == [2, 2, 2]
    for part in (
        *train_test_split(X, y, random_state=0)[:2],
        shuffle(X, random_state=0),
        resample(X, n_samples=3, random_state=0),
    ):
        assert_array_equal(part["image"][:, 0, 0] // 4, part["table"][:, 0] // 2)  # of one sample
    assert make_pipeline(FunctionTransformer()).fit_transform(X) is X


def test_a_list_has_inputs_by_position():
    X = Inputs([NUMBERS, IMAGES])
    assert X[:2].names is None
    assert [part.shape for part in X[:2].parts] == [(2, 2), (2, 2, 2)]
    assert repr(X) == "Inputs(0: (6, 2), 1: (6, 2, 2))"


@pytest.mark.parametrize(
    ("parts", "pattern"),
    [
        ({"a": NUMBERS, "b": IMAGES[:4]}, "6 in 'a', 4 in 'b'.*Every sample needs all inputs"),
        ({"a": NUMBERS, 1: IMAGES}, r"names \['a', 1\].*keras.Input"),
        ({}, "no arrays"),
        (NUMBERS, "got a ndarray.*dict of arrays"),
        ({"a": NUMBERS, "b": 3}, "input 'b' of X is a int"),
        ([NUMBERS, [[1], [1, 2]]], "input 1 of X is a list whose elements differ in shape"),
    ],
)
def test_what_are_no_inputs_is_an_error(parts, pattern):
    with pytest.raises((TypeError, ValueError), match=f"(?s){pattern}"):
        Inputs(parts)


def test_a_name_that_no_input_has_is_an_error_that_names_those_there_are():
    with pytest.raises(KeyError, match=r"no input 'tabel'\. Its inputs are 'table', 'image'"):
        Inputs({"table": np.zeros((2, 3)), "image": np.zeros((2, 4, 4))})["tabel"]


def test_a_transformer_of_one_array_is_told_that_there_are_several():
    with pytest.raises(TypeError, match="2 inputs, 'table', 'image', which are not one array"):
        StandardScaler().fit(Inputs({"table": NUMBERS, "image": IMAGES}))


def test_rows_of_all_values_are_taken_apart_as_they_were_joined():
    layout = Layout(None, ((2,), (2, 2), (2,)))
    row = layout.joined([NUMBERS, IMAGES, csr_array(NUMBERS)])
    assert row.shape == (6, 8)
    assert row.dtype == np.float32
    for part, given in zip(layout.apart(row), (NUMBERS, IMAGES, NUMBERS), strict=True):
        assert_array_equal(part, given)
