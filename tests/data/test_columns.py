"""Tables with categories and missing values."""

import pickle

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from imblearn.over_sampling import RandomOverSampler
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import estimator_checks_generator

from skimb import AutoencoderOutlierDetector, ImbalancedNNClassifier
from skimb.data.tables import FeatureEncoder

COLOURS = ["blue", "green", "red"]


def quick(**params):
    return ImbalancedNNClassifier("mlp", **{"epochs": 3, "random_state": 0, **params})


@pytest.fixture
def frame():
    """200 rows with a column of numbers, one of categories, one of text, and labels."""
    rng = np.random.default_rng(0)
    colour = rng.choice(COLOURS, 200)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=200),
            "colour": pd.Categorical(colour, COLOURS),
            "city": rng.choice(["Oslo", "Rome"], 200),
            "age": rng.integers(0, 90, 200),
        }
    )
    rare = (colour == "red") & (frame["size"] > 0.5)
    return frame, rare.to_numpy().astype(int)


def by_hand(categorical, numbers):
    """Return scikit-learn's own steps for the same."""
    return make_column_transformer(
        ("passthrough", numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categorical),
    )


def test_categories_are_one_hot_encoded(frame):
    X, y = frame
    clf = quick().fit(X, y)
    encoded = by_hand(["colour", "city"], ["size", "age"]).fit_transform(X)
    assert_array_equal(clf.predict_proba(X), quick().fit(encoded, y).predict_proba(encoded))
    assert_array_equal(clf.model_inputs(X), encoded)
    assert clf.n_features_in_ == 4
    assert list(clf.feature_names_in_) == list(X.columns)
    assert clf.model_.input_shape == (None, 7)


@pytest.mark.slow
def test_a_category_that_alone_tells_the_classes_apart_is_learned(frame):
    X, _ = frame
    y = (X["colour"] == "red") & (X["city"] == "Rome")
    scores = cross_val_score(ImbalancedNNClassifier(random_state=0), X[["colour", "city"]], y, cv=3)
    assert scores.min() == 1.0


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.astype({"city": "object"}),
        lambda X: X.astype({"city": "string"}),
        lambda X: X.astype({"city": "category", "age": "Int64"}),
        lambda X: X.convert_dtypes(dtype_backend="pyarrow"),
        lambda X: pl.from_pandas(X),
        lambda X: pl.from_pandas(X).with_columns(pl.col("colour").cast(pl.Enum(COLOURS))),
    ],
)
def test_frames_of_other_kinds_give_the_same(frame, convert):
    X, y = frame
    expected = quick().fit(X, y).predict_proba(X)
    other = convert(X)
    assert_allclose(quick().fit(other, y).predict_proba(other), expected, rtol=1e-12)


def test_categories_not_seen_in_training_are_no_category(frame):
    X, y = frame
    clf = quick().fit(X, y)
    strange = X.assign(city="Paris", colour=None)
    assert_array_equal(clf.model_inputs(strange)[:, 2:], 0)
    assert np.isfinite(clf.predict_proba(strange)).all()


@pytest.mark.slow
def test_declared_categories_give_all_parts_of_a_table_the_same_network(frame):
    X, y = frame
    few = quick().fit(X[X["colour"] != "green"], y[X["colour"] != "green"])
    assert few.model_.input_shape == quick().fit(X, y).model_.input_shape


@pytest.mark.slow
def test_a_missing_category_is_a_category(frame):
    X, y = frame
    X = X.astype({"colour": "object"})
    X.loc[::3, "colour"] = None
    X.loc[1::3, "city"] = np.nan
    inputs = quick().fit(X, y).model_inputs(X)
    assert_array_equal(inputs[::3, 5], 1)
    assert inputs.shape == (200, 2 + 4 + 3)


@pytest.mark.slow
def test_the_rarest_of_many_categories_share_one():
    X = pd.DataFrame({"street": [f"street {i}" for i in range(400)]})
    y = np.arange(400) % 10 == 0
    with pytest.warns(UserWarning, match="'street' with 400 different texts"):
        texts = quick(epochs=1).fit(X, y)
    assert texts.model_.input_shape == (None, 255)
    clf = quick(epochs=1).fit(X.astype("category"), y)
    assert clf.model_.input_shape == (None, 255)
    unknown = pd.DataFrame({"street": ["street 1000"]}).astype("category")
    assert_array_equal(clf.model_inputs(unknown), 0)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_missing_values_are_the_mean_and_an_indicator(binary, dtype):
    X, y = binary
    X = X.astype(dtype)
    X[::7, 2] = np.nan
    by_scikit_learn = make_union(SimpleImputer(), MissingIndicator())
    encoded = by_scikit_learn.fit_transform(X).astype(dtype)
    clf = quick().fit(X, y)
    assert_allclose(clf.model_inputs(X), encoded, rtol=1e-6)
    same = quick().fit(clf.model_inputs(X), y)
    assert_array_equal(clf.predict_proba(X), same.predict_proba(clf.model_inputs(X)))


@pytest.mark.slow
def test_a_value_missing_where_none_was_missing_in_training_is_the_mean(binary):
    X, y = binary
    clf = quick().fit(X, y)
    holes = X.copy()
    holes[:, 1] = np.nan
    filled = np.where(np.isnan(holes), X[:, 1].mean(), X)
    with pytest.warns(UserWarning, match=r"missing values in the columns \[1\]") as found:
        p = clf.predict_proba(holes)
    assert [warning.filename for warning in found] == [__file__]
    assert_allclose(p, clf.predict_proba(filled), rtol=1e-6)


@pytest.mark.slow
def test_that_a_value_is_missing_can_be_all_there_is_to_know(binary):
    X, _ = binary
    X = X.copy()
    X[:40, 3] = np.nan
    y = np.arange(400) < 40
    clf = ImbalancedNNClassifier(random_state=0)
    assert cross_val_score(clf, X, y, cv=3).min() == 1.0


def test_a_column_without_any_value_says_nothing(binary):
    X, y = binary
    empty = np.c_[X, np.full(len(X), np.nan)]
    p = quick().fit(empty, y).predict_proba(empty)
    assert np.isfinite(p).all()


@pytest.mark.slow
def test_integer_weights_stand_for_rows_where_values_are_missing(frame):
    X, y = frame
    X = X.assign(size=X["size"].where(X["age"] > 20))
    weight = np.random.default_rng(1).integers(0, 4, len(X))
    X.loc[weight == 0, "city"] = "Atlantis"  # a category that no row that counts has
    repeated = np.repeat(np.arange(len(X)), weight)
    params = {"batch_size": 1000, "epochs": 10}
    weighted = quick(**params).fit(X, y, sample_weight=weight)
    several = quick(**params).fit(X.iloc[repeated], y[repeated])
    assert_allclose(weighted.predict_proba(X), several.predict_proba(X), atol=1e-7)


@pytest.mark.slow
def test_missing_values_in_a_search_behind_a_sampler_and_in_a_pickle(frame):
    X, y = frame
    X = X.assign(size=X["size"].where(X["age"] > 20))
    clf = quick(sampler=RandomOverSampler(), early_stopping=True, epochs=2)
    search = GridSearchCV(clf, {"model__l2": [0.0, 1e-3]}, cv=3).fit(X, y)
    loaded = pickle.loads(pickle.dumps(search))
    assert_array_equal(loaded.predict_proba(X), search.predict_proba(X))


def test_rows_to_validate_on_and_chunks_are_encoded_too(frame):
    X, y = frame
    clf = quick().fit(X, y, X_val=X[:50], y_val=y[:50])
    assert "val_average_precision" in clf.history_
    chunks = quick().partial_fit(X[:100], y[:100], classes=[0, 1]).partial_fit(X[100:], y[100:])
    assert chunks.predict(X).shape == (200,)


def test_a_build_function_is_told_how_many_columns_the_network_gets(frame):
    X, y = frame

    def build(meta):
        return keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(1)])

    assert quick().set_params(model=build).fit(X, y).model_.input_shape == (None, 7)


def test_gaps_in_sparse_matrices_are_an_error_that_says_where_they_are_taken(binary):
    X, y = binary
    holes = sp.csr_array(np.where(X > 2, np.nan, X))
    with pytest.raises(ValueError, match=r"missing values \(NaN\).*dense tables"):
        quick().fit(holes, y)
    clf = quick().fit(X, y)
    with pytest.raises(ValueError, match=r"missing values \(NaN\).*fill them in"):
        clf.predict(holes)


def test_what_is_no_number_and_no_category_is_an_error(binary, frame):
    X, y = binary
    with pytest.raises(ValueError, match="infinity"):
        quick().fit(np.where(X > 2, np.inf, X), y)
    with pytest.raises(ValueError, match="NaN"):  # images have no columns
        quick().set_params(model="cnn").fit(np.full((40, 8, 8), np.nan), y[:40])
    frame, y = frame
    with pytest.raises(TypeError, match="neither a number nor a category"):
        quick().fit(frame.assign(city=[["a list"]] * 199 + ["text"]), y)
    clf = quick().fit(frame, y)
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(frame[["city", "age", "size", "colour"]])
    with pytest.raises(ValueError, match="could not convert"):
        AutoencoderOutlierDetector(epochs=1).fit(frame)


def test_an_error_leaves_the_columns_of_the_last_fit(frame):
    X, y = frame
    clf = quick().fit(X, y)
    before = clf.predict_proba(X)
    with pytest.raises(ValueError, match="one class"):
        clf.fit(X[["city"]], 0 * y)
    assert_array_equal(clf.predict_proba(X), before)


def test_network_gets_columns_of_a_pipeline_as_they_are(frame):
    X, y = frame
    pipeline = make_pipeline(by_hand(["colour", "city"], ["size", "age"]), quick()).fit(X, y)
    assert_array_equal(pipeline.predict_proba(X), quick().fit(X, y).predict_proba(X))


@pytest.mark.slow
def test_estimator_that_takes_missing_values_passes_scikit_learns_checks_of_input():
    about_input = ("nan", "n_features", "feature_names", "dataframe", "dtype", "sparse", "fit1d")
    ran = 0
    for estimator, check in estimator_checks_generator(quick(epochs=20)):
        if any(part in str(check) for part in about_input):
            check(estimator)
            ran += 1
    assert ran > 10


def test_names_of_columns_are_checked_where_values_may_be_missing(frame):
    X, y = frame
    numbers = X[["size", "age"]]
    clf = quick().fit(numbers, y)
    assert list(clf.feature_names_in_) == ["size", "age"]
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(numbers[["age", "size"]])


def test_sparse_rows_are_taken_by_a_network_of_a_dense_table(binary):
    X, y = binary
    clf = quick().fit(X, y)
    assert_array_equal(clf.predict_proba(sp.csr_array(X)), clf.predict_proba(X))
    with pytest.raises(ValueError, match="missing values"):
        quick().fit(sp.csr_array(np.where(X > 2, np.nan, X)), y)


@pytest.mark.parametrize(
    "values",
    [
        pd.date_range("2020", periods=200),
        pd.date_range("2020", periods=200, tz="UTC"),
        pd.timedelta_range("1s", periods=200),
    ],
)
def test_dates_are_an_error_that_names_the_column(frame, values):
    X, y = frame
    for table in (X.assign(when=values), X[["size"]].assign(when=values)):
        with pytest.raises(TypeError, match="column 'when' of dtype"):
            quick().fit(table, y)


def test_a_column_may_mix_text_numbers_and_gaps(frame):
    X, y = frame
    mixed = pd.Series([True, "x", 1.5, np.nan, pd.NA] * 40, dtype=object)
    clf = quick().fit(X.assign(city=mixed), y)
    assert clf.model_.input_shape == (None, 2 + 3 + 4)
    numbers = pd.Series([1.5, pd.NA] * 100, dtype=object)
    clf = quick().fit(X.assign(age=numbers), y)
    assert_allclose(clf.model_inputs(X.assign(age=numbers))[1::2, 1], 1.5)


@pytest.mark.slow
def test_weights_decide_which_of_many_categories_are_the_rarest():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"street": pd.Categorical(rng.integers(0, 300, 2000))})
    y, weight = rng.random(2000) < 0.3, rng.integers(0, 4, 2000)
    repeated = np.repeat(np.arange(2000), weight)
    weighted = quick(epochs=1).fit(X, y, sample_weight=weight)
    several = quick(epochs=1).fit(X.iloc[repeated], y[repeated])
    assert_array_equal(weighted.model_inputs(X), several.model_inputs(X))


def test_means_of_large_numbers_are_finite():
    X = np.full((120, 2), 1e300)
    X[0] = np.nan
    encoded = FeatureEncoder().fit(X, np.full(120, 1e300)).transform(X)
    assert_allclose(encoded[0], [1e300, 1e300, 1, 1])


def test_callbacks_of_scikit_learn_score_a_table_with_categories(frame):
    callback = pytest.importorskip("sklearn.callback")
    X, y = frame
    monitor = callback.ScoringMonitor(scoring="f1")
    clf = quick(metrics=["f1"]).set_callbacks(monitor)
    clf.fit(X.assign(size=X["size"].where(X["age"] > 20)), y)
    logged = [row["f1"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert_allclose(logged, clf.history_["f1"])


def test_a_list_and_what_is_no_table_after_a_frame(frame):
    X, y = frame
    clf = quick().fit(X, y)
    with pytest.warns(UserWarning, match="valid feature names"):
        p = clf.predict_proba(X.to_numpy().tolist())
    assert_array_equal(p, clf.predict_proba(X))
    with pytest.raises(ValueError, match="2-dimensional table"):
        clf.predict(X.iloc[0])
    with pytest.raises(ValueError, match=r"0 sample"):
        quick().fit(X.iloc[:0], y[:0])


@pytest.mark.slow
def test_gaps_of_a_handful_of_samples_do_not_decide():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), (rng.random(300) < 0.3).astype(int)
    few = np.flatnonzero(y == 0)[:10]
    X[few, 0] = np.nan  # all of the common class, by chance
    clf = quick(epochs=60).fit(X, y)
    with_gap, without = X[few[:1]].copy(), X[few[:1]].copy()
    without[0, 0] = np.nanmean(X[:, 0])
    assert_allclose(clf.predict_proba(with_gap), clf.predict_proba(without), atol=1e-3)
