"""Tables: columns of a data frame validated, and encoded as the numbers a network takes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import _safe_indexing

from skimb._types import Features
from skimb._warnings import warn_user
from skimb.data.columns import (
    MAX_CATEGORIES,
    categorical_values,
    check_finite,
    check_text,
    column_kinds,
    column_name,
    distinct_categories,
    examples,
    is_data_frame,
    numeric_columns,
    with_plain_numbers,
)


def read_table(X: Features, *, training: bool = True) -> Any:
    """Validate the columns of a table: each has to hold numbers or categories.

    Gaps are allowed in both. Columns of categories are those of a categorical dtype, of text, and
    object columns with text among their values.

    Parameters
    ----------
    X : data frame, array-like or sparse matrix
        A data frame of pandas or polars, an object array or a list of lists. Anything else is
        returned unchanged and unread.
    training : bool, default=True
        Whether to refuse text that would be poor categories to train on: numbers as text with a
        few blanks, and more than 255 different texts.

    Returns
    -------
    data frame, array-like or sparse matrix
        The data frame itself, with floats in the place of objects that are numbers. Lists and
        object arrays are an object array if they hold text, and floats with NaN otherwise.

    Raises
    ------
    TypeError
        If a column holds dates, or values that are neither numbers nor categories.
    ValueError
        If a column holds infinity, or text that `training` refuses.
    """
    if isinstance(X, (list, tuple)):
        X = _from_rows(X)
    if isinstance(X, np.ndarray) and X.dtype.kind in "Mm":
        raise TypeError(
            f"X holds dates, dtype {X.dtype}. Make numbers of them, such as the hour, the weekday, "
            "or the days since something."
        )
    if isinstance(X, np.ndarray) and X.dtype.kind in "US" and X.ndim == 2:
        try:
            return X.astype(np.float64)
        except ValueError as error:
            raise ValueError(
                f"X is an array of dtype {X.dtype}, in which numbers are text, too: {error}. Pass "
                "a data frame, or an array of dtype=object."
            ) from error
    if not (is_data_frame(X) or _is_object_array(X)):
        return X
    kinds = column_kinds(X)
    numeric = [i for i, kind in enumerate(kinds) if kind == "number"]
    if numeric and not hasattr(X, "sparse"):  # all columns of a sparse frame may not fit as dense
        check_finite(X, numeric)
    if training:
        for i, kind in enumerate(kinds):
            if kind == "text":
                check_text(X, i)
    if is_data_frame(X):
        return with_plain_numbers(X, kinds)
    return X if len(numeric) < len(kinds) else numeric_columns(X, numeric)


def categorical_columns(X: Features) -> list[int]:
    """Return the positions of the columns with categories, of a table from `read_table`."""
    if not (is_data_frame(X) or _is_object_array(X)):
        return []
    return [i for i, kind in enumerate(column_kinds(X)) if kind != "number"]


def has_categories(X: Features) -> bool:
    """Whether a table from `read_table` has columns with categories."""
    return bool(categorical_columns(X))


class FeatureEncoder:
    """Encode a table with categories or gaps as numbers.

    The encoded columns are those of numbers, with the mean of the training samples in place of
    gaps; a column of zeros and ones for each that had gaps in training; and the categories,
    one-hot encoded. Missing values of a category are a category of their own if there were any in
    training. Of more than 255 categories the 254 of the largest weight have a column each, and the
    others share one.

    Parameters
    ----------
    least_gaps : float, default=1.0
        Summed weight of the samples with a gap from which a column of numbers gets that of zeros
        and ones: a handful says little of what a gap means.

    Attributes
    ----------
    n_features_out_ : int
        Number of encoded columns.
    feature_names_out_ : list of str
        Names of the encoded columns.
    n_numeric_ : int
        Number of columns of numbers, the first of the encoded ones.

    Examples
    --------
    >>> import pandas as pd
    >>> from skimb.data.tables import FeatureEncoder
    >>> X = pd.DataFrame({"color": ["red", "blue", "red"], "age": [20.0, None, 40.0]})
    >>> encoder = FeatureEncoder().fit(X, sample_weight=[1.0, 1.0, 3.0])
    >>> encoder.feature_names_out_
    ['age', 'age_missing', 'color_blue', 'color_red']
    >>> encoder.transform(X)
    array([[20.,  0.,  0.,  1.],
           [35.,  1.,  1.,  0.],
           [40.,  0.,  0.,  1.]])
    """

    def __init__(self, least_gaps: float = 1.0) -> None:
        self.least_gaps = least_gaps

    def fit(self, X: Features, sample_weight: Any, categorical: list[int] | None = None) -> Self:
        """Learn the means, which columns have gaps, and the categories.

        Parameters
        ----------
        X : {data frame, ndarray} of shape (n_samples, n_features)
            Training samples of a table from `read_table`.
        sample_weight : array-like of shape (n_samples,)
            A weight of 2 is the sample twice, and a weight of 0 is no sample.
        categorical : list of int, default=None
            Of `categorical_columns` of the whole table, where X is a part of it: the text of an
            object column may be in the other part. By default those of X.

        Warns
        -----
        UserWarning
            If a column that declares no categories has more than 255 different texts.
        """
        weight = np.asarray(sample_weight, dtype=np.float64)
        if not weight.all():
            X, weight = _safe_indexing(X, np.flatnonzero(weight)), weight[weight != 0]
        self.categorical_ = categorical_columns(X) if categorical is None else list(categorical)
        self.numeric_ = [i for i in range(X.shape[1]) if i not in set(self.categorical_)]
        names = X.columns if is_data_frame(X) else (f"x{i}" for i in range(X.shape[1]))
        self.names_ = [str(name) for name in names]
        self.feature_names_out_: list[str] = []
        self._fit_numbers(X, weight)
        self._fit_categories(X, weight)
        self.n_features_out_ = len(self.feature_names_out_)
        self.n_numeric_ = len(self.numeric_)
        return self

    def _fit_numbers(self, X: Features, weight: np.ndarray) -> None:
        self.indicator_: Any = None
        if not self.numeric_:
            return
        # with sklearn.impute come the nearest neighbours, a third of the time that importing takes
        from sklearn.impute import MissingIndicator

        numbers = numeric_columns(X, self.numeric_)
        self.indicator_ = MissingIndicator(error_on_new=False).fit(numbers)
        self.had_gaps_ = self.indicator_.features_
        share = weight / weight.max()
        of_gaps = (share @ np.isnan(numbers))[self.had_gaps_] * weight.max()
        # sums of weights are rounded
        self.indicator_.features_ = self.had_gaps_[of_gaps > self.least_gaps * (1 - 1e-9)]
        # the mean of scikit-learn's SimpleImputer has no weights
        self.means_ = np.array([_weighted_mean(column, weight) for column in numbers.T])
        names = [self.names_[i] for i in self.numeric_]
        self.feature_names_out_ += names
        self.feature_names_out_ += [f"{names[i]}_missing" for i in self.indicator_.features_]

    def _fit_categories(self, X: Features, weight: np.ndarray) -> None:
        self.categories_ = []
        separate = []  # for each feature, the categories with a column of their own
        for i in self.categorical_:
            values = categorical_values(X, i)
            known = distinct_categories(X, i, values)
            kept = np.arange(len(known))
            if len(known) > MAX_CATEGORIES:
                totals = np.bincount(_codes(values, known), weight / weight.max(), len(known))
                kept = np.sort(np.argsort(-totals, kind="stable")[: MAX_CATEGORIES - 1])
            names = ["missing" if known[code] is None else known[code] for code in kept]
            names += ["infrequent"] if len(kept) < len(known) else []
            self.feature_names_out_ += [f"{self.names_[i]}_{name}" for name in names]
            self.categories_.append(known)
            separate.append(kept)
        self.encoder_ = _one_hot_encoder([len(known) for known in self.categories_], separate)

    def transform(self, X: Features) -> np.ndarray:
        """Return the encoded samples.

        A category without samples in training is zero in all columns of its feature.

        Parameters
        ----------
        X : {data frame, ndarray, sparse matrix} of shape (n_samples, n_features)
            Of `read_table`.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out_)
            float32 if all columns of numbers are, and float64 otherwise.

        Warns
        -----
        UserWarning
            If values are missing in a column that had no gaps in training, or no category of a
            column is known, or numbers take the place of text.
        """
        if len(getattr(X, "shape", ())) != 2:
            raise ValueError(
                f"X is expected to be a 2-dimensional table, as in fit; got {type(X).__name__}."
            )
        if sp.issparse(X):
            X = X.toarray()
        blocks = []
        new_gaps: dict[str, str] = {}
        if self.indicator_ is not None:
            numbers = numeric_columns(X, self.numeric_)
            missing = np.isnan(numbers)
            new_gaps |= dict.fromkeys(self._new_gaps(X, missing), "mean")
            blocks.append(np.where(missing, self.means_.astype(numbers.dtype), numbers))
            blocks.append(self.indicator_.transform(numbers))
        if self.encoder_ is not None:
            codes = []
            for i, known in zip(self.categorical_, self.categories_, strict=True):
                values = categorical_values(X, i)
                codes.append(_known_codes(X, i, known, values))
                if None not in known and None in values:
                    new_gaps[column_name(X, i)] = "zero"
            blocks.append(self.encoder_.transform(np.column_stack(codes)))
        if new_gaps:
            _warn_of_new_gaps(new_gaps)
        return np.hstack(blocks)

    def one_hot_tables(self) -> list[np.ndarray]:
        """Return for each column of categories which of its encoded columns each category has.

        Returns
        -------
        list of ndarray of shape (n_categories, n_columns)
            Rows in the order of `categories_`, each with a single 1. Infrequent ones share the last
            column.
        """
        encoder = self.encoder_
        if encoder is None:
            return []
        tables = []
        for feature, known in enumerate(self.categories_):
            codes = np.full((len(known), len(self.categories_)), -1)
            codes[:, feature] = np.arange(len(known))
            encoded = encoder.transform(codes)
            tables.append(encoded[:, encoded.any(axis=0)])
        return tables

    def _new_gaps(self, X: Features, missing: np.ndarray) -> list[str]:
        """Return the columns of numbers that have gaps for the first time."""
        gaps = np.any(missing, axis=0)
        gaps[self.had_gaps_] = False
        return [column_name(X, self.numeric_[i]) for i in np.flatnonzero(gaps)]


def _warn_of_new_gaps(found: dict[str, str]) -> None:
    """Warn of columns with gaps for the first time, by what takes the place of the values."""
    place = {
        "mean": "The mean of the training samples takes their place.",
        "zero": "No category takes their place: all columns of the category are zero.",
    }
    used = " ".join(text for key, text in place.items() if key in found.values())
    warn_user(
        f"X has missing values in columns that had none in training: {', '.join(found)}. {used}"
    )


def _one_hot_encoder(counts: list[int], separate: list[np.ndarray]) -> OneHotEncoder | None:
    """Return an encoder of codes, in which those that are not `separate` share a column."""
    if not counts:
        return None
    # scikit-learn finds infrequent categories by counting samples, without weights. So it counts
    # samples that have each category once, and the separate ones at least twice.
    length = 2 * max(counts)
    table = [
        np.r_[np.arange(n), np.resize(kept, length - n)]
        for n, kept in zip(counts, separate, strict=True)
    ]
    encoder = OneHotEncoder(
        categories=[np.arange(n) for n in counts],
        min_frequency=2,
        handle_unknown="ignore",
        sparse_output=False,
        dtype=np.float32,
    )
    return encoder.fit(np.column_stack(table))


def _weighted_mean(values: np.ndarray, weight: np.ndarray) -> float:
    present = ~np.isnan(values)
    if not present.any():
        return 0.0
    # neither the sum of the weights nor that of the values overflows or vanishes
    share = weight[present] / weight[present].max()
    return float(values[present] @ (share / share.sum()))


def _codes(values: list[Any], known: list[Any]) -> np.ndarray:
    """Return the position of each value among the known ones, -1 for others."""
    code = {value: i for i, value in enumerate(known)}
    return np.array([code.get(value, -1) for value in values], dtype=int)


def _known_codes(X: Features, position: int, known: list[Any], values: list[Any]) -> np.ndarray:
    """Return the codes of a column, and warn if it has values of which none is known.

    A number of which the text is known is no rare value but a column that was read in another way.
    """
    codes = _codes(values, known)
    shown = [value for value in dict.fromkeys(values) if value is not None]
    unknown = set(shown) - set(known)
    texts = {text.strip().lower() for text in known if isinstance(text, str)}
    numbers = {value for value in known if value is not None and not isinstance(value, str)}
    other_type = [
        value
        for value in shown
        if value in unknown
        and (
            str(value).strip().lower() in texts
            or (isinstance(value, float) and value.is_integer() and str(int(value)) in texts)
            or (isinstance(value, str) and _number_of(value) in numbers)
        )
    ]
    if (shown and len(unknown) == len(shown)) or other_type:
        in_training = examples([value for value in known if value is not None])
        which = (
            f"No category of the column {column_name(X, position)} of X is known: X has "
            f"{examples(shown)}"
            if len(unknown) == len(shown)
            else f"Categories of the column {column_name(X, position)} of X are not known as they "
            f"are written: X has {examples(other_type)}"
        )
        warn_user(
            f"{which}, training had {in_training}. Numbers and text are "
            "different categories, as are texts that differ in case or blanks.",
        )
    return codes


def _number_of(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _from_rows(X: Features) -> Any:
    """Return a list of samples as an object array, unchanged if that is no table."""
    if not X or not isinstance(X[0], (list, tuple)) or any(map(np.ndim, X[0])):
        return X
    rows = np.array(X, dtype=object)
    return rows if rows.ndim == 2 else X


def _is_object_array(X: Features) -> bool:
    return isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 2 and X.shape[1] > 0
