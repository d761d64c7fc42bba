"""What a network ends in, found by following its output back."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from skimb import ImbalancedNNClassifier
from skimb.networks import cnn, mlp, mlp_ensemble, unet
from skimb.networks.interface import NetworkInterface
from skimb.networks.outputs import UNKNOWN, output_link


def ending_in(*parts, units=1):
    """A functional network of two dense layers, and what comes after them."""
    inputs = keras.Input((3,))
    x = layers.Dense(units)(layers.Dense(4, activation="relu")(inputs))
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


def heads(merge, activation="sigmoid", units=1, n=3):
    inputs = keras.Input((3,))
    return keras.Model(
        inputs, merge([layers.Dense(units, activation=activation)(inputs) for _ in range(n)])
    )


class SigmoidInCall(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = layers.Dense(1)
        self.hidden = layers.Dense(4, activation="relu")

    def call(self, inputs):
        return ops.sigmoid(self.out(self.hidden(inputs)))


class GateDefinedLast(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = layers.Dense(1)
        self.gate = layers.Dense(3, activation="sigmoid")

    def call(self, inputs, training=False):
        return self.out(inputs * self.gate(inputs))


class OutputDefinedFirst(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = layers.Dense(2, activation="softmax")
        self.hidden = layers.Dense(4, activation="relu")

    def call(self, inputs):
        return self.out(self.hidden(inputs))


class SquashingLayer(layers.Layer):
    def call(self, inputs):
        return ops.sigmoid(inputs)


class OnValues(layers.Layer):
    """Which cannot be followed, since it looks at the numbers."""

    def call(self, inputs):
        return inputs if float(ops.sum(inputs)) > 0 else -inputs

    def compute_output_shape(self, input_shape):
        return input_shape


def called(model):
    model(np.zeros((1, 3), "float32"))
    return model


NETWORKS = {
    "dense": (lambda: ending_in(), "linear"),
    "sigmoid": (lambda: ending_in(layers.Activation("sigmoid")), "sigmoid"),
    "reshaped": (lambda: ending_in(layers.Activation("sigmoid"), layers.Reshape((1,))), "sigmoid"),
    "dropout": (lambda: ending_in(layers.Activation("sigmoid"), layers.Dropout(0.1)), "sigmoid"),
    "cast": (
        lambda: ending_in(
            layers.Activation("softmax"), layers.Activation("linear", dtype="float32"), units=3
        ),
        "softmax",
    ),
    "operation": (lambda: ending_in(ops.sigmoid), "sigmoid"),
    "operations": (lambda: ending_in(ops.softmax, lambda x: ops.cast(x, "float64"), units=2),
                   "softmax"),
    "clipped": (lambda: ending_in(ops.sigmoid, lambda x: ops.clip(x, 1e-6, 1.0)), "sigmoid"),
    "scaled logits": (lambda: ending_in(lambda x: 2.0 * x + 1.0), "linear"),
    "softmax layer": (lambda: ending_in(layers.Softmax(), units=2), "softmax"),
    "log softmax": (lambda: ending_in(layers.Activation("log_softmax"), units=2), "linear"),
    "own function": (lambda: ending_in(layers.Activation(lambda x: ops.sigmoid(x))), "sigmoid"),
    "own layer": (lambda: ending_in(SquashingLayer()), "sigmoid"),
    "lambda": (lambda: ending_in(layers.Lambda(lambda x: ops.sigmoid(x))), "sigmoid"),
    "mean of sigmoids": (lambda: heads(layers.Average()), "sigmoid"),
    "mean of softmaxes": (lambda: heads(layers.Average(), "softmax", 3), "softmax"),
    "mean of logits": (lambda: heads(layers.Average(), None), "linear"),
    "mean by operations": (
        lambda: heads(lambda parts: ops.mean(ops.stack(parts), axis=0)), "sigmoid"
    ),
    "labels from heads": (lambda: heads(layers.Concatenate()), "sigmoid"),
    "most suspicious": (lambda: heads(layers.Maximum()), "sigmoid"),
    "sum of logits": (lambda: heads(layers.Add(), None), "linear"),
    "normalised last": (lambda: ending_in(layers.BatchNormalization()), "linear"),
    "model in a model": (lambda: keras.Sequential(
        [keras.Input((3,)), heads(layers.Average()), layers.Flatten()]), "sigmoid"),
    "time distributed": (
        lambda: keras.Sequential(
            [keras.Input((3,)), layers.Reshape((3, 1)),
             layers.TimeDistributed(layers.Dense(1, activation="sigmoid")), layers.Flatten()]
        ),
        "sigmoid",
    ),
    "pooled pixels": (
        lambda: keras.Sequential(
            [keras.Input((3,)), layers.Reshape((3, 1)), layers.Dense(1, activation="sigmoid"),
             layers.GlobalMaxPooling1D()]
        ),
        "sigmoid",
    ),
    "sigmoid in call": (lambda: called(SigmoidInCall()), "sigmoid"),
    "gate defined last": (lambda: called(GateDefinedLast()), "linear"),
    "output defined first": (lambda: called(OutputDefinedFirst()), "softmax"),
    "relu": (lambda: ending_in(layers.Activation("relu")), "relu"),
    "relu layer": (lambda: ending_in(layers.ReLU()), "relu"),
    "tanh operation": (lambda: ending_in(ops.tanh), "tanh"),
    "sum of probabilities": (lambda: heads(layers.Add()), UNKNOWN),
    "mixed heads": (
        lambda: (lambda i: keras.Model(i, layers.Average()(
            [layers.Dense(1)(i), layers.Dense(1, activation="sigmoid")(i)])))(keras.Input((3,))),
        UNKNOWN,
    ),
    "softmax over samples": (lambda: ending_in(layers.Softmax(axis=0), units=2), UNKNOWN),
    "on values": (lambda: ending_in(OnValues()), UNKNOWN),
    "built in": (lambda: mlp((3,), 1), "linear"),
    "ensemble": (lambda: mlp_ensemble((3,), 2), "linear"),
    "cosines": (lambda: mlp_ensemble((3,), 2, normalized_output=True), "linear"),
}  # fmt: skip


@pytest.mark.parametrize(("build", "link"), NETWORKS.values(), ids=NETWORKS)
def test_end_of_a_network_is_found(build, link):
    assert output_link(build(), (3,)) == link


def test_end_of_networks_for_images_is_found():
    assert output_link(cnn((16, 16, 1), 1), (16, 16, 1)) == "linear"
    assert output_link(unet((16, 16, 1), 1, depth=1, width=2), (16, 16, 1)) == "linear"


def test_asking_changes_nothing_of_the_network():
    class Counting(layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, inputs):
            self.calls.assign_add(1.0)
            return ops.sigmoid(inputs)

    model = ending_in(Counting())
    before = [np.array(v.numpy()) for v in model.variables]
    assert output_link(model, (3,)) == "sigmoid"
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


ROWS = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")


def interface(model, **options):
    return NetworkInterface.of(model, ROWS, **options)


def test_what_cannot_be_followed_is_found_from_its_outputs():
    assert interface(ending_in(OnValues())).activation == "linear"  # outside of 0 to 1
    two = ending_in(layers.Activation("softmax"), OnValues(), units=2)
    complement = keras.Model(two.inputs, layers.Lambda(lambda p: ops.abs(p))(two.outputs[0]))
    assert interface(complement).activation == "softmax"  # with the sum 1


def test_what_cannot_be_found_out_is_an_error_that_names_the_parameter():
    model = ending_in(layers.Activation("sigmoid"), OnValues(), ops.abs)
    with pytest.raises(ValueError, match="Set model_outputs='logits'"):
        interface(model)
    assert interface(model, model_outputs="probabilities").activation == "sigmoid"
    assert interface(model, model_outputs="logits").activation == "linear"
    assert interface(model, from_logits=False).activation == "sigmoid"
    assert interface(model, from_logits=True).activation == "linear"


def test_probabilities_of_several_units_are_those_of_classes_or_of_labels():
    model = ending_in(layers.Activation("relu"), units=3)
    assert interface(model, model_outputs="probabilities").activation == "softmax"
    of_labels = interface(model, model_outputs="probabilities", independent=True)
    assert of_labels.activation == "sigmoid"


def test_loss_of_logits_on_a_network_of_probabilities_is_an_error():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    clf = ImbalancedNNClassifier(
        ending_in(ops.sigmoid), loss=keras.losses.BinaryCrossentropy(from_logits=True), epochs=1
    )
    with pytest.raises(ValueError, match="from_logits=True"):
        clf.fit(X, y)


@pytest.mark.slow
def test_mean_of_sigmoid_heads_learns_as_one_head_does():
    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.2).astype(int)
    X = (rng.normal(size=(200, 3)) + 3 * y[:, None]).astype("float32")
    clf = ImbalancedNNClassifier(
        heads(layers.Average()), optimizer__learning_rate=0.1, epochs=30, random_state=0
    ).fit(X, y)
    assert clf.score(X, y) > 0.9
    assert clf.predict_proba(X)[y == 0, 1].mean() < 0.2
