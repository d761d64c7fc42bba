"""A loss as the trainer calls it: on the outputs of the network, with weights."""

from __future__ import annotations

import inspect
import json
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from skimb._types import Tensor
from skimb.losses.base import ImbalancedLoss, is_one_sided, reduce_by_state, shallow_copy
from skimb.losses.registry import LossLike, LossSpec, available, specification
from skimb.losses.traits import traits_of
from skimb.losses.weighted_sum import WeightedSum

# Keras's losses on probabilities say so by from_logits, except these, which take scores
_ON_SCORES = (keras.losses.Hinge, keras.losses.SquaredHinge, keras.losses.CategoricalHinge)
_LINKS = {"sigmoid": ops.sigmoid, "softmax": ops.softmax}


class BoundLoss(keras.losses.Loss):
    """A loss that knows what the network's outputs are.

    Parameters
    ----------
    loss : LossSpec, keras.losses.Loss or callable
        An instance is left as it is.
    link : {"sigmoid", "softmax"}
        What turns logits into probabilities for the target at hand.
    outputs : {"logits", "probabilities"}
        What the network ends in.
    target : str
        The kind of target, one of :data:`skimb.losses.traits.TARGETS`.
    data : dict of str to value
        What the training data say, for hyperparameters of these names that were left at None.
    dtype : str
        The dtype of the network's outputs.
    positive_first : bool, default=False
        Whether of two classes the first is the one that the loss is to take for the positive.
    reduction : str or None, default=None
        Another reduction for a loss of the library.
    """

    def __init__(
        self,
        loss: Any,
        *,
        link: str,
        outputs: str = "logits",
        target: str = "binary",
        data: dict[str, Any] | None = None,
        dtype: str = "float32",
        positive_first: bool = False,
        reduction: str | None = None,
    ) -> None:
        spec = loss if isinstance(loss, LossSpec) else LossSpec(loss)
        check_target(spec, target, exclusive=link == "softmax" if target == "pixels" else None)
        known = {"target": target, "dtype": dtype, **(data or {})}
        known |= {"from_logits": outputs == "logits"}
        known |= {"reduction": reduction} if reduction else {}
        flips = positive_first and link == "sigmoid" and target in ("binary", "pixels")
        if spec.loss_class is WeightedSum:
            known["positive_first"] = flips
        self.loss = _built(spec, known)
        super().__init__(name=getattr(self.loss, "name", None), dtype=dtype)
        self.traits = traits_of(self.loss)
        self.outputs = outputs
        self.apply_link = None
        if outputs == "logits" and _requires_probabilities(self.loss):
            self.apply_link = link
        self.one_hot = link == "softmax" and not takes_codes(self.loss)
        self.values = self.loss.numeric_values() if isinstance(self.loss, ImbalancedLoss) else {}
        # a sum flips targets and outputs for each of its terms
        of_terms = isinstance(self.loss, WeightedSum)
        self.flipped = flips and not of_terms and is_one_sided(self.loss)
        self.n_members = self.n_folds = 1

    __reduce__ = reduce_by_state

    @property
    def takes_features(self) -> bool:
        """Whether outputs have the features of the last layer beside them."""
        return self.traits.takes_features

    @property
    def batch_level(self) -> bool:
        """Whether the loss is that of a batch, and not a mean over samples."""
        return self.traits.batch_level

    @property
    def corrects_frequencies(self) -> bool:
        """Whether the formula makes up for the frequencies of the classes."""
        return self.traits.corrects_frequencies

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Any:
        if self.n_members > 1:
            loss = self._of_members(y_true, y_pred, sample_weight)
        else:
            loss = self._of_batch(y_true, y_pred, sample_weight)
        if len(loss.shape):
            raise ValueError(
                f"loss={self.loss!r} gives {tuple(loss.shape)} numbers for a batch. Training needs "
                "one: use the reduction 'sum_over_batch_size'."
            )
        return loss

    def _of_members(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Any:
        """Return the mean of the losses of several networks."""
        n = self.n_members
        if self.n_folds > 1:
            return self._of_folds(y_true, y_pred, sample_weight)
        if self.batch_level:
            losses = [self._of_batch(y_true, y_pred[:, i], sample_weight) for i in range(n)]
            return ops.mean(ops.stack(losses))
        y_true = ops.repeat(y_true, n, axis=0)
        if sample_weight is not None:
            sample_weight = ops.repeat(sample_weight, n, axis=0)
        y_pred = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        return self._of_batch(y_true, y_pred, sample_weight)

    def _of_folds(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Any:
        """Return the mean of the losses of networks of which each holds out a fold.

        Weights are of shape (n, n_folds) or (n, n_folds, n_labels), 0 in the fold held out; members
        are ordered by fold within each setting.
        """
        n = self.n_members
        of_settings = (1, n // self.n_folds, *[1] * (len(sample_weight.shape) - 2))
        weight = ops.tile(sample_weight, of_settings)
        weight = ops.reshape(weight, (-1, *weight.shape[2:]))
        y_pred = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        return self._of_batch(ops.repeat(y_true, n, axis=0), y_pred, weight)

    def _of_batch(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Any:
        y_true, y_pred = self._as_taken(y_true, y_pred)
        per_label = sample_weight is not None and len(sample_weight.shape) == len(y_pred.shape)
        if per_label and not isinstance(self.loss, ImbalancedLoss):
            # A weight for each label: give every label a last axis of its own, over which
            # Keras's losses average, and the weights multiply what is left.
            y_true, y_pred = ops.expand_dims(y_true, -1), ops.expand_dims(y_pred, -1)
        if isinstance(self.loss, keras.losses.Loss):
            return self.loss(y_true, y_pred, sample_weight=sample_weight)
        losses = self.loss(ops.cast(y_true, y_pred.dtype), y_pred)
        if sample_weight is None:
            return ops.mean(losses)
        # to the axes of the weights: (n, 1) times (n,) would broadcast to (n, n)
        surplus = tuple(range(len(sample_weight.shape), len(losses.shape)))
        losses = ops.mean(losses, axis=surplus) if surplus else losses
        return ops.mean(losses * ops.cast(sample_weight, losses.dtype))

    def _as_taken(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any]:
        """Return targets and outputs as the loss takes them."""
        if self.flipped:
            y_true = 1.0 - y_true
            y_pred = -y_pred if self.outputs == "logits" else 1.0 - y_pred
        if self.apply_link is not None:
            y_pred = _LINKS[self.apply_link](y_pred)
        return y_true, y_pred

    def check_weights(self, y: np.ndarray, n_outputs: int, weight: np.ndarray) -> None:
        """Raise a ValueError if the weights differ, and the loss has no terms to be weighted.

        Parameters
        ----------
        y : ndarray of shape (n, ...)
            Encoded targets.
        n_outputs : int
        weight : ndarray of shape (n,) or (n, n_labels)
        """
        if isinstance(self.loss, ImbalancedLoss) or np.ptp(weight) == 0:
            return
        by_row = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        y = ops.convert_to_tensor(y[:2], dtype=None if takes_codes(self.loss) else self.dtype)
        terms = by_row(y, ops.full((len(y), n_outputs), 0.5, dtype=self.dtype))
        if len(terms.shape) == 0:
            raise ValueError(
                f"loss={self.loss!r} gives one number for a whole batch, so the weights of classes "
                "and rows cannot enter it and would be ignored. Set class_weight=None (and pass "
                "no sample_weight), or return one value per row."
            )

    def of_members(self, n_members: int) -> BoundLoss:
        """Return the loss of several networks, whose outputs are of shape (n, n_members, K)."""
        if n_members == self.n_members:
            return self
        bound = shallow_copy(self)
        bound.n_members = n_members
        return bound

    def of_folds(self, n_folds: int) -> BoundLoss:
        """Return the loss of networks that each hold out one of some folds."""
        bound = shallow_copy(self)
        bound.n_folds = n_folds
        return bound

    def with_values(self, values: dict[str, Any]) -> BoundLoss:
        """Return the same loss with tensors in the place of its numbers."""
        if not values:
            return self
        bound = shallow_copy(self)
        bound.loss = self.loss.with_values(values)  # type: ignore[union-attr]
        return bound

    def signature(self) -> Hashable:
        """Return what tells two losses apart that cannot share a compiled program."""
        loss = self.loss
        if not _is_rebuilt(loss):
            return (_own_signature(loss), self.apply_link)
        config = loss.fixed_config() if isinstance(loss, ImbalancedLoss) else _config(loss)
        shapes = tuple((name, np.shape(value)) for name, value in sorted(self.values.items()))
        try:
            frozen = json.dumps(config, sort_keys=True)
        except TypeError:  # a loss with a configuration of its own kind is told apart by itself
            return (loss, self.apply_link)
        return (type(loss), frozen, shapes, self.dtype, self.apply_link, self.flipped)


def _own_signature(loss: Any) -> Hashable:
    """Return what tells a loss of a user's own from others: its class and state, or itself."""
    if not isinstance(loss, keras.losses.Loss):
        return loss
    state = {k: v for k, v in vars(loss).items() if k not in ("name", "_dtype_policy")}
    try:
        return (type(loss), json.dumps(state, sort_keys=True))
    except TypeError:
        return loss


def _built(spec: LossSpec, known: dict[str, Any]) -> LossLike:
    """Build a loss for the outputs at hand: once from its class, or anew from an instance."""
    kind = spec.loss_class
    decided = ("target", "from_logits")
    spec = replace(spec, params={k: v for k, v in spec.params.items() if k not in decided})
    ours = kind is not None and issubclass(kind, ImbalancedLoss)
    if not ours:  # Keras's know of logits alone
        known = {name: known[name] for name in ("from_logits", "dtype")}
    says_so = _is_of_keras(kind) or "from_logits" in spec.parameters
    if inspect.isclass(spec.source) and says_so:
        return spec.build(**known)
    loss = spec.build()
    if not _is_rebuilt(loss):
        return loss
    config = _config(loss)
    parameters = inspect.signature(type(loss)).parameters
    missing = [
        p.name
        for p in parameters.values()
        if p.name not in (*config, "dtype") and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if missing:
        raise TypeError(
            f"loss={type(loss).__name__} cannot be rebuilt for outputs that are "
            f"{'logits' if known['from_logits'] else 'probabilities'}: "
            f"its get_config leaves out {', '.join(missing)}."
        )
    for name, value in known.items():
        always = name in ("target", "from_logits", "reduction") and name in config
        open_to_it = name in config and config[name] is None
        if always or open_to_it or (name == "dtype" and name in parameters):
            config[name] = value
    return kind.from_config(config)  # type: ignore[union-attr]


def takes_codes(loss: LossSpec | LossLike) -> bool:
    """Whether a loss takes class codes where there are several classes, instead of one-hot rows."""
    kinds = (ImbalancedLoss, keras.losses.SparseCategoricalCrossentropy)
    return issubclass(_class_of(loss), kinds)


def is_categorical(loss: LossSpec | LossLike) -> bool:
    """Whether a loss of Keras requires one output per class even where there are two classes."""
    kind = _class_of(loss)
    return _is_of_keras(kind) and "Categorical" in kind.__name__


def _class_of(loss: LossSpec | LossLike) -> type:
    if isinstance(loss, LossSpec):
        return loss.loss_class or type(loss.source)
    return type(loss)


def _is_of_keras(kind: type | None) -> bool:
    return kind is not None and kind.__module__.startswith("keras.")


def takes_target(identifier: Any, target: str) -> bool:
    """Whether a loss, by name too, can be trained on a target; so if it is not a valid loss."""
    if isinstance(identifier, str):
        return _name_takes_target(identifier, target)
    return _takes_target(identifier, target)


# scikit-learn asks for the tags of an estimator several times in every prediction
@lru_cache(maxsize=256)
def _name_takes_target(name: str, target: str) -> bool:
    return _takes_target(name, target)


def _takes_target(identifier: Any, target: str) -> bool:
    try:
        loss = specification(identifier)
    except (TypeError, ValueError):  # which `fit` explains
        return True
    try:
        check_target(loss, target)
    except ValueError:
        return False
    return True


def check_target(loss: LossSpec | LossLike, target: str, *, exclusive: bool | None = None) -> None:
    """Raise a ValueError if a loss cannot be trained on this kind of target.

    Parameters
    ----------
    loss : keras.losses.Loss or callable
    target : str
        One of :data:`skimb.losses.traits.TARGETS`.
    exclusive : bool or None, default=None
        Whether the network has an output for each of several classes that exclude each other.
        None derives it from the target.
    """
    exclusive = target in ("multiclass", "candidates") if exclusive is None else exclusive
    built = loss.source if isinstance(loss, LossSpec) else loss
    if isinstance(built, WeightedSum):
        for term in built.losses.values():
            check_target(term, target, exclusive=exclusive)
        return
    kind, traits, hint = _class_of(loss), traits_of(loss), ""
    if issubclass(kind, ImbalancedLoss):
        if target in traits.targets:
            return
        takes = f"takes {', '.join(traits.targets)} targets"
    elif target == "candidates" and _is_of_keras(kind):
        takes = "is not for sets of classes of which any is right"
    elif is_categorical(loss) and not exclusive:
        takes = "is for classes that exclude each other, with one output of the network for each"
    elif _is_of_keras(kind) and kind.__name__.startswith("Binary") and exclusive:
        takes = "is for binary and multilabel targets"
        hint = " Of two classes end in one output, or leave loss out."
    else:
        return
    if traits.targets == ("candidates",):
        hint = " For an indicator matrix of acceptable classes set target='candidates'."
    raise ValueError(
        f"loss={kind.__name__} {takes}, but the target is {target}.{hint} "
        f"Losses for {target} targets are "
        f"{', '.join(repr(name) for name, kinds in available().items() if target in kinds)}."
    )


def _is_rebuilt(loss: Any) -> bool:
    """Whether a loss is set to the outputs through its configuration, or called as it is."""
    return isinstance(loss, keras.losses.Loss) and (
        isinstance(loss, ImbalancedLoss)
        or type(loss).__module__.startswith("keras.")
        or "from_logits" in loss.get_config()
    )


def _config(loss: keras.losses.Loss) -> dict[str, Any]:
    """Return all arguments of a loss's constructor but its dtype."""
    # the get_config of Huber, CosineSimilarity and a few more leaves arguments out
    kept = {
        name: value
        for name, value in getattr(loss, "_fn_kwargs", {}).items()
        if name in inspect.signature(type(loss)).parameters
    }
    return kept | loss.get_config()


def _requires_probabilities(loss: Any) -> bool:
    """Whether a loss of Keras is defined on probabilities alone."""
    return (
        isinstance(loss, keras.losses.Loss)
        and type(loss).__module__.startswith("keras.")
        and not isinstance(loss, _ON_SCORES)
        and "from_logits" not in loss.get_config()
    )


@dataclass(frozen=True)
class StoredLoss:
    """A loss in a file: its class and all attributes.

    Keras stores a loss by its configuration, in which some leave arguments out.

    Attributes
    ----------
    kind : type
    attributes : dict
    """

    kind: type[keras.losses.Loss]
    attributes: dict[str, Any]

    @classmethod
    def of(cls, loss: keras.losses.Loss) -> StoredLoss:
        """Return what there is to store of a loss."""
        return cls(type(loss), dict(vars(loss)))

    def restored(self) -> keras.losses.Loss:
        """Return the loss."""
        loss = object.__new__(self.kind)
        vars(loss).update(self.attributes)
        return loss
