"""Focal loss: cross-entropy with the easy samples down-weighted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from skimb._types import PerClass, Tensor
from skimb.losses.base import CommonArguments, ImbalancedLoss, known_counts, number, per_class
from skimb.losses.traits import LossTraits


@keras.saving.register_keras_serializable(package="skimb")
class Focal(ImbalancedLoss):
    r"""Focal loss [1]_ for binary, multiclass, multilabel and pixel targets.

    .. math:: -\alpha_y (1 - p_y)^\gamma \log p_y

    with :math:`p_y` the probability of the true class. A confident sample weighs little, so the
    many easy majority samples do not drown the few hard minority samples.

    It takes the logits of a network in ``model.compile(loss=Focal())``, as all losses here do. The
    estimators know it as ``loss="focal"`` and multiply it by their class weights, those of
    ``class_weight="auto"`` included: with `alpha`, set ``class_weight=None``.

    Parameters
    ----------
    gamma : float, default=2.0
        How strongly easy samples are down-weighted; 0 is cross-entropy.
    alpha : float, array-like, "balanced" or None, default=None
        Weight of a class. A float for sigmoid outputs is the weight of the positives, the negatives
        get ``1 - alpha``, as in the paper; for K classes it scales all alike. An array has the
        weight of each class, of shape (K,) for K classes, and for sigmoid outputs of negatives and
        positives, of shape (2,) or of shape (2, n_labels). ``"balanced"`` is N / (K n_k), with n_k
        of the N samples in class k, from `class_counts`.
    class_counts : array-like of shape (K,) or (2, n_labels) or None, default=None
        Samples per class in the training set, for ``alpha="balanced"``. The estimators fill it in.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal Loss for Dense Object
       Detection", ICCV 2017. https://arxiv.org/abs/1708.02002

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import Focal
    >>> loss = Focal(gamma=2.0)
    >>> print(f"{float(loss(np.array([1]), np.array([[0.0]], 'float32'))):.4f}")
    0.1733
    """

    traits = LossTraits(
        targets=("binary", "multiclass", "multilabel", "pixels"),
        has_positive=True,
        numeric=("gamma", "alpha"),
    )

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        alpha: PerClass = None,
        class_counts: PerClass = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        if isinstance(alpha, str) and alpha != "balanced":
            raise ValueError(
                f"alpha={alpha!r} is unknown. Accepted are None, a number, an array or 'balanced'."
            )
        self.gamma = number(gamma, "gamma")
        self.alpha = alpha if isinstance(alpha, str) else per_class(alpha, "alpha")
        self.class_counts = per_class(class_counts, "class_counts")
        self.traits = replace(self.traits, corrects_frequencies=self.alpha is not None)
        if self.target in ("binary", "multilabel"):
            self._check_share_of_positives()

    def numeric_values(self) -> dict[str, np.ndarray]:
        values = {"gamma": np.asarray(self.gamma)}
        alpha = self._alpha()
        return values if alpha is None else {**values, "alpha": np.asarray(alpha)}

    def _alpha(self) -> Any:
        if not isinstance(self.alpha, str):
            return self.alpha
        counts = known_counts(self.class_counts, self)
        present = counts > 0
        balanced = counts.sum(axis=0) / (present.sum(axis=0) * np.where(present, counts, 1.0))
        return np.where(present, balanced, 1.0)

    def _check_share_of_positives(self) -> None:
        if isinstance(self.alpha, float) and self.alpha > 1.0:
            raise ValueError(
                f"alpha={self.alpha!r} gives the negatives the weight 1 - alpha, which has to be "
                "at least 0. For weights of both, pass an array of shape (2,)."
            )

    def sigmoid_terms(self, y: Tensor, z: Tensor) -> Any:
        self._check_share_of_positives()
        log_p, log_q = ops.log_sigmoid(z), ops.log_sigmoid(-z)
        # (1 - p)^gamma as exp(gamma log(1 - p)): a power of 0 has no gradient for gamma < 1
        positive = -ops.exp(self.gamma * log_q) * log_p
        negative = -ops.exp(self.gamma * log_p) * log_q
        alpha = self._alpha()
        if alpha is not None:
            alpha = ops.convert_to_tensor(alpha, dtype=z.dtype)
            if tuple(alpha.shape) not in ((), (2,), (2, z.shape[-1])):
                raise ValueError(
                    f"alpha has the shape {tuple(alpha.shape)}. Accepted for {z.shape[-1]} sigmoid "
                    f"outputs are a number, (2,) and (2, {z.shape[-1]})."
                )
            negative_alpha, positive_alpha = (
                (1.0 - alpha, alpha) if len(alpha.shape) == 0 else (alpha[0], alpha[1])
            )
            positive, negative = positive_alpha * positive, negative_alpha * negative
        return y * positive + (1.0 - y) * negative

    def softmax_terms(self, y: Tensor, z: Tensor) -> Any:
        # differences of logits are all that counts, and large ones are rounded
        z = z - ops.stop_gradient(ops.max(z, axis=-1, keepdims=True))
        log_p = ops.sum(y * ops.log_softmax(z, axis=-1), axis=-1)
        # log(1 - p_y) from the other classes' logits, exact where p_y rounds to 1
        others = ops.where(y > 0.5, ops.full_like(z, -np.inf), z)
        log_q = ops.logsumexp(others, axis=-1) - ops.logsumexp(z, axis=-1)
        terms = -ops.exp(self.gamma * log_q) * log_p
        alpha = self._alpha()
        if alpha is None:
            return terms
        alpha = ops.convert_to_tensor(alpha, dtype=z.dtype)
        if tuple(alpha.shape) not in ((), (z.shape[-1],)):
            raise ValueError(
                f"alpha has the shape {tuple(alpha.shape)}. Accepted for {z.shape[-1]} classes are "
                f"a number and ({z.shape[-1]},)."
            )
        return terms * (alpha if len(alpha.shape) == 0 else ops.sum(y * alpha, axis=-1))
