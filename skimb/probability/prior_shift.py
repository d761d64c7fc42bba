"""Estimation of the class frequencies of new, unlabelled samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skimb._warnings import warn_user
from skimb.probability.checks import Floats, checked_proba

# EM may take many steps where classes overlap, of a matrix product each
_MOST_STEPS, _TOLERANCE = 20_000, 1e-9


def estimate_prior(p: ArrayLike, prior: ArrayLike) -> Floats:
    r"""Estimate the class frequencies of samples whose labels are unknown [1]_.

    Where the frequencies of the classes have changed since the training, but the samples within a
    class have not, it maximises the likelihood of the samples by expectation maximisation:

    .. math:: q_k \leftarrow \frac{1}{n} \sum_i
        \frac{p_{ik} \, q_k / \pi_k}{\sum_j p_{ij} \, q_j / \pi_j}

    Pass the result as ``true_prior`` to :func:`correct_prior`, with `prior` as ``trained_prior``.
    The probabilities have to be calibrated on samples with the frequencies `prior`.

    Parameters
    ----------
    p : array-like of shape (n_samples,) or (n_samples, n_classes)
        Probabilities of the new samples. 1-D: those of the second of two classes.
    prior : float, or array-like of shape (n_classes,)
        Proportions or counts of the classes for which `p` was calibrated. A float is the
        proportion of the second of two classes.

    Returns
    -------
    ndarray of shape (n_classes,), float64
        Proportions that sum to 1. They equal `prior` where the probabilities are the same for all
        samples and equal to it, since they then have no information.

    Raises
    ------
    ValueError
        If `p` does not hold probabilities, or a prior is not finite and > 0.

    Warns
    -----
    UserWarning
        If the classes overlap so much that it has not converged.

    References
    ----------
    .. [1] Saerens, Latinne, Decaestecker. "Adjusting the Outputs of a Classifier to New a Priori
       Probabilities: A Simple Procedure". Neural Computation 14 (1), 2002.

    Examples
    --------
    Probabilities for classes of equal size, where one of five is positive now:

    >>> from skimb.probability import estimate_prior
    >>> estimate_prior([0.05, 0.1, 0.05, 0.02, 0.95], 0.5).round(2)
    array([0.83, 0.17])
    """
    proba = checked_proba(p, multilabel=False, name="p")
    if proba.ndim == 1:
        proba = np.column_stack([1 - proba, proba])
    old = _checked_prior(prior, proba.shape[1])
    likelihood = proba / old
    # rows may be scaled freely; the largest is 1, so that nothing overflows
    likelihood /= likelihood.max(axis=1, keepdims=True)
    new = old
    for _ in range(_MOST_STEPS):
        joint = likelihood @ new
        step = new * (likelihood / joint[:, np.newaxis]).mean(axis=0)
        step /= step.sum()
        change = np.abs(step - new) / np.maximum(new, _TOLERANCE)
        new = step
        if change.max() < _TOLERANCE:
            return new
    warn_user(
        f"estimate_prior has not converged: the last of {_MOST_STEPS} steps changed a proportion "
        f"by {change.max():.1e} of its value. The classes overlap too much in p, or a class is "
        "absent from the samples. Take more samples."
    )
    return new


def _checked_prior(prior: ArrayLike, n_classes: int) -> Floats:
    values = np.asarray(prior, dtype=np.float64)
    if values.ndim == 0 and n_classes == 2:
        values = np.array([1 - float(values), float(values)])
    if values.shape != (n_classes,) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"prior must hold a finite proportion or count > 0 for each of {n_classes} classes, or "
            f"for two classes the proportion of the second, between 0 and 1; got {prior!r}."
        )
    return values / values.sum()
