"""Network for training and inference: blueprint, values of the variables and forward pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skimb._backend.keras_internals import exportable, layers_of, not_compiled, schedule_of
from skimb._backend.randomness import process_state
from skimb._types import Tensor
from skimb.training.blueprint import Blueprint, default_dtype, variables_of

#: builds a network anew, with arbitrary values of its variables
Source = Callable[[], keras.Model]


class Network:
    """Blueprint and values of the variables, as a fitted estimator stores them.

    The :class:`keras.Model` is built lazily, because building a small one takes longer than
    training it. Once it exists, its variables hold the current values. It is not compiled, whatever
    a build function compiled: networks of one structure are copies of one of them.

    `source` builds the network anew where a file cannot hold it, and is stored in its place.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        values: Sequence[np.ndarray],
        model: keras.Model | None = None,
        source: Source | None = None,
    ) -> None:
        self.blueprint = blueprint
        self._source = source
        self._values = list(values)
        self._model = model
        self._tensors: list[Any] | None = None

    @classmethod
    def of(cls, model: keras.Model, source: Source | None = None) -> Network:
        """Return the network of a model: a copy, or the model itself if that cannot be copied."""
        blueprint = Blueprint.of(model)
        if blueprint.key is None:
            return cls(blueprint, [], model, source)
        return cls(blueprint, values_of(model.variables), None, source)

    @classmethod
    def copy_of(cls, model: keras.Model) -> Network:
        """Return a network with the architecture and values of a model, which is unchanged."""
        blueprint = Blueprint.of(model)
        if blueprint.key is None:
            raise TypeError(
                f"model={model!r} cannot be copied, because the model or one of its layers has no "
                "get_config to rebuild it from, or was adapted to a vocabulary. Give a function "
                "that builds it, and a vocabulary as the argument of its layer."
            )
        return cls(blueprint, values_of(model.variables))

    @property
    def model(self) -> keras.Model:
        """The network as a :class:`keras.Model`, built on first access."""
        if self._model is None:
            model = exportable(self.blueprint.build())
            assign(model.variables, self._values)
            self._model, self._tensors = model, None
        return self._model

    @property
    def values(self) -> list[np.ndarray]:
        """Values of all variables, including seeds, in the order of ``model.variables``."""
        if self._model is None:
            return self._values
        return values_of(self._model.variables)

    @property
    def tensors(self) -> list[Any]:
        """Values of all variables as tensors, for a forward pass.

        They are kept as long as there is no model whose variables may change: in the prediction
        for a single sample, converting them takes as long as the network.
        """
        if self._model is not None:
            return [tf.convert_to_tensor(variable.value) for variable in self._model.variables]
        if self._tensors is None:
            self._tensors = [tf.convert_to_tensor(value) for value in self._values]
        return self._tensors

    def with_values(self, values: Sequence[np.ndarray]) -> Network:
        """Return the same network with new values of its variables."""
        if self.blueprint.key is None:
            assign(self.model.variables, values)
            return self
        return Network(self.blueprint, values, None, self._source)

    def current(self) -> Network:
        """Return the network of the model, whose layers may have been frozen or unfrozen."""
        if self._model is None or self.blueprint.key is None:
            return self
        if variables_of(self._model) == variables_of(self.blueprint.example):
            return self
        return Network.of(self._model, self._source)

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        if self.blueprint.key is None:
            return _unpickled(self.__getstate__())
        values = [value.copy() for value in self.values]
        return Network(self.blueprint, values, None, self._source)

    def __getstate__(self) -> dict[str, Any]:
        """Return the network as text and arrays, without code.

        A network that cannot be rebuilt from its configuration is stored as the call of the
        function that built it.

        Raises
        ------
        TypeError
            If neither can rebuild the network.
        """
        network = self.current()
        if network.blueprint.built_by is not None:
            # a version of Keras cannot read every layer config of another version
            name, arguments = network.blueprint.built_by
            return {"function": name, "arguments": arguments, "values": self.values}
        model = network.model
        state: dict[str, Any] | None = None
        if network.blueprint.key is not None:
            with not_compiled(model):
                state = as_config(model) | {"values": self.values}
            local = any("<locals>" in t.__qualname__ for t in state["own_types"].values())
            if not (local and self._source) and _loads(state):
                return state
        if self._source is not None:
            _check_source(self._source, model)
            return {"source": self._source, "values": self.values}
        raise TypeError(
            f"The network {type(model).__name__} cannot be saved: it cannot be rebuilt from its "
            "configuration. Give its classes a get_config with all arguments of __init__, and "
            "__init__ the argument **kwargs for super().__init__; or give a function that builds "
            "the network as `model`."
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the network. A config that contains code, such as a Lambda layer, is rejected."""
        restored = _restored(state, safe_mode=True)
        Network.__init__(
            self, restored.blueprint, restored._values, restored._model, restored._source
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Loading a pickle runs code anyway, so Lambda layers are allowed. Formats that are safe
        # to load use __setstate__.
        return _unpickled, (self.__getstate__(),)


def _unpickled(state: dict[str, Any]) -> Network:
    return _restored(state, safe_mode=False)


def _restored(state: dict[str, Any], *, safe_mode: bool) -> Network:
    if "function" in state:
        return Network(Blueprint.built_in(state["function"], state["arguments"]), state["values"])
    if "source" in state:
        model = state["source"]()
        assign(model.variables, state["values"])
        return Network.of(model, state["source"])
    model = from_config(state, safe_mode=safe_mode)
    assign(model.variables, state["values"])
    return Network.of(model)


def as_config(item: Any) -> dict[str, Any]:
    """Return an object of Keras as its configuration, with the classes and functions it names."""
    config = keras.saving.serialize_keras_object(item)
    own: dict[str, Any] = {}
    named = [keras.saving.get_registered_object(name) for name in _registered_names(config)]
    is_layer = isinstance(item, keras.layers.Layer)
    parts = layers_of(item) if is_layer else [item]
    if isinstance(item, keras.optimizers.Optimizer):
        parts += [schedule_of(item)]
    # by reference, so that layers not registered with Keras can be loaded, nor those registered by
    # a module that nobody has imported
    for part in (*{type(part) for part in parts if part is not None}, *named):
        if part is not None and not (part.__module__ or "").startswith("keras."):
            own |= {part.__name__: part, keras.saving.get_registered_name(part): part}
    return {
        "config": json.dumps(config),
        "dtype": default_dtype(item) if is_layer else None,
        "own_types": own,
    }


def from_config(state: dict[str, Any], *, safe_mode: bool) -> Any:
    """Return an object of Keras from what :func:`as_config` returned."""
    with process_state(seed=0, dtype=state["dtype"]):
        return keras.saving.deserialize_keras_object(
            json.loads(state["config"]), custom_objects=state["own_types"], safe_mode=safe_mode
        )


def _registered_names(config: Any) -> list[str]:
    """Return the names in a configuration that an object registered with Keras may have."""
    if isinstance(config, (list, tuple)):
        return [name for item in config for name in _registered_names(item)]
    if not isinstance(config, dict):
        return []
    of_function = config.get("class_name") == "function"
    name = config.get("config" if of_function else "registered_name")
    own = [name] if isinstance(name, str) else []
    return own + [name for item in config.values() for name in _registered_names(item)]


def _loads(state: dict[str, Any]) -> bool:
    """Whether the configuration of a network with classes of a user's own can be read again."""
    if not state["own_types"]:
        return True
    try:
        _restored(state, safe_mode=False)
    except Exception:  # whatever a constructor of the user's own raises
        return False
    return True


def _check_source(source: Source, model: keras.Model) -> None:
    if variables_of(source()) != variables_of(model):
        raise TypeError(
            f"The network {type(model).__name__} cannot be saved: it cannot be rebuilt from its "
            "configuration, and the function that built it now returns another network. Let it "
            "depend on its arguments alone."
        )


def assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    """Assign values to variables."""
    for variable, value in zip(variables, values, strict=True):
        variable.value.assign(value)


def values_of(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Return copies of the values of variables as arrays."""
    # keras.ops.convert_to_numpy raises a warning with NumPy 2 for a tf.Variable
    return [np.array(variable.value.numpy()) for variable in variables]


class Forward:
    """Compiled forward pass of a network, a pure function of its weights and the inputs."""

    def __init__(self, model: keras.Model, row_shape: Sequence[int | None], dtype: str) -> None:
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
            # a network that uses the values of its tensors cannot be traced, so it runs eagerly
            self._call = forward.python_function

    def __call__(self, values: Sequence[Any], rows: Tensor) -> Any:
        return self._call([tf.convert_to_tensor(v) for v in values], tf.convert_to_tensor(rows))
