"""The weights an estimator trains with: from its parameters and counts to a weight for each row."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from skimb.data.targets import Target
from skimb.weighting import (
    class_weights_from_counts,
    label_weights_from_counts,
    pos_weights_from_counts,
)


def pos_weight_used(
    target: Target, counts: np.ndarray, class_weight: Any, pos_weight: Any, power: float
) -> float | np.ndarray | None:
    """Return the weight of the positives that the parameter `pos_weight` amounts to.

    Parameters
    ----------
    target : Target
    counts : ndarray of shape (n_classes,) or (n_labels, 2)
        Summed sample weights.
    class_weight, pos_weight, power
        The parameters ``class_weight``, ``pos_weight`` and ``weight_power``.

    Returns
    -------
    float, ndarray of shape (n_labels,) or None
        None if `pos_weight` is None.

    Raises
    ------
    ValueError
        If both kinds of weight are set, the target has more than two classes, or the numbers are
        not accepted.
    """
    if pos_weight is None:
        return None
    # Two schemes balance twice, and two numbers are one number. Costs of the user's own on top of
    # pos_weight="balanced" are neither; scikit-learn's checks set them on any estimator.
    costs_on_top = isinstance(pos_weight, str) and not isinstance(class_weight, str)
    if class_weight is not None and not costs_on_top:
        raise ValueError(
            f"pos_weight={pos_weight!r} and class_weight={class_weight!r} weight the same thing "
            "twice ('auto', the default of class_weight, is 'balanced' too). Set class_weight=None "
            "to use pos_weight, or pos_weight=None."
        )
    if target.kind not in ("binary", "multilabel"):
        raise ValueError(
            f"Only binary classification is supported with pos_weight={pos_weight!r} (and "
            f"indicator targets), but y has {len(target.classes_)} classes. Use class_weight."
        )
    negatives, positives = counts.T
    if isinstance(pos_weight, str):
        given = pos_weights_from_counts(negatives, positives)
    else:
        given = np.asarray(pos_weight, dtype=np.float64)
        accepted = given.shape in ((), np.shape(negatives))
        if not (accepted and np.all(np.isfinite(given)) and np.all(given > 0)):
            n_labels = np.size(negatives)
            raise ValueError(
                f"pos_weight={pos_weight!r} is not accepted. It has to be 'balanced', a finite "
                f"number above 0, or one such number for each of {n_labels} labels."
            )
        if target.kind == "binary" and given > 1 and positives > negatives:
            common, rare = target.classes_[[1, 0]].tolist()
            warnings.warn(
                f"pos_weight={pos_weight!r} raises the weight of {common!r}, the positive class by "
                f"its place in classes_, which is not the rare one. To raise that of {rare!r}, use "
                f"class_weight={{{rare!r}: {pos_weight!r}}}.",
                UserWarning,
                stacklevel=4,
            )
    weights = np.broadcast_to(given, np.shape(negatives)) ** power
    return float(weights) if weights.ndim == 0 else weights


def class_weight_used(
    target: Target,
    counts: np.ndarray,
    class_weight: Any,
    pos_weight: float | np.ndarray | None,
    power: float,
) -> dict[Any, float] | np.ndarray:
    """Return the weights of the classes, or of 0 and 1 for each label.

    Parameters
    ----------
    target, counts, class_weight, power
        As in :func:`pos_weight_used`.
    pos_weight : float, ndarray or None
        What :func:`pos_weight_used` returned.

    Returns
    -------
    dict, or ndarray of shape (n_labels, 2)
    """
    if target.kind == "multilabel":
        negatives, positives = counts.T
        table = label_weights_from_counts(negatives, positives, class_weight, power=power)
        if pos_weight is not None:
            table[:, 1] *= pos_weight
        return table
    weights = class_weights_from_counts(target.classes_, counts, class_weight, power=power)
    if pos_weight is not None:
        weights[list(weights)[1]] *= float(pos_weight)
    return weights


def row_weights(
    codes: np.ndarray,
    sample_weight: np.ndarray,
    class_weight: dict[Any, float] | np.ndarray,
    counts: np.ndarray,
    n_rows: int,
) -> np.ndarray:
    """Return the weight of each row, or of each label of a row, with mean 1 over all counted rows.

    Parameters
    ----------
    codes : ndarray of shape (n,), (n, n_labels), or (n, n_classes) for candidates
    sample_weight : ndarray of shape (n,)
    class_weight : dict, or ndarray of shape (n_labels, 2)
        What :func:`class_weight_used` returned, in the order of the codes.
    counts : ndarray of shape (n_classes,) or (n_labels, 2)
        Summed sample weights of all rows that were counted.
    n_rows : int
        How many rows that were.

    Returns
    -------
    ndarray of shape (n,), or (n, n_labels) where the labels' weights differ
    """
    # weights may be as large or as small as floats get, their ratios are what counts
    mean_weight = counts.sum() / n_rows / (1 if counts.ndim == 1 else len(counts))
    sample_weight, counts = sample_weight / mean_weight, counts / mean_weight
    if isinstance(class_weight, dict):
        table = np.array(list(class_weight.values()))
        # several candidates have the mean of their weights
        of_row = table[codes] if codes.ndim == 1 else codes @ table / codes.sum(axis=1)
        weights = of_row * sample_weight
        total = (counts * table).sum()
    else:
        table = class_weight
        weights = np.where(codes == 1, table[:, 1], table[:, 0]) * sample_weight[:, np.newaxis]
        total = (counts * table).sum() / len(table)
        if np.all(table == table[0, 0]):
            weights = weights[:, 0]
    return weights * (n_rows / total) if total else weights


def unweighted(
    codes: np.ndarray,
    sample_weight: np.ndarray,
    class_weight: dict[Any, float] | np.ndarray,
    counts: np.ndarray,
    n_rows: int,
) -> np.ndarray:
    """Return what :func:`row_weights` would without the weights of the classes, of shape (n,)."""
    if isinstance(class_weight, dict):
        one_each: Any = dict.fromkeys(class_weight, 1.0)
    else:
        one_each = np.ones_like(class_weight)
    return row_weights(codes, sample_weight, one_each, counts, n_rows)
