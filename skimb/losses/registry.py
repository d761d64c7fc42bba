"""Losses by name: the library's own first, Keras's behind them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import keras

from skimb.losses.catalog import LOSSES, LossLike, LossSpec, searchable
from skimb.losses.weighted_sum import weighted_sum

__all__ = ["LossLike", "LossSpec", "available", "get", "specification"]

# what other libraries call it
_ELSEWHERE = dict.fromkeys(("logloss", "ce", "nll", "logistic"), "crossentropy")

_KERAS_CLASSES = {
    name.lower(): value
    for name, value in vars(keras.losses).items()
    if inspect.isclass(value) and issubclass(value, keras.losses.Loss) and name != "Loss"
}


def available() -> dict[str, tuple[str, ...]]:
    """Return the names of the library's losses with the kinds of target that each takes.

    Returns
    -------
    dict of str to tuple of str

    Examples
    --------
    >>> from skimb.losses import available
    >>> available()["focal"]
    ('binary', 'multiclass', 'multilabel', 'pixels')
    """
    return {name: loss.traits.targets for name, loss in LOSSES.items()}


def specification(identifier: Any, **params: Any) -> LossSpec:
    """Return what a name, a class, an instance or a function stands for, without building it.

    Parameters and errors are those of :func:`get`.
    """
    if isinstance(identifier, str):
        return _checked(_class_named(identifier), params, identifier)
    if isinstance(identifier, Mapping):
        return LossSpec(weighted_sum(identifier, params))
    if inspect.isclass(identifier) and issubclass(identifier, keras.losses.Loss):
        return _checked(identifier, params, identifier.__name__)
    if inspect.isclass(identifier) or not callable(identifier):
        raise TypeError(
            f"loss={identifier!r} is neither a name, a keras.losses.Loss, nor a function "
            "loss(y_true, y_pred), nor a dict of names and weights."
        )
    if params:
        raise TypeError(
            f"loss={identifier!r} is already built, so {_routed(params)} cannot reach it. "
            "Give the loss as a name or a class."
        )
    return LossSpec(_class_of(identifier) if inspect.isfunction(identifier) else identifier)


def get(identifier: Any, **params: Any) -> LossLike:
    """Return a loss from its name, its class, or itself.

    Parameters
    ----------
    identifier : str, dict, Loss class, Loss instance or callable
        A name from :func:`available`, the name of a Keras loss, a subclass of
        :class:`keras.losses.Loss`, an instance, or a function ``loss(y_true, y_pred)``. A dict of
        names from :func:`available` and weights is a :class:`WeightedSum`.
    **params
        Hyperparameters for the constructor, where a name or a class is given; of the terms of a sum
        as ``term__name``.

    Returns
    -------
    keras.losses.Loss or callable

    Raises
    ------
    ValueError
        If the name is unknown, or the terms cannot be summed.
    TypeError
        If it is no loss, or if a hyperparameter is not one of the loss's or cannot be passed on
        because an instance was given.

    Examples
    --------
    >>> from skimb.losses import get
    >>> get("focal", gamma=1.5).gamma
    1.5
    """
    return specification(identifier, **params).build()


def _class_named(name: str) -> Any:
    own = {_folded(own): loss for own, loss in LOSSES.items()}.get(_folded(name))
    if own is not None and (name in LOSSES or name.lower() not in _KERAS_CLASSES):
        return own
    of_keras = _KERAS_CLASSES.get(name.lower())
    if of_keras is not None and of_keras.__name__ == name:  # keras.losses.get knows not all
        return of_keras
    try:
        found = keras.losses.get(name)
    except ValueError:
        known = {folded: loss.__name__ for folded, loss in _KERAS_CLASSES.items()}
        known |= {_folded(own): own for own in LOSSES}
        asked = _ELSEWHERE.get(_folded(name), _folded(name))
        close = difflib.get_close_matches(asked, known, n=1)
        hint = f" Did you mean {known[close[0]]!r}?" if close else ""
        raise ValueError(
            f"loss={name!r} is unknown.{hint} The library has {', '.join(map(repr, LOSSES))}; "
            "the losses of Keras are taken by name too."
        ) from None
    return type(found) if isinstance(found, keras.losses.Loss) else _class_of(found)


def _class_of(function: Any) -> Any:
    """Return the class behind one of Keras's loss functions, which knows about logits."""
    if not getattr(function, "__module__", "").startswith("keras."):
        return function
    return _KERAS_CLASSES.get(_folded(function.__name__), function)


def _checked(loss: Any, params: dict[str, Any], name: str) -> LossSpec:
    if not inspect.isclass(loss):  # a Keras loss that is nothing but a function
        return specification(loss, **params)
    parameters = inspect.signature(loss).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    accepted = searchable(parameters)
    unknown = [p for p in params if p not in parameters]
    if unknown and not open_ended:
        raise TypeError(
            f"loss={name!r} has no parameter {_routed(unknown)}. "
            f"It takes {', '.join(f'loss__{p}' for p in accepted)}."
        )
    return LossSpec(loss, params)


def _routed(names: Any) -> str:
    return ", ".join(f"loss__{name}" for name in names)


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
