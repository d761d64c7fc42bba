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

__all__ = ["accepts_kwargs", "has_param", "routed", "unflatten_params"]


def routed(params: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the parameters with a prefix, such as ``model__``, with the prefix removed."""
    return route_params(params, prefix, pass_filter=set())
