"""From features as they were read to the input of the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, overload

import numpy as np
import scipy.sparse as sp
from sklearn.utils import gen_batches

from skimb._types import Features
from skimb._warnings import warn_user
from skimb.data.inputs import Inputs, Layout, refuse_several
from skimb.data.samples import Samples
from skimb.data.tables import FeatureEncoder
from skimb.fitting.network import statistics
from skimb.fitting.parameters import FitParameters
from skimb.training.dataset import dense

# How many standard deviations from the mean are taken as they are. Beyond them features grow by the
# logarithm: those that are nearly constant would otherwise decide alone.
LINEAR_DEVIATIONS = 3.0

# Gaps of a column from which the network is told where they are. Ten samples with a gap that happen
# to be of one class would decide alone otherwise.
LEAST_GAPS = 20.0


class Encoder(Protocol):
    """Makes the input of the network of features as they were read."""

    def transform(self, X: Features) -> np.ndarray: ...


def fit_encoder(params: FitParameters, train: Samples) -> Encoder | None:
    """Return the encoder for these training samples, or None where they are taken as they are."""
    X, weight, names = train.X, train.weight, train.schema.names
    if isinstance(X, Inputs):
        return InputsEncoder.of(params, train)
    if params.reconstructs:
        normalizes = params.normalize
        if normalizes == "auto":
            normalizes = isinstance(params.model, str)
        return StandardScale.of(X, weight / weight.mean()) if normalizes else None
    if train.n_axes != 2:
        return None
    if sp.issparse(X):
        return ColumnMeans(np.asarray(X.T @ (weight / weight.sum())).ravel(), names)
    categories = list(train.schema.categories)
    if categories or _has_gaps(X):
        return FeatureEncoder(LEAST_GAPS).fit(X, weight, categories)
    return ColumnMeans(_column_means(X, weight / weight.sum()), names)


def _has_gaps(X: np.ndarray) -> bool:
    # the least value is NaN where there is one, and needs no second array
    return bool(np.isnan(X.min()))


def _column_means(X: np.ndarray, share: np.ndarray) -> np.ndarray:
    # in float64 by blocks: np.average takes four times as long and twice the memory of a float32 X
    blocks = gen_batches(len(X), 8192)
    return np.sum([share[rows] @ X[rows].astype(np.float64) for rows in blocks], axis=0)


@overload
def encoded(samples: Samples, encoder: Encoder | None) -> Samples: ...
@overload
def encoded(samples: None, encoder: Encoder | None) -> None: ...
def encoded(samples: Samples | None, encoder: Encoder | None) -> Samples | None:
    """Return the samples as the network takes them."""
    if samples is None or encoder is None:
        return samples
    n_numeric = encoder.n_numeric_ if isinstance(encoder, FeatureEncoder) else None
    layout = encoder.layout if isinstance(encoder, InputsEncoder) else None
    X = encoder.transform(samples.X)
    return replace(samples, X=X, n_numeric=n_numeric, layout=layout)


@dataclass(frozen=True)
class InputsEncoder:
    """Makes one row of the several inputs of a sample, each encoded as it would be alone.

    Attributes
    ----------
    encoders : tuple of Encoder or None
        For each input.
    layout : Layout
        Of a row.
    """

    encoders: tuple[Encoder | None, ...]
    layout: Layout

    @classmethod
    def of(cls, params: FitParameters, train: Samples) -> InputsEncoder:
        """Return the encoder for training samples of several inputs.

        Raises
        ------
        ValueError
            If the network is one that has a single input.
        """
        X, schemas = train.X, train.schema.inputs
        assert schemas is not None
        if params.reconstructs:
            refuse_several(X, "an autoencoder")
        if isinstance(params.model, str):
            refuse_several(X, f"model={params.model!r}")
        encoders = tuple(
            fit_encoder(params, replace(train, X=part, schema=schema))
            for part, schema in zip(X.parts, schemas, strict=True)
        )
        shapes = tuple(
            (encoder.n_features_out_,) if isinstance(encoder, FeatureEncoder) else part.shape[1:]
            for part, encoder in zip(X.parts, encoders, strict=True)
        )
        return cls(encoders, Layout(X.names, shapes))

    def transform(self, X: Inputs) -> np.ndarray:
        """Return a row for each sample, float32 of shape (n_samples, n_values)."""
        return self.layout.joined(
            [
                part if encoder is None else encoder.transform(part)
                for part, encoder in zip(X.parts, self.encoders, strict=True)
            ]
        )


@dataclass(frozen=True)
class ColumnMeans:
    """Fills in what is missing from a table that had no gaps in training.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    names : ndarray of str or None, default=None
        Of the columns, for the warning.
    """

    mean: np.ndarray
    names: np.ndarray | None = None

    def transform(self, X: Features) -> np.ndarray:
        """Return the table without gaps, itself if it has none."""
        if sp.issparse(X):
            return X
        if not _has_gaps(X):
            return X
        gaps = np.isnan(X)
        columns = np.flatnonzero(gaps.any(axis=0))
        columns = columns if self.names is None else np.asarray(self.names)[columns]
        warn_user(
            f"X has missing values in the columns {columns[:10].tolist()}, which had none in fit. "
            "They are replaced by the means of those columns."
        )
        return np.where(gaps, self.mean, X).astype(X.dtype)


@dataclass(frozen=True)
class StandardScale:
    """Standardises features, and takes far values by their logarithm.

    Attributes
    ----------
    mean, deviation : ndarray of shape (n_features,) or (n_channels,)
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, X: Features, weight: np.ndarray) -> StandardScale:
        """Return the scale of training samples with weights of mean 1."""
        scaler = statistics(X, weight)
        return cls(scaler.mean_, scaler.scale_)

    def transform(self, X: Features) -> np.ndarray:
        """Return samples on this scale, dense, of the shape and dtype of X."""
        channels = len(self.mean)
        z = (dense(X, "float64").reshape(-1, channels) - self.mean) / self.deviation
        beyond = np.maximum(np.abs(z) - LINEAR_DEVIATIONS, 0.0)
        z = np.clip(z, -LINEAR_DEVIATIONS, LINEAR_DEVIATIONS) + np.sign(z) * np.log1p(beyond)
        return z.reshape(X.shape).astype(X.dtype)
