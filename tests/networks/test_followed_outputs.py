"""What a network ends in, through operations and layers of many kinds, and in a fit."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from scipy.special import logit

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter, networks
from skimb.networks.outputs import output_link


def head(x, units=1, activation="sigmoid"):
    return layers.Dense(units, activation)(x)


def link(build, shape=(4,)):
    inputs = keras.Input(shape)
    return output_link(keras.Model(inputs, build(inputs)), shape)


def around(x, *parts):
    return keras.Sequential(list(parts))(x)


def means(x):
    return [head(x) for _ in range(3)]


SIGMOIDS = {
    "Average": lambda x: layers.Average()(means(x)),
    "Maximum": lambda x: layers.Maximum()(means(x)),
    "Minimum": lambda x: layers.Minimum()(means(x)),
    "Multiply": lambda x: layers.Multiply()(means(x)),
    "Concatenate": lambda x: layers.Concatenate()(means(x)),
    "Reshape": lambda x: layers.Reshape((1,))(head(x)),
    "Flatten": lambda x: layers.Flatten()(head(x)),
    "Dropout": lambda x: layers.Dropout(0.2)(head(x)),
    "GaussianNoise": lambda x: layers.GaussianNoise(0.2)(head(x)),
    "Identity": lambda x: layers.Identity()(head(x)),
    "a cast": lambda x: layers.Activation("linear", dtype="float32")(head(x)),
    "ops.cast": lambda x: ops.cast(head(x), "float32"),
    "ops.sigmoid": lambda x: ops.sigmoid(head(x, 1, None)),
    "ops.mean": lambda x: ops.mean(ops.stack(means(x)), axis=0),
    "ops.clip": lambda x: ops.clip(head(x), 1e-7, 1 - 1e-7),
    "ops.squeeze": lambda x: ops.squeeze(ops.expand_dims(head(x), 1), 1),
    "half a sum": lambda x: (head(x) + head(x)) / 2,
    "a weighted mean": lambda x: 0.3 * head(x) + 0.7 * head(x),
    "the other side": lambda x: 1 - head(x),
    "a sigmoid by hand": lambda x: 1 / (1 + ops.exp(-head(x, 1, None))),
    "a rescaled tanh": lambda x: (head(x, 1, "tanh") + 1) / 2,
    "probit": lambda x: 0.5 * (1 + ops.erf(head(x, 1, None))),
    "a column of a softmax": lambda x: head(x, 2, "softmax")[:, 1:],
    "a nested network": lambda x: around(x, layers.Dense(3), layers.Dense(1, "sigmoid")),
    "around a network": lambda x: around(head(x), keras.Input((1,)), layers.Dropout(0.1)),
    "a wrapper": lambda x: layers.SpectralNormalization(layers.Dense(1, "sigmoid"))(x),
    "Lambda": lambda x: layers.Lambda(lambda z: ops.sigmoid(z))(head(x, 1, None)),
    "Lambda of TensorFlow": lambda x: layers.Lambda(lambda z: tf.sigmoid(z))(head(x, 1, None)),
    "a Lambda of two": lambda x: layers.Lambda(lambda z: (z[0] + z[1]) / 2)(means(x)[:2]),
    "a function": lambda x: head(x, 1, lambda z: ops.sigmoid(z / 2)),
    "a function of TensorFlow": lambda x: head(x, 1, tf.nn.sigmoid),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGMOIDS)
def test_sigmoid_is_found_through_what_comes_after_it(name):
    assert link(SIGMOIDS[name]) == "sigmoid"


SOFTMAXES = {
    "Average": lambda x: layers.Average()([head(x, 3, "softmax") for _ in range(2)]),
    "Softmax": lambda x: layers.Softmax()(head(x, 3, None)),
    "Reshape": lambda x: layers.Reshape((3,))(layers.Reshape((1, 3))(head(x, 3, "softmax"))),
    "half a sum": lambda x: (head(x, 3, "softmax") + head(x, 3, "softmax")) / 2,
    "ops.softmax": lambda x: ops.softmax(head(x, 3, None) / 2.0),
    "an activation layer": lambda x: head(x, 3, layers.Softmax()),
    "a function of TensorFlow": lambda x: head(x, 3, tf.nn.softmax),
    "ops.clip": lambda x: ops.clip(head(x, 3, "softmax"), 1e-7, 1 - 1e-7),
}


@pytest.mark.parametrize("name", SOFTMAXES)
def test_softmax_is_found_through_what_comes_after_it(name):
    assert link(SOFTMAXES[name]) == "softmax"


LOGITS = {
    "Dense": lambda x: head(x, 1, None),
    "Add": lambda x: layers.Add()([head(x, 1, None), head(x, 1, None)]),
    "a temperature": lambda x: head(x, 3, None) / 2.0,
    "BatchNormalization": lambda x: layers.BatchNormalization()(head(x)),
    "a log-softmax": lambda x: head(x, 3, "log_softmax"),
    "logits without extremes": lambda x: ops.clip(head(x, 3, None), -10, 10),
    "Average": lambda x: layers.Average()([head(x, 3, None) for _ in range(2)]),
    "Rescaling": lambda x: layers.Rescaling(0.5)(head(x, 1, None)),
}


@pytest.mark.parametrize("name", LOGITS)
def test_logits_are_found(name):
    assert link(LOGITS[name]) == "linear"


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (networks.mlp, (4,)), (partial(networks.mlp, normalized_output=True), (4,)),
        (networks.mlp_ensemble, (4,)), (networks.unet, (16, 16)),
    ],
)  # fmt: skip
def test_networks_of_the_library_end_in_logits(build, shape):
    assert output_link(build(shape, 2), shape) == "linear"


UNKNOWN = {
    "logits beside a sigmoid": lambda x: layers.Concatenate()([head(x), head(x, 1, None)]),
    "a mean of a logit and a sigmoid": lambda x: layers.Average()([head(x), head(x, 1, None)]),
    "a softmax over samples' steps": lambda x: layers.Softmax(axis=1)(layers.Reshape((2, 2))(x)),
    "twice a sigmoid": lambda x: 2 * head(x),
    "a mean over the classes of a softmax": lambda x: ops.stack(
        [head(x, 3, "softmax"), head(x, 3, "softmax")], axis=-1
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_does_not_tell_is_not_guessed(name):
    assert link(UNKNOWN[name]) == "unknown"


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda x: head(x, 1, "tanh"), "tanh"),
        (lambda x: layers.ReLU()(head(x, 1, None)), "relu"),
        (lambda x: layers.Dropout(0.1)(head(x, 1, "relu")), "relu"),
        (lambda x: head(x, 1, "hard_sigmoid"), "hard_sigmoid"),
    ],
)
def test_other_activations_are_named(build, name):
    assert link(build) == name


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_pooled_and_distributed_heads_keep_their_activation(activation):
    def steps(x):
        steps = layers.TimeDistributed(layers.Dense(3, activation))(x)
        return layers.GlobalAveragePooling1D()(steps)

    assert link(steps, (5, 4)) == activation


class OutputFirst(keras.Model):
    """A network that defines its output layer first and its gate last, and adds a loss."""

    def __init__(self, end=None, **kwargs):
        super().__init__(**kwargs)
        self.out = layers.Dense(1)
        self.hidden = layers.Dense(8, "relu")
        self.dropout = layers.Dropout(0.1)
        self.gate = layers.Dense(8, "sigmoid")
        self.end = end

    def call(self, inputs, training=False):
        x = self.dropout(self.hidden(inputs) * self.gate(inputs), training=training)
        z = self.out(x)
        self.add_loss(0.0 * ops.mean(z))
        return z if self.end is None else self.end(z)


def subclassed(end=None):
    model = OutputFirst(end)
    model(np.zeros((1, 4), "float32"))
    return model


@pytest.mark.parametrize(
    ("end", "expected"), [(None, "linear"), (ops.sigmoid, "sigmoid"), (tf.sigmoid, "unknown")]
)
def test_subclassed_network_is_read_by_its_call_and_left_as_it_was(end, expected):
    model = subclassed(end)
    calls = [len(layer._inbound_nodes) for layer in model._flatten_layers()]
    assert output_link(model, (4,)) == expected
    assert [len(layer._inbound_nodes) for layer in model._flatten_layers()] == calls
    assert "add_loss" not in vars(model)


def test_subclassed_network_inside_another_is_read_by_its_call():
    inner = OutputFirst(ops.sigmoid)
    assert link(lambda x: layers.Dropout(0.1)(inner(x))) == "sigmoid"


# ---- in a fit ------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 1).astype(int)


def fitted(build, y=Y, *, epochs=2, **params):
    def model():
        inputs = keras.Input((4,))
        return keras.Model(inputs, build(inputs))

    params = {"early_stopping": False, "random_state": 0} | params
    return ImbalancedNNClassifier(model, epochs=epochs, **params).fit(X, y)


def activation_of(clf):
    return clf._state.built.interface.activation


def test_mean_of_three_sigmoids_learns_as_one_does():
    learns = {"epochs": 60, "optimizer__learning_rate": 0.05, "loss": "binary_crossentropy"}
    clf = fitted(SIGMOIDS["Average"], **learns)
    assert clf.score(X, Y) > 0.85
    p = clf.model_.predict(X, verbose=0)
    np.testing.assert_allclose(clf.predict_proba(X)[:, 1:], p, atol=1e-5)
    np.testing.assert_allclose(clf.decision_function(X), logit(p[:, 0]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("end", "shown"), [(None, "linear"), (ops.sigmoid, "sigmoid")])
def test_subclassed_network_fits_by_what_its_call_ends_in(end, shown):
    clf = ImbalancedNNClassifier(
        partial(subclassed, end), epochs=2, early_stopping=False, dtype="float32", random_state=0
    ).fit(X, Y)
    assert activation_of(clf) == shown


def unseen(z):
    """What cannot be followed: TensorFlow's operation, with a number that no activation has."""
    return tf.sigmoid(2.0 * tf.identity(z) + 0.1)


def opaque(units, end=unseen):
    return lambda x: layers.Lambda(end, output_shape=(units,))(head(x, units, None))


def test_unknown_outputs_are_an_error_that_names_the_parameter():
    with pytest.raises(ValueError, match="model_outputs='logits' or model_outputs='probabilities'"):
        fitted(opaque(1))


@pytest.mark.parametrize(
    ("outputs", "units", "y", "expected"),
    [
        ("logits", 1, Y, "linear"),
        ("probabilities", 1, Y, "sigmoid"),
        ("probabilities", 2, np.column_stack([Y, 1 - Y]), "sigmoid"),
        ("probabilities", 3, Y + (X[:, 2] > 1), "softmax"),
    ],
)
def test_model_outputs_says_what_unknown_outputs_are(outputs, units, y, expected):
    clf = fitted(opaque(units), y, epochs=1, model_outputs=outputs)
    assert activation_of(clf) == expected
    p = clf.predict_proba(X)
    assert np.isfinite(p).all()
    if expected == "sigmoid":
        seen = clf.model_.predict(X, verbose=0)
        np.testing.assert_allclose(p[:, -units:], seen, atol=1e-5)


def test_model_outputs_wins_over_what_the_network_shows():
    assert activation_of(fitted(head, epochs=1, model_outputs="logits")) == "linear"


def test_instance_with_arguments_that_keras_forgets_is_refused_and_trains_from_a_function():
    with pytest.raises(TypeError, match="cannot be copied"):
        ImbalancedNNClassifier(subclassed(ops.sigmoid), epochs=1).fit(X, Y)
    clf = ImbalancedNNClassifier(subclassed(), epochs=1, early_stopping=False).fit(X, Y)
    assert activation_of(clf) == "linear"


def test_outputs_outside_0_and_1_are_logits():
    clf = fitted(opaque(1, lambda z: tf.identity(z) * 3.0), epochs=1)
    assert activation_of(clf) == "linear"
    loss = keras.losses.BinaryCrossentropy()  # whose from_logits=False is no more than a default
    clf = fitted(opaque(1, lambda z: tf.identity(z) * 3.0), epochs=1, loss=loss)
    assert activation_of(clf) == "linear"


def test_rows_that_sum_to_1_are_a_softmax():
    def normalised(x):
        e = ops.exp(head(x, 2, None))
        return e / ops.sum(e, axis=-1, keepdims=True)

    def both_sides(x):
        p = head(x)
        return layers.Concatenate()([1 - p, p])

    for build in (normalised, both_sides):
        clf = fitted(build, epochs=1)
        assert activation_of(clf) == "softmax"
        seen = clf.model_.predict(X, verbose=0)
        np.testing.assert_allclose(clf.predict_proba(X), seen, atol=1e-5)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (keras.losses.BinaryCrossentropy(from_logits=True), "linear"),
        (keras.losses.BinaryCrossentropy(), "sigmoid"),
        (partial(keras.losses.binary_crossentropy, from_logits=True), "linear"),
    ],
)
def test_from_logits_of_the_loss_says_what_unknown_outputs_are(loss, expected):
    assert activation_of(fitted(opaque(1), epochs=1, loss=loss)) == expected


def test_loss_on_logits_contradicts_a_network_that_ends_in_probabilities():
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    with pytest.raises(ValueError, match=r"ends in 'sigmoid', but the loss.*from_logits=True"):
        fitted(SIGMOIDS["Average"], loss=loss)
    with pytest.raises(ValueError, match=r"ends in 'sigmoid', but the loss.*from_logits=True"):
        fitted(opaque(1), loss=loss, model_outputs="probabilities")
    with pytest.raises(ValueError, match=r"has from_logits=False.*Set from_logits=True"):
        fitted(LOGITS["Dense"], loss=partial(keras.losses.binary_crossentropy, from_logits=False))


def test_changed_model_outputs_does_not_go_on_with_the_network():
    clf = fitted(head, epochs=1, warm_start=True)
    with pytest.raises(ValueError, match="model_outputs changed since the network was built"):
        clf.set_params(model_outputs="logits").fit(X, Y)


def test_activation_that_is_no_link_is_refused_by_name_and_taken_on_request():
    with pytest.raises(ValueError, match=r"ends in the activation 'hard_sigmoid'.*model_outputs"):
        fitted(lambda x: head(x, 1, "hard_sigmoid"))
    clf = fitted(lambda x: head(x, 1, "tanh"), epochs=1, model_outputs="logits")
    assert activation_of(clf) == "linear"


def test_mean_of_softmaxes_of_pixels_is_a_softmax():
    masks = np.zeros((8, 8, 8), bool)
    masks[:, 2:5, 3:6] = True
    images = masks + RNG.normal(0, 0.3, masks.shape)

    def model():
        inputs = keras.Input((8, 8, 1))
        members = [layers.Conv2D(2, 1, activation="softmax")(inputs) for _ in range(2)]
        return keras.Model(inputs, layers.Average()(members))

    seg = ImbalancedNNSegmenter(model, epochs=1, random_state=0).fit(images[..., None], masks)
    assert activation_of(seg) == "softmax"
    seen = seg.model_.predict(images[..., None], verbose=0)
    np.testing.assert_allclose(seg.predict_proba(images[..., None]), seen, atol=1e-5)


class LogitsInTraining(keras.Model):
    def __init__(self, of_both=False):
        super().__init__()
        self.last, self.of_both = layers.Dense(3), of_both

    def call(self, x, training=False):
        logits = self.last(x)
        return logits if training or self.of_both else ops.softmax(logits)


def test_network_that_ends_in_one_thing_in_training_and_in_another_later_is_refused():
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    with pytest.raises(ValueError, match=r"'linear' with training=True and in 'softmax' with"):
        ImbalancedNNClassifier(LogitsInTraining, epochs=1).fit(X, y)
    clf = ImbalancedNNClassifier(lambda meta: LogitsInTraining(of_both=True), epochs=1).fit(X, y)
    outputs = clf.model_(X[:5].astype("float32")).numpy()
    np.testing.assert_allclose(clf.decision_function(X[:5]), outputs, rtol=1e-4)
