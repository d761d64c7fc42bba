"""Private functions of Keras without a public equivalent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.models.functional import Functional
from keras.src.saving.serialization_lib import SafeModeScope, SerializableDict
from keras.src.utils.naming import auto_name

__all__ = [
    "SymbolicCall",
    "auto_name",
    "call_behind",
    "compilation_of",
    "config_of",
    "exportable",
    "input_structure",
    "is_graph",
    "layers_of",
    "names_counted_anew",
    "not_compiled",
    "profiles_batches",
    "restore_compilation",
    "save_uncompiled",
    "schedule_of",
    "structure_of_outputs",
    "trusting_code",
    "without_new_calls",
]

_NAMES = "object_name_uids"


@contextmanager
def names_counted_anew() -> Iterator[None]:
    """Reset the counters of Keras layer names, so that every build has the same names.

    TensorFlow caches a kernel of 30 KB for every variable name ever used, so new names for each
    build would leak memory.
    """
    before = global_state.get_global_attribute(_NAMES)
    global_state.set_global_attribute(_NAMES, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(_NAMES, before)


def trusting_code() -> SafeModeScope:
    """Return a context in which Keras deserialises Lambda layers (safe mode off)."""
    return SafeModeScope(False)


def layers_of(model: keras.Model) -> list[keras.layers.Layer]:
    """Return a network and all its layers, including those nested in wrappers and blocks."""
    return list(model._flatten_layers())


def profiles_batches(callback: keras.callbacks.TensorBoard) -> bool:
    """Whether TensorBoard's callback profiles a batch."""
    return callback._should_trace


@contextmanager
def not_compiled(model: keras.Model) -> Iterator[None]:
    """Let a network be copied or saved without its optimizer and its loss."""
    before = model.compiled
    model.compiled = False
    try:
        yield
    finally:
        model.compiled = before


def exportable(model: keras.Model) -> keras.Model:
    """Have a network that is a graph exported as one that was called, which Keras insists on.

    A call of its own would take longer than the training of a small network.
    """
    if is_graph(model):
        model._called = True
    return model


def save_uncompiled(model: keras.Model) -> None:
    """Have a compiled network saved and copied as one that is not compiled."""
    model._compile_config = SerializableDict()

    def save(*args: Any, **kwargs: Any) -> Any:  # HDF5 files hold the optimizer nevertheless
        with not_compiled(model):
            return type(model).save(model, *args, **kwargs)

    vars(model)["save"] = save


# what Model.compile sets
_COMPILATION = (
    "compiled", "optimizer", "loss", "save", "steps_per_execution", "_jit_compile", "_run_eagerly",
    "_compile_config", "_compile_loss", "_compile_metrics", "_compiled_trainable_state",
    "_loss_tracker", "train_function", "test_function", "predict_function",
)  # fmt: skip


def compilation_of(model: keras.Model) -> dict[str, Any]:
    """Return how a network is compiled, for :func:`restore_compilation`."""
    return {name: vars(model)[name] for name in _COMPILATION if name in vars(model)}


def restore_compilation(model: keras.Model, before: dict[str, Any]) -> None:
    """Compile a network as it was, with the same objects, or not at all."""
    for name in _COMPILATION:
        vars(model).pop(name, None)
    vars(model).update(before)


@dataclass(frozen=True)
class SymbolicCall:
    """A call of a layer or an operation on symbolic tensors, as Keras has recorded it.

    Attributes
    ----------
    operation : keras.Operation
    args : tuple
    kwargs : dict
        Tensors and all else that it was called with.
    tensors : list of keras.KerasTensor
        The symbolic tensors among its arguments.
    output : keras.KerasTensor
    index : int
        Which of the outputs it is.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tensors: list[Any]
    output: Any
    index: int = 0


def call_behind(tensor: Any) -> SymbolicCall | None:
    """Return the call that a symbolic tensor is an output of, None where none was recorded."""
    history = getattr(tensor, "_keras_history", None)
    if history is None or history.operation is None:
        return None
    node = history.operation._inbound_nodes[history.node_index]
    arguments = node.arguments
    return SymbolicCall(
        history.operation, tuple(arguments.args), dict(arguments.kwargs),
        list(arguments.keras_tensors), tensor, history.tensor_index,
    )  # fmt: skip


def is_graph(operation: Any) -> bool:
    """Whether it is a network of recorded calls, with no `call` of its own."""
    if not isinstance(operation, keras.Model) or not getattr(operation, "outputs", None):
        return False
    return type(operation).call in (keras.Sequential.call, Functional.call)


def input_structure(model: keras.Model) -> Any:
    """Return the symbolic inputs as a network takes them: a dict or a list of them, or one.

    None of a subclassed network, which says nothing of its inputs.
    """
    if isinstance(model, keras.Sequential):
        return model.inputs[0] if model.built else None
    return getattr(model, "_inputs_struct", None)


def structure_of_outputs(model: keras.Model) -> Any:
    """Return the tensor of a network of recorded calls, or the dict or list of them."""
    return getattr(model, "_outputs_struct", None)


def rate_of(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the variable of the learning rate of an optimizer, or its schedule."""
    return optimizer._learning_rate


def set_rate(optimizer: keras.optimizers.Optimizer, rate: Any) -> None:
    """Give an optimizer the variable or the schedule that it had, whichever it has now."""
    optimizer._learning_rate = rate


def schedule_of(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the schedule of the learning rate of an optimizer, None if it is a number."""
    rate = rate_of(optimizer)
    return rate if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else None


def config_of(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Return the configuration of an optimizer, with the schedule of the learning rate itself.

    From its configuration Keras would not find a class that is not registered with it.
    """
    schedule = schedule_of(optimizer)
    own = {} if schedule is None else {"learning_rate": schedule}
    return {**optimizer.get_config(), **own}


@contextmanager
def without_new_calls(operation: Any) -> Iterator[None]:
    """Let the `call` of a layer take symbolic tensors, and forget on exit what was recorded."""
    flatten = getattr(operation, "_flatten_layers", None)
    layers: Sequence[Any] = [] if flatten is None else list(flatten())
    before = [(len(x._inbound_nodes), len(x._outbound_nodes)) for x in layers]
    if layers:
        vars(operation)["add_loss"] = lambda loss: None  # Keras's takes no symbolic tensors
    try:
        yield
    finally:
        if layers:
            del vars(operation)["add_loss"]
        for layer, (inbound, outbound) in zip(layers, before, strict=True):
            del layer._inbound_nodes[inbound:]
            del layer._outbound_nodes[outbound:]
