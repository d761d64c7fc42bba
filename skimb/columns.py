"""From the columns of a table to numbers: categories, and values that are missing."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing, check_array, check_consistent_length
from sklearn.utils.validation import _check_y, validate_data

# as many as scikit-learn's HistGradientBoostingClassifier takes
MOST_CATEGORIES = 255

_FLOATS = (np.float64, np.float32)
_DATES = ("date", "time", "duration", "period")

#: the code of a category that `fit` has not seen
UNKNOWN = -1


class Columns:
    """Makes the input of a network of a table with categories or missing values.

    Categories are one-hot encoded. Numbers that are missing get the mean of their column, and a
    column of zeros and ones is added for each that misses some.

    Parameters
    ----------
    X : data frame or None, default=None
        The table, if it has columns of categories or text.
    """

    def __init__(self, X: Any = None) -> None:
        self.vocabularies = (
            {} if X is None else {i: vocabulary(X, i) for i in categorical_columns(X)}
        )

    def checked(self, estimator: Any, X: Any, y: Any, *, reset: bool, allow_nan: bool) -> Any:
        """Return a data frame as numbers, with the code of each category, or those and y.

        Parameters
        ----------
        estimator : estimator
            Whose names and number of columns are set or checked.
        X : data frame of shape (n_rows, n_columns)
        y : array-like or "no_validation"
        reset : bool
            As in scikit-learn's ``validate_data``.
        allow_nan : bool
        """
        if isinstance(X, (list, tuple)):
            X = np.array(X, dtype=object)
        if len(getattr(X, "shape", ())) != 2:
            raise ValueError(
                f"X is expected to be a 2-dimensional table, as in fit; got {type(X).__name__}."
            )
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        columns = [self._codes(X, i) if i in self.vocabularies else _numbers(X, i)
                   for i in range(X.shape[1])]  # fmt: skip
        numbers = check_array(
            np.column_stack(columns),
            dtype=_FLOATS,
            ensure_all_finite="allow-nan" if allow_nan else True,
            estimator=estimator,
            input_name="X",
        )
        if isinstance(y, str):
            return numbers
        y = _check_y(y, multi_output=True, estimator=estimator)
        check_consistent_length(numbers, y)
        return numbers, y

    def _codes(self, X: Any, position: int) -> np.ndarray:
        known = {value: code for code, value in enumerate(self.vocabularies[position][0])}
        return np.array([known.get(v, UNKNOWN) for v in _values(X, position)], dtype=np.float32)

    def fit(self, numbers: np.ndarray, weight: np.ndarray) -> Columns:
        """Learn which categories and gaps there are, and the means of the other columns.

        Parameters
        ----------
        numbers : ndarray of shape (n_rows, n_columns)
            Of `checked`, or an array with gaps.
        weight : ndarray of shape (n_rows,)
            A weight of 2 is a row twice.
        """
        share = weight / weight.max()
        share /= share.sum()
        absent = np.isnan(numbers)
        self.mean_ = share @ np.where(absent, 0.0, numbers) / np.maximum(share @ ~absent, 1e-300)
        self.missing_ = np.flatnonzero(absent.any(axis=0))
        self.categories_ = {
            i: _kept(codes=numbers[:, i], weight=weight, values=values, declared=declared)
            for i, (values, declared) in self.vocabularies.items()
        }
        return self

    def transform(self, numbers: np.ndarray) -> np.ndarray:
        """Return the rows as the network takes them.

        Parameters
        ----------
        numbers : ndarray of shape (n_rows, n_columns)
            Of `checked`, or an array with gaps.

        Returns
        -------
        ndarray of shape (n_rows, n_inputs)
            The columns of numbers, which of them were missing, and the categories.
        """
        plain = [i for i in range(numbers.shape[1]) if i not in self.vocabularies]
        widths = [len(plain), len(self.missing_), *map(_width, self.categories_.values())]
        ends = np.cumsum(widths)
        rows = np.zeros((len(numbers), ends[-1]), numbers.dtype)
        known = numbers[:, plain]
        rows[:, : ends[0]] = np.where(np.isnan(known), self.mean_[plain], known)
        rows[:, ends[0] : ends[1]] = np.isnan(numbers[:, self.missing_])
        for (i, place), first in zip(self.categories_.items(), ends[1:-1], strict=True):
            # the place of an unknown category is the last of the array, and nowhere
            found = place[numbers[:, i].astype(int)]
            seen = np.flatnonzero(found >= 0)
            rows[seen, first + found[seen]] = 1.0
        return rows


def _kept(codes: np.ndarray, weight: np.ndarray, values: Any, declared: int) -> np.ndarray:
    """Return the column of each code and of the unknown one, -1 for none.

    The rarest of too many share the last column. Categories that are not declared have to be shown
    by rows that count.
    """
    total = np.bincount(codes.astype(int), weight, minlength=len(values))
    kept = np.flatnonzero((total > 0) | (np.arange(len(values)) < declared))
    place = np.full(len(values) + 1, -1)
    if len(kept) > MOST_CATEGORIES:
        by_weight = kept[np.argsort(-total[kept], kind="stable")]
        place[by_weight[MOST_CATEGORIES - 1 :]] = MOST_CATEGORIES - 1
        kept = np.sort(by_weight[: MOST_CATEGORIES - 1])
    place[kept] = np.arange(len(kept))
    return place


def _width(place: np.ndarray) -> int:
    return int(place.max(initial=-1)) + 1


@contextmanager
def missing_values_explained(allow_nan: bool) -> Iterator[None]:
    """Add to scikit-learn's error what to do about missing values in X."""
    try:
        yield
    except ValueError as error:
        if "Input X contains NaN" not in str(error):
            raise
        cure = (
            "allow_nan=True is for dense tables that had it in fit: fill them in."
            if allow_nan
            else "For a dense table set allow_nan=True, with which the network is told where they "
            "are, or fill them in."
        )
        raise ValueError(f"X has missing values (NaN). {cure}") from error


def categorical_columns(X: Any) -> list[int]:
    """Return the positions of the columns of a data frame that hold categories or text.

    Parameters
    ----------
    X : data frame of pandas or polars, or anything else, which has none

    Raises
    ------
    TypeError
        If a column holds dates, of which only the user knows what counts.
    """
    if not (hasattr(X, "dtypes") and hasattr(X, "columns")):
        return []
    return [i for i, dtype in enumerate(X.dtypes) if _is_categorical(X, i, str(dtype).lower())]


def _is_categorical(X: Any, position: int, dtype: str) -> bool:
    if dtype.startswith(_DATES):
        raise TypeError(
            f"X has the column {_name(X, position)} of dtype {dtype}. Make numbers of it, such as "
            "the hour, the weekday, or the days since something."
        )
    if dtype == "object":
        return any(isinstance(value, str) for value in _values(X, position))
    # pandas has "category", "str" and "string[pyarrow]", polars "Categorical", "Enum" and "String"
    return dtype == "str" or dtype.startswith(
        ("categor", "enum", "string", "large_string", "dictionary")
    )


def vocabulary(X: Any, position: int) -> tuple[list[Any], int]:
    """Return the categories of a column, None for a missing one, and how many it declares.

    Parameters
    ----------
    X : data frame
    position : int
        Of the column.

    Raises
    ------
    ValueError
        If it is text with too many different values to be categories.
    """
    dtype, shown = list(X.dtypes)[position], set(_values(X, position))
    if str(dtype).lower().startswith(("category", "enum")):
        # so that the parts of a table have the columns of the whole
        declared = list(dtype.categories)
        return declared + ([None] if None in shown else []), len(declared)
    values = sorted(shown - {None}, key=lambda value: (type(value).__name__, str(value)))
    if len(values) > MOST_CATEGORIES:
        raise ValueError(
            f"X has the column {_name(X, position)} with {len(values)} different texts, more than "
            f"{MOST_CATEGORIES}, as names and dates have. Drop it, or make numbers of it, or "
            "declare it as categories: the most frequent are kept apart."
        )
    return values + ([None] if None in shown else []), 0


def _numbers(X: Any, position: int) -> np.ndarray:
    column = _safe_indexing(X, position, axis=1)
    if str(getattr(column, "dtype", "")) == "object":
        column = [np.nan if value is None else value for value in _values(X, position)]
    try:
        numbers = check_array(
            np.asarray(column), dtype=_FLOATS, ensure_2d=False, ensure_all_finite=False
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"X has the column {_name(X, position)}: {error}") from error
    return numbers


def _values(X: Any, position: int) -> list[Any]:
    """Return the values of a column, None for those that are missing."""
    values = np.asarray(_safe_indexing(X, position, axis=1), dtype=object)
    for value in values:
        if not isinstance(value, Hashable):
            raise TypeError(
                f"X has the column {_name(X, position)} with {value!r} in it, which is neither a "
                "number nor a category. Drop the column, or make text or numbers of it."
            )
    return [None if _is_missing(value) else value for value in values]


def _is_missing(value: Any) -> bool:
    if isinstance(value, float):
        return value != value
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _name(X: Any, position: int) -> str:
    return repr(list(X.columns)[position]) if hasattr(X, "columns") else str(position)
