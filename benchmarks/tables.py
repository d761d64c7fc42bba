"""Data sets with a rare class for :mod:`benchmarks.quality`: from files, and from scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

#: in multiclass tables, classes up to this share are rare
RARE = 0.16

# scikit-learn's data sets: the loader, and the classes that are used as positive in turn, each with
# the share that it is subsampled to
_BUNDLED = {
    "breast_cancer": (load_breast_cancer, {0: 0.05}),
    "digits": (load_digits, {3: 0.02, 8: 0.05, 9: 0.02}),
    "iris": (load_iris, {1: 0.10, 2: 0.10}),
    "wine": (load_wine, {1: 0.10, 2: 0.10}),
}


@dataclass(frozen=True)
class Table:
    """A data set with a rare class.

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
    """Yield the tables of a folder and of scikit-learn that have enough positives for the folds.

    Parameters
    ----------
    data : Path or None
        A folder of CSV files without a header whose last column is the target.
    n_folds : int
        Classes with fewer than two samples per fold are left out.
    """
    found = [] if data is None else [t for path in sorted(data.glob("*.csv")) for t in read(path)]
    for table in (*found, *bundled()):
        if 2 * n_folds <= table.y.sum():
            yield table


def read(path: Path) -> Iterator[Table]:
    """Yield one table for the rarer of two classes, or one per rare class of several."""
    cells = np.char.strip(np.loadtxt(path, delimiter=",", dtype=str), "'\"")
    X, labels = cells[:, :-1].astype(float), cells[:, -1]
    values, counts = np.unique(labels, return_counts=True)
    if len(values) == 2:
        yield Table(path.stem, X, (labels == values[counts.argmin()]).astype(int))
        return
    for value in values[counts <= RARE * len(labels)]:
        yield Table(f"{path.stem} {value}", X, (labels == value).astype(int))


def bundled() -> Iterator[Table]:
    """Yield scikit-learn's data sets with one class subsampled, always to the same samples."""
    for name, (load, classes) in _BUNDLED.items():
        X, labels = load(return_X_y=True)
        for label, share in classes.items():
            rare, others = labels == label, np.flatnonzero(labels != label)
            n_kept = round(share / (1 - share) * len(others))
            kept = np.random.RandomState(0).permutation(np.flatnonzero(rare))[:n_kept]
            rows = np.sort(np.concatenate([others, kept]))
            suffix = f" {label}" if len(classes) > 1 else ""
            yield Table(f"{name}{suffix}", X[rows], rare[rows].astype(int))
