"""Thresholds of more than two classes, by coordinate ascent over the classes."""

import numpy as np
from scipy.special import softmax

from skimb.probability.checks import Floats
from skimb.probability.cut_scores import TIED, Codes, Rows, best, cuts

# up to this many samples times classes, all cuts of a class are tried; otherwise those with up to
# this many times the samples that the class has, or is predicted for
_ALL_CUTS, _TIMES = 2**16, 4

# up to this many, from two starts until no class improves; otherwise in so many rounds from the
# better start: of 100 classes the fourth round gains less than .001
_TO_THE_END, _ROUNDS, _STEPS = 2**18, 3, 100

# entries of a table that are copied at a time
_BLOCK = 2**20


def class_thresholds(rows: Rows, proba: Floats) -> Floats:
    """Return thresholds t, which sum to 1, for the prediction argmax_k p_k / t_k."""
    support = rows.support
    chosen = np.full(len(support), 1 / len(support))
    reached = rows.score(np.argmax(proba, axis=1))
    starts = [chosen, np.where(support > 0, support, support[support > 0].min())]
    if proba.size > _TO_THE_END:
        starts = starts[int(rows.score(most_above(proba, starts[1])) > reached) :][:1]
    with np.errstate(divide="ignore"):
        log_proba = np.log(proba)
    columns = np.ascontiguousarray(log_proba.T)
    for start in starts:
        found = softmax(_ascended(rows, log_proba, columns, np.log(start)))
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


def _ascended(rows: Rows, log_proba: Floats, columns: Floats, offsets: Floats) -> Floats:
    """Return offsets with which the classes of highest ``log_proba - offsets`` score best."""
    tops = _Tops(log_proba, columns, offsets)
    predicted = tops.classes[0]
    reached, counts, unchanged = rows.score(predicted), rows.counts(predicted), 0
    size = np.bincount(rows.codes, minlength=len(columns))
    tuned = np.flatnonzero(rows.support)
    limits = np.full(len(columns), np.inf)
    step, last = 0, _STEPS + _ROUNDS * len(tuned)
    while unchanged < len(tuned) and (step < last or log_proba.size <= _TO_THE_END):
        k = tuned[step % len(tuned)]
        step, unchanged = step + 1, unchanged + 1
        now = np.flatnonzero(predicted == k)
        rivals, margins = tops.without(k, now)
        wanted = max(_ALL_CUTS // len(columns), _TIMES * max(size[k], len(now)))
        near, limits[k] = _nearest(margins, limits[k], wanted)
        order, stops, thresholds = _cuts_of(margins, near, offsets[k])
        values = rows.scores_at(stops, order, k, rivals, _without(rows, counts, k, now, rivals))
        highest = values.max()
        if np.isneginf(highest) or highest > reached + TIED * max(1, abs(reached)):
            tied = best(values)
            nearest = tied[np.argmin(np.abs(thresholds[tied] - offsets[k]))]
            reached, unchanged = values[nearest], 1
            tops.move(k, thresholds[nearest])
            counts = rows.counts(predicted)
    return offsets


def _nearest(margins: Floats, limit: float, wanted: int) -> tuple[Codes, float]:
    """Return about as many samples as are wanted, of the highest margins, and the limit of these.

    The limit of the last time is tried first, which saves a sort.
    """
    if wanted >= len(margins):
        return np.arange(len(margins)), limit
    near = np.flatnonzero(margins >= limit)
    if not wanted / 2 <= len(near) <= 2 * wanted:
        limit = np.partition(margins, -wanted)[-wanted]
        near = np.flatnonzero(margins >= limit)
    return near, limit


def _cuts_of(margins: Floats, near: Codes, offset: float) -> tuple[Codes, Codes, Floats]:
    """Return the cuts between samples that are near, as :func:`cuts` does."""
    some = margins[near]
    finite = some[np.isfinite(some)]
    edges = finite.min(initial=offset) - 1, finite.max(initial=offset) + 1
    order, stops, thresholds = cuts(some, *edges)
    if len(near) < len(margins) and len(stops) > 1:
        # below the last of them lies one that is not among them
        stops, thresholds = stops[:-1], thresholds[:-1]
    return near[order], stops, thresholds


def _without(
    rows: Rows, counts: tuple[Floats, Floats], k: int, now: Codes, rivals: Codes
) -> tuple[Floats, Floats]:
    """Return the counts where the samples of class k go to their rivals."""
    weight = np.ones(len(now)) if rows.weight is None else rows.weight[now]
    hits, predicted = (values.copy() for values in counts)
    hits[k] = predicted[k] = 0.0
    to, n_classes = rivals[now], len(hits)
    hits += np.bincount(to, weight * (to == rows.codes[now]), n_classes)
    predicted += np.bincount(to, weight, n_classes)
    return hits, predicted


class _Tops:
    """The two best classes of each sample, kept while the offset of one class after another moves.

    Parameters
    ----------
    log_proba : ndarray of shape (n_samples, n_classes)
    columns : ndarray of shape (n_classes, n_samples)
        The same, with each class in one piece.
    offsets : ndarray of shape (n_classes,)
        Changed in place.
    """

    def __init__(self, log_proba: Floats, columns: Floats, offsets: Floats) -> None:
        self.log_proba, self.columns, self.offsets = log_proba, columns, offsets
        n_rows, n_classes = log_proba.shape
        # small integers are grouped in linear time
        kind = np.uint16 if n_classes <= 2**16 else np.int64
        self.classes = np.empty((2, n_rows), dtype=kind)
        self.values = np.empty((2, n_rows))
        self._find(np.arange(n_rows))

    def without(self, k: int, now: Codes) -> tuple[Codes, Floats]:
        """Return the best class besides k, and by how much class k exceeds it before its offset.

        Parameters
        ----------
        k : int
        now : ndarray
            Positions of the samples whose best class is k.
        """
        rivals, margins = self.classes[0].copy(), self.columns[k] - self.values[0]
        rivals[now] = self.classes[1, now]
        margins[now] = self.columns[k, now] - self.values[1, now]
        return rivals, margins

    def move(self, k: int, offset: float) -> None:
        """Give class k another offset."""
        self.offsets[k] = offset
        now = self.columns[k] - offset
        changed = (self.classes[0] == k) | (self.classes[1] == k)
        changed = np.flatnonzero(changed | (now >= self.values[1]))
        score, first = now[changed], self.classes[0, changed]
        high, low = self.values[:, changed]
        # Where no two scores are equal and k stays above the third class, whatever that is, the
        # two best follow from one comparison. The other samples are sorted anew.
        stays = (first == k) & (score > low)
        rises = (first != k) & (score > high)
        between = (first != k) & (score > low) & (score < high)
        self.values[0, changed[stays]] = score[stays]
        self.classes[1, changed[rises]], self.values[1, changed[rises]] = first[rises], high[rises]
        self.classes[0, changed[rises]], self.values[0, changed[rises]] = k, score[rises]
        self.classes[1, changed[between]], self.values[1, changed[between]] = k, score[between]
        self._find(changed[~(stays | rises | between)])

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
