"""Exact tests and intervals of a proportion."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, ndtri
from scipy.stats import beta

from skimb.probability.checks import Floats


class Interval(NamedTuple):
    """A score with its confidence interval.

    Attributes
    ----------
    score, low, high : float
        NaN where the score is undefined, such as the precision where no sample is flagged.
    """

    score: float
    low: float
    high: float


def p_at_least(hits: ArrayLike, n: ArrayLike, share: float) -> Floats:
    """Return P(Binomial(n, share) >= hits), the p-value of "the proportion is at most `share`".

    Effective sizes need not be integers: it is the continuous form, by the incomplete beta
    function, of the one-sided bound of Clopper and Pearson.
    """
    hits, n = np.broadcast_arrays(np.asarray(hits, np.float64), np.asarray(n, np.float64))
    counted = hits > 0
    a, b = np.where(counted, hits, 1.0), np.where(counted, n - hits + 1, 1.0)
    return np.where(counted, betainc(a, b, share), 1.0)


def p_at_most(hits: ArrayLike, n: ArrayLike, share: float) -> Floats:
    """Return P(Binomial(n, share) <= hits), the p-value of "the proportion is at least `share`"."""
    hits, n = np.asarray(hits, np.float64), np.asarray(n, np.float64)
    return p_at_least(n - hits, n, 1 - share)


def lower_bound(hits: float, n: float, confidence: float) -> float:
    """Return the one-sided lower bound of a proportion by Clopper and Pearson."""
    return float(beta.ppf(1 - confidence, hits, n - hits + 1)) if hits > 0 else 0.0


def upper_bound(hits: float, n: float, confidence: float) -> float:
    """Return the one-sided upper bound of a proportion by Clopper and Pearson."""
    return 1 - lower_bound(n - hits, n, confidence)


def wilson(share: float, n: float, confidence: float) -> Interval:
    """Return the two-sided interval of a proportion by Wilson.

    Parameters
    ----------
    share : float
        The observed proportion.
    n : float
        Number of samples, or their effective number.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    Interval
        NaN if there is no sample.

    References
    ----------
    .. [1] Brown, Cai, DasGupta. "Interval Estimation for a Binomial Proportion". Statistical
       Science 16 (2), 2001.

    Examples
    --------
    >>> from skimb.probability.binomial import wilson
    >>> [round(value, 2) for value in wilson(0.9, 30, 0.95)]
    [0.9, 0.74, 0.97]
    """
    if not n > 0:
        return Interval(np.nan, np.nan, np.nan)
    low, high = wilson_bounds(share, n, confidence)
    return Interval(float(share), float(low), float(high))


def wilson_bounds(share: ArrayLike, n: ArrayLike, confidence: float) -> tuple[Floats, Floats]:
    """Return the ends of the same interval for arrays of proportions, each of n > 0 samples."""
    share, n = np.asarray(share, np.float64), np.asarray(n, np.float64)
    z = float(ndtri((1 + confidence) / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # rounding must not exclude an observed proportion of 0 or 1
    low, high = np.maximum(0.0, centre - half), np.minimum(1.0, centre + half)
    return np.minimum(low, share), np.maximum(high, share)


def effective_size(weight: Any) -> float:
    """Return (sum w)^2 / sum w^2, the number of equally weighted samples of the same variance."""
    total = np.square(weight).sum()
    return float(np.square(np.sum(weight)) / total) if total > 0 else 0.0
