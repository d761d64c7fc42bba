"""Networks of a user's own: what a copy, a cached program, and a second training make of them."""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skimb import ImbalancedNNClassifier

L = keras.layers


def quick(model, **params):
    return ImbalancedNNClassifier(model, **{"epochs": 2, "random_state": 0, **params})


def agrees_with_its_model(clf, X):
    expected = np.asarray(clf.model_(X))[:, 0]
    assert_allclose(clf.decision_function(X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("model_name", [True, False])
def test_networks_that_differ_in_an_activation_named_like_a_layer_are_told_apart(
    binary, model_name
):
    def build(meta, act="relu"):
        name = {"name": act} if model_name else {}
        return keras.Sequential(
            [keras.Input((8,)), L.Dense(5), L.Dense(5, activation=act, **name), L.Dense(1)]
        )

    X, y = binary
    for activation in ("relu", "tanh"):
        clf = quick(build, model__act=activation).fit(X, y)
        agrees_with_its_model(clf, X)


@pytest.mark.slow
def test_layers_of_one_name_and_another_meaning_are_told_apart(binary):
    X, y = binary
    for factor in (1.0, 10.0):

        class Scale(L.Layer):
            def call(self, x, factor=factor):
                return factor * x

        clf = quick(lambda Scale=Scale: keras.Sequential([keras.Input((8,)), Scale(), L.Dense(1)]))
        agrees_with_its_model(clf.fit(X, y), X)


@pytest.mark.slow
def test_adapted_normalization_is_kept(binary):
    X, y = binary
    X = (100 * X + 500).astype("float32")
    layer = L.Normalization()
    layer.adapt(X)
    given = keras.Sequential([keras.Input((8,)), layer, L.Dense(1)])
    clf = quick(given).initialize(X, y)
    assert_allclose(clf.decision_function(X), np.asarray(given(X))[:, 0], rtol=1e-4, atol=1e-5)
    agrees_with_its_model(clf.fit(X, y), X)
    other = L.Normalization()
    other.adapt(X * 2)
    clf = quick(keras.Sequential([keras.Input((8,)), other, L.Dense(1)])).fit(X, y)
    agrees_with_its_model(clf, X)


class Block(L.Layer):
    """A layer as people write them: no registration, no name in its configuration."""

    def __init__(self, **config):
        super().__init__(**config)
        self.inner = L.Dense(4)

    def build(self, shape):
        self.inner.build(shape)
        self.built = True

    def call(self, x):
        return self.inner(x)


def block_network():
    return keras.Sequential([keras.Input((8,)), Block(), L.Dense(1)])


@pytest.mark.slow
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_layers_that_nobody_registered_are_trained_copied_and_pickled(binary, duplicate):
    X, y = binary
    clf = quick(block_network).fit(X, y)
    agrees_with_its_model(clf, X)
    assert_array_equal(duplicate(clf).predict_proba(X), clf.predict_proba(X))


@pytest.mark.slow
def test_unbuilt_sequential_model_is_built_for_the_data(binary):
    X, y = binary
    given = keras.Sequential([L.Dense(4, activation="relu"), L.Dense(1)])
    clf = quick(given).fit(X, y)
    agrees_with_its_model(clf, X.astype("float32"))
    assert not given.built
    assert_array_equal(quick(given).fit(X, y).predict_proba(X), clf.predict_proba(X))


def test_frozen_layers_of_the_fitted_model_stay_frozen(binary):
    X, y = binary
    clf = quick("mlp").fit(X, y)
    clf.model_.trainable = False
    before = clf.decision_function(X)
    clf.partial_fit(X, y)
    assert_array_equal(clf.decision_function(X), before)


@pytest.mark.slow
def test_initialiser_that_draws_from_tensorflow_obeys_random_state(binary):
    def draw(shape, dtype=None):
        return tf.random.normal(shape, dtype=dtype)

    def build():
        return keras.Sequential([keras.Input((8,)), L.Dense(1, kernel_initializer=draw)])

    X, y = binary
    first, second = (quick(build).fit(X, y).predict_proba(X) for _ in range(2))
    assert_array_equal(first, second)


class OwnStep(keras.Model):
    def train_step(self, data):
        raise RuntimeError("from the own step")


def test_a_train_step_of_its_own_is_called(binary):
    def build():
        inputs = keras.Input((8,))
        return OwnStep(inputs, L.Dense(1)(inputs))

    X, y = binary
    with pytest.raises(RuntimeError, match="own step"):
        quick(build).fit(X, y)
    with pytest.raises(ValueError, match="train_step"):
        quick(build, trainer="compiled").fit(X, y)


@pytest.mark.slow
def test_average_of_weights_and_restored_weights_agree_in_both_paths(binary):
    X, y = binary
    results = []
    for trainer in ("compiled", "keras"):
        clf = quick(
            "mlp", trainer=trainer, epochs=8, optimizer="sgd", optimizer__use_ema=True,
            callbacks=[keras.callbacks.EarlyStopping(
                monitor="loss", mode="max", patience=2, restore_best_weights=True
            )],
        )  # fmt: skip
        results.append(clf.fit(X, y).decision_function(X))
    assert_allclose(*results, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_penalised_float64_network_is_trained_by_keras_too(binary):
    X, y = binary
    losses = [
        quick("mlp", model__l2=0.01, trainer=trainer).fit(X, y).loss_
        for trainer in ("compiled", "keras")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("end", ["linear", "sigmoid"])
def test_half_precision_network_gives_ordinary_numbers(binary, end):
    def build():
        return keras.Sequential([keras.Input((8,)), L.Dense(1, activation=end)])

    X, y = binary
    clf = quick(build, dtype="mixed_bfloat16").fit(X, y)
    assert clf.decision_function(X).dtype in (np.float32, np.float64)
    assert np.isfinite(clf.predict_proba(X)).all()


@pytest.mark.slow
def test_operation_that_xla_cannot_compile_takes_the_graph_loop(binary, monkeypatch):
    class ThroughText(L.Layer):
        def call(self, x):
            y = tf.strings.to_number(tf.strings.as_string(x), tf.float64)
            return x + 0 * tf.cast(tf.stop_gradient(y), x.dtype)

    def build():
        return keras.Sequential([keras.Input((8,)), L.Dense(1), ThroughText()])

    monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", 0)
    X, y = binary
    clf = quick(build).fit(X, y)
    assert clf.trainer_ == "graph"


@pytest.mark.slow
def test_layer_that_calls_numpy_follows_random_state(binary):
    class Noise(L.Layer):
        def call(self, x):
            noise = tf.numpy_function(lambda x: np.random.normal(size=x.shape), [x], tf.float64)
            return x + tf.cast(tf.ensure_shape(noise, x.shape), x.dtype)

    def build():
        return keras.Sequential([keras.Input((8,)), Noise(), L.Dense(1)])

    X, y = binary
    clf = quick(build)
    weights = clf.fit(X, y).model_.get_weights()
    assert clf.trainer_ == "keras"
    for first, second in zip(weights, clf.fit(X, y).model_.get_weights(), strict=True):
        assert_array_equal(first, second)


@pytest.mark.slow
def test_convolutions_in_wrappers_stay_away_from_xla_on_a_cpu(monkeypatch):
    def build():
        return keras.Sequential(
            [
                keras.Input((4, 6, 2)), L.TimeDistributed(L.Conv1D(2, 3)), L.Flatten(), L.Dense(1)
            ]
        )  # fmt: skip

    monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", 0)
    if tf.config.list_logical_devices("GPU"):
        pytest.skip("XLA convolves well on a GPU")
    X = np.random.default_rng(0).normal(size=(40, 4, 6, 2))
    assert quick(build).fit(X, np.arange(40) % 4 == 0).trainer_ == "graph"


# ---- going on with other parameters


def test_going_on_with_another_network_is_an_error(binary):
    X, y = binary
    clf = quick("mlp", warm_start=True).fit(X, y).set_params(model__hidden_layer_sizes=(3,))
    with pytest.raises(ValueError, match="model__hidden_layer_sizes changed"):
        clf.fit(X, y)
    with pytest.raises(ValueError, match="model__hidden_layer_sizes changed"):
        clf.partial_fit(X, y)


def test_learning_rate_and_optimizer_may_change_between_chunks(binary):
    X, y = binary
    clf = quick("mlp", optimizer__learning_rate=0.1).partial_fit(X, y, classes=[0, 1])
    before = clf.decision_function(X)
    clf.set_params(optimizer__learning_rate=1e-12).partial_fit(X, y)
    # the statistics of the features are those of both chunks, which are the same rows
    assert_allclose(clf.decision_function(X), before, atol=1e-6)
    clf.set_params(optimizer="sgd", optimizer__learning_rate=0.1).partial_fit(X, y)
    assert np.abs(clf.decision_function(X) - before).max() > 1e-4


# ---- extremes


def test_features_too_small_for_float32_are_named(binary):
    X, y = binary
    with pytest.raises(ValueError, match=r"float32 cannot hold.*\[0, 1"):
        quick("mlp").fit((X * 1e-30).astype("float32"), y)
    tiny = quick("mlp").fit(X * 1e-25, y).predict_proba(X * 1e-25)
    assert_allclose(tiny, quick("mlp").fit(X, y).predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e160, 1e300])
def test_sample_weights_of_any_scale(binary, scale):
    X, y = binary
    expected = quick("mlp").fit(X, y).predict_proba(X)
    weighted = quick("mlp").fit(X, y, sample_weight=np.full(len(y), scale))
    assert_allclose(weighted.predict_proba(X), expected, rtol=1e-9)


def test_rows_of_a_class_of_weight_zero_are_left_out(binary):
    X, y = binary
    clf = quick("mlp", class_weight={0: 0.0, 1: 1.0}, epochs=60).fit(X, y)
    assert clf.predict_proba(X)[:, 1].min() > 0.5
    with pytest.raises(ValueError, match="class_weight"):
        clf.partial_fit(X[y == 0], y[y == 0])


@pytest.mark.slow
def test_images_as_lists_and_tensors(binary):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 6, 6)).astype("float16"), np.arange(30) % 5 == 0
    expected = quick("cnn").fit(X, y).predict_proba(X)
    for data in (X.tolist(), tf.constant(X)):
        clf = quick("cnn", dtype="float32").fit(data, y)
        assert_allclose(clf.predict_proba(data), expected, rtol=1e-4)
    with pytest.raises(ValueError, match="samples of shape"):
        clf.predict(X[:, :3].tolist())


def test_labels_that_cannot_be_sorted_are_an_error(binary):
    X, y = binary
    mixed = np.where(y == 1, "a", None).astype(object)
    with pytest.raises(ValueError, match="y "):
        quick("mlp").fit(X, mixed)


def test_routed_callback_parameter_that_reaches_nothing_is_an_error(binary):
    X, y = binary
    with pytest.raises(ValueError, match="callbacks__3__monitor"):
        quick("mlp", callbacks=[keras.callbacks.EarlyStopping], callbacks__3__monitor="loss").fit(
            X, y
        )


@pytest.mark.slow
def test_dropout_stays_away_from_xla_on_a_cpu(binary):
    X, y = np.tile(binary[0], (20, 1)), np.tile(binary[1], 20)
    clf = ImbalancedNNClassifier(epochs=40, random_state=0, early_stopping=False)
    assert clone(clf).fit(X, y).trainer_ == "xla"
    assert clone(clf).set_params(model__dropout=0.2).fit(X, y).trainer_ == "graph"


def test_networks_of_two_estimators_can_be_parts_of_one_model(binary):
    X, y = binary
    first, second = (quick("mlp", random_state=seed).fit(X, y) for seed in (0, 1))
    inputs = keras.Input((8,))
    both = keras.Model(inputs, first.model_(inputs) + second.model_(inputs))
    expected = first.decision_function(X) + second.decision_function(X)
    found = np.asarray(both(X.astype("float32")))[:, 0]
    assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
