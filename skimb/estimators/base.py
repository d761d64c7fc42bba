"""What the estimators share: parameters with routing, and the attributes of the fitted state."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache
from typing import Any, ClassVar, Self

import keras
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError

from skimb._backend.routing import built_callbacks, routed, with_parts_built
from skimb.estimators.arguments import check_model, with_cure
from skimb.estimators.other_names import cure_for
from skimb.fitting.network import BUILT_IN, FILLED_IN
from skimb.fitting.parameters import Extent, FitParameters
from skimb.fitting.state import FittedState
from skimb.losses.binding import StoredLoss, copied

_PREFIXES = ("callbacks", "loss", "model", "optimizer")
# what other libraries call it
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
        check_model(self.model)
        try:
            self._validate_params()
        except InvalidParameterError as error:
            raise with_cure(error, self) from None
        # not get_params: a subclass may set what its own constructor does not take
        params = dict(vars(self))
        own = {name: value for name, value in params.items() if name in _OF_A_FIT}
        arguments = {"model_arguments": routed(params, "model")}
        arguments["loss_arguments"] = with_parts_built(params, "loss")
        arguments["optimizer_arguments"] = with_parts_built(params, "optimizer")
        callbacks = built_callbacks(own.pop("callbacks", None), routed(params, "callbacks"))
        return FitParameters(
            **{**own, **arguments, **self._fixed},
            callbacks=callbacks,
            estimator_params=self.get_params(deep=False),
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
                accepted = ", ".join(_signature(type(self).__init__))
                raise TypeError(
                    f"{type(self).__name__} got an unexpected parameter {name!r}."
                    f"{self._suggestion(name)} Accepted are {accepted}, and {prefixes}."
                )
        self.__dict__.update(given)

    def _suggestion(self, name: str, *, of_constructor: bool = False) -> str:
        """Return what a parameter of this name may have meant, as a sentence."""
        known = ["optimizer__learning_rate", "loss__gamma"]
        known += [f"model__{parameter}" for parameter in self._network_parameters()]
        meant = [candidate for candidate in known if candidate.endswith(f"__{name}")]
        cure = "" if meant else cure_for(name, _signature(type(self).__init__))
        if cure:
            return f" {cure}"
        known += _signature(type(self).__init__)
        meant = meant or difflib.get_close_matches(name, known, n=1)
        meant = meant or [
            k
            for k in known
            if difflib.SequenceMatcher(None, k.partition("__")[2], name).ratio() > 0.75
        ]
        where = " of the constructor" if of_constructor else ""
        return f" Did you mean {meant[0]!r}{where}?" if meant else ""

    def _network_parameters(self) -> list[str]:
        """Return the parameters of the build function, or of the built-in network."""
        if isinstance(self.model, str) or not callable(self.model):
            model = self.model if isinstance(self.model, str) else ""
            network = BUILT_IN.get(model, BUILT_IN[self._usual_network])
            parameters = inspect.signature(network).parameters.values()
            return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        if isinstance(self.model, keras.Model):
            return []
        parameters = inspect.signature(self.model).parameters.values()
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return [p.name for p in parameters if p.kind in named and p.name not in FILLED_IN]

    def _get_param_names(self) -> list[str]:
        stored = [name for name in vars(self) if _is_routed(name) or name == "routed"]
        return sorted([*_signature(type(self).__init__), *stored])

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
        stored = {name: value for name, value in params.items() if _is_routed(name)}
        known = self._get_param_names()
        for name in params:
            # scikit-learn refuses it too, but knows nothing of build functions
            if (
                name.partition("__")[0] not in known
                and name not in stored
                and (meant := self._suggestion(name))
            ):
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}.{meant}"
                )
        super().set_params(**{k: v for k, v in params.items() if k not in stored})
        self.__dict__.update(stored)
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
        cloned = super(NetworkEstimator, plain).__sklearn_clone__()
        cloned.__dict__.update({name: copied(loss) for name, loss in own.items()})
        return cloned


@lru_cache(maxsize=16)  # needed dozens of times in a fit
def _signature(constructor: Callable[..., None]) -> list[str]:
    parameters = inspect.signature(constructor).parameters.values()
    return [p.name for p in parameters if p.kind == p.KEYWORD_ONLY or p.name == "model"]


def _is_loss(value: Any) -> bool:
    return isinstance(value, keras.losses.Loss)


def _is_routed(name: str) -> bool:
    prefix, separator, rest = name.partition("__")
    return bool(separator and rest) and prefix in _PREFIXES
