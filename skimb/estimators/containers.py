"""What a user may pass as X that is no table and no images, each with an error and its cure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from skimb._types import Features, Labels
from skimb.data.inputs import Inputs, refuse_several
from skimb.data.samples import Schema
from skimb.data.streams import is_stream

_STREAM = (
    "X is a {kind}, a stream of samples, which fit, score and the predictions of "
    "ImbalancedNNClassifier take, alone and without y. Here accepted are arrays, data frames and "
    "sparse matrices that hold all samples. Pass it as arrays, or train on a part at a time with "
    "partial_fit:\n"
    "for X_part, y_part in data: clf.partial_fit(X_part, y_part, classes=all_classes)"
)
_TEXTS = (
    "X is raw text, such as {text!r}: could not convert string to float. Make numbers of it first, "
    "for instance make_pipeline(sklearn.feature_extraction.text.TfidfVectorizer(), estimator); a "
    "column of categories goes into a data frame, as X.to_frame() or pd.DataFrame({{'name': X}})."
)


def check_container(X: Features, y: Labels = None) -> None:
    """Raise a TypeError or a ValueError if X is a container that does not hold samples.

    Parameters
    ----------
    X : object
    y : array-like, str or None, default=None
        By whose length a list of inputs is told from a list of samples; "no_validation" is none.
    """
    check_label_container(y)
    kind = type(X).__name__
    several = inputs_of(X, y)
    if several is not None:
        refuse_several(several, "the network")
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(
            f"X is the {kind} {str(X)!r}: could not convert string to float. Read the file first, "
            "for instance with pd.read_csv, and pass the table."
        )
    if X is None:
        raise ValueError("X is None. Pass the samples, a 2-dimensional table or images.")
    if isinstance(X, Mapping) and not hasattr(X, "shape"):
        _refuse_mapping(X)
    if kind == "LazyFrame":
        raise TypeError(f"X is a {kind}, which holds no values yet. Pass X.collect().")
    if is_stream(X):
        raise TypeError(_STREAM.format(kind=kind))
    if isinstance(X, (set, frozenset)):
        raise TypeError(f"X is a {kind}, whose elements have no order. Pass a list or an array.")
    if isinstance(X, np.ndarray) and X.dtype.names is not None:
        raise TypeError(
            f"X is a structured array with the fields {list(X.dtype.names)}. Pass a table, "
            "pd.DataFrame(X)."
        )
    if isinstance(X, (list, tuple)) and len(X):
        _check_list(X, y)
    elif hasattr(X, "dtype") and len(getattr(X, "shape", ())) == 1:
        _check_one_axis(X)


def check_complete(method: str, X: Features, given: bool) -> None:
    """Raise an error if y was not passed, about X where that is a stream of X and y."""
    if given:
        return
    check_container(X)
    raise ValueError(
        f"{method}() is missing the labels: it requires y to be passed, but the target y is None. "
        f"Pass them as y, as in {method}(X, y). They cannot be part of X, unless X is a stream of "
        "batches (X, y)."
    )


def inputs_of(X: Features, y: Labels = None, known: Schema | None = None) -> Inputs | None:
    """Return X as the several inputs of a network, or None where it is one array.

    Parameters
    ----------
    X : object
    y : array-like, str or None, default=None
        By whose length a list of inputs is told from a list of samples.
    known : Schema or None, default=None
        Of the X of `fit`: where that had several inputs, a list is one of inputs.
    """
    if isinstance(X, Inputs):
        return X
    if isinstance(X, Mapping) and not hasattr(X, "shape"):  # as a sparse matrix of scipy has
        return None if _is_bunch(X) or _axes(X) <= {0, 1} else Inputs(X)
    if isinstance(X, (list, tuple)) and len(X):
        before = known is not None and known.inputs is not None
        return Inputs(X) if before or _are_inputs(X, y) else None
    return None


def check_label_container(y: Labels) -> None:
    """Raise a TypeError or a ValueError if y is no container of labels."""
    kind = type(y).__name__
    if isinstance(y, str) and y != "no_validation":
        raise ValueError(
            f"y is the str {y!r}, but a label for each sample is expected. If it is the name of a "
            f"column of X, take it out: y = X.pop({y!r})."
        )
    if not isinstance(y, (str, Mapping)) and is_stream(y):
        raise TypeError(
            f"y is a {kind}, a stream of labels. Accepted are arrays, lists and series that hold "
            "all of them: pass list(y), for instance."
        )
    if np.isscalar(y) and not isinstance(y, str):
        raise TypeError(f"y is the {kind} {y!r}, but a label for each sample is expected: [{y!r}].")


def _refuse_mapping(X: Mapping[Any, Any]) -> NoReturn:
    if _is_bunch(X):
        raise TypeError("X is a Bunch of samples and labels. Pass X.data as X, and X.target as y.")
    if _axes(X) <= {0}:
        raise TypeError(
            f"X is a dict of {len(X)} values, one sample: float() argument must be a string or a "
            "number, not 'dict'. Pass a table with one row, pd.DataFrame([X])."
        )
    raise TypeError(
        f"X is a dict of {len(X)} columns. Pass a table, pd.DataFrame(X), or np.column_stack("
        "list(X.values()))."
    )


def _is_bunch(X: Mapping[Any, Any]) -> bool:
    return "data" in X and "target" in X  # of scikit-learn's loaders


def _axes(X: Mapping[Any, Any]) -> set[int]:
    """Return how many axes the values have."""
    return {len(v.shape) if hasattr(v, "shape") else np.ndim(v) for v in X.values()}


def _check_list(X: list[Any] | tuple[Any, ...], y: Labels) -> None:
    first = X[0]
    if isinstance(first, Mapping):
        raise TypeError(
            f"X is a {type(X).__name__} of {len(X)} dicts, each a sample: float() argument must be "
            "a string or a number, not 'dict'. Pass pd.DataFrame(X)."
        )
    if isinstance(first, (str, bytes)):
        _refuse_texts(X)
    if isinstance(first, (list, tuple)) and not any(map(np.ndim, first)):
        lengths = sorted({np.size(row) if isinstance(row, (list, tuple)) else 0 for row in X})
        if len(lengths) > 1:
            raise ValueError(
                f"X is a list of samples of different lengths, from {lengths[0]} to {lengths[-1]} "
                "values: setting an array element with a sequence. Every sample needs a value in "
                "each column: cut or pad them, with keras.utils.pad_sequences for instance, and "
                "pass NaN where a value is missing."
            )


def _are_inputs(X: list[Any] | tuple[Any, ...], y: Labels) -> bool:
    """Whether these are arrays of all samples each, and not samples."""
    if all(hasattr(part, "columns") or hasattr(part, "tocsr") for part in X):
        return True
    shapes = [np.shape(part) for part in X if hasattr(part, "shape")]
    if len(shapes) < max(2, len(X)) or not all(shapes) or len({shape[0] for shape in shapes}) > 1:
        return False
    n = shapes[0][0]
    if not (y is None or isinstance(y, str)) and hasattr(y, "__len__"):
        return len(y) == n != len(X)
    # images of one height and different widths could be either, but not in so many rows
    return len({len(shape) for shape in shapes}) > 1 or (len(set(shapes)) > 1 and len(shapes) < 8)


def _check_one_axis(X: Any) -> None:
    if getattr(X.dtype, "kind", "O") not in "iufbc" and len(X):
        first = next(iter(X))
        if isinstance(first, str):
            _refuse_texts(X)
        if isinstance(first, Mapping):
            _check_list(list(X), None)
    if hasattr(X, "to_frame"):
        single = "X.to_frame().T" if hasattr(X, "iloc") else "X.to_frame().transpose()"
        raise ValueError(
            f"X is a Series of {len(X)} values, but a 2-dimensional table is expected. Reshape "
            f"your data: X.to_frame() for one column, {single} for one sample."
        )


def _refuse_texts(X: Any) -> NoReturn:
    text = str(next(iter(X)))
    raise ValueError(_TEXTS.format(text=text if len(text) <= 40 else f"{text[:40]}…"))
