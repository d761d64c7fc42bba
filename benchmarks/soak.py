"""2,000 fits and predictions of mixed kinds in one process: ``python -m benchmarks.soak``.

Prints memory and seconds of each tenth of them. Both should be constant after the first tenths, in
which every kind is compiled.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from sklearn.datasets import make_classification, make_multilabel_classification

from benchmarks.memory import resident_mib
from skimb import (
    AutoencoderOutlierDetector,
    ImbalancedNNClassifier,
    ImbalancedNNSegmenter,
)


def kinds() -> list[Callable[[int], Any]]:
    """Return a function that fits and predicts once, given the iteration number."""
    two = make_classification(400, 8, weights=[0.9], random_state=0)
    three = make_classification(
        400, 8, n_informative=5, n_classes=3, weights=[0.7, 0.2], random_state=0
    )
    many = make_multilabel_classification(300, 8, n_classes=4, random_state=0)
    images = np.random.default_rng(0).normal(size=(16, 12, 12)).astype("float32")

    def classifier(data: Any, **params: Any) -> Callable[[int], Any]:
        X, y = data

        def turn(i: int) -> Any:
            # weights, learning rates and samples vary, as in a search with cross-validation
            rows = np.random.RandomState(i).permutation(len(X))[: len(X) - i % 7]
            clf = ImbalancedNNClassifier(
                **params, epochs=3, random_state=i, optimizer__learning_rate=0.001 * (1 + i % 5)
            )
            return clf.fit(X[rows], y[rows]).predict_proba(X)

        return turn

    def segmenter(i: int) -> Any:
        estimator = ImbalancedNNSegmenter(model__width=4, epochs=1, random_state=i)
        return estimator.fit(images, images > 1).predict(images)

    def detector(i: int) -> Any:
        return AutoencoderOutlierDetector(epochs=3, random_state=i).fit(two[0]).predict(two[0])

    return [
        classifier(two),
        classifier(two, model="mlp", weight_power=0.5),
        classifier(two, model="mlp", loss="focal", class_weight=None, threshold="f1"),
        classifier(two, model="mlp", early_stopping=True, batch_size=50),
        classifier(three, model="mlp", loss="logit_adjusted", class_weight=None),
        classifier(many, model="mlp", loss="asymmetric", class_weight=None),
        classifier((images, np.arange(16) % 2), model="cnn"),
        classifier(two, model="mlp", model__dropout=0.2, dtype="float32"),
        segmenter,
        detector,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=2000)
    turns = parser.parse_args().turns
    tenth, memory, seconds = max(1, turns // 10), [], []
    taken: list[float] = []
    for i, turn in zip(range(turns), itertools.cycle(kinds()), strict=False):
        start = time.perf_counter()
        turn(i)
        taken.append(time.perf_counter() - start)
        if (i + 1) % tenth == 0:
            memory.append(resident_mib())
            seconds.append(sum(taken[-tenth:]))
            middle = median(taken[-tenth:])
            print(
                f"{i + 1:5} turns: {memory[-1]:7.1f} MiB, {seconds[-1]:6.1f} s for the last "
                f"{tenth}, {middle:.3f} s in the middle",
                flush=True,
            )
    print(
        f"from the second tenth to the last: {memory[-1] - memory[1]:+.1f} MiB, "
        f"time x {seconds[-1] / seconds[1]:.2f}"
    )


if __name__ == "__main__":
    main()
