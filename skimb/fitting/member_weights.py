"""How much each setting of a cross-fitted ensemble counts in the mean that predicts."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp, softmax

from skimb.data.targets import Target
from skimb.probability.binomial import effective_size

# of draws from the distribution of the mean losses, and the weight below which a setting is dropped
_N_DRAWS, _LEAST_WEIGHT = 1000, 0.02

# Stacking starts from pseudo-BMA+, which counts as this many samples, with a share for every
# setting: on a table with nine positives stacking alone picks whichever setting was lucky. Of 1, 3,
# 10 and 30 the best on the tables that are chosen on, by .0001 to .0007 in average precision.
_STRENGTH, _LEAST_SHARE = 3.0, 1e-3


def stacking_weights(
    target: Target,
    codes: np.ndarray,
    logits: np.ndarray,
    class_weight: np.ndarray,
    sample_weight: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Return the weights of the settings with which their mean has the least held-out log loss.

    The settings are stacked [1]_: the weights are not those of the best setting but of the best
    mean. Settings of strong and of weak weight decay err in different ways, and often the mean is
    better than either. The logarithm of the weights, in the proportion of those of pseudo-BMA+,
    keeps them away from what only a few samples say.

    Parameters
    ----------
    target : Target
    codes : ndarray of int of shape (n_samples,) or (n_samples, n_labels)
    logits : ndarray of shape (n_samples, n_settings, n_outputs)
        Held out.
    class_weight : ndarray of shape (n_samples,) or (n_samples, n_labels)
        In the loss, apart from the sample weights.
    sample_weight : ndarray of shape (n_samples,)
        A sample of weight 2 counts as two samples. Weights with a smaller sum than their effective
        number of samples, such as those of sum 1, count as that many samples.
    seed : int

    Returns
    -------
    ndarray of shape (n_settings,)
        With the sum 1.

    References
    ----------
    .. [1] Y. Yao, A. Vehtari, D. Simpson, A. Gelman, "Using Stacking to Average Bayesian Predictive
       Distributions", Bayesian Analysis 13(3), 2018.
    """
    logits = logits.astype(np.float64)
    sample_weight = sample_weight * max(1.0, effective_size(sample_weight) / sample_weight.sum())
    losses = log_losses(target, codes, logits, class_weight)
    prior = pseudo_bma(losses, sample_weight, seed) + _LEAST_SHARE
    prior = prior / prior.sum()

    def objective(scores: np.ndarray) -> tuple[float, np.ndarray]:
        weights = softmax(scores)
        mean = np.einsum("nsu,s->nu", logits, weights)
        loss = sample_weight @ log_losses(target, codes, mean[:, None], class_weight)[:, 0]
        slope = (sample_weight * _residuals(target, codes, mean, class_weight).T).T
        of_weights = np.einsum("nu,nsu->s", slope, logits)
        of_scores = weights * (of_weights - weights @ of_weights) - _STRENGTH * (prior - weights)
        value = loss - _STRENGTH * prior @ np.log(np.maximum(weights, 1e-300))
        return float(value / sample_weight.sum()), of_scores / sample_weight.sum()

    found = minimize(objective, np.log(prior), jac=True, method="L-BFGS-B")
    weights = softmax(found.x)
    weights = np.where(weights < _LEAST_WEIGHT, 0.0, weights)
    return weights / weights.sum()


def pseudo_bma(losses: np.ndarray, sample_weight: np.ndarray, seed: int) -> np.ndarray:
    """Return how probable it is that each setting is the best: pseudo-BMA+ [1]_.

    The share of draws from the distribution of the mean losses in which a setting predicts best,
    by the likelihood of all samples. Drawn are means from their normal distribution, in the place
    of a bootstrap of the samples, so that a sample of weight 2 counts as two samples.

    Parameters
    ----------
    losses : ndarray of shape (n_samples, n_settings)
        Held-out log losses.
    sample_weight : ndarray of shape (n_samples,)
        Whose sum is the number of samples that they stand for.
    seed : int

    Returns
    -------
    ndarray of shape (n_settings,)
        With the sum 1.

    References
    ----------
    .. [1] Y. Yao, A. Vehtari, D. Simpson, A. Gelman, "Using Stacking to Average Bayesian Predictive
       Distributions", Bayesian Analysis 13(3), 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.fitting.member_weights import pseudo_bma
    >>> losses = np.array([[0.1, 0.5], [0.2, 0.4], [0.1, 0.6], [0.3, 0.3]] * 10)
    >>> pseudo_bma(losses, np.ones(40), seed=0).round(2)
    array([1., 0.])
    """
    n_samples = sample_weight.sum()
    share = sample_weight / n_samples
    mean = share @ losses
    apart = losses - mean
    spread = (apart * share[:, None]).T @ apart / n_samples
    values, vectors = np.linalg.eigh(spread)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    draws = np.random.RandomState(seed).standard_normal((_N_DRAWS, len(mean)))
    likelihood = -n_samples * (mean + draws @ root)
    chances = np.exp(likelihood - logsumexp(likelihood, axis=1, keepdims=True))
    return chances.mean(axis=0)


def log_losses(
    target: Target, codes: np.ndarray, logits: np.ndarray, class_weight: np.ndarray
) -> np.ndarray:
    """Return the log loss of each sample under each setting, of shape (n_samples, n_settings)."""
    found = np.empty(logits.shape[:2])
    for setting in range(logits.shape[1]):
        z = logits[:, setting].astype(np.float64)
        if target.kind == "multilabel":
            terms = -log_expit(np.where(codes == 1, z, -z))
            weight = class_weight if class_weight.ndim == 2 else class_weight[:, None]
            found[:, setting] = (weight * terms).sum(axis=1)
            continue
        log_p = target.log_probabilities(z)
        if target.kind == "candidates":
            of_row = -logsumexp(np.where(codes > 0, log_p, -np.inf), axis=1)
        else:
            of_row = -np.take_along_axis(log_p, codes[:, None], axis=1)[:, 0]
        found[:, setting] = class_weight * of_row
    return found


def _residuals(
    target: Target, codes: np.ndarray, logits: np.ndarray, class_weight: np.ndarray
) -> np.ndarray:
    """Return the derivative of each sample's log loss by its logits, (n_samples, n_outputs)."""
    if target.kind == "multilabel":
        apart = expit(logits) - codes
    else:
        log_p = target.log_probabilities(logits)
        if target.kind == "candidates":
            truth = softmax(np.where(codes > 0, log_p, -np.inf), axis=1)
        else:
            truth = np.eye(log_p.shape[1])[codes]
        apart = (np.exp(log_p) - truth)[:, -logits.shape[1] :]  # one logit is that of class 1
    return (class_weight.T * apart.T).T
