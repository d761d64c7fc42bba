"""The compiled epoch: one traced loop over the batches of an epoch, reusable from fit to fit."""

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

from skimb._backend.randomness import process_state
from skimb._types import Tensor
from skimb.losses.binding import BoundLoss
from skimb.networks import members_of, with_features, with_members
from skimb.training.augmentation import Augmentation
from skimb.training.blueprint import default_dtype
from skimb.training.dataset import Rows
from skimb.training.network import assign, values_of
from skimb.training.optimizers import MemberDecay


class NotTraceable(Exception):
    """A network or a loss uses the values of tensors, which a traced program does not have."""


class OwnRandomness(Exception):
    """A network draws numbers that a compiled program cannot seed anew for each fit."""


class NotForXLA(Exception):
    """XLA has no way to compile an operation of the network or the loss."""


@dataclass(frozen=True)
class Shapes:
    """What of the data is part of a compiled program.

    Attributes
    ----------
    batch_size : int
    row, target, weight : tuple of int
        Shape of one row of X, of y and of the weights.
    row_dtype, target_dtype, weight_dtype : str
    rows, steps : int or None
        Rows of the data, and batches of an epoch, that the program has room for where it was
        compiled for a number, otherwise None.
    """

    batch_size: int
    row: tuple[int, ...]
    target: tuple[int, ...]
    weight: tuple[int, ...]
    row_dtype: str
    target_dtype: str
    weight_dtype: str
    rows: int | None
    steps: int | None

    @classmethod
    def of(cls, rows: Rows, batch_size: int, n_epoch_rows: int, *, fixed: bool) -> Shapes:
        """Return the shapes of training rows; `fixed` for a compiler that wants every number."""
        return cls(
            batch_size,
            rows.X.shape[1:],
            rows.y.shape[1:],
            rows.weight.shape[1:],
            rows.dtype,
            str(rows.y.dtype),
            str(rows.weight.dtype),
            rows.capacity(batch_size) if fixed else None,
            rows.capacity(batch_size, n_epoch_rows) // batch_size if fixed else None,
        )

    def signature(self) -> list[tf.TensorSpec]:
        """Return the specification of X, y and the weights."""
        return [
            tf.TensorSpec([self.rows, *self.row], self.row_dtype),
            tf.TensorSpec([self.rows, *self.target], self.target_dtype),
            tf.TensorSpec([self.rows, *self.weight], self.weight_dtype),
        ]


class Program:
    """One traced training loop; everything that differs between two fits is a value in it.

    Parameters
    ----------
    model : keras.Model
        A network of the program's own. Its variables are set anew for every fit.
    optimizer : keras.optimizers.Optimizer
        Likewise.
    loss : BoundLoss
    shapes : Shapes
    xla : bool
        Whether to compile the loop with XLA.
    augmentation : Augmentation or None, default=None
        Likewise of the program's own.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: BoundLoss,
        shapes: Shapes,
        xla: bool,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.model = model
        self._outputs, loss = trained_outputs(model, loss)
        self.optimizer = for_precision(optimizer, model)
        self.optimizer.build(model.trainable_variables)
        self._initial_state = values_of(self.optimizer.variables)
        self._loss_values = {
            name: tf.Variable(value, dtype=loss.dtype, trainable=False)
            for name, value in loss.values.items()
        }
        self._loss = loss
        self._augmentation = augmentation
        self._seeds = keras.random.SeedGenerator(0)
        self._shapes = shapes
        self._xla = xla
        self._capacity = shapes.steps

    @cached_property
    def _full_batches(self) -> Any:
        order = tf.TensorSpec([self._capacity, self._shapes.batch_size], "int32")
        return self._traced(self._run_batches, order, tf.TensorSpec([], "int32"), xla=self._xla)

    @cached_property
    def _last_batch(self) -> Any:
        # not with XLA, which would compile it for every number of rows that is left over
        return self._traced(self._run_batch, tf.TensorSpec([None], "int32"), xla=False)

    def _traced(self, function: Callable[..., Any], *signature: tf.TensorSpec, xla: bool) -> Any:
        # unseeded random layers draw from the generator that Keras finds while tracing
        # and of the dtype that Keras has, unless they are told
        dtype = default_dtype(self.model)
        with process_state(seed=0, dtype=dtype, keras_generator=self._seeds):
            try:
                traced = tf.function(
                    function, jit_compile=xla, autograph=False
                ).get_concrete_function(*self._shapes.signature(), *signature)
            except (AttributeError, NotImplementedError, TypeError) as error:
                # what `if tensor:`, `tensor.numpy()` and `np.f(tensor)` raise, in this order
                reason = f"the network, the loss or the augmentation cannot be traced ({error})"
                raise NotTraceable(reason) from error
            # the generator was new when the block began
            asked_python = random.random() != random.Random(0).random()
            asked_numpy = np.random.random() != np.random.RandomState(0).random()
        if asked_python or asked_numpy or _has_own_randomness(traced):
            raise OwnRandomness(
                "the network, the loss or the augmentation uses random numbers of Python, NumPy or "
                "TensorFlow's own operations, which cannot be seeded from random_state once they "
                "are compiled; those of keras.random can"
            )
        return traced

    def _run_batch(self, X: Tensor, y: Tensor, weight: Tensor, rows: Tensor) -> Any:
        model, optimizer = self.model, self.optimizer
        loss_values = {name: tf.convert_to_tensor(v) for name, v in self._loss_values.items()}
        bound_loss = self._loss.with_values(loss_values)
        X, y, weight = (tf.gather(values, rows) for values in (X, y, weight))
        if self._augmentation is not None:
            X, y, weight = self._augmentation(X, y, weight)
        with tf.GradientTape() as tape:
            outputs = self._outputs(X, training=True)
            loss = bound_loss(y, outputs, sample_weight=weight)
            if model.losses:
                loss += tf.cast(tf.add_n(model.losses), loss.dtype)
            scaled = optimizer.scale_loss(loss)
        variables = model.trainable_variables
        if variables:  # a network may be frozen as a whole
            optimizer.apply(tape.gradient(scaled, variables), variables)
        return tf.cast(loss, "float64")

    def _run_batches(
        self, X: Tensor, y: Tensor, weight: Tensor, order: Tensor, n_batches: Tensor
    ) -> Any:
        def body(i: Tensor, total: Tensor) -> Any:
            return i + 1, total + self._run_batch(X, y, weight, order[i])

        start = (tf.constant(0), tf.constant(0.0, "float64"))
        return tf.while_loop(lambda i, _: i < n_batches, body, start)[1]

    def compile(self, tensors: tuple[Any, Any, Any], *, full: bool, rest: bool) -> None:
        """Trace and compile what will be needed, on no batch at all.

        Raises
        ------
        NotTraceable, OwnRandomness, NotForXLA
        """
        if full:
            order = np.zeros((self._capacity or 0, self._shapes.batch_size), np.int32)
            try:
                self._full_batches(*tensors, order, np.int32(0))
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
        """Set the program to the start of a fit."""
        assign(self.model.variables, values)
        assign(self.optimizer.variables, optimizer_state or self._initial_state)
        if learning_rate is not None:
            self.optimizer.learning_rate = learning_rate
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if isinstance(inner, MemberDecay):
            inner.decay.assign(weight_decay)
        for name, value in loss.values.items():
            self._loss_values[name].assign(value)
        self._seeds.state.assign([seed, 0])
        if self._augmentation is not None:
            self._augmentation.reseed(seed)

    def run(self, X: Tensor, y: Tensor, weight: Tensor, rows: np.ndarray, batch_size: int) -> float:
        """Train on the rows in their order.

        Returns
        -------
        float
            Sum over the batches of loss times rows.
        """
        full = len(rows) // batch_size
        total = 0.0
        if full:
            order = rows[: full * batch_size].reshape(full, batch_size)
            if self._capacity is not None and self._capacity > full:
                padding = np.zeros((self._capacity - full, batch_size), np.int32)
                order = np.concatenate([order, padding])
            total += float(self._full_batches(X, y, weight, order, np.int32(full))) * batch_size
        rest = rows[full * batch_size :]
        if len(rest):
            total += float(self._last_batch(X, y, weight, rest)) * len(rest)
        return total


def trained_outputs(model: keras.Model, loss: BoundLoss) -> tuple[keras.Model, BoundLoss]:
    """Return the network with the outputs that a loss is trained on, and the loss for them."""
    if loss.takes_features:
        return with_features(model), loss
    n_members = members_of(model)
    return (model if n_members == 1 else with_members(model)), loss.of_members(n_members)


def _has_own_randomness(traced: Any) -> bool:
    """Whether a traced function has operations with a seed of their own, or calls Python."""
    graph = traced.graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return any("seed2" in node.attr or "PyFunc" in node.op for node in nodes)


def for_precision(
    optimizer: keras.optimizers.Optimizer, model: keras.Model
) -> keras.optimizers.Optimizer:
    """Scale the loss for float16, as Keras's own `compile` does."""
    if any(layer.dtype_policy.name == "mixed_float16" for layer in model.layers):
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def optimizer_signature(optimizer: keras.optimizers.Optimizer) -> tuple[Hashable, float | None]:
    """Return what tells optimizers apart that cannot share a program, and the learning rate.

    The learning rate is None where it is a schedule, which is part of the signature then.
    """
    config = dict(optimizer.get_config())
    rate = config.get("learning_rate")
    rate = float(rate) if isinstance(rate, (int, float, np.floating)) else None
    if rate is not None:
        del config["learning_rate"]
    config.pop("name", None)
    if isinstance(optimizer, MemberDecay):
        del config["weight_decay"]
    return (type(optimizer), json.dumps(config, sort_keys=True, default=repr)), rate
