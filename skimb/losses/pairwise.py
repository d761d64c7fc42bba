"""A loss over pairs of samples, for the area under the ROC curve."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
from keras import ops

from skimb._types import Tensor
from skimb.losses.base import CommonArguments, number
from skimb.losses.batch import BatchLoss, masked_mean, ratio


@keras.saving.register_keras_serializable(package="skimb")
class PairwiseAUC(BatchLoss):
    r"""Squared hinge over the pairs of a positive and a negative sample of a batch.

    .. math:: \frac{\sum_{i \in +} \sum_{j \in -} w_i w_j \max(0, m - (z_i - z_j))^2}
        {\sum_{i \in +} \sum_{j \in -} w_i w_j}

    The area under the ROC curve is the share of pairs in the right order, and this is its smooth
    bound. Labels are averaged, those with one value only in the batch left out.

    Parameters
    ----------
    margin : float, default=1.0
        By how much :math:`m` a positive has to score above a negative.
    target, from_logits, name, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    It trains the order of the samples alone: adding a number to all scores changes nothing. So the
    probabilities mean nothing until they are calibrated, and a threshold has to be chosen on data.
    Memory grows with the square of the batch size.

    References
    ----------
    .. [1] L. Yan, R. Dodier, M. C. Mozer, R. Wolniewicz, "Optimizing Classifier Performance via an
       Approximation to the Wilcoxon-Mann-Whitney Statistic", ICML 2003.
    .. [2] Z. Yuan, Y. Yan, M. Sonka, T. Yang, "Large-scale Robust Deep AUC Maximization", ICCV
       2021. https://arxiv.org/abs/2012.03173

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import PairwiseAUC
    >>> loss = PairwiseAUC()
    >>> print(f"{float(loss(np.array([1, 0]), np.array([[0.5], [0.0]], 'float32'))):.4f}")
    0.2500
    """

    traits = replace(BatchLoss.traits, targets=("binary", "multilabel"), numeric=("margin",))

    def __init__(
        self,
        *,
        margin: float = 1.0,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.margin = number(margin, "margin", above=0.0)

    def of_batch(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Any:
        y, z, softmax = self.canonical(y_true, y_pred)
        weight = self._weight(sample_weight, y, softmax)
        weight = ratio(weight, ops.max(weight))
        difference = ops.expand_dims(z, 1) - ops.expand_dims(z, 0)
        hinge = ops.square(ops.maximum(self.margin - difference, 0.0))
        pair = ops.expand_dims(weight * y, 1) * ops.expand_dims(weight * (1.0 - y), 0)
        total = ops.sum(pair, axis=(0, 1))
        return masked_mean(ratio(ops.sum(pair * hinge, axis=(0, 1)), total), total > 0.0)
