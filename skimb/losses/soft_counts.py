"""Losses from soft counts: a sample counts as positive in part, by its probability."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from skimb._types import PerClass, Tensor
from skimb.losses.base import CommonArguments, number, one_of
from skimb.losses.batch import BatchLoss, both_classes, masked_mean, ratio


@keras.saving.register_keras_serializable(package="skimb")
class SoftFBeta(BatchLoss):
    r"""One minus the F-beta score of soft counts.

    .. math:: 1 - \frac{1}{K} \sum_k \frac{(1 + \beta^2) TP_k + \epsilon}
        {(1 + \beta^2) TP_k + \beta^2 FN_k + FP_k + \epsilon}

    with :math:`TP = \sum w p y`, :math:`FP = \sum w p (1 - y)` and :math:`FN = \sum w (1 - p) y`
    over the batch.

    Parameters
    ----------
    beta : float, default=1.0
        How many times recall counts as much as precision.
    average : {"macro", "micro"}, default="macro"
        Mean of the scores of the classes or labels with a positive sample in the batch, or the
        score of the summed counts of all.
    epsilon : float, default=1e-7
    target, from_logits, name, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`. A binary problem has one class, the
        positive.

    Notes
    -----
    Batches have to be large enough to hold samples of the rare class. A batch without any has the
    loss 0.

    References
    ----------
    .. [1] G. Bénédict, V. Koops, D. Odijk, M. de Rijke, "sigmoidF1: A Smooth F1 Score Surrogate
       Loss for Multilabel Classification", TMLR 2022. https://arxiv.org/abs/2108.10566

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import SoftFBeta
    >>> loss = SoftFBeta()
    >>> print(f"{float(loss(np.array([1, 0]), np.zeros((2, 1), 'float32'))):.4f}")
    0.5000
    """

    traits = replace(
        BatchLoss.traits,
        targets=("binary", "multiclass", "multilabel"),
        has_positive=True,
        numeric=("beta", "epsilon"),
    )

    def __init__(
        self,
        *,
        beta: float = 1.0,
        average: str = "macro",
        epsilon: float = 1e-7,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.beta = number(beta, "beta", most=1000.0)
        self.average = one_of(average, "average", ("macro", "micro"))
        self.epsilon = number(epsilon, "epsilon", above=0.0)

    def of_probabilities(self, y: Tensor, p: Tensor, weight: Tensor) -> Any:
        hits, misses = ops.sum(weight * p * y, axis=0), ops.sum(weight * (1.0 - p) * y, axis=0)
        false_alarms = ops.sum(weight * p * (1.0 - y), axis=0)
        present = ops.cast(ops.sum(weight * y, axis=0) > 0.0, p.dtype)
        if self.average == "micro":
            hits, misses, false_alarms = map(ops.sum, (hits, misses, false_alarms))
            present = ops.max(present)
        square = self.beta**2
        top = (1.0 + square) * hits + self.epsilon
        score = top / (top + square * misses + false_alarms)
        return masked_mean(1.0 - score, present)


class _OfMinority(BatchLoss):
    """Base class of the losses that look at the samples of the rarest class."""

    traits = replace(BatchLoss.traits, targets=("binary", "multiclass"))

    def __init__(
        self,
        *,
        minority_class: PerClass,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        if minority_class is not None:
            positions = np.asarray(minority_class)
            if (
                positions.dtype.kind not in "iu"
                or positions.ndim > 1
                or not (positions.size and (positions >= 0).all())
            ):
                raise ValueError(
                    f"minority_class={minority_class!r} has to be the position of a class, an "
                    "integer of at least 0, or a list of them."
                )
            minority_class = positions.tolist()
        self.minority_class = minority_class

    def numeric_values(self) -> dict[str, np.ndarray]:
        return {**super().numeric_values(), "positions": np.atleast_1d(self._positions())}

    def _positions(self) -> Any:
        # what the trainer has put there, what the user has given, or the class called positive
        given = vars(self).get("positions", self.minority_class)
        return 1 if given is None else given

    def _of_minority(self, y: Tensor, p: Tensor, weight: Tensor) -> tuple[Any, Any, Any]:
        """Return targets and probabilities of the classes that are looked at, and weights."""
        y, p = both_classes(y, p)
        if np.max(1 if self.minority_class is None else self.minority_class) >= y.shape[-1]:
            raise ValueError(
                f"minority_class={self.minority_class!r} has to be the position of one of the "
                f"{y.shape[-1]} classes."
            )
        positions = ops.cast(ops.reshape(ops.convert_to_tensor(self._positions()), (-1,)), "int32")
        chosen = (ops.take(values, positions, axis=-1) for values in (y, p))
        return *chosen, weight


@keras.saving.register_keras_serializable(package="skimb")
class SoftRecall(_OfMinority):
    r"""One minus the soft recall of the rarest class, with a price for false alarms.

    .. math:: 1 - \frac{\sum w p y}{\sum w y} + \lambda \frac{\sum w p (1 - y)}{\sum w (1 - y)}

    Without the price, this is the "percentage of the smaller class that is missed", which is won by
    calling every sample positive.

    Parameters
    ----------
    penalty : float, default=0.1
        Price :math:`\lambda` of the soft false positive rate.
    minority_class : int, list of int or None, default=None
        Position of the class, or of several, whose losses are averaged. The estimators fill in the
        rarest; elsewhere None is the second class.
    target, from_logits, name, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    A batch without a sample of the class has the loss of the false alarms alone.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import SoftRecall
    >>> loss = SoftRecall()
    >>> print(f"{float(loss(np.array([1, 0]), np.zeros((2, 1), 'float32'))):.4f}")
    0.5500
    """

    traits = replace(_OfMinority.traits, numeric=("penalty",))

    def __init__(
        self,
        *,
        penalty: float = 0.1,
        minority_class: PerClass = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(minority_class=minority_class, **common)
        self.penalty = number(penalty, "penalty")

    def of_probabilities(self, y: Tensor, p: Tensor, weight: Tensor) -> Any:
        y, p, weight = self._of_minority(y, p, weight)
        positives = ops.sum(weight * y, axis=0)
        missed = ratio(ops.sum(weight * (1.0 - p) * y, axis=0), positives)
        alarms = ratio(ops.sum(weight * p * (1.0 - y), axis=0), ops.sum(weight * (1.0 - y), axis=0))
        return masked_mean(missed, positives > 0.0) + self.penalty * ops.mean(alarms)


@keras.saving.register_keras_serializable(package="skimb")
class MinorityScore(_OfMinority):
    r"""Points for true positives and against false ones, from soft counts.

    .. math:: -\frac{\text{reward} \sum w p y - \text{penalty} \sum w p (1 - y)}{\sum w}

    :func:`skimb.metrics.minority_score` and :class:`skimb.metrics.MinorityScore` count hard.

    Parameters
    ----------
    reward : float, default=3.0
        Points for a sample of the rarest class that is found.
    penalty : float, default=1.0
        Points taken for a sample of another class that is taken for it.
    minority_class : int, list of int or None, default=None
        Position of the class, or of several, whose points are added. The estimators fill in the
        rarest; elsewhere None is the second class.
    target, from_logits, name, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    Where the class is very rare and unweighted, the many false positives of an untrained network
    push all probabilities to 0, where there is no gradient to come back by. Give it class weights,
    a larger reward, or a start with another loss (``warm_start``).

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import MinorityScore
    >>> loss = MinorityScore()
    >>> print(f"{float(loss(np.array([1, 0]), np.zeros((2, 1), 'float32'))):.4f}")
    -0.5000
    """

    traits = replace(_OfMinority.traits, numeric=("reward", "penalty"))

    def __init__(
        self,
        *,
        reward: float = 3.0,
        penalty: float = 1.0,
        minority_class: PerClass = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(minority_class=minority_class, **common)
        self.reward = number(reward, "reward")
        self.penalty = number(penalty, "penalty")

    def of_probabilities(self, y: Tensor, p: Tensor, weight: Tensor) -> Any:
        y, p, weight = self._of_minority(y, p, weight)
        points = p * (self.reward * y - self.penalty * (1.0 - y))
        return -ratio(ops.sum(weight * points), ops.sum(weight))
