"""What happens around an epoch in either path: the order of rows, the history, the callbacks."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras.callbacks import BackupAndRestore, Callback, ModelCheckpoint

from skimb.data.batching import Batches
from skimb.training.augmentation import Augmentation
from skimb.training.dataset import Rows
from skimb.training.network import values_of

#: called after each epoch with what returns the network's values; its result joins the history
Observer = Callable[[Callable[[], list[np.ndarray]]], dict[str, float]]


class BestEpoch:
    """Remembers the network of the best epoch, and says when no better one is to be expected.

    Parameters
    ----------
    name : str
        What is followed, a name of the history.
    patience : int
        Epochs without improvement after which training stops.
    lower : bool
        Whether lower is better.
    after : int, default=0
        Number of epochs at the beginning that do not count.

    Attributes
    ----------
    epoch : int
        Number of the best epoch so far, from 1; 0 while no score was a number.
    values : list of ndarray or None
        Of the network's variables after it.
    """

    def __init__(self, name: str, *, patience: int, lower: bool, after: int = 0) -> None:
        self._after = after
        self._name, self._patience, self._sign = name, patience, -1.0 if lower else 1.0
        self._score = -math.inf
        self.epoch = 0
        self.values: list[np.ndarray] | None = None

    def is_over(self, epoch: int, logs: dict[str, Any], model: keras.Model) -> bool:
        """Take note of an epoch, and return whether it is to be the last."""
        if epoch <= self._after:
            return False
        score = self._sign * logs[self._name]
        if score > self._score:  # which NaN is never
            self._score, self.epoch, self.values = score, epoch, values_of(model.variables)
        return epoch - max(self.epoch, self._after) >= self._patience


class Recorder(Callback):
    """Keeps the history, asks the observers, shows the progress, and stops at a loss of NaN."""

    def __init__(
        self,
        observers: Sequence[Observer],
        best: BestEpoch | None,
        *,
        epochs: int,
        verbose: int,
        explain: Callable[[], str],
    ) -> None:
        super().__init__()
        self.explain = explain
        self.history: dict[str, list[float]] = {}
        self._best = best
        self._observers = observers
        self._epochs = epochs
        self._verbose = verbose
        self._start = time.perf_counter()

    @property
    def n_epochs(self) -> int:
        """Epochs so far."""
        return len(self.history.get("loss", []))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        if not math.isfinite(logs["loss"]):
            raise ValueError(
                f"The loss became {logs['loss']} in epoch {epoch + 1}. {self.explain()}"
            )
        for observe in self._observers:
            # callbacks that follow, early stopping for one, see the observed values too
            logs.update(observe(lambda: values_of(self.model.variables)))
        for name, value in logs.items():
            self.history.setdefault(name, []).append(float(value))
        if self._best is not None and self._best.is_over(epoch + 1, logs, self.model):
            self.model.stop_training = True
        if self._verbose:
            self._show(epoch + 1, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._verbose == 1:
            print(file=sys.stdout, flush=True)

    def _show(self, epoch: int, logs: dict[str, Any]) -> None:
        seconds = time.perf_counter() - self._start
        left = seconds / epoch * (self._epochs - epoch)
        values = "  ".join(f"{name} {value:.4g}" for name, value in logs.items())
        line = f"epoch {epoch}/{self._epochs}  {left:.0f} s left  {values}"
        if self._verbose == 1:
            # a longer line would wrap, and then not be overwritten by the next
            room = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:room]:<{room}}", end="", file=sys.stdout, flush=True)
        else:
            print(line, file=sys.stdout, flush=True)


class LearningRates(Callback):
    """Sets the learning rate of each epoch, until another callback has set one of its own.

    Parameters
    ----------
    rates : sequence of float or None
        None leaves the learning rate to the optimizer.
    optimizer : keras.optimizers.Optimizer
    alone : bool
        Whether there is no callback that could set it.
    """

    def __init__(
        self, rates: Sequence[float] | None, optimizer: keras.optimizers.Optimizer, alone: bool
    ) -> None:
        super().__init__()
        self._rates, self._optimizer, self._alone = rates, optimizer, alone
        self._last: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._rates is None:
            return
        if self._last is not None and float(self._optimizer.learning_rate) != self._last:
            self._rates = None
            return
        self._optimizer.learning_rate = float(self._rates[epoch])
        if not self._alone:
            self._last = float(self._optimizer.learning_rate)


class BatchSequence(keras.utils.PyDataset):
    """The batches of a plan, an epoch after the other, for ``Model.fit``."""

    def __init__(
        self,
        rows: Rows,
        batches: Batches,
        rng: np.random.RandomState,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__()
        self._rows, self._batches, self._rng = rows, batches, rng
        self._augmentation = augmentation
        self._epoch = -1
        self._order = np.arange(len(rows))  # for the batch that Keras looks at before it begins

    def __len__(self) -> int:
        return self._batches.n_batches

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        size = self._batches.batch_size
        rows = self._order[index * size : (index + 1) * size]
        X, y, weight = self._rows.take(rows, max(self._epoch, 0))
        if self._augmentation is not None and self._epoch >= 0:
            X, y, weight = map(np.asarray, self._augmentation(X, y, weight))
        return X, y, weight

    def next_epoch(self) -> None:
        """Draw the batches of the next epoch."""
        self._order = self._batches.epoch(self._rng)
        self._epoch += 1


class EpochStarter(Callback):
    """Draws the batches of an epoch when it begins.

    The sequence has hooks for that, but Keras calls them for epochs that it only looks at, too.
    """

    def __init__(self, batches: BatchSequence) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._batches.next_epoch()


def has_batch_hooks(callback: Callback) -> bool:
    """Whether a callback has to be called for single batches."""
    if isinstance(callback, BackupAndRestore):
        return True  # it sets the epoch that Model.fit begins with
    if isinstance(callback, ModelCheckpoint):
        return callback.save_freq != "epoch"
    hooks = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
    return any(
        hook in vars(callback) or getattr(type(callback), hook) is not getattr(Callback, hook)
        for hook in hooks
    )
