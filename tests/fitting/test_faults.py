"""What is left behind when something goes wrong in the middle of a training: nothing."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from skimb import AutoencoderOutlierDetector, ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.networks import mlp
from skimb.training.dataset import Rows
from skimb.training.divergence import explanation
from skimb.training.network import Network


def quick(**params):
    return ImbalancedNNClassifier(cv=None, **{"epochs": 3, "random_state": 0, **params})


class RaisesInEpoch(keras.callbacks.Callback):
    def __init__(self, error, epoch=1):
        super().__init__()
        self.error, self.epoch = error, epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise self.error


class RaisesInBatch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise RuntimeError("the callback's own error")


def no_number(y_true, y_pred):
    return keras.ops.sqrt(-1 - keras.ops.square(y_pred))


def process_state():
    """Return what a fit could change in the process and must not."""
    return {
        "random": random.getstate(),
        "numpy": str(np.random.get_state()),
        "keras generator": keras.src.backend.common.global_state.get_global_attribute(
            "global_seed_generator"
        ),
        "floatx": keras.config.floatx(),
        "policy": keras.config.dtype_policy().name,
        "eager": tf.config.functions_run_eagerly(),
        "learning phase": keras.src.backend.common.global_state.get_global_attribute(
            "stateless_scope"
        ),
        "environment": dict(os.environ),
        "threads": threading.active_count(),
    }


@pytest.fixture(scope="module")
def expected(binary):
    """Return what a fit gives in a process where nothing went wrong yet."""
    X, y = binary
    return quick().fit(X, y).predict_proba(X)


FAULTS = {
    "a callback raises": dict(callbacks=[RaisesInEpoch(RuntimeError("own error"))]),
    "a callback raises in Model.fit": dict(callbacks=[RaisesInBatch()]),
    "the loss is NaN": dict(loss=no_number),
    "the loss is NaN in Model.fit": dict(loss=no_number, trainer="keras"),
    "the learning rate is too high": dict(optimizer__learning_rate=1e30, dtype="float32"),
    "the learning rate is negative": dict(optimizer__learning_rate=-0.1),
    "the learning rate is NaN": dict(optimizer__learning_rate=float("nan")),
    "an interrupt": dict(callbacks=[RaisesInEpoch(KeyboardInterrupt())]),
    "an interrupt in Model.fit": dict(
        callbacks=[RaisesInEpoch(KeyboardInterrupt())], trainer="keras"
    ),
    "the process is told to end": dict(callbacks=[RaisesInEpoch(SystemExit(1))]),
    "memory runs out": dict(callbacks=[RaisesInEpoch(MemoryError())]),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_after_a_fault_nothing_is_fitted_and_the_next_fit_is_as_ever(binary, expected, fault):
    X, y = binary
    X_before, y_before, state = X.copy(), y.copy(), process_state()
    clf = quick(**fault)
    params = clf.get_params()
    with pytest.raises((RuntimeError, ValueError, KeyboardInterrupt, SystemExit, MemoryError)):
        clf.fit(X, y)
    assert process_state() == state
    assert not [name for name in vars(clf) if name.endswith("_") or name.startswith("_")]
    assert clf.get_params() == params
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)
    np.testing.assert_array_equal(quick().fit(X, y).predict_proba(X), expected)


@pytest.mark.slow
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fault_in_a_second_fit_leaves_the_first(binary, expected, warm_start):
    X, y = binary
    clf = quick(warm_start=warm_start).fit(X, y)
    clf.set_params(callbacks=[RaisesInEpoch(RuntimeError("own error"))])
    with pytest.raises(RuntimeError, match="own error"):
        clf.fit(X[:200], y[:200])
    assert clf.n_iter_ == 3
    np.testing.assert_array_equal(clf.predict_proba(X), expected)


def test_a_network_that_cannot_be_copied_gets_its_values_back(binary):
    X, y = binary

    class Uncopyable(keras.Model):
        def __init__(self, secret):
            super().__init__()
            self.secret = secret
            self.dense = keras.layers.Dense(1)

        def call(self, inputs):
            return self.dense(inputs)

        def get_config(self):
            raise NotImplementedError

    clf = quick(model=lambda: Uncopyable(object())).fit(X, y)
    before = clf.predict_proba(X)
    clf.set_params(warm_start=True, callbacks=[RaisesInEpoch(RuntimeError("own error"))])
    with pytest.raises(RuntimeError, match="own error"):
        clf.fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), before)


@pytest.mark.slow
def test_an_interrupt_in_the_middle_of_an_epoch_ends_the_fit(binary, expected, monkeypatch):
    monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", 0)
    X, y = binary
    rng = np.random.default_rng(0)
    many = rng.normal(size=(20_000, 8)).astype("float32")
    labels = (rng.random(20_000) < 0.1).astype(int)
    clf = quick(epochs=10_000, batch_size=20, early_stopping=False)
    # Compiled before, so that the interrupt comes in an epoch: while TensorFlow traces, it can come
    # in a function that Python calls when an object is gone, and from there it does not reach fit.
    quick(epochs=1, batch_size=20, early_stopping=False).fit(many, labels)
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    # a shell starts what runs in the background with interrupts ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer.start()
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            clf.fit(many, labels)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.perf_counter() - start < 60  # 10,000 epochs take an hour
    assert not hasattr(clf, "n_iter_")
    monkeypatch.undo()
    np.testing.assert_array_equal(quick().fit(X, y).predict_proba(X), expected)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["auto", "keras"])
@pytest.mark.parametrize(
    ("params", "cause"),
    [
        (dict(optimizer__learning_rate=1e30, dtype="float32"), "optimizer__learning_rate=1e"),
        (dict(loss=no_number), "a custom loss"),
        (
            dict(model=lambda: keras.Sequential([keras.layers.Dense(1)]), dtype="float32",
                 loss=lambda t, p: keras.ops.exp(keras.ops.square(p))),
            "X has values up to 1e+08",
        ),
    ],
)  # fmt: skip
def test_a_loss_that_is_no_number_names_epoch_weights_and_cause(binary, trainer, params, cause):
    X, y = binary
    if "X has" in cause:
        X = np.where(np.arange(8) == 3, 1e8, X)
    with pytest.raises(
        ValueError, match=r"in epoch \d+\. Sample weights in the loss ranged from .* to "
    ) as caught:
        quick(trainer=trainer, **params).fit(X, y)
    assert cause in str(caught.value)


@pytest.mark.slow
def test_a_weight_that_is_too_large_is_named_as_the_cause():
    network = Network.of(mlp((3,), 1))
    weight = np.where(np.arange(50) == 7, 5e3, 1e-6)
    rows = Rows(np.ones((50, 3)), np.zeros(50), weight, "float32")
    said = explanation(network, rows, learning_rate=0.001)
    assert "Sample weights in the loss ranged from 1e-06 to 5e+03" in said
    assert "a weight of 5e+03 makes single steps too large: try weight_power below 1" in said


def test_values_that_are_no_numbers_after_the_last_step_are_an_error(binary):
    # the loss of an epoch is that before its last step, so it is still finite here
    X, y = binary
    rate = dict(optimizer="sgd", optimizer__learning_rate=3e38, dtype="float32")
    steep = dict(loss=lambda t, p: 1e6 * p, model__hidden_layer_sizes=())
    with pytest.raises(ValueError, match="outputs are no longer finite after epoch 1"):
        quick(epochs=1, batch_size=400, class_weight=None, **rate, **steep).fit(X, y)


@pytest.mark.slow
def test_a_segmenter_and_a_detector_that_diverge_are_not_fitted():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(8, 16, 16)).astype("float32")
    rate = dict(optimizer__learning_rate=1e30, dtype="float32", epochs=2)
    cases = [
        (ImbalancedNNSegmenter(**rate), (images, images > 1)),
        (AutoencoderOutlierDetector(**rate), (images.reshape(8, -1),)),
    ]
    for estimator, data in cases:
        with pytest.raises(ValueError, match="epoch"):
            estimator.fit(*data)
        assert not estimator.__sklearn_is_fitted__()


FIT_IN_A_PROCESS = """
from sklearn.datasets import make_classification
from skimb import ImbalancedNNClassifier
X, y = make_classification(200, weights=[0.9], random_state=0)
print(ImbalancedNNClassifier("mlp", epochs=2, random_state=0).fit(X, y).predict_proba(X).sum())
"""


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param(
            dict(HOME="/proc/no-such-home", XDG_CACHE_HOME="/proc/no", KERAS_HOME="/proc/no"),
            id="a home that cannot be written",
        ),
        pytest.param(dict(CUDA_VISIBLE_DEVICES="-1"), id="no GPU wanted", marks=pytest.mark.slow),
        pytest.param(
            dict(CUDA_VISIBLE_DEVICES="0,1"),
            id="GPUs wanted that are not there",
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.slow
def test_a_process_in_an_odd_environment_fits_and_is_silent(environment):
    result = subprocess.run(
        [sys.executable, "-c", FIT_IN_A_PROCESS],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    # matplotlib, which keras imports where it is installed, has its own words for such a home
    assert [line for line in result.stderr.splitlines() if "matplotlib" not in line] == []
    assert float(result.stdout) == pytest.approx(200)


@pytest.mark.parametrize("first", ["keras", pytest.param("tensorflow", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_fit_prints_nothing_where_keras_was_imported_first(first):
    program = f"import sys, {first}\nprint('now', file=sys.stderr, flush=True)" + FIT_IN_A_PROCESS
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    said = result.stderr.partition("now\n")[2].splitlines()
    # TensorFlow's search for a GPU at its first operation is its own affair
    assert [line for line in said if "cuda" not in line.lower()] == []
