"""Checks of what is passed to the constructor and to the methods, with what was meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import keras
import numpy as np
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import column_or_1d

from skimb._types import Classes, Features, Labels, SampleWeight
from skimb.data.label_checks import is_gap
from skimb.data.samples import Samples
from skimb.estimators.containers import check_complete
from skimb.fitting.parameters import FitParameters
from skimb.fitting.state import FittedState

Method = TypeVar("Method", bound=Callable[..., Any])

# what Keras's `fit` and other libraries call a validation set, and what is of no use here
_VALIDATION_SETS = ("validation_data", "eval_set", "X_test", "X_valid", "X_validation")
_OF_KERAS = {
    "validation_split": "The share of the samples that is held out is the parameter "
    "validation_fraction of the estimator.",
    "shuffle": "Samples are shuffled in every epoch.",
    "initial_epoch": "To go on with a fitted network, set warm_start=True, or call partial_fit.",
    "steps_per_epoch": "An epoch is all samples once.",
    "batch_size": "Predictions are made in parts that fit the memory; batch_size of the estimator "
    "is that of the training.",
    "verbose": "Predictions show nothing.",
}

# added to scikit-learn's words about a parameter whose value is not accepted
_CURES = {
    "model": "Give a function that returns a keras.Model, a keras.Model such as "
    "keras.Sequential(layers), or a name.",
    "batch_size": "For all samples in one batch, pass len(X).",
    "epochs": "Whole numbers only, as int(...).",
    "loss": "A loss that a network was compiled with goes here too.",
    "optimizer": "An optimizer that a network was compiled with goes here too.",
    "metrics": "Pass a list of names of scores, such as ['f1', 'accuracy'].",
    "callbacks": "Pass a list of keras.callbacks.Callback.",
    "validation_fraction": "To hold nothing out, set early_stopping=False.",
    "random_state": "Pass an int, for the same network in every fit.",
}


def explained(method: Method) -> Method:
    """Decorate a method with errors that explain arguments that it does not take."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    names = [parameter.name for parameter in parameters]
    required = [p.name for p in parameters if p.default is p.empty]

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in names:
                raise TypeError(_unknown_argument(self, method.__name__, names, name, kwargs[name]))
        if "y" in required and (args or "X" in kwargs):
            given = len(args) > 1 or "y" in kwargs
            check_complete(method.__name__, args[0] if args else kwargs["X"], given)
        return method(self, *args, **kwargs)

    return call  # type: ignore[return-value]


def _unknown_argument(estimator: Any, method: str, names: list[str], name: str, value: Any) -> str:
    """Return a message about a keyword that a method does not take."""
    kind = type(estimator).__name__
    begins = f"{kind}.{method}() got an unexpected keyword argument {name!r}."
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if name in _VALIDATION_SETS and "X_val" in names:
        return f"{begins} Pass a validation set as X_val=..., y_val=...."
    if close:
        return f"{begins} Did you mean {close[0]!r}?"
    if name in _OF_KERAS and (method != "fit" or name not in estimator.get_params(deep=False)):
        return f"{begins} {_OF_KERAS[name]} It takes {', '.join(names)}."
    if name in estimator.get_params(deep=False):
        shown = repr(value) if len(repr(value)) < 40 else "..."
        return (
            f"{begins} It is a parameter of the estimator: {kind}({name}={shown}), or "
            f"set_params({name}={shown}) before {method}."
        )
    return (
        f"{begins}{estimator._suggestion(name, of_constructor=True)} It takes {', '.join(names)}."
    )


def with_cure(error: InvalidParameterError, estimator: Any) -> InvalidParameterError:
    """Return scikit-learn's error about a parameter, with the default and how to go on."""
    name = next((n for n in estimator.get_params(deep=False) if f"The {n!r} " in str(error)), "")
    parameter = inspect.signature(type(estimator).__init__).parameters.get(name)
    default = "" if parameter is None else f" The default is {parameter.default!r}."
    return InvalidParameterError(f"{error}{default} {_CURES.get(name, '')}".rstrip())


def check_model(model: Any) -> None:
    """Raise an error if `model` is missing, or a layer, which is called as a function is."""
    if model is None:
        raise ValueError(
            "model=None is no network. Leave model out for a network of the library, or give a "
            "function or a class that builds one. There is no _keras_build_fn to fall back on, as "
            "in scikeras: pass that function as model."
        )
    if isinstance(model, keras.layers.Layer) and not isinstance(model, keras.Model):
        raise TypeError(
            f"model={model!r} is a layer. Pass a network, such as keras.Sequential([layer, "
            "keras.layers.Dense(1)]), or a function that returns one."
        )


def check_validation_arguments(
    X_val: Features, y_val: Labels, sample_weight_val: SampleWeight
) -> None:
    """Raise a ValueError if a validation set is passed in part."""
    if (X_val is None) != (y_val is None) or (X_val is None and sample_weight_val is not None):
        raise ValueError(
            "X_val and y_val belong together, and sample_weight_val to them. Pass both, or "
            "neither to have validation_fraction of the samples held out."
        )


def with_groups(samples: Samples, groups: Any) -> Samples:
    """Return the samples with what a splitter keeps together.

    Raises
    ------
    ValueError
        If there is not a group for every row of X.
    """
    if groups is None:
        return samples
    if isinstance(groups, str):
        raise ValueError(
            f"groups={groups!r} is a text, but there has to be a group for every row of X. Pass "
            f"the values: groups=frame[{groups!r}]."
        )
    shape = np.shape(groups)
    if len(shape) != 1 and shape[1:] != (1,):
        raise ValueError(
            f"groups has the shape {shape}, but there has to be one group for every row of X, "
            f"{(samples.n_rows,)}. Of several columns make one: frame.groupby(columns).ngroup()."
        )
    groups = column_or_1d(groups)
    if len(groups) != samples.n_rows:
        raise ValueError(
            f"groups has {len(groups)} values, but X has {samples.n_rows} rows. There has to be a "
            "group for every row."
        )
    n_gaps = sum(map(is_gap, groups.tolist()))
    if n_gaps:
        raise ValueError(
            f"Input groups contains NaN, or None, {n_gaps} times. Leave these samples out, or give "
            "each a group of its own."
        )
    return replace(samples, groups=groups[samples.positions])


def check_without_fit(params: FitParameters, method: str) -> None:
    """Raise a ValueError for parameters that have a meaning in `fit` alone."""
    refused = {
        "class_weight_start": (bool(params.class_weight_start), "there is no last epoch"),
        "threshold": (params.names_threshold, "no samples are held out"),
        "sampler": (params.sampler is not None, "not all samples are there to sample from"),
        "early_stopping": (params.early_stopping is True, "no samples are held out"),
    }
    for name, (given, reason) in refused.items():
        if given:
            raise ValueError(
                f"{name}={getattr(params, name)!r} cannot be used in {method}, because {reason}. "
                "Leave it at its default, or use fit."
            )


def check_classes(classes: Classes, samples: Samples, previous: FittedState | None) -> None:
    """Raise a ValueError if a chunk of a stream does not know its classes, or knows others."""
    if previous is None:
        if samples.y.ndim != 2 and classes is None:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: a later chunk may "
                "show a class that this one does not. Pass classes=np.unique(y_of_all_samples)."
            )
        return
    known = previous.target.classes_
    if classes is not None and not np.array_equal(np.unique(classes), known):
        raise ValueError(
            f"classes={classes!r} differs from the classes of the first call to "
            f"partial_fit, {known.tolist()}."
        )
