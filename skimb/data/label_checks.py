"""What may stand in y in the place of a label, each with an error and its cure."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number, Real
from typing import Any

import numpy as np
import scipy.sparse as sp

from skimb._types import Labels
from skimb._warnings import warn_user

# of masks in shades of grey
_DARK, _LIGHT, _MANY = 31, 224, 10
_GAPS = ("NoneType", "NAType", "NaTType")
_FLOATS = (float, np.floating)
_SEQUENCES = (list, tuple, set, frozenset, np.ndarray)
_REST = (
    "Leave these samples out, as with known = pd.notna(y); X[known], y[known], or give them a "
    "label of their own."
)


def check_entries(y: Labels, n_samples: int | None = None) -> None:
    """Raise a ValueError if y has anything in the place of labels: gaps, tags, several outputs.

    What can be labels is not looked at further, see :func:`skimb.data.labels.checked_labels`.

    Parameters
    ----------
    y : object
    n_samples : int or None, default=None
        By which a list of outputs is told from a list of samples.
    """
    if y is None or isinstance(y, str) or sp.issparse(y):
        return
    if isinstance(y, Mapping) or _is_list_of_outputs(y, n_samples):
        raise ValueError(
            f"y is a {type(y).__name__} of several outputs, but an estimator has one target. Fit "
            "one estimator for each, or pass an indicator matrix of 0 and 1 with a column a label."
        )
    if isinstance(y, np.ma.MaskedArray):
        _check_gaps(np.ma.getmaskarray(y), "a masked entry")
    dtype = getattr(y, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biu":  # pandas's own may have gaps
        _check_indicators(y)
        return
    values = _values(y)
    if values.dtype.kind == "f":
        _check_gaps(np.isnan(values), "NaN")
        _check_indicators(values)
    elif values.dtype.kind == "O":
        _check_objects(values)
    elif values.dtype.kind in "US" and values.ndim == 2 and values.shape[1] > 1:
        _refuse_tags(values[0].tolist())


def warn_of_unknown(y: np.ndarray, labels: np.ndarray) -> None:
    """Warn where -1 stands beside the classes 0 and 1, and becomes a class of its own."""
    if y.ndim == 1 and y.dtype.kind in "if" and np.array_equal(labels, (-1, 0, 1)):
        warn_user(
            f"y has the label -1 {int((y == -1).sum())} times beside 0 and 1, and it is taken for "
            "a third class. If it marks samples of unknown class, leave them out: known = y >= 0; "
            "X[known], y[known]."
        )


def warn_of_unlabelled(y: np.ndarray) -> None:
    """Warn where masks have the label 255 beside classes that are counted from 0."""
    if y.dtype.kind not in "iuf" or not y.size or y.max() != 255:
        return
    labels = np.unique(y)
    if np.array_equal(labels[:-1], np.arange(len(labels) - 1)) and len(labels) > 2:
        warn_user(
            f"y has the label 255 in {int((y == 255).sum())} pixels beside 0 to {int(labels[-2])}, "
            "and it is taken for another class. If it marks pixels of unknown class, set "
            "ignore_label=255."
        )


def check_masks_of_classes(y: np.ndarray) -> None:
    """Raise a ValueError for masks of black and white that a file format or a resize has blurred.

    Parameters
    ----------
    y : ndarray of shape (n, height, width)
    """
    if y.dtype.kind not in "iuf" or not y.size or y.max() > 255 or y.max() < _LIGHT:
        return
    labels, counts = np.unique(y, return_counts=True)
    if len(labels) < 3 or labels[0] < 0 or labels[0] > _DARK:
        return
    ends = (labels <= _DARK) | (labels >= _LIGHT)
    whitish = ((labels >= _LIGHT) & (labels < 255)).any()  # 255 alone marks pixels to ignore
    pure = counts[(labels == 0) | (labels == 255)].sum() / counts.sum()
    if ends.all() and whitish:
        cause = "near 0 and 255, as masks of two classes that were saved as JPEG have"
    elif whitish and len(labels) >= _MANY and pure >= 0.8:
        cause = "from 0 to 255, as masks of two classes that were resized with interpolation have"
    else:
        return
    raise ValueError(
        f"y has {len(labels)} different labels {cause}. Pass y > 127; save masks as PNG and resize "
        "them by the nearest pixel. Labels that are meant have to be numbered from 0 up."
    )


def _values(y: Labels) -> np.ndarray:
    """Return y as an array in which every entry has the type it came with."""
    if not isinstance(y, (list, tuple)):
        return np.asarray(y)
    types = set(map(type, y))
    if not any(issubclass(kind, _SEQUENCES) for kind in types):
        # np.asarray would make text of numbers beside text
        several = len(types) > 1 or not issubclass(next(iter(types), int), (Number, str))
        return np.fromiter(y, dtype=object, count=len(y)) if several else np.asarray(y)
    lengths = {len(entry) if isinstance(entry, _SEQUENCES) else -1 for entry in y}
    unordered = any(issubclass(kind, (set, frozenset)) for kind in types)
    if len(lengths) > 1 or unordered:
        return np.fromiter(y, dtype=object, count=len(y))
    rows = [[*row] for row in y]
    of_rows = {type(entry) for row in rows for entry in row}
    return np.array(rows, dtype=object if len(of_rows) > 1 else None)


def _check_objects(values: np.ndarray) -> None:
    entries = values.ravel()
    types = set(map(type, entries))
    if any(issubclass(kind, _SEQUENCES) for kind in types):
        tags = [entry for entry in entries if isinstance(entry, _SEQUENCES)]
        _refuse_tags(next((tag for tag in tags if len(tag)), tags[0]))
    if any(kind.__name__ in _GAPS or issubclass(kind, _FLOATS) for kind in types):
        gaps = np.array([is_gap(entry) for entry in entries], dtype=bool)
        if gaps.any():
            shown = repr(entries[np.argmax(gaps)])
            _check_gaps(gaps.reshape(values.shape), "NaN" if "nan" in shown else shown)
    texts = any(issubclass(kind, (str, bytes)) for kind in types)
    if texts and any(issubclass(kind, (Number, np.bool_)) for kind in types):
        text = [entry for entry in entries if isinstance(entry, (str, bytes))]
        other = next(entry for entry in entries if isinstance(entry, (Number, np.bool_)))
        raise ValueError(
            f"y mixes labels that cannot be sorted: the text {text[0]!r} ({len(text)} times) and "
            f"numbers such as {other!r}. If the text marks unknown labels, leave those samples "
            "out; otherwise make all labels text, as [str(label) for label in y]."
        )
    if texts and values.ndim == 2 and values.shape[1] > 1:
        _refuse_tags(values[0].tolist())
    if not texts and values.ndim == 2 and all(issubclass(k, (Real, np.bool_)) for k in types):
        _check_indicators(values.astype(np.float64))


def _check_gaps(gaps: np.ndarray, shown: str) -> None:
    n = int(gaps.any(axis=tuple(range(1, gaps.ndim))).sum())
    if not n:
        return
    where, cure = f"{n} of {len(gaps)} samples", _REST
    if gaps.ndim > 1 and gaps.shape[1] > 1:
        where = f"{n} of {len(gaps)} rows of an indicator matrix"
        cure = "Leave these rows out, or fit a label at a time on the rows where it is known."
    raise ValueError(f"Input y contains NaN: {shown} in the place of a label in {where}. {cure}")


def _check_indicators(y: Any) -> None:
    """Raise a ValueError for -1 in a matrix that otherwise holds 0 and 1."""
    if getattr(y, "ndim", 1) != 2:
        return
    values = np.asarray(y)
    if values.shape[1] < 2 or not len(values) or values.min() != -1:
        return
    shown = np.unique(values)
    if len(shown) > 1 and np.isin(shown, (-1, 0, 1)).all():
        n = int((values == -1).any(axis=1).sum())
        cure = (
            "If it means no, pass (y > 0).astype(int)."
            if 0 not in shown
            else "If it marks unknown labels, leave those rows out, as with known = (y >= 0).all("
            "axis=1), or fit a label at a time on the rows where it is known; if it means no, pass "
            "(y > 0).astype(int)."
        )
        raise ValueError(
            f"y is an indicator matrix with the values {shown.tolist()}, -1 in {n} of "
            f"{len(values)} rows. Accepted are 0 and 1. {cure}"
        )


def _refuse_tags(tags: Any) -> None:
    items = tags.tolist() if isinstance(tags, np.ndarray) else [*tags]
    raise ValueError(
        f"Unknown label type: y has several labels a sample, such as {items[:3]}. Make an "
        "indicator matrix: sklearn.preprocessing.MultiLabelBinarizer().fit_transform(y). "
        "Columns that are targets of their own need an estimator each, as with "
        "sklearn.multioutput.MultiOutputClassifier."
    )


def _is_list_of_outputs(y: Labels, n_samples: int | None) -> bool:
    """Whether y is a list of arrays with a label of every sample each."""
    if n_samples is None or not isinstance(y, (list, tuple)) or not 1 < len(y) < n_samples:
        return False
    return all(hasattr(part, "shape") and np.shape(part)[:1] == (n_samples,) for part in y)


def is_gap(entry: Any) -> bool:
    """Whether this is None, NaN, or another mark for a missing value."""
    missing = type(entry).__name__ in _GAPS
    return missing or (isinstance(entry, _FLOATS) and bool(entry != entry))
