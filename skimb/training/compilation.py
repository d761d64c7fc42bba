"""How a network in training is compiled: what callbacks see of it, and what their files hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from skimb._backend.keras_internals import compilation_of, restore_compilation, save_uncompiled
from skimb._types import Logs
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


class OnNetwork(keras.callbacks.Callback):
    """Callbacks on a network while another one is trained that shares its layers.

    Ensembles, and losses that take features, are trained on more outputs than the network has.
    Callbacks that save or evaluate it are about the network that the estimator returns.

    Parameters
    ----------
    network : keras.Model
        Compiled with the optimizer of the other.
    callbacks : sequence of keras.callbacks.Callback
    """

    def __init__(self, network: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        super().__init__()
        self._network = network
        self._others = list(callbacks)
        for callback in self._others:
            callback.set_model(network)
        network.stop_training = False

    def set_params(self, params: Any) -> None:
        super().set_params(params)
        for callback in self._others:
            callback.set_params(params)

    def on_train_begin(self, logs: Logs = None) -> None:
        self._tell("on_train_begin", logs)

    def on_train_end(self, logs: Logs = None) -> None:
        self._tell("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._tell("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._tell("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._tell("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._tell("on_train_batch_end", batch, logs)

    def _tell(self, hook: str, *arguments: Any) -> None:
        # one by one, as Keras's list of callbacks gives a copy of the logs, to which they may add
        for callback in self._others:
            getattr(callback, hook)(*arguments)
        self._stop()

    def _stop(self) -> None:
        if self._network.stop_training:
            self.model.stop_training = True


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
