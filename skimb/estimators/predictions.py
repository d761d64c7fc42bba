"""Methods of the classifier of samples: labels by threshold or cost, sets of labels, the score."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skimb._types import Estimator, Features, Labels, SampleWeight
from skimb.data.columns import warn_of_other_rows
from skimb.data.labels import checked_labels, in_order_of_columns
from skimb.data.streams import is_stream
from skimb.estimators.arguments import explained
from skimb.estimators.containers import check_complete
from skimb.estimators.reading import weight_argument
from skimb.estimators.streams import check_beside_stream, predicted
from skimb.fitting.labelled import costs_in_order
from skimb.metrics.scored_class import scored_class
from skimb.metrics.scorers import Snapshot, scorer_for
from skimb.probability.costs import Costs, cost_matrix
from skimb.probability.sets import prediction_sets, set_thresholds


def model_inputs(self: Estimator, X: Features) -> Any:
    """Return samples as ``model_`` takes them.

    Parameters
    ----------
    X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

    Returns
    -------
    {ndarray, sparse matrix} of shape (n_samples, ...), or a dict or list of them
        A table with categories or missing values has other columns than X: those of numbers,
        with the mean where a value is missing; indicators of the columns that had missing
        values in `fit`; and the one-hot categories.
    """
    X = self._features(X)
    return self._state.model_inputs(X)


@explained
def predict(self: Estimator, X: Features, costs: Costs | None = None) -> np.ndarray:
    """Return the predicted class, by `threshold_` or `costs`; by default the most probable one.

    Parameters
    ----------
    X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
    costs : array-like of shape (n_classes, n_classes) or (n_samples, n_classes, n_classes), dict \
            or None, default=None
        Costs of these samples, cost[true, predicted] in the order of ``classes_``, in the place of
        those of the estimator and of its threshold. Of two classes also a dict such as ``{"fp": 5,
        "tp": 5, "fn": amounts}`` about ``pos_label_``, of numbers or arrays of shape (n_samples,).
        In a pipeline ``set_predict_request(costs=True)`` routes them.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_labels)

    Raises
    ------
    ValueError
        If costs are not accepted, y was an indicator matrix, or the loss has no closed form for
        the probabilities of the population, see `prior_correction`.
    """
    logits = self._logits(X)
    state = self._state
    if costs is None:
        return state.decision.decode(logits)
    if state.target.kind == "multilabel":
        raise ValueError(
            "costs are of classes that exclude each other, but y was an indicator matrix, whose "
            "labels do not. Compare the probability of each label with fp / (fp + fn) of what a "
            "false positive and a false negative cost, with prior_correction=True."
        )
    costs = costs_in_order(costs, state.target)
    matrix = cost_matrix(
        costs, len(state.target.classes_), len(logits), state.counts.positive_class
    )
    return state.decision.cheapest(logits, matrix)


def predict_set(self: Estimator, X: Features, coverage: float = 0.9) -> np.ndarray:
    """Return the classes that may be the true one: class-conditional conformal sets [1]_.

    Of the samples of each class, the rare one too, the share `coverage` or more has its class in
    the set. Where the classifier is sure, a set holds one class; where it cannot decide at this
    coverage, several; it is empty for a sample that is unlike those of every class. The
    probabilities of the samples that members held out in `fit` say from which probability a class
    is in the set, see :func:`skimb.probability.set_thresholds`.

    Parameters
    ----------
    X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
    coverage : float, default=0.9
        Between 0 and 1.

    Returns
    -------
    ndarray of shape (n_samples, n_classes), bool
        In the order of ``classes_``.

    Raises
    ------
    ValueError
        If no samples were held out by members (``cv=None``), labels do not exclude each other, or
        `coverage` is not between 0 and 1.

    Warns
    -----
    UserWarning
        If a class is in every set because it has too few samples.

    References
    ----------
    .. [1] Vovk. "Conditional Validity of Inductive Conformal Predictors". Machine Learning 92,
       2013.
    """
    check_is_fitted(self)
    state, held_out = self._state, self._state.held_out
    target = state.target
    if target.kind not in ("binary", "multiclass"):
        raise ValueError(
            "predict_set returns sets of classes of which exactly one is true, but y was an "
            "indicator matrix. Fit a classifier for each column, or for the class of each sample."
        )
    if held_out is None:
        raise ValueError(
            "predict_set needs probabilities of samples that members of the network held out, and "
            f"this estimator was fitted without (cv={self.cv!r}). Fit with cv=5, or pass held-out "
            "samples to skimb.probability.set_thresholds and prediction_sets."
        )
    known = held_out.known
    limits = set_thresholds(
        target.labels(held_out.codes[known]),
        state.decision.probabilities(held_out.logits[known]),
        coverage,
        sample_weight=held_out.weight[known],
        classes=target.classes_,
    )
    return prediction_sets(self.predict_proba(X), limits)


@explained
def score(
    self: Estimator, X: Features, y: Labels = None, sample_weight: SampleWeight = None
) -> float:
    """Return the F1 of the minority class, or what `scoring` names; not the accuracy.

    The minority class is that of the training samples, or `pos_label` if that is set. Where a
    sampler has balanced those but not y, it is that of y: neither class of the training samples
    is below a third then, and one of y is. More than two classes and indicator targets give the
    macro-F1.

    Parameters
    ----------
    X : {array-like, data frame, sparse matrix} of shape (n_samples, ...), or stream
    y : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
        Needed unless X is a stream of batches (X, y) or (X, y, sample_weight).
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    float
    """
    check_is_fitted(self)
    if is_stream(X):
        check_beside_stream("score", y=y, sample_weight=sample_weight)
        if callable(self.scoring):
            raise TypeError(
                f"scoring={self.scoring!r} takes all samples, which a stream does not hold. Set "
                "scoring to a name such as 'f1', or pass arrays."
            )
        logits, y, sample_weight = predicted(self._logits, X, with_labels=True)
    else:
        check_complete("score", X, y is not None)
        warn_of_other_rows(X, y=y, sample_weight=sample_weight)
        logits = None
    weight = weight_argument(sample_weight, X if logits is None else logits, self._state.schema)
    y = in_order_of_columns(y, self._state.schema.label_names)
    if callable(self.scoring):
        return float(self.scoring(self, X, y, **weight))
    logits = self._logits(X) if logits is None else logits
    y, target, decision = checked_labels(y), self._state.target, self._state.decision
    if target.kind == "candidates":
        ones = np.ones(len(logits))
        y, logits, _ = target.for_scores(target.codes(y), logits, ones, decision.decode)
    counts = self._state.counts
    positive = counts.positive_class
    if target.kind == "binary" and self.pos_label is None:
        rare = target.classes_[positive]
        positive = scored_class(target.classes_, counts.unweighted, rare, y)
    scorer = scorer_for(self.scoring, target, positive)
    return float(scorer(Snapshot(decision, logits), X, y, **weight))
