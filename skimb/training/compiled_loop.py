"""Training by a compiled program."""

from __future__ import annotations

import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from skimb._backend.keras_internals import layers_of
from skimb._backend.randomness import draw_seed
from skimb.training.blueprint import variables_of
from skimb.training.cache import programs
from skimb.training.compilation import compile_for_callbacks
from skimb.training.epochs import LearningRates, SteadyStatistics
from skimb.training.guests import has_batch_hooks
from skimb.training.job import Job, Result
from skimb.training.network import Network, values_of
from skimb.training.program import Program, Shapes, batches_of_a_call, optimizer_signature

# Measured savings of XLA on a CPU, in seconds: per step (per layer if there are many layers, whose
# operations XLA fuses) and per floating-point operation.
XLA_SAVES_PER_STEP = 1.2e-4
XLA_SAVES_PER_LAYER = 2e-5
XLA_SAVES_PER_OPERATION = 3.5e-12
# Compilation takes 0.4 to 0.9 s. The threshold is lower, since most programs serve many fits of a
# search.
XLA_PAYS_FROM_SECONDS = 0.12

# A call of a program trains about so long: between two calls an interrupt can end a training. It
# changes nothing in the result.
SECONDS_OF_A_CALL = 0.25

# XLA's convolutions and random numbers on a CPU are tens of times slower than TensorFlow's own.
_NOT_FOR_XLA_ON_CPU = ("Conv", "Pool", "RNN", "LSTM", "GRU", "Dropout", "Noise")


def obstacle_of(job: Job) -> str | None:
    """Return why training requires ``Model.fit``, or None if it does not."""
    kind = type(job.network.blueprint.example)
    for method in ("train_step", "compute_loss"):
        if getattr(kind, method) is not getattr(keras.Model, method):
            return f"the network overrides {method}"
    for callback in job.callbacks:
        if has_batch_hooks(callback):
            return f"the callback {type(callback).__name__} has batch-level hooks"
    augmentation, some = job.augmentation, np.arange(2) % len(job.rows)
    if augmentation and augmentation.draws_by_itself(*job.rows.take(some, 0)):
        return "the augmentation uses its own random numbers, which tracing would make constant"
    if job.strategy is not None or tf.distribute.has_strategy():
        return "a tf.distribute strategy trains through Model.fit"
    return None


def train_compiled(job: Job, xla: bool | None = None) -> Result:
    """Train by a compiled program, which other fits of such a network share.

    Parameters
    ----------
    job : Job
    xla : bool or None, default=None
        Whether to compile with XLA. None does where it saves time.

    Raises
    ------
    NotTraceable, OwnRandomness, NotForXLA
        If that is not possible. Nothing has been trained then.
    """
    batches, blueprint, loss = job.batches, job.network.blueprint, job.loss
    size = batches.batch_size
    if xla is None:
        fixed = job.resample is None  # XLA compiles for a fixed number of samples
        xla = fixed and _xla_saves(job) >= XLA_PAYS_FROM_SECONDS and _suits_xla(job.network)
    n_epoch_rows = batches.n_epoch_rows
    shapes = Shapes.of(job.rows, size, n_epoch_rows, fixed=xla)
    signature, _ = optimizer_signature(job.optimizer)
    augmentation = job.augmentation
    key = (
        blueprint.key or blueprint, signature, loss.signature(), loss.n_folds, shapes, xla,
        augmentation and augmentation.key, job.learning_rates is not None,
    )  # fmt: skip

    def make() -> Program:
        own = augmentation and augmentation.copy()
        program = Program(
            blueprint.build(), job.own_optimizer(), loss, shapes, xla, own,
            sets_rate=job.learning_rates is not None,
        )  # fmt: skip
        first_rows = np.arange(size) % len(job.rows)
        tensors, _ = next(job.rows.blocks(first_rows, size, shapes.rows, epoch=0))
        rest = job.blocks is not None or n_epoch_rows % size > 0
        program.compile(tensors, full=n_epoch_rows >= size, rest=rest)
        return program

    # read before a program changes the network, which may be the only copy
    start_values = job.network.values
    with programs.borrow(key, make) as program:
        state = job.optimizer_state.values if job.optimizer_state else None
        decay = job.optimizer.weight_decay
        program.reset(start_values, state, job.new_learning_rate, decay, loss, draw_seed(job.rng))
        model = program.model
        if job.has_guests:  # always anew: the last fit of this program had a loss of its own
            compile_for_callbacks(model, program.optimizer, loss)
        model.stop_training = False
        steady = SteadyStatistics(job.epochs)
        # without callbacks of the user's that could change it, the program sets the learning rate
        optimizer = program.optimizer if job.has_guests else None
        hooks = keras.callbacks.CallbackList(
            [LearningRates(job.learning_rates, optimizer), steady, *job.callbacks],
            model=model,
            epochs=job.epochs,
            verbose=0,
            steps=batches.n_batches,
        )
        hooks.on_train_begin()
        _run_epochs(job, program, hooks, 1 if steady.acts else _epochs_of_a_call(job))
        program.optimizer.finalize_variable_values(model.trainable_variables)
        hooks.on_train_end()
        values = values_of(model.variables)
        state_values = values_of(program.state)
    return values, state_values, "xla" if xla else "graph"


def _run_epochs(job: Job, program: Program, hooks: keras.callbacks.CallbackList, most: int) -> None:
    """Train all epochs, at most so many by one call of the program."""
    given = None if job.has_guests else job.learning_rates
    epochs = _next_call(job, 0, 1)
    while epochs:
        start = time.perf_counter()
        hooks.on_epoch_begin(epochs.start)
        rates = None if given is None else given[epochs.start : epochs.stop]
        for epoch, loss in zip(epochs, _losses(job, program, epochs, rates), strict=True):
            hooks.on_epoch_end(epoch, {"loss": float(loss)})
        if program.model.stop_training:
            break
        of_an_epoch = (time.perf_counter() - start) / len(epochs)
        epochs = _next_call(job, epochs.stop, min(most, int(SECONDS_OF_A_CALL / of_an_epoch)))


def _epochs_of_a_call(job: Job) -> int:
    """Return how many epochs a call of the program may train at most."""
    n_rows, batch_size = job.batches.n_epoch_rows, job.batches.batch_size
    anew = job.blocks is not None or job.resample is not None
    if job.watched or anew or not job.rows.resident or n_rows % batch_size:
        return 1
    return max(1, batches_of_a_call(batch_size) // (n_rows // batch_size))


def _next_call(job: Job, start: int, most: int) -> range:
    """Return the epochs of a call of the program, which have the same sample weights."""
    early = job.rows.early_epochs if job.rows.early_weight is not None else 0
    end = early if start < early else job.epochs
    return range(start, min(start + max(most, 1), end, job.epochs))


def _losses(job: Job, program: Program, epochs: range, rates: Sequence[float] | None) -> np.ndarray:
    """Train the epochs of a call, and return the mean loss of each."""
    size, room = job.batches.batch_size, program.shapes.rows
    if len(epochs) > 1:
        orders = [order for epoch in epochs for _, order in job.data(epoch)]
        tensors, _ = next(job.rows.blocks(orders[0], size, room, epochs.start))
        return program.run(*tensors, orders, size, rates) / len(orders[0])
    total, n_rows = 0.0, 0
    for rows, order in job.data(epochs.start):
        for tensors, within in rows.blocks(order, size, room, epochs.start):
            total += program.run(*tensors, [within], size, rates)[0]
            n_rows += len(within)
    return np.array([total / n_rows])


def _xla_saves(job: Job) -> float:
    """Return the seconds that XLA is expected to save in a fit, excluding compilation.

    The estimate depends on this fit only and not on earlier ones. So two fits with the same seed
    use the same trainer and are bitwise equal.
    """
    example = job.network.blueprint.example
    n_weights = sum(int(np.prod(shape)) for shape, *_ in variables_of(example))
    # forward pass, and gradients for the inputs and the weights: a multiply and an add each
    operations = 6 * job.batches.batch_size * n_weights
    steps = job.epochs * job.batches.n_batches
    of_layers = max(XLA_SAVES_PER_STEP, XLA_SAVES_PER_LAYER * len(layers_of(example)))
    return steps * (of_layers + XLA_SAVES_PER_OPERATION * operations)


def _suits_xla(network: Network) -> bool:
    if tf.config.list_logical_devices("GPU"):
        return True
    layers = network.blueprint.layer_types
    # global average pooling is a plain reduction, which XLA compiles well
    layers = layers - {"GlobalAveragePooling1D"}
    return not any(part in name for name in layers for part in _NOT_FOR_XLA_ON_CPU)
