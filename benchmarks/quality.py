"""Compare the default estimator with others: ``python -m benchmarks.quality [--data DIR]``.

Each is measured untuned on stratified folds of every table: the CSV files of ``--data`` and
scikit-learn's data sets with one class subsampled. skimb's defaults were chosen on the data sets
whose results the guide reports, scikit-learn's among them. Average precision, F1 of `predict`,
balanced accuracy, Brier score and the seconds per fit are printed, with the mean rank over the
tables. Results that ``--out`` holds already are not measured again.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
)
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from scipy.stats import rankdata, t
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
)
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.contenders import scikeras_estimator
from benchmarks.tables import Table, tables
from skimb import ImbalancedNNClassifier

RESULTS = Path(__file__).parent / "results" / "quality.json"

#: skimb's hidden layers, for the network in scikeras
LAYERS = (64, 32)

#: from the training data and a seed to an estimator
Make = Callable[[np.ndarray, int], Any]

PEERS: dict[str, Make] = {
    "LogisticRegression balanced": lambda X, seed: make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    ),
    "MLPClassifier": lambda X, seed: make_pipeline(
        StandardScaler(), MLPClassifier(random_state=seed)
    ),
    "SMOTE + MLPClassifier": lambda X, seed: make_pipeline(
        StandardScaler(), SMOTE(random_state=seed), MLPClassifier(random_state=seed)
    ),
    "HistGradientBoosting": lambda X, seed: HistGradientBoostingClassifier(random_state=seed),
    "HistGradientBoosting balanced": lambda X, seed: HistGradientBoostingClassifier(
        class_weight="balanced", random_state=seed
    ),
    "BalancedRandomForest": lambda X, seed: BalancedRandomForestClassifier(random_state=seed),
    "EasyEnsemble": lambda X, seed: EasyEnsembleClassifier(random_state=seed),
    "BalancedBagging": lambda X, seed: BalancedBaggingClassifier(random_state=seed),
    "scikeras": lambda X, seed: make_pipeline(
        StandardScaler(),
        scikeras_estimator(X.shape[1], LAYERS, min(200, len(X)), 100, random_state=seed),
    ),
}

OURS: dict[str, Make] = {
    "skimb": lambda X, seed: ImbalancedNNClassifier(random_state=seed),
    "skimb, threshold='f1'": lambda X, seed: ImbalancedNNClassifier(
        threshold="f1", random_state=seed
    ),
    "skimb, prior_correction=True": lambda X, seed: ImbalancedNNClassifier(
        prior_correction=True, random_state=seed
    ),
}

#: ablations: the defaults with one part removed
WITHOUT: dict[str, Make] = {
    f"skimb, {name}": lambda X, seed, params=params: ImbalancedNNClassifier(
        random_state=seed, **params
    )
    for name, params in {
        "one network": {"model__n_members": 1},
        "no weight decay": {"optimizer__weight_decay": 0.0},
        "plain Adam": {"optimizer": "adam"},
        "balanced weights": {"class_weight": "balanced"},
        "no weights": {"class_weight": None},
        "model='mlp'": {"model": "mlp"},
    }.items()
}

# score: the skimb variant that is ranked, and whether higher is better
SCORES = {
    "average precision": ("skimb", True),
    "F1": ("skimb, threshold='f1'", True),
    "balanced accuracy": ("skimb", True),
    "Brier": ("skimb, prior_correction=True", False),
    "seconds": ("skimb", False),
}

#: measurements of a fold by score; by table, contender and seed
Measured = dict[str, dict[str, dict[str, list[dict[str, float]]]]]


def measured(make: Make, table: Table, seed: int, n_folds: int) -> list[dict[str, float]]:
    """Return the scores of a contender on each fold."""
    found = []
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(table.X, table.y):
        X, y, truth = table.X[train], table.y[train], table.y[test]
        estimator = make(X, seed)
        start = time.perf_counter()
        estimator.fit(X, y)
        seconds = time.perf_counter() - start
        p, predicted = (
            estimator.predict_proba(table.X[test])[:, 1],
            estimator.predict(table.X[test]),
        )
        found.append(
            {
                "average precision": average_precision_score(truth, p),
                "F1": f1_score(truth, predicted, zero_division=0),
                "balanced accuracy": balanced_accuracy_score(truth, predicted),
                "Brier": brier_score_loss(truth, p),
                "seconds": seconds,
            }
        )
    return found


def measure(
    chosen: dict[str, Make], data: list[Table], seeds: int, n_folds: int, out: Path
) -> Measured:
    """Measure what is not in the file yet, and save each result immediately."""
    results: Measured = json.loads(out.read_text()) if out.exists() else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    for table in data:
        for name, make in chosen.items():
            by_seed = results.setdefault(table.name, {}).setdefault(name, {})
            for seed in range(seeds):
                if len(by_seed.get(str(seed), [])) != n_folds:
                    by_seed[str(seed)] = measured(make, table, seed, n_folds)
                    out.write_text(json.dumps(results, indent=1))
            scores = [values(by_seed, score, seeds).mean() for score in SCORES]
            figures = "  ".join(f"{score:.3f}" for score in scores)
            print(f"{table.name:16}{name:30}{figures}", flush=True)
    return results


def values(by_seed: dict[str, list[dict[str, float]]], score: str, seeds: int) -> np.ndarray:
    """Return a score per repeat, averaged over its folds, of shape (n_seeds,)."""
    return np.array([np.mean([fold[score] for fold in by_seed[str(s)]]) for s in range(seeds)])


def interval(repeats: np.ndarray) -> float:
    """Return the half width of the 95 % confidence interval of a mean over repeats."""
    if len(repeats) < 2:
        return float("nan")
    quantile = t.ppf(0.975, len(repeats) - 1)
    return float(quantile * repeats.std(ddof=1) / np.sqrt(len(repeats)))


def by_table(
    results: Measured, data: list[Table], names: list[str], score: str, seeds: int
) -> np.ndarray:
    """Return a score of contenders on tables, of shape (n_tables, n_contenders, n_seeds)."""
    return np.array(
        [[values(results[table.name][name], score, seeds) for name in names] for table in data]
    )


def summary(
    results: Measured, data: list[Table], chosen: list[str], seeds: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return for each score and contender the mean over tables, its interval, and the mean rank."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for score, (own, higher) in SCORES.items():
        names = [name for name in chosen if name in (own, *PEERS, *WITHOUT)]
        if not names:
            continue
        scores = by_table(results, data, names, score, seeds)
        ranks = rankdata(-scores.mean(2) if higher else scores.mean(2), axis=1)
        found[score] = {
            name: {
                "mean": float(scores[:, i].mean()),
                "interval": interval(scores[:, i].mean(0)),
                "mean rank": float(ranks[:, i].mean()),
            }
            for i, name in enumerate(names)
        }
    return found


def show(results: Measured, data: list[Table], chosen: list[str], seeds: int) -> None:
    """Print the scores on each table, and means, intervals and mean ranks over the tables."""
    for score, contenders in summary(results, data, chosen, seeds).items():
        names = sorted(contenders, key=lambda name: contenders[name]["mean rank"])
        scores = by_table(results, data, names, score, seeds).mean(2)
        print(f"\n{score}\n{'':32}mean ± 95 %      rank  " + " ".join(t.name for t in data))
        for i, name in enumerate(names):
            mean, width, rank = contenders[name].values()
            each = " ".join(
                f"{value:{max(5, len(t.name))}.3f}"
                for value, t in zip(scores[:, i], data, strict=True)
            )
            print(f"{name:32}{mean:.3f} ± {width:.3f}   {rank:5.2f}  {each}")


def draw(summaries: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    """Plot the mean ranks, the best on the left."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = [score for score in summaries if score != "seconds"]
    figure, axes = plt.subplots(1, len(shown), figsize=(4.2 * len(shown), 4), layout="constrained")
    for ax, score in zip(np.atleast_1d(axes), shown, strict=True):
        names = sorted(summaries[score], key=lambda n: -summaries[score][n]["mean rank"])
        ranks = [summaries[score][name]["mean rank"] for name in names]
        colors = ["C1" if name.startswith("skimb") else "C0" for name in names]
        ax.barh(range(len(names)), ranks, color=colors)
        ax.set_yticks(range(len(names)), names)
        ax.bar_label(ax.containers[0], fmt="%.1f", padding=2)
        ax.set(title=score, xlabel="mean rank", xlim=(0, len(names) + 1.5))
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    everyone = {**OURS, **PEERS, **WITHOUT}
    parser.add_argument("--data", type=Path, help="a folder of CSV files, the target last")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=everyone, default=[*OURS, *PEERS])
    parser.add_argument(
        "--ablation", action="store_true", help="ours alone, with a part taken away at a time"
    )
    parser.add_argument("--leave-out", nargs="+", choices=everyone, default=[])
    parser.add_argument("--tables", nargs="+", help="names of tables, all by default")
    parser.add_argument("--picture", type=Path, help="where to draw the mean ranks")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # convergence warnings
    data = [x for x in tables(args.data, args.folds) if not args.tables or x.name in args.tables]
    names = [*OURS, *WITHOUT] if args.ablation else args.only
    chosen = {name: everyone[name] for name in names if name not in args.leave_out}
    print(f"{'':46}" + ", ".join(SCORES))
    results = measure(chosen, data, args.seeds, args.folds, args.out)
    show(results, data, list(chosen), args.seeds)
    if args.picture:
        draw(summary(results, data, list(chosen), args.seeds), args.picture)


if __name__ == "__main__":
    main()
