"""What a network ends in, found by following its output back through the operations.

The last layer says little: a sigmoid may be averaged, reshaped or cast after it was applied, or be
applied within a layer or a model of the user's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
from keras import layers

from skimb._backend.keras_internals import functional_of, origin_of
from skimb._backend.randomness import process_state
from skimb._types import Tensor
from skimb.networks.layers import Cosines

LOGITS, SIGMOID, SOFTMAX = "linear", "sigmoid", "softmax"
PROBABILITIES = (SIGMOID, SOFTMAX)

#: what cannot be followed
UNKNOWN = "unknown"

# the result is what the input was, number by number or in another shape
_UNCHANGED_LAYERS = (
    layers.ActivityRegularization, layers.Cropping1D, layers.Cropping2D, layers.Cropping3D,
    layers.Dropout, layers.Flatten, layers.Identity, layers.Permute, layers.RepeatVector,
    layers.Reshape, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D,
)  # fmt: skip
_UNCHANGED_OPERATIONS = frozenset({
    "Cast", "Clip", "Copy", "ExpandDims", "Flip", "GetItem", "Identity", "Moveaxis", "Repeat",
    "Reshape", "Squeeze", "StopGradient", "Swapaxes", "Take", "TakeAlongAxis", "Tile", "Transpose",
})  # fmt: skip

# a mean of probabilities is one, and a mean of logits is one
_MEAN_LAYERS = (
    layers.Average, layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D,
    layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D,
    layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D, layers.Resizing,
)  # fmt: skip
_MEAN_OPERATIONS = frozenset(["AveragePool", "Mean", "Median"])

# for one label alone: of several classes, the results no longer have the sum 1
_FOR_LABELS_LAYERS = (
    layers.Concatenate, layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D, layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D,
    layers.Maximum, layers.Minimum, layers.Multiply,
)  # fmt: skip
_FOR_LABELS_OPERATIONS = frozenset(
    ["Concatenate", "Max", "MaxPool", "Maximum", "Min", "Minimum", "Multiply", "Prod", "Stack"]
)

# layers that are an activation and nothing else
_ACTIVATION_LAYERS = {layers.Softmax: SOFTMAX, layers.ReLU: "relu"}
_ACTIVATION_OPERATIONS = {
    "Sigmoid": SIGMOID, "Softmax": SOFTMAX, "LogSoftmax": LOGITS, "Relu": "relu", "Relu6": "relu6",
    "Tanh": "tanh", "Softplus": "softplus", "HardSigmoid": "hard_sigmoid", "Exp": "exponential",
}  # fmt: skip


def output_link(model: keras.Model, row_shape: Sequence[int | None]) -> str:
    """Return what a network ends in.

    Parameters
    ----------
    model : keras.Model
    row_shape : sequence of int or None
        Shape of one sample, by which a network without known inputs is traced.

    Returns
    -------
    str
        "linear", "sigmoid" or "softmax"; the name of another activation; or "unknown" where the
        operations cannot be followed.

    Examples
    --------
    >>> import keras
    >>> from skimb.networks.outputs import output_link
    >>> head = keras.layers.Dense(1, activation="sigmoid")
    >>> output_link(keras.Sequential([keras.Input((3,)), head, keras.layers.Flatten()]), (3,))
    'sigmoid'
    """
    try:
        outputs, inputs = _symbolic(model, row_shape)
        if len(outputs) != 1:
            return UNKNOWN
        return _link(outputs[0], _Inputs(inputs, {}))
    except _Untraceable:
        return UNKNOWN


class _Untraceable(Exception):
    """Raised where operations on symbolic tensors are not recorded."""


class _Inputs:
    """Where to go on from the inputs of a model within a model.

    Parameters
    ----------
    tensors : sequence of KerasTensor
    origins : dict
        For the position of an input, what is known of the tensor that was passed.
    """

    def __init__(self, tensors: Sequence[Tensor], origins: dict[int, str]) -> None:
        self._by_id = {id(tensor): origins.get(i, LOGITS) for i, tensor in enumerate(tensors)}

    def link(self, tensor: Tensor) -> str | None:
        """Return what an input is, None for a tensor that is none."""
        return self._by_id.get(id(tensor))


def _symbolic(
    model: keras.Model, row_shape: Sequence[int | None]
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return symbolic outputs with their history, and inputs."""
    model = functional_of(model)
    outputs, inputs = getattr(model, "outputs", None), getattr(model, "inputs", None)
    if outputs and inputs and origin_of(outputs[0]) is not None:
        return outputs, inputs
    traced = keras.Input(tuple(row_shape), dtype=getattr(model, "input_dtype", None))
    return [_traced(model.call, [traced])], [traced]


def _traced(function: Callable[..., Any], inputs: Sequence[Any]) -> Any:
    """Return the symbolic result of a function of tensors."""
    try:
        with process_state(seed=0), keras.StatelessScope():
            result = function(*inputs)
    except Exception as error:  # whatever code of the user raises on symbolic tensors
        raise _Untraceable from error
    if isinstance(result, (list, tuple, dict)) or origin_of(result) is None:
        raise _Untraceable
    return result


def _link(tensor: Tensor, within: _Inputs) -> str:
    """Return what a tensor holds."""
    known = within.link(tensor)
    if known is not None:
        return known
    origin = origin_of(tensor)
    if origin is None:
        return UNKNOWN
    operation, inputs = origin
    if isinstance(operation, keras.Model):
        return _of_model(operation, inputs, within)
    if isinstance(operation, keras.layers.Layer):
        return _of_layer(operation, inputs, within)
    name = type(operation).__name__
    if name == "Softmax" and getattr(operation, "axis", -1) not in (-1, len(tensor.shape) - 1):
        return UNKNOWN
    if name in _ACTIVATION_OPERATIONS:
        return _ACTIVATION_OPERATIONS[name]
    if name in _UNCHANGED_OPERATIONS:
        return _link(inputs[0], within)
    if name in _MEAN_OPERATIONS:
        return _agreed(inputs, within, (LOGITS, *PROBABILITIES))
    if name in _FOR_LABELS_OPERATIONS:
        return _agreed(inputs, within, (LOGITS, SIGMOID))
    # sums and products of logits are logits, of probabilities they may be anything
    return _agreed(inputs, within, (LOGITS,))


def _of_model(model: keras.Model, inputs: Sequence[Any], within: _Inputs) -> str:
    outputs, own = _symbolic(model, inputs[0].shape[1:])
    if len(outputs) != 1:
        return UNKNOWN
    passed = {i: _link(tensor, within) for i, tensor in enumerate(inputs)}
    return _link(outputs[0], _Inputs(own, passed))


def _of_layer(layer: keras.layers.Layer, inputs: Sequence[Any], within: _Inputs) -> str:
    if isinstance(layer, layers.InputLayer):
        return LOGITS
    if isinstance(layer, (layers.TimeDistributed, layers.Bidirectional)):
        return _of_layer(
            layer.layer if hasattr(layer, "layer") else layer.forward_layer, inputs, within
        )
    own_call = not type(layer).call.__module__.startswith(("keras.", "skimb."))
    if isinstance(layer, layers.Lambda) or own_call:
        stand_ins = [keras.Input(batch_shape=t.shape, dtype=t.dtype) for t in inputs]
        function = layer.function if isinstance(layer, layers.Lambda) else layer.call
        passed = {i: _link(tensor, within) for i, tensor in enumerate(inputs)}
        return _link(_traced(function, stand_ins), _Inputs(stand_ins, passed))
    for kind, link in _ACTIVATION_LAYERS.items():
        if isinstance(layer, kind):
            last = getattr(layer, "axis", -1) in (-1, len(inputs[0].shape) - 1)
            return link if last else UNKNOWN
    if isinstance(layer, layers.Activation):
        return _of_activation(layer.activation, inputs[0], lambda: _link(inputs[0], within))
    if isinstance(layer, _UNCHANGED_LAYERS):
        return _link(inputs[0], within)
    if isinstance(layer, _MEAN_LAYERS):
        return _agreed(inputs, within, (LOGITS, *PROBABILITIES))
    if isinstance(layer, _FOR_LABELS_LAYERS):
        return _agreed(inputs, within, (LOGITS, SIGMOID))
    if isinstance(layer, Cosines):
        return LOGITS
    if isinstance(layer, (layers.Add, layers.Subtract, layers.Rescaling)):
        return _agreed(inputs, within, (LOGITS,))
    # a layer with weights, whose result can be any number but for its activation
    return _of_activation(getattr(layer, "activation", None), inputs[0], lambda: LOGITS)


def _of_activation(activation: Any, tensor: Tensor, otherwise: Callable[[], str]) -> str:
    """Return what an activation makes of numbers, or what these are where it leaves them."""
    if activation is None or activation is keras.activations.linear:
        return otherwise()
    if activation in (keras.activations.sigmoid, keras.activations.softmax):
        return str(activation.__name__)
    if activation is keras.activations.log_softmax:
        return LOGITS
    if getattr(activation, "__module__", "").startswith("keras."):
        return str(getattr(activation, "__name__", type(activation).__name__))
    stand_in = keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)
    return _link(_traced(activation, [stand_in]), _Inputs([stand_in], {}))


def _agreed(inputs: Iterable[Any], within: _Inputs, accepted: Sequence[str]) -> str:
    """Return what all inputs are, if it is the same and stays so."""
    links = {_link(tensor, within) for tensor in inputs}
    link = links.pop() if len(links) == 1 else UNKNOWN
    return link if link in accepted else UNKNOWN
