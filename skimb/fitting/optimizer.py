"""The optimizer of a fit, and the learning rate of each epoch."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from numbers import Real
from typing import Any

import keras
import numpy as np

from skimb._backend.keras_internals import config_of
from skimb._backend.randomness import process_state
from skimb._backend.routing import accepts_kwargs
from skimb.fitting import defaults
from skimb.fitting.parameters import FitParameters, OptimizerLike
from skimb.training.optimizers import MemberDecay

_NAMES = {
    name.lower(): value
    for name, value in vars(keras.optimizers).items()
    if inspect.isclass(value)
    and issubclass(value, keras.optimizers.Optimizer)
    and value not in (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)
} | {"auto": keras.optimizers.Adam}

# of an autoencoder, the last twentieth of the steps is averaged, as the weights oscillate
_AVERAGED_SHARE = 20


def optimizer_of(
    params: FitParameters,
    *,
    scheduled: bool,
    epochs: int,
    n_steps: int,
    peak: float,
    weight_decay: float,
    member_decay: list[float] | None = None,
) -> tuple[keras.optimizers.Optimizer, list[float] | None]:
    """Return the optimizer of a fit, and its learning rate in each epoch if that changes.

    Parameters
    ----------
    params : FitParameters
    scheduled : bool
        Whether the defaults decide: weight decay, a falling learning rate.
    epochs, n_steps : int
        Of the whole training.
    peak, weight_decay : float
        What the defaults decide for.
    member_decay : list of float or None, default=None
        Of the members of a cross-fitted ensemble, which compares weight decays.

    Raises
    ------
    ValueError, TypeError
        If `optimizer` is not a valid optimizer, or a parameter of it is not accepted.
    """
    arguments = params.optimizer_arguments
    if scheduled:
        decay: float | list[float] = weight_decay
        if member_decay is not None:
            decay = member_decay
        elif "weight_decay" in arguments:
            decay = own_weight_decay(arguments)
        arguments = {**arguments, "weight_decay": decay}
        optimizer = build_optimizer(MemberDecay, arguments, params.optimizer)
        peak = arguments.get("learning_rate", peak)
        if not isinstance(peak, Real):  # a schedule of the user's own
            return optimizer, None
        return optimizer, defaults.learning_rates(epochs, float(peak))
    optimizer = build_optimizer(params.optimizer, arguments, params.optimizer)
    averages = params.reconstructs and isinstance(params.optimizer, str)
    if averages and "use_ema" not in arguments:
        # a power of 2, so that folds of nearly the same size share a compiled program
        averaged = 2 ** int(np.log2(max(1, n_steps / _AVERAGED_SHARE)))
        own = {"use_ema": True, "ema_momentum": 1.0 - 1.0 / averaged}
        optimizer = type(optimizer).from_config({**config_of(optimizer), **own})
    return optimizer, None


def own_weight_decay(arguments: Mapping[str, Any]) -> Any:
    """Return the weight decay among a user's arguments: None is no decay, as in Keras's Adam."""
    return 0.0 if arguments["weight_decay"] is None else arguments["weight_decay"]


def build_optimizer(
    given: OptimizerLike, arguments: Mapping[str, Any], shown: OptimizerLike
) -> keras.optimizers.Optimizer:
    """Build an optimizer from its name, class or instance.

    Parameters
    ----------
    given : str, optimizer class or optimizer
    arguments : mapping
        Of the constructor.
    shown : str, optimizer class or optimizer
        What the messages of errors show.
    """
    if isinstance(given, str):
        if given.lower() not in _NAMES:
            close = difflib.get_close_matches(given.lower(), _NAMES, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"optimizer={shown!r} is unknown.{hint} Accepted are the names "
                f"{', '.join(map(repr, sorted(_NAMES)))}, a class and an instance."
            )
        given = _NAMES[given.lower()]
    if inspect.isclass(given) and issubclass(given, keras.optimizers.Optimizer):
        _check_arguments(given, arguments, shown)
        # TensorFlow keeps a kernel for every name that a variable ever had
        named = "name" in inspect.signature(given).parameters
        name = {"name": given.__name__.lower()} if named else {}
        # and it is of the default dtype, which another thread may have set to another
        with process_state(seed=0, dtype="float32"):
            return given(**(name | dict(arguments)))
    if not isinstance(given, keras.optimizers.Optimizer):
        raise TypeError(f"optimizer={given!r} is neither a name nor an optimizer of Keras.")
    if arguments:
        raise TypeError(
            "optimizer is already built, so "
            f"{', '.join(f'optimizer__{name}' for name in arguments)} cannot reach it. Give it as "
            "a name or a class."
        )
    if not type(given).__module__.startswith("keras."):
        _check_config(given)
    return given


def _check_config(given: keras.optimizers.Optimizer) -> None:
    """Raise a TypeError if an optimizer of a user's own cannot be copied, as in every fit."""
    try:
        type(given).from_config(config_of(given))
    except Exception as error:  # whatever its constructor raises
        raise TypeError(
            f"optimizer={given!r} cannot be copied, because its class cannot be rebuilt from its "
            f"get_config ({error}). Give it a get_config with all arguments of __init__, or pass "
            f"optimizer={type(given).__name__} and its arguments as optimizer__*."
        ) from error


def _check_arguments(
    given: type[keras.optimizers.Optimizer], arguments: Mapping[str, Any], shown: OptimizerLike
) -> None:
    accepted = list(inspect.signature(given).parameters)
    unknown = [name for name in arguments if name not in accepted]
    # a class of the user's own may take what Keras's base takes
    own = given.__module__.partition(".")[0] not in ("keras", "skimb")
    if unknown and not (own and accepts_kwargs(given)):
        hint = " Did you mean optimizer__learning_rate?" if "lr" in unknown else ""
        raise TypeError(
            f"optimizer={shown!r} has no parameter "
            f"{', '.join(f'optimizer__{name}' for name in unknown)}.{hint} It takes "
            f"{', '.join(f'optimizer__{name}' for name in accepted if name != 'kwargs')}."
        )
    rate = arguments.get("learning_rate", 1.0)
    if isinstance(rate, (int, float)) and not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"optimizer__learning_rate={rate!r} has to be a finite number above 0.")
