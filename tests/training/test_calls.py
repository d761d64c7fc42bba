"""Epochs that one call of the compiled program trains, against Keras and one call for each."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skimb import ImbalancedNNClassifier
from skimb.data.batching import ShuffledBatches
from skimb.losses.binding import BoundLoss
from skimb.losses.cross_entropy import CrossEntropy
from skimb.networks import SteadyNormalization
from skimb.training import Network, Rows, train
from skimb.training.program import Program, batches_of_a_call

RATES = np.linspace(0.05, 0.001, 20).tolist()
TRAINERS = pytest.mark.parametrize("seconds", [0, 10**9], ids=["xla", "graph"])


def table(n=224):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)).astype("float32")
    y = (X[:, :1] + 0.3 * rng.normal(size=(n, 1)) > 1).astype("float32")
    weight = (1 + 3 * y[:, 0]).astype("float32")
    return Rows(X, y, weight, "float32")


def network():
    dense = [
        keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed=units))
        for units in (8, 1)
    ]
    return keras.Sequential([keras.Input((6,)), dense[0], keras.layers.ReLU(), dense[1]])


def trained_by(optimizer, **params):
    return train(
        Network.copy_of(params.pop("model", network())), params.pop("rows", table()),
        BoundLoss(CrossEntropy(), link="sigmoid"), optimizer, ShuffledBatches(224, 32),
        rng=np.random.RandomState(0), **{"epochs": 20, "learning_rates": RATES, **params},
    )  # fmt: skip


@pytest.fixture
def calls(monkeypatch):
    """Return the numbers of epochs of the calls that have been made, however long they take."""
    monkeypatch.setattr("skimb.training.compiled_loop.SECONDS_OF_A_CALL", 1e9)
    found, run = [], Program.run

    def counted(self, X, y, weight, orders, *args):
        found.append(len(orders))
        return run(self, X, y, weight, orders, *args)

    monkeypatch.setattr(Program, "run", counted)
    return found


@TRAINERS
def test_epochs_of_a_call_have_their_order_and_learning_rate_and_loss(seconds, calls, monkeypatch):
    monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", seconds)
    orders = []

    class Seen(ShuffledBatches):
        def epoch(self, rng):
            orders.append(super().epoch(rng))
            return orders[-1]

    monkeypatch.setitem(globals(), "ShuffledBatches", Seen)
    ours = trained_by(keras.optimizers.Adam(1.0))
    assert calls == [1, 9, 9, 1]  # of 7 batches each
    assert ours.trainer == ("xla" if seconds == 0 else "graph")

    rows, theirs, losses = table(), network(), []
    theirs.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    for rate, order in zip(RATES, orders, strict=True):
        theirs.optimizer.learning_rate = rate
        of_batches = []
        for batch in order.reshape(7, 32):
            X, y, weight = rows.X[batch], rows.y[batch], rows.weight[batch]
            z = np.asarray(theirs(X))
            of_samples = np.logaddexp(0, np.where(y == 1, -z, z))[:, 0]
            of_batches.append(np.mean(weight * of_samples))
            theirs.train_on_batch(X, y, sample_weight=weight)
        losses.append(np.mean(of_batches))
    for a, b in zip(ours.network.model.get_weights(), theirs.get_weights(), strict=True):
        assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    assert_allclose(ours.history["learning_rate"], RATES)
    assert_allclose(ours.history["loss"], losses, rtol=1e-3)


def test_a_call_takes_no_longer_than_one_may_wait_for_an_interrupt(calls, monkeypatch):
    monkeypatch.setattr("skimb.training.compiled_loop.SECONDS_OF_A_CALL", 1e-9)
    trained_by(keras.optimizers.Adam())
    assert calls == [1] * 20


@TRAINERS
@pytest.mark.parametrize(
    "watching", [{"observers": [lambda values: {}]}, {"callbacks": [keras.callbacks.Callback()]}]
)
def test_training_that_is_watched_is_the_same_with_a_call_an_epoch(
    seconds, watching, calls, monkeypatch
):
    monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", seconds)
    rows = table()
    early = Rows(rows.X, rows.y, rows.weight, "float32", np.ones(224, "float32"), 5)
    results = []
    for params in ({}, watching):
        results.append(trained_by(keras.optimizers.Adam(), rows=early, **params))
    # the second call ends where the weights change
    assert calls == [1, 4, 9, 6, *[1] * 20]
    assert results[0].history["loss"] == results[1].history["loss"]
    rates = [result.history["learning_rate"] for result in results]
    assert_allclose(*rates, rtol=1e-6)  # a callback is shown that of the optimizer, in float32
    weights = [result.network.model.get_weights() for result in results]
    for a, b in zip(*weights, strict=True):
        assert_array_equal(a, b)
    states = [result.optimizer_state.values for result in results]
    for a, b in zip(*states, strict=True):
        assert_array_equal(a, b)


WATCHING = {"observers": [lambda values: {}]}


def assert_one_call_an_epoch(calls, **params):
    """A training with which something has to be done between two epochs."""
    results = [trained_by(keras.optimizers.Adam(), **params, **more) for more in ({}, WATCHING)]
    assert calls == [1] * 40
    weights = [result.network.model.get_weights() for result in results]
    for a, b in zip(*weights, strict=True):
        assert_array_equal(a, b)
    return results[0]


@TRAINERS
def test_data_in_blocks_are_trained_epoch_by_epoch(seconds, calls, monkeypatch):
    whole = trained_by(keras.optimizers.Adam())
    calls.clear()
    monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", seconds)
    monkeypatch.setattr("skimb.training.dataset.RESIDENT_BYTES", 100)
    one_block = assert_one_call_an_epoch(calls)  # of 2**26 bytes
    for a, b in zip(*(t.network.model.get_weights() for t in (whole, one_block)), strict=True):
        assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@TRAINERS
def test_networks_that_change_midway_are_trained_epoch_by_epoch(seconds, calls, monkeypatch):
    monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", seconds)
    layers = [keras.Input((6,)), SteadyNormalization(), keras.layers.Dense(1)]
    layers[2].kernel_initializer = keras.initializers.GlorotUniform(seed=0)
    assert_one_call_an_epoch(calls, model=keras.Sequential(layers))


def test_no_epochs_train_nothing(calls):
    trained = trained_by(keras.optimizers.Adam(), epochs=0)
    assert calls == []
    assert trained.history == {}


@pytest.mark.parametrize("size", [1, 20, 2000, 10**6])
def test_a_call_has_room_for_few_large_batches_or_many_small_ones(size):
    assert size * batches_of_a_call(size) <= max(size, 2**14)
    assert 1 <= batches_of_a_call(size) <= 64


class Replaces(keras.callbacks.Callback):
    """A callback that gives the optimizer a schedule, of which the program knows nothing."""

    def on_train_begin(self, logs=None):
        rate = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
        self.model.optimizer.learning_rate = rate


def test_a_schedule_that_a_callback_sets_is_gone_with_the_fit(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None, epochs=3, random_state=0)
    before = clf.fit(X, y).predict_proba(X)
    other = ImbalancedNNClassifier(cv=None, epochs=3, random_state=0, callbacks=[Replaces])
    other.fit(X, y).partial_fit(X, y)
    assert_array_equal(clf.fit(X, y).predict_proba(X), before)


def test_the_epoch_of_a_loss_that_is_no_number_is_named():
    rates = [0.01] * 5 + [1e30] + [0.01] * 6
    for watching in ({}, {"observers": [lambda values: {}]}):
        with pytest.raises(ValueError, match=r"The loss became \S+ in epoch 6\. "):
            trained_by(keras.optimizers.SGD(), epochs=12, learning_rates=rates, **watching)


def test_learning_rate_of_a_callback_of_the_users_replaces_that_of_the_recipe(binary):
    X, y = binary
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    clf = ImbalancedNNClassifier(cv=None, epochs=3, random_state=0, callbacks=[schedule])
    assert_allclose(clf.fit(X, y).history_["learning_rate"], [0.1, 0.05, 0.1 / 3], rtol=1e-6)


@pytest.mark.parametrize("cv", [None, 3])
def test_verbose_changes_nothing(binary, calls, capsys, cv):
    X, y = binary
    found = [
        ImbalancedNNClassifier(cv=cv, epochs=9, random_state=0, verbose=verbose).fit(X, y)
        for verbose in (0, 2)
    ]
    assert calls == [1, 8, *[1] * 9]
    assert "9/9" in capsys.readouterr().out
    assert found[0].history_ == found[1].history_
    assert_array_equal(found[0].predict_proba(X), found[1].predict_proba(X))
