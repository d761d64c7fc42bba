"""Parameters of an estimator in a file.

A pickle holds them as they are. Formats without code, such as that of skops, read the state of each
object, and that of Keras's has variables, locks and references in a circle. There they are stored
as their configuration, and what has none is refused when it is saved, not when it is loaded.
"""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import io
import numbers
import sys
from typing import Any

import keras
import numpy as np

from skimb._backend.keras_internals import layers_of
from skimb.losses.binding import StoredLoss
from skimb.training.network import as_config, assign, from_config, values_of

_CONFIGURED = (
    keras.layers.Layer,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.random.SeedGenerator,
)
_PLAIN = (
    type(None), str, bytes, numbers.Number, np.generic, np.ndarray, np.ufunc,
    np.random.RandomState, np.random.Generator,
)  # fmt: skip


class SavedPart:
    """A parameter in a file: itself in a pickle, described by other means elsewhere.

    Attributes
    ----------
    name : str
        The parameter, for errors.
    value : object
    """

    def __init__(self, name: str, value: Any) -> None:
        self.name, self.value = name, value

    def __reduce__(self) -> tuple[Any, ...]:
        value = self.value
        if isinstance(value, keras.callbacks.Callback):
            return _itself, (_before_a_fit(value),)
        if isinstance(value, _CONFIGURED):
            state = _configured(self.name, value, safe_mode=False)
            # Keras pickles all that is its own, but does not find the classes of a user again
            if state["own_types"]:
                return _rebuilt, (state,)
        return _itself, (value,)

    def __getstate__(self) -> dict[str, Any]:
        """Return the parameter without code.

        Raises
        ------
        TypeError
            If it cannot be loaded again.
        """
        return _described(self.name, self.value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.name, self.value = "", _restored(state)


def to_file(name: str, value: Any) -> Any:
    """Return a parameter as files hold it; :func:`from_file` returns the parameter again.

    Parameters
    ----------
    name : str
        For errors.
    value : object
    """
    if type(value) in (list, tuple):
        return type(value)(to_file(f"{name}[{i}]", item) for i, item in enumerate(value))
    if type(value) is dict:
        return {key: to_file(f"{name}[{key!r}]", item) for key, item in value.items()}
    if isinstance(value, keras.losses.Loss):
        stored = StoredLoss.of(value)
        attributes = {k: to_file(f"{name}.{k}", v) for k, v in stored.attributes.items()}
        return StoredLoss(to_file(name, stored.kind), attributes)
    if isinstance(value, _PLAIN) or _is_importable(value):
        return value
    return SavedPart(name, value)


def from_file(value: Any) -> Any:
    """Return the parameter of what :func:`to_file` returned."""
    if type(value) in (list, tuple):
        return type(value)(map(from_file, value))
    if type(value) is dict:
        return {key: from_file(item) for key, item in value.items()}
    if isinstance(value, StoredLoss):
        return StoredLoss(from_file(value.kind), from_file(value.attributes)).restored()
    return value.value if isinstance(value, SavedPart) else value


def holds_keras(value: Any) -> bool:
    """Whether a parameter is or has an object of Keras, which `copy.deepcopy` may not copy."""
    if type(value) in (list, tuple):
        return any(map(holds_keras, value))
    if type(value) is dict:
        return any(map(holds_keras, value.values()))
    if isinstance(value, functools.partial):
        return holds_keras(value.args) or holds_keras(value.keywords)
    return isinstance(value, (*_CONFIGURED, keras.callbacks.Callback, keras.losses.Loss))


def copied(name: str, value: Any) -> Any:
    """Return a copy of a parameter that has objects of Keras."""
    return from_file(copy.deepcopy(to_file(name, value)))


def _itself(value: Any) -> Any:
    return value


def _rebuilt(state: dict[str, Any]) -> Any:
    return _restored(state, safe_mode=False)


def _before_a_fit(callback: keras.callbacks.Callback) -> keras.callbacks.Callback:
    """Return a callback without the network and the files of a fit, which begins with its own."""
    ended = {k for k, v in vars(callback).items() if isinstance(v, io.IOBase) and v.closed}
    same = copy.copy(callback)
    vars(same).update(dict.fromkeys(ended | vars(callback).keys() & {"_model"}))
    return same


def _is_importable(value: Any) -> bool:
    """Whether it is a function or a class that its module has under its name."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return False
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    return getattr(module, getattr(value, "__name__", ""), None) is value


def _described(name: str, value: Any) -> dict[str, Any]:
    if inspect.isclass(value) or inspect.isroutine(value):
        raise TypeError(
            f"{name}={value!r} cannot be saved in a format without code, because no module has it "
            "under its name. Define it at the top level of a module, or save the estimator with "
            "cloudpickle."
        )
    if isinstance(value, functools.partial):
        parts = {"function": value.func, "arguments": value.args, "keywords": value.keywords}
        return {part: to_file(f"{name}.{part}", item) for part, item in parts.items()}
    if isinstance(value, keras.callbacks.Callback):
        attributes = vars(_before_a_fit(value)).items()
        return {
            "callback": to_file(name, type(value)),
            "attributes": {k: to_file(f"{name}.{k}", v) for k, v in attributes},
        }
    if isinstance(value, _CONFIGURED):
        return _configured(name, value, safe_mode=True)
    _check_survives(name, value)
    return {"itself": value}


def _restored(state: dict[str, Any], *, safe_mode: bool = True) -> Any:
    if "function" in state:
        parts = (from_file(state[part]) for part in ("function", "arguments", "keywords"))
        function, arguments, keywords = parts
        return functools.partial(function, *arguments, **keywords)
    if "callback" in state:
        callback = object.__new__(from_file(state["callback"]))
        vars(callback).update(from_file(state["attributes"]))
        return callback
    if "config" in state:
        item = from_config(state, safe_mode=safe_mode)
        if state["values"]:
            assign(item.variables, state["values"])
            for layer in layers_of(item):
                if hasattr(layer, "finalize_state"):  # of what is computed from the variables
                    layer.finalize_state()
        return item
    return state["itself"]


def _configured(name: str, item: Any, *, safe_mode: bool) -> dict[str, Any]:
    """Return an object of Keras as its configuration and the values of a layer's variables."""
    variables = item.variables if isinstance(item, keras.layers.Layer) else []
    try:
        state = as_config(item) | {"values": values_of(variables)}
        _restored(state, safe_mode=safe_mode)
    except Exception as error:  # whatever a constructor of the user's own raises
        how = "saved in a format without code" if safe_mode else "copied or saved"
        raise TypeError(
            f"{name}={item!r} cannot be {how}, because it cannot be rebuilt from its "
            f"configuration ({error}). Give its class a get_config with all arguments of __init__, "
            "or pass a function or a class that builds it."
        ) from error
    return state


def _check_survives(name: str, value: Any) -> None:
    """Raise a TypeError if skops cannot save an object, or not load it again."""
    try:
        skops = importlib.import_module("skops.io")
    except ImportError:  # and so it is another format
        return
    try:
        content = skops.dumps(value)
        skops.loads(content, trusted=skops.get_untrusted_types(data=content))
    except Exception as error:  # it has errors of every kind
        raise TypeError(
            f"{name}={value!r} cannot be saved with skops ({error}). Save the estimator with "
            "joblib or cloudpickle, or without this parameter."
        ) from error
