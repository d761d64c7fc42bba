"""Compare the speed in one run: ``python -m benchmarks.speed [--repeats N] [--only NAME ...]``.

Each line measures this library and its peers on the same task and data, with the same
network, batch size, epochs and optimizer; it prints the medians, their ratio, and the target
ratio, and saves all of it to ``benchmarks/results/speed.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV

from benchmarks import contenders
from benchmarks.contenders import PlainKeras

RESULTS = Path(__file__).parent / "results" / "speed.json"
WEIGHTS = [{0: 1.0, 1: float(w)} for w in np.geomspace(1, 20, 12)]

Measure = Callable[[], float]


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that a task takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def repeated_fit(estimator: Any, X: np.ndarray, y: np.ndarray) -> Measure:
    """Return a function that times a fit after a warm-up fit."""
    estimator.fit(X, y)
    return lambda: timed(lambda: estimator.fit(X, y))


def warm_fit() -> dict[str, Measure]:
    """Fit 4,000x20 float32, 64 hidden units, batch 32, 10 epochs, after a warm-up fit."""
    X, y = contenders.table(4000, 20)
    estimators = {
        "skimb": contenders.skimb_estimator((64,), 32, 10),
        "scikeras": contenders.scikeras_estimator(20, (64,), 32, 10),
        "Model.fit": PlainKeras(contenders.dense_network(20, (64,), "linear"), 32, 10),
        "MLPClassifier": contenders.mlp_estimator((64,), 32, 10),
        "skorch": contenders.skorch_estimator(20, (64,), 32, 10),
    }
    return {name: repeated_fit(e, X, y) for name, e in estimators.items() if e is not None}


def first_fit() -> dict[str, Measure]:
    """Time the same fit as the first in a process, without imports."""
    return {name: in_new_process("first_fit", name) for name in ("skimb", "scikeras")}


def search() -> dict[str, Measure]:
    """Search 12 weights (MLPClassifier: 12 alphas), 5 folds and refit, each in a new process."""
    names = ("skimb", "scikeras", "MLPClassifier")
    return {name: in_new_process("search", name) for name in names}


def focal_search() -> dict[str, Measure]:
    """Search 4 gammas times 3 weights of the focal loss, compared with cross-entropy."""
    return {
        "skimb": in_new_process("search", "skimb focal"),
        "skimb cross-entropy": in_new_process("search", "skimb"),
    }


def large_table() -> dict[str, Measure]:
    """Fit 285,000x30 float32, 128 + 128 units, batch 2048, 2 epochs, after a warm-up fit."""
    X, y = contenders.table(285_000, 30)
    estimators = {
        "skimb": contenders.skimb_estimator((128, 128), 2048, 2),
        "Model.fit": PlainKeras(contenders.dense_network(30, (128, 128), "linear"), 2048, 2),
    }
    return {name: repeated_fit(e, X, y) for name, e in estimators.items()}


def sparse_labels_estimators() -> dict[str, Any]:
    """Return estimators for 30 features and 30 labels: 64 hidden units, batch 10, 10 epochs."""
    return {
        "skimb": contenders.skimb_estimator((64,), 10, 10),
        "Model.fit": PlainKeras(contenders.dense_network(30, (64,), "linear", 30), 10, 10),
    }


def sparse_labels() -> dict[str, Measure]:
    """Fit 30,000 samples with 30 rare labels, after a warm-up fit."""
    X, Y = contenders.sparse_labels(30_000)
    return {name: repeated_fit(e, X, Y) for name, e in sparse_labels_estimators().items()}


def first_sparse_labels() -> dict[str, Measure]:
    """Time the same fit as the first in a process, without imports."""
    return {name: in_new_process("sparse_labels", name) for name in sparse_labels_estimators()}


def cnn() -> dict[str, Measure]:
    """Fit 6,000 images of 28x28, a small CNN, batch 64, 1 epoch, after a warm-up fit."""
    from skimb import ImbalancedNNClassifier

    X, y = contenders.images(6000)
    estimators = {
        "skimb": ImbalancedNNClassifier(
            contenders.small_cnn, batch_size=64, epochs=1, random_state=0
        ),
        "Model.fit": PlainKeras(contenders.small_cnn(), 64, 1),
    }
    return {name: repeated_fit(e, X, y) for name, e in estimators.items()}


def predict(n_rows: int) -> dict[str, Measure]:
    """Predict probabilities."""
    X, y = contenders.table(max(n_rows, 4000), 20)
    estimators = {
        "skimb": contenders.skimb_estimator((64,), 32, 1).fit(X[:4000], y[:4000]),
        "scikeras": contenders.scikeras_estimator(20, (64,), 32, 1).fit(X[:4000], y[:4000]),
    }
    for estimator in estimators.values():
        estimator.predict_proba(X[:n_rows])

    def measure(estimator: Any) -> Measure:
        return lambda: timed(lambda: estimator.predict_proba(X[:n_rows]))

    return {name: measure(estimator) for name, estimator in estimators.items()}


def f1_threshold() -> dict[str, Measure]:
    """Tune the threshold for F1: within one fit, and by scikit-learn with five folds."""
    X, y = contenders.table(4000, 20)
    plain = contenders.skimb_estimator((64,), 32, 10)
    ways = {
        "skimb": contenders.skimb_estimator((64,), 32, 10, threshold="f1"),
        "TunedThresholdClassifierCV": TunedThresholdClassifierCV(plain, scoring="f1", cv=5),
    }
    return {name: repeated_fit(estimator, X, y) for name, estimator in ways.items()}


def thresholds_of_classes(n_classes: int) -> dict[str, Measure]:
    """Tune the thresholds of 20,000 samples of many classes within one fit, and fit without."""
    rng = np.random.RandomState(0)
    y = np.concatenate([np.arange(n_classes), rng.randint(n_classes, size=20_000 - n_classes)])
    X = (rng.normal(size=(n_classes, 20))[y] + rng.normal(size=(len(y), 20))).astype(np.float32)
    ways = {
        "skimb": contenders.skimb_estimator((64,), 200, 10, threshold="f1"),
        "without thresholds": contenders.skimb_estimator((64,), 200, 10),
    }
    return {name: repeated_fit(estimator, X, y) for name, estimator in ways.items()}


def with_tensorboard() -> dict[str, Measure]:
    """Fit 20,000x30 float32, batch 32, 20 epochs, with files for TensorBoard and without."""
    X, y = contenders.table(20_000, 30)
    with_files = contenders.skimb_estimator((64,), 32, 20, callbacks=[OwnFolder])
    estimators = {"skimb": with_files, "without": contenders.skimb_estimator((64,), 32, 20)}
    return {name: repeated_fit(estimator, X, y) for name, estimator in estimators.items()}


class OwnFolder(keras.callbacks.TensorBoard):
    """TensorBoard's callback with a folder for each fit."""

    def __init__(self) -> None:
        super().__init__(tempfile.mkdtemp())


# name: (task, {peer: target speed-up})
LINES: dict[str, tuple[Callable[[], dict[str, Measure]], dict[str, float]]] = {
    "warm fit": (warm_fit, {"scikeras": 60, "MLPClassifier": 6}),
    "first fit": (first_fit, {"scikeras": 1}),
    "search": (search, {"scikeras": 35, "MLPClassifier": 3.5}),
    "focal search": (focal_search, {"skimb cross-entropy": 1 / 1.5}),
    "large table": (large_table, {"Model.fit": 5}),
    "sparse labels": (sparse_labels, {"Model.fit": 5}),
    "sparse labels, first": (first_sparse_labels, {"Model.fit": 5}),
    "cnn": (cnn, {"Model.fit": 2}),
    "tensorboard": (with_tensorboard, {"without": 1 / 1.3}),
    "f1 threshold": (f1_threshold, {}),
    "f1, 100 classes": (lambda: thresholds_of_classes(100), {"without thresholds": 1 / 2}),
    "f1, 1,000 classes": (lambda: thresholds_of_classes(1000), {"without thresholds": 1 / 2}),
    "predict one row": (lambda: predict(1), {"scikeras": 20}),
    "predict 100,000 rows": (lambda: predict(100_000), {"scikeras": 3}),
}


def in_new_process(work: str, contender: str) -> Measure:
    """Return a function that measures a task in a fresh interpreter."""

    def measure() -> float:
        command = [sys.executable, "-m", "benchmarks.speed", "--alone", work, contender]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return float(out.split()[-1])

    return measure


def alone(work: str, contender: str) -> float:
    """Run a task as the first in this process."""
    if work == "sparse_labels":
        X, y = contenders.sparse_labels(30_000)
        estimator: Any = sparse_labels_estimators()[contender]
        return timed(lambda: estimator.fit(X, y))
    X, y = contenders.table(4000, 20)
    if contender == "scikeras":
        estimator = contenders.scikeras_estimator(20, (64,), 32, 10, class_weight=None)
    elif contender == "MLPClassifier":
        estimator = contenders.mlp_estimator((64,), 32, 10)
    else:
        estimator = contenders.skimb_estimator((64,), 32, 10)
    if work == "first_fit":
        return timed(lambda: estimator.fit(X, y))
    grid: dict[str, Any] = {"class_weight": WEIGHTS}
    if contender == "MLPClassifier":
        grid = {"alpha": list(np.geomspace(1e-5, 1e-2, 12))}
    if contender == "skimb focal":
        estimator.set_params(loss="focal")
        grid = {"loss__gamma": [0.5, 1.0, 2.0, 4.0], "class_weight": WEIGHTS[::4]}
    return timed(lambda: GridSearchCV(estimator, grid, cv=5, scoring="f1").fit(X, y))


def run(names: list[str], repeats: int) -> list[dict[str, Any]]:
    """Measure the lines, alternating the contenders so that system load affects all of them."""
    rows = []
    for name in names:
        work, targets = LINES[name]
        measures = work()
        seconds: dict[str, list[float]] = {contender: [] for contender in measures}
        for _ in range(repeats):
            for contender, measure in measures.items():
                seconds[contender].append(measure())
        medians = {contender: median(values) for contender, values in seconds.items()}
        rows.append({"work": name, "seconds": seconds, "medians": medians, "targets": targets})
        print_row(rows[-1])
    return rows


def print_row(row: dict[str, Any]) -> None:
    """Print a line of the table for each peer."""
    ours = row["medians"]["skimb"]
    for peer, theirs in row["medians"].items():
        if peer != "skimb":
            target = row["targets"].get(peer)
            wanted = f"{target:7.2f}x" if target else f"{'-':>8}"
            figures = f"{ours:10.4f}{peer:>27}{theirs:10.4f}{theirs / ours:9.2f}x{wanted}"
            print(f"{row['work']:22}{figures}", flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=LINES, default=list(LINES))
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone:
        print(alone(*args.alone))
        return
    print(f"{'work':22}{'skimb s':>10}{'against':>27}{'s':>10}{'ratio':>10}{'wanted':>8}")
    rows = run(args.only, args.repeats)
    machine = {
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "keras": keras.__version__,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
