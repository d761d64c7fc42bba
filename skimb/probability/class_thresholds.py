"""Thresholds of more than two classes, by coordinate ascent over the classes."""

import numpy as np
from scipy.special import softmax

from skimb.probability.checks import Floats
from skimb.probability.cut_scores import TIED, Codes, Rows, best, cuts

# entries of a table that are copied at a time
_BLOCK = 2**20


def class_thresholds(rows: Rows, proba: Floats) -> Floats:
    """Return thresholds t, which sum to 1, for the prediction argmax_k p_k / t_k."""
    support = rows.support()
    chosen = np.full(len(support), 1 / len(support))
    reached = rows.score(np.argmax(proba, axis=1))
    with np.errstate(divide="ignore"):
        log_proba = np.log(proba)
    for start in (chosen, np.where(support > 0, support, support[support > 0].min())):
        offsets = _ascended(rows, log_proba, np.log(start))
        found = softmax(offsets)
        if not found.all():
            continue
        score = rows.score(most_above(proba, found))
        if score > reached + TIED * max(1, abs(reached)):
            chosen, reached = found, score
    return chosen


def most_above(proba: Floats, thresholds: Floats) -> Codes:
    """Return the classes of highest p / t."""
    # factors <= 1 cannot overflow, and with equal thresholds the probabilities are unchanged
    return np.argmax(proba * (thresholds.min() / thresholds), axis=1)


def _ascended(rows: Rows, log_proba: Floats, offsets: Floats) -> Floats:
    """Return offsets with which the classes of highest ``log_proba - offsets`` score best."""
    tops = _Tops(log_proba, offsets)
    reached, unchanged = rows.score(tops.classes[0]), 0
    tuned = np.flatnonzero(rows.support())
    while unchanged < len(tuned):
        k, tuned, unchanged = tuned[0], np.roll(tuned, -1), unchanged + 1
        rivals, margins = tops.without(k)
        finite = margins[np.isfinite(margins)]
        edges = finite.min(initial=offsets[k]) - 1, finite.max(initial=offsets[k]) + 1
        order, stops, thresholds = cuts(margins, *edges)
        values = rows.scores_at(stops, order, k, rivals)
        tied = best(values)
        if values.max() > reached + TIED * max(1, abs(reached)):
            nearest = tied[np.argmin(np.abs(thresholds[tied] - offsets[k]))]
            reached, unchanged = values[nearest], 1
            tops.move(k, thresholds[nearest])
    return offsets


class _Tops:
    """The two best classes of each sample, kept while the offset of one class after another moves.

    Parameters
    ----------
    log_proba : ndarray of shape (n_samples, n_classes)
    offsets : ndarray of shape (n_classes,)
        Changed in place.
    """

    def __init__(self, log_proba: Floats, offsets: Floats) -> None:
        self.log_proba, self.offsets = log_proba, offsets
        n_rows, n_classes = log_proba.shape
        # small integers are grouped in linear time
        kind = np.uint16 if n_classes <= 2**16 else np.int64
        self.classes = np.empty((2, n_rows), dtype=kind)
        self.values = np.empty((2, n_rows))
        self._find(np.arange(n_rows))

    def without(self, k: int) -> tuple[Codes, Floats]:
        """Return the best class besides k, and by how much class k exceeds it before its offset."""
        is_first = self.classes[0] == k
        rivals = np.where(is_first, self.classes[1], self.classes[0])
        return rivals, self.log_proba[:, k] - np.where(is_first, *self.values[::-1])

    def move(self, k: int, offset: float) -> None:
        """Give class k another offset."""
        self.offsets[k] = offset
        changed = (self.classes == k).any(axis=0)
        changed |= self.log_proba[:, k] - offset >= self.values[1]
        self._find(np.flatnonzero(changed))

    def _find(self, rows: Codes) -> None:
        step = max(1, _BLOCK // len(self.offsets))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            scores, each = self.log_proba[some] - self.offsets, np.arange(len(some))
            for place in range(2):
                found = np.argmax(scores, axis=1)
                self.classes[place, some] = found
                self.values[place, some] = scores[each, found]
                scores[each, found] = -np.inf
