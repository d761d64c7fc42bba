"""A network to train or to ask: its blueprint, the values of its variables, its forward pass."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skimb.randomness import process_state


class Blueprint:
    """How to build a network again, and what tells it from other networks.

    Parameters
    ----------
    build : callable returning keras.Model
        Builds the network with any weights.
    key : hashable or None
        Equal for networks of equal structure. None if the network cannot be built a second time;
        `build` then returns the one network there is.
    example : keras.Model
        A network of this structure, of which only names, shapes and layers count.
    """

    def __init__(
        self, build: Callable[[], keras.Model], key: Hashable | None, example: keras.Model
    ) -> None:
        self._build = build
        self.key = key
        self.example = example

    @classmethod
    def of(cls, model: keras.Model) -> Blueprint:
        """Return the blueprint of a model, which is the model itself if it cannot be copied."""
        try:
            example = clone_structure(model)
            return cls(lambda: clone_structure(example), _structure(model), example)
        except (AttributeError, NotImplementedError, TypeError, ValueError):
            # what custom layers and subclassed models without a configuration raise
            return cls(lambda: model, None, model)

    def build(self) -> keras.Model:
        """Build the network, with weights that do not matter."""
        with process_state(seed=0):
            return self._build()

    @property
    def layer_types(self) -> frozenset[str]:
        """Names of the classes of the layers, nested ones included."""
        return frozenset(type(layer).__name__ for layer in _layers(self.example))


def clone_structure(model: keras.Model) -> keras.Model:
    """Return a network of the same layers with new variables."""
    with process_state(seed=0, dtype=_default_dtype(model)):
        if isinstance(model, keras.Sequential) or type(model).__name__ == "Functional":
            clone = keras.models.clone_model(model)
        else:
            clone = type(model).from_config(model.get_config())
            clone.build(model.input_shape)
    if _variables(clone) != _variables(model):
        raise ValueError("the copy has other variables than the network")
    return clone


def _default_dtype(model: keras.Model) -> str | None:
    # the layers of a subclassed model take the dtype that is the default when they are made
    found = [v.dtype for v in model.trainable_variables if v.dtype in ("float32", "float64")]
    return found[0] if found else None


def _structure(model: keras.Model) -> str:
    """Return the configuration without what differs between two builds of the same network."""
    config = _without_seeds(model.get_config())
    text = json.dumps(config, sort_keys=True)
    for position, name in enumerate(_layer_names(config)):
        text = text.replace(f'"{name}"', f'"layer {position}"')
    return text + str(_variables(model))


def _variables(model: keras.Model) -> list[tuple[Any, ...]]:
    return [(tuple(v.shape), v.dtype, v.trainable) for v in model.variables]


def _layer_names(config: Any) -> list[str]:
    # from the configuration, because Sequential.layers leaves the input layer out
    if isinstance(config, list):
        return [name for item in config for name in _layer_names(item)]
    if not isinstance(config, dict):
        return []
    own = [config["name"]] if {"trainable", "batch_shape"} & set(config) else []
    return own + [name for item in config.values() for name in _layer_names(item)]


def _layers(layer: Any) -> list[Any]:
    return [layer, *(inner for part in getattr(layer, "layers", ()) for inner in _layers(part))]


def _without_seeds(config: Any, inside_initializer: bool = False) -> Any:
    if isinstance(config, dict):
        return {
            key: _without_seeds(value, inside_initializer or key.endswith("_initializer"))
            for key, value in config.items()
            if not (inside_initializer and key == "seed")
        }
    if isinstance(config, (list, tuple)):
        return [_without_seeds(item, inside_initializer) for item in config]
    return config


class Network:
    """A blueprint with values: what a fitted estimator keeps.

    The :class:`keras.Model` is built when it is first asked for, because building one takes longer
    than training a small one. Once it exists, its variables are the truth.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        values: Sequence[np.ndarray],
        model: keras.Model | None = None,
    ) -> None:
        self.blueprint = blueprint
        self._values = list(values)
        self._model = model

    @classmethod
    def of(cls, model: keras.Model) -> Network:
        """Wrap a model that exists."""
        return cls(Blueprint.of(model), [], model)

    @classmethod
    def copy_of(cls, model: keras.Model) -> Network:
        """Return a network with the structure and the values of a model, which is left alone."""
        blueprint = Blueprint.of(model)
        if blueprint.key is None:
            raise TypeError(
                f"model={model!r} cannot be copied, because it or a layer of it has no get_config "
                "from which it can be built again. Give a function that builds it."
            )
        return cls(blueprint, values_of(model.variables))

    @property
    def model(self) -> keras.Model:
        """The network as a :class:`keras.Model` of its own."""
        if self._model is None:
            model = self.blueprint.build()
            assign(model.variables, self._values)
            self._model = model
        return self._model

    @property
    def values(self) -> list[np.ndarray]:
        """The values of all variables, seeds included, in the order of ``model.variables``."""
        if self._model is None:
            return self._values
        return values_of(self._model.variables)

    def with_values(self, values: Sequence[np.ndarray]) -> Network:
        """Return the same network with other values."""
        if self.blueprint.key is None:
            assign(self.model.variables, values)
            return self
        return Network(self.blueprint, values)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "model": pickle.dumps(self.model),
            "dtype": _default_dtype(self.model),
            "values": self.values,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        with process_state(seed=0, dtype=state["dtype"]):
            model = pickle.loads(state["model"])
        assign(model.variables, state["values"])
        Network.__init__(self, Blueprint.of(model), [], model)


def assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    """Set variables to values."""
    for variable, value in zip(variables, values, strict=True):
        variable.value.assign(value)


def values_of(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Return copies of the values of variables."""
    # not keras.ops.convert_to_numpy, which NumPy 2 answers with a warning for a tf.Variable
    return [np.array(variable.value.numpy()) for variable in variables]


class Forward:
    """The compiled forward pass of a network, a pure function of its values and the rows."""

    def __init__(self, model: keras.Model, row_shape: Sequence[int], dtype: str) -> None:
        @tf.function
        def forward(values: list[tf.Tensor], rows: tf.Tensor) -> tf.Tensor:
            mapping = list(zip(model.variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return model(rows, training=False)

        signature = [tf.TensorSpec(v.shape, v.dtype) for v in model.variables]
        rows = tf.TensorSpec([None, *row_shape], dtype)
        try:
            self._call = forward.get_concrete_function(signature, rows)
        except (AttributeError, NotImplementedError, TypeError):
            # a network that uses the values of its tensors runs as it is
            self._call = lambda *arguments: forward.python_function(arguments[:-1], arguments[-1])

    def __call__(self, values: Sequence[Any], rows: Any) -> Any:
        return self._call(*map(tf.convert_to_tensor, [*values, rows]))
