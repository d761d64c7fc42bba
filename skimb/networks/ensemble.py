"""Ensembles of networks for tabular data that are trained as one network."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import keras
import numpy as np
from keras import layers

from skimb._types import Activation, Tensor
from skimb.networks.layers import (
    Cosines,
    activations,
    checked_sizes,
    penalty,
    standardized,
    variable_dtype,
)
from skimb.networks.selective import SelectiveDense, checked_rates

#: name of the layer that averages over the members
MEAN_OF_MEMBERS = "mean_of_members"

#: names of the first layers of members
STANDARDIZED_MEMBERS, PIECEWISE_MEMBERS = "standardized_members", "piecewise_members"

#: names of the layers that hold the intervals of the piecewise-linear encoding
INTERVALS, OF_EACH_INTERVAL = "intervals", "of_each_interval"

# asymptote of the soft clipping of standardised features
LARGEST_DEVIATION = 3.0


def mlp_ensemble(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    hidden_layer_sizes: Sequence[int] = (64, 32),
    n_members: int = 4,
    n_piecewise: int = 0,
    n_bins: int = 4,
    n_numeric: int | None = None,
    input_dropout: float | Sequence[float] = 0.0,
    input_factors: bool = False,
    activation: Activation = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    normalize: bool = True,
    normalized_output: bool = False,
    dtype: str = "float32",
    input_dtype: str | None = None,
) -> keras.Model:
    """Return an ensemble of multilayer perceptrons as one network that predicts their mean.

    The members have different initial weights. Each is trained on its own loss [1]_, all in the
    same steps. Their mean ranks samples better than a single member. Standardised features are
    softly clipped, so that no sample is far from all others.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one sample. Several axes are flattened.
    n_outputs : int
        Number of logits.
    hidden_layer_sizes : sequence of int, default=(64, 32)
        Number of units of each hidden layer of each member; empty for linear models.
    n_members : int, default=4
        Number of ensemble members.
    n_piecewise : int, default=0
        Number of the members, the last ones, that get a piecewise-linear encoding [2]_ of the
        features beside the standardised ones.
    n_bins : int, default=4
        Inputs for each feature of that encoding, which rise from -1 to 1 in an interval each. The
        estimators set the intervals between quantiles of the training samples.
    n_numeric : int or None, default=None
        Number of the features, the first ones, that are encoded, where the others are zeros and
        ones. None is all.
    input_dropout : float in [0, 1) or sequence of float, default=0.0
        Fraction of the inputs of these members that are dropped in a step of the training, see
        :class:`SelectiveDense`. A sequence has one for each of them.
    input_factors : bool, default=False
        Whether each of these members learns a factor for each of its inputs. Weight decay, which
        bounds what a single input can do, leaves the factors alone, so that few inputs can decide.
    activation, dropout, l2, normalize, normalized_output, dtype, input_dtype
        As in :func:`mlp`.

    Returns
    -------
    keras.Model
        Uncompiled, from ``(n, *input_shape)`` to logits of shape (n, n_outputs), the mean over the
        members. Its last layer has a weight for each member. The estimators train the members
        through :func:`with_members`.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and Scalable Predictive
       Uncertainty Estimation using Deep Ensembles", NeurIPS 2017. https://arxiv.org/abs/1612.01474
    .. [2] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular
       Deep Learning", NeurIPS 2022. https://arxiv.org/abs/2203.05556

    Examples
    --------
    >>> from skimb.networks import mlp_ensemble
    >>> mlp_ensemble((20,), 1, hidden_layer_sizes=(16,), n_members=4).output_shape
    (None, 1)
    """
    sizes = checked_sizes(hidden_layer_sizes, dropout, l2)
    _check_members(n_members, n_piecewise, n_bins)
    selects = input_factors or bool(np.any(checked_rates(input_dropout, n_piecewise)))
    if selects and not n_piecewise:
        raise ValueError(
            f"model__input_dropout={input_dropout!r}, model__input_factors={input_factors!r}: they "
            "are about members with an encoding, and there are none. Set model__n_piecewise."
        )
    inputs = keras.Input(tuple(input_shape), dtype=input_dtype or variable_dtype(dtype))
    x = layers.Reshape((*input_shape, 1))(inputs) if len(input_shape) == 2 else inputs
    x = standardized(x, normalize)
    if len(input_shape) > 1:
        x = layers.Flatten(dtype=inputs.dtype)(x)
    if normalize:
        x = layers.Rescaling(1.0 / LARGEST_DEVIATION, dtype=inputs.dtype)(x)
        x = layers.Activation("tanh", dtype=inputs.dtype)(x)
        x = layers.Rescaling(LARGEST_DEVIATION, dtype=inputs.dtype)(x)
    views = [(x, n_members - n_piecewise, STANDARDIZED_MEMBERS)]
    if n_piecewise:
        encoded = _piecewise(inputs, x, n_bins, n_numeric)
        views.append((encoded, n_piecewise, PIECEWISE_MEMBERS))
    views = [view for view in views if view[1]]

    selection: dict[str, Any] = {"input_dropout": input_dropout, "input_factors": input_factors}

    def dense(
        units: int, function: Any, dtype: str, *, members: int, name: str | None = None
    ) -> layers.Layer:
        # Glorot uniform for each member: Keras counts the axis of the members as a receptive field,
        # which the scale undoes
        initializer = keras.initializers.VarianceScaling(members, "fan_avg", "uniform")
        options = {
            "activation": function, "kernel_initializer": initializer,
            "kernel_regularizer": penalty(l2), "dtype": dtype, "name": name,
        }  # fmt: skip
        if name == PIECEWISE_MEMBERS and selects:
            return SelectiveDense(members, units, **selection, **options)
        equation = "bi,kio->bko" if name else "bki,kio->bko"
        return layers.EinsumDense(equation, (members, units), bias_axes="ko", **options)

    out = "float32" if dtype.startswith("mixed_") else dtype
    plan = list(zip(sizes, activations(sizes, activation, normalized_output), strict=True))
    if not normalized_output:
        plan.append((n_outputs, None))
    elif not plan:
        views = [(layers.RepeatVector(k, dtype=dtype)(x), k, name) for x, k, name in views]
    for depth, (units, function) in enumerate(plan):
        last = depth == len(sizes)
        layer_dtype = out if last else dtype
        if depth == 0:
            parts = [
                dense(units, function, layer_dtype, members=members, name=name)(x)
                for x, members, name in views
            ]
            x = parts[0] if len(parts) == 1 else layers.Concatenate(1, dtype=layer_dtype)(parts)
        else:
            x = dense(units, function, layer_dtype, members=n_members)(x)
        if dropout and not last:
            x = layers.Dropout(dropout, dtype=dtype)(x)
    if normalized_output:
        if not plan:
            parts = [x for x, *_ in views]
            x = parts[0] if len(parts) == 1 else layers.Concatenate(1, dtype=dtype)(parts)
        x = Cosines(n_outputs, dtype=out)(x)
    mean = layers.EinsumDense(
        "bko,k->bo", (n_outputs,), kernel_initializer=keras.initializers.Constant(1.0 / n_members),
        trainable=False, name=MEAN_OF_MEMBERS, dtype=out,
    )  # fmt: skip
    return keras.Model(inputs, mean(x))


def _piecewise(inputs: Tensor, standardized: Tensor, n_bins: int, n_numeric: int | None) -> Any:
    """Return standardised features, and before them the positions of the numeric ones in intervals.

    A position rises from -1 below an interval to 1 above it. An encoding alone is coarse where
    there are few intervals, and standardised features alone bend nowhere.
    """
    x = inputs if len(inputs.shape) == 2 else layers.Flatten(dtype=inputs.dtype)(inputs)
    if n_numeric is not None and n_numeric < x.shape[-1]:
        x = x[:, :n_numeric]
    repeated = layers.RepeatVector(n_bins, name=OF_EACH_INTERVAL, dtype=inputs.dtype)(x)
    x = layers.Flatten(dtype=inputs.dtype)(repeated)
    # the middle of an interval for the mean, and half its width for the standard deviation
    x = layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, name=INTERVALS, dtype=inputs.dtype
    )(x)
    x = layers.Activation("hard_tanh", dtype=inputs.dtype)(x)
    x = layers.Rescaling(n_bins**-0.5, dtype=inputs.dtype)(x)
    return layers.Concatenate(dtype=inputs.dtype)([x, standardized])


def _check_members(n_members: int, n_piecewise: int, n_bins: int) -> None:
    for name, number, least in (
        ("n_members", n_members, 1), ("n_piecewise", n_piecewise, 0), ("n_bins", n_bins, 1),
    ):  # fmt: skip
        if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
            raise ValueError(f"model__{name}={number!r} must be an integer of at least {least}.")
    if n_piecewise > n_members:
        raise ValueError(
            f"model__n_piecewise={n_piecewise!r} is a number of the members, of which there are "
            f"{n_members}. Set model__n_members to at least that."
        )


def members_of(model: keras.Model) -> int:
    """Return the number of ensemble members, 1 for a single network.

    Examples
    --------
    >>> from skimb.networks import members_of, mlp, mlp_ensemble
    >>> members_of(mlp((20,), 1)), members_of(mlp_ensemble((20,), 1))
    (1, 4)
    """
    last: Tensor = model.layers[-1] if model.layers else None
    return int(last.input.shape[1]) if getattr(last, "name", None) == MEAN_OF_MEMBERS else 1


def with_members(model: keras.Model) -> keras.Model:
    """Return a network with shared layers that outputs the logits of each ensemble member.

    Parameters
    ----------
    model : keras.Model
        Ensemble of networks, see :func:`mlp_ensemble`.

    Returns
    -------
    keras.Model
        Maps the same inputs to outputs of shape (n, n_members, n_outputs). It shares the layers of
        `model`, so that training one trains both.

    Examples
    --------
    >>> from skimb.networks import mlp_ensemble, with_members
    >>> with_members(mlp_ensemble((20,), 3)).output_shape
    (None, 4, 3)
    """
    return keras.Model(model.inputs[0], model.layers[-1].input)
