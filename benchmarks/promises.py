"""Recall promised against recall met on real tables: ``python -m benchmarks.promises --data DIR``.

The default classifier is fitted once on each outer training fold. From its out-of-fold
probabilities each rule ``{"recall": r}`` chooses a cut, with and without confidence, and its recall
is measured on the positives of the outer test folds, all folds of a table together. ``--picture``
draws them, a point for each table.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from benchmarks.arena.tables import REPORTED, Table, tables
from skimb import ImbalancedNNClassifier
from skimb.probability import best_threshold

PROMISED = (0.5, 0.7, 0.8, 0.9, 0.95)
CONFIDENCES = (None, 0.9)


def met(table: Table, seed: int) -> dict[tuple[float, float | None], list[float]]:
    """Return, for each rule, the recall met and the share of samples flagged on a table.

    A rule that a training fold has too few positives for is left out.
    """
    found: dict[tuple[float, float | None], list[Any]] = {}
    clf = ImbalancedNNClassifier(random_state=seed)
    for train, test in table.folds(seed):
        fitted = clone(clf).fit(table.rows(train), table.y[train])
        held_out = fitted.oof_predict_proba_[:, 1]
        fresh = fitted.predict_proba(table.rows(test))[:, 1]
        for recall in PROMISED:
            for confidence in CONFIDENCES:
                rule = {"recall": recall} | ({"confidence": confidence} if confidence else {})
                try:
                    cut = best_threshold(table.y[train], held_out, rule)
                except ValueError:
                    continue
                flagged = fresh >= cut
                counts = [flagged[table.y[test] == 1].sum(), table.y[test].sum(), flagged.sum()]
                found.setdefault((recall, confidence), []).append([*counts, len(test)])
    sums = {rule: np.sum(folds, axis=0) for rule, folds in found.items()}
    return {rule: [float(s[0] / s[1]), float(s[2] / s[3])] for rule, s in sums.items()}


def draw(results: dict[str, dict[tuple[float, float | None], list[float]]], path: Path) -> None:
    """Plot the recall met against the recall promised."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained", sharey=True)
    for ax, confidence in zip(axes, CONFIDENCES, strict=True):
        for i, recall in enumerate(PROMISED):
            values = [
                r[recall, confidence][0] for r in results.values() if (recall, confidence) in r
            ]
            x = recall + np.linspace(-0.012, 0.012, len(values))
            ax.plot(x, values, "o", color="C0", alpha=0.5, markersize=4)
            if values:
                label = "mean over the tables" if i == 0 else None
                ax.plot(recall, np.mean(values), "D", color="C1", label=label)
        ax.plot([0.45, 1], [0.45, 1], "--", color="grey", linewidth=1, label="as promised")
        title = "no confidence" if confidence is None else f"confidence {confidence}"
        ax.set(xlabel="recall promised", title=title, ylim=(0, 1.03))
    axes[0].set_ylabel("recall on the outer test folds")
    axes[0].legend(loc="lower right", fontsize="small")
    figure.savefig(path, dpi=100)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder of CSV files, and folders of them")
    parser.add_argument("--tables", nargs="+", help="names of tables or families")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    results = {}
    print(f"{'table':36}" + "".join(f"{r:>8}" for r in PROMISED) + "   (with confidence 0.9)")
    for name, table in tables(args.data).items():
        wanted = {name, table.family} & {*args.tables} if args.tables else table.group == REPORTED
        if not wanted:
            continue
        results[name] = met(table, args.seed)
        for confidence in CONFIDENCES:
            found = [results[name].get((recall, confidence), [np.nan])[0] for recall in PROMISED]
            note = "" if confidence is None else "   with confidence"
            print(f"{name:36}" + "".join(f"{value:8.2f}" for value in found) + note, flush=True)
    for confidence in CONFIDENCES:
        columns = [
            [r[recall, confidence][0] for r in results.values() if (recall, confidence) in r]
            for recall in PROMISED
        ]
        means = "".join(f"{np.mean(c) if c else np.nan:8.3f}" for c in columns)
        print(f"{'mean':36}{means}" + ("" if confidence is None else "   with confidence"))
    if args.picture:
        draw(results, args.picture)


if __name__ == "__main__":
    main()
