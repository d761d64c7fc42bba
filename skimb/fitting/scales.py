"""A warning where a network of the user's own gets columns of very different scales."""

from __future__ import annotations

import keras
import numpy as np
import scipy.sparse as sp
from sklearn.utils.sparsefuncs import mean_variance_axis

from skimb._backend.keras_internals import layers_of
from skimb._types import Features
from skimb._warnings import warn_user
from skimb.data.samples import Samples
from skimb.fitting.encoding import Encoder
from skimb.fitting.network import BuiltNetwork
from skimb.fitting.parameters import FitParameters
from skimb.networks import SelectiveDense, SoftTrees

# Standard deviations up to which a learning rate of the usual size still fits, and the ratio of two
# from which one column decides alone
MAX_DEVIATION = 100.0
MAX_RATIO = 100.0

_layers = keras.layers
_PASSES_ON = (
    _layers.InputLayer, _layers.Dropout, _layers.GaussianNoise, _layers.GaussianDropout,
    _layers.Flatten, _layers.Reshape, _layers.Concatenate, _layers.RepeatVector,
)  # fmt: skip
_WEIGHS = (
    _layers.Dense, _layers.EinsumDense, SelectiveDense, SoftTrees, _layers.Conv1D, _layers.RNN
)  # fmt: skip
_NORMALIZES = (
    _layers.Normalization, _layers.BatchNormalization, _layers.LayerNormalization,
    _layers.GroupNormalization, _layers.UnitNormalization, _layers.Rescaling,
)  # fmt: skip


def warn_of_raw_columns(
    params: FitParameters,
    built: BuiltNetwork,
    train: Samples,
    encoder: Encoder | None,
    previous: object,
) -> None:
    """Warn of columns that are far from a standard deviation of 1, where nothing normalises them.

    Parameters
    ----------
    params : FitParameters
    built : BuiltNetwork
    train : Samples
        Encoded.
    encoder : Encoder or None
        By whose columns the warning names them.
    previous : object
        What the fit goes on from, if anything: the warning is given once.
    """
    if previous is not None or isinstance(params.model, str):
        return
    if train.n_axes != 2 or len(train) < 2:
        return
    if params.reconstructs and encoder is not None:  # which has standardised them
        return
    if not gets_raw_columns(built.network.blueprint.example):
        return
    deviation = _deviations(train.X)
    varied = np.flatnonzero(deviation > 0)
    if not len(varied):
        return
    most, least = deviation[varied].max(), deviation[varied].min()
    if most <= MAX_DEVIATION and most <= MAX_RATIO * least:
        return
    order = varied[np.argsort(-deviation[varied], kind="stable")]
    names = _names(train, encoder)
    large = [i for i in order if deviation[i] > MAX_DEVIATION or i == order[0]]
    shown = ", ".join(f"{names[i]} ({deviation[i]:.3g})" for i in large[:5])
    shown += ", …" if len(large) > 5 else ""
    last = order[-1]
    beside = f", beside {names[last]} ({least:.3g})" if last not in large else ""
    cure = (
        "Set normalize=True"
        if params.reconstructs
        else "Begin the network with keras.layers.BatchNormalization() or an adapted "
        "keras.layers.Normalization(), or put sklearn.preprocessing.StandardScaler() before the "
        "estimator in a pipeline"
    )
    warn_user(
        "model gets the columns of X as they are, and the standard deviations of these columns "
        f"are far from 1: {shown}{beside}. Columns of a large scale decide alone, and training is "
        f"slow or fails. {cure}."
    )


def gets_raw_columns(model: keras.Model) -> bool:
    """Whether the first layer with weights gets the input as it is, as far as can be seen."""
    layers = layers_of(model)
    operations = getattr(model, "operations", None)
    if isinstance(model, keras.Sequential):
        operations = model.layers
    if not operations:  # a subclassed model, of which the order is not known
        return not any(isinstance(layer, _NORMALIZES) for layer in layers)
    for operation in operations:
        if isinstance(operation, keras.Model):
            return gets_raw_columns(operation)
        if isinstance(operation, _WEIGHS):
            return True
        if not isinstance(operation, _PASSES_ON):
            return False  # a normalisation, or what cannot be seen through
    return False


def _deviations(X: Features) -> np.ndarray:
    """Return the standard deviation of each column, 0 for those of zeros and ones."""
    if sp.issparse(X):
        return np.sqrt(mean_variance_axis(X, axis=0)[1])
    X = np.asarray(X, dtype=np.float64)
    flags = ((X == 0) | (X == 1)).all(axis=0)  # a rare category has a small deviation, and no unit
    return np.where(flags, 0.0, X.std(axis=0))


def _names(train: Samples, encoder: Encoder | None) -> list[str]:
    names = getattr(encoder, "feature_names_out_", None)
    names = train.schema.names if names is None else names
    n_columns = train.X.shape[1]
    if names is None or len(names) != n_columns:
        return [str(i) for i in range(n_columns)]
    return [repr(str(name)) for name in names]
