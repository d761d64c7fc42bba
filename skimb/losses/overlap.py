"""Losses of overlap between predicted and true masks: Dice, Tversky and their relatives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
from keras import ops

from skimb._types import Tensor
from skimb.losses.base import CommonArguments, ImbalancedLoss, number
from skimb.losses.batch import BatchLoss, both_classes, ratio
from skimb.losses.cross_entropy import CrossEntropy
from skimb.losses.images import ImageLoss, image_axes
from skimb.losses.traits import LossTraits


class _Overlap(ImageLoss):
    """Sums over the pixels of an image, or over the samples of a batch."""

    traits = replace(BatchLoss.traits, has_positive=True, numeric=("epsilon",))
    per_image = True

    def __init__(
        self,
        *,
        epsilon: float = 1e-5,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.epsilon = number(epsilon, "epsilon", above=0.0)

    def of_sums(self, both: Tensor, predicted: Tensor, true: Tensor) -> Any:
        """Return the loss of each image and class.

        Parameters
        ----------
        both, predicted, true : tensors of shape (n_images, K) or (1, L)
            Sums of p y, of p and of y.
        """
        raise NotImplementedError

    def of_batch(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Any:
        if self._kind(y_pred) == "pixels" and self.per_image:
            return super().of_batch(y_true, y_pred, sample_weight)
        return BatchLoss.of_batch(self, y_true, y_pred, sample_weight)

    def of_probabilities(self, y: Tensor, p: Tensor, weight: Tensor) -> Any:
        return ops.mean(self._of_pixels(y, p, weight, axis=tuple(range(y.ndim - 1))))

    def of_images(self, y: Tensor, outputs: Tensor, weight: Tensor, softmax: bool) -> Any:
        return self._of_pixels(y, outputs, weight, image_axes(y))

    def _of_pixels(self, y: Tensor, p: Tensor, weight: Tensor, axis: tuple[int, ...]) -> Any:
        """Return the mean over the classes of every image, or the one number of a batch."""
        weight = ops.broadcast_to(weight, ops.shape(y))
        sums = (ops.sum(weight * values, axis=axis) for values in (p * y, p, y))
        return ops.mean(self.of_sums(*sums), axis=-1)


@keras.saving.register_keras_serializable(package="skimb")
class Dice(_Overlap):
    r"""Dice loss, of each image and class for masks, of each label over the batch for samples.

    .. math:: 1 - \frac{2 \sum p y + \epsilon}{\sum p + \sum y + \epsilon}

    The losses of classes and images are averaged, so a small object counts as much as a large one.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Makes the loss of an empty mask 0 where nothing is predicted, and otherwise nearly 1. Of
        what is predicted in error, less than this in sum passes for nothing.
    per_image : bool, default=True
        Whether each image of a batch has a loss of its own. False sums over the pixels of the whole
        batch: an image without foreground then counts by its false positives alone, and not as
        much as one with foreground. Where many are empty, as patches of images with small lesions
        are, fewer false alarms are learnt.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`. Samples have one loss a batch.

    References
    ----------
    .. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: Fully Convolutional Neural Networks for
       Volumetric Medical Image Segmentation", 3DV 2016. https://arxiv.org/abs/1606.04797

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import Dice
    >>> mask = np.array([[[1, 0], [0, 0]]])
    >>> print(f"{float(Dice()(mask, np.zeros((1, 2, 2, 1), 'float32'))):.4f}")
    0.6667
    """

    traits = replace(_Overlap.traits, targets=("binary", "multilabel", "pixels"))

    def __init__(
        self,
        *,
        epsilon: float = 1e-5,
        per_image: bool = True,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(epsilon=epsilon, **common)
        self.per_image = bool(per_image)

    def of_sums(self, both: Tensor, predicted: Tensor, true: Tensor) -> Any:
        return 1.0 - (2.0 * both + self.epsilon) / (predicted + true + self.epsilon)


@keras.saving.register_keras_serializable(package="skimb")
class GeneralizedDice(_Overlap):
    r"""Generalised Dice loss: the classes of an image weigh by the inverse of their squared volume.

    .. math:: 1 - \frac{2 \sum_k v_k \sum p_k y_k}{\sum_k v_k \sum (p_k + y_k)},
        \quad v_k = \frac{1}{(\sum y_k)^2}

    A class that is not in the image gets the largest weight of those that are. Masks of one column
    have the background as their second class.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added above and below, relative to the weight of the smallest class.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    References
    ----------
    .. [1] C. H. Sudre, W. Li, T. Vercauteren, S. Ourselin, M. J. Cardoso, "Generalised Dice Overlap
       as a Deep Learning Loss Function for Highly Unbalanced Segmentations", DLMIA 2017.
       https://arxiv.org/abs/1707.03237

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import GeneralizedDice
    >>> mask = np.array([[[1, 0], [0, 0]]])
    >>> print(f"{float(GeneralizedDice()(mask, np.zeros((1, 2, 2, 1), 'float32'))):.4f}")
    0.6250
    """

    traits = replace(_Overlap.traits, targets=("pixels",))

    def __init__(
        self,
        *,
        epsilon: float = 1e-5,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(epsilon=epsilon, **common)

    def _of_pixels(self, y: Tensor, p: Tensor, weight: Tensor, axis: tuple[int, ...]) -> Any:
        return super()._of_pixels(*both_classes(y, p), weight, axis)

    def of_sums(self, both: Tensor, predicted: Tensor, true: Tensor) -> Any:
        present = true > 0.0
        # by the smallest class, whose weight is 1 then: squares of volumes may be huge
        largest = ops.max(true, axis=-1, keepdims=True)
        smallest = ops.min(ops.where(present, true, largest), axis=-1, keepdims=True)
        weight = ops.where(present, (smallest / ops.where(present, true, 1.0)) ** 2, 1.0)
        top = 2.0 * ops.sum(weight * both, axis=-1, keepdims=True) + self.epsilon
        bottom = ops.sum(weight * (predicted + true), axis=-1, keepdims=True) + self.epsilon
        return 1.0 - top / bottom


@keras.saving.register_keras_serializable(package="skimb")
class Tversky(_Overlap):
    r"""Tversky loss: Dice with a price for false positives and another for false negatives.

    .. math:: \left(1 - \frac{TP + \epsilon}{TP + \alpha FP + \beta FN + \epsilon}\right)^
        {\text{power}}

    with :math:`TP = \sum p y`, :math:`FP = \sum p (1 - y)` and :math:`FN = \sum (1 - p) y`.

    Parameters
    ----------
    alpha, beta : float, default=0.3, 0.7
        Price of false positives and of false negatives; 0.5 for both is Dice.
    power : float, default=1.0
        Exponent of the focal Tversky loss, in the paper 0.75.
    epsilon : float, default=1e-5
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    References
    ----------
    .. [1] S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky Loss Function for Image Segmentation
       Using 3D Fully Convolutional Deep Networks", MLMI 2017. https://arxiv.org/abs/1706.05721
    .. [2] N. Abraham, N. M. Khan, "A Novel Focal Tversky Loss Function with Improved Attention
       U-Net for Lesion Segmentation", ISBI 2019. https://arxiv.org/abs/1810.07842

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import Tversky
    >>> mask = np.array([[[1, 0], [0, 0]]])
    >>> print(f"{float(Tversky()(mask, np.zeros((1, 2, 2, 1), 'float32'))):.4f}")
    0.6154
    """

    traits = replace(
        _Overlap.traits,
        targets=("binary", "multilabel", "pixels"),
        numeric=("alpha", "beta", "power", "epsilon"),
    )

    def __init__(
        self,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        power: float = 1.0,
        epsilon: float = 1e-5,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(epsilon=epsilon, **common)
        self.alpha = number(alpha, "alpha")
        self.beta = number(beta, "beta")
        self.power = number(power, "power", above=0.0)

    def of_sums(self, both: Tensor, predicted: Tensor, true: Tensor) -> Any:
        errors = self.alpha * (predicted - both) + self.beta * (true - both)
        loss = ratio(errors, both + errors + self.epsilon)
        some = loss > 0.0  # a power of 0 has no gradient below 1
        return ops.where(some, ops.where(some, loss, 1.0) ** self.power, 0.0)


@keras.saving.register_keras_serializable(package="skimb")
class DiceCrossEntropy(ImbalancedLoss):
    r"""A mixture of Dice, which finds small objects, and cross-entropy, which trains steadily.

    .. math:: d \cdot \mathrm{Dice} + (1 - d) \cdot \mathrm{CrossEntropy}

    Parameters
    ----------
    dice_weight : float in [0, 1], default=0.5
        Share :math:`d` of the Dice loss.
    epsilon : float, default=1e-5
        See :class:`Dice`.
    per_image : bool, default=True
        See :class:`Dice`. :class:`~skimb.ImbalancedNNSegmenter` sets it to False by default.
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    References
    ----------
    .. [1] F. Isensee, P. F. Jaeger, S. A. A. Kohl, J. Petersen, K. H. Maier-Hein, "nnU-Net: a
       self-configuring method for deep learning-based biomedical image segmentation", Nature
       Methods 18, 2021. https://doi.org/10.1038/s41592-020-01008-z

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import DiceCrossEntropy
    >>> mask = np.array([[[1, 0], [0, 0]]])
    >>> print(f"{float(DiceCrossEntropy()(mask, np.zeros((1, 2, 2, 1), 'float32'))):.4f}")
    0.6799
    """

    traits = LossTraits(targets=("pixels",), has_positive=True, numeric=("dice_weight",))

    def __init__(
        self,
        *,
        dice_weight: float = 0.5,
        epsilon: float = 1e-5,
        per_image: bool = True,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.per_image = bool(per_image)
        self.dice_weight = number(dice_weight, "dice_weight", most=1.0)
        self.epsilon = number(epsilon, "epsilon", above=0.0)
        shared = {
            "from_logits": self.from_logits,
            "reduction": self.reduction,
            "dtype": common.get("dtype"),
        }
        self._dice = Dice(epsilon=epsilon, per_image=per_image, target="pixels", **shared)
        self._cross_entropy = CrossEntropy(target="pixels", **shared)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Any:
        """Return the loss of a batch; `sample_weight` has a weight an image or a pixel."""
        dice = self._dice(y_true, y_pred, sample_weight)
        cross_entropy = self._cross_entropy(y_true, y_pred, sample_weight)
        return self.dice_weight * dice + (1.0 - self.dice_weight) * cross_entropy

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        return self(y_true, y_pred)
