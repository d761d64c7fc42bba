"""Network with its penultimate features beside its outputs, for losses that use both."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from skimb._backend.keras_internals import call_behind, input_structure, is_graph
from skimb._types import Tensor


def with_features(model: keras.Model) -> keras.Model:
    """Return a network with shared layers that appends the penultimate features to its outputs.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, with one output of shape (n, K). Networks within it too.

    Returns
    -------
    keras.Model
        Its output of shape (n, K + F) holds the outputs of `model`, followed by the F inputs of its
        last layer with weights. Use Keras metrics with `model` only, because they would treat all
        columns as outputs. It shares the layers of `model`, so that training one trains both.

    Raises
    ------
    TypeError
        If the last layer of the network cannot be determined.

    Examples
    --------
    >>> from skimb.networks import mlp, with_features
    >>> with_features(mlp((20,), 3, hidden_layer_sizes=(16,))).output_shape
    (None, 19)
    """
    if not getattr(model, "inputs", None):
        raise TypeError(
            f"The features before the last layer of {type(model).__name__} are unknown. Give a "
            "Sequential or functional network."
        )
    outputs = model.outputs[0]
    call = call_behind(outputs)
    if call is not None and is_graph(call.operation):  # a network within it, as of several inputs
        return keras.Model(input_structure(model), with_features(call.operation)(*call.args))
    layer, node = _origin(outputs)
    # back past activations and normalisation to the layer that maps features to logits
    while not layer.weights or isinstance(layer, layers.BatchNormalization):
        if len(node.input_tensors) != 1:
            raise TypeError(
                f"The outputs of {model.name!r} are merged from several layers in {layer.name!r}, "
                "so there is no single last layer whose inputs are the features."
            )
        layer, node = _origin(node.input_tensors[0])
    if isinstance(layer, keras.Model):
        raise TypeError(
            f"The network ends in {layer.name!r}, a network itself, so the features before its "
            "last layer are not accessible. Build it from layers."
        )
    # names unlikely in the network, since layers of a loaded one may have the default names
    features = layers.Flatten(name="features_of_last_layer", dtype=outputs.dtype)(
        node.input_tensors[0]
    )
    joined = layers.Concatenate(name="outputs_and_features", dtype=outputs.dtype)(
        [outputs, features]
    )
    return keras.Model(input_structure(model), joined)


def _origin(tensor: Tensor) -> tuple[Any, Any]:
    """Return the layer that produced a symbolic tensor, and the node of that call."""
    layer, node_index, _ = tensor._keras_history
    return layer, layer._inbound_nodes[node_index]
