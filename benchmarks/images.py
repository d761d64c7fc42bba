"""Compare classifiers of images: ``python -m benchmarks.images FILE [--digits 0 1 2 3 4]``.

FILE is an .npz file with ``images`` of shape (n, H, W) and ``labels``. One label after another is
the rare class, thinned to 2 %; half of the images are trained on. AP and the F1 of ``predict`` with
``threshold="f1"`` are those of the other half. Baselines in Keras train with ``Model.fit`` for as
long as the defaults took; their threshold is the best on the training images.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, f1_score

from benchmarks.plain_keras import fitted_cnn
from skimb import ImbalancedNNClassifier
from skimb.probability import best_threshold

RESULTS = Path(__file__).parent / "results" / "images.json"

#: the defaults before they were chosen by measurement
FORMER = {
    "model": "cnn", "model__hidden_layer_sizes": (32, 64), "model__batch_normalization": False,
    "optimizer": "adam", "epochs": 100, "batch_size": 200, "augmentation": None, "weight_power": 1,
}  # fmt: skip


def halves(
    images: np.ndarray, labels: np.ndarray, rare: Any, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return images to train and to test, and whether they show the rare label: 2 % do."""
    rng = np.random.default_rng(seed)
    positive = rng.permutation(np.flatnonzero(labels == rare))
    negative = rng.permutation(np.flatnonzero(labels != rare))
    positive = positive[: int(0.02 / 0.98 * len(negative))]
    train, test = (np.concatenate([positive[k::2], negative[k::2]]) for k in (0, 1))
    return images[train], labels[train] == rare, images[test], labels[test] == rare


def contenders(
    X: np.ndarray, y: np.ndarray, X_test: np.ndarray
) -> Iterator[tuple[str, float, np.ndarray, np.ndarray]]:
    """Yield names, seconds, probabilities of the test images, and predicted labels."""
    seconds = 0.0
    for name, params in (("skimb", {}), ("skimb, defaults before", FORMER)):
        start = time.perf_counter()
        clf = ImbalancedNNClassifier(threshold="f1", random_state=0, **params).fit(X, y)
        took = time.perf_counter() - start
        seconds = seconds or took
        yield name, took, clf.predict_proba(X_test)[:, 1], clf.predict(X_test)
    for name, weighted in (("Keras CNN", False), ("Keras CNN, class_weight", True)):
        start = time.perf_counter()
        proba = fitted_cnn(X, y, seconds, 0, weighted=weighted)
        took = time.perf_counter() - start
        cut = best_threshold(y, proba(X), "f1")
        found = proba(X_test)
        yield name, took, found, found >= cut


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--digits", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    arguments = parser.parse_args()
    file = np.load(arguments.file)
    results: dict[str, list[list[float]]] = {}
    for digit in arguments.digits:
        X, y, X_test, y_test = halves(file["images"], file["labels"], digit)
        print(f"\n{digit}: {y.sum()} of {len(y)}; AP, F1, s")
        for name, seconds, proba, predicted in contenders(X, y, X_test):
            ap, f1 = average_precision_score(y_test, proba), f1_score(y_test, predicted)
            results.setdefault(name, []).append([ap, f1, seconds])
            print(f"  {name:<26} {ap:.3f} {f1:.3f} {seconds:6.1f}", flush=True)
    print("\nMeans")
    for name, rows in results.items():
        ap, f1, seconds = np.mean(rows, axis=0)
        print(f"  {name:<26} {ap:.3f} {f1:.3f} {seconds:6.1f}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
