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
from skimb.networks.trees import DEPTH, N_TREES, TREE_MEMBERS, SoftTrees, plain_trees

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
    n_tree_members: int = 0,
    input_dropout: float | Sequence[float] = 0.0,
    input_factors: bool = False,
    plain: bool = False,
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
        Number of the members that get a piecewise-linear encoding [2]_ of the features beside the
        standardised ones. They come after the others, and before those of trees.
    n_bins : int, default=4
        Inputs for each feature of that encoding, which rise from -1 to 1 in an interval each. The
        estimators set the intervals between quantiles of the training samples.
    n_numeric : int or None, default=None
        Number of the features, the first ones, that are encoded, where the others are zeros and
        ones. None is all.
    n_tree_members : int, default=0
        Number of the members, the last ones, that are sums of twelve soft decision trees [3]_ of
        standardised features in the place of layers, see :class:`SoftTrees`. `hidden_layer_sizes`,
        `activation` and `dropout` are about the others. They are made for Adam, which moves all
        variables by about the learning rate.
    input_dropout : float in [0, 1) or sequence of float, default=0.0
        Fraction of the inputs that members with an encoding and of trees go without in a step of
        the training, see :class:`SelectiveDense` and :class:`SoftTrees`. A sequence has one for
        each of them.
    input_factors : bool, default=False
        Whether each member with an encoding learns a factor for each of its inputs. Weight decay,
        which bounds what a single input can do, leaves the factors alone, so that few inputs can
        decide.
    plain : bool, default=False
        Whether the members have only layers of Keras itself, to predict with: a trained network is
        turned into it. There are no factors, no inputs are dropped, and the splits of trees may be
        of any weighted sum of features.
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
    .. [3] S. Popov, S. Morozov, A. Babenko, "Neural Oblivious Decision Ensembles for Deep Learning
       on Tabular Data", ICLR 2020. https://arxiv.org/abs/1909.06312

    Examples
    --------
    >>> from skimb.networks import mlp_ensemble
    >>> mlp_ensemble((20,), 1, hidden_layer_sizes=(16,), n_members=4).output_shape
    (None, 1)
    """
    sizes = checked_sizes(hidden_layer_sizes, dropout, l2)
    _check_members(n_members, n_piecewise, n_tree_members, n_bins)
    rates = _checked_dropout(input_dropout, input_factors, n_piecewise, n_tree_members)
    if n_tree_members and normalized_output:
        raise ValueError(
            f"model__n_tree_members={n_tree_members!r}: trees have no cosines, which this loss is "
            "made for. Set it to 0, or loss to another one."
        )
    if plain and (rates.any() or input_factors):
        raise ValueError(
            f"model__plain={plain!r}: layers of Keras alone drop no inputs and have no factors of "
            "inputs. Leave it at False for training."
        )
    inputs = keras.Input(tuple(input_shape), dtype=input_dtype or variable_dtype(dtype))
    x = _bounded(inputs, input_shape, normalize)
    views = {STANDARDIZED_MEMBERS: (x, n_members - n_piecewise - n_tree_members)}
    if n_piecewise:
        views[PIECEWISE_MEMBERS] = _piecewise(inputs, x, n_bins, n_numeric), n_piecewise
    views = {name: view for name, view in views.items() if view[1]}
    selective = {"input_dropout": rates[:n_piecewise].tolist(), "input_factors": input_factors}
    selects = input_factors or bool(rates[:n_piecewise].any())
    out = "float32" if dtype.startswith("mixed_") else dtype
    parts = []
    if views:
        functions = activations(sizes, activation, normalized_output)
        layered = _layered(
            views, sizes, n_outputs, functions=functions, dropout=dropout, l2=l2,
            selective=selective if selects else None, normalized_output=normalized_output,
            dtype=dtype, out=out,
        )  # fmt: skip
        parts.append(layered)
    if n_tree_members:
        of_trees = n_tree_members, n_outputs, N_TREES, DEPTH
        options = {"kernel_regularizer": penalty(l2), "dtype": out, "name": TREE_MEMBERS}
        if plain:
            logits, _ = plain_trees(x, *of_trees, **options)
        else:
            dropped = rates[n_piecewise:].tolist()
            logits = SoftTrees(*of_trees, input_dropout=dropped, **options)(x)
        parts.append(logits)
    mean = layers.EinsumDense(
        "bko,k->bo", (n_outputs,), kernel_initializer=keras.initializers.Constant(1.0 / n_members),
        trainable=False, name=MEAN_OF_MEMBERS, dtype=out,
    )  # fmt: skip
    return keras.Model(inputs, mean(_side_by_side(parts, out)))


def _bounded(inputs: Tensor, input_shape: Sequence[int], normalize: bool) -> Any:
    """Return standardised features, softly clipped, as rows."""
    x = layers.Reshape((*input_shape, 1))(inputs) if len(input_shape) == 2 else inputs
    x = standardized(x, normalize)
    if len(input_shape) > 1:
        x = layers.Flatten(dtype=inputs.dtype)(x)
    if normalize:
        x = layers.Rescaling(1.0 / LARGEST_DEVIATION, dtype=inputs.dtype)(x)
        x = layers.Activation("tanh", dtype=inputs.dtype)(x)
        x = layers.Rescaling(LARGEST_DEVIATION, dtype=inputs.dtype)(x)
    return x


def _layered(
    views: dict[str, tuple[Tensor, int]],
    sizes: Sequence[int],
    n_outputs: int,
    *,
    functions: Sequence[Any],
    selective: dict[str, Any] | None,
    dropout: float,
    l2: float,
    normalized_output: bool,
    dtype: str,
    out: str,
) -> Any:
    """Return what multilayer perceptrons predict, of shape (n, members, n_outputs).

    Parameters
    ----------
    views : dict of str to (symbolic tensor, int)
        By the name of their first layer, what members see and how many they are.
    sizes, functions
        Units and activations of the hidden layers.
    n_outputs : int
    selective : dict or None
        Arguments of :class:`SelectiveDense` for the members with an encoding.
    dropout, l2, normalized_output, dtype
        As in :func:`mlp_ensemble`.
    out : str
        Dtype of the output.
    """
    plan = list(zip(sizes, functions, strict=True))
    if not normalized_output:
        plan.append((n_outputs, None))
    n_members = sum(members for _, members in views.values())
    if not plan:
        repeated = [layers.RepeatVector(k, dtype=dtype)(x) for x, k in views.values()]
        x = _side_by_side(repeated, dtype)
    for depth, (units, function) in enumerate(plan):
        last = depth == len(sizes)
        options = {"function": function, "l2": l2, "dtype": out if last else dtype}
        if depth == 0:
            first = [
                _dense(
                    members, units, name=name, **options,
                    selective=selective if name == PIECEWISE_MEMBERS else None,
                )(x)
                for name, (x, members) in views.items()
            ]  # fmt: skip
            x = _side_by_side(first, options["dtype"])
        else:
            x = _dense(n_members, units, **options)(x)
        if dropout and not last:
            x = layers.Dropout(dropout, dtype=dtype)(x)
    return Cosines(n_outputs, dtype=out)(x) if normalized_output else x


def _dense(
    members: int,
    units: int,
    *,
    function: Any,
    l2: float,
    dtype: str,
    name: str | None = None,
    selective: dict[str, Any] | None = None,
) -> layers.Layer:
    """Return a dense layer of each member, of inputs that they share if it has a name."""
    # Glorot uniform for each member: Keras counts the axis of the members as a receptive field,
    # which the scale undoes
    initializer = keras.initializers.VarianceScaling(members, "fan_avg", "uniform")
    options = {
        "activation": function, "kernel_initializer": initializer,
        "kernel_regularizer": penalty(l2), "dtype": dtype, "name": name,
    }  # fmt: skip
    if selective is not None:
        return SelectiveDense(members, units, **selective, **options)
    equation = "bi,kio->bko" if name else "bki,kio->bko"
    return layers.EinsumDense(equation, (members, units), bias_axes="ko", **options)


def _side_by_side(parts: list[Any], dtype: str) -> Any:
    """Return outputs of members, of shape (n, members, ...), as those of all members."""
    return parts[0] if len(parts) == 1 else layers.Concatenate(1, dtype=dtype)(parts)


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


def _check_members(n_members: int, n_piecewise: int, n_tree_members: int, n_bins: int) -> None:
    parts = {"n_piecewise": n_piecewise, "n_tree_members": n_tree_members}
    for name, number in {"n_members": n_members, "n_bins": n_bins, **parts}.items():
        least = 0 if name in parts else 1
        if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
            raise ValueError(f"model__{name}={number!r} must be an integer of at least {least}.")
    if sum(parts.values()) > n_members:
        given = ", ".join(f"model__{name}={number!r}" for name, number in parts.items() if number)
        raise ValueError(
            f"{given}: they are of the {n_members} members. Set model__n_members to at least "
            f"{sum(parts.values())}."
        )


def _checked_dropout(
    input_dropout: float | Sequence[float], input_factors: bool, n_piecewise: int, n_trees: int
) -> np.ndarray:
    """Return the fraction of the inputs that is dropped for each member that selects them."""
    rates = checked_rates(input_dropout, n_piecewise + n_trees)
    if input_factors and not n_piecewise:
        raise ValueError(
            f"model__input_factors={input_factors!r} is about members with an encoding, and there "
            "are none. Set model__n_piecewise."
        )
    if rates.any() and not n_piecewise + n_trees:
        raise ValueError(
            f"model__input_dropout={input_dropout!r} is about members with an encoding or of "
            "trees, and there are none. Set model__n_piecewise or model__n_tree_members."
        )
    return rates if rates.ndim else np.full(n_piecewise + n_trees, rates)


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
