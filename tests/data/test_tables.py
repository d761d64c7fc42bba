"""Tables: columns validated, and encoded as numbers."""

import datetime
import pickle
import uuid
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_union
from sklearn.preprocessing import OneHotEncoder

from skimb.data.samples import take
from skimb.data.tables import (
    FeatureEncoder,
    categorical_columns,
    has_categories,
    read_table,
)


def frame(**columns):
    return pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})


def objects(values):
    return pd.Series(values, dtype=object)


def encoded(X, sample_weight=None):
    X = read_table(X)
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    return FeatureEncoder().fit(X, weight).transform(X)


def fitted(X):
    return FeatureEncoder().fit(read_table(X), np.ones(len(X)))


@pytest.fixture
def people():
    """200 samples: numbers, integers, booleans, text and categories, without gaps."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "color": pd.Categorical(rng.choice(["blue", "green", "red"], 200)),
            "size": rng.normal(size=200),
            "city": rng.choice(["Oslo", "Rome"], 200),
            "age": rng.integers(0, 90, 200),
            "member": rng.random(200) < 0.3,
        }
    )


def with_gaps(people):
    """Return the same table as plain lists, with gaps in every column."""
    return {
        name: [None if (k + i) % 7 == 0 else v for k, v in enumerate(people[name].tolist())]
        for i, name in enumerate(people)
    }


BACKENDS = {
    "objects": lambda data: pd.DataFrame(data, dtype=object),
    "inferred": pd.DataFrame,
    "numpy_nullable": lambda data: pd.DataFrame(data).convert_dtypes(),
    "pyarrow": lambda data: pd.DataFrame(data).convert_dtypes(dtype_backend="pyarrow"),
    "arrow dictionary": lambda data: (
        pl.DataFrame(data)
        .with_columns(pl.col("color").cast(pl.Categorical))
        .to_pandas(use_pyarrow_extension_array=True)
    ),
    "category": lambda data: pd.DataFrame(data).astype({"color": "category", "city": "string"}),
    "polars": pl.DataFrame,
    "polars Categorical": lambda data: pl.DataFrame(data).with_columns(
        pl.col("color").cast(pl.Categorical)
    ),
    "polars Enum": lambda data: pl.DataFrame(data).with_columns(
        pl.col("color").cast(pl.Enum(["blue", "green", "red"]))
    ),
    "object array": lambda data: pd.DataFrame(data, dtype=object).to_numpy(),
    "list of lists": lambda data: pd.DataFrame(data, dtype=object).to_numpy().tolist(),
}


def test_encoding_is_that_of_scikit_learn(people):
    numbers, categories = ["size", "age", "member"], ["color", "city"]
    by_hand = make_column_transformer(
        ("passthrough", numbers),
        (OneHotEncoder(sparse_output=False), categories),
    )
    assert_array_equal(encoded(people), by_hand.fit_transform(people).astype(float))


@pytest.mark.parametrize("backend", BACKENDS)
def test_frames_of_all_kinds_have_the_same_encoding(people, backend):
    data = with_gaps(people)
    numbers = pd.DataFrame(data)[["size", "age", "member"]].astype(float)
    categories = pd.DataFrame(data, dtype=object)[["color", "city"]]
    expected = np.hstack(
        [
            SimpleImputer().fit_transform(numbers),
            numbers.isna(),
            np.column_stack([categories["color"] == c for c in ("blue", "green", "red")]),
            categories[["color"]].isna(),
            np.column_stack([categories["city"] == c for c in ("Oslo", "Rome")]),
            categories[["city"]].isna(),
        ]
    )
    X = BACKENDS[backend](data)
    assert_allclose(encoded(X), expected, rtol=1e-12)
    # and each kind is read by an encoder that was fitted on another
    other = fitted(BACKENDS["polars"](data)).transform(read_table(X, training=False))
    assert_allclose(other, expected, rtol=1e-12)


def test_names_of_encoded_columns():
    X = frame(color=["red", None, "blue"], age=[1.0, np.nan, 2.0], size=[1, 2, 3])
    encoder = fitted(X)
    assert encoder.feature_names_out_ == [
        "age", "size", "age_missing", "color_blue", "color_red", "color_missing"
    ]  # fmt: skip
    assert encoder.n_features_out_ == encoder.transform(X).shape[1] == 6
    assert fitted(np.array([[1.0, np.nan]])).feature_names_out_ == ["x0", "x1", "x1_missing"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gaps_of_an_array_are_the_mean_and_an_indicator(dtype):
    X = np.random.default_rng(0).normal(size=(100, 4)).astype(dtype)
    X[::7, 2] = np.nan
    by_scikit_learn = make_union(SimpleImputer(), MissingIndicator()).fit_transform(X)
    assert encoded(X).dtype == dtype
    assert_allclose(encoded(X), by_scikit_learn, rtol=1e-6)
    assert_array_equal(fitted(X).transform(sp.csr_array(X)), encoded(X))


def test_single_precision_stays_where_all_numbers_have_it():
    X = frame(size=np.array([1, 2.5], dtype="float32"), city=["Oslo", "Rome"])
    assert encoded(X).dtype == encoded(pl.from_pandas(X)).dtype == np.float32
    assert encoded(X.convert_dtypes(dtype_backend="pyarrow")).dtype == np.float32
    assert encoded(X.assign(age=[1, 2])).dtype == np.float64


def test_a_weight_of_two_is_the_sample_twice_and_one_of_zero_is_no_sample():
    X = frame(size=[1.0, np.nan, 4.0, np.nan], city=["a", "b", "b", "c"], age=[1, 2, 3, np.nan])
    weight = np.array([2, 1, 1, 0])
    weighted = FeatureEncoder().fit(X, weight)
    repeated = fitted(X.iloc[[0, 0, 1, 2]])
    assert weighted.feature_names_out_ == repeated.feature_names_out_
    assert "age_missing" not in weighted.feature_names_out_
    assert_allclose(weighted.transform(X[:3]), repeated.transform(X[:3]), rtol=1e-15)
    assert_allclose(weighted.transform(X[:3])[1, 0], 2.0)


@pytest.mark.parametrize(
    ("values", "weight", "mean"),
    [
        ([1e300, 1e300], [1e300, 1e300], 1e300),
        ([1.7e308, 1.7e308], [1.0, 1.0], 1.7e308),
        ([1.0, 3.0], [1e-300, 1e-300], 2.0),
        ([1.0, 3.0], [1e-300, 3e-300], 2.5),
        ([5.0, 7.0], [1e300, 1e-300], 5.0),
    ],
)
def test_means_of_extreme_weights_and_numbers_are_finite(values, weight, mean):
    X = np.array([[np.nan], *[[value] for value in values]])
    assert_allclose(FeatureEncoder().fit(X, [1e300, *weight]).transform(X)[0], [mean, 1])


def test_a_column_without_values_is_zero():
    assert_array_equal(encoded(np.array([[1.0, np.nan], [2.0, np.nan]])), [[1, 0, 1], [2, 0, 1]])
    X = pl.DataFrame({"age": [1.0, 2.0], "empty": [None, None]})
    assert_array_equal(encoded(X), [[1, 0, 1], [2, 0, 1]])


def test_a_gap_in_a_column_without_gaps_in_training_is_the_mean_and_a_warning():
    X = frame(age=[1.0, 3.0, 5.0], size=[1.0, 2.0, np.nan], city=["a", "b", "b"])
    encoder = fitted(X)
    with pytest.warns(UserWarning, match="had none in training: 'age'") as record:
        rows = encoder.transform(X.assign(age=[np.nan, 1.0, np.nan]))
    assert len(record) == 1
    assert_array_equal(rows[:, 0], [3, 1, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.transform(X)


def test_unknown_and_missing_categories_without_samples_in_training_are_zero():
    encoder = fitted(frame(city=["Oslo", "Rome"]))
    rows = encoder.transform(frame(city=["Oslo", "Paris", None]))
    assert_array_equal(rows, [[1, 0], [0, 0], [0, 0]])


def test_missing_categories_are_a_warning_where_none_were_missing_in_training():
    encoder = fitted(frame(city=["Oslo", "Rome"]))
    with pytest.warns(UserWarning, match="had none in training: 'city'. No category") as record:
        assert_array_equal(encoder.transform(frame(city=objects([None, None]))), 0)
    assert len(record) == 1
    encoder = fitted(frame(city=objects(["Oslo", None])))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.transform(frame(city=objects([None, None])))


def test_numbers_among_known_texts_are_a_warning_with_examples():
    encoder = fitted(frame(code=["1", "2", "x"]))
    with pytest.warns(UserWarning, match="'code' of X are not known as they are written: X has 1"):
        encoder.transform(frame(code=objects([1, "2", "x"])))


def test_a_column_of_unknown_values_alone_is_a_warning_with_examples():
    encoder = fitted(frame(code=["1", "2"], age=[1, 2]))
    with pytest.warns(UserWarning, match="'code' of X is known: X has 1, 2, training had '1', '2'"):
        rows = encoder.transform(frame(code=[1, 2], age=[1, 2]))
    assert_array_equal(rows, [[1, 0, 0], [2, 0, 0]])


def test_categories_are_known_by_value():
    encoder = fitted(frame(code=pd.Categorical([1, 2, 7])))
    for same in (
        frame(code=[1.0, 2.0, 7.0]),
        frame(code=pd.array([1, 2, 7], dtype="Int64")),
        np.array([[1], [2], [7]]),
        pl.DataFrame({"code": [1, 2, 7]}),
        frame(code=objects([Decimal(1), np.int8(2), np.float32(7)])),
    ):
        assert_array_equal(encoder.transform(same), np.eye(3))
    mixed = fitted(frame(code=objects([True, "True", "x"])))
    assert_array_equal(mixed.transform(frame(code=objects([True, "True"]))), np.eye(3)[:2])


def test_declared_categories_have_columns_without_samples():
    X = frame(size=pd.Categorical(["S", "L"], ["S", "M", "L"]))
    assert fitted(X).feature_names_out_ == ["size_S", "size_M", "size_L"]
    X = pl.DataFrame({"size": ["S", "L"]}, schema={"size": pl.Enum(["S", "M", "L"])})
    assert fitted(X).feature_names_out_ == ["size_S", "size_M", "size_L"]


def test_intervals_are_categories_where_they_are_declared():
    X = frame(age=pd.cut(pd.Series([1, 5, 9]), [0, 4, 8, 12]))
    assert_array_equal(encoded(X), np.eye(3))
    with pytest.raises(TypeError, match="'age' of dtype interval"):
        read_table(frame(age=pd.arrays.IntervalArray(X["age"])))


def test_the_categories_of_least_weight_share_a_column():
    streets = [f"street {i:03}" for i in range(300)]
    weight = np.random.default_rng(0).permutation(300) + 1.0
    encoder = FeatureEncoder().fit(frame(street=pd.Categorical(streets)), 1e300 * weight / 300)
    rows = encoder.transform(frame(street=[*streets, "street 1000"]))
    frequent = weight > 300 - 254
    assert rows.shape == (301, 255)
    assert encoder.feature_names_out_[-1] == "street_infrequent"
    assert_array_equal(rows[:300][frequent, :254], np.eye(254))
    assert_array_equal(rows[:300][~frequent], np.eye(255)[[254] * 46])
    assert_array_equal(rows[300], 0)


def test_weights_decide_which_categories_are_frequent():
    rng = np.random.default_rng(0)
    X = frame(street=pd.Categorical(rng.integers(0, 300, 2000)), few=rng.choice(["a", "b"], 2000))
    weight = rng.integers(0, 4, 2000)
    weighted = FeatureEncoder().fit(X, weight)
    assert_array_equal(weighted.transform(X), fitted(X.loc[X.index.repeat(weight)]).transform(X))


def test_text_of_more_than_255_values_is_a_warning_in_training():
    X = frame(street=[f"street {i}" for i in range(300)])
    with pytest.warns(UserWarning, match=r"'street' with 300 different texts.*TargetEncoder"):
        assert read_table(X) is X
    assert encoded(X).shape == (300, 255)
    assert read_table(X, training=False) is X
    declared = pl.from_pandas(X).cast(pl.Categorical)
    assert encoded(declared).shape == (300, 255)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    "values",
    [
        ["29.85", " ", "18.2", "30"],
        ["29.85", "?", "1e3", None, "-2"],
        ["12", "n/a", "13", ".5"],
        [f"{i / 10}" for i in range(300)],
    ],
)
def test_text_that_is_numbers_is_an_error_with_the_cure(make, values):
    with pytest.raises(ValueError, match=r"'total' with numbers.*to_numeric\(X\['total'\], err"):
        read_table(make({"total": values}))
    assert has_categories(read_table(make({"total": values}), training=False))


@pytest.mark.parametrize(
    "values",
    [["1", "2", "3"], ["1", "", ""], ["01", "02", ""], ["a", "1", "2", ""], [None, "", "x"]],
)
def test_text_that_can_be_categories_is_no_error(values):
    assert has_categories(read_table(frame(code=objects(values))))


def test_numbers_among_objects_beside_blanks_are_an_error_too():
    with pytest.raises(ValueError, match=r"' ' among them.*declare it as categories"):
        read_table(frame(total=objects([1.5, " ", 2.5])))
    declared = frame(total=pd.Categorical([1.5, " ", 2.5]))
    assert encoded(declared).shape == (3, 3)


@pytest.mark.parametrize(
    "values",
    [
        pd.date_range("2020", periods=2),
        pd.date_range("2020", periods=2, tz="UTC"),
        pd.timedelta_range("1s", periods=2),
        pd.period_range("2020", periods=2),
        pd.Series(pd.date_range("2020", periods=2)).astype("timestamp[ns][pyarrow]"),
        objects([datetime.date(2020, 1, 1), None]),
        objects([pd.NaT, datetime.datetime(2020, 1, 1)]),
        objects(["text", datetime.timedelta(1)]),
    ],
)
def test_dates_are_an_error_that_names_the_column(values):
    with pytest.raises(TypeError, match=r"'when' of dtype .* Make numbers of it, such as the hour"):
        read_table(frame(size=[1.0, 2.0], when=values))


@pytest.mark.parametrize(
    "values", [[datetime.date(2020, 1, 1)], [datetime.time(1)], [datetime.timedelta(1)]]
)
def test_dates_of_polars_are_an_error(values):
    with pytest.raises(TypeError, match="'when' of dtype"):
        read_table(pl.DataFrame({"when": values}))


@pytest.mark.parametrize(
    "value", [["a list"], ("a", "tuple"), {"a": "dict"}, {"a set"}, uuid.UUID(int=1), b"bytes", 1j]
)
def test_what_is_neither_a_number_nor_a_category_is_an_error(value):
    for others in (["text"], [1.5]):
        with pytest.raises(TypeError, match=r"'city' with .* in it, which is neither"):
            read_table(frame(city=objects([value, *others])))
    X = np.array([[1.0, 2.0]], dtype=object)
    X[0, 1] = value
    with pytest.raises(TypeError, match=r"column 1 with .* must be a string or a number"):
        read_table(X)


@pytest.mark.parametrize(
    "X",
    [
        pl.DataFrame({"a": [[1, 2]]}),
        pl.DataFrame({"a": [{"b": 1}]}),
        pl.DataFrame({"a": [b"bytes"]}),
        pd.DataFrame({"a": [1j]}),
        pl.DataFrame({"a": [[1, 2]]}).to_pandas(use_pyarrow_extension_array=True),
        pl.DataFrame({"a": [{"b": 1}]}).to_pandas(use_pyarrow_extension_array=True),
    ],
)
def test_columns_of_lists_structs_bytes_and_complex_numbers_are_an_error(X):
    with pytest.raises(TypeError, match=r"'a' of dtype .* neither a number nor a category"):
        read_table(X)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("others", [{}, {"city": ["Oslo", "Rome"]}])
def test_infinity_is_an_error_that_names_the_column(make, others):
    with pytest.raises(ValueError, match="infinity in the columns 'age'"):
        read_table(make({"size": [1.0, None], "age": [1.0, -np.inf], **others}))


def test_text_in_a_column_of_numbers_is_an_error_that_names_the_column():
    encoder = fitted(frame(age=[1, 2]))
    with pytest.raises(ValueError, match="X has the column 'age': could not convert"):
        encoder.transform(frame(age=["young", "old"]))


def test_objects_without_text_are_numbers():
    X = frame(
        flag=objects([True, None, False]),
        age=objects([1, pd.NA, 2.5]),
        price=objects([Decimal("1.5"), np.nan, np.float32(2)]),
        none=objects([None, None, None]),
    )
    assert not has_categories(X)
    numbers = [[1, 1, 1.5, np.nan], [np.nan] * 4, [0, 2.5, 2, np.nan]]
    assert_array_equal(read_table(X.to_numpy()), numbers)
    assert_array_equal(encoded(X)[:, :3], [[1, 1, 1.5], [0.5, 1.75, 1.75], [0, 2.5, 2]])
    assert has_categories(X.assign(flag=objects([True, None, "unknown"])))


def test_the_text_of_a_column_may_be_in_samples_that_are_not_trained_on():
    X = read_table(frame(note=objects([None, None, "late"]), age=[1, 2, 3]))
    encoder = FeatureEncoder().fit(take(X, [0, 1]), np.ones(2), categorical_columns(X))
    with pytest.warns(UserWarning, match="'note' of X is known: X has 'late', training had miss"):
        assert_array_equal(encoder.transform(take(X, [2])), [[3, 0]])


def test_arrays_and_sparse_matrices_are_returned_unread():
    for X in (
        np.array([[np.inf, np.nan]]),
        np.zeros((2, 4, 4, 3)),
        np.zeros((2, 0), dtype=object),
        sp.csr_array((2, 2)),
        [[[1.0]], [[2.0]]],
        [np.zeros(2)],
        [[1, 2], [3]],
        [],
    ):
        assert read_table(X) is X
        assert not has_categories(X)


def test_lists_of_numbers_are_numbers():
    assert_array_equal(read_table([[1, None], [True, 2.5]]), [[1, np.nan], [1, 2.5]])


def test_an_array_of_text_is_numbers_or_an_error():
    assert_array_equal(read_table(np.array([["1", "2.5"]])), [[1, 2.5]])
    with pytest.raises(ValueError, match=r"of dtype <U.*numbers are text, too.*dtype=object"):
        read_table(np.array([[1.5, "red"]]))


@pytest.mark.slow
def test_a_sparse_frame_is_not_made_dense_to_be_validated():
    X = pd.DataFrame.sparse.from_spmatrix(sp.csr_array((3, 100_000)))
    X["text"] = 0.0
    assert read_table(X.iloc[:, :-1]).shape == (3, 100_000)


def test_what_is_no_table_is_an_error_in_transform():
    X = frame(city=["Oslo", "Rome"])
    with pytest.raises(ValueError, match="2-dimensional table, as in fit; got Series"):
        fitted(X).transform(X["city"])


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"a": range(5)}),
        pl.DataFrame({"a": range(5)}),
        np.arange(5)[:, None],
        sp.csr_array(np.arange(5)[:, None]),
    ],
)
def test_take_returns_samples_by_position(X):
    taken = take(X, np.array([3, 0]))
    assert type(taken) is type(X)
    rows = taken.toarray() if sp.issparse(taken) else np.asarray(taken)
    assert_array_equal(rows, [[3], [0]])


def test_a_frame_is_unchanged_by_all_of_it(people):
    before = people.copy()
    assert read_table(people) is people
    encoded(people)
    pd.testing.assert_frame_equal(people, before)


@pytest.mark.parametrize("way", ["pickle", "skops"])
def test_a_loaded_encoder_gives_the_same(people, way):
    X = pd.DataFrame(with_gaps(people)).astype({"color": "category"})
    X["level"] = pd.cut(X["age"], 3)
    X["mixed"] = objects([True, "x", 1.5, None] * 50)
    encoder = fitted(X)
    if way == "pickle":
        loaded = pickle.loads(pickle.dumps(encoder))
    else:
        skops_io = pytest.importorskip("skops.io")
        file = skops_io.dumps(encoder)
        assert skops_io.get_untrusted_types(data=file) == ["skimb.data.tables.FeatureEncoder"]
        loaded = skops_io.loads(file, trusted=["skimb.data.tables.FeatureEncoder"])
    assert_array_equal(loaded.transform(X), encoder.transform(X))
    assert loaded.feature_names_out_ == encoder.feature_names_out_
