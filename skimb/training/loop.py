"""Training loop, compiled or through ``Model.fit``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from skimb._backend.quiet import without_remarks
from skimb.data.batching import Batches
from skimb.losses.binding import BoundLoss
from skimb.training.augmentation import Augmentation
from skimb.training.blueprint import variables_of
from skimb.training.compilation import compiled_as_before
from skimb.training.compiled_loop import obstacle_of, train_compiled
from skimb.training.dataset import Rows
from skimb.training.distribution import Distribution, strategy
from skimb.training.divergence import explanation, is_finite, is_suspicious
from skimb.training.epochs import BestEpoch, Observer, Recorder, Watcher
from skimb.training.guests import leave_with
from skimb.training.inference import outputs
from skimb.training.job import Blocks, Job, OptimizerState, Resample, Result
from skimb.training.keras_loop import train_with_keras
from skimb.training.network import Network, assign
from skimb.training.program import NotForXLA, NotTraceable, OwnRandomness, optimizer_signature
from skimb.training.progress import WHOLE, Part, ProgressLine


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
    watched = bool(callbacks or observers or verbose) or best is not None
    job = Job(
        network, rows, loss, optimizer, batches, epochs, rng, optimizer_state,
        [watcher, *callbacks, recorder], bool(callbacks), watched, resample, blocks, augmentation,
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


def _run(job: Job, trainer: str) -> Result:
    """Train in the compiled loop if possible, else with ``Model.fit``."""
    obstacle = obstacle_of(job)
    if trainer != "keras" and obstacle is None:
        try:
            return train_compiled(job)
        except NotForXLA:
            return train_compiled(job, xla=False)
        except OwnRandomness as error:
            obstacle = str(error)
        except NotTraceable as error:
            obstacle = str(error)
            if trainer == "auto":
                return train_with_keras(job, eagerly=True)
    if trainer == "compiled":
        raise ValueError(
            f"trainer='compiled' is not possible here: {obstacle}. Use trainer='auto' or 'keras'."
        )
    return train_with_keras(job, eagerly=False)
