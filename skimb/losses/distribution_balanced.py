"""Distribution-balanced loss for labels that occur together and are rare in different degrees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from skimb._types import PerClass, Tensor
from skimb.losses.base import CommonArguments, known_counts, number
from skimb.losses.frequencies import FrequencyLoss

# Shares of 0 and 1, of labels with one value only, have no finite log odds.
_LEAST_SHARE = 1e-7


@keras.saving.register_keras_serializable(package="skimb")
class DistributionBalanced(FrequencyLoss):
    r"""Distribution-balanced focal loss for multilabel targets.

    Two corrections of binary cross-entropy. Samples are drawn for all of their labels at once, so a
    label gets the weight

    .. math:: \hat r_k = \alpha + \sigma(\beta (r_k - \mu)), \quad
        r_k = \frac{1 / n_k}{\sum_{j : y_j = 1} 1 / n_j},

    and negatives push less the more they have been pushed: with :math:`\nu_k = -\kappa
    \log(N / n_k - 1)`, positives cost :math:`-(1 - q)^\gamma \log q` with :math:`q = \sigma(z +
    \nu)`, negatives :math:`-\frac{1}{\lambda} (1 - q)^\gamma \log q` with :math:`q = 1 -
    \sigma(\lambda (z + \nu))`.

    Parameters
    ----------
    alpha, beta, mu : float, default=0.1, 10.0, 0.2
        The smoothing :math:`\alpha, \beta, \mu` of the weights.
    scale : float, default=2.0
        The factor :math:`\lambda` of the negatives' logits.
    kappa : float, default=0.05
        Strength :math:`\kappa` of the bias :math:`\nu`.
    gamma : float, default=2.0
        The focal exponent; 0 turns it off.
    class_counts : array-like of shape (2, n_labels) or None, default=None
        Samples without and with each label in the training set. The estimators fill it in.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    It makes up for the frequencies of the labels, so use ``class_weight=None`` with it.

    References
    ----------
    .. [1] T. Wu, Q. Huang, Z. Liu, Y. Wang, D. Lin, "Distribution-Balanced Loss for Multi-Label
       Classification in Long-Tailed Datasets", ECCV 2020. https://arxiv.org/abs/2007.09654

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import DistributionBalanced
    >>> loss = DistributionBalanced(class_counts=[[50, 50], [50, 50]])
    >>> print(f"{float(loss(np.array([[1, 1]]), np.zeros((1, 2), 'float32'))):.4f}")
    0.1824
    """

    traits = replace(
        FrequencyLoss.traits,
        targets=("multilabel",),
        numeric=("alpha", "beta", "mu", "scale", "kappa", "gamma"),
    )

    def __init__(
        self,
        *,
        alpha: float = 0.1,
        beta: float = 10.0,
        mu: float = 0.2,
        scale: float = 2.0,
        kappa: float = 0.05,
        gamma: float = 2.0,
        class_counts: PerClass = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(class_counts=class_counts, **common)
        self.alpha = number(alpha, "alpha")
        self.beta = number(beta, "beta")
        self.mu = number(mu, "mu")
        self.scale = number(scale, "scale", above=0.0)
        self.kappa = number(kappa, "kappa")
        self.gamma = number(gamma, "gamma")

    def derived(self) -> dict[str, np.ndarray]:
        counts = known_counts(self.class_counts, self)
        if counts.ndim != 2 or len(counts) != 2:
            raise ValueError(
                f"class_counts has the shape {counts.shape}. Accepted is (2, n_labels), the rows "
                "without and with each label."
            )
        share = counts[1] / np.maximum(counts.sum(axis=0), np.finfo(float).tiny)
        share = np.clip(share, _LEAST_SHARE, 1.0 - _LEAST_SHARE)
        # only ratios of 1 / n count, and those of 1 / share are the same
        return {"inverse": share.min() / share, "bias": -self.kappa * np.log(1.0 / share - 1.0)}

    def sigmoid_terms(self, y: Tensor, z: Tensor) -> Any:
        inverse, bias = self._value("inverse", z), self._value("bias", z)
        of_row = ops.sum(y * inverse, axis=-1, keepdims=True)
        ratio = inverse / ops.maximum(
            of_row, 1e-30
        )  # a sample without labels has none to divide by
        weight = self.alpha + ops.sigmoid(self.beta * (ratio - self.mu))
        z = z + bias
        positive = self._focal(z)
        negative = self._focal(-self.scale * z) / self.scale
        return weight * (y * positive + (1.0 - y) * negative)

    def _focal(self, z: Tensor) -> Any:
        return -ops.exp(self.gamma * ops.log_sigmoid(-z)) * ops.log_sigmoid(z)
