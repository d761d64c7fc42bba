"""What a network ends in, from the operations between its last weights and its output."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skimb._backend.keras_internals import (
    SymbolicCall,
    call_behind,
    is_graph,
    names_counted_anew,
    without_new_calls,
)
from skimb._backend.randomness import process_state
from skimb.networks.layers import Cosines, Jitter
from skimb.networks.operations import (
    Call,
    concatenated,
    difference,
    of_operation,
    product,
    reshaped,
    same,
    softmax,
    total,
    without_rows,
)
from skimb.networks.ranges import (
    LINEAR,
    Range,
    added,
    constant,
    extremes,
    joined,
    multiplied,
    of_activation,
    padded,
    rearranged,
)

LOGITS, SIGMOID, SOFTMAX = "linear", "sigmoid", "softmax"
PROBABILITIES = (SIGMOID, SOFTMAX)

#: what cannot be known
UNKNOWN = "unknown"

# the ranges of the tensors of one graph by their id, each found when it is asked for
_Known = dict[int, Callable[[], Range | None]]


def output_link(model: keras.Model, row_shape: Sequence[int | None]) -> str:
    """Return what a network ends in.

    The last layer says little: a sigmoid may be averaged, reshaped or cast after it was applied. So
    the output is followed back through the operations that it was computed with, to an activation
    or the last layer with weights. What a network or a layer computes in a ``call`` of its own is
    recorded with symbolic tensors.

    Parameters
    ----------
    model : keras.Model
        Built, with one input and one output.
    row_shape : sequence of int or None
        Shape of one sample.

    Returns
    -------
    str
        "linear", "sigmoid" or "softmax"; the name of another activation; or "unknown" where the
        operations do not tell.

    Raises
    ------
    ValueError
        If a network ends in one thing in training and in another when predicting.

    Examples
    --------
    >>> import keras
    >>> from skimb.networks.outputs import output_link
    >>> inputs = keras.Input((4,))
    >>> heads = [keras.layers.Dense(1, "sigmoid")(inputs) for _ in range(3)]
    >>> output_link(keras.Model(inputs, keras.layers.Average()(heads)), (4,))
    'sigmoid'
    """

    def link(found: Range | None, units: int) -> str | None:
        return None if found is None else found.link(units)

    with process_state(seed=0), names_counted_anew():
        if is_graph(model):
            found = link(_range_of(model.outputs[0], {}), model.outputs[0].shape[-1])
        else:
            rows = keras.Input(tuple(row_shape), dtype=model.input_dtype)
            found = _traced(model, (rows,), {}, 0, {}, link)
            if "training" in inspect.signature(model.call).parameters:
                trained = _traced(model, (rows,), {"training": True}, 0, {}, link)
                _check_same_link(found, trained)
    return UNKNOWN if found is None else found


def _check_same_link(found: str | None, trained: str | None) -> None:
    links = [LOGITS, *PROBABILITIES]
    if found in links and trained in links and found != trained:
        raise ValueError(
            f"model ends in {trained!r} with training=True and in {found!r} with training=False. "
            "Return the same from call in both, logits best: predict_proba makes probabilities of "
            "them."
        )


def _range_of(tensor: Any, known: _Known) -> Range | None:
    """Return the range of a symbolic tensor."""
    if id(tensor) not in known:
        call = call_behind(tensor)
        found = None if call is None else _range_of_call(call, known)
        known[id(tensor)] = lambda: found
    return known[id(tensor)]()


def _range_of_call(symbolic: SymbolicCall, known: _Known) -> Range | None:
    operation = symbolic.operation
    call = Call(symbolic, lambda tensor: _range_of(tensor, known))
    if isinstance(operation, (layers.InputLayer, Cosines)):
        return LINEAR
    if isinstance(operation, Jitter):
        return call.first
    if is_graph(operation):
        inside: _Known = {
            id(inner): partial(_range_of, outer, known)
            for inner, outer in zip(operation.inputs, symbolic.tensors, strict=False)
        }
        return _range_of(operation.outputs[symbolic.index], inside)
    owner = next(kind for kind in type(operation).__mro__ if "call" in vars(kind))
    of_user = not owner.__module__.startswith("keras.")
    if of_user or isinstance(operation, (layers.Lambda, keras.Model)):
        args, kwargs = symbolic.args, symbolic.kwargs
        found = _traced(operation, args, kwargs, symbolic.index, known, lambda x, _: x)
        if found is None and isinstance(operation, layers.Lambda):
            return _by_values(operation.function, call.first)
        return found
    return _of_layer(call) if isinstance(operation, layers.Layer) else of_operation(call)


def _traced(
    operation: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    index: int,
    known: _Known,
    answer: Callable[[Range | None, Any], Any],
) -> Any:
    """Return what is known of an output of a `call`, None where it takes no symbolic tensors."""
    inside: _Known = {}

    def fresh(value: Any) -> Any:
        if not isinstance(value, keras.KerasTensor):
            return value
        inner = keras.Input(batch_shape=value.shape, dtype=value.dtype)
        inside[id(inner)] = lambda: _range_of(value, known)
        return inner

    function = getattr(operation, "call", operation)
    args, kwargs = keras.tree.map_structure(fresh, (tuple(args), dict(kwargs)))
    with without_new_calls(operation), keras.StatelessScope():
        try:
            signature = inspect.signature(function)
            given = signature.bind_partial(*args, **kwargs).arguments
            if "training" in signature.parameters and "training" not in given:
                kwargs["training"] = False
            output = keras.tree.flatten(function(*args, **kwargs))[index]
            units = output.shape[-1]
        except Exception:  # whatever code raises that is not made for symbolic tensors
            return None
        if not isinstance(output, keras.KerasTensor):
            return None
        return answer(_range_of(output, inside), units)


def _activated(call: Call, activation: Any, before: Callable[[], Range | None]) -> Range | None:
    """Return the range after an activation, a function of Keras or of the user's own."""
    if activation is None:
        return before()
    name = getattr(activation, "__name__", "")
    if getattr(keras.activations, name or "get", None) is activation:
        return of_activation(name, before() if name == "linear" else None)
    values = keras.KerasTensor(call.call.output.shape, call.call.output.dtype)
    found = _traced(activation, (values,), {}, 0, {id(values): before}, lambda x, _: x)
    return found if found is not None else _by_values(activation, before())


def _by_values(function: Callable[..., Any], before: Range | None) -> Range | None:
    """Return the range after a function that computes what an activation of Keras does."""
    values = np.random.RandomState(0).normal(0, 3, (16, 5)).astype("float32")
    try:
        computed = np.asarray(ops.convert_to_numpy(function(ops.convert_to_tensor(values))))
    except Exception:  # whatever a function of the user's raises for this shape
        return None
    for name in ("linear", "sigmoid", "softmax", "log_softmax", "relu", "tanh"):
        expected = ops.convert_to_numpy(keras.activations.get(name)(values))
        if computed.shape == expected.shape and np.allclose(computed, expected, atol=1e-5):
            return of_activation(name, before)
    return None


def _of_layer(call: Call) -> Range | None:
    """Return the range of the output of a layer of Keras."""
    layer = call.operation
    for kinds, rule in _LAYERS:
        if isinstance(layer, kinds):
            return rule(call)
    if hasattr(layer, "activation"):
        return _activated(call, layer.activation, lambda: LINEAR)
    return LINEAR if layer.weights or call.only_logits is not None else None


def _wrapped(call: Call, layer: Any) -> Range | None:
    """Return the range of another layer in the place of this one."""
    return _range_of_call(replace(call.call, operation=layer), _found(call))


def _found(call: Call) -> _Known:
    return {id(tensor): partial(call.find, tensor) for tensor in call.call.tensors}


def _time_distributed(call: Call) -> Range | None:
    x, y = call.argument, call.call.output
    step, end = (keras.KerasTensor((t.shape[0], *t.shape[2:]), t.dtype) for t in (x, y))
    symbolic = SymbolicCall(call.operation.layer, (step,), {}, [step], end)
    return _range_of_call(symbolic, {id(step): lambda: call.first})


def _bidirectional(call: Call) -> Range | None:
    layer = call.operation
    parts = [_wrapped(call, each) for each in (layer.forward_layer, layer.backward_layer)]
    if layer.merge_mode == "sum":
        return added(*parts)
    if layer.merge_mode == "mul":
        return multiplied(*parts)
    return rearranged(joined(parts), rows_stay=layer.merge_mode != "concat")


def _recurrent(call: Call) -> Range | None:
    cell = call.operation.cell
    cell = cell.cells[-1] if hasattr(cell, "cells") else cell
    if not type(cell).__module__.startswith("keras."):
        return None
    return _activated(call, getattr(cell, "activation", None), lambda: LINEAR)


def _rescaled(call: Call) -> Range | None:
    if call.only_logits is not None:
        return LINEAR
    scale, offset = (constant(np.asarray(v)) for v in (call.operation.scale, call.operation.offset))
    return added(multiplied(call.first, scale), offset)


def _pooled(call: Call) -> Range | None:
    rows_stay = getattr(call.operation, "data_format", None) != "channels_first"
    return rearranged(call.first, rows_stay=rows_stay)


def _resized(call: Call) -> Range | None:
    stays = call.operation.interpolation in ("nearest", "bilinear", "area")
    return _pooled(call) if stays else None


def _named(name: str) -> Callable[[Call], Range | None]:
    return lambda _: of_activation(name, None)


# in the order in which they are asked; those with weights or an activation come after them
_LAYERS: list[tuple[Any, Callable[[Call], Range | None]]] = [
    (layers.Bidirectional, _bidirectional),
    (layers.TimeDistributed, _time_distributed),
    (layers.Wrapper, lambda call: _wrapped(call, call.operation.layer)),
    (layers.Softmax, softmax),
    (layers.ReLU, _named("relu")),
    (layers.LeakyReLU, _named("leaky_relu")),
    (layers.PReLU, _named("prelu")),
    (layers.ELU, _named("elu")),
    (layers.Average, lambda call: joined(call.parts)),
    (layers.Maximum, lambda call: extremes(call.parts, largest=True)),
    (layers.Minimum, lambda call: extremes(call.parts, largest=False)),
    (layers.Multiply, product),
    (layers.Add, total),
    (layers.Subtract, difference),
    (layers.Concatenate, concatenated),
    (layers.Rescaling, _rescaled),
    ((layers.Flatten, layers.Reshape, layers.Permute), reshaped),
    (
        (
            layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D,
            layers.SpatialDropout3D, layers.AlphaDropout, layers.GaussianDropout,
            layers.GaussianNoise, layers.ActivityRegularization, layers.Identity, layers.Masking,
            layers.RepeatVector,
        ),
        same,
    ),
    (
        (
            layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D,
            layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D,
            layers.GlobalAveragePooling3D, layers.Cropping1D, layers.Cropping2D, layers.Cropping3D,
            layers.UpSampling1D, layers.UpSampling3D, layers.CenterCrop,
        ),
        _pooled,
    ),
    ((layers.Resizing, layers.UpSampling2D), _resized),
    (
        (
            layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D,
            layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D,
        ),
        without_rows,
    ),
    (
        (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D),
        lambda call: padded(call.first),
    ),
    (
        layers.Activation,
        lambda call: _activated(call, call.operation.activation, lambda: call.first),
    ),
    (layers.RNN, _recurrent),
]  # fmt: skip
