"""Tables with a rare class, the families that they come from, and which half these belong to.

Tables of one family, such as the eighteen of ecoli, are variants of one data set: they count as
one. Defaults are chosen on one half of the families and reported on the other. The halves are
written here by name and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import StratifiedKFold

from benchmarks.arena.simulated import simulated

#: the first defaults were chosen on these, so they cannot be reported on
USED_BEFORE = ("breast_cancer", "digits", "ecoli", "iris", "mammography", "oil", "wine")

#: of the others in alphabetical order, about every second is chosen on
CHOSEN_ON = (
    *USED_BEFORE,
    *("abalone", "car", "cm", "flaref", "kr", "page", "vehicle", "winequality"),
)
#: families without a name here are reported on as well: nothing was chosen on them
REPORTED_ON = ("ada", "cleveland", "kddcup", "led", "segment", "vowel", "yeast")

#: the groups of a report
CHOSEN, REPORTED, MIXED, SIMULATED = "chosen on", "reported on", "mixed", "simulated"

#: in tables of several classes, those up to this share are rare
RARE = 0.16

#: above this number of rows there are 3 folds instead of 5
LARGE = 10_000

# of files with text: target, its rare value, and the columns that number the rows
_COLUMNS = {
    "stroke": ("stroke", 1, ["id"]),
    "telco": ("Churn", "Churned", ["customerID"]),
    "fraud_oracle": ("FraudFound_P", 1, ["PolicyNumber"]),
}

# scikit-learn's: the loader, and the classes that are positive in turn, each with the share that
# it is subsampled to
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
    name, family, group : str
    X : ndarray or DataFrame of shape (n_rows, n_features)
        A data frame where there is text.
    y : ndarray of shape (n_rows,)
        1 for the rare class, else 0.
    """

    name: str
    family: str
    group: str
    X: Any
    y: np.ndarray

    @property
    def n_folds(self) -> int:
        """Return the number of folds."""
        return 3 if len(self.y) > LARGE else 5

    def folds(self, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the training and test rows of each fold, the same for all contenders."""
        splitter = StratifiedKFold(self.n_folds, shuffle=True, random_state=seed)
        return list(splitter.split(np.zeros(len(self.y)), self.y))

    def rows(self, chosen: np.ndarray) -> Any:
        """Return some rows of X."""
        return self.X[chosen] if isinstance(self.X, np.ndarray) else self.X.iloc[chosen]


def family_of(name: str) -> str:
    """Return the family of a table: its name up to the first digit, space, dash or underscore."""
    bundled = [key for key in _BUNDLED if name.startswith(key)]
    found = re.match(r"[^\d\W_]+", name)
    return bundled[0] if bundled and not name.startswith("winequality") else (found or [name])[0]


def group_of(family: str) -> str:
    """Return which half a family belongs to."""
    return CHOSEN if family in CHOSEN_ON else REPORTED


@cache
def tables(data: Path | None) -> dict[str, Table]:
    """Return the tables below a folder, those of scikit-learn and simulated ones, by name.

    Parameters
    ----------
    data : Path or None
        A folder of CSV files, and of folders of them. Files in a folder ``mixed`` have a header and
        may have text; the others are numbers without a header, with the target last.

    Returns
    -------
    dict of str to Table
        Tables with fewer than two positives a fold are left out.
    """
    paths = [] if data is None else sorted(data.rglob("*.csv"))
    found = [table for path in paths for table in read(path)]
    found += [*_bundled(), *(Table(n, f, SIMULATED, X, y) for n, f, X, y in simulated())]
    return {t.name: t for t in found if 2 * t.n_folds <= t.y.sum()}


def read(path: Path) -> Iterator[Table]:
    """Yield the table of a file, or one for each rare class of several."""
    if path.parent.name == "mixed":
        yield _read_mixed(path)
        return
    cells = np.char.strip(np.loadtxt(path, delimiter=",", dtype=str), "'\"")
    X, labels = cells[:, :-1].astype(float), cells[:, -1]
    values, counts = np.unique(labels, return_counts=True)
    rare = [values[counts.argmin()]] if len(values) == 2 else values[counts <= RARE * len(labels)]
    for value in rare:
        name = path.stem if len(values) == 2 else f"{path.stem} {value}"
        yield _table(name, X, labels == value)


def _read_mixed(path: Path) -> Table:
    import pandas as pd

    frame = pd.read_csv(path, skipinitialspace=True)  # a blank is a gap
    target, rare, numbering = _COLUMNS.get(path.stem, (frame.columns[-1], None, []))
    labels = frame[target]
    rare = labels.value_counts().index[-1] if rare is None else rare
    X = frame.drop(columns=[target, *numbering])
    return Table(path.stem, path.stem, MIXED, X, (labels == rare).to_numpy(dtype=int))


def _table(name: str, X: np.ndarray, positive: np.ndarray) -> Table:
    family = family_of(name)
    return Table(name, family, group_of(family), X, positive.astype(int))


def _bundled() -> Iterator[Table]:
    """Yield scikit-learn's data sets with one class subsampled, always to the same samples."""
    for name, (load, classes) in _BUNDLED.items():
        X, labels = load(return_X_y=True)
        for label, share in classes.items():
            rare, others = labels == label, np.flatnonzero(labels != label)
            n_kept = round(share / (1 - share) * len(others))
            kept = np.random.RandomState(0).permutation(np.flatnonzero(rare))[:n_kept]
            rows = np.sort(np.concatenate([others, kept]))
            suffix = f" {label}" if len(classes) > 1 else ""
            yield _table(f"{name}{suffix}", X[rows], rare[rows])
