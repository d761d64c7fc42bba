"""The positive class of a fitted classifier, and the threshold that it is predicted from."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skimb._types import Estimator, Features, Label
from skimb.metrics.scored_class import scored_class
from skimb.plotting.estimators import THRESHOLD_CLASSIFIERS, is_segmenter, nested


def position_of(pos_label: Label, *accepted: list[Any]) -> int:
    """Return the position of a label in the first of some lists that has it."""
    for labels in accepted:
        if pos_label in labels:
            return labels.index(pos_label)
    raise ValueError(
        f"pos_label={pos_label!r} is not among the classes or labels {accepted[0]}. Pass the name "
        "or position of a column of an indicator target, or one of two classes."
    )


def positive_class(part: Estimator, y: np.ndarray) -> int:
    """Return the position of the class of two that is positive by default.

    It is the foreground of masks, the class whose F1 is the score of an estimator of skimb, and
    for other classifiers the rarer class in y.
    """
    classes = np.asarray(part.classes_).tolist()
    if is_segmenter(part):  # also where the foreground is the common class
        return 1 - classes.index(part.background_)
    if hasattr(part, "minority_class_"):
        pos_label = getattr(part, "pos_label_", part.minority_class_)
        if getattr(part, "pos_label", None) is not None:
            return classes.index(pos_label)
        return scored_class(classes, part.class_counts_, pos_label, y)
    # of equally common classes the second, as for scikit-learn's scores
    return int(np.sum(y == classes[1]) <= np.sum(y == classes[0]))


def label_thresholds(part: Estimator, n_labels: int) -> list[float | None]:
    """Return the threshold of each label of an indicator target, None where there is none."""
    threshold = _threshold_of(part)
    return [None] * n_labels if threshold is None else np.full(n_labels, threshold).tolist()


def class_threshold(
    estimator: BaseEstimator, X: Features, proba: np.ndarray, positive: int
) -> float | None:
    """Return the smallest probability that one of two classes is predicted from, if there is one.

    `proba` are the probabilities that the estimator predicts for X.
    """
    parts = nested(estimator)
    for wrapper in parts:
        if isinstance(wrapper, THRESHOLD_CLASSIFIERS):
            return _outer_threshold(wrapper, estimator.predict(X), proba, positive)
    threshold = _threshold_of(parts[-1])
    if threshold is None:
        return None
    return _for_class(positive, float(threshold), _decided_for(parts[-1]))


def rule_of(estimator: BaseEstimator, positive: int | None = None) -> dict[str, float] | None:
    """Return the rule that a threshold was chosen by, None for another threshold or class.

    Parameters
    ----------
    estimator : estimator
    positive : int or None, default=None
        Position of the class that is drawn; None for the labels of an indicator target.
    """
    parts = nested(estimator)
    report = getattr(parts[-1], "decision_report_", None)
    if report is None or any(isinstance(part, THRESHOLD_CLASSIFIERS) for part in parts):
        return None
    if positive is not None and positive != _decided_for(parts[-1]):
        return None
    reports = report.values() if isinstance(report, dict) else [report]
    return next((one.chosen_by for one in reports if isinstance(one.chosen_by, dict)), None)


def _decided_for(part: Estimator) -> int:
    """Return the position of the class that is predicted from ``threshold_`` on."""
    classes = np.asarray(part.classes_).tolist()
    return (
        1 - classes.index(part.background_)
        if is_segmenter(part)
        else classes.index(part.pos_label_)
    )


def _threshold_of(part: Estimator) -> Any:
    # of other packages the attribute may be another threshold, and with costs there is none
    return getattr(part, "threshold_", None) if hasattr(part, "minority_class_") else None


def _outer_threshold(
    wrapper: Estimator, predicted: np.ndarray, proba: np.ndarray, positive: int
) -> float | None:
    threshold = getattr(wrapper, "best_threshold_", None)
    if threshold is None:
        threshold = 0.5 if wrapper.threshold == "auto" else wrapper.threshold
    # It may be a threshold on the probability of either class or on a decision function. The
    # predictions tell which, and one on a decision function is not drawn among probabilities.
    for column in (1, 0):
        if np.array_equal(predicted == wrapper.classes_[column], proba[:, column] >= threshold):
            return _for_class(positive, float(threshold), column)
    return None


def _for_class(positive: int, threshold: float, column: int) -> float:
    """Convert a threshold on the probability of one of two classes to one of the positive class."""
    # a class is predicted below the threshold of the other, and not at it
    return threshold if positive == column else float(np.nextafter(1.0 - threshold, np.inf))
