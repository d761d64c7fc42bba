"""What all losses of the library share: shapes, links, and hyperparameters as values."""

from __future__ import annotations

import copyreg
import inspect
import re
from collections.abc import Mapping
from typing import Any, Self, TypedDict

import keras
import numpy as np
from keras import ops

from skimb._types import DType, Tensor
from skimb.losses.shapes import one_shape
from skimb.losses.traits import LossTraits, traits_of


class CommonArguments(TypedDict, total=False):
    """The arguments that all losses take."""

    target: str
    from_logits: bool
    name: str | None
    reduction: str
    dtype: DType


def reduce_by_state(loss: keras.losses.Loss) -> tuple[Any, ...]:
    """Return how a loss is copied and pickled: by its attributes.

    Keras's own way, through the configuration, refuses classes that are not registered.
    """
    return copyreg.__newobj__, (type(loss),), vars(loss)  # type: ignore[attr-defined]


class _Signature:
    """The parameters of a loss class, the common ones that it passes on included."""

    def __get__(self, instance: Any, owner: type[ImbalancedLoss]) -> inspect.Signature:
        if instance is not None:  # which is called with targets and outputs
            raise AttributeError("__signature__")
        return _signature(owner)


class ImbalancedLoss(keras.losses.Loss):
    """Base class of the losses: logits first, one value per sample.

    Parameters
    ----------
    target : {"auto", "binary", "multiclass", "multilabel", "pixels", "candidates"}, default="auto"
        What the columns of the network's output mean; a loss accepts those it is made for.
        ``"auto"`` reads it from the shapes: one column is a binary problem, more columns are
        classes that exclude each other. Independent labels look the same as one-hot classes, so
        they have to be named: ``"multilabel"``.
    from_logits : bool, default=True
        Whether the network ends in logits. If not, its probabilities are taken back to logits
        after a clip to ``[epsilon, 1 - epsilon]``.
    name, reduction, dtype
        As in :class:`keras.losses.Loss`.

    Notes
    -----
    ``y_true`` may be of shape (n,), (n, 1), one-hot (n, K) or an indicator matrix (n, L), and
    ``y_pred`` of shape (n, 1), (n, K) or (n, L); for ``target="pixels"`` the same with the axes of
    the image between the first and the last. Subclasses define `sigmoid_terms` and `softmax_terms`,
    or derive from :class:`~skimb.losses.batch.BatchLoss`.
    """

    traits: LossTraits

    __reduce__ = reduce_by_state
    __signature__ = _Signature()

    def __init__(
        self,
        *,
        target: str = "auto",
        from_logits: bool = True,
        name: str | None = None,
        reduction: str = "sum_over_batch_size",
        dtype: DType = None,
    ) -> None:
        super().__init__(
            name=name or _snake_case(type(self).__name__), reduction=reduction, dtype=dtype
        )
        if target not in ("auto", *self.traits.targets):
            raise ValueError(
                f"target={target!r} is not a kind of target that {type(self).__name__} takes. "
                f"Accepted are 'auto', {', '.join(map(repr, self.traits.targets))}."
            )
        self.target = target
        self.from_logits = from_logits

    def sigmoid_terms(self, y: Tensor, z: Tensor) -> Any:
        """Loss of every label: targets and logits of shape (..., L), result (..., L)."""
        raise NotImplementedError

    def softmax_terms(self, y: Tensor, z: Tensor) -> Any:
        """Loss of every sample: one-hot targets and logits of shape (..., K), result (...)."""
        raise NotImplementedError

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Any:
        """Return the loss of a batch.

        `sample_weight` has a weight per sample, or one for each label or pixel.
        """
        if sample_weight is None:
            return super().__call__(y_true, y_pred)
        weight = ops.convert_to_tensor(sample_weight, self.dtype)
        if weight.ndim == 2 and weight.shape[1] == 1:  # Keras would broadcast it to (n, n)
            weight = ops.squeeze(weight, axis=1)
        if weight.ndim < 2:
            return super().__call__(y_true, y_pred, weight)
        terms = self._terms(*(ops.convert_to_tensor(t, self.dtype) for t in (y_true, y_pred)))
        if weight.ndim == terms.ndim + 1 and weight.shape[-1] == 1:
            weight = ops.squeeze(weight, axis=-1)  # classes of a pixel share its weight
        if weight.ndim == terms.ndim - 1:
            weight = ops.expand_dims(weight, -1)  # a weight a pixel, for all of its labels
        if weight.ndim != terms.ndim or any(
            given not in (None, 1, wanted) and wanted is not None
            for given, wanted in zip(weight.shape, terms.shape, strict=True)
        ):
            raise ValueError(
                f"sample_weight has the shape {tuple(weight.shape)}. Accepted are a weight a row, "
                f"(n,), or weights of the shape {tuple(terms.shape)}."
            )
        losses = _mean_per_sample(terms * weight)
        if self.reduction in (None, "none"):
            return losses
        if self.reduction == "mean_with_sample_weight":
            weight = ops.broadcast_to(weight, ops.shape(terms))
            return ops.sum(losses) / ops.sum(_mean_per_sample(weight))
        return ops.sum(losses) if self.reduction == "sum" else ops.mean(losses)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        return _mean_per_sample(self._terms(y_true, y_pred))

    def _terms(self, y_true: Tensor, y_pred: Tensor) -> Any:
        y, z, softmax = self.canonical(y_true, y_pred)
        return self.softmax_terms(y, z) if softmax else self.sigmoid_terms(y, z)

    def canonical(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any, bool]:
        """Bring targets and outputs to one shape, and the outputs to logits.

        Returns
        -------
        y, z : tensors of the same shape (..., L) or (..., K)
            Targets between 0 and 1, and logits.
        softmax : bool
            Whether the columns are classes that exclude each other.
        """
        y, z, softmax = self._shaped(y_true, y_pred)
        return y, z if self.from_logits else self._logits(z, softmax), softmax

    def _shaped(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any, bool]:
        """Do what `canonical` does, but leave the outputs what they are."""
        return one_shape(y_true, y_pred, self._kind, type(self).__name__)

    def _kind(self, z: Tensor) -> str:
        """Return the kind of target, for "auto" by what the shape says and the loss takes."""
        if self.target != "auto":
            return self.target
        several = [
            k for k in ("multiclass", "candidates", "multilabel") if k in self.traits.targets
        ]
        kind: str = "binary" if z.shape[-1] == 1 else several[0] if several else "multiclass"
        kind = "pixels" if z.ndim > 2 else kind
        if kind not in self.traits.targets:
            raise TypeError(
                f"{type(self).__name__} is for {', '.join(self.traits.targets)} targets, but "
                f"outputs of shape {tuple(z.shape)} are those of {kind} ones."
            )
        return kind

    @staticmethod
    def _logits(p: Tensor, softmax: bool) -> Any:
        # float64 could go nearer to 0 and 1; the same bound everywhere keeps results comparable
        epsilon = keras.config.epsilon()
        p = ops.clip(p, epsilon, 1.0 - epsilon)
        return ops.log(p) if softmax else ops.log(p) - ops.log1p(-p)

    def __repr__(self) -> str:
        """Return the call that makes such a loss, without what was left at its default."""
        parameters = inspect.signature(type(self)).parameters
        shown = ", ".join(
            f"{name}={value!r}"
            for name, value in self.get_config().items()
            if name in parameters
            and name not in ("name", "dtype")
            and value != parameters[name].default
        )
        return f"{type(self).__name__}({shown})"

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        arguments: dict[str, Any] = {}
        for kind in type(self).__mro__:  # a subclass may take the rest as **params
            if issubclass(kind, ImbalancedLoss) and "__init__" in vars(kind):
                arguments |= inspect.signature(vars(kind)["__init__"]).parameters
        kept = [name for name in arguments if name in vars(self)]
        return {**super().get_config(), **{name: getattr(self, name) for name in kept}}

    def numeric_values(self) -> dict[str, np.ndarray]:
        """Return the numeric hyperparameters that are set, as arrays."""
        given = {name: getattr(self, name) for name in self.traits.numeric}
        return {name: np.asarray(v, "float64") for name, v in given.items() if v is not None}

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the same loss with tensors in the place of its numbers."""
        changed = shallow_copy(self)
        vars(changed).update(values)
        return changed

    def fixed_config(self) -> dict[str, Any]:
        """Return the configuration without what enters the formula as numbers."""
        values = (*self.numeric_values(), "class_counts", "minority_class")
        return {name: value for name, value in self.get_config().items() if name not in values}


def shallow_copy(loss: Any) -> Any:
    """Return a loss of the same class with the same attributes."""
    # not copy.copy: Keras copies through the configuration
    duplicate = object.__new__(type(loss))
    vars(duplicate).update(vars(loss))
    return duplicate


def is_one_sided(loss: Any) -> bool:
    """Whether targets and outputs are to be flipped if the first of two classes is the positive.

    So for a loss that has a positive class, unless it has weights for both, which are in the order
    of the classes.
    """
    values = loss.numeric_values() if isinstance(loss, ImbalancedLoss) else {}
    return traits_of(loss).has_positive and np.ndim(values.get("alpha", np.array(0.0))) == 0


def _signature(loss: type[ImbalancedLoss]) -> inspect.Signature:
    """Return the parameters of a loss, the common ones that it passes on included."""
    parameters: dict[str, inspect.Parameter] = {}
    for kind in loss.__mro__:
        own = inspect.signature(vars(kind)["__init__"]) if "__init__" in vars(kind) else None
        if own is None:
            continue
        found = list(own.parameters.values())[1:]
        parameters |= {p.name: p for p in found if p.name not in parameters}
        passed_on = [p.name for p in found if p.kind is p.VAR_KEYWORD]
        if not passed_on or kind is ImbalancedLoss:
            break
        del parameters[passed_on[0]]
    return inspect.Signature(list(parameters.values()))


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def per_class(value: Any, name: str) -> Any:
    """Return weights or counts, a number or an array of them, as a float or as (nested) lists.

    Lists, unlike arrays, survive the JSON of a saved ``.keras`` file.
    """
    if value is None:
        return None
    try:
        array = np.asarray(value, dtype="float64")
    except (TypeError, ValueError):  # no number, or lists of different lengths
        array = np.array(np.nan)
    if not np.all(np.isfinite(array) & (array >= 0)):
        raise ValueError(
            f"{name}={value!r} has to be a finite number of at least 0, or an array of them."
        )
    return array.tolist()


def number(
    value: Any, name: str, *, above: float | None = None, least: float = 0.0, most: float = np.inf
) -> float:
    """Return a hyperparameter as a float, or raise a ValueError that says what is accepted."""
    accepted = f"above {above:g}" if above is not None else f"of at least {least:g}"
    if most < np.inf:
        accepted += f" and at most {most:g}"
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.number))
        or not np.isfinite(value)
        or not (least <= value <= most)
        or (above is not None and value <= above)
    ):
        raise ValueError(f"{name}={value!r} has to be a finite number {accepted}.")
    return float(value)


def integer(value: Any, name: str, *, least: int = 0) -> int:
    """Return a hyperparameter as an int, or raise a ValueError that says what is accepted."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}={value!r} has to be an integer of at least {least}.")
    return int(value)


def one_of(value: Any, name: str, accepted: tuple[str, ...]) -> str:
    """Return a name, or raise a ValueError with those that are accepted."""
    if value not in accepted:
        raise ValueError(
            f"{name}={value!r} is unknown. Accepted are {', '.join(map(repr, accepted))}."
        )
    return value


def known_counts(counts: Tensor, loss: keras.losses.Loss) -> np.ndarray:
    """Return class counts as an array, or raise a ValueError if there are none."""
    if counts is None:
        raise ValueError(
            f"{type(loss).__name__} needs class_counts, the number of training rows of each class. "
            "The estimators fill it in; elsewhere pass it."
        )
    array = np.asarray(counts, "float64")
    if not (array > 0).any():
        raise ValueError(f"class_counts={counts!r} has no class with rows.")
    return array


def _mean_per_sample(terms: Tensor) -> Any:
    return ops.mean(terms, axis=tuple(range(1, terms.ndim))) if terms.ndim > 1 else terms
