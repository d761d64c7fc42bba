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
from sklearn.linear_model import LogisticRegression
from sklearn.utils import gen_batches

from skimb import networks
from skimb.data.folds import Folds
from skimb.data.samples import Samples
from skimb.data.tables import FeatureEncoder
from skimb.fitting.defaults import TREES
from skimb.fitting.encoding import Encoder
from skimb.fitting.network import BuiltNetwork, quantiles
from skimb.fitting.settings import Settings
from skimb.networks.trees import N_TREES

# Parts of a feature of numbers by itself and in a pair, and of one of categories, those of the
# largest weight and the rest
_PARTS, _PARTS_OF_PAIR, _CATEGORIES = 8, 5, 8

# Features that are paired, those with the largest effect of their own, and samples of each class
# that are looked at: the time grows with the square of the former and with the latter.
_MOST_FEATURES, _MOST_OF_CLASS = 64, 10_000

# Inverse of the penalty on the effects of single features; of an effect's variance, what each cell
# counts besides its samples; and how many standard deviations of what chance makes of it a pair has
# to stand out
_C, _OF_CELL, _LEAST_SCORE = 0.1, 1.0, 0.5

_BLOCK_ROWS = 8192


def begun_with_pairs(
    built: BuiltNetwork,
    settings: Settings,
    samples: Samples,
    folds: Folds,
    encoder: Encoder | None,
    seed: int,
) -> BuiltNetwork:
    """Return the network whose trees of the first setting begin with pairs of features.

    Those of a fold are found without the samples that it holds out. Networks without trees, of
    several outputs, or of one feature are returned unchanged.

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
    chosen = _thinned(samples.y, np.random.RandomState(seed))
    few, folds = samples.take(chosen.rows), folds.take(chosen.rows)
    weight = few.weight * chosen.factor
    features = _features(encoder, few.X.shape[1])
    given = np.asarray(few.X), weight, features
    single, of_pair = _parts(*given, _PARTS), _parts(*given, _PARTS_OF_PAIR)
    columns = []
    for trained in folds.trained.T:
        pairs = best_pairs(single, of_pair, few.y, weight * trained, N_TREES)
        columns.append([(features[one], features[other]) for one, other in pairs])
    return columns


@dataclass(frozen=True)
class _Chosen:
    """Samples that are looked at, and by how much each counts more than its weight."""

    rows: np.ndarray
    factor: np.ndarray


def _thinned(codes: np.ndarray, rng: np.random.RandomState) -> _Chosen:
    """Return all samples of small classes, and some of large ones that count for the others."""
    rows, factor = [], []
    for code in (0, 1):
        of_class = np.flatnonzero(codes == code)
        n_samples = len(of_class)
        if n_samples > _MOST_OF_CLASS:
            of_class = np.sort(rng.choice(of_class, _MOST_OF_CLASS, replace=False))
        rows.append(of_class)
        factor.append(np.full(len(of_class), n_samples / max(1, len(of_class))))
    return _Chosen(np.concatenate(rows), np.concatenate(factor))


def _features(encoder: Encoder | None, n_columns: int) -> list[np.ndarray]:
    """Return the columns of each feature; one of categories has several."""
    sizes = encoder.n_of_categories_ if isinstance(encoder, FeatureEncoder) else []
    n_single = n_columns - sum(sizes)
    ends = np.cumsum([*[1] * n_single, *sizes])
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

    def __getitem__(self, rows: np.ndarray) -> Parts:
        return Parts(self.indicators[rows], self.starts)

    def of(self, features: np.ndarray) -> Parts:
        """Return those of some of the features."""
        if len(features) == len(self.starts):
            return self
        each = np.split(np.arange(self.indicators.shape[1]), self.starts[1:])
        kept = [each[feature] for feature in features]
        starts = np.cumsum([0, *(len(parts) for parts in kept[:-1])])
        return Parts(self.indicators[:, np.concatenate(kept)], starts)


def _parts(X: np.ndarray, weight: np.ndarray, features: list[np.ndarray], n_parts: int) -> Parts:
    """Return which part of each feature the samples are in."""
    single = [columns[0] for columns in features if len(columns) == 1]
    edges = dict(zip(single, quantiles(X[:, single], weight, n_parts).T, strict=True))
    indicators, starts = [], [0]
    for columns in features:
        if len(columns) == 1:
            column = X[:, columns[0]]
            distinct = np.unique(column)
            between = edges[columns[0]][1:-1]
            upper = distinct[:-1] if len(distinct) <= n_parts else np.unique(between)
            codes = np.searchsorted(upper, column)
            of_feature = codes[:, None] == np.arange(len(upper) + 1)
        else:
            largest = np.argsort(-(weight @ X[:, columns]), kind="stable")[: _CATEGORIES - 1]
            of_feature = X[:, columns[np.sort(largest)]] > 0
            rest = ~of_feature.any(axis=1, keepdims=True)
            of_feature = np.hstack([of_feature, rest])
        indicators.append(of_feature)
        starts.append(starts[-1] + of_feature.shape[1])
    return Parts(np.hstack(indicators), np.array(starts[:-1]))


def best_pairs(
    single: Parts, of_pair: Parts, codes: np.ndarray, weight: np.ndarray, n_trees: int
) -> list[tuple[int, int]]:
    """Return pairs of features for trees to begin with, those that stand out more often.

    Parameters
    ----------
    single, of_pair : Parts
        Of the same features, by themselves and in pairs.
    codes : ndarray of int of shape (n_samples,)
        0 or 1.
    weight : ndarray of shape (n_samples,)
        0 for samples that are not to be looked at.
    n_trees : int

    Returns
    -------
    list of tuple of int
        Positions of two features for each tree, or empty where no pair stands out.
    """
    shown = np.flatnonzero(weight)
    single, of_pair, codes, weight = single[shown], of_pair[shown], codes[shown], weight[shown]
    if len(np.unique(codes)) < 2:
        return []
    features = _largest_effects(single, codes, weight)
    single, of_pair = single.of(features), of_pair.of(features)
    probability = _without_pairs(single, codes, weight)
    scores = scores_of_pairs(of_pair, codes, weight, probability)
    one, other = np.triu_indices(len(features), 1)
    excess = np.sqrt(np.maximum(scores[one, other] - _LEAST_SCORE, 0.0))
    if not excess.any():
        return []
    # each has as many of the trees as its share of the roots of what stands out
    ranked = np.argsort(-excess, kind="stable")[:n_trees]
    reached = np.cumsum(excess[ranked]) / excess[ranked].sum()
    chosen = ranked[np.searchsorted(reached, (np.arange(n_trees) + 0.5) / n_trees)]
    return [(int(features[one[p]]), int(features[other[p]])) for p in chosen]


def _largest_effects(parts: Parts, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the features that are paired: all of few, those with the largest effects of many."""
    features = np.arange(len(parts.starts))
    if len(features) <= _MOST_FEATURES:
        return features
    share = weight @ codes / weight.sum()
    apart = (weight * (codes - share)) @ parts.indicators
    variance = (weight @ parts.indicators) * share * (1.0 - share)
    effects = np.add.reduceat(np.square(apart) / (variance + _OF_CELL), parts.starts)
    return np.sort(np.argsort(-effects, kind="stable")[:_MOST_FEATURES])


def _without_pairs(parts: Parts, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the probability of 1 by a logistic regression on the single parts."""
    indicators = parts.indicators.astype(np.float64)
    additive = LogisticRegression(C=_C, solver="newton-cholesky", tol=1e-3)
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
    gain, expected = np.square(left) / (variance + _OF_CELL), variance / (variance + _OF_CELL)
    gain, expected = (
        np.add.reduceat(np.add.reduceat(cells, parts.starts, axis=0), parts.starts, axis=1)
        for cells in (gain, expected)
    )
    return (gain - expected) / np.sqrt(2.0 * np.maximum(expected, _OF_CELL))


def _cells(indicators: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the sum of the values in each cell of two parts, of shape (n_parts, n_parts)."""
    sums = np.zeros((indicators.shape[1],) * 2)
    for rows in gen_batches(len(indicators), _BLOCK_ROWS):
        block = indicators[rows].astype(np.float32)
        sums += (block * values[rows, None].astype(np.float32)).T @ block
    return sums
