"""Folds of cross-fitting: which samples each member is trained on, and which it holds out."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, cast

import numpy as np
from sklearn.model_selection import StratifiedKFold, check_cv

from skimb._types import CV
from skimb._warnings import warn_user
from skimb.data.samples import Samples
from skimb.data.targets import Target


@dataclass(frozen=True)
class Folds:
    """Which samples are trained on and held out.

    Attributes
    ----------
    trained : ndarray of bool of shape (n_samples, n_folds)
    held_out : ndarray of bool of shape (n_samples, n_folds)
        A sample is in neither where a splitter leaves it out, as one of time series does.
    """

    trained: np.ndarray
    held_out: np.ndarray

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return self.trained.shape[1]

    @property
    def judged(self) -> np.ndarray:
        """Whether each sample is held out by any member."""
        return np.asarray(np.any(self.held_out, axis=1))

    @property
    def first(self) -> np.ndarray:
        """The first fold that holds each sample out, -1 if there is none."""
        return np.where(self.judged, np.argmax(self.held_out, axis=1), -1)

    def take(self, rows: np.ndarray) -> Folds:
        """Return the folds of some of the samples."""
        return Folds(self.trained[rows], self.held_out[rows])


def n_folds_for(target: Target, codes: np.ndarray, most: int) -> int:
    """Return how many folds there can be: as many as the rarest class has samples, 0 if that is 1.

    Parameters
    ----------
    target : Target
    codes : ndarray of int
    most : int
        The number where there are enough.
    """
    if target.kind == "multilabel":  # of many labels there is always one that hardly occurs
        return most if len(codes) >= 4 * most else 0
    counts = target.counts(codes, np.ones(len(codes)))
    rarest = int(counts[counts > 0].min())
    return min(most, rarest) if rarest > 1 else 0


def folds_of(cv: CV, target: Target, samples: Samples, seed: int) -> Folds:
    """Return the folds that `cv` describes.

    Parameters
    ----------
    cv : int, splitter of scikit-learn, or iterable of pairs of ndarray
        Pairs are positions in the X that was passed to `fit`.
    target : Target
    samples : Samples
        With codes for labels.
    seed : int
        Of the folds of a number, and of a splitter that shuffles without a seed.

    Raises
    ------
    ValueError, TypeError
        If a fold has nothing to train on or to hold out, or trains on what it holds out.
    """
    n, strata = len(samples), target.strata(samples.y)
    strata = strata if strata.ndim == 1 else strata @ (1 << np.arange(strata.shape[1]) % 62)
    if isinstance(cv, Integral):
        pairs = _stratified(int(cv), strata, seed)
    elif hasattr(cv, "split"):
        pairs = _of_splitter(cv, strata, samples.groups, seed)
    else:
        pairs = _of_positions(cast("Iterable[Any]", cv), samples)
    if len(pairs) < 2:
        used_up = not len(pairs) and inspect.isgenerator(cv)
        cure = " A generator can be used once: pass list(generator)." if used_up else ""
        raise ValueError(
            f"{_shown(cv)} has {len(pairs)} split. Cross-fitting needs at least two.{cure}"
        )
    trained, held_out = np.zeros((2, n, len(pairs)), dtype=bool)
    for fold, (train, test) in enumerate(pairs):
        trained[train, fold], held_out[test, fold] = True, True
    both = (trained & held_out).any(axis=0)
    if both.any() or not (trained.any(axis=0) & held_out.any(axis=0)).all():
        what = "trains on samples that it holds out" if both.any() else "has no samples on one side"
        raise ValueError(f"{_shown(cv)} has a split that {what}.")
    _check_classes(cv, target, samples.y, trained)
    return Folds(trained, held_out)


def _stratified(n_folds: int, strata: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return stratified folds, in which strata of fewer samples than folds are spread."""
    _, codes, counts = np.unique(strata, return_inverse=True, return_counts=True)
    few = counts[codes] < n_folds  # together, or with the most common, as scikit-learn would warn
    codes = np.where(few, -1 if few.sum() >= n_folds else np.argmax(counts), codes)
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return list(splitter.split(codes, codes))


def warn_of_unused_groups(cv: CV, groups: np.ndarray | None) -> None:
    """Warn where samples of one group are trained on and held out although groups were passed.

    Parameters
    ----------
    cv : int, splitter, iterable, None or "auto"
    groups : ndarray or None
    """
    if groups is None or not (cv is None or isinstance(cv, (Integral, str))):
        return
    warn_user(
        f"groups are not used by {_shown(cv)}, and samples of one group may be trained on and held "
        "out. Pass a splitter that keeps them together, such as cv=StratifiedGroupKFold(5), or "
        "leave groups out."
    )


def _of_splitter(
    cv: CV, strata: np.ndarray, groups: np.ndarray | None, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the splits of a splitter, which is unchanged, as is NumPy's global generator."""
    if inspect.isclass(cv):
        raise TypeError(f"cv={cv.__name__} is a class. Pass an instance, cv={cv.__name__}().")
    if groups is None and "group" in type(cv).__name__.lower():
        raise ValueError(
            f"{_shown(cv)} splits by groups: The 'groups' parameter should not be None. Pass the "
            "group of each sample, fit(X, y, groups=groups)."
        )
    splitter = check_cv(cv)
    if getattr(splitter, "random_state", 0) is None:
        splitter = copy.copy(splitter)
        splitter.random_state = seed
    return list(splitter.split(np.zeros((len(strata), 1)), strata, groups))


def _shown(cv: CV) -> str:
    """Return `cv` as text for a message, without the positions of all samples."""
    return f"cv={cv!r}" if len(repr(cv)) <= 80 else f"cv, a {type(cv).__name__} of splits,"


def _of_positions(splits: Iterable[Any], samples: Samples) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return splits of all rows as splits of those that have a weight."""
    place = np.full(samples.n_rows, -1)
    place[samples.positions] = np.arange(len(samples))
    pairs = []
    for pair in splits:
        if isinstance(splits, Mapping) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise TypeError(
                f"{_shown(splits)} is not an iterable of splits. Each split is a pair of arrays, "
                "the positions of the samples to train on and of those to hold out."
            )
        found = []
        for rows in pair:
            rows = np.asarray(rows)
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows
            if rows.size and not (-len(place) <= rows.min() and rows.max() < len(place)):
                raise ValueError(
                    f"cv has a split with the position {rows.max()}, but X has {len(place)} rows. "
                    "Make the splits of the X that is passed to fit, or use a number of folds."
                )
            at = place[rows.astype(np.intp)]  # also of an empty list, which has no integers
            found.append(at[at >= 0])
        pairs.append((found[0], found[1]))
    return pairs


def _check_classes(cv: CV, target: Target, codes: np.ndarray, trained: np.ndarray) -> None:
    """Raise a ValueError if a member would be trained on one class."""
    if target.kind == "multilabel":
        return
    for fold in range(trained.shape[1]):
        rows = np.flatnonzero(trained[:, fold])
        present = np.flatnonzero(target.counts(codes[rows], np.ones(len(rows))))
        if len(present) < 2:
            raise ValueError(
                f"{_shown(cv)} has a split whose {len(rows)} training samples are all of the class "
                f"{target.classes_.tolist()[present[0]]!r}. Use fewer splits, or stratified ones."
            )
