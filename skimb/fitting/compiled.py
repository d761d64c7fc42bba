"""Networks that a user compiled: the optimizer and the loss that come with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras

from skimb._backend.keras_internals import config_of
from skimb._warnings import warn_user
from skimb.fitting.parameters import FitParameters
from skimb.fitting.plan import Plan
from skimb.losses.binding import StoredLoss
from skimb.losses.registry import specification
from skimb.training.saved_parts import from_file, to_file

# which losses stand for cross entropy, the usual word in a call of compile
_CROSS_ENTROPY = (
    keras.losses.BinaryCrossentropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.SparseCategoricalCrossentropy,
)
# what the estimators set themselves
_OF_NO_ACCOUNT = ("name", "reduction", "dtype", "from_logits")


@dataclass(frozen=True)
class Compiled:
    """What a network was compiled with, where an estimator has nothing of its own.

    Attributes
    ----------
    optimizer : (class, dict) or None
        The optimizer and its configuration.
    loss : StoredLoss, callable or None
    """

    optimizer: tuple[type[keras.optimizers.Optimizer], dict[str, Any]] | None = None
    loss: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"loss": to_file("loss of the compiled network", self.loss)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state | {"loss": from_file(state["loss"])})

    def adopted(self, plan: Plan) -> Plan:
        """Return the plan of a fit with this optimizer and this loss."""
        if self.optimizer is not None:
            kind, config = self.optimizer
            plan = replace(plan, optimizer=kind.from_config(config), learning_rates=None)
        if self.loss is not None:
            loss = self.loss.restored() if isinstance(self.loss, StoredLoss) else self.loss
            plan = replace(plan, loss=specification(loss))
        return plan


def compiled_with(
    params: FitParameters, model: keras.Model, offered: Mapping[str, Any] | None = None
) -> Compiled:
    """Return the optimizer and the loss to take from a network, and warn of those that are not.

    Parameters
    ----------
    params : FitParameters
    model : keras.Model
    offered : mapping or None, default=None
        The ``compile_kwargs`` that a build function was given: what it took of them is the
        estimator's own.
    """
    if not model.compiled:
        return Compiled()
    offered = {} if offered is None else offered
    optimizer, loss = _optimizer(model), _loss(model)
    if optimizer is offered.get("optimizer"):
        optimizer = None
    if loss is None or loss is offered.get("loss") or _same_loss(loss, params):
        loss = None
    if "optimizer" not in params.at_default and optimizer is not None:
        if not _is_plain(optimizer):
            _warn("optimizer", type(optimizer).__name__, params.optimizer)
        optimizer = None
    if "loss" not in params.at_default and loss is not None:
        if not _is_cross_entropy(loss):
            _warn("loss", getattr(loss, "__name__", type(loss).__name__), params.loss)
        loss = None
    return Compiled(
        None if optimizer is None else (type(optimizer), config_of(optimizer)),
        StoredLoss.of(loss) if isinstance(loss, keras.losses.Loss) else loss,
    )


def _optimizer(model: keras.Model) -> keras.optimizers.Optimizer | None:
    optimizer = getattr(model, "optimizer", None)
    # training wraps it again where the network is of half precision
    return getattr(optimizer, "inner_optimizer", optimizer)


def _loss(model: keras.Model) -> Any:
    """Return the loss of the one output, built, or a function; None if there is none."""
    loss = model.loss
    if isinstance(loss, Mapping):
        loss = list(loss.values())
    if isinstance(loss, (list, tuple)):
        loss = loss[0] if len(loss) == 1 else None
    if loss is None:
        return None
    return specification(loss).build()


def _same_loss(loss: Any, params: FitParameters) -> bool:
    """Whether a loss is what the estimator trains with anyway."""
    if params.loss == "cross_entropy" and not params.loss_arguments:
        return _is_cross_entropy(loss)
    own = specification(params.loss, **params.loss_arguments)
    if not isinstance(loss, keras.losses.Loss):
        return loss is own.source
    try:
        return type(loss) is own.loss_class and _says(loss) == _says(own.build())
    except TypeError:  # a class of the user's own that takes what only a fit knows
        return False


def _says(loss: keras.losses.Loss) -> str:
    config = {k: v for k, v in loss.get_config().items() if k not in _OF_NO_ACCOUNT}
    return repr(sorted(config.items()))


def _is_cross_entropy(loss: Any) -> bool:
    return type(loss) in _CROSS_ENTROPY and _says(loss) == _says(type(loss)())


def _is_plain(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer is as Keras makes it from its name, as in a call of compile alone."""
    if not type(optimizer).__module__.startswith("keras."):
        return False
    return _settings(optimizer) == _settings(type(optimizer)())


def _settings(optimizer: keras.optimizers.Optimizer) -> str:
    config = optimizer.get_config()
    return repr(sorted((k, v) for k, v in config.items() if k != "name"))


def _warn(name: str, compiled: str, own: Any) -> None:
    warn_user(
        f"The network of `model` was compiled with {name}={compiled}, which is not used, because "
        f"the estimator has its own: {name}={own!r} and {name}__*. Leave {name} and {name}__* at "
        "their defaults to train with that of the network, or do not compile the network."
    )
