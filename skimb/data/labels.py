"""Labels and masks as they come in: checked, and the kind of target that they are."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import keras
import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from skimb._types import Classes, Label, Labels
from skimb._warnings import warn_user
from skimb.data.label_checks import check_entries, check_masks_of_classes, warn_of_unknown
from skimb.data.pixel_targets import BinaryPixelsTarget, MulticlassPixelsTarget
from skimb.data.targets import (
    BinaryTarget,
    CandidatesTarget,
    MulticlassTarget,
    MultilabelTarget,
    ReconstructionTarget,
    Target,
    check_candidates,
    listed,
)


def in_order_of_columns(y: Labels, names: list[Any] | None) -> Labels:
    """Return an indicator matrix with its columns in the order of those in `fit`.

    Parameters
    ----------
    y : array-like
        Unchanged unless it is a data frame.
    names : list or None
        Of the columns in `fit`; None where they had no names.

    Raises
    ------
    ValueError
        If the columns have other names than in `fit`, or two of them the same.
    """
    found = _names_of_columns(y)
    if found is None or len(found) < 2:
        return y
    if len(set(found)) < len(found):
        twice = [name for name in dict.fromkeys(found) if found.count(name) > 1]
        raise ValueError(
            f"y has several columns with the name {listed(object_array(twice))}, so that labels "
            "cannot be told apart by name. Rename them, or pass y.to_numpy()."
        )
    if names is None or found == names:
        return y
    if set(found) == set(names):
        return y[names]
    # the names that pandas gives to columns without a name
    if list(range(len(found))) in (found, names) and len(found) == len(names):
        return y
    raise ValueError(
        f"y has the columns {listed(object_array(found))}, but in fit it had "
        f"{listed(object_array(names))}. Pass y with these columns, in any order, or y.to_numpy() "
        "in their order."
    )


def _of_one_type(y: np.ndarray) -> np.ndarray:
    """Return an array of objects that are all bools, or all integers, as an array of these."""
    if y.dtype.kind != "O":
        return y
    types = set(map(type, y.ravel()))
    for kind, dtype in ((bool, np.bool_), (Integral, np.int64)):
        if types and all(issubclass(found, (kind, dtype)) for found in types):
            of_bools = kind is not bool and any(issubclass(t, (bool, np.bool_)) for t in types)
            return y if of_bools else np.array(y.tolist())
    return y


def _names_of_columns(y: Labels) -> list[Any] | None:
    return list(y.columns) if hasattr(y, "columns") else None


def object_array(labels: Sequence[Any]) -> np.ndarray:
    """Return labels or names as an array in which each keeps its type."""
    array = np.empty(len(labels), dtype=object)
    array[:] = list(labels)
    return array


def checked_labels(y: Labels) -> np.ndarray:
    """Return y as a 1-D array of labels or a dense indicator matrix.

    Raises
    ------
    ValueError
        If y is neither.
    """
    check_entries(y)
    y = _of_one_type(y.toarray() if sp.issparse(y) else np.asarray(y))
    if y.ndim == 2 and y.shape[1] == 1:
        y = y.ravel()
        warn_user(
            "A column-vector y was passed when a 1d array was expected. Please change the shape of "
            "y to (n_samples, ), for example using ravel().",
            DataConversionWarning,
        )
    try:
        kind = type_of_target(y, input_name="y")
    except TypeError as error:
        raise ValueError(f"y mixes labels that cannot be sorted: {error}.") from error
    if kind == "multilabel-indicator":
        if not np.isin(y, (0, 1)).all():
            raise ValueError(
                f"y is an indicator matrix with the values {listed(np.unique(y))}. Accepted are 0 "
                "and 1: pass y > 0, for instance."
            )
        return y
    if kind == "unknown" and y.dtype.kind == "O" and y.ndim == 1:
        found = sorted({type(label).__name__ for label in y.tolist()})
        raise ValueError(
            f"Unknown label type: unknown. y holds objects of the type {' and '.join(found)}, such "
            f"as {y[0]!r}. Accepted are labels that are all numbers, all bools or all text: pass "
            "[str(label) for label in y], for instance."
        )
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"Unknown label type: {kind}. y has to hold class labels of shape (n_samples,) or be "
            "an indicator matrix of 0 and 1 of shape (n_samples, n_labels). Numbers that are "
            "measured are a regression target; several labels a row become an indicator matrix "
            "with sklearn.preprocessing.MultiLabelBinarizer."
        )
    return y


def checked_masks(y: Labels) -> np.ndarray:
    """Return masks as an array of labels of shape (n, H, W).

    Raises
    ------
    ValueError
        If y is not an array of masks, contains NaN, or holds measurements instead of labels.
    """
    if np.ma.is_masked(y):
        raise ValueError(
            f"y has {np.ma.count_masked(y)} masked pixels. Pixels of unknown class are left out by "
            "their weight: pass sample_weight=(~y.mask).astype(float), and y.data as y."
        )
    y = keras.ops.convert_to_numpy(y) if keras.ops.is_tensor(y) else np.asarray(y)
    if y.ndim == 4 and y.shape[-1] == 1:
        y = y[..., 0]
    if y.ndim != 3:
        single = " Give a single mask as y[np.newaxis], and its image as X[np.newaxis]."
        one_hot = " If it is one-hot, pass y.argmax(axis=-1)." if y.ndim == 4 else ""
        one_hot = " Pass y[:, 0]." if y.ndim == 4 and y.shape[1] == 1 else one_hot
        one_hot += " Volumes are not taken: pass their slices as images." if y.ndim > 3 else ""
        raise ValueError(
            f"y has the shape {y.shape}. Accepted are masks of shape (n, height, width) with a "
            f"label for each pixel.{one_hot}{single if y.ndim == 2 else ''}"
        )
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and np.array_equal(y, np.round(y))):
        raise ValueError(
            "y has numbers that are not labels: NaN, infinity, or fractions. Give each pixel the "
            "label of its class, such as y > 0.5."
        )
    check_masks_of_classes(y)
    if y.dtype.kind == "O":
        if (y != y).any():
            raise ValueError("y has NaN. Give each pixel the label of its class.")
        try:
            np.unique(y)
        except TypeError as error:
            raise ValueError(f"y mixes labels that cannot be sorted: {error}.") from error
    return y


def infer(
    y: np.ndarray,
    classes: Classes = None,
    kind: str = "auto",
    background: Label = None,
    sample_weight: np.ndarray | None = None,
    pos_label: Label = None,
) -> Target:
    """Return the kind of target that y is.

    Parameters
    ----------
    y : ndarray of shape (n_samples,), (n_samples, n_labels) or (n_images, height, width)
        As :func:`checked_labels` returns it; three axes are labels of pixels.
    classes : array-like or None, default=None
        All classes, where y may not show them all.
    kind : {"auto", "candidates", "reconstruction"}, default="auto"
        What an indicator matrix is, or whether samples are to be reconstructed.
    background : label or None, default=None
        Of masks, the class that is not foreground; None is 0 or False or the most common.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weights of two classes of which one is to be reconstructed.
    pos_label : label or None, default=None
        Of these, the one that is not reconstructed; None is the rarer by number of samples.

    Raises
    ------
    ValueError
        If there is one class only, or candidates are no indicator matrix.
    """
    if kind == "candidates":
        if y.ndim != 2:
            raise ValueError(
                f"target='candidates' takes an indicator matrix (n_samples, n_classes) with a 1 "
                f"for each acceptable class, but y has the shape {y.shape}. For one known class a "
                "row leave target at 'auto'."
            )
        if y.shape[1] < 3:
            raise ValueError(
                f"target='candidates' takes three classes or more, but y has {y.shape[1]} columns. "
                "Of two classes, a row with both says nothing: leave such rows out, and pass class "
                "labels."
            )
        check_candidates(y)
        _check_columns(y, classes)
        return CandidatesTarget(np.arange(y.shape[1]))
    if y.ndim == 2 and kind != "reconstruction":
        if y.shape[1] > 1 and np.all(y.sum(axis=1) == 1):
            warn_user(
                "y has exactly one 1 in every row and is taken for independent labels. If it is "
                "one-hot, with classes that exclude each other, pass y.argmax(axis=1).",
            )
        _check_columns(y, classes)
        return MultilabelTarget(np.arange(y.shape[1]))
    labels = np.unique(y if classes is None else column_or_1d(classes))
    if classes is None and kind == "auto":
        warn_of_unknown(y, labels)
    if len(labels) < 2:
        raise ValueError(
            f"y has the one class {listed(labels)}, but at least two classes are needed to "
            "learn what tells them apart (rows of weight 0 do not count)."
        )
    if kind == "reconstruction":
        return _anomalies(labels, y, sample_weight, pos_label)
    if y.ndim == 3:
        kinds = BinaryPixelsTarget, MulticlassPixelsTarget
        target = kinds[len(labels) > 2](labels, background=labels[0])
        counts = target.counts(target.codes(y), np.ones(len(y)))
        return target.with_background(background, counts)
    return BinaryTarget(labels) if len(labels) == 2 else MulticlassTarget(labels)


def _anomalies(
    labels: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, pos_label: Label
) -> Target:
    if len(labels) > 2 or y.ndim != 1:
        kind = "multilabel" if y.ndim > 1 else "multiclass"
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {kind}. For "
            "several classes take ImbalancedNNClassifier, or pass y == 'the rare one'."
        )
    codes = np.searchsorted(labels, y)
    if pos_label is not None and pos_label not in labels.tolist():
        raise ValueError(
            f"pos_label={pos_label!r} is not a class of y, which has {listed(labels)}."
        )
    rare = None if pos_label is None else labels.tolist().index(pos_label)
    return ReconstructionTarget(
        labels,
        np.bincount(codes, sample_weight, minlength=2),
        Target(labels).minority(np.bincount(codes, minlength=2)) if rare is None else rare,
    )


def _check_columns(y: np.ndarray, classes: Classes) -> None:
    if classes is not None and not np.array_equal(classes, np.arange(y.shape[1])):
        raise ValueError(
            f"classes={classes!r} does not go with an indicator matrix of {y.shape[1]} columns, "
            "whose classes are their positions. Leave it out."
        )
