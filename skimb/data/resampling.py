"""Resampling of training data with imbalanced-learn samplers, including sample weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skimb._backend.randomness import draw_seed
from skimb._types import Features, Labels
from skimb.data.samples import Samples
from skimb.data.targets import Target

_CURE = (
    "Put the sampler before the estimator, where it gets X as it is: "
    "imblearn.pipeline.make_pipeline(SMOTENC(categorical_features=[...]), estimator)."
)


class Sampler(Protocol):
    """Sampler of imbalanced-learn, or with the same interface."""

    def fit_resample(self, X: Features, y: Labels) -> tuple[Any, Any]: ...


def resampler(
    sampler: Sampler | None, train: Samples, target: Target, seed: int
) -> Callable[[], Samples]:
    """Return a function that returns resampled training data, different in every call.

    Parameters
    ----------
    sampler : sampler or None
        None returns the training samples unchanged.
    train : Samples
        Training samples with encoded labels.
    target : Target
    seed : int
        Source of the seeds of each call.

    Raises
    ------
    TypeError, ValueError
        If `sampler` is not a valid sampler, or y is an indicator matrix.
    """
    if sampler is None:
        return lambda: train
    check_sampler(sampler)
    if train.y.ndim > 1:
        raise ValueError(
            f"sampler={sampler!r} requires class labels, but y is an indicator matrix. Use "
            "batching='balanced', which oversamples rare labels."
        )
    _check_columns(sampler, train)
    rng, counter = np.random.RandomState(seed), itertools.count()
    labels = target.labels(train.y)

    def resample() -> Samples:
        X, y, weight = resampled(
            sampler, train.X, labels, train.weight, draw_seed(rng), next(counter)
        )
        if train.schema.categories:
            _check_categories(sampler, train.X, X)
        if train.layout is not None:
            _check_whole_samples(sampler, train.X, X)
        unknown = np.full(len(y), -1)
        return replace(train, X=X, y=target.codes(y), weight=weight, positions=unknown)

    return resample


def check_sampler(sampler: object) -> None:
    """Raise a TypeError if `sampler` is not a valid sampler."""
    if not hasattr(sampler, "fit_resample") or isinstance(sampler, type):
        raise TypeError(
            f"sampler={sampler!r} is not accepted. It must be an instance with fit_resample, "
            "such as imblearn.over_sampling.SMOTE() or imblearn.FunctionSampler(func=...)."
        )
    for name, step in getattr(sampler, "steps", ()):
        if not hasattr(step, "fit_resample"):
            raise TypeError(
                f"sampler has the step {name!r}, {step!r}, which would transform only the "
                "training samples. Put it into a Pipeline before this estimator."
            )


def resampled(
    sampler: Any,
    X: Features,
    y: np.ndarray,
    sample_weight: np.ndarray,
    seed: int,
    draw: int = 0,
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Resample data with a sampler, including the sample weights.

    Parameters
    ----------
    sampler : object with fit_resample
        Unchanged; a clone is fitted.
    X : ndarray or sparse matrix of shape (n, ...)
    y : ndarray of labels of shape (n,)
    sample_weight : ndarray of shape (n,)
    seed : int
        Seed for samplers whose ``random_state`` is None.
    draw : int, default=0
        Number of previous draws. An integer ``random_state`` is replaced by a different one for
        each draw after the first.

    Returns
    -------
    X, y, sample_weight
        Original samples keep their weights. Synthetic samples get the mean weight of their class.

    Raises
    ------
    ValueError
        If fewer than two classes are left.
    """
    given, sampler = sampler, clone(sampler)
    for name, value in sampler.get_params().items():
        if name.rpartition("__")[2] != "random_state":
            continue
        if value is None:
            sampler.set_params(**{name: seed})
        elif draw and isinstance(value, Integral):
            of_draw = np.random.RandomState([int(value), draw])
            sampler.set_params(**{name: draw_seed(of_draw)})
    flat = X if X.ndim == 2 else X.reshape(len(X), -1)
    try:
        X_new, y_new = sampler.fit_resample(flat, y)
    except ValueError as error:
        raise ValueError(_failure(given, y, error)) from error
    y_new = np.asarray(y_new)
    if len(np.unique(y_new)) < 2:
        raise ValueError(
            f"sampler={given!r} returned {len(y_new)} samples of the classes "
            f"{np.unique(y_new).tolist()}, but at least two classes are required."
        )
    weight = _weights_of(sampler, flat, y, sample_weight, X_new, y_new)
    X_new = X_new.astype(X.dtype, copy=False)
    X_new = X_new.tocsr() if sp.issparse(X_new) else np.asarray(X_new)
    return X_new.reshape(-1, *X.shape[1:]) if X.ndim > 2 else X_new, y_new, weight


def _check_columns(sampler: Sampler, train: Samples) -> None:
    """Raise a ValueError if a sampler names columns that it does not get as they are."""
    if not train.schema.categories:
        return
    params = sampler.get_params() if hasattr(sampler, "get_params") else {}
    named = {n: v for n, v in params.items() if n.rpartition("__")[2] == "categorical_features"}
    if any(value is not None for value in named.values()):
        name, value = next(iter(named.items()))
        raise ValueError(
            f"sampler={sampler!r} names columns by {name}={value!r}, but a sampler gets "
            f"the {train.X.shape[1]} columns that the network gets, with the categories one-hot "
            f"encoded. {_CURE}"
        )


def _check_categories(sampler: Sampler, before: np.ndarray, after: np.ndarray) -> None:
    """Raise a ValueError if a sampler has made samples that lie between categories."""
    whole = np.isin(before, (0, 1)).all(axis=0)
    if not np.isin(after[:, whole], (0, 1)).all():
        raise ValueError(
            f"sampler={sampler!r} makes samples between samples, but X has categories or text, "
            f"between which there is nothing. {_CURE} RandomOverSampler() repeats samples as they "
            "are, as does batching='balanced' without a sampler."
        )


def _check_whole_samples(sampler: Sampler, before: np.ndarray, after: np.ndarray) -> None:
    """Raise a ValueError if a sampler has made samples that were not there, of several inputs."""
    if not set(_contents(after)) <= set(_contents(before)):
        raise ValueError(
            f"sampler={sampler!r} makes samples between samples, but X has several inputs, whose "
            "distances have no common unit. RandomOverSampler() repeats samples as they are, as "
            "does batching='balanced' without a sampler."
        )


def _failure(sampler: Any, y: np.ndarray, error: ValueError) -> str:
    """Return a message about a sampler that failed, with the counts that it had."""
    labels, counts = np.unique(y, return_counts=True)
    shown = ", ".join(f"{n} of {label!r}" for label, n in zip(labels.tolist(), counts, strict=True))
    cure = ""
    if "neighbors" in str(error):
        least = int(counts.min())
        names = [name for name in sampler.get_params() if name.endswith("_neighbors")]
        name = names[0] if names else "k_neighbors"
        cure = (
            f" Set {name} of the sampler to at most {least - 1}" if least > 1 else " Collect more"
        ) + (
            ", hold nothing out with early_stopping=False, or use RandomOverSampler() or "
            "batching='balanced', which need no neighbours."
        )
    return (
        f"sampler={sampler!r} failed on the training samples, {shown} without those held out for "
        f"validation: {error}.{cure}"
    )


def _weights_of(
    sampler: Sampler,
    X: Features,
    y: np.ndarray,
    weight: np.ndarray,
    X_new: Features,
    y_new: np.ndarray,
) -> np.ndarray:
    if np.ptp(weight) == 0:
        return np.full(len(y_new), weight[0])
    indices = getattr(sampler, "sample_indices_", None)
    if indices is not None and len(indices) == len(y_new):
        return weight[indices]
    # Some samplers have no sample_indices_, so original samples are identified by their values.
    known: dict[Any, list[float]] = {}
    by_class: dict[Any, list[float]] = {}
    for content, label, value in zip(_contents(X), y.tolist(), weight, strict=True):
        known.setdefault((content, label), []).append(value)
        by_class.setdefault(label, []).append(value)
    mean_of_class = {label: float(np.mean(values)) for label, values in by_class.items()}
    return np.array(
        [
            float(np.mean(known[key])) if (key := (content, label)) in known
            else mean_of_class[label]
            for content, label in zip(_contents(X_new.astype(X.dtype)), y_new.tolist(), strict=True)
        ]
    )  # fmt: skip


def _contents(X: Features) -> list[bytes]:
    if sp.issparse(X):
        X = X.tocsr()
        X.sort_indices()
        ends = zip(X.indptr, X.indptr[1:], strict=False)
        return [X.indices[a:b].tobytes() + X.data[a:b].tobytes() for a, b in ends]
    return [row.tobytes() for row in np.ascontiguousarray(X)]
