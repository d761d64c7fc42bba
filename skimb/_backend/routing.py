"""Parameter routing and build function conventions of scikeras."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

_PATCHED = (
    (keras.Model, "__reduce__"),
    (keras.Model, "__deepcopy__"),
    (keras.losses.Loss, "__reduce__"),
    (keras.metrics.Metric, "__reduce__"),
    (keras.optimizers.Optimizer, "__reduce__"),
)


@contextmanager
def _keras_left_as_it_was() -> Iterator[None]:
    """Undo the changes to Keras's classes that importing scikeras makes.

    Importing skimb would otherwise change how models, losses, metrics and optimizers are copied and
    pickled in every program.
    """
    before = [(owner, name, vars(owner).get(name)) for owner, name in _PATCHED]
    yield
    for owner, name, value in before:
        if value is None and name in vars(owner):
            delattr(owner, name)
        elif value is not None:
            setattr(owner, name, value)


if "scikeras" in sys.modules:  # imported by the user, whose patches are kept
    from scikeras._utils import accepts_kwargs, has_param, route_params, unflatten_params
else:
    with _keras_left_as_it_was():
        from scikeras._utils import accepts_kwargs, has_param, route_params, unflatten_params

__all__ = ["accepts_kwargs", "built_callbacks", "has_param", "routed", "with_parts_built"]


def routed(params: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the parameters with a prefix, such as ``model__``, with the prefix removed."""
    return route_params(params, prefix, pass_filter=set())


def with_parts_built(params: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the parameters with a prefix, and build the classes that have parameters of their own.

    ``optimizer__learning_rate=CosineDecay`` with ``optimizer__learning_rate__decay_steps=100`` is
    ``learning_rate=CosineDecay(decay_steps=100)``. In a list or a dict of classes
    ``loss__parts__0__width`` is for one of them, and ``loss__parts__width`` for each.

    Parameters
    ----------
    params : dict
        Of an estimator.
    prefix : str

    Returns
    -------
    dict
        Names for which there is no class to build are left as they are, for the constructor that
        gets them to refuse.

    Raises
    ------
    TypeError
        If a value has parameters, but is no class or does not take them.
    """
    arguments = routed(params, prefix)
    built = dict(arguments)
    for name, value in arguments.items():
        own = {} if "__" in name else routed(arguments, name)
        if not own:  # a class by itself may be the value, such as a dtype
            continue
        names = ", ".join(f"{prefix}__{name}__{inner}" for inner in own)
        try:
            _check_places(f"{prefix}__{name}", value, own)
            built[name] = unflatten_params(value, own)
        except TypeError as error:
            raise TypeError(
                f"{prefix}__{name}={value!r} cannot be built from {names}: {error} Give a class "
                "that takes these parameters, or an instance and leave them out."
            ) from error
        built = {key: v for key, v in built.items() if not key.startswith(f"{name}__")}
    return built


def built_callbacks(given: Any, arguments: dict[str, Any]) -> list[keras.callbacks.Callback]:
    """Return callbacks built from instances, classes, and their routed parameters.

    Parameters
    ----------
    given : callback, callback class, list, tuple, dict or None
        A dict names its callbacks, and its order is theirs.
    arguments : dict
        ``"patience"`` is for all of them, ``"0__patience"`` or ``"stop__patience"`` for one.

    Raises
    ------
    ValueError
        If a parameter is for a callback that is not there.
    TypeError
        If there is something else than callbacks.
    """
    if given is None:
        given = ()
    elif not isinstance(given, (list, tuple, dict)):
        # it may be called number 0 too
        given = [given]
        arguments = {n if n.startswith("0__") else f"0__{n}": v for n, v in arguments.items()}
    _check_places("callbacks", given, arguments)
    items = unflatten_params(given, arguments)
    built = list(items.values()) if isinstance(items, dict) else list(items)
    for callback in built:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks holds {callback!r}. Accepted are instances and classes of "
                "keras.callbacks.Callback."
            )
    return built


def _check_places(name: str, items: Any, arguments: dict[str, Any]) -> None:
    """Raise a ValueError if a parameter is for an element that a list or a dict does not have."""
    if not isinstance(items, (list, tuple, dict)):
        return
    places = list(map(str, items if isinstance(items, dict) else range(len(items))))
    for argument in arguments:
        place, separator, _ = argument.partition("__")
        if not separator or place in places:
            continue
        if isinstance(items, dict):
            raise ValueError(
                f"{name}__{argument} is for {place!r}, but {name} holds {', '.join(places)}."
            )
        what = f"number {place}" if place.isdigit() else repr(place)
        raise ValueError(
            f"{name}__{argument} is for {what}, but {name} holds {len(places)}, counted from 0: "
            f"the parameters of the first are {name}__0__*."
        )
