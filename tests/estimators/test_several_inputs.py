"""Networks of several inputs learn what plain Keras learns, and scikit-learn takes samples of X."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skimb import (
    AutoencoderClassifier,
    AutoencoderOutlierDetector,
    ImbalancedNNClassifier,
    ImbalancedNNSegmenter,
)
from skimb.data import Inputs

N = 160
RNG = np.random.default_rng(0)
Y = RNG.permutation(np.repeat([0, 1], [120, 40]))
NUMBERS = RNG.normal(size=(N, 3)).astype("float32") + Y[:, None]
IMAGES = RNG.normal(size=(N, 4, 4, 1)).astype("float32")
IMAGES[Y == 1, 1:3, 1:3] += 1.5
FRAME = pd.DataFrame(
    {
        "age": NUMBERS[:, 0].astype("float64"),
        "city": RNG.choice(["Rome", "Oslo", None], N),
        "gap": np.where(RNG.random(N) < 0.3, np.nan, NUMBERS[:, 1]),
    }
)
PLAIN = {"table": NUMBERS, "image": IMAGES}
MIXED = {"table": FRAME, "image": IMAGES}


def joined(table, image, units=1):
    flat = [layers.Dense(4, "relu")(table), layers.Flatten()(image)]
    return layers.Dense(units)(layers.Concatenate()(flat))


def named(meta, units=1):
    shapes = meta["input_shapes_"]
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    return keras.Model(inputs, joined(inputs["table"], inputs["image"], units))


def in_order(meta):
    inputs = [keras.Input(shape) for shape in meta["input_shapes_"]]
    return keras.Model(inputs, joined(*inputs))


def unnamed():
    return in_order({"input_shapes_": [(3,), (4, 4, 1)]})


def model(units=1):
    inputs = [keras.Input((3,), name="table"), keras.Input((4, 4, 1), name="image")]
    return keras.Model(inputs, joined(*inputs, units))


@keras.saving.register_keras_serializable("tests of several inputs")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flatten, self.dense = layers.Flatten(), layers.Dense(1)

    def call(self, inputs):
        flat = self.flatten(inputs["image"])
        return self.dense(keras.ops.concatenate([inputs["table"], flat], axis=-1))


def quick(network=named, **params):
    return ImbalancedNNClassifier(
        network, **{"epochs": 2, "batch_size": 32, "random_state": 0, **params}
    )


@pytest.fixture(scope="module")
def fitted():
    return quick(epochs=8).fit(MIXED, Y)


@pytest.mark.slow
def test_training_is_that_of_plain_keras_on_the_same_inputs():
    own = model()
    plain = keras.models.clone_model(own)
    plain.set_weights(own.get_weights())
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    plain.compile(keras.optimizers.SGD(0.1), loss)
    # an epoch is one batch of all samples, so that their order makes no difference
    plain.fit(PLAIN, Y, batch_size=N, epochs=5, verbose=0)
    before = [w.copy() for w in own.get_weights()]
    clf = quick(own, epochs=5, batch_size=N, class_weight=None, optimizer="sgd")
    clf.set_params(optimizer__learning_rate=0.1).fit(PLAIN, Y)
    for weight, other, first in zip(
        clf.model_.get_weights(), plain.get_weights(), own.get_weights(), strict=True
    ):
        assert_allclose(weight, other, rtol=1e-4, atol=1e-6)
        assert np.abs(weight - first).max() > 1e-4
    for weight, first in zip(own.get_weights(), before, strict=True):
        assert_array_equal(weight, first)  # the user's network is as it was
    expected = expit(plain.predict(PLAIN, verbose=0)[:, 0])
    assert_allclose(clf.predict_proba(PLAIN)[:, 1], expected, rtol=1e-4)


def test_model_takes_the_inputs_of_the_user(fitted):
    inputs = fitted.model_inputs(MIXED)
    assert {name: part.shape for name, part in inputs.items()} == {
        "table": (N, 6), "image": (N, 4, 4, 1),  # two cities and a missing one, an indicator
    }  # fmt: skip
    logits = fitted.model_.predict(inputs, verbose=0)[:, 0]
    assert_allclose(logits, fitted.decision_function(MIXED), rtol=1e-4, atol=1e-5)
    assert fitted.n_features_in_ == 2
    assert fitted.feature_names_in_.tolist() == ["table", "image"]


def test_a_table_is_encoded_as_it_is_alone(fitted):
    def alone(meta):
        return keras.Sequential([keras.Input((meta["n_features_in_"],)), layers.Dense(1)])

    single = quick(alone, epochs=1).fit(FRAME, Y)
    encoded = fitted.model_inputs(MIXED)["table"]
    assert_allclose(encoded, single.model_inputs(FRAME), rtol=1e-6)
    with pytest.warns(UserWarning, match="No category of the column 'city'"):
        fitted.predict({"table": FRAME.assign(city="Paris"), "image": IMAGES})


@pytest.mark.parametrize(
    "X",
    [Inputs(MIXED), {"image": IMAGES, "table": FRAME}],
    ids=["container", "other order"],
)
def test_inputs_go_by_name(fitted, X):
    assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(MIXED))
    assert fitted.score(X, Y, sample_weight=np.ones(N)) == fitted.score(MIXED, Y)


def test_a_single_sample_is_predicted_as_among_others(fitted):
    expected = fitted.predict_proba(MIXED)[[7]]
    one = {"table": FRAME.iloc[[7]], "image": IMAGES[[7]]}
    for X in (one, Inputs(MIXED)[7]):
        assert_allclose(fitted.predict_proba(X), expected, rtol=1e-5)


@pytest.mark.slow
def test_lists_go_by_position():
    clf = quick(in_order).fit([FRAME, IMAGES], Y)
    for X in ((FRAME, IMAGES), Inputs([FRAME, IMAGES])):
        assert_array_equal(clf.predict_proba(X), clf.predict_proba([FRAME, IMAGES]))
    one = clf.predict_proba([FRAME.iloc[:1], IMAGES[:1]])
    assert_allclose(one, clf.predict_proba([FRAME, IMAGES])[:1], rtol=1e-5)
    inputs = clf.model_inputs([FRAME, IMAGES])
    assert_allclose(
        clf.model_.predict(inputs, verbose=0)[:, 0], clf.decision_function([FRAME, IMAGES]),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip


@pytest.mark.slow
def test_whole_numbers_reach_an_embedding():
    ids = RNG.integers(0, 5, size=(N, 1))

    def build():
        inputs = {
            "ids": keras.Input((1,), name="ids", dtype="int32"), "x": keras.Input((3,), name="x")
        }  # fmt: skip
        vector = layers.Flatten()(layers.Embedding(5, 2)(inputs["ids"]))
        return keras.Model(inputs, layers.Dense(1)(layers.Concatenate()([vector, inputs["x"]])))

    clf = quick(build, dtype="mixed_bfloat16").fit({"ids": ids, "x": NUMBERS}, Y)
    logits = clf.model_.predict({"ids": ids, "x": NUMBERS}, verbose=0)[:, 0]
    assert_allclose(clf.decision_function({"ids": ids, "x": NUMBERS}), logits, atol=0.02)


@pytest.mark.slow
def test_a_subclassed_network_gets_inputs_as_they_are_passed():
    clf = quick(Subclassed).fit(PLAIN, Y)
    logits = clf.model_.predict(PLAIN, verbose=0)[:, 0]
    assert_allclose(clf.decision_function(PLAIN), logits, rtol=1e-4, atol=1e-5)
    restored = pickle.loads(pickle.dumps(clf))
    assert_array_equal(restored.predict_proba(PLAIN), clf.predict_proba(PLAIN))


@pytest.mark.slow
def test_searches_and_scores_split_the_container():
    X = Inputs(MIXED)
    pipeline = make_pipeline(FunctionTransformer(), quick(epochs=8))
    grid = {"imbalancednnclassifier__class_weight": [None, "balanced"]}
    search = GridSearchCV(pipeline, grid, scoring="f1", cv=2).fit(X, Y)
    assert search.best_score_ > 0.5
    assert search.predict(MIXED).shape == (N,)
    assert cross_val_score(quick(), X, Y, cv=2).shape == (2,)
    found = cross_val_predict(quick(), X, Y, cv=2, method="predict_proba")
    train, test = next(StratifiedKFold(2).split(X, Y))
    first = quick().fit({"table": FRAME.iloc[train], "image": IMAGES[train]}, Y[train])
    assert_allclose(found[test], first.predict_proba(X[test]), rtol=1e-5)


@pytest.mark.slow
def test_every_fit_of_a_network_runs_the_same_compiled_program():
    keys = [
        quick(network, epochs=1, random_state=seed).fit(PLAIN, Y)._state.built.network.blueprint.key
        for network in (named, model())
        for seed in (0, 1)
    ]
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert keys[0] != keys[2]  # a dict and a list


@pytest.mark.slow
def test_members_of_a_cross_fit_are_averaged_to_a_network_of_the_same_inputs():
    clf = quick(cv=3, threshold="f1").fit(MIXED, Y)
    assert np.isfinite(clf.oof_predict_proba_).all()
    logits = clf.model_.predict(clf.model_inputs(MIXED), verbose=0)[:, 0]
    assert_allclose(logits, clf.decision_function(MIXED), rtol=1e-4, atol=1e-5)
    restored = pickle.loads(pickle.dumps(clf))
    assert_array_equal(restored.predict(MIXED), clf.predict(MIXED))


@pytest.mark.slow
def test_files_hold_networks_of_several_inputs(fitted, tmp_path):
    skops = pytest.importorskip("skops.io")
    skops.dump(fitted, tmp_path / "clf.skops")
    trusted = skops.get_untrusted_types(file=tmp_path / "clf.skops")
    loaded = skops.load(tmp_path / "clf.skops", trusted=trusted)
    assert_array_equal(loaded.predict_proba(MIXED), fitted.predict_proba(MIXED))
    fitted.model_.save(tmp_path / "own.keras")
    own = keras.models.load_model(tmp_path / "own.keras")
    inputs = fitted.model_inputs(MIXED)
    assert_allclose(
        own.predict(inputs, verbose=0)[:, 0], fitted.decision_function(MIXED), atol=1e-5
    )


@pytest.mark.slow
def test_exported_model_takes_the_columns_of_tables_and_the_other_inputs(tmp_path):
    clf = quick(cv=2, threshold="f1", prior_correction=True).fit(MIXED, Y)
    clf.to_keras().save(tmp_path / "whole.keras")
    whole = keras.models.load_model(tmp_path / "whole.keras")
    given = {
        "table_age": FRAME["age"],
        "table_city": FRAME["city"].fillna("").tolist(),
        "table_gap": FRAME["gap"],
        "image": IMAGES,
    }
    given = {name: keras.ops.convert_to_tensor(value) for name, value in given.items()}
    answers = whole.predict(given, verbose=0)
    assert_allclose(answers["probabilities"], clf.predict_proba(MIXED), atol=1e-6)
    assert_array_equal(answers["class"], clf.predict(MIXED))
    listed = quick(in_order).fit([NUMBERS, IMAGES], Y)
    answers = listed.to_keras().predict({"input_0": NUMBERS, "input_1": IMAGES}, verbose=0)
    assert_allclose(answers["probabilities"], listed.predict_proba([NUMBERS, IMAGES]), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "params",
    [
        {"trainer": "keras"},
        {"batching": "balanced"},
        {"early_stopping": True},
        {"warm_start": True},
        {"dtype": "float64"},
        {"sampler": RandomOverSampler()},
        {"loss": "class_rectification", "model__units": 3},
    ],
    ids=str,
)
def test_what_else_a_fit_does_it_does_with_several_inputs(params):
    labels = np.arange(N) % 3 * (Y == 1) if "model__units" in params else Y
    clf = quick(**params).fit(MIXED, labels).fit(MIXED, labels)
    logits = clf.model_.predict(clf.model_inputs(MIXED), verbose=0)
    found = clf.decision_function(MIXED).reshape(logits.shape)
    assert_allclose(found, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_validation_set_and_chunks_of_a_stream_have_several_inputs():
    clf = quick(metrics=["recall"]).fit(MIXED, Y, X_val=Inputs(MIXED), y_val=Y)
    assert "val_recall" in clf.history_
    stream = quick().partial_fit(MIXED, Y, classes=[0, 1]).partial_fit(Inputs(MIXED), Y)
    assert stream.n_iter_ == 2


AT_PREDICTION = {
    "missing": ({"table": FRAME}, r"inputs \['table'\].*fitted on a dict.*'table', 'image'"),
    "extra": (MIXED | {"more": NUMBERS}, r"'more'\], but the estimator was fitted on a dict"),
    "other name": ({"table": FRAME, "picture": IMAGES}, "'picture'.*Pass the same"),
    "a list": ([FRAME, IMAGES], "list of 2 arrays, but the estimator was fitted on a dict"),
    "one array": (NUMBERS, "X is one ndarray, but the estimator was fitted on several inputs"),
    "lengths": ({"table": FRAME, "image": IMAGES[:9]}, "160 in 'table', 9 in 'image'"),
    "columns": ({"table": FRAME[["age"]], "image": IMAGES}, "The input 'table' of X: .*missing"),
    "shape": ({"table": FRAME, "image": IMAGES[:, :3]}, r"input 'image' of X: .*\(3, 4, 1\)"),
    "text": (
        {"table": FRAME, "image": np.full((N, 4, 4, 1), "a")}, "The input 'image' of X: .*convert"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", AT_PREDICTION)
def test_other_inputs_than_in_fit_are_an_error_with_the_cure(fitted, case):
    X, pattern = AT_PREDICTION[case]
    with pytest.raises((TypeError, ValueError), match=f"(?s){pattern}"):
        fitted.predict(X)


IN_FIT = {
    "other names": (quick(model()), {"a": NUMBERS, "image": IMAGES}, "keras.Input.*or pass X as"),
    "no names": (quick(unnamed), PLAIN, r"'input_layer.*'table'.*keras.Input\(shape, name"),
    "too many": (quick(model()), [NUMBERS, NUMBERS, IMAGES], "2 inputs.*but X has 3"),
    "a list by name": (
        quick(lambda: named({"input_shapes_": {"table": (3,), "image": (4, 4, 1)}})),
        [NUMBERS, IMAGES], "takes its inputs by the names.*Pass a dict",
    ),
    "shape": (quick(model()), [NUMBERS[:, :2], IMAGES], r"\(3,\) for the input 'table'.*\(2,\)"),
    "built-in": (quick("mlp"), PLAIN, "model='mlp' has one input.*np.hstack"),
    "one array": (quick(model()), NUMBERS, "Expected are one input.*skimb.data.Inputs"),
    "SMOTE": (quick(sampler=SMOTE()), MIXED, r"several inputs.*RandomOverSampler\(\)"),
    "augmentation": (
        quick(augmentation=layers.RandomFlip()), MIXED, "several inputs. Put layers such as"
    ),
    "labels": (quick(), PLAIN | {"table": NUMBERS[:9], "image": IMAGES[:9]}, r"\[9, 160\]"),
    "autoencoder": (AutoencoderClassifier(), PLAIN, "an autoencoder has one input"),
    "outliers": (AutoencoderOutlierDetector(), Inputs(PLAIN), "an autoencoder has one input"),
    "masks": (ImbalancedNNSegmenter(), Inputs(PLAIN), "the network has one input"),
}  # fmt: skip


@pytest.mark.parametrize("case", IN_FIT)
def test_inputs_that_a_network_does_not_take_are_an_error_with_the_cure(case):
    clf, X, pattern = IN_FIT[case]
    with pytest.raises((TypeError, ValueError), match=f"(?s){pattern}"):
        clone(clf).fit(X, Y)


def with_ids(meta):
    table = keras.Input((3,), name="table")
    ids = keras.Input((1,), dtype="int64", name="ids")
    odd = keras.ops.cast(ids % 2, "float32")
    return keras.Model([ids, table], layers.Dense(1)(layers.Concatenate()([table, odd])))


def test_whole_numbers_reach_the_network_as_they_are_or_are_an_error_with_its_cure():
    ids = np.arange(2**24 - N, 2**24)[:, None]
    X = {"table": NUMBERS, "ids": ids}
    clf = ImbalancedNNClassifier(with_ids, epochs=1, random_state=0).initialize(X, Y)
    assert_array_equal(clf.model_inputs(X)[0], ids)
    later = {**X, "ids": ids + N}
    message = r"whole numbers of 16777216 or more in the input 'ids' \(1,\).*OrdinalEncoder"
    with pytest.raises(ValueError, match=message):
        clf.predict_proba(later)
    with pytest.raises(ValueError, match=message):
        clone(clf).fit(later, Y)
    with pytest.raises(ValueError, match=message):
        clone(clf).fit(X, Y, X_val=later, y_val=Y)
    # numbers that a network takes as float32 are rounded as everywhere
    clf.predict_proba({**X, "table": NUMBERS + 2**25})
