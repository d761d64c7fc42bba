"""From the columns of a table to numbers: categories, and values that are missing."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import _safe_indexing, check_array, check_X_y
from sklearn.utils.validation import _check_sample_weight, _num_samples, validate_data

# as many as scikit-learn's HistGradientBoostingClassifier takes
MOST_CATEGORIES = 255

_FLOATS = (np.float64, np.float32)


class Columns:
    """Makes one array of numbers of the columns of a table.

    Columns of a data frame that hold categories or text are one-hot encoded, the rarest of more
    than 255 categories as one. Values that are
    missing get the mean of their column, and a column of zeros and ones is added for each that
    misses some.

    Parameters
    ----------
    n_columns : int
        Columns of the table.
    categorical : list of int
        Positions of the columns that hold categories or text.
    allow_nan : bool
        Whether columns of numbers may have missing values.

    Attributes
    ----------
    missing_ : ndarray of int
        Positions of the columns of numbers that had missing values in `fit`.
    """

    def __init__(self, n_columns: int, categorical: list[int], *, allow_nan: bool) -> None:
        self.categorical = categorical
        self.allow_nan = allow_nan
        self._numbers = [i for i in range(n_columns) if i not in set(categorical)]

    @classmethod
    def of(cls, X: Any, *, allow_nan: bool) -> Columns | None:
        """Return what makes numbers of the columns of X, or None if X can be taken as it is.

        Parameters
        ----------
        X : array-like or data frame
        allow_nan : bool
        """
        categorical = categorical_columns(X)
        if sp.issparse(X) or not (categorical or allow_nan):
            return None
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        return cls(shape[1], categorical, allow_nan=allow_nan) if len(shape) == 2 else None

    def fit(self, X: Any, sample_weight: Any = None) -> Columns:
        """Learn the categories, and the means of the other columns.

        Parameters
        ----------
        X : array-like or data frame of shape (n_rows, n_columns)
        sample_weight : array-like of shape (n_rows,), default=None
            Rows of weight 0 are as good as absent.
        """
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        rows = np.flatnonzero(weight) if weight.any() else np.arange(len(weight))
        weight = weight[rows] / max(weight.max(initial=0.0), 1e-300)
        numbers = self._numbers_of(X)[rows]
        absent = np.isnan(numbers)
        self.missing_ = np.array(self._numbers, dtype=int)[absent.any(axis=0)]
        total = np.where(absent, 0.0, weight[:, np.newaxis]).sum(axis=0)
        self._fill = np.where(absent, 0.0, numbers).T @ weight / np.where(total > 0, total, 1.0)
        self._encoder = OneHotEncoder(
            categories=[_categories(X, i, rows) for i in self.categorical],
            handle_unknown="infrequent_if_exist",
            max_categories=MOST_CATEGORIES,
            sparse_output=False,
        )
        if self.categorical:
            self._encoder.fit(_objects(X, self.categorical)[rows])
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the rows as the network takes them.

        Parameters
        ----------
        X : array-like or data frame of shape (n_rows, n_columns)

        Returns
        -------
        ndarray of shape (n_rows, n_inputs)
            The columns of numbers, which of them were missing, and the categories. A category that
            `fit` has not seen is none of them.

        Raises
        ------
        ValueError
            If values are missing and may not be, or infinite.
        """
        numbers = self._numbers_of(X)
        absent = np.isnan(numbers)
        shown = absent[:, np.isin(self._numbers, self.missing_)]
        parts = [np.where(absent, self._fill.astype(numbers.dtype), numbers), shown]
        if self.categorical:
            parts.append(self._encoder.transform(_objects(X, self.categorical)))
        return np.hstack(parts).astype(numbers.dtype)

    def checked(self, estimator: Any, X: Any, y: Any, *, reset: bool) -> Any:
        """Return X, or X and y, as arrays, and set or check the columns an estimator knows.

        Parameters
        ----------
        estimator : estimator
        X : array-like or data frame of shape (n_rows, n_columns)
        y : array-like or "no_validation"
        reset : bool
            As in scikit-learn's ``validate_data``.
        """
        if not self.categorical:
            X = check_array(X, dtype=_FLOATS, ensure_all_finite="allow-nan", estimator=estimator)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        numbers = self.transform(X)
        if isinstance(y, str):
            return numbers
        return check_X_y(numbers, y, dtype=_FLOATS, multi_output=True, estimator=estimator)

    def _numbers_of(self, X: Any) -> np.ndarray:
        if not self._numbers:
            return np.zeros((_num_samples(X), 0))
        with missing_values_explained():
            return check_array(
                _safe_indexing(X, self._numbers, axis=1) if self.categorical else X,
                dtype=_FLOATS,
                ensure_all_finite="allow-nan" if self.allow_nan else True,
                input_name="X",
            )


@contextmanager
def missing_values_explained() -> Iterator[None]:
    """Add to scikit-learn's error what to do about missing values in X."""
    try:
        yield
    except ValueError as error:
        if "Input X contains NaN" not in str(error):
            raise
        raise ValueError(
            "X has missing values (NaN). For a dense table set allow_nan=True, with which the "
            "network is told where they are, or fill them in."
        ) from error


def categorical_columns(X: Any) -> list[int]:
    """Return the positions of the columns of a data frame that hold categories or text.

    Parameters
    ----------
    X : data frame of pandas or polars, or anything else, which has none
    """
    if not (hasattr(X, "dtypes") and hasattr(X, "columns")):
        return []
    return [i for i, dtype in enumerate(X.dtypes) if _is_categorical(X, i, str(dtype).lower())]


def _is_categorical(X: Any, position: int, dtype: str) -> bool:
    if dtype == "object":
        return any(isinstance(value, str) for value in _values(X, position))
    # pandas has "category", "str" and "string[pyarrow]", polars "Categorical", "Enum" and "String"
    return dtype.startswith(("categor", "enum", "str", "large_string", "dictionary"))


def _categories(X: Any, position: int, rows: np.ndarray) -> np.ndarray:
    """Return the categories that a column declares or else shows, with None if some are missing."""
    shown = _values(X, position)[rows]
    dtype = list(X.dtypes)[position]
    if str(dtype).lower().startswith(("category", "enum")):
        found = list(dtype.categories)  # so that the parts of a table have the columns of the whole
    else:
        found = sorted({value for value in shown if value is not None}, key=_by_type_and_value)
        if len(found) > MOST_CATEGORIES:
            raise ValueError(
                f"X has the column {list(X.columns)[position]!r} with {len(found)} different "
                f"texts, more than {MOST_CATEGORIES}, as names and dates have. Drop it, or make "
                "numbers of it, or declare it as categories: the most frequent are kept apart."
            )
    missing = [None] if any(value is None for value in shown) else []
    return _object_array([*found, *missing])


def _by_type_and_value(value: Any) -> tuple[str, Any]:
    return type(value).__name__, value


def _objects(X: Any, positions: list[int]) -> np.ndarray:
    objects = np.empty((_num_samples(X), len(positions)), dtype=object)
    for i, position in enumerate(positions):
        objects[:, i] = _values(X, position)
    return objects


def _values(X: Any, position: int) -> np.ndarray:
    """Return the values of a column, None for those that are missing."""
    values = np.asarray(_safe_indexing(X, position, axis=1), dtype=object)
    return _object_array([None if _is_missing(value) else value for value in values])


def _is_missing(value: Any) -> bool:
    if type(value).__name__ in ("NoneType", "NAType", "NaTType"):
        return True
    if not isinstance(value, Hashable):
        raise TypeError(
            f"X has a column that holds {value!r}, which is neither a number nor a category. Drop "
            "the column, or make text or numbers of it."
        )
    return isinstance(value, float) and value != value


def _object_array(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
