"""Fixed-sequence testing of the precision of cuts, from the strictest one on."""

from __future__ import annotations

import math

import numpy as np

from skimb.probability.binomial import p_at_least
from skimb.probability.checks import Floats
from skimb.probability.cut_scores import TIED, Codes
from skimb.probability.rules import Rule, needed

# The first test flags this share of the number of positives. Simulated on pairs of Gaussians, later
# starts lose the rule where few positives have a high score, and earlier ones its recall, since a
# single negative among the first few ends the sequence. Splitting the error probability over two
# to eight starts found shorter sequences with fewer than 200 positives and no longer ones above.
_START = 0.1


def first_flagged(rule: Rule, positives: float) -> int:
    """Return the number of samples that the first cut to be tested flags."""
    return max(needed(rule), math.ceil(_START * positives))


def lowest_cut(
    n_samples: Codes,
    hits: Floats,
    sizes: Floats,
    positives: float,
    rule: Rule,
) -> int | None:
    r"""Return the least strict cut whose precision is significantly above that of a rule.

    Cuts are tested in the order of falling thresholds until one fails, each at the full error
    probability: fixed-sequence testing, as in Learn then Test [1]_. Of the m samples above a cut
    that is an order statistic of the scores, the hits are binomial with the precision in the
    population, whatever its value, so that the order of the tests is fixed before the labels are
    known. The probability that the precision of the result is below the promise is at most the
    error probability if the probability of a positive does not fall as the score rises, and about
    that otherwise.

    Parameters
    ----------
    n_samples : ndarray of shape (n_cuts,), int
        Samples that each cut flags, ascending.
    hits, sizes : ndarray of shape (n_cuts,), float64
        Positives among them, and samples, as effective numbers.
    positives : float
        Number of positives in total, of which a tenth is the number of samples that the first cut
        flags, or as many as can be significant at all.
    rule : Rule
        Of precision, with a confidence.

    Returns
    -------
    int or None
        Position of the cut; None if the first test fails.

    References
    ----------
    .. [1] Angelopoulos, Bates, Candès, Jordan, Lei. "Learn then Test: Calibrating Predictive
       Algorithms to Achieve Risk Control". 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.probability.fixed_sequence import lowest_cut
    >>> from skimb.probability.rules import Rule
    >>> truth = np.repeat([1, 0, 1, 0], [12, 1, 9, 40])
    >>> n = np.arange(len(truth) + 1)
    >>> hits = np.concatenate([[0], truth.cumsum()])
    >>> lowest_cut(n, hits, n, 21, Rule("precision", 0.8, 0.9))
    12
    """
    alpha = 1 - (rule.confidence or 0.0)
    start = int(np.searchsorted(n_samples, first_flagged(rule, positives)))
    p_values = p_at_least(hits[start:], sizes[start:], rule.value)
    failed = np.flatnonzero(p_values > alpha + TIED)
    length = int(failed[0]) if len(failed) else len(p_values)
    return start + length - 1 if length else None
