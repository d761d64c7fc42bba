"""Predicted labels or probabilities beside true labels, told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skimb._types import Label
from skimb.probability.checks import Floats, checked_floats, checked_proba


def classes_of(
    labels: NDArray[Any], given: NDArray[Any], classes: ArrayLike | None
) -> tuple[NDArray[Any], bool]:
    """Return the classes, and whether probabilities are given rather than labels.

    An array of two axes holds probabilities, and so does one of floats that are not all classes.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
    given : ndarray of shape (n_samples,) or (n_samples, n_classes)
    classes : array-like or None
        None: those in `labels` and, if it holds labels, in `given`, sorted.
    """
    known = np.unique(labels) if classes is None else np.asarray(classes)
    if given.ndim == 2:
        return known, True
    numeric = given.dtype.kind == "f"
    if numeric and (known.dtype.kind not in "biuf" or not np.isin(given, known).all()):
        return known, True
    if classes is None:
        known = np.unique(np.concatenate([known, np.unique(given)]))
    return known, False


def position_of(pos_label: Label, known: NDArray[Any]) -> int:
    """Return the position of the positive class, the last by default.

    Raises
    ------
    ValueError
        If there are more than two classes, or it is not one of them.
    """
    if pos_label is None:
        return len(known) - 1
    if len(known) != 2 or pos_label not in known.tolist():
        raise ValueError(
            f"pos_label={pos_label!r} is not accepted for the classes {known.tolist()}. It must "
            "be None, or one of two classes."
        )
    return known.tolist().index(pos_label)


def codes_of(labels: NDArray[Any], known: NDArray[Any], name: str) -> NDArray[np.intp]:
    """Return the positions of labels among the classes.

    Raises
    ------
    ValueError
        If a label is not among them, or they are not distinct.
    """
    same = labels[:, np.newaxis] == known
    if not (same.sum(axis=1) == 1).all():
        raise ValueError(
            f"{name} holds {np.unique(labels)[:10].tolist()}, but classes is {known.tolist()}. "
            "These must be distinct and hold all labels."
        )
    return np.argmax(same, axis=1)


def columns_of(p: ArrayLike, positive: int, n_classes: int | None = None) -> Floats:
    """Return a column of probabilities for each class.

    Parameters
    ----------
    p : array-like of shape (n_samples,) or (n_samples, n_classes)
    positive : int
        Position of the class that 1-D probabilities are of.
    n_classes : int or None, default=None
        The number of columns there must be.

    Raises
    ------
    ValueError
        If `p` does not hold probabilities, or there is another number of columns.
    """
    proba = checked_proba(checked_floats(p, "p"), multilabel=False, name="p")
    if proba.ndim == 1:
        both = np.column_stack([1 - proba, proba])
        proba = both if positive == 1 else both[:, ::-1]
    if n_classes not in (None, proba.shape[1]):
        raise ValueError(
            f"The probabilities have the shape {np.shape(p)}, but there are {n_classes} classes. "
            "Accepted are labels, (n_samples,) for two classes, and a column per class; classes= "
            "names those that y lacks."
        )
    return proba
