"""Training loop, compiled or through ``Model.fit``."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras.callbacks import BackupAndRestore

from skimb._backend.keras_internals import config_of, layers_of
from skimb._backend.quiet import without_remarks
from skimb._backend.randomness import draw_seed, process_state
from skimb.data.batching import Batches
from skimb.losses.binding import BoundLoss
from skimb.training.augmentation import Augmentation
from skimb.training.blueprint import default_dtype, variables_of
from skimb.training.cache import programs
from skimb.training.compilation import OnNetwork, compile_for_callbacks, compiled_as_before
from skimb.training.dataset import Rows
from skimb.training.distribution import Distribution, strategy
from skimb.training.divergence import explanation, is_finite, is_suspicious
from skimb.training.epochs import (
    BatchSequence,
    BatchStream,
    BestEpoch,
    EpochStarter,
    LearningRates,
    Observer,
    Recorder,
    SteadyStatistics,
    Watcher,
)
from skimb.training.guests import has_batch_hooks, leave_with
from skimb.training.inference import outputs
from skimb.training.network import Network, assign, values_of
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
from skimb.training.progress import WHOLE, Part, ProgressLine

# Measured savings of XLA on a CPU, in seconds: per step (per layer if there are many layers, whose
# operations XLA fuses) and per floating-point operation.
XLA_SAVES_PER_STEP = 1.2e-4
XLA_SAVES_PER_LAYER = 2e-5
XLA_SAVES_PER_OPERATION = 3.5e-12
# Compilation takes 0.4 to 0.9 s. The threshold is lower, since most programs serve many fits of a
# search.
XLA_PAYS_FROM_SECONDS = 0.12

# XLA's convolutions and random numbers on a CPU are tens of times slower than TensorFlow's own.
_NOT_FOR_XLA_ON_CPU = ("Conv", "Pool", "RNN", "LSTM", "GRU", "Dropout", "Noise")

#: returns the training data of an epoch and its batches
Resample = Callable[[], tuple[Rows, Batches]]

#: yields the training data of an epoch in blocks, each with the order of its samples; all but the
#: last hold whole batches
Blocks = Callable[[np.random.RandomState], Iterator[tuple[Rows, np.ndarray]]]


@dataclass(frozen=True)
class OptimizerState:
    """State of the optimizer after training.

    Attributes
    ----------
    values : list of ndarray
        Values of the optimizer's variables.
    signature : hashable
        Equal for optimizers that can resume from this state.
    learning_rate : float or None
        The configured learning rate, None for a schedule.
    """

    values: list[np.ndarray]
    signature: Hashable
    learning_rate: float | None


@dataclass
class Trained:
    """Result of training.

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
    blocks: Blocks | None = None,
    augmentation: Augmentation | None = None,
    trainer: str = "auto",
    distribution: Distribution = None,
    verbose: int = 0,
    part: Part = WHOLE,
) -> Trained:
    """Train a network.

    Parameters
    ----------
    network : Network
        Unchanged; the trained network is returned.
    rows : Rows
        With `blocks` an example of them.
    loss : BoundLoss
    optimizer : keras.optimizers.Optimizer
        Only its configuration is used.
    batches : Batches
        With `blocks` the numbers of samples and batches count.
    epochs : int
    rng : RandomState
        Random state for the order of the samples and the network's seeds during training.
    learning_rates : sequence of float or None, default=None
        Learning rate of each epoch, which replaces that of the optimizer.
    optimizer_state : OptimizerState or None, default=None
        Optimizer state after earlier training. Training resumes from it if the optimizer has the
        same configuration and trains the same variables. The learning rate may differ; the new one
        is used.
    callbacks : sequence of keras.callbacks.Callback, default=()
    observers : sequence of callable, default=()
        Called after each epoch with a function that returns the network's weights. The returned
        dict is added to the history.
    best : BestEpoch or None, default=None
        Early stopping criterion. The returned network has the weights of the best epoch.
    resample : callable or None, default=None
        Returns resampled training data and its batches, for each epoch after the first.
    blocks : callable or None, default=None
        Yields the training data of an epoch, in the place of `rows` and `batches`.
    augmentation : Augmentation or None, default=None
        Applied to the samples of every batch.
    trainer : {"auto", "compiled", "keras"}, default="auto"
    distribution : {"mirrored"}, tf.distribute.Strategy, callable or None, default=None
        Strategy for distributed training with ``Model.fit``.
    verbose : int, default=0
    part : Part, default=WHOLE
        Where this is one of several trainings of a fit, which of them, to be shown.

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If the loss or the weights become non-finite, or ``trainer="compiled"`` is not possible.
    """
    network = network.current()
    of_optimizer, rate = optimizer_signature(optimizer)
    signature = (of_optimizer, str(variables_of(network.blueprint.example)))
    if optimizer_state is not None and optimizer_state.signature != signature:
        optimizer_state = None

    def explain() -> str:
        return explanation(network, rows, rate)

    watcher = Watcher(observers, best, explain)
    line = None
    if verbose:
        monitored = None if best is None else best.name
        line = ProgressLine(epochs=epochs, verbose=verbose, monitored=monitored, part=part)
    recorder = Recorder(line, best)
    job = _Job(
        network, rows, loss, optimizer, batches, epochs, rng, optimizer_state,
        [watcher, *callbacks, recorder], bool(callbacks), resample, blocks, augmentation,
        strategy(distribution), learning_rates,
    )  # fmt: skip
    before = network.values
    try:
        with without_remarks(network.blueprint.example), compiled_as_before(network):
            values, state_values, used = _run(job, trainer)
        if best is not None and best.values is not None:
            values = best.values
        _check_values(network, values, rows, watcher)
    except BaseException:
        if network.blueprint.key is None:  # it was trained in place, since it cannot be copied
            assign(network.model.variables, before)
        raise
    trained = network.with_values(values)
    for callback in callbacks:  # instead of the program's network, which other fits reuse
        leave_with(callback, trained.model)
    state = OptimizerState(state_values, signature, rate)
    return Trained(trained, state, recorder.history, used)


def _check_values(
    network: Network, values: Sequence[np.ndarray], rows: Rows, watcher: Watcher
) -> None:
    """Raise a ValueError if the last step, which no loss follows, made the network non-finite."""
    found = is_finite(values)
    if found and is_suspicious(values):
        some = rows.X[: min(len(rows), 1000)]
        found = is_finite([outputs(network, some, rows.dtype, values)])
    if not found:
        raise ValueError(
            f"The network's outputs are no longer finite after epoch {watcher.n_epochs}. "
            f"{watcher.explain()}"
        )


@dataclass
class _Job:
    """Arguments of :func:`train`, shared by the compiled and the Keras trainer."""

    network: Network
    rows: Rows
    loss: BoundLoss
    optimizer: keras.optimizers.Optimizer
    batches: Batches
    epochs: int
    rng: np.random.RandomState
    optimizer_state: OptimizerState | None
    callbacks: Sequence[keras.callbacks.Callback]  # of the library, and the user's between them
    has_guests: bool  # whether there are any of the user's
    resample: Resample | None
    blocks: Blocks | None
    augmentation: Augmentation | None
    strategy: tf.distribute.Strategy | None
    learning_rates: Sequence[float] | None

    def own_optimizer(self) -> keras.optimizers.Optimizer:
        """Return an unbuilt optimizer of the same configuration."""
        # learning rates have the default dtype, which another thread may have changed
        with process_state(seed=0, dtype="float32"):
            return type(self.optimizer).from_config(config_of(self.optimizer))

    @property
    def new_learning_rate(self) -> float | None:
        """Learning rate to set, or None for a schedule or to keep that of the optimizer state."""
        _, rate = optimizer_signature(self.optimizer)
        state = self.optimizer_state
        return None if state is not None and state.learning_rate == rate else rate

    def data(self, epoch: int) -> Iterator[tuple[Rows, np.ndarray]]:
        """Yield the training data of an epoch, each part with the order of its samples."""
        if self.blocks is not None:
            yield from self.blocks(self.rng)
            return
        rows, batches = self.rows, self.batches
        if self.resample is not None and epoch:
            rows, batches = self.resample()
        yield rows, batches.epoch(self.rng)


_Result = tuple[list[np.ndarray], list[np.ndarray], str]


def _run(job: _Job, trainer: str) -> _Result:
    """Train in the compiled loop if possible, else with ``Model.fit``."""
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
            if trainer == "auto":
                return _train_with_keras(job, eagerly=True)
    if trainer == "compiled":
        raise ValueError(
            f"trainer='compiled' is not possible here: {obstacle}. Use trainer='auto' or 'keras'."
        )
    return _train_with_keras(job, eagerly=False)


def _obstacle(job: _Job) -> str | None:
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


def _train_compiled(job: _Job, xla: bool | None = None) -> _Result:
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
        augmentation and augmentation.key,
    )  # fmt: skip

    def make() -> Program:
        own = augmentation and augmentation.copy()
        program = Program(blueprint.build(), job.own_optimizer(), loss, shapes, xla, own)
        first_rows = np.arange(size) % len(job.rows)
        tensors, _ = next(job.rows.blocks(first_rows, size, shapes.rows, epoch=0))
        rest = job.blocks is not None or n_epoch_rows % size > 0
        program.compile(tensors, full=n_epoch_rows >= size, rest=rest)
        return program

    start_values = (
        job.network.values
    )  # read before a program changes the network, which may be the only copy
    with programs.borrow(key, make) as program:
        state = job.optimizer_state.values if job.optimizer_state else None
        decay = job.optimizer.weight_decay
        program.reset(start_values, state, job.new_learning_rate, decay, loss, draw_seed(job.rng))
        model = program.model
        if job.has_guests:  # always anew: the last fit of this program had a loss of its own
            compile_for_callbacks(model, program.optimizer, loss)
        model.stop_training = False
        alone = not job.has_guests
        hooks = keras.callbacks.CallbackList(
            [
                LearningRates(job.learning_rates, program.optimizer, alone),
                SteadyStatistics(job.epochs),
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
            total, n_rows = 0.0, 0
            for rows, order in job.data(epoch):
                for tensors, within in rows.blocks(order, size, shapes.rows, epoch):
                    total += program.run(*tensors, within, size)
                    n_rows += len(within)
            hooks.on_epoch_end(epoch, {"loss": total / n_rows})
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
        batches: BatchSequence | BatchStream
        if job.blocks is None:
            batches = BatchSequence(job.rows, job.batches, job.rng, augmentation, job.resample)
        else:
            batches = BatchStream(job.rows, job.data, job.batches.batch_size, augmentation)
        watcher, *guests, recorder = job.callbacks
        with job.strategy.scope() if job.strategy else nullcontext():
            trained, loss = trained_outputs(model, job.loss)
            options = {"run_eagerly": eagerly, "jit_compile": False}
            compile_for_callbacks(trained, optimizer, loss, **options)
            if trained is not model:
                watcher = OnNetwork(model, [watcher])
            if trained is not model and guests:
                compile_for_callbacks(model, optimizer, job.loss, **options)
                resuming = [c for c in guests if isinstance(c, BackupAndRestore)]
                others = [c for c in guests if c not in resuming]
                guests = [*resuming, OnNetwork(model, others)]
        with batches.read() as data:
            trained.fit(
                data,
                epochs=job.epochs,
                shuffle=False,
                verbose=0,
                callbacks=[
                    EpochStarter(batches),
                    LearningRates(job.learning_rates, optimizer, alone=not job.has_guests),
                    SteadyStatistics(job.epochs),
                    watcher,
                    *guests,
                    recorder,
                ],
            )
    return values_of(model.variables), values_of(optimizer.variables), "keras"


def _new_model(job: _Job) -> keras.Model:
    """Return the network to train, with arbitrary weights."""
    if job.strategy is not None and job.network.blueprint.key is None:
        raise TypeError(
            "distribution needs a network that can be built on each device, but this one cannot be "
            "copied, because the network or one of its layers has no get_config. Set "
            "distribution=None."
        )
    return job.network.blueprint.build()


def _xla_saves(job: _Job) -> float:
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
