"""Correction of probabilities for class weights, resampling and focal loss; calibration error."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, softmax
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from skimb._types import Labels
from skimb.data.labels import checked_labels
from skimb.probability.checks import Floats, checked_proba


def correct_prior(
    proba: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    trained_prior: ArrayLike | None = None,
    true_prior: ArrayLike | None = None,
    multilabel: bool = False,
) -> Floats:
    """Correct probabilities for class weights, resampling or both, after training on a proper loss.

    The result is proportional to p_k / w_k * true_prior_k / trained_prior_k [1]_.

    Parameters
    ----------
    proba : array-like of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
        Probabilities. 1-D: those of the second of two classes.
    weights : array-like of shape (n_classes,) or (n_labels, 2), default=None
        Class weights in the loss, up to a factor. For `multilabel`, the weights of 0 and 1 of each
        label.
    trained_prior, true_prior : array-like of shape (n_classes,) or (n_labels, 2), default=None
        Proportions or counts of the classes in the training samples, and in the data to predict.
    multilabel : bool, default=False
        Whether the columns are independent labels.

    Returns
    -------
    ndarray of the shape of `proba`, float64
        Corrected probabilities. 0 stays 0, and 1 stays 1.

    Raises
    ------
    ValueError
        If there is nothing to correct, `proba` does not hold probabilities, or a weight or prior is
        not finite and > 0.

    References
    ----------
    .. [1] Elkan. "The Foundations of Cost-Sensitive Learning". IJCAI 2001.

    Examples
    --------
    >>> correct_prior([0.5, 0.9], [1, 9]).round(3)
    array([0.1, 0.5])
    """
    p = checked_proba(proba, multilabel)
    if (trained_prior is None) != (true_prior is None) or (weights is None and true_prior is None):
        raise ValueError(
            "correct_prior needs weights, or trained_prior and true_prior, or all three; got "
            f"weights={weights!r}, trained_prior={trained_prior!r}, true_prior={true_prior!r}."
        )
    shape = (p.shape[1], 2) if multilabel else (p.shape[1:] or (2,))
    shift, divisors = np.zeros(shape), {"weights": weights, "trained_prior": trained_prior}
    for name, values in (*divisors.items(), ("true_prior", true_prior)):
        factors = np.ones(shape) if values is None else np.asarray(values, dtype=np.float64)
        if factors.shape != shape or not (np.isfinite(factors) & (factors > 0)).all():
            raise ValueError(
                f"{name} must be finite and > 0, of shape {shape} for this proba, got {values!r}."
            )
        shift += -np.log(factors) if name in divisors else np.log(factors)
    if multilabel or p.ndim == 1:
        return expit(logit(p) + shift[..., 1] - shift[..., 0])
    with np.errstate(divide="ignore"):
        return softmax(np.log(p) + shift, axis=1)


def correct_focal(proba: ArrayLike, gamma: float, *, multilabel: bool = False) -> Floats:
    r"""Convert probabilities trained with focal loss, which is not proper, to posteriors [1]_.

    .. math:: \eta_k = \frac{h(p_k)}{\sum_j h(p_j)}, \quad
        h(v) = \frac{v}{(1-v)^\gamma - \gamma (1-v)^{\gamma-1} v \log v}

    Parameters
    ----------
    proba, multilabel
        See :func:`correct_prior`.
    gamma : float >= 0
        The focusing parameter of the loss; 0 is cross-entropy, which needs no correction.

    Returns
    -------
    ndarray of the shape of `proba`, float64
        Posteriors under the class weights of the loss. To correct for those too, apply
        :func:`correct_prior` to the result.

    Raises
    ------
    ValueError
        If `gamma` is not a finite number >= 0, or `proba` does not hold probabilities.

    References
    ----------
    .. [1] Charoenphakdee, Vongkulbhisal, Chairatanakul, Sugiyama. "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective". CVPR 2021.

    Examples
    --------
    >>> correct_focal([0.5, 0.7, 0.9], gamma=2).round(3)
    array([0.5  , 0.906, 0.997])
    """
    p = checked_proba(proba, multilabel)
    if isinstance(gamma, bool) or not isinstance(gamma, Real) or not 0 <= float(gamma) < np.inf:
        raise ValueError(f"gamma must be a finite number >= 0, got {gamma!r}.")
    if multilabel or p.ndim == 1:
        return expit(_log_focal(p, 1 - p, gamma) - _log_focal(1 - p, p, gamma))
    # only the largest in a row may be so close to 1 that 1 - p loses all precision
    others, largest = p.copy(), np.argmax(p, axis=1)[:, np.newaxis]
    np.put_along_axis(others, largest, 0.0, axis=1)
    rest = 1 - p
    np.put_along_axis(rest, largest, others.sum(axis=1, keepdims=True), axis=1)
    return softmax(_log_focal(p, rest, gamma), axis=1)


def expected_calibration_error(
    y: Labels, proba: ArrayLike, *, n_bins: int = 15, sample_weight: ArrayLike | None = None
) -> float:
    """Compute the expected calibration error (ECE) of binary probabilities [1]_.

    The larger of the two labels is the positive class. In each of the bins
    ((b - 1) / n_bins, b / n_bins], the first of which includes 0, the mean probability is compared
    with the fraction of positives. The absolute differences are averaged over the samples.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of two classes.
    proba : array-like of shape (n_samples,) or (n_samples, 2)
        Probabilities of the larger label, or of both.
    n_bins : int >= 1, default=15
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `y` does not have two classes, `proba` does not hold probabilities, or `n_bins` is not an
        int >= 1.

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger. "On Calibration of Modern Neural Networks". ICML 2017.

    Examples
    --------
    >>> expected_calibration_error([0, 0, 0, 1], [0.75, 0.75, 0.75, 0.75])
    0.5
    """
    labels, p = checked_labels(y), checked_proba(proba, multilabel=False)
    check_consistent_length(labels, p, sample_weight)
    if isinstance(n_bins, bool) or not isinstance(n_bins, Integral) or n_bins < 1:
        raise ValueError(f"n_bins must be an int >= 1, got {n_bins!r}.")
    known = np.unique(labels)
    if labels.ndim != 1 or len(known) != 2 or p.shape[1:] not in ((), (2,)):
        raise ValueError(
            f"y of shape {labels.shape} holds {known[:10].tolist()}, proba has the shape {p.shape}."
            " Accepted are labels of two classes, and (n_samples,) or (n_samples, 2)."
        )
    scores = p if p.ndim == 1 else p[:, 1]
    weight = _check_sample_weight(sample_weight, labels, ensure_non_negative=True)
    bins = np.maximum(np.ceil(scores * n_bins).astype(np.intp) - 1, 0)
    gaps = np.bincount(bins, weight * (scores - (labels == known[1])))
    return float(np.abs(gaps).sum() / weight.sum())


def _log_focal(v: Floats, rest: Floats, gamma: float) -> Floats:
    """Return log h(v), where `rest` is 1 - v in full precision."""
    rest = np.maximum(rest, np.finfo(np.float64).tiny)
    with np.errstate(divide="ignore"):
        log_v = np.where(v > 0.5, np.log1p(-np.minimum(rest, 0.5)), np.log(v))
    # v log(v) / rest goes to 0 as v goes to 0, and to -1 as v goes to 1
    ratio = np.where(v > 0, v, 0.0) * np.where(v > 0, log_v, 0.0) / rest
    return log_v - gamma * np.log(rest) - np.log1p(-gamma * ratio)
