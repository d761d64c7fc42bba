"""Private parts of Keras that have no public way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import SafeModeScope
from keras.src.utils.naming import auto_name

__all__ = ["auto_name", "layers_of", "names_counted_anew", "trusting_code"]

_NAMES = "object_name_uids"


@contextmanager
def names_counted_anew() -> Iterator[None]:
    """Let Keras number layers from the start, so that every build has the same names.

    TensorFlow keeps a kernel, 30 KB, for every name that a variable ever had.
    """
    before = global_state.get_global_attribute(_NAMES)
    global_state.set_global_attribute(_NAMES, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(_NAMES, before)


def trusting_code() -> SafeModeScope:
    """Return a context in which Keras builds Lambda layers from a configuration."""
    return SafeModeScope(False)


def layers_of(model: keras.Model) -> list[keras.layers.Layer]:
    """Return a network and all layers in it, those inside wrappers and blocks included."""
    return list(model._flatten_layers())
