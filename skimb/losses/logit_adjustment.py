"""Losses that shift or scale the logits by the class frequencies, so that rare classes get room."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from skimb._types import PerClass, Tensor
from skimb.losses.base import CommonArguments, known_counts, number
from skimb.losses.frequencies import FrequencyLoss

# The prior of a class without samples, whose logarithm has to be finite.
_LEAST_PRIOR = 1e-7


@keras.saving.register_keras_serializable(package="skimb")
class LogitAdjusted(FrequencyLoss):
    r"""Cross-entropy of logits to which the log prior is added, while training only.

    .. math:: -\log \mathrm{softmax}(z + \tau \log \pi)_y

    The network learns what the data say beyond the prior :math:`\pi`, so that its own logits treat
    all classes as equally frequent. With :math:`\tau = 1` this is the balanced softmax.

    Parameters
    ----------
    tau : float, default=1.0
        Strength :math:`\tau`; 0 is cross-entropy.
    class_counts : array-like of shape (K,) or None, default=None
        Samples per class in the training set. The estimators fill it in.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    It makes up for the class frequencies as class weights do, so use ``class_weight=None`` with it.

    References
    ----------
    .. [1] A. K. Menon, S. Jayasumana, A. S. Rawat, H. Jain, A. Veit, S. Kumar, "Long-Tail Learning
       via Logit Adjustment", ICLR 2021. https://arxiv.org/abs/2007.07314
    .. [2] J. Ren et al., "Balanced Meta-Softmax for Long-Tailed Visual Recognition", NeurIPS 2020.
       https://arxiv.org/abs/2007.10740

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import LogitAdjusted
    >>> loss = LogitAdjusted(class_counts=[90, 10])
    >>> print(f"{float(loss(np.array([1]), np.array([[0.0]], 'float32'))):.4f}")
    2.3026
    """

    traits = replace(FrequencyLoss.traits, targets=("binary", "multiclass"), numeric=("tau",))

    def __init__(
        self,
        *,
        tau: float = 1.0,
        class_counts: PerClass = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(class_counts=class_counts, **common)
        self.tau = number(tau, "tau", least=-np.inf)

    def derived(self) -> dict[str, np.ndarray]:
        return {"adjustment": self.tau * _log_prior(known_counts(self.class_counts, self))}

    def sigmoid_terms(self, y: Tensor, z: Tensor) -> Any:
        adjustment = self._value("adjustment", z)
        z = z + (adjustment[1] - adjustment[0])
        return -y * ops.log_sigmoid(z) - (1.0 - y) * ops.log_sigmoid(-z)

    def softmax_terms(self, y: Tensor, z: Tensor) -> Any:
        return _cross_entropy(y, z + self._value("adjustment", z))


@keras.saving.register_keras_serializable(package="skimb")
class VectorScaling(FrequencyLoss):
    r"""Cross-entropy of logits that are scaled and shifted per class, while training only.

    .. math:: -\log \mathrm{softmax}(\gamma_k z_k + \tau \log \pi_k)_y,
        \quad \gamma_k = (n_k / \max_j n_j)^g

    The shift acts early in training, the scale at its end, when a network fits all training
    samples.

    Parameters
    ----------
    gamma : float, default=0.15
        Exponent :math:`g` of the scale; 0 leaves the shift alone.
    tau : float, default=1.0
        Strength :math:`\tau` of the shift.
    class_counts : array-like of shape (K,) or None, default=None
        Samples per class in the training set. The estimators fill it in.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    With ``tau=0`` this is what "multiplying the logits by class weights" amounts to: a temperature
    of each class, and no cost. It makes up for the class frequencies, so use ``class_weight=None``.

    References
    ----------
    .. [1] G. R. Kini, O. Paraskevas, S. Oymak, C. Thrampoulidis, "Label-Imbalanced and
       Group-Sensitive Classification under Overparameterization", NeurIPS 2021.
       https://arxiv.org/abs/2103.01550
    .. [2] H.-J. Ye, H.-Y. Chen, D.-C. Zhan, W.-L. Chao, "Identifying and Compensating for Feature
       Deviation in Imbalanced Deep Learning", 2020. https://arxiv.org/abs/2001.01385

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import VectorScaling
    >>> loss = VectorScaling(class_counts=[80, 10, 10])
    >>> print(f"{float(loss(np.array([1]), np.zeros((1, 3), 'float32'))):.4f}")
    2.3026
    """

    traits = replace(FrequencyLoss.traits, targets=("multiclass",), numeric=("gamma", "tau"))

    def __init__(
        self,
        *,
        gamma: float = 0.15,
        tau: float = 1.0,
        class_counts: PerClass = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(class_counts=class_counts, **common)
        self.gamma = number(gamma, "gamma")
        self.tau = number(tau, "tau", least=-np.inf)

    def derived(self) -> dict[str, np.ndarray]:
        counts = known_counts(self.class_counts, self)
        share = np.maximum(counts / counts.max(), _LEAST_PRIOR)
        return {
            "class_scale": share**self.gamma,
            "adjustment": self.tau * _log_prior(counts),
        }

    def softmax_terms(self, y: Tensor, z: Tensor) -> Any:
        return _cross_entropy(y, self._value("class_scale", z) * z + self._value("adjustment", z))


@keras.saving.register_keras_serializable(package="skimb")
class LDAM(FrequencyLoss):
    r"""Label-distribution-aware margin: rare classes have to be won by a wider margin.

    .. math:: -\log \mathrm{softmax}(s (z - \Delta_y e_y))_y,
        \quad \Delta_k = C n_k^{-1/4},\ \max_k \Delta_k = \text{max\_margin}

    The outputs :math:`z` are cosines between the last features and a vector for each class; the
    built-in networks get such a last layer (``normalized_output``) with this loss, others can end
    in :class:`skimb.networks.Cosines`. The network's logits, of which the probabilities are the
    softmax, are :math:`s z`.

    Parameters
    ----------
    max_margin : float, default=0.5
        Margin of the rarest class.
    scale : float, default=30.0
        Factor :math:`s`, which lets cosines become confident.
    class_counts : array-like of shape (K,) or None, default=None
        Samples per class in the training set. The estimators fill it in.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    The paper trains with deferred re-weighting: ``class_weight="effective"`` together with
    ``class_weight_start=0.8`` of the estimators.

    References
    ----------
    .. [1] K. Cao, C. Wei, A. Gaidon, N. Arechiga, T. Ma, "Learning Imbalanced Datasets with
       Label-Distribution-Aware Margin Loss", NeurIPS 2019. https://arxiv.org/abs/1906.07413

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import LDAM
    >>> loss = LDAM(class_counts=[160, 10], scale=2.0)
    >>> print(f"{float(loss(np.array([1]), np.array([[0.0, 0.5]], 'float32'))):.4f}")
    0.6931
    """

    traits = replace(
        FrequencyLoss.traits,
        targets=("multiclass",),
        numeric=("max_margin", "scale"),
        corrects_frequencies=False,
        takes_cosines=True,
    )

    def __init__(
        self,
        *,
        max_margin: float = 0.5,
        scale: float = 30.0,
        class_counts: PerClass = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(class_counts=class_counts, **common)
        self.max_margin = number(max_margin, "max_margin")
        self.scale = number(scale, "scale", above=0.0)
        self.traits = replace(self.traits, logit_scale=self.scale)

    def derived(self) -> dict[str, np.ndarray]:
        counts = known_counts(self.class_counts, self)
        # a class without samples is never the true one; it gets the margin of the rarest
        margins = np.where(counts > 0, counts, counts[counts > 0].min()) ** -0.25
        return {"margins": self.max_margin * margins / margins.max()}

    def softmax_terms(self, y: Tensor, z: Tensor) -> Any:
        # probabilities are those of the scaled logits
        z = self.scale * z if self.from_logits else z
        return _cross_entropy(y, z - self.scale * y * self._value("margins", z))


def _log_prior(counts: np.ndarray) -> np.ndarray:
    return np.log(np.where(counts > 0, counts / counts.sum(), _LEAST_PRIOR))


def _cross_entropy(y: Tensor, z: Tensor) -> Any:
    return -ops.sum(y * ops.log_softmax(z, axis=-1), axis=-1)
