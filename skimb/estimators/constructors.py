"""The parameters of an estimator's constructor, those of classes derived from it included."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sklearn.base import BaseEstimator


@lru_cache(maxsize=64)  # needed dozens of times in a fit
def signature(constructor: Callable[..., None]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(constructor).parameters


def parameters_of(kind: type) -> list[str]:
    """Return the parameters that the constructor of a class names."""
    parameters = list(signature(kind.__init__).values())[1:]  # type: ignore[misc]
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        raise TypeError(
            f"{kind.__name__}.__init__ has *args. The parameters of an estimator have names: name "
            "them, or take **kwargs and pass them on to super().__init__."
        )
    return [p.name for p in parameters if p.kind != p.VAR_KEYWORD]


def _takes_more(kind: type) -> bool:
    return any(p.kind == p.VAR_KEYWORD for p in signature(kind.__init__).values())  # type: ignore[misc]


def of_the_package(kind: type) -> type:
    """Return the estimator of the package that a class is, or is derived from."""
    package = __name__.partition(".")[0]
    return next(k for k in kind.__mro__ if k.__module__.partition(".")[0] == package)


def all_parameters(kind: type) -> list[str]:
    """Return the parameters of a class, with those that its constructor passes on."""
    names: dict[str, None] = {}
    for ancestor in kind.__mro__:
        if "__init__" in vars(ancestor) and ancestor is not object:
            names |= dict.fromkeys(parameters_of(ancestor))
            if not _takes_more(ancestor) or ancestor is of_the_package(kind):
                break
    return list(names)


def is_default(estimator: BaseEstimator, name: str) -> bool:
    default = signature(of_the_package(type(estimator)).__init__)[name].default  # type: ignore[misc]
    value = getattr(estimator, name)
    return isinstance(value, str) and value == default


def as_constructed(estimator: BaseEstimator, changed: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the constructor of a subclass makes of its parameters as they are.

    None where the parameters that are changed are not its own.
    """
    kind = type(estimator)
    if kind is of_the_package(kind) or not set(changed) & set(parameters_of(kind)):
        return None
    values = {k: v for k, v in vars(estimator).items() if k in parameters_of(kind)}
    try:
        return vars(kind(**values))
    except Exception:  # of values that the constructor refuses, which fit explains
        return None


def alike(value: Any, other: Any) -> bool:
    return value is other or (type(value) is type(other) and repr(value) == repr(other))


# parts of scikeras's wrappers that subclasses override there, and what to do here instead
_EXTENSION_POINTS = {
    "_keras_build_fn": "pass the function that builds the network as `model`, in the subclass as "
    "super().__init__(model=build, ...); it may take `meta`, `compile_kwargs` and `params`",
    "target_encoder": "transform y before fit; labels of any type, and indicator matrices, are "
    "encoded already",
    "feature_encoder": "put a transformer before the estimator, in sklearn.pipeline.make_pipeline",
    "dataset_transformer": "put a transformer before the estimator, in "
    "sklearn.pipeline.make_pipeline, or use `sampler` and `augmentation`",
    "scorer": "set `scoring`, to a name or a function scorer(estimator, X, y)",
    "_build_keras_model": "pass the function that builds the network as `model`",
    "_fit_keras_model": "override train_step in a subclass of keras.Model, which `model` returns",
    "_get_compile_kwargs": "set `optimizer` and `loss`",
    "_get_metadata": "pass further properties of the data as model__*",
    "_type_of_target": "set `target`",
}


@lru_cache(maxsize=64)
def check_extension_points(kind: type) -> None:
    """Raise a TypeError if a subclass overrides a part that scikeras has and skimb does not."""
    found = [name for name in _EXTENSION_POINTS if hasattr(kind, name)]
    if found:
        advice = "; ".join(f"instead of {name}, {_EXTENSION_POINTS[name]}" for name in found)
        raise TypeError(
            f"{kind.__name__} overrides {', '.join(found)} of scikeras, which "
            f"{of_the_package(kind).__name__} does not use: {advice}."
        )
