"""Tables with a rare class for :mod:`benchmarks.quality`: from files, and from scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

#: a class of a table with several is rare up to this share
RARE = 0.16

# scikit-learn's sets: what loads them, and the classes that take the positive part in turn, each
# with the share that it is thinned to
_BUNDLED = {
    "breast_cancer": (load_breast_cancer, {0: 0.05}),
    "digits": (load_digits, {3: 0.02, 8: 0.05, 9: 0.02}),
    "iris": (load_iris, {1: 0.10, 2: 0.10}),
    "wine": (load_wine, {1: 0.10, 2: 0.10}),
}


@dataclass(frozen=True)
class Table:
    """A table with a rare class.

    Attributes
    ----------
    name : str
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
        1 for the rare class, else 0.
    """

    name: str
    X: np.ndarray
    y: np.ndarray


def tables(data: Path | None, n_folds: int) -> Iterator[Table]:
    """Yield the tables of a folder and scikit-learn's, those with a positive or more in each fold.

    Parameters
    ----------
    data : Path or None
        A folder of CSV files without a header whose last column is the target.
    n_folds : int
        Classes with fewer than two rows a fold are left out.
    """
    found = [] if data is None else [t for path in sorted(data.glob("*.csv")) for t in read(path)]
    for table in (*found, *bundled()):
        if 2 * n_folds <= table.y.sum():
            yield table


def read(path: Path) -> Iterator[Table]:
    """Yield a table for the rarer of two classes, or for each rare one of several."""
    cells = np.char.strip(np.loadtxt(path, delimiter=",", dtype=str), "'\"")
    X, labels = cells[:, :-1].astype(float), cells[:, -1]
    values, counts = np.unique(labels, return_counts=True)
    if len(values) == 2:
        yield Table(path.stem, X, (labels == values[counts.argmin()]).astype(int))
        return
    for value in values[counts <= RARE * len(labels)]:
        yield Table(f"{path.stem} {value}", X, (labels == value).astype(int))


def bundled() -> Iterator[Table]:
    """Yield scikit-learn's own sets with one class thinned, always the same rows of it."""
    for name, (load, classes) in _BUNDLED.items():
        X, labels = load(return_X_y=True)
        for label, share in classes.items():
            rare, others = labels == label, np.flatnonzero(labels != label)
            n_kept = round(share / (1 - share) * len(others))
            kept = np.random.RandomState(0).permutation(np.flatnonzero(rare))[:n_kept]
            rows = np.sort(np.concatenate([others, kept]))
            suffix = f" {label}" if len(classes) > 1 else ""
            yield Table(f"{name}{suffix}", X[rows], rare[rows].astype(int))
