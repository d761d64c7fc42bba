"""What else users pass than tables and labels: each is an error, or a warning, with its cure."""

import datetime
import pathlib
import re
import uuid
import warnings

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, RandomOverSampler
from sklearn.datasets import load_iris

from skimb import (
    AutoencoderClassifier,
    AutoencoderOutlierDetector,
    ImbalancedNNClassifier,
    ImbalancedNNSegmenter,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
Y1 = np.repeat([0, 1], [60, 20])
LABELS = (RNG.random((80, 3)) > 0.6).astype(int)
TABLE = pd.DataFrame(X, columns=list("abcd"))
GREY = RNG.normal(size=(30, 8, 8)).astype("float32")
COLOUR = RNG.normal(size=(30, 8, 8, 3)).astype("float32")
PICTURED = np.repeat([0, 1], [20, 10])


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return X, Y1


class Loader:
    """As a DataLoader of torch is: it can be gone through, and has a length."""

    def __iter__(self):
        return iter([(X, Y1)])

    def __len__(self):
        return 1


def small(model="mlp", **params):
    return ImbalancedNNClassifier(model, epochs=1, random_state=0, **params)


def with_text(values):
    return pd.DataFrame({"number": X[:, 0], "other": values})


def dataset():
    return tf.data.Dataset.from_tensor_slices((X, Y1)).batch(8)


def build(meta, hidden_layer_dim=8):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(hidden_layer_dim, activation="relu"),
            keras.layers.Dense(1),
        ]
    )


def refused(call, pattern):
    with pytest.raises((TypeError, ValueError), match=f"(?s){pattern}"):
        call()


def fit(X=X, y=Y1, sample_weight=None, **params):
    return lambda: small(**params).fit(X, y, sample_weight)


@pytest.fixture(scope="module")
def fitted():
    return small(model__hidden_layer_sizes=(4,)).fit(X, Y1)


@pytest.fixture(scope="module")
def of_frame():
    return small(model__hidden_layer_sizes=(4,)).fit(TABLE, Y1)


@pytest.fixture(scope="module")
def of_grey():
    return small("cnn", model__hidden_layer_sizes=(2,)).fit(GREY, PICTURED)


@pytest.fixture(scope="module")
def of_colour():
    return small("cnn", model__hidden_layer_sizes=(2,)).fit(COLOUR, PICTURED)


CONTAINERS = {
    "inputs in a list": ([X, X[:, :2]], r"list of 2 inputs.*\(80, 4\), \(80, 2\).*np.hstack"),
    "inputs alike": ([X, X], "list of 2 inputs.*np.hstack"),
    "frames": ((TABLE, TABLE), "list of 2 inputs.*pd.concat"),
    "inputs in a dict": ({"a": X, "b": X}, "dict of 2 inputs.*np.hstack"),
    "columns in a dict": ({"a": X[:, 0], "b": X[:, 1]}, r"dict of 2 columns.*pd.DataFrame\(X\)"),
    "Bunch": (load_iris(), "X.data as X, and X.target as y"),
    "Dataset": (dataset(), "y beside a stream.*Leave y out"),
    "generator": ((row for row in X), "generator, which can be gone through once.*partial_fit"),
    "PyDataset": (Batches(), "y beside a stream.*Leave y out"),
    "loader": (Loader(), "y beside a stream.*Leave y out"),
    "name of a file": ("data.csv", "pd.read_csv"),
    "path": (pathlib.Path("data.csv"), "pd.read_csv"),
    "lazy frame": (pl.DataFrame(X).lazy(), r"LazyFrame, which holds no values.*X.collect\(\)"),
    "raw text": (["good text"] * 80, "raw text, such as 'good text'.*TfidfVectorizer"),
    "raw text, array": (np.array(["good text"] * 80), "raw text.*TfidfVectorizer"),
    "raw text, Series": (pd.Series(["good text"] * 80), "raw text.*TfidfVectorizer"),
    "one column": (TABLE["a"], r"Series of 80 values.*X.to_frame\(\)"),
    "ragged rows": ([[1, 2], [1]] * 40, "different lengths, from 1 to 2.*pad_sequences"),
    "dicts": ([{"a": 1.0}] * 80, r"list of 80 dicts.*pd.DataFrame\(X\)"),
    "set": ({1, 2}, "set, whose elements have no order"),
    "nothing": (None, "X is None"),
    "text in an array": (np.array([["a", "1"]] * 80), "Pass a data frame.*dtype=object"),
    "array of dates": (np.array([["2020-01-01"]] * 80, "M8[s]"), "dates.*the weekday"),
    "dates": (with_text([datetime.date(2020, 1, 1)] * 80), "'other' of dtype date.*weekday"),
    "UUID": (with_text([uuid.UUID(int=1)] * 80), "'other' with UUID.*Drop the column"),
    "infinity": (np.where(X > 1, np.inf, X), "infinity in the columns 0.*or NaN"),
    "1e308": (np.c_[X, np.full(80, 1e308)], r"1e\+308 in the columns 4.*logarithms"),
    "1e300 beside text": (with_text(["x", "y"] * 40).assign(number=1e300), "columns 'number'"),
}


@pytest.mark.parametrize("case", CONTAINERS)
def test_what_is_no_table_is_an_error_with_its_cure(case):
    given, pattern = CONTAINERS[case]
    refused(fit(given), pattern)


@pytest.mark.parametrize("case", ["Dataset", "generator", "PyDataset", "loader"])
def test_a_stream_is_no_part_for_partial_fit(case):
    refused(lambda: small().partial_fit(CONTAINERS[case][0]), "stream.*partial_fit")


def test_missing_labels_are_named():
    refused(lambda: small().fit(X), r"fit\(\) is missing the labels.*Pass them as y")


def test_arrow_tables_are_read_as_data_frames(of_frame):
    table = pa.Table.from_pandas(TABLE)
    assert (of_frame.predict_proba(table) == of_frame.predict_proba(TABLE)).all()


def test_one_sample_as_a_dict_or_series_is_an_error_with_its_cure(fitted, of_frame):
    refused(lambda: of_frame.predict(TABLE.iloc[0].to_dict()), r"one sample.*pd.DataFrame\(\[X\]\)")
    refused(lambda: of_frame.predict([TABLE.iloc[0].to_dict()]), r"pd.DataFrame\(X\)")
    refused(lambda: of_frame.predict(TABLE.iloc[0]), r"X.to_frame\(\).T for one sample")
    refused(
        lambda: fitted.predict(with_text(["x"] * 80)), "text in the columns 'other'.*to_numeric"
    )


@pytest.mark.slow
def test_images_of_another_shape_are_an_error_with_its_cure(fitted, of_grey, of_colour):
    refused(lambda: of_grey.predict(GREY[0]), r"images. Give a single image as X\[np.newaxis\]")
    refused(lambda: of_colour.predict(COLOUR[0]), r"Give a single image as X\[np.newaxis\]")
    refused(lambda: of_colour.predict(GREY), r"3 channels, as np.stack\(\[X\] \* 3, axis=-1\)")
    refused(lambda: of_colour.predict(np.moveaxis(COLOUR, -1, 1)), r"np.moveaxis\(X, 1, -1\)")
    refused(lambda: of_grey.predict(GREY[..., None]), r"Pass X\[..., 0\]")
    refused(lambda: of_grey.predict(GREY.reshape(30, -1)), r"X.reshape\(-1, 8, 8\)")
    refused(lambda: of_grey.predict(X), r"shape \(4,\), but.*fitted on samples of shape \(8, 8\)")
    refused(lambda: of_grey.predict(np.zeros((5, 8))), r"fitted on samples of shape \(8, 8\)")
    refused(lambda: fitted.predict(np.zeros((5, 2, 2))), r"Pass X.reshape\(len\(X\), -1\)")
    refused(lambda: small("cnn").fit(GREY[0], [1]), r"one label.*X\[np.newaxis\]")
    refused(lambda: small("cnn").fit(COLOUR[0], [1]), r"one label.*X\[np.newaxis\]")


UNKNOWN = np.r_[np.full(5, np.nan), Y1[5:]]
ENTRIES = {
    "tags": ([["a", "b"], ["c"]] * 40, r"several labels a sample, such as \['a', 'b'\].*Binarizer"),
    "pairs of tags": ([("a", "b"), ("c", "d")] * 40, "MultiLabelBinarizer"),
    "sets of tags": ([{"a"}, {"b"}] * 40, "MultiLabelBinarizer"),
    "tags in a Series": (pd.Series([["a", "b"], ["c"]] * 40), "MultiLabelBinarizer"),
    "columns of text": (np.array([["a", "b"], ["c", "d"]] * 40), "MultiOutputClassifier"),
    "-1 among indicators": (np.where(X[:, :3] > 1, -1, LABELS), r"-1 in \d+ of 80.*y >= 0"),
    "NaN among indicators": (np.where(X[:, :3] > 1, np.nan, LABELS), r"contains NaN.*these rows"),
    "NaN": (UNKNOWN, r"contains NaN: NaN in.*5 of 80 samples.*pd.notna\(y\)"),
    "None": ([None] * 5 + Y1[5:].tolist(), r"None in.*5 of 80 samples.*pd.notna\(y\)"),
    "pd.NA": (pd.Series([pd.NA] * 5 + Y1[5:].tolist(), dtype=object), "<NA> in.*5 of 80"),
    "nullable": (pd.Series([pd.NA] * 5 + Y1[5:].tolist(), dtype="Int64"), "5 of 80 samples"),
    "NaN among text": (pd.Series([np.nan] * 5 + ["a", "b", "b"] * 25), "5 of 80 samples"),
    "text among numbers": (["?"] * 5 + Y1[5:].tolist(), r"the text '\?' \(5 times\).*leave those"),
    "text among objects": (np.array(["?"] * 5 + Y1[5:].tolist(), object), "the text.*leave those"),
    "outputs in a list": ([Y1, Y1], "list of several outputs.*one estimator for each"),
    "outputs in a dict": ({"a": Y1, "b": Y1}, "dict of several outputs"),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_what_is_no_label_is_an_error_with_its_cure(case, fitted):
    y, pattern = ENTRIES[case]
    refused(fit(y=y), pattern)
    if "outputs in a list" not in case:
        refused(lambda: fitted.score(X, y), pattern)


def test_minus_one_beside_two_classes_is_a_warning():
    with pytest.warns(
        UserWarning, match="label -1 5 times beside 0 and 1.*known = y >= 0"
    ) as found:
        small(model__hidden_layer_sizes=(4,)).initialize(X, np.r_[np.full(5, -1), Y1[5:]])
    assert found[0].filename == __file__


WEIGHTS = {
    "a column": (np.ones((80, 1)), r"shape \(80, 1\).*np.ravel\(sample_weight\)"),
    "a weight a label": (np.ones((80, 3)), "parameters class_weight and pos_weight"),
    "too few": (np.ones(79), r"\(79,\), expected \(80,\).*Cut it as X was cut"),
    "text": (["a"] * 80, "number for each of 80 samples"),
    "by label": ({0: 1, 1: 5}, "parameter class_weight"),
    "by name": ("balanced", "parameter class_weight"),
    "negative": (-np.ones(80), "Negative values.*80 times.*0 leaves it out"),
    "NaN": (np.full(80, np.nan), "contains NaN, 80 times"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_what_is_no_weight_of_a_sample_is_an_error_with_its_cure(case, fitted):
    weight, pattern = WEIGHTS[case]
    refused(fit(sample_weight=weight), pattern)
    refused(lambda: fitted.score(X, Y1, weight), pattern)


def test_weights_by_label_of_an_indicator_target_are_an_error_with_its_cure():
    refused(fit(y=LABELS, class_weight={0: 1, 1: 2, 2: 3}), "a pair for each label.*pos_weight=")


SAMPLERS = {
    "text": (with_text(["x", "y"] * 40), Y1, SMOTE(), "between samples.*SMOTENC"),
    "columns": (
        with_text(["x", "y"] * 40), Y1, SMOTENC([1]), r"categorical_features=\[1\].*make_pipeline"
    ),
    "few": (X, np.repeat([0, 1], [74, 6]), SMOTE(), "67 of 0, 5 of 1.*k_neighbors.*at most 4"),
    "fewer": (X, np.repeat([0, 1], [75, 5]), ADASYN(), "4 of 1.*n_neighbors.*RandomOverSampler"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAMPLERS)
def test_a_sampler_that_cannot_make_samples_is_an_error_with_its_cure(case):
    table, y, sampler, pattern = SAMPLERS[case]
    refused(fit(table, y, sampler=sampler, early_stopping=True), pattern)


def test_masks_that_were_blurred_are_an_error_with_its_cure():
    masks = np.where(GREY > 0.5, 255, 0)
    noise = np.clip(masks + RNG.integers(-9, 10, masks.shape), 0, 255)
    seg = ImbalancedNNSegmenter(epochs=1)
    refused(lambda: seg.fit(GREY, noise), r"20 different labels near 0 and 255.*y > 127")
    resized = np.where(RNG.random(masks.shape) < 0.1, RNG.integers(1, 250, masks.shape), masks)
    refused(lambda: seg.fit(GREY, resized), "resized with interpolation.*y > 127")
    refused(lambda: seg.fit(COLOUR[0], masks[0]), r"single mask as y\[np.newaxis\]")


PARAMETERS = {
    "acc": ({"metrics": ["acc"]}, "Did you mean 'accuracy'"),
    "AUC": ({"metrics": ["AUC"]}, "Did you mean 'roc_auc'"),
    "PR AUC": ({"scoring": "PR AUC"}, "Did you mean 'average_precision'"),
    "f1_score": ({"scoring": "f1_score"}, "Did you mean 'f1'"),
    "metrics": ({"metrics": "acc"}, r"Got 'acc'.*list of names.*\['f1', 'accuracy'\]"),
    "batch_size": ({"batch_size": -1}, r"Got -1.*default is 'auto'.*pass len\(X\)"),
    "loss": ({"loss": None}, "Got None.*default is 'cross_entropy'"),
    "optimizer": ({"optimizer": None}, "Got None.*default is 'auto'"),
    "epochs": ({"epochs": 3.5}, "Got 3.5.*Whole numbers"),
    "model": ({"model": None}, "model=None is no network.*function"),
    "layer": ({"model": keras.layers.Dense(3)}, r"is a layer.*keras.Sequential\(\["),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_value_that_is_not_accepted_is_an_error_with_its_cure(case):
    params, pattern = PARAMETERS[case]
    refused(lambda: small().set_params(**params).fit(X, Y1), pattern)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("hidden_layer_dim", "model__hidden_layer_dim"),
        ("hidden_dim", "model__hidden_layer_dim"),
        ("learning_rate", "optimizer__learning_rate"),
        ("lr", "optimizer__learning_rate"),
        ("n_epochs", "epochs"),
        ("build_fn", "model"),
    ],
)
def test_a_parameter_of_another_name_is_suggested_for_this_build_function(given, meant):
    refused(lambda: ImbalancedNNClassifier(build, **{given: 8}), f"Did you mean '{meant}'")
    refused(lambda: small(build).set_params(**{given: 8}), f"Invalid.*Did you mean '{meant}'")


# of scikit-learn, Keras, skorch, XGBoost, LightGBM and CatBoost
OF_OTHERS = {
    "seed": "'random_state'",
    "random_seed": "'random_state'",
    "seeds": "'random_state'",
    "max_iter": "'epochs'",
    "n_estimators": "'epochs'",
    "eta": "'optimizer__learning_rate'",
    "optimizer_lr": "'optimizer__learning_rate'",
    "weight_decay": "'optimizer__weight_decay'",
    "hidden_layer_sizes": "'model__hidden_layer_sizes'",
    "hidden_units": "'model__hidden_layer_sizes'",
    "activation": "'model__activation'",
    "dropout_rate": "'model__dropout'",
    "alpha": "'model__l2'",
    "early_stop": "'early_stopping'",
    "early_stopping_rounds": "early_stopping=True, and patience",
    "weights": "'class_weight'",
    "class_weights": "'class_weight'",
    "scale_pos_weight": "'pos_weight'",
    "objective": "'loss'",
    "eval_metric": "'metrics'",
    "test_size": "'validation_fraction'",
    "n_folds": "'cv'",
    "smote": "'sampler'",
    "cost_matrix": "'costs'",
    "positive_class": "'pos_label'",
    "decision_threshold": "'threshold'",
    "mini_batch": "'batch_size'",
    "verbosity": "'verbose'",
    "mixed_precision": "'dtype'",
    "n_jobs": "TensorFlow takes all cores",
    "num_classes": "read from the data",
    "cat_features": "dtype category",
    "lr_schedule": "optimizer__learning_rate",
    "fit__epochs": "'epochs'",
    "module__hidden": "'model__hidden'",
}


@pytest.mark.parametrize(("given", "meant"), OF_OTHERS.items())
def test_names_of_other_libraries_are_suggestions(given, meant):
    refused(lambda: ImbalancedNNClassifier(**{given: 1}), f"{given!r}.*{meant}.* Accepted are")
    if "__" not in given:
        refused(lambda: ImbalancedNNClassifier().set_params(**{given: 1}), f"{given!r}.*{meant}")


def test_a_suggestion_is_a_parameter_that_the_estimator_has():
    for kind in (AutoencoderOutlierDetector, AutoencoderClassifier, ImbalancedNNSegmenter):
        for given in OF_OTHERS:
            with pytest.raises(TypeError) as error:
                kind(**{given: 1})
            meant = re.search(r"Did you mean '(\w+)'", str(error.value))
            if meant and not meant[1].startswith("model__"):
                kind(**{meant[1]: 1})
    with pytest.raises(TypeError, match=r"for model__\*, are hidden_layer_dim\.") as error:
        ImbalancedNNClassifier(build, alpha=1)  # of which this function has nothing
    assert "Did you mean" not in str(error.value)


ARGUMENTS = {
    "epochs": ({"epochs": 3}, r"fit\(\) got an unexpected.*ImbalancedNNClassifier\(epochs=3\)"),
    "callbacks": ({"callbacks": []}, r"set_params\(callbacks=\[\]\) before fit"),
    "validation_data": ({"validation_data": (X, Y1)}, "X_val=..., y_val=..."),
    "eval_set": ({"eval_set": [(X, Y1)]}, "X_val=..., y_val=..."),
    "validation_split": ({"validation_split": 0.1}, "validation_fraction"),
    "sample_weights": ({"sample_weights": X[:, 0]}, "Did you mean 'sample_weight'"),
    "learning_rate": ({"learning_rate": 1}, "Did you mean 'optimizer__learning_rate'"),
    "initial_epoch": ({"initial_epoch": 2}, "warm_start=True"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_an_argument_that_fit_does_not_take_is_an_error_with_its_cure(case):
    arguments, pattern = ARGUMENTS[case]
    refused(lambda: small().fit(X, Y1, **arguments), pattern)


def test_an_argument_that_predict_does_not_take_is_an_error_with_its_cure(fitted):
    refused(lambda: fitted.predict(X, verbose=0), "Predictions show nothing")
    refused(lambda: fitted.predict_proba(X, batch_size=8), "parts that fit the memory")
    refused(
        lambda: AutoencoderClassifier().fit(X, Y1, epochs=3), r"AutoencoderClassifier\(epochs=3"
    )


NUMBERS = {
    "blanks": ([" "] * 3 + [f"{v:.2f}" for v in X[3:, 0]], r"' ' among them.*errors=\"coerce\""),
    "a marker": (["unknown"] * 3 + [f"{v:.2f}" for v in X[3:, 0]], "'unknown' among them"),
    "a word": (["free"] * 3 + [f"{v:.2f}" for v in X[3:, 0]], "'free' among them.*to_numeric"),
    "currency": ([f"${i}.5" for i in range(80)], r"such as '\$0.5'.*str.replace"),
    "thousands": ([f"{1000 + i:,}" for i in range(80)], "such as '1,000'.*str.replace"),
    "per cent": ([f"{i}%" for i in range(80)], "such as '0%'.*str.replace"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_as_text_are_an_error_that_makes_numbers_of_them(case):
    values, pattern = NUMBERS[case]
    refused(fit(with_text(values)), f"the column 'other' with numbers as text.*{pattern}")


def test_missing_values_among_objects_of_a_table_of_numbers_are_gaps():
    gaps = TABLE.assign(a=pd.Series([pd.NA, 1.0] * 40, dtype=object))
    same = TABLE.assign(a=[np.nan, 1.0] * 40)
    clf = small(model__hidden_layer_sizes=(4,)).initialize(gaps, Y1)
    assert (clf.model_inputs(gaps) == clf.model_inputs(same)).all()
    assert gaps["a"].dtype == object  # the user's own frame is left as it was


def test_values_missing_for_the_first_time_are_named(of_frame):
    with pytest.warns(UserWarning, match=r"missing values in the columns \['b'\]") as found:
        of_frame.predict(TABLE.assign(b=np.nan))
    assert [w.filename for w in found] == [__file__]


def test_pos_weight_alone_means_no_class_weights():
    clf = small(pos_weight=3.0, model__hidden_layer_sizes=(4,)).initialize(X, Y1)
    assert clf.class_weight_ == {0: 1, 1: 3}
    refused(fit(pos_weight=3.0, class_weight="balanced"), "weight the same thing twice")


@pytest.mark.parametrize(
    ("params", "several", "labels"),
    [
        ({}, True, True),
        ({"sampler": RandomOverSampler()}, True, False),
        ({"loss": "categorical_crossentropy"}, True, False),
        ({"loss": "sparse_categorical_crossentropy"}, True, False),
        ({"loss": "binary_crossentropy"}, False, True),
        ({"pos_weight": 2.0}, False, True),
    ],
)
def test_tags_promise_what_fit_takes(params, several, labels):
    clf = small(model__hidden_layer_sizes=(4,), **params)
    tags = clf.__sklearn_tags__().classifier_tags
    assert (tags.multi_class, tags.multi_label) == (several, labels)
    if not labels:
        with pytest.raises(ValueError, match=r"indicator|exclude each other"):
            clf.fit(X, LABELS)
    if not several:
        with pytest.raises(ValueError, match="binary"):
            clf.fit(X, np.arange(80) % 3)


def own(*first):
    return keras.Sequential([keras.Input((4,)), *first, keras.layers.Dense(1)])


def test_columns_of_other_scales_are_a_warning_where_the_network_does_not_normalise():
    with pytest.warns(UserWarning, match=r"'b' \(1.*e\+03\), beside.*Normalization") as found:
        small(own()).initialize(TABLE * [1, 2000, 1, 1], Y1)
    assert [w.filename for w in found] == [__file__]
    with pytest.warns(UserWarning, match=r"beside 2 \(0.00\d+\).*StandardScaler"):
        small(own(keras.layers.Dropout(0.1))).initialize(X * [1, 1, 0.001, 1], Y1)


def test_columns_of_one_scale_and_networks_that_normalise_are_no_cause_for_a_warning():
    adapted = keras.layers.Normalization()
    adapted.adapt(X)
    rare = np.c_[X[:, :3], np.arange(80) == 0]  # a category, as zeros and ones
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(own()).initialize(X, Y1)
        small(own()).initialize(rare, Y1)
        for layer in (keras.layers.BatchNormalization(), adapted, keras.layers.Rescaling(0.01)):
            small(own(layer)).initialize(X * [1, 2000, 1, 1], Y1)


def test_a_label_of_zeros_is_one_warning_of_ours():
    labels = np.c_[LABELS, np.zeros(80, int)]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        small(threshold="f1", model__hidden_layer_sizes=(4,)).fit(X, labels)
    assert len(found) == 1
    assert "[3] of Y hold one value" in str(found[0].message)
    assert found[0].filename == __file__
