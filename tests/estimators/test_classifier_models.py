"""The networks and losses that the classifier trains: given, built, named, or of Keras."""

import copy
import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skimb import ImbalancedNNClassifier


def quick(**params):
    return ImbalancedNNClassifier(cv=None, **{"epochs": 15, "random_state": 0, **params})


# ---- networks


def sigmoid_network():
    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(1, activation="sigmoid")])


def softmax_network(meta, units=16):
    inputs = keras.Input((meta["n_features_in_"],))
    x = keras.layers.Dense(units, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(meta["n_classes_"], activation="softmax")(x))


def logits_network(**everything):
    meta = everything["meta"]
    return keras.Sequential(
        [keras.Input(meta["X_shape_"][1:]), keras.layers.Dense(meta["n_outputs_"])]
    )


class Subclassed(keras.Model):
    """A subclassed network without a configuration."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(8, activation="tanh")
        self.end = keras.layers.Dense(1)

    def call(self, x):
        return self.end(self.hidden(x))


@pytest.mark.parametrize("build", [sigmoid_network, softmax_network, logits_network, Subclassed])
def test_build_functions_of_every_form_are_trained(binary, build):
    X, y = binary
    clf = quick(model=build, epochs=30, optimizer__learning_rate=0.02).fit(X, y)
    assert clf.history_["loss"][-1] < clf.history_["loss"][0]
    assert clf.score(X, y) > 0.6
    assert_allclose(clf.predict_proba(X).sum(axis=1), 1)


def test_routed_parameters_reach_the_build_function(multiclass):
    X, y = multiclass
    clf = quick(model=softmax_network, model__units=5, epochs=1).fit(X, y)
    assert clf.model_.layers[1].units == 5
    clf.set_params(model__units=6).fit(X, y)
    assert clf.model_.layers[1].units == 6


@pytest.mark.slow
def test_a_given_keras_model_is_the_start_and_stays_as_it_was(binary):
    X, y = binary
    given = sigmoid_network()
    before = given.get_weights()
    clf = quick(model=given, epochs=1, optimizer="sgd", optimizer__learning_rate=1e-9).fit(X, y)
    for a, b, start in zip(given.get_weights(), clf.model_.get_weights(), before, strict=True):
        assert_array_equal(a, start)
        assert_allclose(b, start, atol=1e-6)
    assert clone(clf).fit(X, y).predict(X).shape == y.shape


@pytest.mark.slow
def test_probabilities_of_a_sigmoid_network_are_its_outputs(binary):
    X, y = binary
    clf = quick(model=sigmoid_network, epochs=2, dtype="float32").fit(X, y)
    expected = np.asarray(clf.model_(X.astype("float32")))[:, 0]
    assert_allclose(clf.predict_proba(X)[:, 1], expected, rtol=1e-5)


def test_model_attribute_is_the_network_that_predicts(binary):
    X, y = binary
    clf = quick(epochs=2).fit(X, y)
    assert_allclose(np.asarray(clf.model_(X))[:, 0], clf.decision_function(X), rtol=1e-6)
    for variable in clf.model_.trainable_variables:
        variable.assign(variable * 0)
    assert_array_equal(clf.decision_function(X), 0)


# ---- losses


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "mse", "hinge"])
@pytest.mark.parametrize("data", ["binary", "multiclass", "multilabel"])
def test_losses_by_name_are_trained_on_every_target(data, loss, request):
    X, y = request.getfixturevalue(data)
    clf = quick(model="mlp", loss=loss, epochs=40, optimizer__learning_rate=0.01).fit(X, y)
    assert clf.history_["loss"][-1] < clf.history_["loss"][0]
    assert clf.score(X, y) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "data"),
    [
        ("binary_crossentropy", "binary"),
        (keras.losses.BinaryFocalCrossentropy, "multilabel"),
        (keras.losses.BinaryCrossentropy(), "multilabel"),
        ("categorical_crossentropy", "multiclass"),
        ("categorical_crossentropy", "binary"),
        ("sparse_categorical_crossentropy", "multiclass"),
        (keras.losses.CategoricalFocalCrossentropy(), "multiclass"),
    ],
)
def test_losses_of_keras_are_told_that_the_network_ends_in_logits(loss, data, request):
    X, y = request.getfixturevalue(data)
    clf = quick(loss=loss, epochs=40).fit(X, y)
    assert clf.score(X, y) > 0.7


@pytest.mark.slow
def test_keras_loss_gives_the_same_network_as_the_librarys(binary):
    X, y = binary
    ours = quick(epochs=5).fit(X, y).predict_proba(X)
    theirs = quick(epochs=5, loss="binary_crossentropy").fit(X, y).predict_proba(X)
    assert_allclose(ours, theirs, rtol=1e-6)


def test_a_function_of_targets_and_outputs_is_a_loss(binary):
    X, y = binary

    def squared_margin(y_true, y_pred):
        return keras.ops.mean((y_pred - (2 * y_true - 1)) ** 2, axis=-1)

    clf = quick(loss=squared_margin, epochs=40).fit(X, y)
    assert clf.score(X, y) > 0.7


@pytest.mark.slow
def test_focal_alpha_balanced_learns_the_class_counts(binary):
    X, y = binary
    balanced = quick(epochs=5, class_weight=None, loss="focal", loss__alpha="balanced").fit(X, y)
    alpha = len(y) / (2 * np.bincount(y))
    given = quick(epochs=5, class_weight=None, loss="focal", loss__alpha=alpha).fit(X, y)
    assert_allclose(balanced.predict_proba(X), given.predict_proba(X), rtol=1e-9)


@pytest.mark.slow
def test_loss_of_a_whole_batch_refuses_weights_it_would_ignore(binary):
    X, y = binary

    def soft_f1(y_true, y_pred):
        p = keras.ops.sigmoid(y_pred)
        hits = keras.ops.sum(y_true * p)
        return 1 - 2 * hits / (keras.ops.sum(y_true) + keras.ops.sum(p))

    for loss in (soft_f1, keras.losses.Dice()):
        with pytest.raises(ValueError, match="class_weight=None"):
            quick(loss=loss).fit(X, y)
        assert quick(loss=loss, class_weight=None, epochs=40).fit(X, y).score(X, y) > 0.7


class Margin(keras.losses.Loss):
    """A loss that nobody registered, with state that its configuration leaves out."""

    def __init__(self, margin):
        super().__init__()
        self.margin = margin

    def call(self, y_true, y_pred):
        distance = self.margin - (2 * y_true - 1) * y_pred
        return keras.ops.mean(keras.ops.relu(distance), axis=-1)


@pytest.mark.parametrize("loss", [Margin(0.5), keras.losses.Huber(delta=0.1)])
def test_instances_of_losses_are_copied_whole(loss):
    for twin in (clone(quick(loss=loss)).loss, pickle.loads(pickle.dumps(quick(loss=loss))).loss):
        assert type(twin) is type(loss)
        y, p = np.array([[1.0], [0.0]], "float32"), np.array([[0.3], [0.6]], "float32")
        assert float(twin(y, p)) == float(loss(y, p))


@keras.saving.register_keras_serializable("skimb_tests")
class SubclassedWithConfig(Subclassed):
    """A subclassed network that Keras can save."""

    def __init__(self, **config):
        keras.Model.__init__(self, **config)
        self.hidden = keras.layers.Dense(8, activation="tanh")
        self.end = keras.layers.Dense(1)


@pytest.mark.parametrize("model", ["auto", sigmoid_network, SubclassedWithConfig])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_predict_the_same_and_can_be_trained_on(binary, duplicate, model):
    X, y = binary
    clf = quick(epochs=3, model=model).fit(X, y)
    twin = duplicate(clf)
    assert_array_equal(twin.predict_proba(X), clf.predict_proba(X))
    for each in (clf, twin):
        each.partial_fit(X, y)
    assert_allclose(twin.predict_proba(X), clf.predict_proba(X), rtol=1e-9)


def test_initialize_predicts_with_the_given_weights(binary):
    X, y = binary
    given = sigmoid_network()
    clf = quick(model=given).initialize(X, y)
    assert_allclose(
        clf.predict_proba(X)[:, 1], np.asarray(given(X.astype("float32")))[:, 0], rtol=1e-5
    )
