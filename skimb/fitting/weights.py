"""The weights of a fit: from the counts of the classes to a weight for each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting.counts import ClassCounts
from skimb.fitting.parameters import FitParameters, WeightScheme
from skimb.fitting.plan import Plan
from skimb.weighting import (
    class_weights_from_counts,
    label_weights_from_counts,
    median_frequency_from_counts,
    pos_weights_from_counts,
)


@dataclass(frozen=True)
class ClassWeights:
    """Weights of the classes, and the counts they are applied to.

    Attributes
    ----------
    table : ndarray of shape (n_classes,) or (n_labels, 2), float64
        The weight of each class, or of 0 and 1 for each label.
    training_counts : ndarray of shape (n_classes,) or (n_labels, 2), float64
        Summed sample weights of the classes as the batches show them: after resampling and
        balancing.
    n_training : int
        Number of samples or pixels that these sums are over.
    prior : ndarray of the shape of `training_counts`
        The weight of each class outside of training: of the samples, or by `class_prior`.
    pos_weight : float, ndarray of shape (n_labels,) or None
        The weight of the positives that is part of the table.
    """

    table: np.ndarray
    training_counts: np.ndarray
    n_training: int
    prior: np.ndarray
    pos_weight: float | np.ndarray | None = None

    @property
    def vary(self) -> bool:
        """Whether there are different weights."""
        return bool(np.ptp(self.table) > 0)

    @property
    def trained_prior(self) -> np.ndarray:
        """The weight of each class in training, up to a factor; the shape of the table."""
        return self.training_counts * self.table

    def by_label(self, classes: np.ndarray) -> dict[Any, float] | np.ndarray:
        """Return the weights as the attribute `class_weight_` has them."""
        if self.table.ndim == 2:
            return self.table
        return dict(zip(classes.tolist(), self.table.tolist(), strict=True))

    def of_samples(self, codes: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
        """Return the weight of each sample in the loss, with mean 1 over all that are trained on.

        Parameters
        ----------
        codes : ndarray of shape (n,), (n, n_labels), or (n, n_classes) for candidates
        sample_weight : ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (n,), or (n, n_labels) where the labels' weights differ
        """
        return weights_of_samples(
            self.table, codes, sample_weight, self.training_counts, self.n_training
        )

    def of_samples_unweighted(self, codes: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
        """Return what `of_samples` would without class weights, of shape (n,)."""
        ones = np.ones_like(self.table)
        return weights_of_samples(ones, codes, sample_weight, self.training_counts, self.n_training)


def weights_of_samples(
    table: np.ndarray, codes: np.ndarray, sample_weight: np.ndarray, weighted: np.ndarray, n: int
) -> np.ndarray:
    """Return class weights times sample weights, with mean 1 over n samples of these counts."""
    # weights may be as large or as small as floats get, only their ratios count
    mean_weight = weighted.sum() / n / (1 if weighted.ndim == 1 else len(weighted))
    sample_weight, weighted = sample_weight / mean_weight, weighted / mean_weight
    if table.ndim == 1:
        # several candidates have the mean of their weights
        of_class = table[codes] if codes.ndim == 1 else codes @ table / codes.sum(axis=1)
        weights = of_class * sample_weight
        total = (weighted * table).sum()
    else:
        weights = np.where(codes == 1, table[:, 1], table[:, 0]) * sample_weight[:, np.newaxis]
        total = (weighted * table).sum() / len(table)
        if np.all(table == table[0, 0]):
            weights = weights[:, 0]
    return weights * (n / total) if total else weights


def class_weights_of(
    params: FitParameters,
    plan: Plan,
    target: Target,
    counts: ClassCounts,
    resampled: Samples,
    so_far: ClassWeights | None = None,
    training_counts: np.ndarray | None = None,
) -> ClassWeights:
    """Return the weights that follow from the classes as the batches show them.

    Parameters
    ----------
    params, plan, target
    counts : ClassCounts
        Of the training samples before resampling.
    resampled : Samples
        Those trained on, after resampling.
    so_far : ClassWeights or None, default=None
        Of earlier chunks.
    training_counts : ndarray of shape (n_classes,) or (n_labels, 2), or None, default=None
        Summed sample weights of the classes as batches show them, of a stream of which `resampled`
        is a sample. None counts them in it.

    Raises
    ------
    ValueError
        If weights or a prior are not accepted.
    """
    if target.kind == "reconstruction":
        return ClassWeights(np.ones(2), counts.weighted, counts.n_samples, counts.weighted)
    prior = prior_counts(params.class_prior, target, counts)
    n_training = len(resampled) if params.sampler is not None else counts.n_samples
    balanced = params.batching == "balanced"
    if training_counts is None:
        frequency, weight = plan.batches.row_frequency, resampled.weight
        if frequency is not None:
            weight = (weight.T * frequency).T
        training_counts = target.counts(resampled.y, weight)
    if so_far is not None:
        training_counts = training_counts + so_far.training_counts
    as_resampled = params.class_prior is None or balanced or params.sampler is not None
    known, scheme = training_counts if as_resampled else prior, plan.class_weight
    if target.per_pixel and isinstance(scheme, str) and scheme == "median_frequency":
        # of a stream, the images of the chunk
        by_image = target.counts_of_images(resampled.y, resampled.weight)  # type: ignore[attr-defined]
        scheme = median_frequency_from_counts(by_image)
    positive, power = counts.positive_class, plan.weight_power
    pos_weight = pos_weight_used(target, known, scheme, params.pos_weight, power, positive)
    table = class_weight_used(target, known, scheme, pos_weight, power, positive)
    return ClassWeights(table, training_counts, n_training, prior, pos_weight)


def prior_counts(class_prior: Any, target: Target, counts: ClassCounts) -> np.ndarray:
    """Return the weight of each class outside of training: of the samples, or by `class_prior`.

    Returns
    -------
    ndarray of shape (n_classes,) or (n_labels, 2), float64
    """
    if class_prior is None:
        return counts.weighted
    prior = np.asarray(class_prior, dtype=np.float64)
    expected = counts.weighted.shape[:1]
    of_labels = target.kind == "multilabel"
    one_each = prior.shape == expected and np.all((prior > 0) & (prior < 1))
    if not one_each or (not of_labels and abs(prior.sum() - 1) > 1e-6):
        raise ValueError(
            f"class_prior={class_prior!r} is not accepted. It has to be one share above 0 "
            f"and below 1 for each of {expected[0]} classes, with the sum 1, or for each label."
        )
    if of_labels:
        prior = np.column_stack([1.0 - prior, prior])
    return prior * counts.weighted.sum(axis=-1, keepdims=True)


def pos_weight_used(
    target: Target,
    counts: np.ndarray,
    class_weight: WeightScheme,
    pos_weight: Any,
    power: float,
    positive: int,
) -> float | np.ndarray | None:
    """Return the weight of the positives that the parameter `pos_weight` amounts to.

    Parameters
    ----------
    target : Target
    counts : ndarray of shape (n_classes,) or (n_labels, 2)
        Summed sample weights.
    class_weight, pos_weight, power
        The parameters ``class_weight``, ``pos_weight`` and ``weight_power``.
    positive : int
        Position of the positive one of two classes.

    Returns
    -------
    float, ndarray of shape (n_labels,) or None
        None if `pos_weight` is None.

    Raises
    ------
    ValueError
        If both kinds of weight are set, the target has more than two classes, or the numbers are
        not accepted.
    """
    if pos_weight is None:
        return None
    # Two schemes balance twice, and two numbers are one number. Costs of the user's own on top of
    # pos_weight="balanced" are neither; scikit-learn's checks set them on any estimator.
    costs_on_top = isinstance(pos_weight, str) and not isinstance(class_weight, str)
    if class_weight is not None and not costs_on_top:
        raise ValueError(
            f"pos_weight={pos_weight!r} and class_weight={class_weight!r} weight the same thing "
            "twice. Set class_weight=None, or leave it at 'auto', to use pos_weight, or set "
            "pos_weight=None."
        )
    if target.kind not in ("binary", "multilabel"):
        raise ValueError(
            f"Only binary classification is supported with pos_weight={pos_weight!r} (and "
            f"indicator targets), but y has {len(target.classes_)} classes. Use class_weight."
        )
    negatives, positives = counts.T
    if target.kind == "binary":
        negatives, positives = counts[1 - positive], counts[positive]
    if isinstance(pos_weight, str):
        given = pos_weights_from_counts(negatives, positives)
    else:
        given = np.asarray(pos_weight, dtype=np.float64)
        accepted = given.shape in ((), np.shape(negatives))
        if not (accepted and np.all(np.isfinite(given)) and np.all(given > 0)):
            n_labels = np.size(negatives)
            raise ValueError(
                f"pos_weight={pos_weight!r} is not accepted. It has to be 'balanced', a finite "
                f"number above 0, or one such number for each of {n_labels} labels."
            )
    weights = np.broadcast_to(given, np.shape(negatives)) ** power
    return float(weights) if weights.ndim == 0 else weights


def class_weight_used(
    target: Target,
    counts: np.ndarray,
    class_weight: WeightScheme,
    pos_weight: float | np.ndarray | None,
    power: float,
    positive: int,
) -> np.ndarray:
    """Return the weights of the classes, or of 0 and 1 for each label.

    Parameters
    ----------
    target, counts, class_weight, power, positive
        As in :func:`pos_weight_used`.
    pos_weight : float, ndarray or None
        What :func:`pos_weight_used` returned.

    Returns
    -------
    ndarray of shape (n_classes,) or (n_labels, 2), float64
    """
    if target.kind == "multilabel":
        negatives, positives = counts.T
        table = label_weights_from_counts(negatives, positives, class_weight, power=power)
        if pos_weight is not None:
            table[:, 1] *= pos_weight
        return table
    weights = class_weights_from_counts(target.classes_, counts, class_weight, power=power)
    table = np.array(list(weights.values()), dtype=np.float64)
    if pos_weight is not None:
        table[positive] *= float(pos_weight)
    return table
