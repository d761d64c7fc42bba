"""Compare losses: ``python -m benchmarks.losses [--seeds N] [--table FILE]``.

Each loss trains the same network on a long tail of scikit-learn's digits (ten classes of 100
samples down to 2; the rare classes differ from seed to seed) and is tested on 70 samples per class.
With ``--table``, a CSV without a header whose last column is the target, the losses for binary
targets are tested on stratified folds of it, also with a threshold tuned for F1. Means and standard
deviations over the seeds are printed and written to ``benchmarks/results/losses.json``.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, f1_score, recall_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import LabelBinarizer

from skimb import ImbalancedNNClassifier, losses

RESULTS = Path(__file__).parent / "results" / "losses.json"
SCORES = ("recall", "F1", "average precision")
TEST_ROWS, MOST_ROWS, RATIO = 70, 100, 50

# combinations that are compared in addition to every loss without weights
COMBINATIONS: dict[str, dict[str, Any]] = {
    "cross_entropy, balanced weights": {"class_weight": "balanced"},
    "cross_entropy, weight_power=0.25": {"class_weight": "balanced", "weight_power": 0.25},
    "cross_entropy, sqrt_balanced weights": {"class_weight": "sqrt_balanced"},
    "cross_entropy, effective weights": {"class_weight": "effective"},
    "cross_entropy, balanced weights deferred": {
        "class_weight": "balanced",
        "class_weight_start": 0.8,
    },
    "focal, balanced weights": {"loss": "focal", "class_weight": "balanced"},
    "ldam, balanced weights deferred": {
        "loss": "ldam",
        "class_weight": "balanced",
        "class_weight_start": 0.8,
    },
    "class_rectification, instance level": {
        "loss": "class_rectification",
        "loss__level": "instance",
    },
}

# binary targets only, with a threshold tuned on a tenth of the samples, if it has enough rare ones
FEW_TO_CHOOSE_ON = 20
WITH_THRESHOLD = (
    "cross_entropy",
    "cross_entropy, sqrt_balanced weights",
    "cross_entropy, balanced weights",
    "focal",
    "asymmetric",
    "logit_adjusted",
)

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def long_tailed_digits(seed: int) -> Split:
    """Return a long-tailed training set and a balanced test set."""
    X, y = load_digits(return_X_y=True)
    X = X.astype("float32")
    n_test = TEST_ROWS * 10
    X, X_test, y, y_test = train_test_split(X, y, test_size=n_test, stratify=y, random_state=seed)
    rng = np.random.RandomState(seed)
    counts = np.round(MOST_ROWS * RATIO ** -np.linspace(0, 1, 10)).astype(int)
    kept = np.concatenate(
        [
            rng.permutation(np.flatnonzero(y == label))[:count]
            for label, count in zip(rng.permutation(10), counts, strict=True)
        ]
    )
    return X[kept], X_test, y[kept], y_test


def folds(path: Path, seed: int) -> Iterator[Split]:
    """Yield stratified folds of a table, with the rarest class as 1."""
    cells = np.char.strip(np.loadtxt(path, delimiter=",", dtype=str), "'")
    X, labels = cells[:, :-1].astype("float32"), cells[:, -1]
    values, counts = np.unique(labels, return_counts=True)
    y = (labels == values[counts.argmin()]).astype(int)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y):
        yield X[train], X[test], y[train], y[test]


def contenders(kind: str, n_rarest: int) -> dict[str, dict[str, Any]]:
    """Return the parameters of all contenders for a target type."""
    taking = [name for name, kinds in losses.available().items() if kind in kinds]
    alone = {name: {"loss": name, "class_weight": None} for name in taking}
    combined = {
        name: {"class_weight": None, **params}
        for name, params in COMBINATIONS.items()
        if params.get("loss", "cross_entropy") in taking
    }
    found = alone | combined
    if kind == "binary" and n_rarest >= FEW_TO_CHOOSE_ON:
        found |= {
            f"{name}, F1 threshold": {**found[name], "threshold": "f1"} for name in WITH_THRESHOLD
        }
    return found


def scores(clf: ImbalancedNNClassifier, X: np.ndarray, y: np.ndarray) -> list[float]:
    """Return macro-averaged recall, F1 and average precision."""
    predicted, p = clf.predict(X), clf.predict_proba(X)
    if len(clf.classes_) == 2:
        truth, p, average = y, p[:, 1], "binary"
    else:
        truth, average = LabelBinarizer().fit(clf.classes_).transform(y), "macro"
    return [
        recall_score(y, predicted, average="macro", zero_division=0),
        f1_score(y, predicted, average=average, zero_division=0),
        average_precision_score(truth, p, average="macro"),
    ]


def compare(kind: str, splits: list[list[Split]], **params: Any) -> list[dict[str, Any]]:
    """Measure all contenders on all splits, given as one list per seed."""
    rows = []
    n_rarest = min(np.unique(y, return_counts=True)[1].min() for (_, _, y, _), *_ in splits)
    for name, own in contenders(kind, n_rarest).items():
        start, by_seed = time.perf_counter(), []
        for seed, of_seed in enumerate(splits):
            clf = ImbalancedNNClassifier(model="mlp", random_state=seed, **params, **own)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                measured = [
                    scores(clf.fit(X, y), X_test, y_test) for X, X_test, y, y_test in of_seed
                ]
            by_seed.append(np.mean(measured, axis=0))
        seconds = (time.perf_counter() - start) / sum(map(len, splits))
        rows.append(
            {
                "contender": name,
                "mean": dict(zip(SCORES, np.mean(by_seed, axis=0).tolist(), strict=True)),
                "std": dict(zip(SCORES, np.std(by_seed, axis=0).tolist(), strict=True)),
                "seconds a fit": seconds,
            }
        )
        figures = "  ".join(f"{rows[-1]['mean'][s]:.3f} ± {rows[-1]['std'][s]:.3f}" for s in SCORES)
        print(f"{name:52}{figures}{seconds:8.2f}", flush=True)
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--table", type=Path)
    args = parser.parse_args()
    heading = f"{'':52}{'recall':15}{'F1':15}{'av. precision':15}seconds a fit"
    print(f"long-tailed digits\n{heading}")
    digits = [[long_tailed_digits(seed)] for seed in range(args.seeds)]
    results = {"digits": compare("multiclass", digits, batch_size=32)}
    if args.table:
        print(f"\n{args.table.name}\n{heading}")
        table = [list(folds(args.table, seed)) for seed in range(args.seeds)]
        results[args.table.stem] = compare("binary", table, epochs=40)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
