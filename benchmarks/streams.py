"""Fits on a stream against the same samples as arrays: ``python -m benchmarks.streams``.

A stream of 30 columns in batches of 2,048, each drawn from a seed of its own, of which nothing is
kept. Prints the resident memory after every epoch over 5 million samples, and for a part that fits
into memory the samples per second, those per second of processor time, and the average precision
on other samples, beside those of the array. The part is streamed twice: cut from an array, which
shows what a stream costs, and drawn, which takes a core of its own beside the training.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from sklearn.metrics import average_precision_score

from benchmarks.memory import resident_mib
from skimb import ImbalancedNNClassifier

BATCH, COLUMNS = 2048, 30
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp (64, 32)": {"model": "mlp", "optimizer__learning_rate": 1e-3},
    "default": {"cv": None},
}


def batch(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch in which 2 % of the samples are positive."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((BATCH, COLUMNS), dtype=np.float32)
    noise = 0.7 * rng.standard_normal(BATCH, dtype=np.float32)
    return X, (X[:, 0] + X[:, 1] * X[:, 2] + noise > 3.3).astype(np.int8)


class Drawn:
    """Batches that are drawn when they are asked for, the same in every pass."""

    def __init__(self, n_samples: int) -> None:
        self.n_batches = n_samples // BATCH

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (batch(seed) for seed in range(self.n_batches))


class Cut:
    """Batches that are cut from arrays."""

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        self.X, self.y = X, y

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        starts = range(0, len(self.y), BATCH)
        return ((self.X[i : i + BATCH], self.y[i : i + BATCH]) for i in starts)


class Memory(keras.callbacks.Callback):
    """Notes the resident memory after every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.mib: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.mib.append(resident_mib())


def estimator(network: str, epochs: int, **params: Any) -> ImbalancedNNClassifier:
    """Return a classifier that holds nothing out."""
    return ImbalancedNNClassifier(
        **NETWORKS[network], batch_size=BATCH, epochs=epochs, early_stopping=False, random_state=0,
        **params,
    )  # fmt: skip


def memory(n_samples: int, epochs: int) -> None:
    """Print the memory of a long stream."""
    noted = Memory()
    start = time.perf_counter()
    estimator("mlp (64, 32)", epochs, callbacks=[noted]).fit(Drawn(n_samples))
    seconds = time.perf_counter() - start
    shown = ", ".join(f"{mib:.0f}" for mib in noted.mib)
    growth = max(noted.mib) - noted.mib[0]
    print(
        f"{n_samples:,} samples, {epochs} epochs in {seconds:.0f} s: {shown} MiB; "
        f"{growth:+.0f} MiB after the first epoch, wanted below 100",
        flush=True,
    )


class Clock(keras.callbacks.Callback):
    """Measures the epochs of a fit, without the pass before them."""

    seconds = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._start = time.perf_counter()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.seconds = time.perf_counter() - self._start


def measured(network: str, epochs: int, given: tuple[Any, ...]) -> tuple[Any, list[float]]:
    """Return a fitted classifier, and the seconds of the fit, of its epochs, and of processors."""
    clock = Clock()
    start, start_of_cpu = time.perf_counter(), time.process_time()
    clf = estimator(network, epochs, callbacks=[clock]).fit(*given)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_of_cpu
    return clf, [seconds, clock.seconds, cpu]


def throughput(n_samples: int, epochs: int, repeats: int) -> None:
    """Print speed and quality beside those of the array."""
    drawn = Drawn(n_samples)
    start = time.process_time()
    X, y = (np.concatenate(part) for part in zip(*drawn, strict=True))
    print(f"drawing the samples of a pass: {time.process_time() - start:.2f} s")
    others = map(batch, range(10**6, 10**6 + 100))
    X_test, y_test = (np.concatenate(part) for part in zip(*others, strict=True))
    sources = {"array": (X, y), "cut": (Cut(X, y),), "drawn": (drawn,)}
    for network in NETWORKS:
        taken: dict[str, list[list[float]]] = {name: [] for name in sources}
        precision = {}
        for _ in range(repeats + 1):  # the first one compiles
            for name, given in sources.items():
                clf, seconds = measured(network, epochs, given)
                taken[name].append(seconds)
                positive = clf.predict_proba(X_test)[:, 1]
                precision[name] = average_precision_score(y_test, positive)
        array, *streamed = (np.median(found[1:], axis=0) for found in taken.values())
        for name, seconds in zip(("cut", "drawn"), streamed, strict=True):
            of_fit, of_epochs, of_cpu = array / seconds
            print(
                f"{network:14}{name:6}{epochs * n_samples / seconds[1]:10,.0f} samples/s in the "
                f"epochs of a stream, {of_epochs:.2f} of those of an array, wanted above 0.70; of "
                f"the whole fit {of_fit:.2f}, in processor time {of_cpu:.2f}; average precision "
                f"{precision[name]:.4f} and {precision['array']:.4f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", type=int, default=5_000_000, help="samples of the memory")
    parser.add_argument("--samples", type=int, default=1_000_000, help="samples beside an array")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    memory(args.long, args.epochs)
    throughput(args.samples, args.epochs, args.repeats)
