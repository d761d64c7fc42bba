"""Which class a fitted classifier is asked about, and from which score on it is predicted."""

from __future__ import annotations

from typing import Any

import numpy as np

from skimb.estimators.predictions import NetworkClassifier as Predictions
from skimb.plotting.panels import THRESHOLD_CLASSIFIERS, nested


def positive_class(pos_label: Any, part: Any, y: np.ndarray, names: list[Any]) -> int:
    """Return the position of the class, or of the label, that is positive.

    Parameters
    ----------
    pos_label : label or None
        None is the foreground of masks, the class whose F1 is the score of an estimator of skimb,
        and for other classifiers the rarer one in y.
    part : estimator
        Fitted.
    y : ndarray
        Labels, an indicator matrix, or masks.
    names : list
        What `pos_label` may be: classes, or labels of an indicator matrix.

    Raises
    ------
    ValueError
        If `pos_label` is none of the names.
    """
    classes = np.asarray(part.classes_).tolist()
    if pos_label is not None:
        for known in (names, classes):
            if pos_label in known:
                return known.index(pos_label)
        raise ValueError(
            f"pos_label={pos_label!r} is none of the classes or labels {names}. Pass the column of "
            "an indicator target, or the class of two that is to be positive."
        )
    background = getattr(part, "background_", None)
    if background is not None and len(classes) == 2:  # the foreground, also where it is common
        return 1 - classes.index(background)
    if isinstance(part, Predictions) and y.ndim <= 2:
        return part._scored_class(y)
    if hasattr(part, "minority_class_"):
        return classes.index(part.minority_class_)
    if y.ndim == 2:
        return int(np.argmin(y.sum(axis=0)))
    counts = [np.sum(y == label) for label in classes]
    # of equal ones the last, which is the positive class elsewhere
    return len(counts) - 1 - int(np.argmin(counts[::-1]))


def threshold_of(
    estimator: Any, X: Any, proba: np.ndarray, positive: int, *, label: bool
) -> float | None:
    """Return from which probability of the positive class on it is predicted, if there is one.

    Parameters
    ----------
    estimator : estimator
        Fitted; a pipeline, a search or scikit-learn's classifiers of a threshold around a
        classifier, or that itself.
    X : {array-like, data frame, sparse matrix}
    proba : ndarray
        What the estimator says of X.
    positive : int
        Position of the class or label.
    label : bool
        Whether it is one of several labels, which have a threshold each.
    """
    for wrapper in nested(estimator):
        if isinstance(wrapper, THRESHOLD_CLASSIFIERS):
            return _outer_threshold(wrapper, estimator.predict(X), proba, positive)
    part = nested(estimator)[-1]
    if not isinstance(part, Predictions):
        return None
    threshold: Any = part.threshold_
    if label:
        return float(threshold[positive] if isinstance(threshold, np.ndarray) else threshold)
    return float(threshold) if positive == 1 else _from_the_other(float(threshold))


def _outer_threshold(
    wrapper: Any, predicted: np.ndarray, proba: np.ndarray, positive: int
) -> float | None:
    threshold = getattr(wrapper, "best_threshold_", None)
    if threshold is None:
        threshold = 0.5 if wrapper.threshold == "auto" else wrapper.threshold
    # it may be of the probability of either class, or of a decision function; what is predicted
    # tells, and what does not go with it is no mark
    for column in (1, 0):
        if np.array_equal(predicted == wrapper.classes_[column], proba[:, column] >= threshold):
            return float(threshold) if column == positive else _from_the_other(float(threshold))
    return None


def _from_the_other(threshold: float) -> float:
    # a class takes what is below the threshold of the other, and not what is at it
    return float(np.nextafter(1.0 - threshold, np.inf))
