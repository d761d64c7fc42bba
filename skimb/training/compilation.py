"""How a network in training is compiled: what callbacks see of it, and what their files hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from skimb._backend.keras_internals import compilation_of, restore_compilation, save_uncompiled
from skimb.losses.binding import BoundLoss
from skimb.training.network import Network


def compile_for_callbacks(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, loss: BoundLoss, **options: Any
) -> None:
    """Compile a network so that callbacks see its optimizer, and files of it load anywhere.

    The loss is of this library and of this fit, so that files hold the network uncompiled: they
    load with Keras alone.
    """
    model.compile(optimizer=optimizer, loss=loss, **options)
    save_uncompiled(model)


@contextmanager
def compiled_as_before(network: Network) -> Iterator[None]:
    """Leave a network that is trained in place, since it cannot be copied, compiled as it was."""
    if network.blueprint.key is not None:
        yield
        return
    before = compilation_of(network.model)
    try:
        yield
    finally:
        restore_compilation(network.model, before)
