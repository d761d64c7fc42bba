"""
Find the rare class in a table
==============================

The default is a synthetic table in which one sample in twenty belongs to the rare class and
overlaps with the others. ``--data FILE`` uses your own table instead::

    python examples/quickstart.py
    python examples/quickstart.py --data FILE --target COLUMN --positive LABEL

The script prints how rare the rare class is, and compares five approaches: a plain network, a
network with class weights, a search over class weights and the gamma of the focal loss, the same
search on samples resampled by SMOTE, and skimb's defaults for tables with a threshold tuned for
F1. The approach is selected by cross-validation on the training set, and its score is reported on
a held-out test set.
"""

import argparse
import csv
import time

import numpy as np
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline
from sklearn import metrics
from sklearn.datasets import make_classification
from sklearn.impute import SimpleImputer
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skimb import ImbalancedNNClassifier
from skimb.weighting import weight_grid


def make_table():
    X, y = make_classification(
        8000,
        10,
        n_informative=4,
        n_redundant=0,
        weights=[0.95],
        class_sep=0.5,
        random_state=0,
    )
    return X, y, "1"


def make_ways(y):
    """Return the estimators to compare for these training labels, and the folds."""
    # A large learning rate, for a quick search: at Adam's default of 0.001, 30 epochs would leave
    # the plain network undertrained and flatter the others. A large table has more steps per epoch
    # and needs fewer epochs.
    epochs = int(np.clip(300_000 / len(y), 5, 30))
    options = {
        "model": "mlp",
        "epochs": epochs,
        "optimizer__learning_rate": 0.003,
        "random_state": 0,
    }
    focal = ImbalancedNNClassifier(loss="focal", **options)
    # From no weights to balanced ones; with gamma = 0 the focal loss is cross-entropy.
    grid = {"class_weight": weight_grid(y, 4), "loss__gamma": [0.0, 2.0]}

    # At least two rare samples per fold: whether a single one is found depends on chance. SMOTE
    # needs more rare samples than neighbours, also when the largest fold is left out.
    n_folds = min(5, y.sum() // 2)
    n_left = y.sum() - int(np.ceil(y.sum() / n_folds))
    smote = SMOTE(k_neighbors=min(5, n_left - 1), random_state=0)
    # The network needs no scaler, but SMOTE's nearest neighbours depend on distances.
    resampled = Pipeline([("scaler", StandardScaler()), ("smote", smote), ("network", focal)])
    resampled_grid = {f"network__{name}": values for name, values in grid.items()}

    # Without scoring, the estimator's own score is used: the F1 of the rare class, also after
    # SMOTE.
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    search = {"cv": folds, "verbose": 1}
    ways = {
        "plain network": ImbalancedNNClassifier(class_weight=None, **options),
        "weighted network": ImbalancedNNClassifier(**options),
        "weighted search": GridSearchCV(focal, grid, **search),
        "SMOTE search": GridSearchCV(resampled, resampled_grid, **search),
        "default": ImbalancedNNClassifier(threshold="f1", random_state=0),
    }
    return ways, folds


def measure(fitted, X, y):
    predicted = fitted.predict(X)
    return {
        "precision": metrics.precision_score(y, predicted, zero_division=0),
        "recall": metrics.recall_score(y, predicted),
        "F1": metrics.f1_score(y, predicted),
        "balanced acc.": metrics.balanced_accuracy_score(y, predicted),
        "average prec.": metrics.average_precision_score(y, fitted.predict_proba(X)[:, 1]),
    }


def advise(ways, scores, n_rare):
    """Name the approach with the best cross-validated F1; of ties the first, which is the simplest.

    The F1 on the test set is not used for this selection: the best of five would be optimistically
    biased.
    """
    best = max(ways, key=lambda way: round(scores[way]["F1 in folds"], 2))
    found = round(scores[best]["recall"] * n_rare)
    if not found:
        return (
            "Use none of these, they found no rare sample: collect more rare samples to train on."
        )
    settings = []
    for name, value in getattr(ways[best], "best_params_", {}).items():
        if isinstance(value, dict):
            value = {label: round(weight, 2) for label, weight in value.items()}
        settings.append(f"{name.removeprefix('network__')}={value}")
    plain = f" against {scores['plain network']['F1']:.2f} for the plain network"
    rival = ", and no other way did better in the folds" if best == "plain network" else plain
    return (
        f"Use the {best}: {', '.join(settings) or 'it'} finds {found} of the {n_rare} rare samples "
        f"in the test set, F1 {scores[best]['F1']:.2f}{rival}."
    )


def load_table(data, target, positive):
    """Return the features, 1 for the rare samples and 0 for the others, and the rare label."""
    names, rows = read_csv(data)
    target = target or "-1"
    try:
        column = names.index(target) if target in names else range(len(names))[int(target)]
    except (ValueError, IndexError):
        raise ValueError(f"no column {target}; there are {listed(names)}") from None
    target, labels = names.pop(column), np.array([row.pop(column) for row in rows])
    X = encoded(rows)
    known, counts = np.unique(labels, return_counts=True)
    if "" in known:
        raise ValueError(f"no label in some rows of column {target}: leave those rows out")
    positive = str(known[counts.argmin()]) if positive is None else positive.strip("'")
    if positive not in known:
        raise ValueError(f"no row has {positive!r} in column {target}; it has {listed(known)}")
    y = (labels == positive).astype(int)
    if not 8 <= y.sum() <= len(y) / 2:
        raise ValueError(
            f"{y.sum()} of {len(y)} rows have {positive!r} in column {target}; a rare class is at "
            "least 8 rows, 4 to learn from and 4 to test on, and at most half of all rows. Choose "
            "another --positive or --target"
        )
    return X, y, positive


def encoded(rows):
    """Return numeric features: one-hot columns for text, and missing-value indicators for numbers.

    ImbalancedNNClassifier does the same to a data frame, but SMOTE needs numbers. The encoders do
    not use the labels, so they may be fitted on all samples.
    """
    cells = np.array(rows, dtype=object)
    numbers = np.array([[as_number(cell) for cell in row] for row in rows])
    is_text = (np.isnan(numbers) & (cells != "")).any(axis=0)
    parts = [numbers[:, ~is_text], cells[:, is_text]]
    encoders = [
        SimpleImputer(add_indicator=True, keep_empty_features=True),
        OneHotEncoder(sparse_output=False, max_categories=20),
    ]
    return np.hstack([e.fit_transform(p) for e, p in zip(encoders, parts, strict=True) if p.size])


def read_csv(path):
    """Return the column names, or their positions if there is no header, and the rows as text."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        delimiter = max(",;\t", key=file.readline().count)
        file.seek(0)
        lines = filter(None, csv.reader(file, delimiter=delimiter))
        rows = [[cell.strip().strip("'") for cell in line] for line in lines]
    if len(rows) < 2 or len(rows[0]) < 2:
        raise ValueError("a table needs rows, and columns between commas, semicolons or tabs")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number} has {len(row)} cells, the first has {len(rows[0])}")
    # A first row without a single number is a header.
    if np.isnan([as_number(cell) for cell in rows[0]]).all():
        return rows[0], rows[1:]
    return [str(position) for position in range(len(rows[0]))], rows


def as_number(cell):
    try:
        return float(cell)
    except ValueError:
        return np.nan


def listed(names):
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def main():
    parser = argparse.ArgumentParser(description="Find the rare class in a table.")
    parser.add_argument("--data", metavar="FILE", help="a CSV file (default: a made-up table)")
    parser.add_argument("--target", metavar="COLUMN", help="name or position (default: the last)")
    parser.add_argument("--positive", metavar="LABEL", help="the rare label (default: the rarest)")
    args = parser.parse_args()
    if args.data is None and (args.target or args.positive):
        parser.error("--target and --positive are of a file: add --data FILE")
    try:
        X, y, rare = load_table(**vars(args)) if args.data else make_table()
    except (OSError, ValueError, csv.Error) as error:
        parser.error(f"{args.data}: {getattr(error, 'strerror', error)}")

    # Half of the samples are the test set, since scores on a handful of rare samples are mostly
    # noise.
    split = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    X_train, X_test, y_train, y_test = split
    print(f"The rare class is {rare!r}: {y.sum()} of {len(y)} samples, {y.mean():.1%}.")
    print(f"{y_train.sum()} of them are for training, {y_test.sum()} for testing.")

    (ways, folds), scores = make_ways(y_train), {}
    for name, way in ways.items():
        print(f"Fitting the {name} ...", flush=True)
        start = time.perf_counter()
        way.fit(X_train, y_train)
        # a search has cross-validated scores already
        in_folds = getattr(way, "best_score_", None)
        if in_folds is None:
            in_folds = cross_val_score(way, X_train, y_train, cv=folds).mean()
        seconds = time.perf_counter() - start
        tested = measure(way, X_test, y_test)
        scores[name] = {"F1 in folds": in_folds, **tested, "seconds": seconds}

    print(
        "\nIn cross-validation on the training set, then on the test set (the seconds of the first"
    )
    print("network include compiling it):\n")
    print("{:16}{:>13}{:>11}{:>9}{:>8}{:>15}{:>15}{:>9}".format("", *scores[name]))
    for name, row in scores.items():
        figures = "{:13.3f}{:11.3f}{:9.3f}{:8.3f}{:15.3f}{:15.3f}{:9.1f}".format(*row.values())
        print(f"{name:16}{figures}")
    print("\n" + advise(ways, scores, y_test.sum()))


if __name__ == "__main__":
    main()
