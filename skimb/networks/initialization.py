"""Start values of a network, and the statistics that it standardises with."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from skimb._backend.randomness import draw_seed
from skimb.networks.layers import STANDARDIZE


def initial_values(model: keras.Model, rng: np.random.RandomState) -> list[np.ndarray]:
    """Draw the start values of a network of this module without building it again.

    Parameters
    ----------
    model : keras.Model
        Not changed.
    rng : RandomState

    Returns
    -------
    list of ndarray
        In the order of ``model.variables``.
    """
    initializers = {
        id(layer.kernel): layer.kernel_initializer
        for layer in model.layers
        if hasattr(layer, "kernel")
    }
    values = []
    for variable in model.variables:
        initializer = initializers.get(id(variable))
        if initializer is not None:
            config = {**initializer.get_config(), "seed": draw_seed(rng)}
            value = type(initializer).from_config(config)(variable.shape, dtype=variable.dtype)
        elif variable.name == "seed_generator_state":
            value = np.array([draw_seed(rng), 0])
        else:
            value = variable.value.numpy()
        values.append(np.asarray(value, dtype=variable.dtype))
    return values


def with_last_bias(
    model: keras.Model, values: Sequence[np.ndarray], logits: np.ndarray
) -> list[np.ndarray]:
    """Return values of a network's variables with which it gives `logits` more for every row.

    Parameters
    ----------
    model : keras.Model
        The network that `values` belong to, by order. Not changed. Without a bias in the last layer
        with weights the values stay as they are.
    values : sequence of ndarray
    logits : ndarray of shape (n_outputs,)
    """
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    bias = getattr(last, "bias", None)
    return [
        value + logits.astype(value.dtype) if variable is bias else value
        for variable, value in zip(model.variables, values, strict=True)
    ]


def standardizes(model: keras.Model) -> bool:
    """Whether a network standardises its input with statistics that are to be set."""
    return any(layer.name == STANDARDIZE for layer in model.layers)


def with_statistics(
    model: keras.Model, values: Sequence[np.ndarray], mean: np.ndarray, variance: np.ndarray
) -> list[np.ndarray]:
    """Return values of a network's variables with other statistics for standardising.

    Parameters
    ----------
    model : keras.Model
        The network that `values` belong to, by order. Not changed.
    values : sequence of ndarray
    mean, variance : ndarray of shape (n_features,) or (n_channels,)
    """
    layer = model.get_layer(STANDARDIZE)
    statistics = {id(layer.moving_mean): mean, id(layer.moving_variance): variance}
    return [
        statistics[id(variable)].astype(variable.dtype) if id(variable) in statistics else value
        for variable, value in zip(model.variables, values, strict=True)
    ]
