"""Columns of a table: what each holds, and its values as numbers or categories."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from numbers import Number
from typing import Any, NoReturn, SupportsFloat

import numpy as np

from skimb._types import Features
from skimb._warnings import warn_user
from skimb.data.inputs import Inputs

# as many as scikit-learn's HistGradientBoostingClassifier takes
MAX_CATEGORIES = 255

# the square of a larger number is infinite, or nearly
MAX_MAGNITUDE = 1e150

# how names of dtypes begin, in pandas (NumPy, nullable and arrow) and polars, in lower case;
# the first that fits counts: "interval" is no "int", and "struct" is no "str"
_KINDS = {
    "other": ("interval", "struct"),
    "date": ("date", "time", "duration", "period"),
    "declared": ("category", "enum"),
    "category": ("categorical", "dictionary"),
    "text": ("str", "large_string"),
    "number": ("int", "uint", "float", "double", "half", "bool", "decimal", "sparse", "null"),
}
_DATES = (date, time, timedelta, np.datetime64, np.timedelta64)
_MISSING = ("NoneType", "NAType", "NaTType")
_SINGLE_PRECISION = ("float32", "float[pyarrow]")

# what stands for a gap in files that mark gaps of numbers by text
_BLANK = frozenset(
    ("", "?", "-", "--", ".", "..", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", "nil",
     "none", "missing", "unknown", "not available", "(blank)")
)  # fmt: skip
# with a sign of currency or per cent, or commas; so many are no few categories
_FORMATTED = re.compile(r"\s*[-+(]?\s*[$€£¥₹]?\s*[-+]?\d[\d,.' ]*\s*[%$€£¥₹)]?\s*")
_MANY_FORMATTED = 20
# text beside so many different numbers, with decimals, stands for a gap whatever it says
_MOST_MARKERS, _LEAST_NUMBERS = 2, 10
# no number with a leading zero: such text is a code
_NUMBER_AS_TEXT = re.compile(r"\s*[-+]?(?!0\d)(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*", re.IGNORECASE)


def is_data_frame(X: Features) -> bool:
    """Whether X is a data frame, of pandas or polars."""
    return hasattr(X, "dtypes") and hasattr(X, "columns")


def check_names(X: Features) -> None:
    """Raise a ValueError if two columns of a data frame have one name."""
    names = list(X.columns) if is_data_frame(X) else []
    if len(set(names)) == len(names):
        return
    counts = Counter(names)
    twice = ", ".join(repr(name) for name in counts if counts[name] > 1)
    raise ValueError(
        f"X has several columns with the name {twice}, so that columns cannot be told apart by "
        "name. Rename them, or keep the first of each: X.loc[:, ~X.columns.duplicated()]."
    )


def numbered_columns(X: Features) -> list[Any] | None:
    """Return the names of the columns of a data frame that are not all text, else None."""
    names = list(X.columns) if is_data_frame(X) else []
    return names if any(not isinstance(name, str) for name in names) else None


def check_order(X: Features, known: list[Any] | None) -> None:
    """Raise a ValueError if columns whose names are numbers have another order than in `fit`.

    Of names that are text scikit-learn knows.

    Parameters
    ----------
    X : array-like or data frame
    known : list or None
        What :func:`numbered_columns` returned in `fit`.
    """
    names = numbered_columns(X)
    if known is None or names is None or names == known or set(names) != set(known):
        return
    raise ValueError(
        f"X has the columns {names[:10]}, but in fit their order was {known[:10]}. Pass "
        f"X[{known[:10]}]: columns whose names are not all text are taken by position."
    )


def warn_of_other_rows(X: Features, **others: Any) -> None:
    """Warn where a Series or a data frame has the rows of X by name, but in another order.

    Parameters
    ----------
    X : array-like, data frame, or several inputs as dict, list or Inputs
        Of several inputs, the first that is a data frame.
    **others : array-like
        What has a value for each row of X, by the name of the argument.
    """
    table = next((part for part in _parts(X) if hasattr(part, "iloc")), None)
    for name, other in others.items():
        if table is not None and _has_other_order(table, other):
            warn_user(
                f"{name} has the same index as X in another order, and its values are taken by "
                f"position. Pass {name}.loc[X.index] if they go by the index, or "
                f"{name}.to_numpy() if they do not."
            )


def warn_of_other_order(X: Inputs) -> None:
    """Warn where data frames among several inputs have the same rows by name in another order."""
    tables = [each for each in zip(X.labels, X.parts, strict=True) if hasattr(each[1], "iloc")]
    for label, table in tables[1:]:
        if _has_other_order(tables[0][1], table):
            first = tables[0][0]
            warn_user(
                f"The input {label} of X has the same index as the input {first} in another order, "
                "and rows are taken by position. Pass table.loc[other.index] if they go by the "
                "index, or table.reset_index(drop=True) if they do not."
            )


def _parts(X: Features) -> Sequence[Any]:
    if isinstance(X, Inputs):
        return X.parts
    if isinstance(X, Mapping):
        return list(X.values())
    return X if isinstance(X, (list, tuple)) else [X]


def _has_other_order(table: Any, other: Any) -> bool:
    """Whether pandas' indexes of as many rows have the same names in another order."""
    if not hasattr(other, "iloc") or len(other) != len(table) or other.index.equals(table.index):
        return False
    unique = table.index.is_unique and other.index.is_unique
    return bool(unique and other.index.isin(table.index).all())


def _column(X: Features, position: int) -> Any:
    # scikit-learn's _safe_indexing takes milliseconds a column in polars where there are thousands
    return X.iloc[:, position] if hasattr(X, "iloc") else X[:, position]


def _dtypes(X: Features) -> Any:
    return X.dtypes if is_data_frame(X) else [X.dtype] * X.shape[1]


def column_kinds(X: Features) -> list[str]:
    """Return for each column "number", "text", "category", or "declared" for a list of categories.

    Raises
    ------
    TypeError
        If a column holds anything else.
    """
    return [_kind(X, i, dtype) for i, dtype in enumerate(_dtypes(X))]


def _kind(X: Features, position: int, dtype: Any) -> str:
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return "number"
    name = str(dtype).lower()
    if name == "object":
        return _kind_of_objects(X, position)
    kind = next((kind for kind, starts in _KINDS.items() if name.startswith(starts)), "other")
    if kind == "date":
        _refuse_dates(X, position, dtype)
    if kind == "other":
        raise TypeError(
            f"X has the column {column_name(X, position)} of dtype {dtype}, which is neither a "
            "number nor a category. Drop the column, or make text or numbers of it."
        )
    return kind


def _kind_of_objects(X: Features, position: int) -> str:
    """Return "text" if there is any among the values, and "number" otherwise."""
    kind = "number"
    for cls, value in {type(value): value for value in _objects(X, position)}.items():
        if issubclass(cls, str):
            kind = "text"
        elif cls.__name__ in _MISSING:
            continue
        elif issubclass(cls, _DATES):
            _refuse_dates(X, position, cls.__name__)
        elif not issubclass(cls, (Number, np.bool_)) or issubclass(
            cls, complex | np.complexfloating
        ):
            raise TypeError(
                f"X has the column {column_name(X, position)} with {value!r} in it, which is "
                "neither a number nor a category: an argument must be a string or a number. Drop "
                "the column, or make text or numbers of it."
            )
    return kind


def distinct_categories(X: Features, position: int, values: list[Any]) -> list[Any]:
    """Return the categories of a column, None for a missing one."""
    dtype = list(_dtypes(X))[position]
    kind = _kind(X, position, dtype)
    shown = set(values)
    if kind == "declared":
        # so that every part of a table has the columns of the whole
        known = [_plain(value) for value in dtype.categories]
    else:
        known = sorted(shown - {None}, key=lambda value: (type(value).__name__, str(value)))
    return known + ([None] if None in shown else [])


def check_text(X: Features, position: int) -> None:
    """Raise a ValueError for numbers as text, with a few blanks, and warn of very many texts."""
    values = set(categorical_values(X, position)) - {None}
    texts = {value for value in values if isinstance(value, str)}
    blank = {text for text in texts if text.strip().lower() in _BLANK}
    others = {text for text in texts if not _NUMBER_AS_TEXT.fullmatch(text)}
    decimals = any("." in text for text in texts - others)
    if len(others) <= _MOST_MARKERS and len(texts - others) >= _LEAST_NUMBERS and decimals:
        blank |= others
    if all(map(_NUMBER_AS_TEXT.fullmatch, texts - blank)) and (
        0 < len(blank) < len(values) - len(blank) or len(values) > MAX_CATEGORIES
    ):
        name = column_name(X, position)
        raise ValueError(
            f"X has the column {name} with numbers as text"
            f"{f' and {examples(sorted(blank))} among them' if blank else ''}. Make numbers of "
            f'it, in pandas by pd.to_numeric(X[{name}], errors="coerce"), in polars by '
            f"pl.col({name}).cast(pl.Float64, strict=False), or declare it as categories."
        )
    formatted = len(texts) > _MANY_FORMATTED and len(texts) == len(values)
    if formatted and all(map(_FORMATTED.fullmatch, texts - blank)) and others - blank:
        name = column_name(X, position)
        raise ValueError(
            f"X has the column {name} with numbers as text, such as {min(others - blank)!r}. Make "
            f"numbers of it, in pandas by pd.to_numeric(X[{name}].str.replace(r'[^0-9.-]', '', "
            'regex=True), errors="coerce"), with a point for the decimals, or declare it as '
            "categories."
        )
    _warn_of_many_texts(X, position, len(values))


def check_finite(X: Features, positions: Sequence[int]) -> None:
    """Raise a ValueError for infinity, and numbers beyond all measure, in columns of numbers."""
    if positions:
        check_magnitude(numeric_columns(X, positions), X, positions)


def check_magnitude(values: Any, X: Features, positions: Sequence[int] | None = None) -> None:
    """Raise a ValueError for infinity, and for numbers whose square is infinite.

    Parameters
    ----------
    values : array-like of shape (n_samples, n_columns)
    X : data frame or array-like
        That the columns are named by.
    positions : sequence of int or None, default=None
        Of these columns in X; None is all of them.
    """
    values = np.asarray(values)
    if values.ndim != 2 or not values.size or values.dtype.kind not in "iuf":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if values.dtype == np.float32 and np.isfinite(values.sum()):
            return  # the squares of all it holds are finite in float64, and it holds no infinity
    ends = np.fmax.reduce(values, axis=0), np.fmin.reduce(values, axis=0)
    most = np.fmax(*np.abs(np.array(ends, dtype=np.float64)))
    for kind, found in (("infinity", np.isinf(most)), ("values", most > MAX_MAGNITUDE)):
        if not found.any():
            continue
        columns = np.flatnonzero(found)
        places = columns if positions is None else np.asarray(positions)[columns]
        names = ", ".join(column_name(X, i) for i in places[:10].tolist())
        if kind == "infinity":
            raise ValueError(
                f"X has infinity in the columns {names}. Replace it by a number or NaN."
            )
        raise ValueError(
            f"X has values up to {most[found].max():.3g} in the columns {names}, whose squares are "
            "beyond what float64 holds, so that no mean and no variance is known. Replace them by "
            "NaN if they mark missing values, or take logarithms or other units."
        )


def with_plain_numbers(X: Features, kinds: Sequence[str]) -> Features:
    """Return a data frame of pandas with floats in the place of objects that are numbers.

    scikit-learn reads gaps among objects as NaN where they are None, but not where they are pd.NA.
    """
    if not hasattr(X, "isetitem"):
        return X
    found = [i for i, dtype in enumerate(X.dtypes) if kinds[i] == "number" and dtype.kind == "O"]
    if found:
        X = X.copy(deep=False)
        for i in found:
            X.isetitem(i, _number(X, i))
    return X


def numeric_columns(X: Features, positions: Sequence[int]) -> np.ndarray:
    """Return columns as float32 or float64, with NaN for missing values."""
    every = len(positions) == X.shape[1]
    if isinstance(X, np.ndarray) and X.dtype != object:
        return _as_float(X if every else X[:, list(positions)])
    if every and is_data_frame(X):  # a thousand columns one after the other take a second
        values = np.asarray(X)
        if values.dtype.kind in "biuf":
            return _as_float(values)
    return np.column_stack([_number(X, i) for i in positions])


def _as_float(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32 if values.dtype == np.float32 else np.float64, copy=False)


def _number(X: Features, position: int) -> np.ndarray:
    column = _column(X, position)
    single = str(getattr(column, "dtype", "")).lower() in _SINGLE_PRECISION
    values = np.asarray(column)
    try:
        if values.dtype == object:
            values = np.array([np.nan if _is_missing(value) else value for value in values])
        return values.astype(np.float32 if single else np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"X has the column {column_name(X, position)}: {error}") from error


def _objects(X: Features, position: int) -> np.ndarray:
    return np.asarray(_column(X, position), dtype=object)


def categorical_values(X: Features, position: int) -> list[Any]:
    """Return the values of a column as text and Python's numbers, None for missing ones."""
    return [_plain(value) for value in _objects(X, position)]


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if _is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, float)):
        return value
    # intervals, for example, among declared categories
    return float(value) if isinstance(value, SupportsFloat) else str(value)


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in _MISSING or bool(value != value)


def column_name(X: Features, position: int) -> str:
    """Return the name of a column as messages show it, and its position in an array."""
    return repr(list(X.columns)[position]) if is_data_frame(X) else str(position)


def examples(values: list[Any]) -> str:
    """Return the first values as messages show them."""
    if not values:
        return "missing values alone"
    return ", ".join(map(repr, values[:3])) + (", …" if len(values) > 3 else "")


def _refuse_dates(X: Features, position: int, dtype: Any) -> NoReturn:
    raise TypeError(
        f"X has the column {column_name(X, position)} of dtype {dtype}. Make numbers of it, such "
        "as the hour, the weekday, or the days since something."
    )


def _warn_of_many_texts(X: Features, position: int, n_texts: int) -> None:
    if n_texts > MAX_CATEGORIES:
        warn_user(
            f"X has the column {column_name(X, position)} with {n_texts} different texts. The "
            f"{MAX_CATEGORIES - 1} most frequent have a column each, and the others share one. "
            "Drop the column if it names samples, make numbers of dates and amounts, or "
            "encode it before, with sklearn.preprocessing.TargetEncoder for instance."
        )
