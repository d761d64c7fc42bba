"""Private functions of Keras without a public equivalent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import SafeModeScope
from keras.src.utils.naming import auto_name

__all__ = [
    "auto_name",
    "functional_of",
    "layers_of",
    "names_counted_anew",
    "origin_of",
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
