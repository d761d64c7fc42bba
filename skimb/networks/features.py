"""A network with its last features beside its outputs, for losses that look at both."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from skimb._types import Tensor


def with_features(model: keras.Model) -> keras.Model:
    """Return a network of the same layers that puts the last features behind its outputs.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, with one output of shape (n, K).

    Returns
    -------
    keras.Model
        Its output of shape (n, K + F) has the outputs of `model` and then the F features that go
        into its last layer with weights. Metrics of Keras would take all columns for outputs, so
        leave them to `model`. It shares the layers of `model`, so that training it
        trains both.

    Raises
    ------
    TypeError
        If the layers of the network cannot be told apart.

    Examples
    --------
    >>> from skimb.networks import mlp, with_features
    >>> with_features(mlp((20,), 3, hidden_layer_sizes=(16,))).output_shape
    (None, 19)
    """
    if not getattr(model, "inputs", None):
        raise TypeError(
            f"The features before the last layer of {type(model).__name__} are not known. Give a "
            "Sequential or functional network."
        )
    outputs = model.outputs[0]
    layer, node = _origin(outputs)
    # back over activations and normalisations to the layer that makes logits of features
    while not layer.weights or isinstance(layer, layers.BatchNormalization):
        if len(node.input_tensors) != 1:
            raise TypeError(
                f"The outputs of {model.name!r} come together from several layers in "
                f"{layer.name!r}, so there is no last layer to take the features before."
            )
        layer, node = _origin(node.input_tensors[0])
    if isinstance(layer, keras.Model):
        raise TypeError(
            f"The network ends in {layer.name!r}, a network itself, so the features before its "
            "last layer are out of reach. Build it of layers."
        )
    # names that no layer of the network has, which may have been loaded with its own
    features = layers.Flatten(name="features_of_last_layer", dtype=outputs.dtype)(
        node.input_tensors[0]
    )
    joined = layers.Concatenate(name="outputs_and_features", dtype=outputs.dtype)(
        [outputs, features]
    )
    return keras.Model(model.inputs[0], joined)


def _origin(tensor: Tensor) -> tuple[Any, Any]:
    """Return the layer that a symbolic tensor came out of, and the node of the call."""
    layer, node_index, _ = tensor._keras_history
    return layer, layer._inbound_nodes[node_index]
