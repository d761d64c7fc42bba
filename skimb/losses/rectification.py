"""Class rectification: the hardest samples of a batch, mined for its minority classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from skimb._types import PerClass, Tensor
from skimb.losses.base import CommonArguments, known_counts, number, one_of, per_class
from skimb.losses.batch import BatchLoss, ratio


@keras.saving.register_keras_serializable(package="skimb")
class ClassRectification(BatchLoss):
    r"""Class rectification loss for multiclass and multilabel targets.

    .. math:: \alpha L_\text{crl} + (1 - \alpha) L_\text{ce}, \quad \alpha = \eta \Omega, \quad
        \Omega = \sum_k \frac{n_{\max} - n_k}{K n_{\max}}

    Every sample of a minority class of the batch is an anchor. It is compared with the samples of
    its class that are the hardest to recognise, and with the samples of other classes that are the
    hardest to tell from it.

    *Minority classes* are the longest run of the rarest classes in a batch that together have at
    most `rho` of its samples, those with a single sample left out; of equally rare classes, the
    first comes first. Every label of a multilabel target is an attribute of its own with two
    values, the rarer of which (1 if they are equal) may be a minority.

    *Mining.* ``level="class"`` compares the probability p(c) of the anchor's class: hard positives
    are the `kappa` other samples of the class with the lowest, hard negatives the `kappa` samples
    of other classes with the highest; the distances are :math:`d_+ = |p_a(c) - p_+(c)|` and
    :math:`d_- = p_a(c) - p_-(c)`. ``level="instance"`` compares the features before the last
    layer by Euclidean distance: the farthest samples of the class, the closest of others.

    *Comparison.* ``"relative"`` is the mean of :math:`\max(0, m + d_+ - d_-)` over all triplets of
    an anchor, a positive and a negative; ``"absolute"`` is half the sum of the means of
    :math:`d_+^2` and of :math:`\max(0, m - d_-)^2`; ``"distribution"`` is the probability that a
    positive distance is larger than a negative one, from histograms of both.

    Parameters
    ----------
    level : {"class", "instance"}, default="class"
        With ``"instance"``, `y_pred` has the logits in its first columns and the features in the
        others. The estimators see to it; elsewhere see :func:`skimb.networks.with_features`.
    comparison : {"relative", "absolute", "distribution"}, default="relative"
    kappa : int, default=3
        Hard samples of each kind for an anchor.
    rho : float in (0, 1], default=0.5
        Largest share of a batch that its minority classes have together.
    eta : float, default=0.01
        Strength :math:`\eta`.
    margin : float, default=0.5
        The margin :math:`m`.
    alpha : float in [0, 1] or None, default=None
        Share of the rectification; None is :math:`\eta \Omega`, at most 1, for multilabel targets
        one of each label.
    n_bins : int, default=100
        Bins of the histograms. They span the distances that probabilities can have, or those of
        the features in the batch.
    class_counts : array-like of shape (K,) or (2, n_labels) or None, default=None
        Samples per class in the training set, for `alpha`. The estimators fill it in.
    target, from_logits, name, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    A batch without a minority class is left with :math:`(1 - \alpha) L_\text{ce}`. Weights multiply
    the cross-entropy and the anchors; samples are mined without them. Memory grows with the square
    of the batch size, times the number of labels.

    References
    ----------
    .. [1] Q. Dong, S. Gong, X. Zhu, "Class Rectification Hard Mining for Imbalanced Deep Learning",
       ICCV 2017. https://arxiv.org/abs/1712.03162
    .. [2] Q. Dong, S. Gong, X. Zhu, "Imbalanced Deep Learning by Minority Class Incremental
       Rectification", TPAMI 2018. https://arxiv.org/abs/1804.10851

    Examples
    --------
    Samples 3 and 4 are of the minority class 1. They are each other's hard positive, and the
    negative with the largest p(1) is row 2.

    >>> import numpy as np
    >>> from skimb.losses import ClassRectification
    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.5, 0.5], [0.2, 0.8]], "float32")
    >>> loss = ClassRectification(kappa=1, alpha=1.0, target="multiclass", from_logits=False)
    >>> print(f"{float(loss(np.array([0, 0, 0, 1, 1]), p)):.4f}")  # ((.5+.3-.1) + (.5+.3-.4)) / 2
    0.5500
    """

    traits = replace(
        BatchLoss.traits, targets=("multiclass", "multilabel"), numeric=("rho", "eta", "margin")
    )

    def __init__(
        self,
        *,
        level: str = "class",
        comparison: str = "relative",
        kappa: int = 3,
        rho: float = 0.5,
        eta: float = 0.01,
        margin: float = 0.5,
        alpha: float | None = None,
        n_bins: int = 100,
        class_counts: PerClass = None,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.level = one_of(level, "level", ("class", "instance"))
        comparisons = ("relative", "absolute", "distribution")
        self.comparison = one_of(comparison, "comparison", comparisons)
        self.kappa = _integer(kappa, "kappa", 1)
        self.rho = number(rho, "rho", above=0.0, most=1.0)
        self.eta = number(eta, "eta")
        self.margin = number(margin, "margin")
        self.alpha = None if alpha is None else number(alpha, "alpha", most=1.0)
        self.n_bins = _integer(n_bins, "n_bins", 2)
        self.class_counts = per_class(class_counts, "class_counts")
        self.traits = replace(self.traits, takes_features=self.level == "instance")

    def numeric_values(self) -> dict[str, np.ndarray]:
        return {**super().numeric_values(), "alpha": self._share()}

    def _share(self) -> Any:
        if self.alpha is not None:
            return self.alpha
        counts = known_counts(self.class_counts, self)
        largest = counts.max(axis=0)
        imbalance = ((largest - counts) / np.where(largest > 0, largest, 1.0)).mean(axis=0)
        return np.minimum(self.eta * imbalance, 1.0)

    def of_batch(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Any:
        features = None
        if self.traits.takes_features:
            n_logits = self._n_logits(y_true, y_pred)
            y_pred, features = y_pred[:, :n_logits], y_pred[:, n_logits:]
        y, z, softmax = self.canonical(y_true, y_pred)
        weight = self._weight(sample_weight, y, softmax)
        alpha = ops.convert_to_tensor(self._share(), dtype=z.dtype)
        expected = (z.shape[-1],) if softmax else (2, z.shape[-1])
        if self.class_counts is not None and np.shape(self.class_counts) != expected:
            raise ValueError(
                f"class_counts has the shape {np.shape(self.class_counts)}, but for the network's "
                f"outputs it has to be {expected}."
            )
        if softmax:
            cross_entropy = -ops.sum(y * ops.log_softmax(z, axis=-1), axis=-1, keepdims=True)
            anchors, same, scores = _of_classes(y, ops.softmax(z, axis=-1), self.rho)
        else:
            cross_entropy = -y * ops.log_sigmoid(z) - (1.0 - y) * ops.log_sigmoid(-z)
            anchors, same, scores = _of_labels(y, ops.sigmoid(z), self.rho)
        # one value for all classes, or one of each label
        cross_entropy = ops.mean(weight * cross_entropy, axis=0)
        rectification = self._rectification(anchors * weight, same, scores, features)
        return ops.mean(alpha * rectification + (1.0 - alpha) * cross_entropy)

    def _n_logits(self, y_true: Tensor, y_pred: Tensor) -> int:
        columns = y_true.shape[-1] if y_true.ndim == 2 else 1
        if columns == 1:  # class codes
            columns = np.shape(known_counts(self.class_counts, self))[-1]
        if columns >= y_pred.shape[-1]:
            raise ValueError(
                f"level='instance' needs the features behind {columns} logits, but y_pred has "
                f"{y_pred.shape[-1]} columns. Train skimb.networks.with_features(model)."
            )
        return int(columns)

    def _rectification(
        self, anchor_weight: Tensor, same: Tensor, scores: Tensor, features: Tensor
    ) -> Any:
        """Return the rectification of each attribute.

        Parameters
        ----------
        anchor_weight : tensor of shape (n, A)
            Weight of a sample as an anchor of an attribute, 0 if it is none.
        same : tensor of bool of shape (n, A, n)
            Whether the other sample (last axis) has the anchor's value of the attribute.
        scores : tensor of shape (n, A, n)
            Probability of the anchor's value for the other sample.
        features : tensor of shape (n, F) or None

        Returns
        -------
        tensor of shape (A,)
        """
        rows = ops.arange(ops.shape(same)[0])
        own = ops.reshape(rows, (-1, 1, 1)) == rows
        positives = ops.logical_and(same, ops.logical_not(own))
        negatives = ops.logical_not(same)
        if features is None:
            anchor_score = ops.sum(ops.where(own, scores, 0.0), axis=-1, keepdims=True)
            lowest, has_near = _largest(-scores, positives, self.kappa)
            highest, has_far = _largest(scores, negatives, self.kappa)
            d_pos, d_neg = ops.abs(anchor_score + lowest), anchor_score - highest
            low, high = (ops.cast(limit, scores.dtype) for limit in (-1.0, 1.0))
        else:
            # By products, distances of samples far from the origin lose their digits. They are good
            # enough to choose samples by once the mean is taken off; distances of those chosen are
            # computed from their differences.
            features = features - ops.stop_gradient(ops.mean(features, axis=0))
            distance = ops.expand_dims(_distances(features), 1)
            far_rows, has_near = _rows_of_largest(distance, positives, self.kappa)
            near_rows, has_far = _rows_of_largest(-distance, negatives, self.kappa)
            anchor = ops.expand_dims(ops.expand_dims(features, 1), 1)
            d_pos = _root(ops.sum(ops.square(anchor - ops.take(features, far_rows, axis=0)), -1))
            d_neg = _root(ops.sum(ops.square(anchor - ops.take(features, near_rows, axis=0)), -1))
            low, high = ops.zeros((), scores.dtype), ops.max(distance)
        anchor_weight = ops.expand_dims(anchor_weight, -1)
        w_pos = anchor_weight * ops.cast(has_near, scores.dtype)
        w_neg = anchor_weight * ops.cast(has_far, scores.dtype)
        if self.comparison == "relative":
            hinge = ops.maximum(
                self.margin + ops.expand_dims(d_pos, -1) - ops.expand_dims(d_neg, -2), 0.0
            )
            triplet = ops.expand_dims(w_pos, -1) * ops.expand_dims(
                ops.cast(has_far, scores.dtype), -2
            )
            return ratio(ops.sum(triplet * hinge, axis=(0, 2, 3)), ops.sum(triplet, axis=(0, 2, 3)))
        if self.comparison == "absolute":
            hinge = ops.maximum(self.margin - d_neg, 0.0)
            return 0.5 * (_mean(ops.square(d_pos), w_pos) + _mean(ops.square(hinge), w_neg))
        below = ops.cumsum(self._histogram(d_neg, w_neg, low, high), axis=-1)
        return ops.sum(self._histogram(d_pos, w_pos, low, high) * below, axis=-1)

    def _histogram(self, distance: Tensor, weight: Tensor, low: Tensor, high: Tensor) -> Any:
        """Return shares of the distances per bin, each between the two bins it lies between."""
        top = self.n_bins - 1
        span = ops.where(high > low, high - low, ops.ones_like(high))
        place = ops.clip((distance - low) / span * top, 0.0, top)
        bins = ops.arange(self.n_bins, dtype=distance.dtype)
        kernel = ops.maximum(1.0 - ops.abs(ops.expand_dims(place, -1) - bins), 0.0)
        total = ops.expand_dims(ops.sum(weight, axis=(0, 2)), -1)
        return ratio(ops.sum(ops.expand_dims(weight, -1) * kernel, axis=(0, 2)), total)


def _of_classes(y: Tensor, p: Tensor, rho: PerClass) -> tuple[Any, Any, Any]:
    """Return anchors, same-class samples and scores for classes that exclude each other.

    A sample has one class, so there is one attribute and the anchor's class is that of its sample.
    """
    n_rows = ops.cast(ops.shape(y)[0], y.dtype)
    counts = ops.sum(y, axis=0)
    order = ops.argsort(counts, axis=0)
    sorted_counts = ops.take(counts, order, axis=0)
    fits = ops.cumsum(sorted_counts, axis=0) <= _room(rho, n_rows)
    minority = ops.logical_and(fits, sorted_counts >= 2.0)
    # back from the places in the order to the classes
    minority = ops.take(ops.cast(minority, y.dtype), ops.argsort(order, axis=0), axis=0)
    anchors = ops.sum(y * minority, axis=-1, keepdims=True)
    codes = ops.argmax(y, axis=-1)
    same = ops.expand_dims(codes, 1) == codes
    scores = ops.transpose(ops.take(p, codes, axis=1))
    return anchors, ops.expand_dims(same, 1), ops.expand_dims(scores, 1)


def _room(rho: PerClass, n_rows: Tensor) -> Any:
    return rho * n_rows * (1.0 + 1e-6)  # 0.29 of 100 samples are 29, however floats round them


def _of_labels(y: Tensor, p: Tensor, rho: PerClass) -> tuple[Any, Any, Any]:
    """Return anchors, same-value samples and scores for independent labels, an attribute each."""
    n_rows = ops.cast(ops.shape(y)[0], y.dtype)
    ones = ops.sum(y, axis=0)
    one_is_rare = ones <= n_rows - ones
    rare = ops.where(one_is_rare, y, 1.0 - y)
    score = ops.where(one_is_rare, p, 1.0 - p)
    counts = ops.sum(rare, axis=0)
    minority = ops.logical_and(counts >= 2.0, counts <= _room(rho, n_rows))
    anchors = rare * ops.cast(minority, y.dtype)
    # anchors have the rare value, so the samples of the same value are those that have it
    shape = (ops.shape(y)[0], y.shape[-1], ops.shape(y)[0])
    same = ops.broadcast_to(ops.expand_dims(ops.transpose(rare) > 0.5, 0), shape)
    scores = ops.broadcast_to(ops.expand_dims(ops.transpose(score), 0), shape)
    return anchors, same, scores


def _largest(values: Tensor, mask: Tensor, k: int) -> tuple[Any, Any]:
    """Return the k largest values of the last axis that count, and which of the k there are."""
    top, _, found = _top(values, mask, k)
    return ops.where(found, top, 0.0), found


def _rows_of_largest(values: Tensor, mask: Tensor, k: int) -> tuple[Any, Any]:
    """Return where the k largest values are, and which of the k there are."""
    _, rows, found = _top(values, mask, k)
    return ops.minimum(rows, ops.shape(mask)[0] - 1), found


def _top(values: Tensor, mask: Tensor, k: int) -> tuple[Any, Any, Any]:
    values = ops.where(mask, values, ops.cast(-np.inf, values.dtype))
    # room for k, should the batch be smaller
    values = ops.pad(values, ((0, 0), (0, 0), (0, k)), constant_values=-np.inf)
    top, rows = ops.top_k(values, k)
    return top, rows, top > -np.inf


def _distances(features: Tensor) -> Any:
    squares = ops.sum(ops.square(features), axis=-1)
    product = ops.matmul(features, ops.transpose(features))
    return _root(ops.expand_dims(squares, 1) + ops.expand_dims(squares, 0) - 2.0 * product)


def _root(square: Tensor) -> Any:
    some = square > 0.0  # the root has no gradient at 0
    return ops.where(some, ops.sqrt(ops.where(some, square, 1.0)), 0.0)


def _mean(values: Tensor, weight: Tensor) -> Any:
    return ratio(ops.sum(weight * values, axis=(0, 2)), ops.sum(weight, axis=(0, 2)))


def _integer(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}={value!r} has to be an integer of at least {least}.")
    return int(value)
