"""What a training is given, by either trainer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from skimb._backend.keras_internals import config_of
from skimb._backend.randomness import process_state
from skimb.data.batching import Batches
from skimb.losses.binding import BoundLoss
from skimb.training.augmentation import Augmentation
from skimb.training.dataset import Rows
from skimb.training.network import Network
from skimb.training.program import optimizer_signature

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
class Job:
    """Arguments of :func:`skimb.training.train`, for either trainer."""

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
    watched: bool  # whether each epoch is shown, or looked at by more than what checks the loss
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


#: values of the network's variables, values of the optimizer's, and the trainer
Result = tuple[list[np.ndarray], list[np.ndarray], str]
