"""What is chance in one small table: ``python -m benchmarks.led``.

led7digit, one of the tables of the arena, has 443 rows and 37 positives, too few to tell two good
contenders apart. The generator that it was drawn with is known [1]_: the seven segments of a digit
on a display, each of which shows the opposite with a probability of 0.1. Contenders are fitted on
draws of as many rows as a training fold of the table has, and scored on 20,000 fresh rows, beside
the probabilities that follow from the generator.

.. [1] L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and Regression Trees",
   Wadsworth, 1984, section 2.6.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from sklearn.metrics import average_precision_score, f1_score, log_loss

from benchmarks.arena.peers import OURS, PEERS, contender

#: the segments that a digit lights, of the digits in the table
_SEGMENTS = np.array(
    [
        [int(lit) for lit in digit]
        for digit in (
            *("1110111", "0010010", "1011101", "0111010", "1101011"),  # 0, 1, 2, 4, 5
            *("1101111", "1010010", "1111111", "1111011"),  # 6, 7, 8, 9
        )
    ]
)
#: where the positive class is, the digit 1
_POSITIVE = 1
_NOISE = 0.1
_TRAIN_ROWS, _TEST_ROWS = 354, 20_000

_OURS = "skimb, threshold='f1'"
_TRUTH = "the generator's probabilities"


def drawn(n: int, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Return segments of shape (n, 7), and labels of shape (n,)."""
    digits = rng.randint(len(_SEGMENTS), size=n)
    wrong = rng.uniform(size=(n, _SEGMENTS.shape[1])) < _NOISE
    return (_SEGMENTS[digits] ^ wrong).astype(float), (digits == _POSITIVE).astype(int)


def true_probability(X: np.ndarray) -> np.ndarray:
    """Return the probability of the positive class that follows from the generator."""
    right = X[:, None] == _SEGMENTS
    likelihood = np.where(right, 1 - _NOISE, _NOISE).prod(axis=2)
    return likelihood[:, _POSITIVE] / likelihood.sum(axis=1)


def scores(y: np.ndarray, p: np.ndarray, predicted: np.ndarray) -> list[float]:
    """Return average precision, F1 and log loss."""
    return [average_precision_score(y, p), f1_score(y, predicted), log_loss(y, p)]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    chosen = {_OURS: OURS[_OURS], **dict.fromkeys(args.peers)}
    found: dict[str, list[list[float]]] = {name: [] for name in (_TRUTH, *chosen)}
    for seed in range(args.draws):
        X, y = drawn(_TRAIN_ROWS, np.random.RandomState([0, seed]))
        fresh, truth = drawn(_TEST_ROWS, np.random.RandomState([1, seed]))
        p = true_probability(fresh)
        found[_TRUTH].append(scores(truth, p, p >= 0.5))
        for name, params in chosen.items():
            estimator = contender(name, params).make(X, seed).fit(X, y)
            p = estimator.predict_proba(fresh)[:, 1]
            found[name].append(scores(truth, p, estimator.predict(fresh)))
    print(f"{'':32}{'AP':>10}{'F1':>10}{'log loss':>10}{'  AP below skimb in':>20}")
    ours = np.array(found[_OURS])[:, 0]
    for name, draws in sorted(found.items(), key=lambda item: -np.mean(item[1], axis=0)[0]):
        values = np.array(draws)
        mean = "".join(f"{value:10.3f}" for value in values.mean(axis=0))
        print(f"{name:32}{mean}{(values[:, 0] < ours).sum():11} of {len(ours)}")


if __name__ == "__main__":
    main()
