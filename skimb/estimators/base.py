"""What the estimators share: parameters with routing, and the attributes of the fitted state."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, ClassVar, Self

import keras
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import check_is_fitted

from skimb._backend.routing import built_callbacks, routed, with_parts_built
from skimb.estimators.arguments import check_model, with_cure
from skimb.estimators.constructors import (
    alike,
    all_parameters,
    as_constructed,
    check_extension_points,
    is_default,
    of_the_package,
    parameters_of,
)
from skimb.estimators.other_names import suggestion
from skimb.export import exported
from skimb.fitting.building import FILLED_IN
from skimb.fitting.network import BUILT_IN
from skimb.fitting.parameters import Extent, FitParameters
from skimb.fitting.state import FittedState
from skimb.training.saved_parts import copied, from_file, holds_keras, to_file

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

    model_ = FittedAttribute(lambda state: state.built.model)
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
        check_extension_points(type(self))  # type: ignore[arg-type]
        check_model(getattr(self, "model", "auto"))
        try:
            self._validate_params()
        except InvalidParameterError as error:
            raise with_cure(error, self) from None
        # not get_params: a subclass may set what its own constructor does not take
        params = dict(vars(self))
        named = parameters_of(of_the_package(type(self)))
        missing = [name for name in named if name not in params]
        if missing:
            raise TypeError(
                f"{type(self).__name__} has no {', '.join(missing)}, because its __init__ does not "
                "call super().__init__. Call it, with keywords for what differs from the defaults."
            )
        # what a subclass adds is for its build function, whatever its name
        own = {name: params[name] for name in named if name in _OF_A_FIT}
        arguments = {"model_arguments": routed(params, "model")}
        arguments["loss_arguments"] = with_parts_built(params, "loss")
        arguments["optimizer_arguments"] = with_parts_built(params, "optimizer")
        callbacks = built_callbacks(own.pop("callbacks", None), routed(params, "callbacks"))
        return FitParameters(
            **{**own, **arguments, **self._fixed},
            callbacks=callbacks,
            estimator_params=self.get_params(deep=False),
            at_default=frozenset(
                name
                for name in ("optimizer", "loss")
                if is_default(self, name) and not arguments[f"{name}_arguments"]
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

    def to_keras(self, *, labels: bool = True) -> keras.Model:
        """Return one Keras model from the user's features to what the estimator predicts.

        It holds all that the estimator does: missing values and categories become columns, the
        network standardises, probabilities are corrected, and the threshold or the costs decide. It
        is of layers and operations of Keras alone, so that :func:`keras.models.load_model` and
        SavedModel load it without skimb. It is a copy, which a later `fit` does not change.

        Parameters
        ----------
        labels : bool, default=True
            Whether ``"class"`` holds labels (int64, float64, bool or text, as y did), or their
            positions in ``classes_`` (int64).

        Returns
        -------
        keras.Model
            Uncompiled. Its input has the shape and the dtype of the input of ``model_``. Of a table
            with text or declared categories it is a dict of inputs of shape (n, 1), one for each
            column by its name: text for categories, where the empty text is a missing value, and
            numbers, where NaN is one. In a name, characters that TensorFlow does not take become
            underscores (``list(model.input)`` shows the names, in the order of the columns). Of
            several inputs it is a dict of them, in which such a table has an input for each column,
            named by both, as in ``table_city``.
            Its output is a dict:

            - ``"probabilities"``: as `predict_proba`, float64; or ``"error"``: the reconstruction
              error of an autoencoder, float64.
            - ``"class"``: as `predict`.

        Raises
        ------
        TypeError, ValueError
            If a column, a label or the network has no counterpart in Keras.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import make_classification
        >>> from skimb import ImbalancedNNClassifier
        >>> X, y = make_classification(300, weights=[0.9], random_state=0)
        >>> clf = ImbalancedNNClassifier(epochs=3, random_state=0).fit(X, y)
        >>> answers = clf.to_keras().predict(X, verbose=0)
        >>> np.allclose(answers["probabilities"], clf.predict_proba(X), atol=1e-5)
        True
        >>> np.array_equal(answers["class"], clf.predict(X))
        True
        """
        check_is_fitted(self)
        return exported(self._state, labels=labels)

    def _set_routed(self, given: dict[str, Any]) -> None:
        """Store the constructor's routed parameters, and refuse what is routed nowhere."""
        for name in given:
            # scikit-learn's checks pass the name of **routed itself; fit refuses it
            if not _is_routed(name) and name != "routed":
                prefixes = ", ".join(f"{prefix}__*" for prefix in _PREFIXES)
                of_network = ", ".join(self._network_parameters())
                accepted = ", ".join(all_parameters(type(self)))
                raise TypeError(
                    f"{type(self).__name__} got an unexpected parameter {name!r}."
                    f"{self._suggestion(name)} Accepted are {accepted}, and {prefixes}; the "
                    f"parameters of this network, for model__*, are {of_network or 'none'}."
                )
        self.__dict__.update(given)

    def _suggestion(self, name: str, *, of_constructor: bool = False) -> str:
        """Return what a parameter of this name may have meant, as a sentence."""
        found = suggestion(
            name,
            all_parameters(type(self)),
            self._network_parameters(),
            where=" of the constructor" if of_constructor else "",
        )
        return f" {found}" if found else ""

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
        if "_of_constructor_alone" in vars(self):
            return sorted(parameters_of(type(self)))
        return sorted({*all_parameters(type(self)), *stored})

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
        before = as_constructed(self, params)
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
        if before is not None:
            # what the constructor of a subclass derives from its parameters, as a class of the
            # user's own derives model__units from width, follows them
            after = as_constructed(self, params) or before
            derived = {k: v for k, v in after.items() if not alike(before.get(k), v)}
            self.__dict__.update({k: v for k, v in derived.items() if k not in params})
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {k: v if k == "_state" else to_file(k, v) for k, v in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({k: from_file(v) for k, v in state.items()})

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted estimator of the same parameters, Keras's objects copied too."""
        # Keras copies a loss through its configuration, which a class of the user's own need not
        # have, and in which some of Keras's leave arguments out; and layers by registered names
        own = {k: v for k, v in vars(self).items() if k != "_state" and holds_keras(v)}
        plain = copy.copy(self)
        plain.__dict__.update(dict.fromkeys(own, "auto"))
        rest = {}
        if type(self) is not of_the_package(type(self)):
            # its constructor may pass some of the parameters on itself, and takes them only once
            rest = plain.get_params(deep=False)
            plain.__dict__["_of_constructor_alone"] = True
            rest = {k: v for k, v in rest.items() if k not in plain.get_params(deep=False)}
        cloned = super(NetworkEstimator, plain).__sklearn_clone__()
        cloned.__dict__.update({name: clone(value, safe=False) for name, value in rest.items()})
        cloned.__dict__.update({name: copied(name, value) for name, value in own.items()})
        return cloned


def _is_routed(name: str) -> bool:
    prefix, separator, rest = name.partition("__")
    return bool(separator and rest) and prefix in _PREFIXES
