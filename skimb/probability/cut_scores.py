"""Scores of predictions from counts, and of every cut between two predictions from one sort."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from skimb.probability.checks import Floats

Codes = NDArray[np.integer[Any]]
Metric = str | Callable[..., float]

OF_A_CLASS = ("f1", "jaccard", "precision", "recall")
OF_COUNTS = {f"{name}{mean}" for name in OF_A_CLASS for mean in ("", "_macro", "_weighted")}
OF_COUNTS |= {"accuracy", "balanced_accuracy", "matthews_corrcoef"}
OF_COUNTS |= {f"{name}_micro" for name in OF_A_CLASS}

# scores that differ by less are one score: sums over many samples are rounded
TIED = 1e-13


@dataclass(frozen=True)
class Rows:
    """Labelled samples, with the metric that scores predictions for them."""

    classes: NDArray[Any]
    codes: Codes
    weight: Floats | None
    metric: Metric

    @cached_property
    def support(self) -> Floats:
        """Samples of each class, or their weight."""
        return np.bincount(self.codes, self.weight, len(self.classes)).astype(np.float64)

    def counts(self, predicted: Codes) -> tuple[Floats, Floats]:
        """Return for each class its samples among those predicted, and the samples predicted."""
        weight = np.ones(len(predicted)) if self.weight is None else self.weight
        n_classes, hit = len(self.classes), weight * (predicted == self.codes)
        found = (np.bincount(predicted, values, n_classes) for values in (hit, weight))
        hits, total = (values.astype(np.float64) for values in found)
        return hits, total

    def score(self, predicted: Codes) -> float:
        return float(self.scores_at(np.array([0]), predicted[:0].astype(np.intp), 0, predicted)[0])

    def scores_at(
        self,
        stops: Codes,
        order: Codes,
        k: int,
        rivals: Codes,
        counts: tuple[Floats, Floats] | None = None,
    ) -> Floats:
        """Score predictions of class k for some samples, and of another class for the others.

        Parameters
        ----------
        stops : ndarray of shape (n_cuts,)
            Numbers of samples that are predicted as class k.
        order : ndarray
            Positions of samples, some or all: class k is predicted for the first of them.
        k : int
        rivals : ndarray of shape (n_samples,)
            What is predicted for the others.
        counts : tuple, default=None
            Of the rivals, as :meth:`counts` returns them.

        Returns
        -------
        ndarray of shape (n_cuts,)
        """
        if isinstance(self.metric, str):
            counts = self.counts(rivals) if counts is None else counts
            return self._scores_of_counts(self.metric, stops, order, k, rivals[order], *counts)
        weight = {} if self.weight is None else {"sample_weight": self.weight}
        values, predicted = np.empty(len(stops)), rivals.copy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            for i, stop in enumerate(stops):
                predicted[order[:stop]] = k
                labels = self.classes[self.codes], self.classes[predicted]
                values[i] = self.metric(*labels, **weight)
        return np.where(np.isnan(values), -np.inf, values)

    def _scores_of_counts(
        self,
        metric: str,
        stops: Codes,
        order: Codes,
        k: int,
        rivals: Codes,
        hits: Floats,
        predicted: Floats,
    ) -> Floats:
        """Add up what each sample changes, in the counts of its rival and in those of class k.

        A sample that goes to class k changes the counts of one other class alone. Grouped by
        their rival, samples leave its counts one after another, so that time and memory of all
        cuts are those of a sort, whatever the number of classes.
        """
        support = self.support
        before = _summands(metric, hits, predicted, support, np.arange(len(support)))
        codes = self.codes[order]
        grouped = np.argsort(rivals, kind="stable")
        group = rivals[grouped]
        starts = np.empty(len(group), dtype=bool)
        starts[:1] = True
        np.not_equal(group[1:], group[:-1], out=starts[1:])
        first = np.flatnonzero(starts)
        left = self._left(order, grouped, group, first, hits, predicted)
        after = _summands(metric, left[0], left[1], support, group)
        change = np.empty_like(after)
        np.subtract(after[:, 1:], after[:, :-1], out=change[:, 1:])
        change[:, first] = after[:, first] - before[:, group[first]]
        others = np.zeros((len(change), len(order) + 1))
        others[:, 1 + grouped] = change
        np.cumsum(others, axis=1, out=others)
        others += (before.sum(axis=1) - before[:, k])[:, np.newaxis]
        own_hits, joined = np.empty(len(order) + 1), predicted[k] + stops
        own_hits[0], own_hits[1:] = hits[k], codes == k
        if self.weight is not None:
            weight = self.weight[order]
            own_hits[1:] *= weight
            joined = np.concatenate([predicted[k : k + 1], weight]).cumsum()[stops]
        joined_hits = np.cumsum(own_hits, out=own_hits)[stops]
        own = _summands(metric, joined_hits, joined, support, np.full(len(stops), k))
        return _score_of_sums(metric, others[:, stops] + own, support)

    def _left(
        self,
        order: Codes,
        grouped: Codes,
        group: Codes,
        first: Codes,
        hits: Floats,
        predicted: Floats,
    ) -> Floats:
        """Return the counts of rivals, as :meth:`counts`, after each sample that leaves them."""
        place = order[grouped]
        leavers = np.empty((2, len(group)))
        np.equal(group, self.codes[place], out=leavers[0])
        if self.weight is None:  # the counts are exact
            leavers[1] = np.arange(1, len(group) + 1)
            leavers[1] -= np.repeat(first, _sizes(first, len(group)))
            leavers[:1] = _running_sums(leavers[:1], first)
            return np.stack([hits[group], predicted[group]]) - leavers
        leavers[1] = self.weight[place]
        leavers[0] *= leavers[1]
        # a class that all samples leave ends at 0, not at the rounding error of two sums
        return _difference(np.stack([hits[group], predicted[group]]), _running_sums(leavers, first))


def _sizes(first: Codes, n: int) -> Codes:
    """Return the sizes of groups that begin at some of n positions."""
    ends = np.empty_like(first)
    ends[:-1], ends[-1:] = first[1:], n
    return ends - first


def _running_sums(values: Floats, first: Codes) -> Floats:
    """Return cumulative sums of each row that start again at some positions, the first one 0."""
    sums = np.cumsum(values, axis=1)
    before = np.zeros((len(values), len(first)))
    before[:, 1:] = sums[:, first[1:] - 1]
    return sums - np.repeat(before, _sizes(first, values.shape[1]), axis=1)


def _difference(total: Floats, gone: Floats) -> Floats:
    left = total - gone
    return np.where(left > 1e-12 * total, left, 0.0)


def _summands(name: str, hits: Floats, predicted: Floats, support: Floats, of: Codes) -> Floats:
    """Return what classes add to the sums that a score is made of, of shape (n_sums, n).

    Parameters
    ----------
    name : str
        One of `OF_COUNTS`.
    hits, predicted : ndarray of shape (n,)
        Of class ``of[i]``: its samples among those predicted, and the samples predicted.
    support : ndarray of shape (n_classes,)
        The samples of each class.
    of : ndarray of shape (n,)
        Positions of classes.
    """
    base, _, average = name.partition("_")
    own = support[of]
    if name == "accuracy" or average == "micro":
        return hits[np.newaxis]
    if name == "balanced_accuracy":
        return _ratio(hits, own)[np.newaxis]
    if name == "matthews_corrcoef":
        return np.stack([hits, predicted * own, predicted * (support.sum() - predicted)])
    if base == "f1":
        values = _ratio(hits, (predicted + own) / 2)
    elif base == "jaccard":
        values = _ratio(hits, predicted + own - hits)
    else:
        values = _ratio(hits, predicted if base == "precision" else own)
    if average == "weighted":
        return (values * own)[np.newaxis]
    if not average and len(support) == 2:
        return (values * (of == 1))[np.newaxis]
    if support.all():  # then every class counts in the mean, wherever the cut is
        return values[np.newaxis]
    return np.stack([values, (own > 0) | (predicted > 0)])


def _score_of_sums(name: str, sums: Floats, support: Floats) -> Floats:
    """Return scores from the sums over the classes, of shape (n_sums, n)."""
    base, _, average = name.partition("_")
    total = support.sum()
    if name == "accuracy" or average == "weighted":
        return sums[0] / total
    if average == "micro":
        return sums[0] / (2 * total - sums[0] if base == "jaccard" else total)
    if name == "balanced_accuracy":
        return sums[0] / np.count_nonzero(support)
    if name == "matthews_corrcoef":
        hits, expected, spread = sums
        # what rounding leaves of nothing, or a little less
        spread = np.where(spread > 1e-12 * total**2, spread, 0.0)
        spread = np.sqrt(spread) * np.sqrt(support @ (total - support))
        return _ratio(hits * total - expected, spread)
    if not average and len(support) == 2:
        return sums[0]
    return sums[0] / (len(support) if len(sums) == 1 else sums[1])


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    if denominator.min(initial=1.0) > 0:
        return numerator / denominator
    return np.divide(numerator, denominator, np.zeros_like(numerator), where=denominator > 0)


def cuts(scores: Floats, lowest: float, highest: float) -> tuple[Codes, Codes, Floats]:
    """Return samples by descending score, and for each cut the number above it and threshold."""
    order = np.argsort(-scores)
    # no cut excludes a score of inf or includes one of -inf
    padded = np.concatenate([[np.inf], scores[order], [-np.inf]])
    stops = np.flatnonzero(padded[:-1] > padded[1:])
    above, below = np.minimum(padded[stops], highest), np.maximum(padded[stops + 1], lowest)
    middle = below + (above - below) / 2
    return order, stops, np.where(middle > below, middle, above)


def all_cuts(scores: Floats) -> tuple[Codes, Codes, Floats]:
    """Return the cuts of two classes from no sample positive to all, as :func:`cuts` does.

    Thresholds of probabilities are in [0, 1], except above a probability of 1.
    """
    low, high, above = scores.min(), scores.max(), np.nextafter(scores.max(), np.inf)
    if in_unit_interval(scores):
        return cuts(scores, 0.0, max(1.0, above))
    return cuts(scores, low - 1, max(high + 1, above))


def in_unit_interval(scores: Floats) -> bool:
    return bool(scores.min() >= 0 and scores.max() <= 1)


def best(values: Floats) -> Codes:
    """Return the positions of the highest score."""
    if np.isneginf(values).all():
        raise ValueError("metric is nan for all predictions at any threshold. Choose another one.")
    highest = values.max()
    return np.flatnonzero(values >= highest - TIED * max(1, abs(highest)))
