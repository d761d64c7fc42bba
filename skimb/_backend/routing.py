"""scikeras's routing of parameters and its conventions for build functions."""

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
    """Undo the other ways of pickling that importing scikeras gives to Keras's classes.

    They go through ``get_config``, which forgets the delta of Huber and refuses classes that
    are not registered, in every program that imports skimb. Keras's own ways know both.
    """
    before = [(owner, name, vars(owner).get(name)) for owner, name in _PATCHED]
    yield
    for owner, name, value in before:
        if value is None and name in vars(owner):
            delattr(owner, name)
        elif value is not None:
            setattr(owner, name, value)


if "scikeras" in sys.modules:  # somebody else's choice, which stays
    from scikeras._utils import accepts_kwargs, has_param, route_params, unflatten_params
else:
    with _keras_left_as_it_was():
        from scikeras._utils import accepts_kwargs, has_param, route_params, unflatten_params

__all__ = ["accepts_kwargs", "has_param", "routed", "unflatten_params"]


def routed(params: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the parameters of a prefix, such as ``model__``, without it."""
    return route_params(params, prefix, pass_filter=set())
