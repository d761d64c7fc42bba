"""Initial values of a network, including output bias and standardisation statistics."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from skimb._backend.keras_internals import call_behind
from skimb._backend.randomness import draw_seed
from skimb.networks.ensemble import INTERVALS, MEAN_OF_MEMBERS, OF_EACH_INTERVAL
from skimb.networks.layers import STANDARDIZE
from skimb.networks.trees import TREE_MEMBERS

# Generators give other numbers in every dtype, and the dtype of a network follows that of X: all
# networks begin with numbers that float32 holds, so that float64 features train the same network.
DRAWN_IN = "float32"


def initial_values(model: keras.Model, rng: np.random.RandomState) -> list[np.ndarray]:
    """Sample initial values for the variables of a built-in network without rebuilding it.

    Parameters
    ----------
    model : keras.Model
        Unchanged.
    rng : RandomState

    Returns
    -------
    list of ndarray
        Initial values in the order of ``model.variables``.
    """
    initializers = {
        id(getattr(layer, name)): getattr(layer, f"{name}_initializer")
        for layer in model.layers
        for name in ("kernel", "selection", "thresholds")
        if hasattr(layer, name)
    }
    values = []
    for variable in model.variables:
        initializer = initializers.get(id(variable))
        if initializer is not None:
            config = initializer.get_config()
            if "seed" in config:
                config["seed"] = draw_seed(rng)
            value = type(initializer).from_config(config)(variable.shape, dtype=DRAWN_IN)
        elif variable.name == "seed_generator_state":
            value = np.array([draw_seed(rng), 0])
        else:
            value = variable.value.numpy()
        values.append(np.asarray(value, dtype=variable.dtype))
    return values


def with_last_bias(
    model: keras.Model, values: Sequence[np.ndarray], logits: np.ndarray
) -> list[np.ndarray]:
    """Return values of a network's variables with `logits` added to the bias of the last layer.

    Parameters
    ----------
    model : keras.Model
        Network whose variables have the order of `values`. Unchanged. If its last layer with
        weights has no bias, the values are returned unchanged.
    values : sequence of ndarray
    logits : ndarray of shape (n_outputs,)
    """
    biases = [id(getattr(layer, "bias", None)) for layer in _last_layers(model)]
    return [
        value + logits.astype(value.dtype) if id(variable) in biases else value
        for variable, value in zip(model.variables, values, strict=True)
    ]


def _last_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the last layer with weights, or of an ensemble those of all its members."""
    if model.layers[-1].name != MEAN_OF_MEMBERS:
        return [layer for layer in model.layers if layer.weights][-1:]
    found, ends = [], [model.layers[-1].input]
    while ends:
        call = call_behind(ends.pop())
        if call is not None and isinstance(call.operation, keras.layers.Concatenate):
            ends += call.tensors
        elif call is not None:
            found.append(call.operation)
    return found


def standardizes(model: keras.Model) -> bool:
    """Whether a network has a layer that standardises its input with stored statistics."""
    return any(layer.name == STANDARDIZE for layer in model.layers)


def with_statistics(
    model: keras.Model, values: Sequence[np.ndarray], mean: np.ndarray, variance: np.ndarray
) -> list[np.ndarray]:
    """Return values of a network's variables with new statistics for standardisation.

    Parameters
    ----------
    model : keras.Model
        Network whose variables have the order of `values`. Unchanged.
    values : sequence of ndarray
    mean, variance : ndarray of shape (n_features,) or (n_channels,)
    """
    return _with_frozen(model, values, STANDARDIZE, mean, variance)


def with_intervals(
    model: keras.Model, values: Sequence[np.ndarray], edges: np.ndarray
) -> list[np.ndarray]:
    """Return values of a network's variables with the intervals of the piecewise-linear encoding.

    Parameters
    ----------
    model : keras.Model
        Network of :func:`mlp_ensemble` with ``n_bins``, whose variables have the order of `values`.
        Without that encoding the values are returned unchanged.
    values : sequence of ndarray
    edges : ndarray of shape (n_bins + 1, n_features), float64
        Ascending. Where two edges are equal, that input is 0.
    """
    if not any(layer.name == INTERVALS for layer in model.layers):
        return list(values)
    low, high = edges[:-1].ravel(), edges[1:].ravel()
    half = (high - low) / 2
    limits = np.finfo(model.get_layer(INTERVALS).moving_variance.dtype)
    variance = np.clip(np.square(half), float(limits.tiny), float(limits.max))
    variance = np.where(half > 0, variance, float(limits.max))
    return _with_frozen(model, values, INTERVALS, np.where(half > 0, low + half, low), variance)


def with_pairs(
    model: keras.Model,
    values: Sequence[np.ndarray],
    pairs: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]],
) -> list[np.ndarray]:
    """Return values of a network's variables with which trees begin with pairs of features.

    Parameters
    ----------
    model : keras.Model
        Network of :func:`mlp_ensemble` with ``n_tree_members``, whose variables have the order of
        `values`. Unchanged.
    values : sequence of ndarray
    pairs : sequence of sequence of (ndarray of int, ndarray of int)
        See :meth:`SoftTrees.beginning_with`.
    """
    trees = model.get_layer(TREE_MEMBERS)
    return [
        trees.beginning_with(value, pairs) if variable is trees.selection else value
        for variable, value in zip(model.variables, values, strict=True)
    ]


def intervals_of(model: keras.Model) -> tuple[int, int]:
    """Return the number of intervals of the piecewise-linear encoding, and of features with it.

    Zeros for a network without it.
    """
    if not any(layer.name == INTERVALS for layer in model.layers):
        return 0, 0
    n_bins = int(model.get_layer(OF_EACH_INTERVAL).n)
    return n_bins, int(model.get_layer(INTERVALS).moving_mean.shape[0]) // n_bins


def _with_frozen(
    model: keras.Model,
    values: Sequence[np.ndarray],
    name: str,
    mean: np.ndarray,
    variance: np.ndarray,
) -> list[np.ndarray]:
    layer = model.get_layer(name)
    statistics = {id(layer.moving_mean): mean, id(layer.moving_variance): variance}
    return [
        statistics[id(variable)].astype(variable.dtype) if id(variable) in statistics else value
        for variable, value in zip(model.variables, values, strict=True)
    ]
