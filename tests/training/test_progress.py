"""What verbose shows of a training, in a terminal and elsewhere."""

import os
import re
import sys

import keras
import numpy as np
import pytest

from skimb import AutoencoderClassifier, ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.training.progress import Part, ProgressLine


def quick(**params):
    return ImbalancedNNClassifier("mlp", **{"epochs": 2, "random_state": 0} | params)


def in_terminal(monkeypatch, clf, X, y):
    """Return what a fit leaves on a terminal of 60 columns."""
    ours, theirs = os.openpty()
    monkeypatch.setenv("COLUMNS", "60")
    with open(theirs, "w") as out, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        clf.fit(X, y)
        shown = os.read(ours, 100_000).decode()
    os.close(ours)
    return shown


def test_silence_is_the_default(binary, capfd):
    quick().fit(*binary)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [1, 2])
def test_output_that_is_no_terminal_has_a_line_per_epoch(binary, capfd, verbose):
    clf = quick(verbose=verbose, metrics=["f1"]).fit(*binary)
    lines = capfd.readouterr().out.splitlines()
    for epoch, line in enumerate(lines):
        loss, f1 = clf.history_["loss"][epoch], clf.history_["f1"][epoch]
        expected = rf"epoch {epoch + 1}/2  \d+ s left  loss {loss:.4g}  f1 {f1:.4g}"
        assert re.fullmatch(expected, line)
    assert len(lines) == 2


def test_terminal_has_one_line_that_is_updated_and_fits(binary, monkeypatch):
    metrics = ["f1", "recall", "precision", "roc_auc"]
    clf = quick(verbose=1, metrics=metrics, early_stopping=True)
    shown = in_terminal(monkeypatch, clf, *binary)
    assert shown.count("\n") == 1
    first, second = shown.strip("\r\n").split("\r")
    # the score that decides is not what a narrow terminal cuts off
    monitored = "  val_average_precision {:.4g} "
    scores = clf.history_["val_average_precision"]
    assert re.match(r"epoch 1/2  at most \d+ s left" + monitored.format(scores[0]), first)
    assert second.startswith("epoch 2/2  at most 0 s left" + monitored.format(scores[1]))
    assert len(first) == len(second) == 59


def test_verbose_2_has_a_line_per_epoch_in_a_terminal_too(binary, monkeypatch):
    assert in_terminal(monkeypatch, quick(verbose=2), *binary).count("\n") == 2


def test_best_epoch_so_far_is_shown(binary, capfd):
    clf = quick(epochs=20, optimizer__learning_rate=0.05, early_stopping=True, patience=3)
    clf.set_params(verbose=1, monitor="loss").fit(*binary)
    scores = clf.history_["val_loss"]
    shown = re.findall(r"  best epoch (\d+)  ", capfd.readouterr().out)
    best = [1 + int(np.argmin(scores[:n])) for n in range(1, len(scores) + 1)]
    assert list(map(int, shown)) == best


def test_folds_one_after_the_other_are_counted(binary, capfd):
    quick(cv=3, epochs=1, verbose=1).fit(*binary)
    names = [line.split("  ")[0] for line in capfd.readouterr().out.splitlines()]
    assert names == ["fold 1/3", "fold 2/3", "fold 3/3"]


@pytest.mark.slow
def test_every_estimator_shows_its_epochs(binary, capfd):
    X, y = binary
    images = X[:32].reshape(4, 8, 8)
    ImbalancedNNClassifier(epochs=1, verbose=1, random_state=0).fit(X, y)
    segmenter = ImbalancedNNSegmenter(model__depth=1, model__width=2, epochs=1, verbose=1)
    segmenter.fit(images, (images > 1).astype(int))
    AutoencoderClassifier(epochs=1, verbose=1).fit(X, y)
    lines = capfd.readouterr().out.splitlines()
    begins = [line.split("1/1")[0] for line in lines]
    assert begins == ["5 folds at once  epoch ", "epoch ", "epoch "]


def test_time_left_is_that_of_all_folds_and_does_not_count_the_compilation(monkeypatch, capfd):
    times = iter([0.0, 100.0, 110.0])  # the first epoch compiles
    monkeypatch.setattr("skimb.training.progress.time.perf_counter", lambda: next(times))
    part = Part("fold 2/4", n_later=2)
    line = ProgressLine(epochs=100, verbose=2, monitored=None, part=part)
    line.begin()
    line.show(1, {"loss": 0.5})
    line.show(2, {"loss": 0.25})
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "fold 2/4  epoch 1/100  8:18:20 left  loss 0.5"  # 299 epochs of 100 s
    assert lines[1] == "fold 2/4  epoch 2/100  0:49:40 left  loss 0.25"  # 298 epochs of 10 s


def test_learning_rate_of_a_schedule_comes_last(binary, capfd):
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.125)
    quick(epochs=1, callbacks=[schedule], verbose=2).fit(*binary)
    assert capfd.readouterr().out.endswith("  learning_rate 0.125\n")
