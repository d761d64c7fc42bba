"""Scores of predicted labels of many bootstrap samples at once, from sums of their counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[..., Any]

#: names of the scores that are means of a ratio of counts over the classes or labels
OF_COUNTS = ("f1", "precision", "recall", "jaccard", "balanced_accuracy")


def count_statistic(
    scoring: str,
    true: NDArray[np.bool_],
    found: NDArray[np.bool_],
    weight: NDArray[np.float64],
    *,
    every_label: bool,
) -> Statistic:
    """Return a vectorised statistic of positions, for :func:`scipy.stats.bootstrap`.

    Parameters
    ----------
    scoring : {"f1", "precision", "recall", "jaccard", "balanced_accuracy"}
    true, found : ndarray of bool of shape (n_samples, n_labels)
        Which samples are of each class or label, and for which that is predicted.
    weight : ndarray of shape (n_samples,)
    every_label : bool
        Whether a label that occurs in neither counts as 0, as for indicator matrices, or is left
        out of the mean, as a class is.

    Returns
    -------
    callable
        ``statistic(*strata, axis=-1)``, where each holds positions of samples, of shape (..., n).
        It returns scores of shape (...).
    """
    n, n_labels = true.shape
    counted = np.concatenate([true & found, true, found], axis=1) * weight[:, np.newaxis]

    def statistic(*strata: NDArray[np.intp], axis: int = -1) -> Any:
        positions = np.concatenate(strata, axis=-1)
        rows = positions.reshape(-1, positions.shape[-1])
        cells = (n * np.arange(len(rows))[:, np.newaxis] + rows).ravel()
        drawn = np.bincount(cells, minlength=n * len(rows)).reshape(len(rows), n)
        sums = (drawn.astype(np.float64) @ counted).reshape(*positions.shape[:-1], 3, n_labels)
        hits, positive, flagged = np.moveaxis(sums, -2, 0)
        among = {
            "f1": (positive + flagged) / 2,
            "precision": flagged,
            "jaccard": positive + flagged - hits,
        }.get(scoring, positive)
        shares = np.divide(hits, among, np.zeros_like(hits), where=among > 0)
        if every_label:
            return shares.mean(axis=-1)
        occurs = positive > 0 if scoring == "balanced_accuracy" else positive + flagged > 0
        return np.sum(shares * occurs, axis=-1) / occurs.sum(axis=-1)

    return statistic
