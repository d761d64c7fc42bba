"""What the estimators share, and the one room that touches scikeras: parameters with routing, input
checks, building a network, and what a fitted estimator keeps.
"""

from __future__ import annotations

import copyreg
import difflib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scikeras._utils import accepts_kwargs, has_param, route_params, unflatten_params
from scikeras.wrappers import BaseWrapper
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, gen_batches
from sklearn.utils.validation import validate_data

from skimb import losses, networks
from skimb._backend.tensorflow import check_usable
from skimb.fitting.decision import Decision
from skimb.fitting.defaults import TABLE_NETWORK
from skimb.networks.interface import NetworkEnds
from skimb.losses.base import TARGETS
from skimb._backend.randomness import draw_seed, process_state
from skimb.data.targets import Target
from skimb.training import Blueprint, Network, OptimizerState
from skimb.training.dataset import BLOCK_BYTES, dense

_BUILT_IN: dict[str, Callable[..., keras.Model]] = {
    "mlp": networks.mlp,
    "mlp_ensemble": networks.mlp_ensemble,
    "cnn": networks.cnn,
    "unet": networks.unet,
    "autoencoder": networks.autoencoder,
}

_OPTIMIZERS = {
    name.lower(): value
    for name, value in vars(keras.optimizers).items()
    if inspect.isclass(value)
    and issubclass(value, keras.optimizers.Optimizer)
    and value not in (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)
} | {"auto": keras.optimizers.Adam}

_FILLED_IN = ("meta", "compile_kwargs", "params", "dtype", "input_dtype")


if "__sklearn_tags__" not in vars(BaseWrapper):
    # scikeras 0.13 has the `_more_tags` of an older scikit-learn, and the newer one refuses every
    # class that inherits from one with these alone. This is what a wrapper inherits anyhow.
    def _inherited_tags(self: BaseWrapper) -> Any:
        return super(BaseWrapper, self).__sklearn_tags__()

    BaseWrapper.__sklearn_tags__ = _inherited_tags


def _reduce_by_state(loss: keras.losses.Loss) -> tuple[Any, ...]:
    return copyreg.__newobj__, (type(loss),), vars(loss)  # type: ignore[attr-defined]


# Copying and pickling a loss happens in every search over losses. The way that scikeras gives all
# losses goes through get_config: it refuses classes that are not registered, and forgets what the
# configuration leaves out, such as the delta of Keras's Huber.
keras.losses.Loss.__reduce__ = _reduce_by_state


@dataclass(frozen=True)
class Fitted:
    """What a fitted estimator keeps beside its public attributes.

    Attributes
    ----------
    network : Network
    ends : NetworkEnds
    target : Target
    row_shape : tuple of int
    described : dict
        The parameters that the network was built from.
    decision : Decision
        What makes probabilities and labels of logits.
    rng : RandomState
        Where the randomness of a training that goes on goes on.
    n_rows : int
        Rows that were counted.
    seen : ndarray or None
        Counts of the classes as the batches show them.
    split_seed : int
        Of the rows held out.
    scaler : StandardScaler or None
        The statistics that the network standardises with, if it does.
    optimizer_state : OptimizerState or None
    """

    network: Network
    ends: NetworkEnds
    target: Target
    row_shape: tuple[int, ...]
    rng: np.random.RandomState
    described: dict[str, Any]
    decision: Decision
    n_rows: int = 0
    seen: Any = None
    split_seed: int = 0
    scaler: StandardScaler | None = None
    optimizer_state: OptimizerState | None = None


class BaseNetworkEstimator(BaseWrapper):
    """Base class of the estimators."""

    _routing_prefixes = {"model", "optimizer", "loss", "callbacks"}  # noqa: RUF012  (scikeras's)

    # Values of X up to which the arithmetic takes so little of a step that doubling it is not
    # measurable on a CPU.
    _float64_values = 2**17

    # whose parameters are suggested for a name that is no parameter
    _usual_network = "mlp"

    __repr__ = BaseEstimator.__repr__

    _fitted: Any

    def _set_routed(self, routed: dict[str, Any]) -> None:
        """Store the constructor's routed parameters, and refuse what is routed nowhere."""
        for name in routed:
            # scikit-learn's checks pass the name of **routed itself; fit refuses it
            if not self._is_routed(name) and name != "routed":
                prefixes = ", ".join(f"{prefix}__*" for prefix in sorted(self._routing_prefixes))
                raise TypeError(
                    f"{type(self).__name__} got an unexpected parameter {name!r}."
                    f"{self._suggestion(name)} Accepted are {', '.join(self._signature())}, and "
                    f"{prefixes}."
                )
        self.__dict__.update(routed)

    def _suggestion(self, name: str) -> str:
        """Return what a parameter of this name may have meant, as a sentence."""
        routed = ["optimizer__learning_rate", "loss__gamma"]
        network = _BUILT_IN.get(
            self.model if isinstance(self.model, str) else "", _BUILT_IN[self._usual_network]
        )
        routed += [f"model__{p}" for p in inspect.signature(network).parameters]
        meant = [candidate for candidate in routed if candidate.endswith(f"__{name}")]
        meant = meant or difflib.get_close_matches(name, [*self._signature(), *routed], n=1)
        return f" Did you mean {meant[0]!r}?" if meant else ""

    def _is_routed(self, name: str) -> bool:
        prefix, separator, rest = name.partition("__")
        return bool(separator and rest) and prefix in self._routing_prefixes

    @classmethod
    @lru_cache(maxsize=8)  # asked for dozens of times in a fit
    def _signature(cls) -> list[str]:
        parameters = inspect.signature(cls.__init__).parameters.values()
        return [p.name for p in parameters if p.kind == p.KEYWORD_ONLY or p.name == "model"]

    def _get_param_names(self) -> list[str]:
        routed = [name for name in vars(self) if self._is_routed(name) or name == "routed"]
        return sorted([*self._signature(), *routed])

    def set_params(self, **params: Any) -> BaseNetworkEstimator:
        """Set parameters, routed ones such as ``model__dropout`` included.

        Parameters
        ----------
        **params
            Parameters of the constructor.

        Returns
        -------
        self
        """
        routed = {name: value for name, value in params.items() if self._is_routed(name)}
        BaseEstimator.set_params(self, **{k: v for k, v in params.items() if k not in routed})
        self.__dict__.update(routed)
        return self

    def _validate_params(self) -> None:
        if hasattr(self, "routed"):
            raise TypeError(
                "routed is the place of parameters such as model__dropout and optimizer__momentum, "
                "not a parameter. Pass them by their own names."
            )
        super()._validate_params()

    def _routed(self, prefix: str) -> dict[str, Any]:
        return route_params(self.get_params(deep=False), prefix, pass_filter=set())

    def _optimizer(self) -> keras.optimizers.Optimizer:
        return self._optimizer_of(self.optimizer)

    def _optimizer_of(self, given: Any, **by_default: Any) -> keras.optimizers.Optimizer:
        params = by_default | self._routed("optimizer")
        if isinstance(given, str):
            if given.lower() not in _OPTIMIZERS:
                close = difflib.get_close_matches(given.lower(), _OPTIMIZERS, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise ValueError(
                    f"optimizer={self.optimizer!r} is unknown.{hint} Accepted are the names "
                    f"{', '.join(map(repr, sorted(_OPTIMIZERS)))}, a class and an instance."
                )
            given = _OPTIMIZERS[given.lower()]
        if inspect.isclass(given) and issubclass(given, keras.optimizers.Optimizer):
            accepted = list(inspect.signature(given).parameters)
            unknown = [name for name in params if name not in accepted]
            # a class of the user's own may take what Keras's base takes
            own = given.__module__.partition(".")[0] not in ("keras", "skimb")
            if unknown and not (own and accepts_kwargs(given)):
                hint = " Did you mean optimizer__learning_rate?" if "lr" in unknown else ""
                raise TypeError(
                    f"optimizer={self.optimizer!r} has no parameter "
                    f"{', '.join(f'optimizer__{name}' for name in unknown)}.{hint} It takes "
                    f"{', '.join(f'optimizer__{name}' for name in accepted if name != 'kwargs')}."
                )
            rate = params.get("learning_rate", 1.0)
            if isinstance(rate, (int, float)) and not (np.isfinite(rate) and rate > 0):
                raise ValueError(
                    f"optimizer__learning_rate={rate!r} has to be a finite number above 0."
                )
            # TensorFlow keeps a kernel for every name that a variable ever had
            name = {"name": given.__name__.lower()} if "name" in accepted else {}
            # and it is of the default dtype, which another thread may have set to another
            with process_state(seed=0, dtype="float32"):
                return given(**(name | params))
        if not isinstance(given, keras.optimizers.Optimizer):
            raise TypeError(f"optimizer={given!r} is neither a name nor an optimizer of Keras.")
        if params:
            raise TypeError(
                "optimizer is already built, so "
                f"{', '.join(f'optimizer__{name}' for name in params)} cannot reach it. Give it as "
                "a name or a class."
            )
        return given

    def _loss_targets(self) -> tuple[str, ...]:
        """Return the kinds of target that the loss takes; all of them while it is not known."""
        try:
            return tuple(getattr(self._loss(), "targets", TARGETS))
        except (TypeError, ValueError):  # fit says what is wrong with it
            return TARGETS

    def _loss(self) -> Any:
        for name in ("target", "from_logits"):
            if name in self._routed("loss"):
                raise TypeError(
                    f"loss__{name} is filled in by the estimator, from y and from what the network "
                    "ends in. Leave it out."
                )
        return losses.get(self.loss, **self._routed("loss"))

    def _callbacks(self) -> list[keras.callbacks.Callback]:
        given = () if self.callbacks is None else self.callbacks
        items = list(given) if isinstance(given, (list, tuple)) else [given]
        routed = self._routed("callbacks")
        for name in routed:
            position = name.partition("__")[0]
            if position.isdigit() and int(position) >= len(items):
                raise ValueError(
                    f"callbacks__{name} is for callback number {position}, but callbacks holds "
                    f"{len(items)}, counted from 0."
                )
        built = unflatten_params(items, routed)
        for callback in built:
            if not isinstance(callback, keras.callbacks.Callback):
                raise TypeError(
                    f"callbacks holds {callback!r}. Accepted are instances and classes of "
                    "keras.callbacks.Callback."
                )
        return built

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _checked_X(self, X: Any, y: Any = "no_validation", *, reset: bool, **checks: Any) -> Any:
        """Return X, or X and y, as arrays; X float32, float64 or sparse CSR.

        `checks` go to scikit-learn's ``validate_data``.
        """
        check_usable()
        if keras.ops.is_tensor(X):
            X = keras.ops.convert_to_numpy(X)
        elif isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) > 1:
            try:
                X = np.asarray(X)
            except ValueError as error:
                raise ValueError(
                    "X is a list of images of different shapes. All images of a call need one "
                    "shape: cut or pad them, or go through them one by one."
                ) from error
        shape = getattr(X, "shape", ())
        image = len(shape) > 2
        dtype = np.float32 if image and X.dtype != np.float64 else (np.float64, np.float32)
        if image and not reset and shape[1:] != self._fitted.row_shape:
            # scikit-learn would take the height for the number of features
            if not self._takes_rows_of(shape[1:]):
                raise ValueError(
                    f"X has rows of shape {shape[1:]}, but {type(self).__name__} was fitted on "
                    f"rows of shape {self._fitted.row_shape}."
                )
            return check_array(X, allow_nd=True, dtype=dtype)
        checked = validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            allow_nd=True,
            dtype=dtype,
            **checks,
            **({} if isinstance(y, str) else {"multi_output": True}),
        )
        return checked

    def _takes_rows_of(self, shape: tuple[int, ...]) -> bool:
        """Whether the fitted network takes rows of another shape than those of the fit."""
        return False

    def _network_dtype(self, X: Any) -> str:
        if self.dtype != "auto":
            try:
                return keras.dtype_policies.get(self.dtype).name
            except ValueError as error:
                raise ValueError(
                    f"dtype={self.dtype!r} is unknown. Accepted are 'auto', 'float32', 'float64', "
                    "and Keras's dtype policies such as 'mixed_bfloat16'."
                ) from error
        several = isinstance(self.model, str) and self._built_in_name(X.ndim) == TABLE_NETWORK
        work = int(np.prod(X.shape)) * (16 if several else 1)  # nearly all of it is arithmetic
        small = work <= self._float64_values
        return "float64" if small and X.dtype == np.float64 else "float32"

    def _new_network(
        self, X: Any, n_outputs: int, meta: dict[str, Any], rng: np.random.RandomState
    ) -> Network:
        """Build the network that `model` and the routed parameters describe, with start values."""
        arguments = self._routed("model")
        dtype = self._network_dtype(X)
        if isinstance(self.model, str):
            function = _BUILT_IN[self._built_in_name(X.ndim)]
            _check_arguments(function, arguments)
            arguments |= {"input_shape": X.shape[1:], "dtype": dtype}
            if has_param(function, "n_outputs"):
                arguments["n_outputs"] = n_outputs
            if getattr(self._loss(), "takes_cosines", False) and function is not networks.unet:
                arguments.setdefault("normalized_output", True)
            if function is networks.mlp_ensemble and getattr(self._loss(), "of_whole_batch", False):
                arguments.setdefault("n_members", 1)  # each would compare all rows
            if X.dtype == np.float64:
                arguments["input_dtype"] = "float64"
            blueprint = Blueprint.built_in(function.__name__, arguments)
            return Network(blueprint, networks.initial_values(blueprint.example, rng))
        if isinstance(self.model, keras.Model):
            if arguments:
                raise TypeError(
                    "model is already built, so "
                    f"{', '.join(f'model__{name}' for name in arguments)} cannot reach it. Give a "
                    "function that builds it."
                )
            if self.model.built:
                return Network.copy_of(self.model)
        seed, rows = draw_seed(rng), np.zeros((1, *X.shape[1:]), dtype="float32")

        def build(dtype: str) -> keras.Model:
            with process_state(seed=seed, dtype=dtype):
                if isinstance(self.model, keras.Model):  # its layers wait for the shape of the data
                    model = type(self.model).from_config(self.model.get_config())
                else:
                    model = self._call_build_function(dict(arguments), meta)
                if not model.built:
                    model(rows)
            return model

        if self.dtype == "auto" and dtype == "float64":
            try:
                model = build(dtype)
                with process_state(seed=0), keras.StatelessScope():  # which leaves no trace
                    model(rows, training=True)
                return Network.of(model)
            except (TypeError, ValueError, tf.errors.InvalidArgumentError):
                # a network written for float32; an error of another kind shows itself again
                dtype = "float32"
        return Network.of(build(dtype))

    def _built_in_name(self, n_axes: int) -> str:
        if self.model == "auto":
            return TABLE_NETWORK if n_axes == 2 else "cnn"
        return self.model

    def _call_build_function(self, arguments: dict[str, Any], meta: dict[str, Any]) -> keras.Model:
        build = self.model
        _check_arguments(build, arguments)
        takes_all = accepts_kwargs(build) and not inspect.isclass(build)
        if takes_all or has_param(build, "meta"):
            arguments["meta"] = meta
        if has_param(build, "compile_kwargs"):
            arguments["compile_kwargs"] = {"optimizer": self._optimizer(), "loss": self._loss()}
        if has_param(build, "params"):
            arguments["params"] = self.get_params(deep=False)
        model = build(**arguments)
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"model={build!r} returned {model!r}. A build function has to return a keras.Model."
            )
        return model

    def _with_statistics(
        self, network: Network, X: Any, weight: np.ndarray, scaler: StandardScaler | None
    ) -> tuple[Network, StandardScaler | None]:
        """Set the mean and variance that the network standardises with, if it does."""
        if not isinstance(self.model, str):
            return network, None
        network = network.current()
        template = network.blueprint.example
        if not networks.standardizes(template):
            return network, None
        scaler = statistics(X, weight, scaler)
        variance = np.square(scaler.scale_)
        limits = np.finfo(template.inputs[0].dtype)
        lost = np.flatnonzero((variance < limits.tiny) | (variance > limits.max))
        if len(lost):
            raise ValueError(
                f"X has features of a scale that {limits.dtype} cannot hold, the columns "
                f"{lost[:10].tolist()}. Pass X as float64, or in other units."
            )
        values = networks.with_statistics(template, network.values, scaler.mean_, variance)
        return Network(network.blueprint, values), scaler

    @property
    def model_(self) -> keras.Model:
        """The fitted network, a plain :class:`keras.Model`."""
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{type(self).__name__} is not fitted, so it has no model_ yet.")
        return self._fitted.network.model

    def __sklearn_is_fitted__(self) -> bool:
        return "_fitted" in vars(self)


def statistics(X: Any, weight: np.ndarray, so_far: StandardScaler | None = None) -> StandardScaler:
    """Return mean and variance of the columns of a table, or of the channels of images.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_rows, ...)
        An image without channels has one.
    weight : ndarray of shape (n_rows,) or of the shape of X without channels
    so_far : StandardScaler or None, default=None
        Those of other rows, to go on from.
    """
    scaler = StandardScaler() if so_far is None else so_far
    channels = X.shape[-1] if X.ndim in (2, 4) else 1
    per_row = int(np.prod(X.shape[1:])) // channels
    block = max(1, BLOCK_BYTES // (per_row * channels * 8))
    for rows in gen_batches(X.shape[0], block):
        features = dense(X[rows], "float64").reshape(-1, channels)
        each = weight[rows]
        each = np.repeat(each, per_row) if each.ndim == 1 else each.ravel()
        scaler.partial_fit(features, sample_weight=each)
    return scaler


def _check_arguments(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Raise a TypeError if a routed parameter of the model is none of the function's."""
    parameters = inspect.signature(function).parameters.values()
    keyword_only = function in _BUILT_IN.values()  # the rest is filled in from the data
    accepted = [
        p.name
        for p in parameters
        if (p.name not in _FILLED_IN or (p.name == "dtype" and not keyword_only))
        and (p.kind == p.KEYWORD_ONLY or not keyword_only)
    ]
    unknown = [name for name in arguments if name not in accepted]
    if unknown and not accepts_kwargs(function):
        takes = ", ".join(f"model__{name}" for name in accepted) or "none"
        raise TypeError(
            f"{', '.join(f'model__{name}' for name in unknown)} is not a parameter of "
            f"{getattr(function, '__name__', function)}. It takes: {takes}."
        )
