"""Decisions of least expected cost, and the cost of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from skimb._types import Label, Labels
from skimb._warnings import warn_user
from skimb.data.labels import checked_labels
from skimb.probability.checks import Floats
from skimb.probability.predictions import classes_of, codes_of, columns_of, position_of

Costs = ArrayLike | Mapping[str, ArrayLike]

# cost[true, predicted] of two classes, the positive one last
_OUTCOMES = {"tn": (0, 0), "fp": (0, 1), "fn": (1, 0), "tp": (1, 1)}


def min_cost(p: ArrayLike, costs: Costs, *, positive: int = 1) -> NDArray[np.intp]:
    r"""Decide for the class of least expected cost [1]_.

    .. math:: \arg\min_j \sum_k p_k \, \text{cost}[k, j]

    It is the best decision if the probabilities are those of the population. Probabilities of a
    network trained with class weights or resampling need :func:`correct_prior` first, and no
    class weights are needed for the costs.

    Parameters
    ----------
    p : array-like of shape (n_samples,) or (n_samples, n_classes)
        Probabilities. 1-D: those of the positive class.
    costs : array-like of shape (n_classes, n_classes) or (n_samples, n_classes, n_classes), or dict
        ``costs[true, predicted]``, for all samples or for each. Or of two classes a dict such as
        ``{"fp": 1, "fn": 20}``, also with ``"tp"`` and ``"tn"``, which are 0 by default. Each
        is a number or an array of shape (n_samples,). A negative cost is a gain.
    positive : int, default=1
        Position of the positive one of two classes. With 1-D `p` it is the class that these are
        probabilities of.

    Returns
    -------
    ndarray of shape (n_samples,), int
        Positions of classes. Of equal expected costs, the first.

    Raises
    ------
    ValueError
        If the costs are not finite, their shape does not match, or `p` does not hold
        probabilities.

    Warns
    -----
    UserWarning
        If a class is never predicted because another costs at most as much whatever is true.

    References
    ----------
    .. [1] Elkan. "The Foundations of Cost-Sensitive Learning". IJCAI 2001.

    Examples
    --------
    A miss costs twenty false alarms, so that the threshold is 1/21:

    >>> from skimb.probability import min_cost
    >>> min_cost([0.01, 0.04, 0.06, 0.9], {"fp": 1, "fn": 20})
    array([0, 0, 1, 1])

    A check of a payment costs 5, a fraud its amount:

    >>> min_cost([0.1, 0.1], {"fp": 5, "tp": 5, "fn": [20, 400]})
    array([0, 1])

    Of three classes:

    >>> costs = [[0, 1, 1], [1, 0, 1], [10, 10, 0]]
    >>> min_cost([[0.8, 0.15, 0.05], [0.7, 0.1, 0.2]], costs)
    array([0, 2])
    """
    proba = columns_of(p, positive)
    matrix = cost_matrix(costs, proba.shape[1], len(proba), positive)
    if matrix.ndim == 2:
        warn_of_dominated(matrix)
    return np.argmin(expected_costs(proba, matrix), axis=1)


def expected_costs(proba: Floats, matrix: Floats) -> Floats:
    """Return the expected cost of predicting each class.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
    matrix : ndarray of shape (n_classes, n_classes) or (n_samples, n_classes, n_classes)
        As :func:`cost_matrix` returns it.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
    """
    if matrix.ndim == 2:
        return proba @ matrix
    return np.einsum("nk,nkj->nj", proba, matrix)


def cost_matrix(
    costs: Costs, n_classes: int, n_samples: int | None = None, positive: int = 1
) -> Floats:
    """Return costs as an array of cost[true, predicted].

    Parameters
    ----------
    costs : array-like or dict
        See :func:`min_cost`.
    n_classes : int
    n_samples : int or None, default=None
        None where costs of each sample are not accepted, as before the samples are known.
    positive : int, default=1
        Position of the positive one of two classes.

    Returns
    -------
    ndarray of shape (n_classes, n_classes) or (n_samples, n_classes, n_classes), float64

    Raises
    ------
    ValueError
        If costs are not finite, all equal, or of another shape.

    Examples
    --------
    >>> from skimb.probability.costs import cost_matrix
    >>> cost_matrix({"fp": 1, "fn": 20}, 2, positive=0)
    array([[ 0., 20.],
           [ 1.,  0.]])
    """
    values = (
        _of_outcomes(costs, n_classes, positive)
        if isinstance(costs, Mapping)
        else np.array(costs, dtype=np.float64)
    )
    square = (n_classes, n_classes)
    shapes = [square] if n_samples is None else [square, (n_samples, *square)]
    if values.shape not in shapes:
        of_two = ' or a dict such as {"fp": 1, "fn": 20}' if n_classes == 2 else ""
        each = "" if n_samples is None else f", {(n_samples, *square)} for costs of each sample"
        raise ValueError(
            f"costs has the shape {values.shape}, but there are {n_classes} classes. Accepted are "
            f"{square}, cost[true, predicted]{each}{of_two}."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            "costs must be finite, got NaN or infinity. For a class that must not be missed take "
            "a high cost, such as 1000 times the others, or the threshold rule {'recall': 0.99}."
        )
    if values.ndim == 2 and (values == values[:, :1]).all():
        raise ValueError(
            f"costs={costs!r} does not depend on the prediction, so that no decision is better "
            "than another. In costs[true, predicted] a row holds the costs of the predictions for "
            "one true class."
        )
    return values


def warn_of_dominated(matrix: Floats) -> None:
    """Warn of a class that costs of shape (n_classes, n_classes) never predict."""
    for k, column in enumerate(matrix.T):
        others = [
            other
            for other, values in enumerate(matrix.T)
            if other != k and (values <= column).all()
        ]
        # of two equal columns, the second is never predicted
        others = [o for o in others if o < k or (matrix[:, o] < column).any()]
        if others:
            warn_user(
                f"costs: the class at position {k} is never predicted, since predicting "
                f"{others[0]} costs at most as much whatever is true. costs[true, predicted] has "
                "the true classes as rows; is it transposed, or are these gains, to be negated?"
            )
            return


def expected_cost(
    y: Labels,
    p_or_labels: ArrayLike,
    costs: Costs,
    *,
    sample_weight: ArrayLike | None = None,
    pos_label: Label = None,
    classes: ArrayLike | None = None,
) -> float:
    """Compute the mean cost of decisions for labelled samples.

    As a score for searches: ``make_scorer(expected_cost, greater_is_better=False, costs=costs)``.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        True labels.
    p_or_labels : array-like of shape (n_samples,) or (n_samples, n_classes)
        Predicted labels, or probabilities, for which :func:`min_cost` decides. A 1-D array whose
        entries are all among the classes holds labels, otherwise probabilities of the positive
        class.
    costs : array-like or dict
        See :func:`min_cost`.
    sample_weight : array-like of shape (n_samples,), default=None
    pos_label : label, default=None
        The positive one of two classes, by default the last in the order of `classes`.
    classes : array-like of shape (n_classes,), default=None
        Labels in the order of the costs. By default those in `y` and among the predicted labels,
        sorted.

    Returns
    -------
    float
        Cost per sample.

    Raises
    ------
    ValueError
        If shapes do not match, a label is not among the classes, or costs are not valid.

    See Also
    --------
    cost_savings : The share of the cost that is saved.

    Examples
    --------
    >>> from skimb.probability import expected_cost
    >>> expected_cost(["ok", "bad", "ok", "ok"], ["ok", "ok", "ok", "bad"], {"fp": 1, "fn": 20},
    ...               pos_label="bad")
    5.25
    >>> expected_cost([0, 1, 0, 0], [0.01, 0.04, 0.02, 0.1], {"fp": 1, "fn": 20})
    5.25
    """
    codes, decisions, matrix, weight = _decisions(
        y, p_or_labels, costs, sample_weight, pos_label, classes
    )
    return _mean_cost(codes, decisions, matrix, weight)


def cost_savings(
    y: Labels,
    p_or_labels: ArrayLike,
    costs: Costs,
    *,
    sample_weight: ArrayLike | None = None,
    pos_label: Label = None,
    classes: ArrayLike | None = None,
) -> float:
    """Compute the share of the cost that decisions save, against the best constant decision [1]_.

    Parameters
    ----------
    y, p_or_labels, costs, sample_weight, pos_label, classes
        See :func:`expected_cost`.

    Returns
    -------
    float
        At most 1 if no cost is negative; 0 for decisions that cost as much as predicting for all
        samples the class with the least cost, and negative for those that cost more.

    Raises
    ------
    ValueError
        As :func:`expected_cost`, and if the best constant decision costs nothing or less, so that
        there is no share of it.

    References
    ----------
    .. [1] Bahnsen, Aouada, Ottersten. "Example-Dependent Cost-Sensitive Decision Trees". Expert
       Systems with Applications 42 (19), 2015.

    Examples
    --------
    >>> from skimb.probability import cost_savings
    >>> cost_savings([0, 1, 0, 0], [0, 1, 0, 1], {"fp": 1, "fn": 20})
    0.6666666666666667
    """
    codes, decisions, matrix, weight = _decisions(
        y, p_or_labels, costs, sample_weight, pos_label, classes
    )
    constant = min(
        _mean_cost(codes, np.full_like(codes, k), matrix, weight) for k in range(matrix.shape[-1])
    )
    if constant <= 0:
        raise ValueError(
            f"The best constant decision costs {constant:.4g}, of which no share can be saved. "
            "Compare expected_cost, or add the same number to all costs of a true class so that "
            "none is negative."
        )
    return 1 - _mean_cost(codes, decisions, matrix, weight) / constant


def _mean_cost(
    codes: NDArray[np.intp], decisions: NDArray[np.intp], matrix: Floats, weight: Floats
) -> float:
    each = (
        matrix[codes, decisions]
        if matrix.ndim == 2
        else matrix[np.arange(len(codes)), codes, decisions]
    )
    return float(np.average(each, weights=weight))


def _decisions(
    y: Labels,
    p_or_labels: ArrayLike,
    costs: Costs,
    sample_weight: ArrayLike | None,
    pos_label: Label,
    classes: ArrayLike | None,
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats, Floats]:
    """Return the true and the decided positions, the costs and the weights."""
    labels, given = checked_labels(y), np.asarray(p_or_labels)
    check_consistent_length(labels, given, sample_weight)
    if labels.ndim != 1:
        raise ValueError(
            f"y has the shape {labels.shape}. Costs are of classes that exclude each other, so "
            "accepted are labels of shape (n_samples,). Sum the costs of the columns instead."
        )
    known, proba = classes_of(labels, given, classes)
    positive = position_of(pos_label, known)
    matrix = cost_matrix(costs, len(known), len(labels), positive)
    codes = codes_of(labels, known, "y")
    if proba:
        p = columns_of(given, positive, len(known))
        decisions = np.argmin(expected_costs(p, matrix), axis=1)
    else:
        decisions = codes_of(given, known, "p_or_labels")
    return codes, decisions, matrix, _check_sample_weight(sample_weight, labels, dtype=np.float64)


def _of_outcomes(costs: Mapping[str, Any], n_classes: int, positive: int) -> Floats:
    unknown = [key for key in costs if key not in _OUTCOMES]
    if n_classes != 2 or unknown or not {"fp", "fn"} <= set(costs):
        raise ValueError(
            f"costs={dict(costs)!r} is not accepted for {n_classes} classes. Of two classes a dict "
            "must have the costs 'fp' and 'fn', and may have 'tp' and 'tn'; of more pass a matrix "
            "cost[true, predicted] of shape (n_classes, n_classes)."
        )
    values = {key: np.asarray(costs.get(key, 0.0), dtype=np.float64) for key in _OUTCOMES}
    try:
        shape = np.broadcast_shapes(*(value.shape for value in values.values()))
    except ValueError as error:
        shapes = {key: value.shape for key, value in values.items()}
        raise ValueError(
            f"costs has values of the shapes {shapes}. Each must be a number, or an array with one "
            "for each sample."
        ) from error
    matrix = np.empty((*shape, 2, 2))
    for key, (true, predicted) in _OUTCOMES.items():
        matrix[..., true, predicted] = values[key]
    return matrix if positive == 1 else matrix[..., ::-1, ::-1]
