"""Compiled training loop over the batches of some epochs, reusable across fits."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skimb._backend.keras_internals import rate_of, schedule_of, set_rate
from skimb._backend.randomness import default_floats, process_state
from skimb._types import Tensor
from skimb.losses.binding import BoundLoss
from skimb.networks import members_of, with_features, with_members
from skimb.training.augmentation import Augmentation
from skimb.training.blueprint import default_dtype
from skimb.training.dataset import Rows
from skimb.training.network import assign, values_of
from skimb.training.optimizers import MemberDecay

# batches, and samples of them, of the epochs that one call of a program trains
_BATCHES_OF_A_CALL, _SAMPLES_OF_A_CALL = 64, 2**14


class NotTraceable(Exception):
    """Raised if a network or loss uses the values of tensors, which tracing does not provide."""


class OwnRandomness(Exception):
    """Raised if a network uses random numbers that cannot be reseeded in a compiled program."""


class NotForXLA(Exception):
    """Raised if XLA cannot compile an operation of the network or the loss."""


@dataclass(frozen=True)
class Shapes:
    """Shapes and dtypes of the data that a program is compiled for.

    Attributes
    ----------
    batch_size : int
    row, target, weight : tuple of int
        Shape of one sample of X, of y and of the sample weights.
    row_dtype, target_dtype, weight_dtype : str
    rows, batches : int or None
        Maximum number of samples, and of batches per call, if the program is compiled for fixed
        shapes. None if any number is accepted.
    """

    batch_size: int
    row: tuple[int, ...]
    target: tuple[int, ...]
    weight: tuple[int, ...]
    row_dtype: str
    target_dtype: str
    weight_dtype: str
    rows: int | None
    batches: int | None

    @classmethod
    def of(cls, rows: Rows, batch_size: int, n_epoch_rows: int, *, fixed: bool) -> Shapes:
        """Return the shapes of the data; `fixed` for a compiler that needs static shapes."""
        of_an_epoch = rows.capacity(batch_size, n_epoch_rows) // batch_size
        return cls(
            batch_size,
            rows.X.shape[1:],
            rows.y.shape[1:],
            rows.weight.shape[1:],
            rows.dtype,
            str(rows.y.dtype),
            str(rows.weight.dtype),
            rows.capacity(batch_size) if fixed else None,
            max(of_an_epoch, batches_of_a_call(batch_size)) if fixed else None,
        )

    def signature(self) -> list[tf.TensorSpec]:
        """Return the tensor specifications of X, y and the sample weights."""
        return [
            tf.TensorSpec([self.rows, *self.row], self.row_dtype),
            tf.TensorSpec([self.rows, *self.target], self.target_dtype),
            tf.TensorSpec([self.rows, *self.weight], self.weight_dtype),
        ]


def batches_of_a_call(batch_size: int) -> int:
    """Return the number of batches that one call of a program trains on, if an epoch has fewer.

    Examples
    --------
    >>> from skimb.training.program import batches_of_a_call
    >>> batches_of_a_call(32), batches_of_a_call(4096), batches_of_a_call(100_000)
    (64, 4, 1)
    """
    return max(1, min(_BATCHES_OF_A_CALL, _SAMPLES_OF_A_CALL // batch_size))


class Program:
    """Traced training loop. Everything that differs between two fits is a variable in it.

    Parameters
    ----------
    model : keras.Model
        Network that belongs to the program. Its variables are reset for every fit.
    optimizer : keras.optimizers.Optimizer
        Optimizer that belongs to the program, likewise reset.
    loss : BoundLoss
    shapes : Shapes
    xla : bool
        Whether to compile the loop with XLA.
    augmentation : Augmentation or None, default=None
        Augmentation that belongs to the program.
    sets_rate : bool, default=False
        Whether the learning rate is passed for each epoch.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: BoundLoss,
        shapes: Shapes,
        xla: bool,
        augmentation: Augmentation | None = None,
        sets_rate: bool = False,
    ) -> None:
        self.model = model
        self._outputs, loss = trained_outputs(model, loss)
        self.optimizer = for_precision(optimizer, model)
        self._sets_rate = sets_rate
        self.optimizer.build(model.trainable_variables)
        # kept, since a callback of the user's may put a schedule in the place of the learning rate
        self.state, self._rate = list(self.optimizer.variables), rate_of(self._inner)
        self._initial_state = values_of(self.state)
        self._loss_values = {
            name: tf.Variable(value, dtype=loss.dtype, trainable=False)
            for name, value in loss.values.items()
        }
        self._loss = loss
        self._augmentation = augmentation
        self._seeds = keras.random.SeedGenerator(0)
        self.shapes = shapes
        self._xla = xla

    @cached_property
    def _full_batches(self) -> Any:
        order = tf.TensorSpec([self.shapes.batches, self.shapes.batch_size], "int32")
        rates = tf.TensorSpec([_BATCHES_OF_A_CALL], "float32")
        number = tf.TensorSpec([], "int32")
        return self._traced(self._run_batches, order, rates, number, number, xla=self._xla)

    @cached_property
    def _last_batch(self) -> Any:
        # without XLA, which would recompile for every size of the last batch
        return self._traced(self._run_batch, tf.TensorSpec([None], "int32"), xla=False)

    def _traced(self, function: Callable[..., Any], *signature: tf.TensorSpec, xla: bool) -> Any:
        # unseeded random layers use the seed generator that is current while tracing, and layers
        # without a dtype use the default dtype of Keras
        dtype = default_dtype(self.model)
        with process_state(seed=0, dtype=dtype, keras_generator=self._seeds):
            try:
                traced = tf.function(
                    function, jit_compile=xla, autograph=False
                ).get_concrete_function(*self.shapes.signature(), *signature)
            except (AttributeError, NotImplementedError, TypeError) as error:
                # raised by `if tensor:`, `tensor.numpy()` and `np.f(tensor)`
                reason = f"the network, the loss or the augmentation cannot be traced ({error})"
                raise NotTraceable(reason) from error
            # process_state seeded both generators, so another next number means they were used
            asked_python = random.random() != random.Random(0).random()
            asked_numpy = np.random.random() != np.random.RandomState(0).random()
        if asked_python or asked_numpy or _has_own_randomness(traced):
            raise OwnRandomness(
                "the network, the loss or the augmentation uses random numbers of Python, NumPy or "
                "TensorFlow's own operations, which cannot be seeded from random_state once they "
                "are compiled; use keras.random instead"
            )
        return traced

    def _run_batch(self, X: Tensor, y: Tensor, weight: Tensor, rows: Tensor) -> Any:
        model, optimizer = self.model, self.optimizer
        loss_values = {name: tf.convert_to_tensor(v) for name, v in self._loss_values.items()}
        bound_loss = self._loss.with_values(loss_values)
        X, y, weight = (tf.gather(values, rows) for values in (X, y, weight))
        if self._augmentation is not None:
            # random numbers of Keras go with X, which may be float64 before a network of float32
            with default_floats(keras.backend.standardize_dtype(X.dtype)):
                X, y, weight = self._augmentation(X, y, weight)
        with tf.GradientTape() as tape:
            outputs = self._outputs(X, training=True)
            loss = bound_loss(y, outputs, sample_weight=weight)
            if model.losses:
                loss += tf.cast(tf.add_n(model.losses), loss.dtype)
            scaled = optimizer.scale_loss(loss)
        variables = model.trainable_variables
        if variables:  # there are none if all layers are frozen
            optimizer.apply(tape.gradient(scaled, variables), variables)
        return tf.cast(loss, "float64")

    def _run_batches(
        self,
        X: Tensor,
        y: Tensor,
        weight: Tensor,
        order: Tensor,
        rates: Tensor,
        n_batches: Tensor,
        of_an_epoch: Tensor,
    ) -> Any:
        """Train on batches, and return the sum of their losses for each epoch."""

        def body(i: Tensor, totals: Tensor) -> Any:
            epoch = i // of_an_epoch
            if self._sets_rate:
                # not by brackets, whose index XLA takes for a constant, and compiles for each
                self.optimizer.learning_rate = tf.gather(rates, epoch)
            loss = self._run_batch(X, y, weight, order[i])
            return i + 1, tf.tensor_scatter_nd_add(totals, [[epoch]], [loss])

        start = (tf.constant(0), tf.zeros([_BATCHES_OF_A_CALL], "float64"))
        return tf.while_loop(lambda i, _: i < n_batches, body, start)[1]

    @property
    def _inner(self) -> keras.optimizers.Optimizer:
        """The optimizer without what scales the loss."""
        return getattr(self.optimizer, "inner_optimizer", self.optimizer)

    def compile(self, tensors: tuple[Any, Any, Any], *, full: bool, rest: bool) -> None:
        """Trace and compile the functions needed, without running a batch.

        Raises
        ------
        NotTraceable, OwnRandomness, NotForXLA
        """
        if full:
            try:
                self._run_full(*tensors, [np.zeros(0, np.int32)], None)
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
                if not self._xla:
                    raise
                raise NotForXLA from error
        if rest:
            _ = self._last_batch

    def reset(
        self,
        values: Sequence[Any],
        optimizer_state: Sequence[Any] | None,
        learning_rate: float | None,
        weight_decay: float | None,
        loss: BoundLoss,
        seed: int,
    ) -> None:
        """Reset all variables to the start of a fit."""
        assign(self.model.variables, values)
        if rate_of(self._inner) is not self._rate:
            set_rate(self._inner, self._rate)
        assign(self.state, optimizer_state or self._initial_state)
        if learning_rate is not None:
            self.optimizer.learning_rate = learning_rate
        if isinstance(self._inner, MemberDecay):
            self._inner.decay.assign(weight_decay)
        for name, value in loss.values.items():
            self._loss_values[name].assign(value)
        self._seeds.state.assign([seed, 0])
        if self._augmentation is not None:
            self._augmentation.reseed(seed)

    def run(
        self,
        X: Tensor,
        y: Tensor,
        weight: Tensor,
        orders: Sequence[np.ndarray],
        batch_size: int,
        rates: Sequence[float] | None = None,
    ) -> np.ndarray:
        """Train on the samples at the indices of each epoch, in their order.

        Parameters
        ----------
        X, y, weight : tensor or ndarray
        orders : sequence of ndarray of int32 of shape (n_rows,)
            One for each epoch: one of them if `n_rows` is no multiple of `batch_size`.
        batch_size : int
        rates : sequence of float or None, default=None
            Learning rate of each epoch, for a program that sets it. None goes on with that of the
            optimizer.

        Returns
        -------
        ndarray of float64 of shape (n_epochs,)
            Sum over the batches of loss times number of samples.
        """
        if self._sets_rate and rates is None:
            rates = [float(self.optimizer.learning_rate)] * len(orders)
        n_full = len(orders[0]) // batch_size * batch_size
        totals = np.zeros(len(orders))
        if n_full:
            totals += self._run_full(X, y, weight, [rows[:n_full] for rows in orders], rates)
        rest = orders[0][n_full:]
        if len(rest):
            if rates is not None:
                self.optimizer.learning_rate = rates[0]
            totals += float(self._last_batch(X, y, weight, rest)) * len(rest)
        return totals

    def _run_full(
        self,
        X: Tensor,
        y: Tensor,
        weight: Tensor,
        orders: Sequence[np.ndarray],
        rates: Sequence[float] | None,
    ) -> np.ndarray:
        """Train on batches of the full size, and return what :meth:`run` does."""
        size, n_epochs = self.shapes.batch_size, len(orders)
        of_an_epoch = len(orders[0]) // size
        n_batches = n_epochs * of_an_epoch
        order = np.zeros((self.shapes.batches or n_batches, size), np.int32)
        order[:n_batches] = np.concatenate(orders).reshape(n_batches, size)
        each = np.zeros(_BATCHES_OF_A_CALL, np.float32)
        each[:n_epochs] = 0.0 if rates is None else rates
        numbers = np.int32(n_batches), np.int32(max(of_an_epoch, 1))
        totals = self._full_batches(X, y, weight, order, each, *numbers)
        return np.asarray(totals)[:n_epochs] * size


def trained_outputs(model: keras.Model, loss: BoundLoss) -> tuple[keras.Model, BoundLoss]:
    """Return the network with the outputs that the loss requires, and the loss for them."""
    if loss.takes_features:
        return with_features(model), loss
    n_members = members_of(model)
    return (model if n_members == 1 else with_members(model)), loss.of_members(n_members)


def _has_own_randomness(traced: Any) -> bool:
    """Whether a traced function has stateful random operations or calls Python."""
    graph = traced.graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return any("seed2" in node.attr or "PyFunc" in node.op for node in nodes)


def for_precision(
    optimizer: keras.optimizers.Optimizer, model: keras.Model
) -> keras.optimizers.Optimizer:
    """Return an optimizer with loss scaling for float16, as Keras's `compile` does."""
    if any(layer.dtype_policy.name == "mixed_float16" for layer in model.layers):
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def optimizer_signature(optimizer: keras.optimizers.Optimizer) -> tuple[Hashable, float | None]:
    """Return a key that is equal for optimizers that can share a program, and the learning rate.

    The learning rate is None if it is a schedule. The schedule is then part of the signature.
    """
    config = dict(optimizer.get_config())
    rate = config.get("learning_rate")
    rate = float(rate) if isinstance(rate, (int, float, np.floating)) else None
    if rate is not None:
        del config["learning_rate"]
    config.pop("name", None)
    if isinstance(optimizer, MemberDecay):
        config["weight_decay"] = np.shape(optimizer.weight_decay)
    # a class may have been defined again under its name
    schedule = schedule_of(optimizer)
    types = (type(optimizer),) if schedule is None else (type(optimizer), type(schedule))
    return (types, json.dumps(config, sort_keys=True, default=repr)), rate
