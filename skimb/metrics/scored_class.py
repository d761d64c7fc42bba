"""Choice of the positive class for a score of one class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skimb._types import Label


def scored_class(
    classes: ArrayLike, class_counts: ArrayLike, pos_label: Label, y: ArrayLike
) -> int:
    """Return the position in `classes` of the class whose F1 is the score for `y`.

    It is the position of `pos_label`, with one exception for two classes. After a sampler in a
    pipeline, such as SMOTE, the training samples do not show which class is rare. So if neither
    class has less than a third of the training samples while one has less than a third of `y`, it
    is that class.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
        Sorted labels, such as ``classes_``; for an indicator target the positions of its columns.
    class_counts : array-like of shape (n_classes,) or (n_labels, 2)
        Summed sample weights of the training samples, such as ``class_counts_``. Those of an
        indicator target have two axes.
    pos_label : label
        One of the classes, such as ``minority_class_``.
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Labels to score.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If `pos_label` is not among the classes.

    Examples
    --------
    >>> from skimb.metrics.scored_class import scored_class
    >>> scored_class(["bad", "good"], [10, 90], "bad", ["good", "good", "bad"])
    0
    >>> scored_class(["bad", "good"], [90, 90], "good", ["good"] * 9 + ["bad"])
    0
    """
    known, counts = np.asarray(classes), np.asarray(class_counts)
    if len(known) == 2 and counts.ndim == 1:
        in_y = np.array([np.sum(np.asarray(y) == label) for label in known])
        if 0 < 3 * in_y.min() < in_y.sum() and 3 * counts.min() >= counts.sum():
            return int(np.argmin(in_y))
    found = np.flatnonzero(known == pos_label)
    if not len(found):
        raise ValueError(f"pos_label={pos_label!r} is not among the classes {known.tolist()}.")
    return int(found[0])
