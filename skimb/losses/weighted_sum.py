"""A weighted sum of losses of the library."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from skimb._types import PerClass, Tensor
from skimb.losses.base import CommonArguments, ImbalancedLoss, is_one_sided
from skimb.losses.catalog import LOSSES, LossSpec, searchable
from skimb.losses.traits import TARGETS, LossTraits

Terms = Mapping[str, float]


@keras.saving.register_keras_serializable(package="skimb")
class WeightedSum(ImbalancedLoss):
    r"""Weighted sum of losses of the library, each a term.

    .. math:: \sum_t w_t L_t

    Estimators take it as a dict: ``loss={"dice_cross_entropy": 1, "boundary": 0.1}``, with the
    hyperparameters of a term under its name: ``loss__dice_cross_entropy__dice_weight=0.3``.

    Parameters
    ----------
    terms : dict of str to float
        Names from :func:`available`, and the weight of each, a number above 0.
    parameters : dict of str to dict or None, default=None
        Hyperparameters of the terms, by the name of the term.
    class_counts, minority_class, background
        Passed on to the terms that take them. The estimators fill them in.
    positive_first : bool or None, default=None
        Whether the positive class of one logit is the one of ``y == 0``. The estimators fill it in.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`. The terms have to have a kind of target in
        common.

    Raises
    ------
    ValueError, TypeError
        If there is no such term, if a weight is not a number above 0, if a term has no such
        hyperparameter, or if the terms cannot be summed.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import WeightedSum
    >>> loss = WeightedSum({"dice": 1, "cross_entropy": 0.5})
    >>> mask = np.array([[[1, 0], [0, 0]]])
    >>> print(f"{float(loss(mask, np.zeros((1, 2, 2, 1), 'float32'))):.4f}")
    1.0132
    """

    def __init__(
        self,
        terms: Terms,
        *,
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        class_counts: PerClass = None,
        minority_class: int | None = None,
        background: int | None = None,
        positive_first: bool | None = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        self.terms = _checked_terms(terms)
        parameters = dict(parameters or {})
        _check_names(self.terms, parameters)
        self.class_counts = class_counts
        self.minority_class = minority_class
        self.background = background
        self.positive_first = positive_first
        known = {k: v for k, v in common.items() if k != "name"}
        known |= {"class_counts": class_counts, "minority_class": minority_class}
        known |= {"background": background}
        self.losses: dict[str, Any] = {
            name: LossSpec(LOSSES[name], dict(parameters.get(name, {}))).build(**known)
            for name in self.terms
        }
        self.traits = _common_traits(self.losses)
        super().__init__(**common)
        # as the terms have them: lists, which a file can hold, in the place of arrays
        configs = {name: loss.get_config() for name, loss in self.losses.items()}
        self.parameters = {
            name: {key: configs[name][key] for key in given} for name, given in parameters.items()
        }
        self.weights: Any = list(self.terms.values())

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Any:
        """Return the sum of the losses of a batch; `sample_weight` is as in each of them."""
        y_true, y_pred = (ops.convert_to_tensor(t, self.dtype) for t in (y_true, y_pred))
        total: Any = 0.0
        for i, loss in enumerate(self.losses.values()):
            y, outputs = y_true, y_pred
            if self.positive_first and is_one_sided(loss):
                y, outputs = 1.0 - y, -outputs if self.from_logits else 1.0 - outputs
            total = total + self.weights[i] * loss(y, outputs, sample_weight)
        return total

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        return self(y_true, y_pred)

    def numeric_values(self) -> dict[str, np.ndarray]:
        values = {"weights": np.asarray(self.weights, "float64")}
        for name, loss in self.losses.items():
            values |= {f"{name}__{key}": v for key, v in loss.numeric_values().items()}
        return values

    def with_values(self, values: Mapping[str, Any]) -> WeightedSum:
        changed = super().with_values({k: v for k, v in values.items() if "__" not in k})
        changed.losses = {
            name: loss.with_values(
                {k.partition("__")[2]: v for k, v in values.items() if k.startswith(f"{name}__")}
            )
            for name, loss in self.losses.items()
        }
        return changed

    def fixed_config(self) -> dict[str, Any]:
        own = super().fixed_config()
        own = {k: v for k, v in own.items() if k not in ("terms", "parameters")}
        # in order, which is that of the weights
        return {**own, "terms": [[n, loss.fixed_config()] for n, loss in self.losses.items()]}


def weighted_sum(terms: Terms, params: Mapping[str, Any]) -> WeightedSum:
    """Return a sum with the hyperparameters of the terms as ``term__name``.

    Raises
    ------
    ValueError, TypeError
        As of :class:`WeightedSum`.
    """
    parameters: dict[str, dict[str, Any]] = {}
    own = {}
    for name, value in params.items():
        term, nested, inner = name.partition("__")
        if nested:
            parameters.setdefault(term, {})[inner] = value
        elif name in inspect.signature(WeightedSum).parameters:
            own[name] = value
        else:
            raise TypeError(
                f"loss__{name} does not say which term of loss={dict(terms)!r} it is for. Give it "
                f"as {' or '.join(f'loss__{term}__{name}' for term in terms)}."
            )
    return WeightedSum(terms, **{**({"parameters": parameters} if parameters else {}), **own})


def _checked_terms(terms: Any) -> dict[str, float]:
    if not isinstance(terms, Mapping) or not terms:
        raise ValueError(
            f"loss={terms!r} has no terms. A sum is a dict of names and weights, such as "
            "{'dice_cross_entropy': 1, 'boundary': 0.1}."
        )
    for name, weight in terms.items():
        if name not in LOSSES:
            close = difflib.get_close_matches(str(name), LOSSES, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"loss={dict(terms)!r} has the unknown term {name!r}.{hint} A term is the name of "
                f"a loss of the library: {', '.join(map(repr, LOSSES))}."
            )
        if (
            isinstance(weight, bool)
            or not isinstance(weight, (int, float, np.number))
            or not 0.0 < weight < np.inf
        ):
            raise ValueError(
                f"loss={dict(terms)!r} has the weight {weight!r} for the term {name!r}. A weight "
                "is a finite number above 0; leave a term out to do without it."
            )
    return {name: float(weight) for name, weight in terms.items()}


def _check_names(terms: Terms, parameters: Mapping[str, Mapping[str, Any]]) -> None:
    for name, given in parameters.items():
        if name not in terms:
            raise TypeError(
                f"loss__{name}__{next(iter(given), '*')} is for the term {name!r}, but loss has "
                f"the terms {', '.join(map(repr, terms))}."
            )
        accepted = inspect.signature(LOSSES[name]).parameters
        of_the_sum = CommonArguments.__annotations__
        unknown = [key for key in given if key not in accepted or key in of_the_sum]
        if unknown:
            takes = ", ".join(f"loss__{name}__{key}" for key in searchable(accepted))
            raise TypeError(
                f"The term {name!r} has no parameter loss__{name}__{unknown[0]}. It takes "
                f"{takes or 'none'}."
            )


def _common_traits(losses: Mapping[str, ImbalancedLoss]) -> LossTraits:
    """Return the traits of a sum, or raise a ValueError if there is none."""
    traits = {name: loss.traits for name, loss in losses.items()}
    for name, own in traits.items():
        if len(losses) > 1 and (own.takes_features or own.takes_cosines or own.logit_scale != 1.0):
            raise ValueError(
                f"The term {name!r} takes other outputs of the network than the logits of the "
                f"others. Leave it out, or use it alone: loss={name!r}."
            )
    targets = tuple(t for t in TARGETS if all(t in own.targets for own in traits.values()))
    if not targets:
        kinds = "; ".join(f"{name!r} takes {', '.join(t.targets)}" for name, t in traits.items())
        raise ValueError(f"The terms of the loss have no kind of target in common: {kinds}.")
    alone = next(iter(traits.values()))
    return LossTraits(
        targets=targets,
        corrects_frequencies=any(t.corrects_frequencies for t in traits.values()),
        has_positive=any(t.has_positive for t in traits.values()),
        takes_features=alone.takes_features,
        batch_level=any(t.batch_level for t in traits.values()),
        takes_cosines=alone.takes_cosines,
        logit_scale=alone.logit_scale,
    )
