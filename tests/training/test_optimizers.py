"""Optimizers with schedules of a user's own."""

import keras
import numpy as np
import pytest

from skimb import ImbalancedNNClassifier

X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] > 0.8).astype(int)


def schedule(rate):
    """Return a class that is registered nowhere, as a cell of a notebook defines it again."""

    class Own(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return rate

        def get_config(self):
            return {}

    return Own


def moved(optimizer, trainer="auto"):
    clf = ImbalancedNNClassifier("mlp", optimizer=optimizer, trainer=trainer, epochs=1)
    start = clf.set_params(random_state=0).initialize(X, Y).model_.get_weights()
    end = clf.fit(X, Y).model_.get_weights()
    return max(np.abs(a - b).max() for a, b in zip(start[-2:], end[-2:], strict=True))


@pytest.mark.parametrize("trainer", ["auto", pytest.param("keras", marks=pytest.mark.slow)])
def test_a_schedule_that_is_defined_again_is_another_schedule(trainer):
    assert moved(keras.optimizers.SGD(schedule(0.0)()), trainer) == 0
    assert moved(keras.optimizers.SGD(schedule(0.1)()), trainer) > 0


def test_a_network_compiled_with_a_schedule_of_the_users_is_trained_with_it():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    network.compile(keras.optimizers.SGD(schedule(0.0)()))
    clf = ImbalancedNNClassifier(network, epochs=1, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(clf.model_.get_weights()[0], network.get_weights()[0])
