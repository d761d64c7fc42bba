"""The network of an estimator without layers of skimb, so that Keras alone can load it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skimb._backend.keras_internals import is_graph, layers_of
from skimb._types import Tensor
from skimb.networks.layers import Cosines, Jitter
from skimb.networks.normalization import SteadyNormalization
from skimb.networks.selective import SelectiveDense
from skimb.networks.sizes import AddChannel, CropToSize, PadToMultiple
from skimb.networks.trees import SoftTrees, plain_trees
from skimb.training import Network


def plain_network(network: Network) -> keras.Model:
    """Return a copy of a network in which plain layers do the work of those of skimb.

    Parameters
    ----------
    network : Network
        Not changed, and shares no variables with the copy.

    Returns
    -------
    keras.Model

    Raises
    ------
    TypeError
        If the network cannot be copied, or a layer of skimb is where it cannot be replaced.
    """
    copy = Network.copy_of(network.model).model
    if is_graph(copy):
        # not by its own name, which may be that of an operation
        copy = keras.Model(copy.inputs[0], copy.outputs[0], name="network")
    if not any(map(_is_of_skimb, layers_of(copy))):
        return copy
    if is_graph(copy):
        copy = keras.models.clone_model(
            copy, clone_function=lambda layer: layer, call_function=_called, recursive=True
        )
    left = sorted({type(layer).__name__ for layer in layers_of(copy) if _is_of_skimb(layer)})
    if left:
        raise TypeError(
            f"The network has the layers {', '.join(left)} of skimb within a class, a wrapper or a "
            "Sequential network of its own, where they cannot be replaced by layers of Keras. "
            "Build the network by calls of its layers, as keras.Model(inputs, outputs)."
        )
    return copy


def _is_of_skimb(layer: keras.layers.Layer) -> bool:
    return type(layer).__module__.partition(".")[0] == "skimb"


def _called(layer: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what a layer computes of symbolic tensors, by layers of Keras alone."""
    replaced = _REPLACED.get(type(layer))
    return layer(*args, **kwargs) if replaced is None else replaced(layer, args[0])


def _cosines(layer: Cosines, x: Tensor) -> Any:
    kernel = ops.convert_to_numpy(layer.kernel)
    least = keras.config.epsilon() ** 2
    unit = kernel / np.sqrt(np.maximum(np.square(kernel).sum(axis=0, keepdims=True), least))
    x = ops.cast(x, layer.compute_dtype)
    square = ops.sum(ops.square(x), axis=-1, keepdims=True)
    dense = layers.Dense(layer.units, use_bias=False, dtype=layer.dtype_policy, name=layer.name)
    cosines = dense(x * ops.rsqrt(ops.maximum(square, least)))
    dense.set_weights([unit])
    return cosines


def _padded(layer: PadToMultiple, x: Tensor) -> Any:
    for axis in (1, 2):
        ones = _ones_along(x, axis)
        # as long as the padded axis: pooling rounds up, and the length may not be known before
        pooled = layers.MaxPooling1D(layer.multiple, padding="same", dtype=x.dtype)(ones)
        longer = layers.UpSampling1D(layer.multiple, dtype=x.dtype)(pooled)
        last = ops.sum(ops.cast(ones, "int32")) - 1
        x = ops.take(x, ops.minimum(_positions(longer), last), axis=axis)
    return x


def _cropped(layer: CropToSize, pair: Any) -> Any:
    x, like = pair
    for axis in (1, 2):
        x = ops.take(x, _positions(_ones_along(like, axis)), axis=axis)
    return x


def _ones_along(x: Tensor, axis: int) -> Any:
    """Return ones of shape (1, length of the axis, 1)."""
    line = x[:1, :, :1, :1] if axis == 1 else x[:1, :1, :, :1]
    return ops.reshape(ops.ones_like(line), (1, -1, 1))


def _positions(ones: Tensor) -> Any:
    return ops.cumsum(ops.reshape(ops.cast(ones, "int32"), (-1,))) - 1


def _averaged(layer: SteadyNormalization, x: Tensor) -> Any:
    options = {"dtype": layer.dtype_policy, "name": layer.name}
    plain = layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.epsilon, **options)
    normalized = plain(x)
    parts = layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance
    plain.set_weights([ops.convert_to_numpy(part) for part in parts])
    return normalized


def _values(layer: keras.layers.Layer) -> dict[int, np.ndarray]:
    return {id(variable): ops.convert_to_numpy(variable) for variable in layer.variables}


def _dense(layer: SelectiveDense, x: Tensor) -> Any:
    options = {"dtype": layer.dtype_policy, "name": layer.name}
    kernel, bias = layer.dense(_values(layer))
    plain = layers.EinsumDense(
        "bi,kio->bko", kernel.shape[::2], layer.activation, bias_axes="ko", **options
    )
    outputs = plain(x)
    plain.set_weights([kernel, bias])
    return outputs


def _trees(layer: SoftTrees, x: Tensor) -> Any:
    outputs, parts = plain_trees(
        x, layer.members, layer.units, layer.n_trees, layer.depth, dtype=layer.dtype_policy,
        name=layer.name,
    )  # fmt: skip
    for end, found in layer.plain(_values(layer)).items():
        parts[end].set_weights(found)
    return outputs


_REPLACED: dict[type, Callable[[Any, Any], Any]] = {
    AddChannel: lambda layer, x: ops.expand_dims(x, -1),
    Cosines: _cosines,
    CropToSize: _cropped,
    Jitter: lambda layer, x: x,  # noise is for the training alone
    PadToMultiple: _padded,
    SelectiveDense: _dense,
    SoftTrees: _trees,
    SteadyNormalization: _averaged,
}
