"""Prediction sets that cover every class: class-conditional conformal prediction."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from skimb._types import Label, Labels
from skimb._warnings import warn_user
from skimb.data.labels import checked_labels
from skimb.probability.binomial import effective_size
from skimb.probability.checks import Floats
from skimb.probability.predictions import classes_of, codes_of, columns_of, position_of


def set_thresholds(
    y: Labels,
    p: ArrayLike,
    coverage: float = 0.9,
    *,
    sample_weight: ArrayLike | None = None,
    pos_label: Label = None,
    classes: ArrayLike | None = None,
) -> Floats:
    r"""Find the probability from which each class is in a prediction set.

    Sets with the classes of at least this probability contain the true class of a new sample with
    a probability of at least `coverage`, whatever that class is: of the rare class too, which sets
    that cover on average may miss [1]_. Of the n probabilities that the samples of a class have for
    it, it is the one in position :math:`\lfloor (n + 1) (1 - \text{coverage}) \rfloor` of the
    sorted.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    p : array-like of shape (n_samples,) or (n_samples, n_classes)
        Probabilities of samples that the classifier was not trained on, such as out-of-fold
        probabilities. They need not be calibrated. 1-D: those of the positive class.
    coverage : float, default=0.9
        Between 0 and 1.
    sample_weight : array-like of shape (n_samples,), default=None
        n is the effective number (sum w)^2 / sum w^2 of samples of the class, and the coverage
        that of the weighted samples, approximately.
    pos_label : label, default=None
        The class that 1-D probabilities are of, by default the last.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `p`, by default those in `y`, sorted.

    Returns
    -------
    ndarray of shape (n_classes,), float64
        0 for a class with fewer than coverage / (1 - coverage) samples, such as 9 for 0.9, which
        is then in every set.

    Raises
    ------
    ValueError
        If `coverage` is not between 0 and 1, `p` does not hold probabilities, or the shapes do not
        match.

    Warns
    -----
    UserWarning
        If a class is in every set because it has too few samples.

    See Also
    --------
    prediction_sets : Applies them.

    Notes
    -----
    The coverage is exact over the draw of exchangeable samples. With out-of-fold probabilities of
    one ensemble it is that of cross-conformal prediction, which in practice is close to it.

    References
    ----------
    .. [1] Vovk. "Conditional Validity of Inductive Conformal Predictors". Machine Learning 92,
       2013.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.probability import prediction_sets, set_thresholds
    >>> y = np.repeat(["ok", "bad"], [20, 10])
    >>> p = np.concatenate([np.linspace(0, 0.6, 20), np.linspace(0.2, 0.95, 10)])
    >>> limits = set_thresholds(y, p, 0.8, pos_label="bad")
    >>> limits.round(2)
    array([0.28, 0.49])
    >>> prediction_sets([0.1, 0.4, 0.9], limits, positive=0)
    array([[False,  True],
           [ True,  True],
           [ True, False]])
    """
    if isinstance(coverage, bool) or not isinstance(coverage, Real) or not 0 < coverage < 1:
        raise ValueError(
            f"coverage must be a number between 0 and 1, got {coverage!r}. With 1 all classes are "
            "in every set."
        )
    labels, given = checked_labels(y), np.asarray(p, dtype=np.float64)
    check_consistent_length(labels, given, sample_weight)
    if labels.ndim != 1:
        raise ValueError(
            f"y has the shape {labels.shape}. Sets are of classes that exclude each other, so "
            "accepted are labels of shape (n_samples,)."
        )
    known = classes_of(labels, given, np.unique(labels) if classes is None else classes)[0]
    positive = position_of(pos_label, known)
    proba = columns_of(given, positive, len(known))
    codes = codes_of(labels, known, "y")
    weight = _check_sample_weight(sample_weight, labels, dtype=np.float64, ensure_non_negative=True)
    limits = np.zeros(len(known))
    always = []
    for k in range(len(known)):
        own = (codes == k) & (weight > 0)
        limits[k] = _lower_quantile(proba[own, k], weight[own], float(coverage))
        if (effective_size(weight[own]) + 1) * (1 - coverage) < 1 - 1e-9:
            always.append(known[k].item() if hasattr(known[k], "item") else known[k])
    if always:
        least = math.ceil(coverage / (1 - coverage) - 1e-9)
        warn_user(
            f"The classes {always} are in every prediction set: coverage {coverage:g} needs at "
            f"least {least} samples of a class. Lower the coverage, or add samples of them."
        )
    return limits


def prediction_sets(p: ArrayLike, thresholds: ArrayLike, *, positive: int = 1) -> NDArray[np.bool_]:
    """Return the classes whose probability is at least that of :func:`set_thresholds`.

    Parameters
    ----------
    p : array-like of shape (n_samples,) or (n_samples, n_classes)
        Probabilities. 1-D: those of the positive class.
    thresholds : array-like of shape (n_classes,)
    positive : int, default=1
        Position of the class that 1-D probabilities are of.

    Returns
    -------
    ndarray of shape (n_samples, n_classes), bool
        A set may hold several classes, and may be empty: of both samples the classifier cannot
        decide at this coverage. An empty one has no class whose probability is as high as samples
        of that class have it.

    Raises
    ------
    ValueError
        If `thresholds` does not have a number for each class.

    Examples
    --------
    >>> from skimb.probability import prediction_sets
    >>> prediction_sets([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], [0.4, 0.3, 0.1])
    array([[ True, False,  True],
           [False,  True,  True]])
    """
    proba, limits = columns_of(p, positive), np.asarray(thresholds, dtype=np.float64)
    if limits.shape != proba.shape[1:] or not np.isfinite(limits).all():
        raise ValueError(
            f"thresholds={thresholds!r} must be a finite number for each of the "
            f"{proba.shape[1]} classes in p, as set_thresholds returns them."
        )
    return proba >= limits


def _lower_quantile(proba: Floats, weight: Floats, coverage: float) -> float:
    """Return the highest limit below which at most the error probability lies."""
    n = effective_size(weight)
    order = np.argsort(proba, kind="stable")
    if not len(order):
        return 0.0
    below = np.cumsum(weight[order]) / weight.sum() * n
    left_out = (n + 1) * (1 - coverage) + 1e-9
    # the position of the sorted, counted from 1, is that of the last with so much mass up to it
    position = int(np.searchsorted(below, left_out, side="right"))
    return float(proba[order][position - 1]) if position else 0.0
