"""Steps around an epoch for both trainers: order of samples, history and callbacks."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.callbacks import Callback

from skimb._backend.keras_internals import layers_of, schedule_of
from skimb._backend.process_lock import served, serving
from skimb.data.batching import Batches
from skimb.networks import SteadyNormalization
from skimb.training.augmentation import Augmentation
from skimb.training.dataset import Rows
from skimb.training.network import values_of
from skimb.training.progress import ProgressLine

#: called after each epoch with a function that returns the network's weights; its result is added
#: to the history
Observer = Callable[[Callable[[], list[np.ndarray]]], dict[str, float]]


class BestEpoch:
    """Early stopping that keeps the weights of the best epoch.

    Parameters
    ----------
    name : str
        Monitored quantity, a key of the history.
    patience : int
        Number of epochs without improvement after which training stops.
    lower : bool
        Whether lower is better.
    after : int, default=0
        Number of epochs at the beginning that are ignored.

    Attributes
    ----------
    name : str
    epoch : int
        Number of the best epoch so far, counted from 1; 0 while every score was NaN.
    values : list of ndarray or None
        Values of the network's variables after the best epoch.
    """

    def __init__(self, name: str, *, patience: int, lower: bool, after: int = 0) -> None:
        self._after = after
        self.name, self._patience, self._sign = name, patience, -1.0 if lower else 1.0
        self._score = -math.inf
        self.epoch = 0
        self.values: list[np.ndarray] | None = None

    def is_over(self, epoch: int, logs: dict[str, Any], model: keras.Model) -> bool:
        """Record an epoch and return whether training should stop."""
        if epoch <= self._after:
            return False
        score = self._sign * logs[self.name]
        if score > self._score:  # always False for NaN
            self._score, self.epoch, self.values = score, epoch, values_of(model.variables)
        return epoch - max(self.epoch, self._after) >= self._patience


class Watcher(Callback):
    """Callback that calls observers, stops after the best epoch, and rejects NaN losses.

    It comes before the callbacks of a user, which can then monitor the observed values too.
    """

    def __init__(
        self, observers: Sequence[Observer], best: BestEpoch | None, explain: Callable[[], str]
    ) -> None:
        super().__init__()
        self.explain = explain
        self.n_epochs = 0
        self._best = best
        self._observers = observers

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        if not math.isfinite(logs["loss"]):
            raise ValueError(
                f"The loss became {logs['loss']} in epoch {epoch + 1}. {self.explain()}"
            )
        for observe in self._observers:
            logs.update(observe(lambda: values_of(self.model.variables)))
        self.n_epochs += 1
        if self._best is not None and self._best.is_over(epoch + 1, logs, self.model):
            self.model.stop_training = True


class Recorder(Callback):
    """Callback that records the history and shows progress.

    It comes after the callbacks of a user, as in ``Model.fit``: they may add to the logs, as
    Keras's schedulers add the learning rate.

    Parameters
    ----------
    line : ProgressLine or None
    best : BestEpoch or None
    """

    def __init__(self, line: ProgressLine | None, best: BestEpoch | None) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self._line, self._best = line, best

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._line is not None:
            self._line.begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = _numbers({} if logs is None else logs)
        n_before = len(self.history.get("loss", []))
        for name, value in logs.items():  # an entry that began late has a place for every epoch
            self.history.setdefault(name, [math.nan] * n_before).append(value)
        for name in self.history.keys() - logs.keys():
            self.history[name].append(math.nan)
        if self._line is not None:
            self._line.show(epoch + 1, logs, 0 if self._best is None else self._best.epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._line is not None:
            self._line.end()


def _numbers(logs: dict[str, Any]) -> dict[str, float]:
    """Return the entries of the logs that are a number; a user's callback may add anything."""
    found = {}
    for name, value in logs.items():
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            continue
    return found


class LearningRates(Callback):
    """Callback that sets the learning rate of each epoch, until another callback changes it.

    Without an optimizer the training sets it, and what is left is to tell it.

    As Keras's schedulers do, it adds the learning rate of an epoch to the logs.

    Parameters
    ----------
    rates : sequence of float or None
        None keeps the optimizer's learning rate.
    optimizer : keras.optimizers.Optimizer or None
        None if the training itself sets it.
    alone : bool, default=False
        Whether there are no other callbacks that could set the learning rate.
    """

    def __init__(
        self,
        rates: Sequence[float] | None,
        optimizer: keras.optimizers.Optimizer | None,
        alone: bool = False,
    ) -> None:
        super().__init__()
        self._rates, self._optimizer, self._alone = rates, optimizer, alone
        self._last: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._rates is None or self._optimizer is None:
            return
        moved = self._last is not None and float(self._optimizer.learning_rate) != self._last
        if moved or schedule_of(self._optimizer) is not None:
            self._rates = None
            return
        self._optimizer.learning_rate = float(self._rates[epoch])
        if not self._alone:
            self._last = float(self._optimizer.learning_rate)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._rates is not None and logs is not None:
            optimizer = None if self._alone else self._optimizer
            used = self._rates[epoch] if optimizer is None else optimizer.learning_rate
            logs["learning_rate"] = float(used)


class SteadyStatistics(Callback):
    """Callback that ends the normalisation over batches of few images after half of the epochs.

    For masks of membranes it is the same after 30 % of them. A layer that has no averages yet, in
    the first epoch, normalises over batches, and one that has gone over already stays so in a
    training of one epoch, such as `partial_fit`.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._layers: list[SteadyNormalization] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._epochs > 1:
            found = layers_of(self.model)
            self._layers = [layer for layer in found if isinstance(layer, SteadyNormalization)]

    @property
    def acts(self) -> bool:
        """Whether there are such layers."""
        return bool(self._layers)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for layer in self._layers:
            layer.steady.assign(float(epoch >= self._epochs // 2))


class BatchSequence(keras.utils.PyDataset):
    """Batches of a batching scheme, one epoch after another, for ``Model.fit``."""

    def __init__(
        self,
        rows: Rows,
        batches: Batches,
        rng: np.random.RandomState,
        augmentation: Augmentation | None = None,
        resample: Callable[[], tuple[Rows, Batches]] | None = None,
    ) -> None:
        super().__init__()
        self._rows, self._batches, self._rng = rows, batches, rng
        self._augmentation, self._resample = augmentation, resample
        self._fit = served()
        self._epoch = -1
        self._order = np.arange(len(rows))  # for the batch that Keras inspects before training

    def __len__(self) -> int:
        return self._batches.n_batches

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        size = self._batches.batch_size
        rows = self._order[index * size : (index + 1) * size]
        batch = self._rows.take(rows, max(self._epoch, 0))
        if self._augmentation is None or self._epoch < 0:
            return batch
        return _augmented(batch, self._augmentation, self._fit)

    @contextmanager
    def read(self) -> Iterator[BatchSequence]:
        """Return what ``Model.fit`` takes."""
        yield self

    def next_epoch(self) -> None:
        """Sample the batches of the next epoch, of samples resampled for it.

        Raises
        ------
        ValueError
            If there are more or fewer batches than before, for which Keras has no place.
        """
        if self._resample is not None and self._epoch >= 0:
            n_batches = len(self)
            self._rows, self._batches = self._resample()
            if len(self) != n_batches:
                raise ValueError(
                    f"resample_every_epoch=True with Model.fit requires epochs of one length, but "
                    f"the sampler returned {n_batches} batches and then {len(self)}. Set "
                    "resample_every_epoch=False, or train without what needs Model.fit."
                )
        self._order = self._batches.epoch(self._rng)
        self._epoch += 1


class BatchStream:
    """Batches of blocks that are read one after the other, for ``Model.fit``.

    Parameters
    ----------
    example : Rows
        A block, of which Keras inspects a batch before the training.
    data : callable
        Yields the blocks of an epoch by its number, each with the order of its samples.
    batch_size : int
    augmentation : Augmentation or None, default=None
    """

    def __init__(
        self,
        example: Rows,
        data: Callable[[int], Iterator[tuple[Rows, np.ndarray]]],
        batch_size: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        self._example, self._data, self._size = example, data, batch_size
        self._augmentation = augmentation
        self._fit = served()
        self._epoch = -1
        self._error: BaseException | None = None

    @contextmanager
    def read(self) -> Iterator[tf.data.Dataset]:
        """Return what ``Model.fit`` takes, and raise an error of a stream as it is."""
        with warnings.catch_warnings():
            # that an epoch is over where the stream is
            warnings.filterwarnings("ignore", "Your input ran out of data")
            try:
                yield self._dataset()
            except tf.errors.OpError:
                if self._error is None:
                    raise
                raise self._error from None

    def _dataset(self) -> tf.data.Dataset:
        """Return the batches as a dataset, which each epoch goes through anew."""
        arrays = self._example.take(np.arange(1), 0)
        signature = tuple(tf.TensorSpec([None, *a.shape[1:]], a.dtype) for a in arrays)
        options = tf.data.Options()
        off = tf.data.experimental.AutoShardPolicy.OFF
        options.experimental_distribute.auto_shard_policy = off
        found = tf.data.Dataset.from_generator(self._batches, output_signature=signature)
        return found.with_options(options)

    def next_epoch(self) -> None:
        """Begin the next epoch."""
        self._epoch += 1

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        try:
            yield from self._batches_of_epoch()
        except BaseException as error:  # of which TensorFlow makes one of its own
            self._error = error
            raise

    def _batches_of_epoch(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        if self._epoch < 0:
            yield self._example.take(np.arange(min(self._size, len(self._example))), 0)
            return
        for rows, order in self._data(self._epoch):
            for start in range(0, len(order), self._size):
                batch = rows.take(order[start : start + self._size], self._epoch)
                if self._augmentation is not None:
                    batch = _augmented(batch, self._augmentation, self._fit)
                yield batch


def _augmented(
    batch: tuple[np.ndarray, ...], augmentation: Augmentation, fit: frozenset[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return an augmented batch, in a thread of Keras that the threads of a fit wait for."""
    with serving(fit):
        X, y, weight = augmentation(*batch)
    return np.asarray(X), np.asarray(y), np.asarray(weight)


class EpochStarter(Callback):
    """Callback that samples the batches of an epoch when it begins.

    PyDataset has hooks for that, but Keras calls them for epochs that it only inspects, too.
    """

    def __init__(self, batches: BatchSequence | BatchStream) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._batches.next_epoch()
