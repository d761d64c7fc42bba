"""The first pass through a stream: its classes, their counts, statistics, and a sample of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from skimb.data.columns import MAX_CATEGORIES, categorical_values, numeric_columns
from skimb.data.kept_sample import KeptSample
from skimb.data.samples import Samples
from skimb.data.streams import SampleStream
from skimb.fitting.counts import LabelCounts
from skimb.fitting.encoding import Encoder, encoded
from skimb.fitting.network import statistics
from skimb.fitting.parameters import FitParameters


@dataclass(frozen=True)
class Survey:
    """What a first pass through a stream has found.

    Attributes
    ----------
    sample : Samples
        Of every class, as they were read, with weights that stand for all samples. Among them are
        the first of each category, and the first gap of each column.
    counts : LabelCounts
        Of all samples.
    scaler : StandardScaler or None
        Mean and variance of all samples; None of features that an encoder changes, or where no
        network asks for them.
    """

    sample: Samples
    counts: LabelCounts
    scaler: StandardScaler | None


def first_pass(params: FitParameters, blocks: Iterable[Samples], seed: int) -> Survey:
    """Go through a stream, and return what a fit has to know before the training.

    Parameters
    ----------
    params : FitParameters
    blocks : iterable of Samples
        As they were read.
    seed : int
        Of the sample that is kept.

    Raises
    ------
    ValueError, TypeError
        If there are no samples, or samples that a fit on a stream does not take.
    """
    kept, counts = KeptSample(np.random.RandomState(seed)), LabelCounts(params.target)
    shown = _Shown()
    scaler, scales = None, isinstance(params.model, str)
    for samples in blocks:
        _check_kind(params, samples)
        counts.add(samples.y, samples.weight)
        first = shown.first_in(samples)
        kept.add(samples, first)
        scales = scales and not samples.schema.categories and not len(first)
        scaler = statistics(samples.X, samples.weight, scaler) if scales else None
    if not counts.n_samples:
        raise ValueError(
            "X yields no batches, or none with a sample_weight above 0. Pass a stream of batches "
            "(X, y) or (X, y, sample_weight)."
        )
    return Survey(kept.samples(), counts, scaler)


def statistics_of(
    params: FitParameters, stream: SampleStream, encoder: Encoder | None
) -> StandardScaler | None:
    """Return mean and variance of a stream as an encoder makes it, for the built-in networks."""
    scaler = None
    if not isinstance(params.model, str):
        return None
    for samples in stream.blocks():
        samples = encoded(samples, encoder)
        scaler = statistics(samples.X, samples.weight, scaler)
    return scaler


def _check_kind(params: FitParameters, samples: Samples) -> None:
    if sp.issparse(samples.X):
        raise TypeError(
            "X yields sparse batches, which a stream does not take in fit. Pass one sparse matrix, "
            "or dense batches, as batch.toarray()."
        )
    if params.batching == "balanced" and samples.y.ndim > 1:
        raise ValueError(
            "batching='balanced' on a stream takes class labels, but y is an indicator matrix. Use "
            "batching='stratified' with pos_weight='balanced', or pass all samples as arrays."
        )


class _Shown:
    """Which categories, and which columns with gaps, a stream has shown so far."""

    def __init__(self) -> None:
        self._categories: dict[int, set[object]] = {}
        self._gaps: set[int] = set()

    def first_in(self, samples: Samples) -> np.ndarray:
        """Return the positions of the samples that show a category or a gap for the first time."""
        X, found = samples.X, []
        if samples.n_axes != 2:
            return np.arange(0)
        for i in samples.schema.categories:
            known = self._categories.setdefault(i, set())
            # beyond them, categories share a column
            if len(known) <= MAX_CATEGORIES:
                values = categorical_values(X, i)
                first: dict[object, int] = {}
                for place, value in enumerate(values):
                    first.setdefault(value, place)
                new = [place for value, place in first.items() if value not in known]
                known.update(first)
                found += new[: MAX_CATEGORIES + 1]
        numeric = sorted(set(range(X.shape[1])) - set(samples.schema.categories))
        if numeric:
            missing = np.isnan(numeric_columns(X, numeric))
            for column in set(np.flatnonzero(missing.any(axis=0)).tolist()) - self._gaps:
                self._gaps.add(column)
                found.append(int(missing[:, column].argmax()))
        return np.unique(np.array(found, dtype=int))
