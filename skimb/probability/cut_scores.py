"""Scores of predictions from counts, and of every cut between two predictions from one sort."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
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

    def support(self) -> Floats:
        return np.bincount(self.codes, self.weight, len(self.classes)).astype(np.float64)

    def score(self, predicted: Codes) -> float:
        nothing = np.empty(0, dtype=np.intp)
        return float(self.scores_at(np.array([0]), nothing, 0, predicted)[0])

    def scores_at(self, stops: Codes, order: Codes, k: int, rivals: Codes) -> Floats:
        """Score class k for the first `stops` samples of `order` and `rivals` for the others."""
        if isinstance(self.metric, str):
            return self._scores_of_counts(self.metric, stops, order, k, rivals)
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
        self, metric: str, stops: Codes, order: Codes, k: int, rivals: Codes
    ) -> Floats:
        """Add up what each sample changes, in the counts of its rival and in those of class k.

        A sample that goes to class k changes the counts of one other class alone. Grouped by
        their rival, samples leave its counts one after another, so that time and memory of all
        cuts are those of the sort, whatever the number of classes.
        """
        support = self.support()
        weight = np.ones(len(rivals)) if self.weight is None else self.weight
        hits = np.bincount(rivals, weight * (rivals == self.codes), len(support))
        predicted = np.bincount(rivals, weight, len(support))
        if not len(order):
            sums = _summands(metric, hits, predicted, support, np.arange(len(support))).sum(axis=1)
            return _score_of_sums(metric, sums[:, np.newaxis], support)
        taken, codes = rivals[order], self.codes[order]
        weight = weight[order]
        grouped = np.argsort(taken, kind="stable")
        group, leaving = taken[grouped], weight[grouped]
        size = np.bincount(taken, minlength=len(support))
        end = np.cumsum(size)
        first = np.flatnonzero(np.diff(group, prepend=-1))
        left = []
        for gone in (leaving * (group == codes[grouped]), leaving):
            # a class that every sample has left ends at 0 exactly: its total is the same sum
            total = np.cumsum(gone)
            before = np.concatenate([[0.0], total])[end - size]
            left.append((np.concatenate([[0.0], total])[end] - before)[group] - total)
            left[-1] += before[group]
        after = _summands(metric, left[0], left[1], support, group)
        before_any = _summands(metric, hits, predicted, support, np.arange(len(support)))
        change = np.diff(after, axis=1, prepend=0.0)
        change[:, first] = after[:, first] - before_any[:, group[first]]
        others = np.zeros((len(change), len(order) + 1))
        others[:, 1 + grouped] = change
        np.cumsum(others, axis=1, out=others)
        joined = [
            np.concatenate([[0.0], np.cumsum(weight * (codes == k))])[stops] + hits[k],
            np.concatenate([[0.0], np.cumsum(weight)])[stops] + predicted[k],
        ]
        base = before_any.sum(axis=1) - before_any[:, k]
        own = _summands(metric, *joined, support, np.full(len(stops), k))
        return _score_of_sums(metric, base[:, np.newaxis] + others[:, stops] + own, support)


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
    denominator = {
        "f1": (predicted + own) / 2,
        "jaccard": predicted + own - hits,
        "precision": predicted,
        "recall": own,
    }[base]
    values = _ratio(hits, denominator)
    if average == "weighted":
        return (values * own)[np.newaxis]
    if not average and len(support) == 2:
        return (values * (of == 1))[np.newaxis]
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
        # rounding can leave a little less than nothing
        spread = np.sqrt(np.maximum(spread, 0)) * np.sqrt(support @ (total - support))
        return _ratio(hits * total - expected, spread)
    return sums[0] if len(sums) == 1 else sums[0] / sums[1]


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
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


def best(values: Floats) -> Codes:
    """Return the positions of the highest score."""
    if np.isneginf(values).all():
        raise ValueError("metric is nan for all predictions at any threshold. Choose another one.")
    return np.flatnonzero(np.isclose(values, values.max(), rtol=TIED, atol=TIED))
