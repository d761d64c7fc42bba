"""Simulated tables, of which it is known what decides.

Real tables of which most are small and numeric, such as those that defaults are chosen on, say
little about combinations of columns. In these tables rules, pairs of categories, few of many
columns, amounts and flags, clusters or smooth functions decide, so that they show what a contender
cannot learn. They are part of what is chosen on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

#: rows of each table, whose families are the names of the functions below
SIZES = (600, 1500, 5000, 20_000)

#: expected share of the positives, but for rules, of which it is about 5 %
SHARE = 0.06


def simulated() -> Iterator[tuple[str, str, Any, np.ndarray]]:
    """Yield name and family of each table, its features and its labels.

    Tables of one family differ in the number of rows alone, and have no row in common.
    """
    for position, (family, draw) in enumerate(_FAMILIES.items()):
        for n_rows in SIZES:
            coefficients = np.random.RandomState([0, position])
            sample = np.random.RandomState([0, position, n_rows])
            yield f"{family}, {n_rows} rows", family, *draw(n_rows, coefficients, sample)


def _drawn(z: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return labels whose log odds are z and a constant."""
    constant = brentq(lambda c: expit(z + c).mean() - SHARE, -1000, 1000)
    return (rng.uniform(size=len(z)) < expit(z + constant)).astype(int)


def _rules(
    n: int, coefficients: np.random.RandomState, rng: np.random.RandomState
) -> tuple[Any, np.ndarray]:
    """Two thresholds at once, a product of two columns, or a threshold for one of three kinds."""
    X = rng.normal(size=(n, 8))
    X[:, 5] = rng.randint(3, size=n)
    positive = (
        ((X[:, 0] > 1.2) & (X[:, 1] < -0.8))
        | (np.abs(X[:, 2] * X[:, 3]) > 3.2)
        | ((X[:, 4] > 2) & (X[:, 5] == 0))
    )
    return X, (positive ^ (rng.uniform(size=n) < 0.003)).astype(int)


def _pairs(
    n: int, coefficients: np.random.RandomState, rng: np.random.RandomState
) -> tuple[Any, np.ndarray]:
    """Fifteen columns of categories, of which two pairs decide, and each by itself a little."""
    import pandas as pd

    codes = rng.randint(6, size=(n, 15))
    alone = coefficients.normal(0, 0.25, (15, 6))
    first, second = coefficients.normal(0, 1.3, (2, 6, 6))
    z = alone[np.arange(15), codes].sum(axis=1)
    z += first[codes[:, 0], codes[:, 1]] + second[codes[:, 2], codes[:, 3]]
    X = pd.DataFrame({f"c{j}": np.array([*"abcdef"])[column] for j, column in enumerate(codes.T)})
    return X, _drawn(z, rng)


def _few(
    n: int, coefficients: np.random.RandomState, rng: np.random.RandomState
) -> tuple[Any, np.ndarray]:
    """Forty columns, every second one skewed, of which four decide."""
    X = rng.normal(size=(n, 40))
    z = 1.5 * X[:, 0] + 1.2 * np.abs(X[:, 1]) + 1.5 * (X[:, 4] > 0.7) * X[:, 3]
    X[:, ::2] = np.exp(X[:, ::2])
    return X, _drawn(z, rng)


def _smooth(
    n: int, coefficients: np.random.RandomState, rng: np.random.RandomState
) -> tuple[Any, np.ndarray]:
    """A quadratic function of four weighted sums of ten columns."""
    X = rng.normal(size=(n, 10))
    sums = X @ coefficients.normal(size=(10, 4)) / 3
    return X, _drawn(2 * (np.square(sums[:, :3]).sum(axis=1) + sums[:, 3]), rng)


def _clusters(
    n: int, coefficients: np.random.RandomState, rng: np.random.RandomState
) -> tuple[Any, np.ndarray]:
    """Positives in five small clusters in six of twelve columns."""
    y = _drawn(np.zeros(n), rng)
    X = rng.normal(size=(n, 12))
    centers = coefficients.normal(0, 1.5, (5, 6))
    positive = y == 1
    X[positive, :6] = centers[rng.randint(5, size=y.sum())] + 0.5 * X[positive, :6]
    return X, y


def _amounts(
    n: int, coefficients: np.random.RandomState, rng: np.random.RandomState
) -> tuple[Any, np.ndarray]:
    """Counts, amounts that are mostly 0, an age and flags."""
    counts = rng.poisson(0.4, (n, 3))
    amounts = np.where(rng.uniform(size=(n, 3)) < 0.85, 0, rng.lognormal(5, 1.5, (n, 3)))
    age, flags = rng.randint(18, 80, (n, 1)), rng.uniform(size=(n, 6)) < 0.2
    z = 1.2 * counts[:, 0] + 2.5 * (amounts[:, 0] > 300) + 0.05 * np.abs(age[:, 0] - 45)
    z += 2.5 * (amounts[:, 1] > 0) * (age[:, 0] < 40) + 2.0 * flags[:, 2] * flags[:, 3]
    return np.column_stack([counts, amounts, age, flags]).astype(float), _drawn(z, rng)


_Draw = Callable[[int, np.random.RandomState, np.random.RandomState], tuple[Any, np.ndarray]]
_FAMILIES: dict[str, _Draw] = {
    "rules": _rules, "pairs": _pairs, "few": _few, "smooth": _smooth, "clusters": _clusters,
    "amounts": _amounts,
}  # fmt: skip
