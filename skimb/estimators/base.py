"""What the estimators share: parameters with routing, and the attributes of the fitted state."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, ClassVar, Self

import keras
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import InvalidParameterError

from skimb._backend.routing import routed, unflatten_params
from skimb.fitting.network import BUILT_IN
from skimb.fitting.parameters import Extent, FitParameters
from skimb.fitting.state import FittedState
from skimb.losses.binding import StoredLoss, copied

_PREFIXES = ("callbacks", "loss", "model", "optimizer")
_OF_A_FIT = frozenset(f.name for f in fields(FitParameters)) - {"extent", "estimator_params"}


class FittedAttribute:
    """A public attribute that is read from the fitted state.

    Parameters
    ----------
    read : callable
        From the state to the value.
    optional : bool, default=False
        Whether there is no such attribute where the value is None.
    """

    def __init__(self, read: Callable[[FittedState], Any], *, optional: bool = False) -> None:
        self._read, self._optional = read, optional

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        state = vars(instance).get("_state")
        value = None if state is None else self._read(state)
        if state is None or (value is None and self._optional):
            fitted = "is not fitted, so it has" if state is None else "has"
            raise AttributeError(f"{owner.__name__} {fitted} no {self._name}.")
        return value


class NetworkEstimator(BaseEstimator):
    """Base class of the estimators.

    Subclasses have keyword parameters, ``**routed``, and a `fit` that reads samples, calls
    :func:`skimb.fitting.procedure.fit_network` and keeps the state.
    """

    #: the built-in network whose parameters are suggested for a name that is not a parameter
    _usual_network: ClassVar[str] = "mlp_ensemble"

    #: values of `FitParameters` that the class stands for
    _fixed: ClassVar[dict[str, Any]] = {}

    _state: FittedState

    model_ = FittedAttribute(lambda state: state.built.network.model)
    n_features_in_ = FittedAttribute(lambda state: state.schema.n_features)
    feature_names_in_ = FittedAttribute(lambda state: state.schema.names, optional=True)
    history_ = FittedAttribute(lambda state: state.record.history)
    n_iter_ = FittedAttribute(lambda state: state.record.n_epochs)
    trainer_ = FittedAttribute(lambda state: state.record.trainer, optional=True)
    loss_ = FittedAttribute(lambda state: state.record.last_loss, optional=True)

    def __sklearn_is_fitted__(self) -> bool:
        return "_state" in vars(self)

    def _fit_parameters(self, extent: Extent = "fit") -> FitParameters:
        """Return the parameters, checked one by one, as a fit takes them.

        Raises
        ------
        ValueError, TypeError
            If a parameter is not accepted.
        """
        if hasattr(self, "routed"):
            raise TypeError(
                "routed is the place of parameters such as model__dropout and optimizer__momentum, "
                "not a parameter. Pass them by their own names."
            )
        _check_extension_points(type(self))  # type: ignore[arg-type]
        if getattr(self, "model", self) is None:
            raise InvalidParameterError(
                f"{type(self).__name__} has model=None. Leave model out for a network of the "
                "library, or give a function or a class that builds one. There is no "
                "_keras_build_fn to fall back on, as in scikeras: pass that function as model."
            )
        self._validate_params()
        # not get_params: a subclass may set what its own constructor does not take
        params = dict(vars(self))
        named = _parameters(_of_the_package(type(self)))
        missing = [name for name in named if name not in params]
        if missing:
            raise TypeError(
                f"{type(self).__name__} has no {', '.join(missing)}, because its __init__ does not "
                "call super().__init__. Call it, with keywords for what differs from the defaults."
            )
        # what a subclass adds is for its build function, whatever its name
        own = {name: params[name] for name in named if name in _OF_A_FIT}
        arguments = {f"{name}_arguments": routed(params, name) for name in _PREFIXES[1:]}
        callbacks = _callbacks(own.pop("callbacks", None), routed(params, "callbacks"))
        return FitParameters(
            **{**own, **arguments, **self._fixed},
            callbacks=callbacks,
            estimator_params=self.get_params(deep=False),
            at_default=frozenset(
                name
                for name in ("optimizer", "loss")
                if _is_default(self, name) and not arguments[f"{name}_arguments"]
            ),
            extent=extent,
        )

    def _adopt(self, state: FittedState) -> Self:
        """Keep the state of a fit: the one place where a fitted estimator is written to."""
        # what a user has assigned to a fitted attribute ends with the next fit
        for name in [n for n in vars(self) if n.endswith("_")]:
            if isinstance(getattr(type(self), name, None), FittedAttribute):
                del self.__dict__[name]
        self._state = state
        return self

    def _set_routed(self, given: dict[str, Any]) -> None:
        """Store the constructor's routed parameters, and refuse what is routed nowhere."""
        for name in given:
            # scikit-learn's checks pass the name of **routed itself; fit refuses it
            if not _is_routed(name) and name != "routed":
                prefixes = ", ".join(f"{prefix}__*" for prefix in _PREFIXES)
                accepted = ", ".join(_all_parameters(type(self)))
                raise TypeError(
                    f"{type(self).__name__} got an unexpected parameter {name!r}."
                    f"{self._suggestion(name)} Accepted are {accepted}, and {prefixes}."
                )
        self.__dict__.update(given)

    def _suggestion(self, name: str) -> str:
        """Return what a parameter of this name may have meant, as a sentence."""
        model = self.model if isinstance(self.model, str) else ""
        network = BUILT_IN.get(model, BUILT_IN[self._usual_network])
        known = ["optimizer__learning_rate", "loss__gamma"]
        parameters = inspect.signature(network).parameters.values()
        known += [f"model__{p.name}" for p in parameters if p.kind is p.KEYWORD_ONLY]
        meant = [candidate for candidate in known if candidate.endswith(f"__{name}")]
        known += _all_parameters(type(self))
        meant = meant or difflib.get_close_matches(name, known, n=1)
        return f" Did you mean {meant[0]!r}?" if meant else ""

    def _get_param_names(self) -> list[str]:
        stored = [name for name in vars(self) if _is_routed(name) or name == "routed"]
        if "_of_constructor_alone" in vars(self):
            return sorted(_parameters(type(self)))
        return sorted({*_all_parameters(type(self)), *stored})

    def set_params(self, **params: Any) -> Self:
        """Set parameters, routed ones such as ``model__dropout`` included.

        Parameters
        ----------
        **params
            Parameters of the constructor.

        Returns
        -------
        self
        """
        before = _as_constructed(self, params)
        stored = {name: value for name, value in params.items() if _is_routed(name)}
        super().set_params(**{k: v for k, v in params.items() if k not in stored})
        self.__dict__.update(stored)
        if before is not None:
            # what the constructor of a subclass derives from its parameters, as a class of the
            # user's own derives model__units from width, follows them
            after = _as_constructed(self, params) or before
            derived = {k: v for k, v in after.items() if not _alike(before.get(k), v)}
            self.__dict__.update({k: v for k, v in derived.items() if k not in params})
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {k: StoredLoss.of(v) if _is_loss(v) else v for k, v in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        restored = {k: v.restored() if isinstance(v, StoredLoss) else v for k, v in state.items()}
        super().__setstate__(restored)

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted estimator of the same parameters, losses with all of their state."""
        # Keras copies a loss through its configuration, which a class of the user's own need not
        # have, and in which some of Keras's leave arguments out
        own = {k: v for k, v in vars(self).items() if _is_loss(v)}
        plain = copy.copy(self)
        plain.__dict__.update(dict.fromkeys(own, "auto"))
        rest = {}
        if type(self) is not _of_the_package(type(self)):
            # its constructor may pass some of the parameters on itself, and takes them only once
            rest = plain.get_params(deep=False)
            plain.__dict__["_of_constructor_alone"] = True
            rest = {k: v for k, v in rest.items() if k not in plain.get_params(deep=False)}
        cloned = super(NetworkEstimator, plain).__sklearn_clone__()
        cloned.__dict__.update({name: clone(value, safe=False) for name, value in rest.items()})
        cloned.__dict__.update({name: copied(loss) for name, loss in own.items()})
        return cloned


@lru_cache(maxsize=64)  # needed dozens of times in a fit
def _signature(constructor: Callable[..., None]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(constructor).parameters


def _parameters(kind: type) -> list[str]:
    """Return the parameters that the constructor of a class names."""
    parameters = list(_signature(kind.__init__).values())[1:]  # type: ignore[misc]
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        raise TypeError(
            f"{kind.__name__}.__init__ has *args. The parameters of an estimator have names: name "
            "them, or take **kwargs and pass them on to super().__init__."
        )
    return [p.name for p in parameters if p.kind != p.VAR_KEYWORD]


def _takes_more(kind: type) -> bool:
    return any(p.kind == p.VAR_KEYWORD for p in _signature(kind.__init__).values())  # type: ignore[misc]


def _of_the_package(kind: type) -> type:
    """Return the estimator of the package that a class is, or is derived from."""
    package = __name__.partition(".")[0]
    return next(k for k in kind.__mro__ if k.__module__.partition(".")[0] == package)


def _all_parameters(kind: type) -> list[str]:
    """Return the parameters of a class, with those that its constructor passes on."""
    names: dict[str, None] = {}
    for ancestor in kind.__mro__:
        if "__init__" in vars(ancestor) and ancestor is not object:
            names |= dict.fromkeys(_parameters(ancestor))
            if not _takes_more(ancestor) or ancestor is _of_the_package(kind):
                break
    return list(names)


def _is_default(estimator: BaseEstimator, name: str) -> bool:
    default = _signature(_of_the_package(type(estimator)).__init__)[name].default  # type: ignore[misc]
    value = getattr(estimator, name)
    return isinstance(value, str) and value == default


def _as_constructed(estimator: BaseEstimator, changed: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the constructor of a subclass makes of its parameters as they are.

    None where the parameters that are changed are not its own.
    """
    kind = type(estimator)
    if kind is _of_the_package(kind) or not set(changed) & set(_parameters(kind)):
        return None
    values = {k: v for k, v in vars(estimator).items() if k in _parameters(kind)}
    try:
        return vars(kind(**values))
    except Exception:  # of values that the constructor refuses, which fit explains
        return None


def _alike(value: Any, other: Any) -> bool:
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
def _check_extension_points(kind: type) -> None:
    """Raise a TypeError if a subclass overrides a part that scikeras has and skimb does not."""
    found = [name for name in _EXTENSION_POINTS if hasattr(kind, name)]
    if found:
        advice = "; ".join(f"instead of {name}, {_EXTENSION_POINTS[name]}" for name in found)
        raise TypeError(
            f"{kind.__name__} overrides {', '.join(found)} of scikeras, which "
            f"{_of_the_package(kind).__name__} does not use: {advice}."
        )


def _is_loss(value: Any) -> bool:
    return isinstance(value, keras.losses.Loss)


def _is_routed(name: str) -> bool:
    prefix, separator, rest = name.partition("__")
    return bool(separator and rest) and prefix in _PREFIXES


def _callbacks(given: Any, arguments: dict[str, Any]) -> list[keras.callbacks.Callback]:
    """Return callbacks built from instances, classes, and their routed parameters."""
    given = () if given is None else given
    items = list(given) if isinstance(given, (list, tuple)) else [given]
    for name in arguments:
        position = name.partition("__")[0]
        if position.isdigit() and int(position) >= len(items):
            raise ValueError(
                f"callbacks__{name} is for callback number {position}, but callbacks holds "
                f"{len(items)}, counted from 0."
            )
    built = unflatten_params(items, arguments)
    for callback in built:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks holds {callback!r}. Accepted are instances and classes of "
                "keras.callbacks.Callback."
            )
    return built
