"""Calls of build functions, and what they are given of the data and of the estimator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from skimb import networks
from skimb._backend.randomness import process_state
from skimb._backend.routing import accepts_kwargs, has_param
from skimb.data.inputs import Layout
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting.parameters import FitParameters, ModelLike
from skimb.fitting.plan import Plan
from skimb.losses.registry import LossSpec
from skimb.networks.inputs import on_rows
from skimb.training.saved_parts import from_file, to_file

# what build functions may take besides the parameters of the user
FILLED_IN = ("meta", "compile_kwargs", "params", "dtype", "input_dtype")

# the other arguments of Model.compile that scikeras passes on
_COMPILED = {"metrics": None, "loss_weights": None, "weighted_metrics": None, "run_eagerly": False}


@dataclass(frozen=True)
class BuildCall:
    """A call of a build function, which can be made again, in another process too.

    Attributes
    ----------
    model : callable or keras.Model
        A network that waits for the shape of the data is built from its configuration.
    arguments : dict
        The parameters of the user.
    offered : dict
        What the estimator adds: ``meta``, ``compile_kwargs`` and ``params``.
    row_shape : tuple of int
    dtype : str
    seed : int
    layout : Layout or None, default=None
        Of the rows of several inputs, which the network that is returned takes apart.
    """

    model: ModelLike
    arguments: dict[str, Any]
    offered: dict[str, Any]
    row_shape: tuple[int, ...]
    dtype: str
    seed: int
    layout: Layout | None = None

    @cached_property
    def row(self) -> np.ndarray:
        """A sample to call the network on."""
        return np.zeros((1, *self.row_shape), dtype="float32")

    def __call__(self) -> keras.Model:
        """Build the network, with its initial values.

        Raises
        ------
        TypeError
            If the function does not return a network.
        """
        with process_state(seed=self.seed, dtype=self.dtype):
            built = self._from_config() if isinstance(self.model, keras.Model) else self._called()
            if self.layout is not None:
                built = on_rows(built, self.layout)
            elif isinstance(built, keras.Sequential) and not built.built:
                built.build((None, *self.row_shape))  # for batches of any size
            elif not built.built:
                built(self.row)
        return built

    def _from_config(self) -> keras.Model:
        try:
            return type(self.model).from_config(self.model.get_config())  # type: ignore[union-attr]
        except (NotImplementedError, TypeError, ValueError) as error:
            raise TypeError(
                f"model={self.model!r} is not built yet, and cannot be, because it "
                f"cannot be rebuilt from its configuration ({error}). Give a function that "
                "builds it, or its class."
            ) from error

    def _called(self) -> keras.Model:
        function: Any = self.model
        try:
            model = function(**self.arguments, **self.offered)
        except (TypeError, ValueError) as error:
            # **kwargs that the function passes on to what takes less
            by_name = {k: v for k, v in self.offered.items() if has_param(function, k)}
            without = {k: v for k, v in self.offered.items() if k == "meta"} | by_name
            if not any(f"'{name}'" in str(error) for name in self.offered.keys() - without.keys()):
                raise
            model = function(**self.arguments, **without)
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"model={function!r} returned {model!r}. A build function has to return a "
                "keras.Model."
            )
        return model

    def __getstate__(self) -> dict[str, Any]:
        """Return what a file holds: how the network is compiled does not count in it."""
        state = {k: v for k, v in vars(self).items() if k != "row"}
        offered = dict(self.offered)
        if "compile_kwargs" in offered:
            offered["compile_kwargs"] = None
        state["offered"] = offered
        return {k: to_file(k, v) for k, v in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        restored = {k: from_file(v) for k, v in state.items()}
        if "compile_kwargs" in restored["offered"]:
            compiled = {"optimizer": "adam", "loss": None, **_COMPILED}
            restored["offered"]["compile_kwargs"] = compiled
        vars(self).update(restored)


def offered_to(
    build: Callable[..., Any], params: FitParameters, plan: Plan, meta: dict[str, Any]
) -> dict[str, Any]:
    """Return what a build function takes of what an estimator offers, by name or as ``**kwargs``.

    Parameters
    ----------
    build : callable
    params, plan
    meta : dict
    """
    compiled = {"optimizer": plan.optimizer, "loss": _unbound(plan.loss), **_COMPILED}
    offers = {
        "meta": meta, "compile_kwargs": compiled, "params": dict(params.estimator_params)
    }  # fmt: skip
    takes_all = accepts_kwargs(build) and not inspect.isclass(build)
    return {name: offer for name, offer in offers.items() if takes_all or has_param(build, name)}


def _unbound(loss: LossSpec) -> Any:
    """Return a loss, before the outputs of the network are known."""
    try:
        return loss.build()
    except TypeError:  # a class of the user's own that takes what only a fit knows
        return loss.source


def check_arguments(
    function: Callable[..., Any], arguments: Mapping[str, Any], *, takes_all: bool
) -> None:
    """Raise a TypeError if a routed parameter of the model is not one of the function's.

    Parameters
    ----------
    function : callable
    arguments : mapping
    takes_all : bool
        Whether it takes others as ``**kwargs``.
    """
    parameters = inspect.signature(function).parameters.values()
    # of the built-in networks the rest is filled in from the data
    keyword_only = getattr(function, "__module__", "").startswith(networks.__name__)
    accepted = [
        p.name
        for p in parameters
        if (p.name not in FILLED_IN or (p.name == "dtype" and not keyword_only))
        and (p.kind == p.KEYWORD_ONLY or not keyword_only)
    ]
    unknown = [name for name in arguments if name not in accepted]
    if unknown and not takes_all:
        takes = ", ".join(f"model__{name}" for name in accepted) or "none"
        raise TypeError(
            f"{', '.join(f'model__{name}' for name in unknown)} is not a parameter of "
            f"{getattr(function, '__name__', function)}. It takes: {takes}."
        )


def meta_of(train: Samples, target: Target) -> dict[str, Any]:
    """Return what build functions are told of the data, in scikeras's names.

    ``n_features_in_`` counts what the network gets, where categories and missing values are columns
    of their own; ``n_columns_`` and ``column_names_`` are those of the user, the ``n_features_in_``
    and ``feature_names_in_`` of the estimator. Of several inputs ``input_shapes_`` has the shape of
    one sample of each, as X has them, and ``X_shape_`` is that of the rows that they are joined to.
    """
    X, y, schema = train.X, train.y, train.schema
    known: dict[str, Any] = {"n_features_in_": schema.n_features, "n_columns_": schema.n_features}
    if schema.names is not None:
        known |= {"feature_names_in_": schema.names, "column_names_": schema.names}
    if X.ndim == 2 and schema.n_features != X.shape[1]:
        known["n_features_in_"] = X.shape[1]
        known.pop("feature_names_in_", None)  # there are not as many
    known |= {"X_shape_": X.shape, "X_dtype_": X.dtype}
    if train.layout is not None:
        known["input_shapes_"] = train.layout.by_name(train.layout.shapes)
    if target.kind == "reconstruction":
        return known
    kind = "multilabel-indicator" if target.kind == "multilabel" else target.kind
    return known | {
        "y_dtype_": np.dtype(schema.y_dtype),
        "y_ndim_": y.ndim,
        "target_type_": kind,
        "classes_": target.classes_,
        "n_classes_": len(target.classes_),
        "n_outputs_expected_": 1,  # output layers, as scikeras counts
    }
