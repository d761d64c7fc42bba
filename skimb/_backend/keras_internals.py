"""Private functions of Keras without a public equivalent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import SafeModeScope, SerializableDict
from keras.src.utils.naming import auto_name

__all__ = [
    "auto_name",
    "compilation_of",
    "functional_of",
    "layers_of",
    "names_counted_anew",
    "not_compiled",
    "origin_of",
    "restore_compilation",
    "save_uncompiled",
    "trusting_code",
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


def origin_of(tensor: Any) -> tuple[Any, list[Any]] | None:
    """Return the operation that made a symbolic tensor and its inputs, None if none is recorded."""
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return None
    operation, node_index, _ = history
    return operation, list(operation._inbound_nodes[node_index].input_tensors)


def functional_of(model: keras.Model) -> keras.Model:
    """Return the functional model that a Sequential one is made of, others as they are."""
    return getattr(model, "_functional", None) or model


def layers_of(model: keras.Model) -> list[keras.layers.Layer]:
    """Return a network and all its layers, including those nested in wrappers and blocks."""
    return list(model._flatten_layers())


@contextmanager
def not_compiled(model: keras.Model) -> Iterator[None]:
    """Let a network be copied or saved without its optimizer and its loss."""
    before = model.compiled
    model.compiled = False
    try:
        yield
    finally:
        model.compiled = before


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
