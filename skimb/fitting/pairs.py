"""Pairs of features that decide together, with which trees of a cross-fitted ensemble begin.

Of hundreds of pairs, trees that begin with random ones find the few that count only where there are
many samples. As generalized additive models with pairs do [1]_, this looks at what a model without
pairs leaves unexplained in the cells of each pair of features.

References
----------
.. [1] Y. Lou, R. Caruana, J. Gehrke, G. Hooker, "Accurate Intelligible Models with Pairwise
   Interactions", KDD 2013.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from skimb import networks
from skimb.data.folds import Folds
from skimb.data.samples import Samples
from skimb.data.tables import FeatureEncoder
from skimb.fitting.defaults import TREES
from skimb.fitting.encoding import Encoder
from skimb.fitting.network import BuiltNetwork
from skimb.fitting.settings import Settings
from skimb.networks.trees import N_TREES

# Parts of a feature of numbers by itself and in a pair, and of one of categories, those of the
# largest weight and the rest
_PARTS, _PARTS_OF_PAIR, _CATEGORIES = 8, 5, 8

# Features that are paired, those with the largest effect of their own, and samples of each class
# that are looked at: the time grows with the square of the former and with the latter.
_MOST_FEATURES, _MOST_OF_CLASS = 64, 5000

# Inverse of the penalty on the effects of single features; of an effect's variance, what each cell
# counts besides its samples; and how many standard deviations of what chance makes of it a pair has
# to stand out
_C, _OF_CELL, _LEAST_SCORE = 0.1, 1.0, 0.5

# mean weight from which samples are sure enough: far above, rounding errors are all that is seen
_LARGEST_WEIGHT = 1000.0


def begun_with_pairs(
    built: BuiltNetwork,
    settings: Settings,
    samples: Samples,
    folds: Folds,
    encoder: Encoder | None,
    seed: int,
) -> BuiltNetwork:
    """Return the network whose trees of the first setting begin with pairs of features.

    Those of a fold are found without the labels of the samples that it holds out. Where features
    are cut is found with all samples, as their mean is, and of more than some thousand samples of a
    class those that are looked at are drawn from all. Networks without trees or of several outputs
    are returned unchanged.

    Parameters
    ----------
    built : BuiltNetwork
        Of all members, untrained.
    settings : Settings
    samples : Samples
        Encoded, with codes for labels.
    folds : Folds
    encoder : Encoder or None
        What encoded them.
    seed : int
        For which samples are looked at, where there are many.
    """
    has_trees = any(setting.view == TREES for setting in settings.each)
    if not has_trees or samples.y.ndim > 1 or built.interface.units > 1 or samples.n_axes != 2:
        return built
    network = built.network.current()
    # members of the first setting come first, one for each fold
    pairs = pairs_of_folds(samples, folds, encoder, seed)
    values = networks.with_pairs(network.blueprint.example, network.values, pairs)
    return replace(built, network=network.with_values(values))


def pairs_of_folds(
    samples: Samples, folds: Folds, encoder: Encoder | None, seed: int
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Return for each fold the columns of two features for each tree to begin with.

    Parameters
    ----------
    samples, folds, encoder, seed
        As in :func:`begun_with_pairs`.

    Returns
    -------
    list of list of (ndarray of int, ndarray of int)
        Empty for a fold in whose training samples no pair stands out.
    """
    rows = _thinned(samples.y, np.random.RandomState(seed))
    few, trained = samples.take(rows), folds.trained[rows]
    weight = few.weight / max(1.0, few.weight.mean() / _LARGEST_WEIGHT)
    features = _features(encoder, few.X.shape[1])
    if len(features) < 2:
        return [[] for _ in range(folds.n_folds)]
    single, of_pair = (
        parts_of(few.X, weight, features, n_parts) for n_parts in (_PARTS, _PARTS_OF_PAIR)
    )
    columns = []
    for of_fold in trained.T:
        pairs = _best_pairs(single, of_pair, few.y, weight * of_fold)
        columns.append([(features[one], features[other]) for one, other in pairs])
    return columns


def _thinned(codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return the rows of a class of few samples, and some of those of one of many.

    Of a logistic regression that changes the constant alone.
    """
    of_classes = [np.flatnonzero(codes == code) for code in (0, 1)]
    return np.concatenate(
        [
            rows
            if len(rows) <= _MOST_OF_CLASS
            else np.sort(rng.choice(rows, _MOST_OF_CLASS, replace=False))
            for rows in of_classes
        ]
    )


def _features(encoder: Encoder | None, n_columns: int) -> list[np.ndarray]:
    """Return the columns of each feature; one of categories has several."""
    tables = encoder.one_hot_tables() if isinstance(encoder, FeatureEncoder) else []
    sizes = [table.shape[1] for table in tables]  # the last columns
    ends = np.cumsum([*[1] * (n_columns - sum(sizes)), *sizes])
    return np.split(np.arange(n_columns), ends[:-1])


@dataclass(frozen=True)
class Parts:
    """Features cut into parts.

    Attributes
    ----------
    indicators : ndarray of bool of shape (n_samples, n_parts)
        In which parts of each feature a sample is.
    starts : ndarray of int of shape (n_features,)
        The first part of each feature.
    """

    indicators: np.ndarray
    starts: np.ndarray

    def of(self, rows: np.ndarray, features: np.ndarray) -> Parts:
        """Return those of some of the samples and features."""
        each = np.split(np.arange(self.indicators.shape[1]), self.starts[1:])
        kept = [each[feature] for feature in features]
        starts = np.cumsum([0, *(len(parts) for parts in kept[:-1])])
        return Parts(self.indicators[np.ix_(rows, np.concatenate(kept))], starts)


def parts_of(X: np.ndarray, weight: np.ndarray, features: list[np.ndarray], n_parts: int) -> Parts:
    """Return which part of each feature the samples are in.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
    weight : ndarray of shape (n_samples,)
        Positive. A sample of weight 2 counts as two.
    features : list of ndarray of int
        Columns of each feature: one of numbers, or several of categories, zeros and ones.
    n_parts : int
        Of about equal weight, for numbers. A value that many samples have is a part by itself.
    """
    indicators = []
    for columns in features:
        if len(columns) == 1:
            upper = _cuts(X[:, columns[0]], weight, n_parts)
            codes = np.searchsorted(upper, X[:, columns[0]])
            of_feature = codes[:, None] == np.arange(len(upper) + 1)
        else:
            largest = np.argsort(-(weight @ X[:, columns]), kind="stable")[: _CATEGORIES - 1]
            of_feature = X[:, columns[np.sort(largest)]] > 0
            rest = ~of_feature.any(axis=1, keepdims=True)
            of_feature = np.hstack([of_feature, rest]) if rest.any() else of_feature
        indicators.append(of_feature)
    ends = np.cumsum([of_feature.shape[1] for of_feature in indicators])
    return Parts(np.hstack(indicators), np.array([0, *ends[:-1]]))


def _cuts(column: np.ndarray, weight: np.ndarray, n_parts: int) -> np.ndarray:
    """Return the largest value of each part but the last."""
    distinct, of_value = np.unique(column, return_inverse=True)
    if len(distinct) <= n_parts:
        return distinct[:-1]
    reached = np.cumsum(np.bincount(of_value, weight)) / weight.sum()
    shares = np.arange(1, n_parts) / n_parts
    at = np.searchsorted(reached, shares - 1e-9)  # sums of weights are rounded
    return distinct[np.unique(np.minimum(at, len(distinct) - 2))]


def _best_pairs(
    single: Parts, of_pair: Parts, codes: np.ndarray, weight: np.ndarray
) -> list[tuple[int, int]]:
    """Return positions of two features for each tree, those that stand out more often.

    Parameters
    ----------
    single, of_pair : Parts
        Of the same features, by themselves and in pairs.
    codes : ndarray of int of shape (n_samples,)
        0 or 1.
    weight : ndarray of shape (n_samples,)
        0 for samples that are not to be looked at.
    """
    rows = np.flatnonzero(weight)
    codes, weight = codes[rows], weight[rows]
    if len(np.unique(codes)) < 2:
        return []
    features = _paired_features(single, rows, codes, weight)
    if len(features) < 2:
        return []
    single, of_pair = single.of(rows, features), of_pair.of(rows, features)
    probability = _without_pairs(single, codes, weight)
    scores = scores_of_pairs(of_pair, codes, weight, probability)
    one, other = np.triu_indices(len(features), 1)
    excess = np.sqrt(np.maximum(scores[one, other] - _LEAST_SCORE, 0.0))
    if not excess.any():
        return []
    # each has as many of the trees as its share of the roots of what stands out
    ranked = np.argsort(-excess, kind="stable")[:N_TREES]
    reached = np.cumsum(excess[ranked]) / excess[ranked].sum()
    chosen = ranked[np.searchsorted(reached, (np.arange(N_TREES) + 0.5) / N_TREES)]
    return [(int(features[one[p]]), int(features[other[p]])) for p in chosen]


def _paired_features(
    parts: Parts, rows: np.ndarray, codes: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Return the features that are paired: those that vary, and of many those that count."""
    share = weight @ codes / weight.sum()
    left = (weight * (codes - share)) @ parts.indicators[rows]
    total = weight @ parts.indicators[rows]
    varies = np.flatnonzero(np.add.reduceat(total > 0, parts.starts, dtype=int) > 1)
    effects = _standardized(left, total * share * (1.0 - share), parts.starts)[varies]
    return varies[np.sort(np.argsort(-effects, kind="stable")[:_MOST_FEATURES])]


def _without_pairs(parts: Parts, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the probability of 1 by a logistic regression on the single parts."""
    indicators = sp.csr_matrix(parts.indicators, dtype=np.float64)
    additive = LogisticRegression(C=_C, tol=1e-3, max_iter=1000)
    additive.fit(indicators, codes, sample_weight=weight)
    return np.asarray(additive.predict_proba(indicators)[:, 1])


def scores_of_pairs(
    parts: Parts, codes: np.ndarray, weight: np.ndarray, probability: np.ndarray
) -> np.ndarray:
    """Return how far the cells of pairs of features are from given probabilities.

    The sum over the cells of a pair of what the probabilities leave, squared and divided by its
    variance, in standard deviations from what is expected by chance, where it is about chi-squared
    distributed. Features whose own effects the penalty has shrunk are in it too. Without them trees
    begin with fewer pairs, and predict worse.

    Parameters
    ----------
    parts : Parts
    codes : ndarray of int of shape (n_samples,)
    weight, probability : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_features, n_features)
    """
    left = _cells(parts.indicators, weight * (codes - probability))
    variance = _cells(parts.indicators, weight * probability * (1.0 - probability))
    return _standardized(left, variance, parts.starts)


def _standardized(left: np.ndarray, variance: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return how many standard deviations sums of squares are from those of chance.

    Parameters
    ----------
    left, variance : ndarray of shape (n_parts,) or (n_parts, n_parts)
        Of each part or cell.
    starts : ndarray of int of shape (n_features,)
        Over whose parts along each axis the sums are.
    """
    gain, expected = np.square(left) / (variance + _OF_CELL), variance / (variance + _OF_CELL)
    for axis in range(left.ndim):
        gain = np.add.reduceat(gain, starts, axis=axis)
        expected = np.add.reduceat(expected, starts, axis=axis)
    return (gain - expected) / np.sqrt(2.0 * np.maximum(expected, _OF_CELL))


def _cells(indicators: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the sum of the values in each cell of two parts, of shape (n_parts, n_parts)."""
    ones = indicators.astype(np.float32)
    return np.asarray((ones * values[:, None].astype(np.float32)).T @ ones, dtype=np.float64)
