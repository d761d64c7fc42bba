"""
Find the rare class in a table
==============================

Is it an 8? Scikit-learn's digits, thinned until one image in twenty is, are the rare class here;
``--data FILE`` takes a table of your own instead::

    python examples/quickstart.py
    python examples/quickstart.py --data table.csv --target label --positive fraud

One sees how rare the rare class is, then four ways to learn it: a plain network, a weighted one, a
search over the weights and the focusing of the focal loss, and the same search on rows that SMOTE
has added to. All are compared on rows that none of them saw; the last line says which one to use.
"""

import argparse
import csv
import time

import numpy as np
from imblearn.datasets import make_imbalance
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline
from sklearn.datasets import load_digits
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from skimb import ImbalancedNNClassifier
from skimb.weighting import weight_grid


def thinned_digits():
    """Return the digits with 1 for an eight, of which one row in twenty is."""
    X, digits = load_digits(return_X_y=True)
    y = (digits == 8).astype(int)
    return make_imbalance(X, y, sampling_strategy={1: (y == 0).sum() // 19}, random_state=0)


def read_table(path, target, positive):
    """Return the numbers of a CSV file with 1 for a row of the rare label, and that label."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        delimiter = max(",;\t", key=file.readline().count)
        file.seek(0)
        lines = filter(None, csv.reader(file, delimiter=delimiter))
        rows = [[cell.strip().strip("'") for cell in line] for line in lines]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number} has {len(row)} columns, the first has {len(rows[0])}")
    # A header is a first row without any number.
    if rows and np.isnan([as_number(cell) for cell in rows[0]]).all():
        names = rows.pop(0)
    else:
        names = [str(position) for position in range(len(rows[0]) if rows else 0)]
    if not rows or len(names) < 2:
        raise ValueError("no table: rows are needed that have a label and at least one number")

    try:
        column = names.index(target) if target in names else range(len(names))[int(target)]
    except (ValueError, IndexError):
        raise ValueError(f"no column {target}; there are {listed(names)}") from None
    labels = np.array([row.pop(column) for row in rows])
    target = names.pop(column)

    X = np.array([[as_number(cell) for cell in row] for row in rows])
    unfit = [name for name, fit in zip(names, np.isfinite(X).all(axis=0), strict=True) if not fit]
    if unfit:
        raise ValueError(
            f"not all cells are numbers in column {listed(unfit)}: encode text (OneHotEncoder), "
            "fill gaps (SimpleImputer), or delete the column"
        )

    known, counts = np.unique(labels, return_counts=True)
    if positive is None:
        positive = str(known[counts.argmin()])
    if positive not in known:
        raise ValueError(f"no row has {positive} in column {target}; there are {listed(known)}")
    y = (labels == positive).astype(int)
    if y.sum() < 7:
        raise ValueError(
            f"only {y.sum()} rows have {positive or 'nothing'} in column {target}, and it takes 7: "
            "4 to learn from, 3 to test on; choose another label with --positive"
        )
    if y.mean() > 0.5:
        raise ValueError(f"{positive} is not rare: {y.sum()} of {len(y)} rows have it")
    return X, y, positive


def as_number(cell):
    try:
        return float(cell)
    except ValueError:
        return np.nan


def listed(names):
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def ways_to_learn(y):
    """Return the estimators to compare for these training labels."""
    # A small table needs many passes, a large one few: the steps are what counts, and the time.
    options = {"epochs": int(np.clip(300_000 / len(y), 5, 50)), "random_state": 0}
    focal = ImbalancedNNClassifier(loss="focal", **options)

    # Two rare rows a fold, or a fold would score 0 or 1 by luck. SMOTE draws lines between a rare
    # row and its rare neighbours, of which there are no more than the other folds hold.
    folds = min(5, y.sum() // 2)
    fewest = y.sum() - -(-y.sum() // folds)
    cv = StratifiedKFold(folds, shuffle=True, random_state=0)
    smote = SMOTE(k_neighbors=min(5, fewest - 1), random_state=0)
    # The scaler goes first, since neighbours are a matter of distance. The network needs none.
    resampled = Pipeline([("scaler", StandardScaler()), ("smote", smote), ("network", focal)])

    # From no weights to balanced ones; a gamma of 0 is plain cross-entropy.
    grid = {"class_weight": weight_grid(y, 3), "loss__gamma": [0.0, 1.0, 2.0]}
    in_pipeline = {f"network__{name}": values for name, values in grid.items()}
    # The estimator's own score is the F1 of the rarest class already. It is named here because
    # no class is the rarest after SMOTE.
    return {
        "plain network": ImbalancedNNClassifier(class_weight=None, **options),
        "weighted network": ImbalancedNNClassifier(**options),
        "weighted search": GridSearchCV(focal, grid, scoring="f1", cv=cv, verbose=1),
        "SMOTE search": GridSearchCV(resampled, in_pipeline, scoring="f1", cv=cv, verbose=1),
    }


def measure(fitted, X, y):
    """Return what is to be known about the rare class on held-out rows."""
    predicted = fitted.predict(X)
    return {
        "precision": precision_score(y, predicted, zero_division=0),
        "recall": recall_score(y, predicted),
        "F1": f1_score(y, predicted),
        "bal. acc.": balanced_accuracy_score(y, predicted),
        "avg. prec.": average_precision_score(y, fitted.predict_proba(X)[:, 1]),
    }


def print_table(results):
    columns = list(next(iter(results.values())))
    print(f"\n{'':17}" + "".join(f"{column:>{max(len(column), 5) + 2}}" for column in columns))
    for name, row in results.items():
        cells = (f"{row[c]:{max(len(c), 5) + 2}.{1 if c == 'seconds' else 3}f}" for c in columns)
        print(f"{name:17}" + "".join(cells))


def advice(results, ways, n_rare):
    """Say which way has the best F1 of the rare class; of equals it is the first, the simplest."""
    best = max(results, key=lambda name: round(results[name]["F1"], 2))
    found, score = round(results[best]["recall"] * n_rare), results[best]["F1"]
    if found == 0:
        return (
            "Use none of them: not one rare row was found. More rare rows to learn from will help."
        )
    chosen = dict(getattr(ways[best], "best_params_", {}))
    settings = []
    for name, value in chosen.items():
        if isinstance(value, dict):
            value = {label: round(weight, 2) for label, weight in value.items()}
        settings.append(f"{name.removeprefix('network__')}={value}")
    settings = f" ({', '.join(settings)})" if settings else ""
    plain = f"against {results['plain network']['F1']:.2f} for the plain network"
    rival = "which no other way betters" if best == "plain network" else plain
    return (
        f"Use the {best}{settings}: it finds {found} of the {n_rare} rare rows, "
        f"F1 {score:.2f}, {rival}."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--data", metavar="FILE", help="CSV file; default: scikit-learn's digits")
    parser.add_argument("--target", metavar="COLUMN", help="its name or position, default: -1")
    parser.add_argument("--positive", metavar="LABEL", help="the rare one, default: the rarest")
    args = parser.parse_args()
    if args.data is None:
        if args.target or args.positive:
            parser.error("--target and --positive need --data")
        (X, y), rare = thinned_digits(), "an eight"
    else:
        try:
            X, y, rare = read_table(args.data, args.target or "-1", args.positive)
        except OSError as error:
            parser.error(f"{args.data}: {error.strerror}")
        except (ValueError, csv.Error) as error:
            parser.error(f"{args.data}: {error}")

    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.4, stratify=y, random_state=0
    )
    print(f"{y.sum()} of {len(y)} rows are {rare}, {y.mean():.1%}.")
    print(f"Learning from {len(y_train)} rows ({y_train.sum()} rare), ", end="")
    print(f"comparing on {len(y_test)} others ({y_test.sum()} rare).")

    ways, results = ways_to_learn(y_train), {}
    for name, way in ways.items():
        print(f"Fitting the {name} ...", flush=True)
        start = time.perf_counter()
        way.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        results[name] = measure(way, X_test, y_test) | {"seconds": seconds}
    print_table(results)
    print("\n" + advice(results, ways, y_test.sum()))


if __name__ == "__main__":
    main()
