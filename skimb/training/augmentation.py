"""Augmentation of training batches: transforms X, keeps targets and sample weights."""

from __future__ import annotations

import inspect
import json
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from skimb._backend.keras_internals import names_counted_anew
from skimb._backend.randomness import process_state
from skimb._types import Tensor


@dataclass(frozen=True)
class Augmentation:
    """Random transformation of the samples of a training batch.

    Attributes
    ----------
    function : keras.Layer or callable
        Maps a batch of samples to one of the same shape. Layers are copied before use.
    only_class : int or None
        Index of the class, or of the label, whose samples are augmented; None for all samples.
    """

    function: Any
    only_class: int | None = None

    @property
    def key(self) -> Hashable:
        """Cache key: augmentations with equal keys can share a compiled program."""
        if not isinstance(self.function, keras.layers.Layer):
            # a callable object may have a different state in the next fit, so its key is unique
            stateless = inspect.isfunction(self.function)
            return self.function if stateless else object(), self.only_class
        config = {k: v for k, v in self.function.get_config().items() if k != "name"}
        values = tuple(np.asarray(v).tobytes() for v in self.function.get_weights())
        return type(self.function), json.dumps(config, default=_exact), values, self.only_class

    def copy(self) -> Augmentation:
        """Return an augmentation with its own copy of the layers and their seeds."""
        if isinstance(
            self.function, keras.layers.Lambda
        ):  # Keras cannot rebuild it from its config
            return replace(self, function=self.function.function)
        if not isinstance(self.function, keras.layers.Layer):
            return self
        with process_state(seed=0), names_counted_anew():
            try:
                layer = type(self.function).from_config(self.function.get_config())
            except (TypeError, ValueError) as error:  # for one, Keras's RandomShear(0.1)
                raise ValueError(
                    f"augmentation={self.function!r} cannot be copied for training, because it "
                    f"cannot be rebuilt from its config: {error} Give a function that calls it."
                ) from error
            if self.function.built and self.function.weights:
                layer.build(getattr(self.function, "_build_shapes_dict", {}).get("input_shape"))
                layer.set_weights(self.function.get_weights())
        return replace(self, function=layer)

    def checked(self, n_arguments: int, arguments: str) -> Self:
        """Return self, or raise a ValueError if the function does not take `n_arguments`."""
        if isinstance(self.function, keras.layers.Layer):
            return self
        try:
            signature = inspect.signature(self.function)
        except ValueError:  # a function written in C has no signature
            return self
        try:
            signature.bind(*[None] * n_arguments)
        except TypeError as error:
            raise ValueError(
                f"augmentation={self.function!r} must be a function of {arguments}: {error}."
            ) from error
        return self

    def draws_by_itself(self, X: Tensor, y: Tensor, weight: Tensor) -> bool:
        """Whether a function is random beyond the control of the known seeds."""
        if isinstance(self.function, keras.layers.Layer):
            return False
        with process_state(seed=0):
            first = self(X, y, weight)
        with process_state(seed=0):
            second = self(X, y, weight)
        return any(
            not np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
            for a, b in zip(first, second, strict=True)
        )

    def reseed(self, seed: int) -> None:
        """Set the seeds of the layers."""
        layer = self.function
        if isinstance(layer, keras.layers.Layer):
            for position, variable in enumerate(layer.variables):
                if "seed_generator_state" in variable.name:
                    variable.assign(np.array([seed, position], dtype=variable.dtype))

    def __call__(self, X: Tensor, y: Tensor, weight: Tensor) -> tuple[Any, Any, Any]:
        """Return the augmented samples of a batch with their targets and sample weights.

        Raises
        ------
        ValueError
            If the function changes the shape.
        """
        changed = self._changed(X)
        shape = tuple(getattr(changed, "shape", ()))
        if shape != tuple(X.shape):
            raise ValueError(
                f"augmentation={self.function!r} turned samples of shape {tuple(X.shape)} into "
                f"samples of shape {shape}. It must keep the shape."
            )
        changed = ops.cast(changed, X.dtype)
        if self.only_class is None:
            return changed, y, weight
        chosen = ops.reshape(self._is_chosen(y), (-1, *[1] * (len(X.shape) - 1)))
        return ops.where(chosen, changed, X), y, weight

    def _changed(self, X: Tensor) -> Any:
        if not isinstance(self.function, keras.layers.Layer):
            return self.function(X)
        if len(X.shape) != 3:
            return self.function(X, training=True)
        # the layers of Keras expect a channel axis, which grayscale images of shape (H, W) lack
        return ops.squeeze(self.function(ops.expand_dims(X, -1), training=True), axis=-1)

    def _is_chosen(self, y: Tensor) -> Any:
        if len(y.shape) == 2 and y.shape[1] > 1:
            return y[:, self.only_class] > 0.5
        return ops.cast(ops.reshape(y, (-1,)), "int32") == self.only_class


def _exact(value: Any) -> Any:
    return np.asarray(value).tolist() if isinstance(value, np.ndarray) else repr(value)
