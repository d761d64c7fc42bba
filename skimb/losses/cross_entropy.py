"""Cross-entropy, the base of all other losses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
from keras import ops

from skimb._types import PerClass, Tensor
from skimb.losses.base import CommonArguments, ImbalancedLoss, number, per_class
from skimb.losses.traits import LossTraits


@keras.saving.register_keras_serializable(package="skimb")
class CrossEntropy(ImbalancedLoss):
    r"""Cross-entropy for binary, multiclass, multilabel and pixel targets.

    For one logit :math:`z` a label,

    .. math:: -w^+ y \log\sigma(z) - (1 - y) \log\sigma(-z),

    averaged over the labels of a sample; for K logits :math:`-\log \mathrm{softmax}(z)_y`.

    Parameters
    ----------
    pos_weight : float, array-like of shape (n_labels,) or None, default=None
        Weight :math:`w^+` of the positive term, one number or one per label; None is 1. Sigmoid
        outputs only. The number that balances a label is negatives / positives.
    label_smoothing : float in [0, 1), default=0.0
        Share of the target that is spread evenly over the classes.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    References
    ----------
    .. [1] I. J. Good, "Rational Decisions", J. R. Stat. Soc. B 14(1), 1952.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import CrossEntropy
    >>> loss = CrossEntropy(pos_weight=3.0)
    >>> print(f"{float(loss(np.array([1, 0]), np.array([[0.0], [0.0]], 'float32'))):.4f}")
    1.3863
    """

    traits = LossTraits(
        targets=("binary", "multiclass", "multilabel", "pixels"),
        numeric=("pos_weight", "label_smoothing"),
    )

    def __init__(
        self,
        *,
        pos_weight: PerClass = None,
        label_smoothing: float = 0.0,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        if number(label_smoothing, "label_smoothing", most=1.0) == 1.0:
            raise ValueError("label_smoothing=1.0 has to be below 1, or nothing is left of y.")
        self.pos_weight = per_class(pos_weight, "pos_weight")
        if self.target == "multiclass":
            self._check_no_pos_weight()
        self.label_smoothing = float(label_smoothing)
        weighs = self.pos_weight is not None
        self.traits = replace(self.traits, corrects_frequencies=weighs, has_positive=weighs)

    def sigmoid_terms(self, y: Tensor, z: Tensor) -> Any:
        y = y * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        positive = -y * ops.log_sigmoid(z)
        if self.pos_weight is not None:
            pos_weight = ops.convert_to_tensor(self.pos_weight, dtype=z.dtype)
            if tuple(pos_weight.shape) not in ((), (1,), (z.shape[-1],)):
                raise ValueError(
                    f"pos_weight has the shape {tuple(pos_weight.shape)}. Accepted are one number "
                    f"and one for each of the {z.shape[-1]} labels."
                )
            positive = pos_weight * positive
        return positive - (1.0 - y) * ops.log_sigmoid(-z)

    def softmax_terms(self, y: Tensor, z: Tensor) -> Any:
        self._check_no_pos_weight()
        y = y * (1.0 - self.label_smoothing) + self.label_smoothing / z.shape[-1]
        return -ops.sum(y * ops.log_softmax(z, axis=-1), axis=-1)

    def _check_no_pos_weight(self) -> None:
        if self.pos_weight is not None:
            raise ValueError(
                f"pos_weight={self.pos_weight!r} weights a positive label and has no meaning for "
                "classes that exclude each other. Use class_weight, or target='multilabel' if they "
                "do not."
            )
