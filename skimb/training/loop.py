"""Runs the epochs, compiled or through ``Model.fit``, behind one function."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skimb._backend.keras_internals import layers_of
from skimb._backend.quiet import without_remarks
from skimb._backend.randomness import draw_seed, process_state
from skimb._types import Tensor
from skimb.data.batching import Batches
from skimb.losses.binding import BoundLoss
from skimb.networks import members_of
from skimb.training.augmentation import Augmentation
from skimb.training.blueprint import default_dtype, variables_of
from skimb.training.cache import forward_passes, programs
from skimb.training.dataset import Rows, dense
from skimb.training.distribution import strategy
from skimb.training.divergence import explanation, is_finite, is_suspicious
from skimb.training.epochs import (
    BatchSequence,
    BestEpoch,
    EpochStarter,
    LearningRates,
    Observer,
    Recorder,
    has_batch_hooks,
)
from skimb.training.network import Forward, Network, assign, values_of
from skimb.training.program import (
    NotForXLA,
    NotTraceable,
    OwnRandomness,
    Program,
    Shapes,
    for_precision,
    optimizer_signature,
    trained_outputs,
)

# What XLA saves on a CPU, measured: seconds a step, more of them where many layers have their
# operations done in one go, and seconds a floating-point operation.
XLA_SAVES_PER_STEP = 1.2e-4
XLA_SAVES_PER_LAYER = 2e-5
XLA_SAVES_PER_OPERATION = 3.5e-12
# Compiling takes 0.4 to 0.9 s. The bound is lower, since most programs serve a search of many fits.
XLA_PAYS_FROM_SECONDS = 0.12

# XLA's convolutions and random numbers on a CPU are tens of times slower than TensorFlow's own.
_NOT_FOR_XLA_ON_CPU = ("Conv", "Pool", "RNN", "LSTM", "GRU", "Dropout", "Noise")

FORWARD_BYTES = 2**24

#: returns the rows of an epoch and their batches
Resample = Callable[[], tuple[Rows, Batches]]


@dataclass(frozen=True)
class OptimizerState:
    """Where a training leaves its optimizer.

    Attributes
    ----------
    values : list of ndarray
        Of the optimizer's variables.
    signature : hashable
        Equal for optimizers that can go on from here.
    learning_rate : float or None
        The rate it was given, None for a schedule.
    """

    values: list[np.ndarray]
    signature: Hashable
    learning_rate: float | None


@dataclass
class Trained:
    """What training leaves behind.

    Attributes
    ----------
    network : Network
    optimizer_state : OptimizerState
    history : dict of str to list of float
    trainer : {"xla", "graph", "keras"}
    """

    network: Network
    optimizer_state: OptimizerState
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
    learning_rates: Sequence[float] | None = None,
    optimizer_state: OptimizerState | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    observers: Sequence[Observer] = (),
    best: BestEpoch | None = None,
    resample: Resample | None = None,
    augmentation: Augmentation | None = None,
    trainer: str = "auto",
    distribution: Any = None,
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
    learning_rates : sequence of float or None, default=None
        The learning rate of each epoch, in the place of the optimizer's own.
    optimizer_state : OptimizerState or None, default=None
        Where an earlier training left the optimizer. It goes on from there if it is of the same
        configuration and trains the same variables; another learning rate is taken over.
    callbacks : sequence of keras.callbacks.Callback, default=()
    observers : sequence of callable, default=()
        Called after each epoch with a function that returns the network's values, and return what
        is to be added to the history.
    best : BestEpoch or None, default=None
        When to stop early. The network then has the values of the best epoch.
    resample : callable or None, default=None
        Returns other rows, and their batches, for each epoch after the first.
    augmentation : Augmentation or None, default=None
        What is done to the rows of every batch.
    trainer : {"auto", "compiled", "keras"}, default="auto"
    distribution : {"mirrored"}, tf.distribute.Strategy, callable or None, default=None
        Devices to train on together, in ``Model.fit``.
    verbose : int, default=0

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If the loss is no longer finite, or ``trainer="compiled"`` cannot be had.
    """
    network = network.current()
    of_optimizer, rate = optimizer_signature(optimizer)
    signature = (of_optimizer, str(variables_of(network.blueprint.example)))
    if optimizer_state is not None and optimizer_state.signature != signature:
        optimizer_state = None

    def explain() -> str:
        return explanation(network, rows, rate)

    recorder = Recorder(observers, best, epochs=epochs, verbose=verbose, explain=explain)
    job = _Job(
        network, rows, loss, optimizer, batches, epochs, rng, optimizer_state, callbacks, recorder,
        resample, augmentation, strategy(distribution), learning_rates,
    )  # fmt: skip
    before = network.values
    try:
        with without_remarks(network.blueprint.example):
            values, state_values, used = _run(job, trainer)
        if best is not None and best.values is not None:
            values = best.values
        _check_values(network, values, rows, recorder)
    except BaseException:
        if network.blueprint.key is None:  # it was trained itself, since there can be no copy
            assign(network.model.variables, before)
        raise
    trained = network.with_values(values)
    for callback in callbacks:  # not the program's network, which other fits will use
        callback.set_model(trained.model)
    state = OptimizerState(state_values, signature, rate)
    return Trained(trained, state, recorder.history, used)


def _check_values(
    network: Network, values: Sequence[np.ndarray], rows: Rows, recorder: Recorder
) -> None:
    """Raise an error where the last step, which no loss was computed after, led nowhere."""
    found = is_finite(values)
    if found and is_suspicious(values):
        some = rows.X[: min(len(rows), 1000)]
        found = is_finite([outputs(network, some, rows.dtype, values)])
    if not found:
        raise ValueError(
            f"The network no longer gives finite numbers after epoch {recorder.n_epochs}. "
            f"{recorder.explain()}"
        )


@dataclass
class _Job:
    """The arguments of :func:`train`, on the way to one of its two paths."""

    network: Network
    rows: Rows
    loss: BoundLoss
    optimizer: keras.optimizers.Optimizer
    batches: Batches
    epochs: int
    rng: np.random.RandomState
    optimizer_state: OptimizerState | None
    callbacks: Sequence[keras.callbacks.Callback]
    recorder: Recorder
    resample: Resample | None
    augmentation: Augmentation | None
    strategy: tf.distribute.Strategy | None
    learning_rates: Sequence[float] | None

    def own_optimizer(self) -> keras.optimizers.Optimizer:
        """Return an optimizer of the same configuration without variables."""
        # another thread may have another default dtype, and learning rates are of that
        with process_state(seed=0, dtype="float32"):
            return type(self.optimizer).from_config(self.optimizer.get_config())

    @property
    def new_learning_rate(self) -> float | None:
        """The learning rate to set: None where it is a schedule, or goes on as it was left."""
        _, rate = optimizer_signature(self.optimizer)
        state = self.optimizer_state
        return None if state is not None and state.learning_rate == rate else rate


_Result = tuple[list[np.ndarray], list[np.ndarray], str]


def _run(job: _Job, trainer: str) -> _Result:
    """Train in the compiled loop where it can be had, else in ``Model.fit``."""
    obstacle = _obstacle(job)
    if trainer != "keras" and obstacle is None:
        try:
            return _train_compiled(job)
        except NotForXLA:
            return _train_compiled(job, xla=False)
        except OwnRandomness as error:
            obstacle = str(error)
        except NotTraceable as error:
            obstacle = str(error)
            if trainer == "auto" and job.resample is None:
                return _train_with_keras(job, eagerly=True)
    if job.resample is not None:
        reason = obstacle or "trainer='keras' was asked for"
        raise ValueError(
            f"resample_every_epoch=True needs the compiled trainer, but {reason}. Set "
            "resample_every_epoch=False."
        )
    if trainer == "compiled":
        raise ValueError(
            f"trainer='compiled' is not possible here: {obstacle}. Use trainer='auto' or 'keras'."
        )
    return _train_with_keras(job, eagerly=False)


def _obstacle(job: _Job) -> str | None:
    """Return why training has to go through ``Model.fit``, or None if it does not."""
    kind = type(job.network.blueprint.example)
    for method in ("train_step", "compute_loss"):
        if getattr(kind, method) is not getattr(keras.Model, method):
            return f"the network has a {method} of its own"
    for callback in job.callbacks:
        if has_batch_hooks(callback):
            return f"the callback {type(callback).__name__} has hooks for single batches"
    augmentation, some = job.augmentation, np.arange(2) % len(job.rows)
    if augmentation and augmentation.draws_by_itself(*job.rows.take(some, 0)):
        return "the augmentation draws random numbers of its own, which a program would draw once"
    if job.strategy is not None or tf.distribute.has_strategy():
        return "a tf.distribute strategy trains through Model.fit"
    return None


def _train_compiled(job: _Job, xla: bool | None = None) -> _Result:
    rows, batches, blueprint, loss = job.rows, job.batches, job.network.blueprint, job.loss
    size = batches.batch_size
    if xla is None:
        fixed = job.resample is None  # XLA compiles for a number of rows
        xla = fixed and _xla_saves(job) >= XLA_PAYS_FROM_SECONDS and _suits_xla(job.network)
    n_epoch_rows = batches.n_epoch_rows
    shapes = Shapes.of(job.rows, size, n_epoch_rows, fixed=xla)
    signature, _ = optimizer_signature(job.optimizer)
    augmentation = job.augmentation
    key = (
        blueprint.key or blueprint, signature, loss.signature(), shapes, xla,
        augmentation and augmentation.key,
    )  # fmt: skip

    def make() -> Program:
        own = augmentation and augmentation.copy()
        program = Program(blueprint.build(), job.own_optimizer(), loss, shapes, xla, own)
        first_rows = np.arange(size) % len(job.rows)
        tensors, _ = next(job.rows.blocks(first_rows, size, shapes.rows, epoch=0))
        program.compile(tensors, full=n_epoch_rows >= size, rest=n_epoch_rows % size > 0)
        return program

    start_values = job.network.values  # before a program can take hold of the only network
    with programs.borrow(key, make) as program:
        state = job.optimizer_state.values if job.optimizer_state else None
        decay = job.optimizer.weight_decay
        program.reset(start_values, state, job.new_learning_rate, decay, loss, draw_seed(job.rng))
        model = program.model
        if job.callbacks and getattr(model, "optimizer", None) is not program.optimizer:
            model.compile(optimizer=program.optimizer, loss=loss)
        model.stop_training = False
        alone = not job.callbacks
        hooks = keras.callbacks.CallbackList(
            [
                LearningRates(job.learning_rates, program.optimizer, alone),
                job.recorder,
                *job.callbacks,
            ],
            model=model,
            epochs=job.epochs,
            verbose=0,
            steps=batches.n_batches,
        )
        hooks.on_train_begin()
        for epoch in range(job.epochs):
            hooks.on_epoch_begin(epoch)
            if job.resample is not None and epoch:
                rows, batches = job.resample()
            order = batches.epoch(job.rng)
            total = sum(
                program.run(*tensors, within, size)
                for tensors, within in rows.blocks(order, size, shapes.rows, epoch)
            )
            hooks.on_epoch_end(epoch, {"loss": total / len(order)})
            if model.stop_training:
                break
        program.optimizer.finalize_variable_values(model.trainable_variables)
        hooks.on_train_end()
        values = values_of(model.variables)
        state_values = values_of(program.optimizer.variables)
    return values, state_values, "xla" if xla else "graph"


def _train_with_keras(job: _Job, *, eagerly: bool) -> _Result:
    start_values = job.network.values
    with job.strategy.scope() if job.strategy else nullcontext():
        model = _new_model(job)
        assign(model.variables, start_values)
        optimizer = for_precision(job.own_optimizer(), model)
        optimizer.build(model.trainable_variables)
        if job.optimizer_state:
            assign(optimizer.variables, job.optimizer_state.values)
            if job.new_learning_rate is not None:
                optimizer.learning_rate = job.new_learning_rate
    dtype = default_dtype(model)
    seed, augmentation = draw_seed(job.rng), job.augmentation and job.augmentation.copy()
    if augmentation is not None:
        augmentation.reseed(seed)
    with process_state(seed=seed, dtype=dtype, fresh_kernels=True):
        batches = BatchSequence(job.rows, job.batches, job.rng, augmentation)
        with job.strategy.scope() if job.strategy else nullcontext():
            trained, loss = trained_outputs(model, job.loss)
            trained.compile(optimizer=optimizer, loss=loss, run_eagerly=eagerly, jit_compile=False)
        trained.fit(
            batches,
            epochs=job.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[
                EpochStarter(batches),
                LearningRates(job.learning_rates, optimizer, alone=not job.callbacks),
                job.recorder,
                *job.callbacks,
            ],
        )
    return values_of(model.variables), values_of(optimizer.variables), "keras"


def _new_model(job: _Job) -> keras.Model:
    """Return the network to train, with any values."""
    if job.strategy is not None and job.network.blueprint.key is None:
        raise TypeError(
            "distribution needs a network that can be built on each device, but this one cannot be "
            "copied, because it or a layer of it has no get_config. Set distribution=None."
        )
    return job.network.blueprint.build()


def _xla_saves(job: _Job) -> float:
    """Return the seconds that XLA is expected to save in a fit, once it has compiled.

    It depends on the fit alone and not on what ran before, so that two fits of the same seed take
    the same path and are equal to the last bit.
    """
    example = job.network.blueprint.example
    n_weights = sum(int(np.prod(shape)) for shape, *_ in variables_of(example))
    # forward, and backward to the inputs and to the weights: a product and a sum each
    operations = 6 * job.batches.batch_size * n_weights
    steps = job.epochs * job.batches.n_batches
    of_layers = max(XLA_SAVES_PER_STEP, XLA_SAVES_PER_LAYER * len(layers_of(example)))
    return steps * (of_layers + XLA_SAVES_PER_OPERATION * operations)


def _suits_xla(network: Network) -> bool:
    if tf.config.list_logical_devices("GPU"):
        return True
    layers = network.blueprint.layer_types
    # a global mean is a sum like others
    layers = layers - {"GlobalAveragePooling1D"}
    return not any(part in name for name in layers for part in _NOT_FOR_XLA_ON_CPU)


def _forward_shape(network: Network, X: Tensor) -> tuple[int | None, ...]:
    """Return the shape of the rows that a forward pass is compiled for."""
    inputs = getattr(network.blueprint.example, "inputs", None) or []
    # a network for images of any size has one program for all of them
    if len(inputs) == 1 and None in inputs[0].shape[1:]:
        return tuple(inputs[0].shape[1:])
    return X.shape[1:]


def outputs(
    network: Network, X: Tensor, dtype: str, values: Sequence[Any] | None = None
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
    row_shape = _forward_shape(network, X)
    key = (blueprint.key or blueprint, row_shape, dtype)
    # the maps between convolutions are larger than the image, and several networks than one
    convolves = any("Conv" in name for name in blueprint.layer_types)
    maps = 16 if convolves else members_of(blueprint.example)
    chunk = max(1, FORWARD_BYTES // (int(np.prod(X.shape[1:])) * np.dtype(dtype).itemsize * maps))
    values = network.values if values is None else values
    with (
        without_remarks(blueprint.example),
        forward_passes.borrow(key, lambda: Forward(blueprint.build(), row_shape, dtype)) as ask,
    ):
        parts = [
            np.array(ask(values, dense(X[start : start + chunk], dtype)).numpy())
            for start in range(0, X.shape[0], chunk)
        ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
