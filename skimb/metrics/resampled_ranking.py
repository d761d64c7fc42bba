"""Average precision and ROC AUC of many bootstrap samples at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[..., Any]


def ranking_statistic(
    scoring: str, scores: NDArray[np.float64], weight: NDArray[np.float64]
) -> Statistic:
    """Return a vectorised statistic of positions, for :func:`scipy.stats.bootstrap`.

    Parameters
    ----------
    scoring : {"average_precision", "roc_auc"}
    scores, weight : ndarray of shape (n_samples,)

    Returns
    -------
    callable
        ``statistic(negatives, positives, axis=-1)``, where both are positions of samples, of shape
        (..., n). It returns scores of shape (...). Scores that are equal are not ranked.
    """
    ranks = np.unique(-scores, return_inverse=True)[1].ravel()
    n_ranks = int(ranks.max()) + 1

    def mass(positions: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the weight of the positions at each rank, the highest score first."""
        rows = positions.reshape(-1, positions.shape[-1])
        offsets = n_ranks * np.arange(len(rows))[:, np.newaxis]
        cells = (offsets + ranks[rows]).ravel()
        counted = np.bincount(cells, weight[rows].ravel(), len(rows) * n_ranks)
        return counted.astype(np.float64).reshape(*positions.shape[:-1], n_ranks)

    def statistic(negatives: NDArray[np.intp], positives: NDArray[np.intp], axis: int = -1) -> Any:
        negative, positive = mass(negatives), mass(positives)
        hits = np.cumsum(positive, axis=-1)
        total = hits[..., -1]
        if scoring == "roc_auc":
            below = np.cumsum(negative[..., ::-1], axis=-1)[..., ::-1]
            won = np.sum(positive * (below - negative / 2), axis=-1)
            return won / (total * below[..., 0])
        flagged = hits + np.cumsum(negative, axis=-1)
        precision = np.divide(hits, flagged, np.zeros_like(hits), where=flagged > 0)
        return np.sum(positive * precision, axis=-1) / total

    return statistic
