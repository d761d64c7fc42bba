"""Runs the epochs, compiled or through ``Model.fit``, behind one function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from skimb.losses.binding import BoundLoss
from skimb.randomness import draw_seed, process_state
from skimb.training.cache import forward_passes, programs
from skimb.training.epochs import Batches, BatchSequence, Observer, Recorder, has_batch_hooks
from skimb.training.network import Forward, Network, assign, values_of
from skimb.training.program import Program, Shapes, for_precision, optimizer_signature
from skimb.training.rows import Rows, dense

# Compiling with XLA takes about as long as it saves in this many steps of the graph loop.
XLA_PAYS_FROM_STEPS = 1000

# XLA's convolutions on a CPU are tens of times slower than TensorFlow's own.
_NOT_FOR_XLA_ON_CPU = ("Conv", "Pool", "RNN", "LSTM", "GRU")

FORWARD_BYTES = 2**24


@dataclass
class Trained:
    """What training leaves behind.

    Attributes
    ----------
    network : Network
    optimizer_state : list of ndarray
    history : dict of str to list of float
    trainer : {"xla", "graph", "keras"}
    """

    network: Network
    optimizer_state: list[np.ndarray]
    history: dict[str, list[float]]
    trainer: str


def train(
    network: Network,
    rows: Rows,
    loss: BoundLoss,
    optimizer: keras.optimizers.Optimizer,
    batches: Batches,
    *,
    epochs: int,
    rng: np.random.RandomState,
    optimizer_state: Sequence[np.ndarray] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    observers: Sequence[Observer] = (),
    trainer: str = "auto",
    verbose: int = 0,
) -> Trained:
    """Train a network.

    Parameters
    ----------
    network : Network
        Left as it is; the trained one is returned.
    rows : Rows
    loss : BoundLoss
    optimizer : keras.optimizers.Optimizer
        Only its configuration is used.
    batches : Batches
    epochs : int
    rng : RandomState
        Source of the order of the rows and of the network's seeds while training.
    optimizer_state : sequence of ndarray or None, default=None
        The optimizer's variables from an earlier training to go on from.
    callbacks : sequence of keras.callbacks.Callback, default=()
    observers : sequence of callable, default=()
        Called after each epoch with a function that returns the network's values, and return what
        is to be added to the history.
    trainer : {"auto", "compiled", "keras"}, default="auto"
    verbose : int, default=0

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If the loss is no longer finite, or ``trainer="compiled"`` cannot be had.
    """
    obstacle = why_not_compiled(callbacks)
    if trainer == "compiled" and obstacle:
        raise ValueError(
            f"trainer='compiled' is not possible here: {obstacle}. Accepted then are 'auto' and "
            "'keras'."
        )
    recorder = Recorder(observers, n_batches=batches.n_batches, epochs=epochs, verbose=verbose)
    run = _train_with_keras if trainer == "keras" or obstacle else _train_compiled
    values, state, used = run(
        network, rows, loss, optimizer, batches, epochs, rng, optimizer_state, callbacks, recorder
    )
    trained = network.with_values(values)
    for callback in callbacks:  # not the program's network, which other fits will use
        callback.set_model(trained.model)
    return Trained(trained, state, recorder.history, used)


def why_not_compiled(callbacks: Sequence[keras.callbacks.Callback]) -> str | None:
    """Return why training has to go through ``Model.fit``, or None if it does not."""
    for callback in callbacks:
        if has_batch_hooks(callback):
            return f"the callback {type(callback).__name__} has hooks for single batches"
    return None


def _train_compiled(
    network: Network,
    rows: Rows,
    loss: BoundLoss,
    optimizer: keras.optimizers.Optimizer,
    batches: Batches,
    epochs: int,
    rng: np.random.RandomState,
    optimizer_state: Sequence[np.ndarray] | None,
    callbacks: Sequence[keras.callbacks.Callback],
    recorder: Recorder,
) -> tuple[list[np.ndarray], list[np.ndarray], str]:
    xla = epochs * batches.n_batches >= XLA_PAYS_FROM_STEPS and _suits_xla(network)
    shapes = Shapes.of(rows, batches.batch_size, fixed=xla)
    signature, learning_rate = optimizer_signature(optimizer)
    blueprint = network.blueprint
    key = (blueprint.key, signature, loss.signature(), shapes, xla)

    def make() -> Program:
        own_optimizer = type(optimizer).from_config(optimizer.get_config())
        return Program(blueprint.build(), own_optimizer, loss, shapes, xla)

    with programs.borrow(None if blueprint.key is None else key, make) as program:
        program.reset(network.values, optimizer_state, learning_rate, loss, draw_seed(rng))
        model = program.model
        if callbacks and getattr(model, "optimizer", None) is not program.optimizer:
            model.compile(optimizer=program.optimizer, loss=loss)
        model.stop_training = False
        hooks = keras.callbacks.CallbackList(
            [recorder, *callbacks], model=model, epochs=epochs, verbose=0, steps=batches.n_batches
        )
        hooks.on_train_begin()
        for epoch in range(epochs):
            hooks.on_epoch_begin(epoch)
            order = batches.epoch(rng)
            total = sum(
                program.run(*tensors, within, batches.batch_size)
                for tensors, within in rows.blocks(order, batches.batch_size, shapes.rows)
            )
            hooks.on_epoch_end(epoch, {"loss": total / len(order)})
            if model.stop_training:
                break
        hooks.on_train_end()
        program.optimizer.finalize_variable_values(model.trainable_variables)
        values = values_of(model.variables)
        state = values_of(program.optimizer.variables)
    return values, state, "xla" if xla else "graph"


def _train_with_keras(
    network: Network,
    rows: Rows,
    loss: BoundLoss,
    optimizer: keras.optimizers.Optimizer,
    batches: Batches,
    epochs: int,
    rng: np.random.RandomState,
    optimizer_state: Sequence[np.ndarray] | None,
    callbacks: Sequence[keras.callbacks.Callback],
    recorder: Recorder,
) -> tuple[list[np.ndarray], list[np.ndarray], str]:
    before = network.values
    model = network.blueprint.build()
    assign(model.variables, before)
    optimizer = for_precision(type(optimizer).from_config(optimizer.get_config()), model)
    optimizer.build(model.trainable_variables)
    if optimizer_state:
        assign(optimizer.variables, optimizer_state)
    with process_state(seed=draw_seed(rng)):
        model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
        try:
            model.fit(
                BatchSequence(rows, batches, rng),
                epochs=epochs,
                shuffle=False,
                verbose=0,
                callbacks=[recorder, *callbacks],
            )
        except BaseException:
            if network.blueprint.key is None:  # there is no copy: undo what was done to the one
                assign(model.variables, before)
            raise
    values = values_of(model.variables)
    return values, values_of(optimizer.variables), "keras"


def _suits_xla(network: Network) -> bool:
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return True
    layers = network.blueprint.layer_types
    return not any(part in name for name in layers for part in _NOT_FOR_XLA_ON_CPU)


def outputs(
    network: Network, X: Any, dtype: str, values: Sequence[Any] | None = None
) -> np.ndarray:
    """Return the network's outputs for rows, computed in chunks.

    Parameters
    ----------
    network : Network
    X : ndarray or sparse matrix of shape (n_rows, ...)
    dtype : str
        Dtype in which the network takes X.
    values : sequence or None, default=None
        Other values of the network's variables, in the middle of a training.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
    """
    blueprint = network.blueprint
    row_shape = X.shape[1:]
    key = None if blueprint.key is None else (blueprint.key, row_shape, dtype)
    chunk = max(1, FORWARD_BYTES // (int(np.prod(row_shape)) * np.dtype(dtype).itemsize))
    values = network.values if values is None else values
    with forward_passes.borrow(key, lambda: Forward(blueprint.build(), row_shape, dtype)) as ask:
        parts = [
            np.asarray(ask(values, dense(X[start : start + chunk], dtype)))
            for start in range(0, X.shape[0], chunk)
        ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
