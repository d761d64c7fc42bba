"""What both estimators of anomalies do: prepare rows, train an autoencoder on them, and measure how
badly it gives rows back. What follows from that is in `anomaly`.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skimb.base import BaseNetworkEstimator, statistics
from skimb.data.batching import ShuffledBatches
from skimb.networks.interface import shapes_agree
from skimb.losses.base import ImbalancedLoss
from skimb.losses.binding import BoundLoss, is_categorical
from skimb._backend.randomness import draw_seed, generator, process_state
from skimb.training import Network, Rows, outputs, train
from skimb.training.dataset import BLOCK_BYTES, dense

# How many deviations from the mean are taken as they are. Farther ones grow by their logarithm:
# features that are nearly always the same would otherwise decide alone.
LINEAR_DEVIATIONS = 3.0

# Measured: with more steps a large set's anomalies are given back as well, and with more epochs the
# rows of a small one are known by heart, so that their errors say nothing of those of new rows.
AUTO_STEPS = 2000
AUTO_EPOCHS = 100

# The last twentieth of the steps is averaged, as noise drives the weights to and fro.
_AVERAGED_SHARE = 20

_BATCH_ROWS = 200


@dataclass(frozen=True)
class Scale:
    """Standardises features, and takes far values by their logarithm.

    Attributes
    ----------
    mean, deviation : ndarray of shape (n_features,) or (n_channels,)
    """

    mean: np.ndarray
    deviation: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return rows as the network takes them, float64 of the same shape."""
        channels = len(self.mean)
        z = (X.reshape(-1, channels) - self.mean) / self.deviation
        beyond = np.maximum(np.abs(z) - LINEAR_DEVIATIONS, 0.0)
        z = np.clip(z, -LINEAR_DEVIATIONS, LINEAR_DEVIATIONS) + np.sign(z) * np.log1p(beyond)
        return z.reshape(X.shape)


@dataclass(frozen=True)
class FittedAutoencoder:
    """What a fitted estimator keeps beside its public attributes.

    Attributes
    ----------
    network : Network
    row_shape : tuple of int
    scale : Scale or None
        None where rows go into the network as they are.
    input_dtype, output_dtype : str
    """

    network: Network
    row_shape: tuple[int, ...]
    scale: Scale | None
    input_dtype: str
    output_dtype: str

    def prepared(self, X: Any) -> np.ndarray:
        """Return rows as the network takes them and is to give them back."""
        if self.scale is None:
            return dense(X, self.output_dtype)
        return self.scale(dense(X, "float64")).astype(self.output_dtype)

    def errors(self, X: Any) -> np.ndarray:
        """Return the mean squared difference of each row and its reconstruction, float64."""
        found = np.empty(X.shape[0])
        block = max(1, BLOCK_BYTES // (8 * int(np.prod(self.row_shape))))
        for rows in gen_batches(X.shape[0], block):
            wanted = self.prepared(X[rows])
            given = outputs(self.network, wanted, self.input_dtype)
            difference = (given.reshape(wanted.shape) - wanted).astype(np.float64)
            found[rows] = np.mean(np.square(difference), axis=tuple(range(1, wanted.ndim)))
        return found


class ReconstructionLoss(BoundLoss):
    """A loss between rows and their reconstructions, whatever the shape of a row."""

    def __init__(self, loss: Any, dtype: str) -> None:
        # the outputs are what they are, with no link to put on them
        super().__init__(
            loss, link="sigmoid", outputs="probabilities", target="reconstruction", dtype=dtype
        )

    def _as_taken(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        n_features = int(np.prod(y_true.shape[1:]))
        return ops.reshape(y_true, (-1, n_features)), ops.reshape(y_pred, (-1, n_features))

    def signature(self) -> Any:
        """Return what tells two losses apart that cannot share a compiled program."""
        return "reconstruction", super().signature()


class _NotOffered:
    """Takes away a method of scikeras's wrapper that has no meaning here."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        raise AttributeError(f"{owner.__name__} has no {self._name}.")


class Autoencoder(BaseNetworkEstimator):
    """Base class of the estimators that go by how badly rows are reconstructed."""

    _usual_network = "autoencoder"
    _float64_values = 2**13  # the many steps of "auto" epochs are nearly all arithmetic

    partial_fit = _NotOffered()
    initialize = _NotOffered()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "model": [StrOptions({"auto", "autoencoder"}), keras.Model, callable],
        "loss": [str, callable],
        "normalize": ["boolean", StrOptions({"auto"})],
        "optimizer": [str, keras.optimizers.Optimizer, callable],
        "epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, keras.callbacks.Callback, callable, None],
        "trainer": [StrOptions({"auto", "compiled", "keras"})],
        "distribution": [StrOptions({"mirrored"}), tf.distribute.Strategy, callable, None],
        "dtype": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _fitted: FittedAutoencoder

    def _train(self, X: Any, sample_weight: np.ndarray) -> None:
        """Train a new autoencoder on rows."""
        rng = np.random.RandomState(draw_seed(generator(self.random_state)))
        loss = self._reconstruction_loss()
        weight = sample_weight / sample_weight.mean()
        scale = None
        if self._normalizes:
            scaler = statistics(X, weight)
            scale = Scale(scaler.mean_, scaler.scale_)
        self._fitted = self._start(X, scale, rng)
        wanted = self._fitted.prepared(X)
        bound = ReconstructionLoss(loss, self._fitted.output_dtype)
        weight = weight.astype(wanted.dtype)
        bound.check_weights(wanted, wanted[0].size, weight)
        rows = Rows(wanted, wanted, weight, self._fitted.input_dtype)
        n_rows = len(rows)
        batch_rows = min(_BATCH_ROWS if self.batch_size == "auto" else self.batch_size, n_rows)
        batches = ShuffledBatches(n_rows, int(batch_rows))
        epochs = self._n_epochs(batches.n_batches)
        trained = train(
            self._fitted.network,
            rows,
            bound,
            self._averaging_optimizer(epochs * batches.n_batches),
            batches,
            epochs=epochs,
            rng=rng,
            callbacks=self._callbacks(),
            trainer=self.trainer,
            distribution=self.distribution,
            verbose=int(self.verbose),
        )
        self._fitted = FittedAutoencoder(**{**vars(self._fitted), "network": trained.network})
        self.history_ = trained.history
        self.loss_ = trained.history["loss"][-1]
        self.n_iter_ = len(trained.history["loss"])
        self.trainer_ = trained.trainer

    @property
    def _normalizes(self) -> bool:
        return isinstance(self.model, str) if self.normalize == "auto" else bool(self.normalize)

    def _n_epochs(self, n_batches: int) -> int:
        if self.epochs == "auto":
            return min(AUTO_EPOCHS, -(-AUTO_STEPS // n_batches))
        return int(self.epochs)

    def _averaging_optimizer(self, n_steps: int) -> keras.optimizers.Optimizer:
        """Return the optimizer, which averages the weights unless it was told whether to."""
        optimizer = self._optimizer()
        if not isinstance(self.optimizer, str) or "use_ema" in self._routed("optimizer"):
            return optimizer
        # a power of 2, so that folds of nearly the same size share a compiled program
        averaged = 2 ** int(np.log2(max(1, n_steps / _AVERAGED_SHARE)))
        own = {"use_ema": True, "ema_momentum": 1.0 - 1.0 / averaged}
        return type(optimizer).from_config({**optimizer.get_config(), **own})

    def _reconstruction_loss(self) -> Any:
        """Return the loss, or raise a ValueError if it is none between rows."""
        loss = self._loss()
        of_labels = isinstance(loss, ImbalancedLoss) or is_categorical(loss)
        if of_labels or (isinstance(self.model, str) and hasattr(loss, "from_logits")):
            needs = (
                "compares labels with predictions"
                if of_labels
                else "takes values between 0 and 1, which the built-in network does not end in"
            )
            raise ValueError(
                f"loss={self.loss!r} {needs}. An autoencoder takes a loss between numbers, such as "
                "'mean_squared_error', 'mean_absolute_error' or 'huber'; "
                "'binary_crossentropy' goes with a model of your own that ends in a sigmoid."
            )
        return loss

    def _start(self, X: Any, scale: Scale | None, rng: np.random.RandomState) -> FittedAutoencoder:
        """Return the autoencoder that the parameters describe, with start values."""
        row_shape = tuple(X.shape[1:])
        dtype = "float64" if self._network_dtype(X) == "float64" else "float32"
        example = np.zeros((X.shape[0], *row_shape), dtype)
        known = {name: value for name, value in vars(self).items() if name.endswith("_in_")}
        meta = {**known, "X_shape_": X.shape, "X_dtype_": X.dtype}
        network = self._new_network(example, int(np.prod(row_shape)), meta, rng)
        model = network.blueprint.example
        inputs, ends = getattr(model, "inputs", None), getattr(model, "outputs", None)
        if not inputs or not ends:  # a subclassed model shows its shapes only when it is called
            inputs = [np.zeros((1, *row_shape), dtype=keras.config.floatx())]
            with process_state(seed=0):
                ends = [model(inputs[0])]
        shapes = [tuple(part.shape)[1:] for part in (*inputs, *ends)]
        fit = [
            shapes_agree(shape, row_shape) for shape in (shapes[0], _like(shapes[-1], row_shape))
        ]
        if len(shapes) != 2 or not all(fit):
            raise ValueError(
                f"model goes from rows of shape {shapes[: len(inputs)]} to {shapes[len(inputs) :]}."
                f" An autoencoder for X has to go from rows of shape {row_shape} to the same shape."
            )
        output_dtype = keras.backend.standardize_dtype(ends[0].dtype)
        return FittedAutoencoder(
            network,
            row_shape,
            scale,
            input_dtype=keras.backend.standardize_dtype(inputs[0].dtype),
            output_dtype="float32" if output_dtype in ("float16", "bfloat16") else output_dtype,
        )

    def _built_in_name(self, n_axes: int) -> str:
        return "autoencoder"

    def _weights(self, X: Any, sample_weight: Any) -> np.ndarray:
        """Return a weight for each row, or raise a ValueError if none is above 0."""
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():
            raise ValueError("sample_weight has nothing but zero weights, so no row is left.")
        return weight

    def _errors(self, X: Any) -> np.ndarray:
        """Return the reconstruction error of rows that a user gives."""
        check_is_fitted(self)
        return self._fitted.errors(self._checked_X(X, reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags


def _like(shape: tuple[Any, ...], row_shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return a shape without the one channel that images of `row_shape` do not name."""
    return shape[:-1] if len(shape) == len(row_shape) + 1 and shape[-1] == 1 else shape


def weighted_quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """Return the value below which a share of the weight lies.

    Parameters
    ----------
    values, weight : ndarray of shape (n,)
        A row of weight 2 counts as the row twice.
    share : float in [0, 1]

    Returns
    -------
    float
        Midway to the next value where the share is reached exactly.
    """
    order = np.argsort(values, kind="stable")
    values, weight = values[order], weight[order]
    reached = np.cumsum(weight) / weight.sum()
    # sums of weights are rounded
    first, last = np.searchsorted(reached, [share - 1e-12, share + 1e-12])
    positive = np.flatnonzero(weight > 0)
    return float((values[min(first, positive[-1])] + values[min(last, positive[-1])]) / 2)
