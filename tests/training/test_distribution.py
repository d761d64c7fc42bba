"""One training on several devices."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from skimb import ImbalancedNNClassifier


@pytest.mark.slow
def test_two_devices_learn_what_one_does():
    # one test, as the program takes long, and devices have to be set up before TensorFlow starts
    program = Path(__file__).parents[1] / "support" / "two_devices.py"
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["devices"] == 2
    for case in ("function", "strategy", "focal", "held out", "mirrored"):
        assert found[case] < 1e-5, case
    # copies, pickles and searches
    assert found["pickled"]
    assert found["goes on"] == 4
    one, two = found["scores"]
    assert two == pytest.approx(one)
    # the other estimators
    assert found["pixels"] == [8, 16, 16]
    assert found["outliers"] == found["trainer"] == "keras"
    # what needs the compiled trainer
    assert "trainer='compiled' is not possible here: a tf.distribute strategy" in found["compiled"]
    assert found["resampled"] == "keras"


def test_a_function_that_returns_no_strategy_is_refused(binary):
    with pytest.raises(TypeError, match=r"distribution=list returned \[\]. Accepted are"):
        ImbalancedNNClassifier(cv=None, distribution=list).fit(*binary)
    with pytest.raises(ValueError, match=r"The 'distribution' parameter .* must be"):
        ImbalancedNNClassifier(cv=None, distribution="everywhere").fit(*binary)


def test_a_network_that_cannot_be_copied_is_refused(binary):
    import tensorflow as tf

    class Uncopyable(keras.Model):
        def __init__(self, secret):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, inputs):
            return self.dense(inputs)

        def get_config(self):
            raise NotImplementedError

    clf = ImbalancedNNClassifier(
        lambda: Uncopyable(object()), distribution=lambda: tf.distribute.OneDeviceStrategy("CPU:0")
    )
    with pytest.raises(TypeError, match="distribution needs a network that can be built"):
        clf.fit(*binary)
