"""Callbacks of a user that log and save: which trainer they need, and what is in their files."""

import csv

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb import ImbalancedNNClassifier
from skimb.training.guests import has_batch_hooks

TensorBoard = keras.callbacks.TensorBoard


def quick(**params):
    return ImbalancedNNClassifier("mlp", **{"epochs": 3, "random_state": 0} | params)


@pytest.fixture
def events():
    """Return a function that reads the tensors in a folder of TensorBoard's files, by tag."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.util.tensor_util import make_ndarray

    def read(folder):
        found = accumulator.EventAccumulator(str(folder)).Reload()
        return {
            tag: [(event.step, make_ndarray(event.tensor_proto)) for event in found.Tensors(tag)]
            for tag in found.Tags()["tensors"]
        }

    return read


@pytest.mark.parametrize("trainer", ["compiled", pytest.param("keras", marks=pytest.mark.slow)])
def test_files_of_tensorboard_hold_the_history(binary, tmp_path, events, trainer):
    clf = quick(
        metrics=["f1"], early_stopping=True, trainer=trainer, optimizer="auto",
        callbacks=[TensorBoard], callbacks__0__log_dir=tmp_path,
    ).fit(*binary)  # fmt: skip
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    written = {tag[6:]: values for tag, values in train.items() if tag.startswith("epoch_")}
    written |= {f"val_{tag[6:]}": values for tag, values in validation.items()}
    assert {"loss", "f1", "val_loss", "val_f1", "val_average_precision"} <= set(clf.history_)
    assert set(clf.history_) | {"learning_rate"} == set(written)
    for name, values in clf.history_.items():
        assert [step for step, _ in written[name]] == [0, 1, 2]
        assert_allclose([value for _, value in written[name]], values, rtol=1e-6)
    assert clf.trainer_ == ("keras" if trainer == "keras" else "graph")


def test_histograms_are_of_the_weights_after_each_epoch(binary, tmp_path, events):
    clf = quick(callbacks=[TensorBoard(tmp_path, histogram_freq=1)], trainer="compiled")
    clf.fit(*binary)
    kernels = [weight for weight in clf.model_.trainable_weights if "logits/kernel" in weight.path]
    (tag,) = [tag for tag in events(tmp_path / "train") if "logits/kernel" in tag]
    step, buckets = events(tmp_path / "train")[tag][-1]
    assert step == 2
    assert_allclose(buckets[[0, -1], [0, 1]], [np.min(kernels), np.max(kernels)], rtol=1e-6)


def test_tensorboard_has_a_file_for_a_fit_and_is_left_with_the_fitted_network(binary, tmp_path):
    callback = TensorBoard(tmp_path)
    clf = quick(epochs=1, callbacks=[callback]).fit(*binary)
    assert callback.model is clf.model_
    assert len(list(tmp_path.glob("train/*"))) == 1


class Inheriting(TensorBoard):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, {"twice": 2 * logs["loss"]})


class Counting(TensorBoard):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)


class CountingCheckpoint(keras.callbacks.ModelCheckpoint):
    def on_train_batch_begin(self, batch, logs=None):
        self.n_batches = batch + 1


class Renamed(keras.callbacks.Callback):
    """Has the name of a class of Keras and a hook of its own."""

    def on_batch_end(self, batch, logs=None):
        pass


Renamed.__name__ = "TerminateOnNaN"


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        (lambda: TensorBoard(), False),
        (lambda: TensorBoard(write_steps_per_second=True), False),
        (lambda: TensorBoard(update_freq="batch"), True),
        (lambda: TensorBoard(update_freq=10), True),
        (lambda: TensorBoard(profile_batch=(2, 3)), True),
        (lambda: Inheriting(), False),
        (lambda: Counting(), True),
        (lambda: keras.callbacks.ModelCheckpoint("a.keras"), False),
        (lambda: keras.callbacks.ModelCheckpoint("a.keras", save_freq=5), True),
        (lambda: CountingCheckpoint("a.keras"), True),
        (lambda: keras.callbacks.TerminateOnNaN(), False),
        (lambda: Renamed(), True),
        (lambda: keras.callbacks.LambdaCallback(on_epoch_end=print), False),
        (lambda: keras.callbacks.LambdaCallback(on_train_batch_end=print), True),
        (lambda: keras.callbacks.BackupAndRestore("folder"), True),
    ],
)
def test_batch_hooks_count_where_they_have_work(callback, expected):
    assert has_batch_hooks(callback()) == expected


def test_tensorboard_per_batch_does_not_go_with_the_compiled_trainer(binary, tmp_path):
    clf = quick(callbacks=[TensorBoard(tmp_path, update_freq="batch")], trainer="compiled")
    with pytest.raises(ValueError, match="TensorBoard has batch-level hooks"):
        clf.fit(*binary)


def test_loss_that_is_not_finite_is_an_error_with_terminate_on_nan_too(binary):
    X, y = binary
    clf = quick(
        callbacks=[keras.callbacks.TerminateOnNaN], trainer="compiled",
        optimizer="sgd", optimizer__learning_rate=1e30,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"loss became|no longer finite"):
        clf.fit(X, y)


def test_csv_file_has_the_learning_rate_of_a_schedule_as_the_history_has(binary, tmp_path):
    path = tmp_path / "log.csv"
    callbacks = [
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
        keras.callbacks.CSVLogger(path),
    ]
    clf = quick(callbacks=callbacks, trainer="compiled").fit(*binary)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("loss", "learning_rate"):
        assert_allclose([float(row[name]) for row in rows], clf.history_[name], rtol=1e-6)
    assert_allclose(clf.history_["learning_rate"], [0.1, 0.05, 0.1 / 3], rtol=1e-6)
