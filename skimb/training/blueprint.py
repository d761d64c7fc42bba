"""Architecture of a network, without its weights: copying and comparison."""

from __future__ import annotations

import contextlib
import inspect
import json
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import keras
import numpy as np

from skimb import networks
from skimb._backend.keras_internals import (
    auto_name,
    is_graph,
    layers_of,
    names_counted_anew,
    not_compiled,
    trusting_code,
)
from skimb._backend.randomness import process_state


class Blueprint:
    """Recipe to build a network again, with a key that identifies its architecture.

    Parameters
    ----------
    build : callable returning keras.Model
        Builds the network with arbitrary weights.
    key : hashable or None
        Equal for networks of equal architecture. None if the network cannot be copied; `build` then
        returns the original network.
    example : keras.Model
        A network of this architecture. Only its names, shapes and layers are used.
    built_by : (str, dict) or None, default=None
        Name of the function in :mod:`skimb.networks` that builds it, and its arguments.
    """

    def __init__(
        self,
        build: Callable[[], keras.Model],
        key: Hashable | None,
        example: keras.Model,
        built_by: tuple[str, dict[str, Any]] | None = None,
    ) -> None:
        self._build = build
        self.key = key
        self.example = example
        self.built_by = built_by

    @classmethod
    def built_in(cls, name: str, arguments: dict[str, Any]) -> Blueprint:
        """Return the blueprint of a network of :mod:`skimb.networks`.

        Parameters
        ----------
        name : str
            Name of the function that builds it.
        arguments : dict
            Arguments of that function.

        Raises
        ------
        ValueError
            If there is no such network, as in a file that was tampered with.
        """
        if name not in networks.__all__:
            raise ValueError(f"skimb.networks has no {name!r}.")
        function = getattr(networks, name)
        frozen = tuple((k, _hashable(v)) for k, v in sorted(arguments.items()))

        def build() -> keras.Model:
            with names_counted_anew():
                model = function(**arguments)
            model.name = auto_name(function.__name__)  # a model composed of two needs unique names
            return model

        return cls(build, (function, frozen), _template(function, frozen), (name, arguments))

    @classmethod
    def of(cls, model: keras.Model) -> Blueprint:
        """Return the blueprint of a model. It holds the model itself if that cannot be copied."""
        try:
            structure = _Structure(_key(model), weakref.ref(model))
            example = _example(structure)
            return cls(lambda: copied(example), structure.key, example)
        except (AttributeError, NotImplementedError, TypeError, ValueError):
            # raised by custom layers and subclassed models without get_config
            return cls(lambda: model, None, model)

    def build(self) -> keras.Model:
        """Build the network with arbitrary weights."""
        with process_state(seed=0):
            return self._build()

    @property
    def layer_types(self) -> frozenset[str]:
        """Class names of the layers, including nested ones."""
        return frozenset(type(layer).__name__ for layer in layers_of(self.example))

    @cached_property
    def widest(self) -> int:
        """The most values that a layer outputs for a sample, of the layers whose shape is known."""
        sizes = [0]
        for layer in layers_of(self.example):
            with contextlib.suppress(AttributeError, ValueError):  # not called, or several times
                shapes = [tensor.shape[1:] for tensor in keras.tree.flatten(layer.output)]
                sizes += [int(np.prod(shape)) for shape in shapes if None not in shape]
        return max(sizes)


@lru_cache(maxsize=32)
def _template(function: Callable[..., keras.Model], arguments: tuple[Any, ...]) -> keras.Model:
    """Return a network of an architecture, used for its names, shapes and initializers only."""
    with process_state(seed=0), names_counted_anew():
        return function(**dict(arguments))


def _hashable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


def copied(model: keras.Model) -> keras.Model:
    """Return a network with the same layers and new variables.

    Raises
    ------
    ValueError
        If the variables, the arguments or the vocabulary of the copy would differ from those of the
        network.
    """
    _check_vocabularies(model)
    # a Lambda layer of a network in memory is not untrusted code from a file
    # Keras compiles copies as the network is, and all networks of one structure are copies of one
    with process_state(seed=0, dtype=default_dtype(model)), trusting_code(), not_compiled(model):
        if isinstance(model, keras.Sequential) or type(model).__name__ == "Functional":
            copy = keras.models.clone_model(model)
        else:
            copy = type(model).from_config(model.get_config())
            copy.build_from_config(model.get_build_config())
            call_once(copy)
    if variables_of(copy) != variables_of(model):
        raise ValueError("the variables of the copy differ from those of the network")
    if _own_attributes(copy) != _own_attributes(model):
        raise ValueError("the copy has other arguments than the network")
    # the functions themselves, where Keras restores their code without its module
    for layer, twin in zip(_lambdas(model), _lambdas(copy), strict=True):
        twin.function = layer.function
    # adapted layers, such as Normalization, compute with constants derived from their variables
    for layer, twin in zip(_adapted(model), _adapted(copy), strict=True):
        for variable, value in zip(twin.variables, layer.variables, strict=True):
            variable.assign(value.value)
        twin.finalize_state()
    return copy


def _check_vocabularies(model: keras.Model) -> None:
    """Raise a ValueError for layers that were adapted to words that Keras does not copy."""
    for layer in layers_of(model):
        if not hasattr(layer, "get_vocabulary") or layer.get_config().get("vocabulary") is not None:
            continue
        if len(layer.get_vocabulary(include_special_tokens=False)):
            raise ValueError(f"the layer {layer.name!r} was adapted to a vocabulary")


def call_once(model: keras.Model) -> None:
    """Call a network on a symbolic input, without which Keras does not export subclassed ones."""
    shape = (model.get_build_config() or {}).get("input_shape")
    if isinstance(shape, (list, tuple)) and all(n is None or isinstance(n, int) for n in shape):
        with contextlib.suppress(Exception):  # of networks that run on numbers alone
            model(keras.KerasTensor((None, *shape[1:]), dtype=model.input_dtype))


def default_dtype(model: keras.Model) -> str | None:
    """Return the default dtype under which the layers of a network were created."""
    found = [v.dtype for v in model.trainable_variables if v.dtype in ("float32", "float64")]
    return found[0] if found else None


def variables_of(model: keras.Model) -> list[tuple[Any, ...]]:
    """Return shape, dtype and trainability of each variable."""
    return [(tuple(v.shape), v.dtype, v.trainable) for v in model.variables]


@dataclass(frozen=True)
class _Structure:
    """Key shared by interchangeable networks, with a reference to one of them."""

    key: Hashable
    model: weakref.ref[keras.Model] = field(compare=False)


@lru_cache(maxsize=64)
def _example(structure: _Structure) -> keras.Model:
    # copying takes longer than training a small network, so it is done once per architecture
    return copied(structure.model())


def _own_attributes(model: keras.Model) -> Hashable:
    """Return the numbers, texts and functions that subclassed networks compute with.

    Keras's configuration of a subclassed :class:`keras.Model` without a `get_config` has the
    defaults of the constructor for its arguments, whatever they were.
    """
    if not any(isinstance(x, keras.Model) and not is_graph(x) for x in layers_of(model)):
        return ()
    with names_counted_anew():
        of_keras = {*vars(keras.Model()), "save"}
    return tuple(
        (name, value)
        for layer in layers_of(model)
        for name, value in sorted(vars(layer).items())
        if name not in of_keras
        and not (name.startswith("_") and type(layer).__module__.startswith("keras."))
        and (isinstance(value, (str, int, float, type(None))) or inspect.isfunction(value))
    )


def _lambdas(model: keras.Model) -> list[Any]:
    return [x for x in layers_of(model) if isinstance(x, keras.layers.Lambda)]


def _adapted(model: keras.Model) -> list[Any]:
    return [x for x in layers_of(model) if hasattr(x, "finalize_state") and x.variables]


def _key(model: keras.Model) -> Hashable:
    """Return a key that is equal for two builds of one network and differs between networks."""
    config = _without_seeds(model.get_config())
    names = {name: f"layer {i}" for i, name in enumerate(_layer_names(config))}
    text = json.dumps(_renamed(config, names), sort_keys=True)
    layers = layers_of(model)
    # A config holds only the names of classes and functions, which need not be unique.
    types = tuple(type(layer) for layer in layers)
    functions = tuple(
        value
        for layer in layers
        for value in vars(layer).values()
        if inspect.isfunction(value) and not value.__module__.startswith("keras.")
    )
    constants = tuple(v.value.numpy().tobytes() for x in _adapted(model) for v in x.variables)
    own = _own_attributes(model)
    return (text, str(variables_of(model)), types, functions, constants, own)


def _layer_names(config: Any) -> list[str]:
    # from the config, because Sequential.layers omits the input layer
    if isinstance(config, list):
        return [name for item in config for name in _layer_names(item)]
    if not isinstance(config, dict):
        return []
    own = [config["name"]] if _is_layer(config) else []
    return own + [name for item in config.values() for name in _layer_names(item)]


def _is_layer(config: dict[str, Any]) -> bool:
    return isinstance(config.get("name"), str) and bool({"trainable", "batch_shape"} & set(config))


def _renamed(config: Any, names: dict[str, str], is_reference: bool = False) -> Any:
    """Return a config with layers renamed, wherever a string refers to a layer."""
    if isinstance(config, dict):
        renamed = {
            key: _renamed(value, names, key in ("keras_history", "input_layers", "output_layers"))
            for key, value in config.items()
        }
        return renamed | ({"name": names[config["name"]]} if _is_layer(config) else {})
    if isinstance(config, list):
        if is_reference and config and isinstance(config[0], str):
            return [names.get(config[0], config[0]), *config[1:]]
        return [_renamed(item, names, is_reference) for item in config]
    return config


def _without_seeds(config: Any, inside_initializer: bool = False) -> Any:
    if isinstance(config, dict):
        return {
            key: _without_seeds(value, inside_initializer or key.endswith("_initializer"))
            for key, value in config.items()
            if not (inside_initializer and key == "seed")
            # a functional config repeats the name of each layer beside the layer's own config
            and not (key == "name" and "class_name" in config and "inbound_nodes" in config)
        }
    if isinstance(config, (list, tuple)):
        return [_without_seeds(item, inside_initializer) for item in config]
    return config
