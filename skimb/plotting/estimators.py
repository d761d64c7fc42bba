"""Public attributes of fitted estimators, alone or within pipelines and searches."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.utils.validation import check_is_fitted

# of scikit-learn, around a classifier whose probabilities they threshold
THRESHOLD_CLASSIFIERS = (TunedThresholdClassifierCV, FixedThresholdClassifier)


def nested(estimator: BaseEstimator) -> list[Any]:
    """Return a fitted estimator and what it wraps, from the outside to the network."""
    parts = [estimator]
    while True:
        part = parts[-1]
        if hasattr(part, "best_estimator_"):
            parts.append(part.best_estimator_)
        elif hasattr(part, "steps"):
            parts.append(part.steps[-1][1])
        elif isinstance(part, THRESHOLD_CLASSIFIERS):
            parts.append(getattr(part, "estimator_", part.estimator))
        else:
            return parts


def fitted_part(estimator: BaseEstimator, display: str, *attributes: str) -> Any:
    """Return the innermost estimator of a pipeline or search, or raise an error for a display.

    It is a NotFittedError, or a TypeError if the innermost estimator lacks one of the attributes.
    """
    check_is_fitted(estimator)
    part = nested(estimator)[-1]
    for name in attributes:
        if not hasattr(part, name):
            example = "Segmenter" if "background_" in attributes else "Classifier"
            raise TypeError(
                f"{display}.from_estimator got {type(part).__name__}, which has no {name}. "
                f"Accepted are fitted estimators with {' and '.join(attributes)}, such as "
                f"ImbalancedNN{example}, alone, at the end of a pipeline or in a search with "
                "refit=True."
            )
    return part


def is_segmenter(estimator: BaseEstimator) -> bool:
    """Whether a fitted estimator predicts masks: only those have a class as ``background_``."""
    return hasattr(estimator, "background_")


def class_names(estimator: BaseEstimator) -> list[Any]:
    """Return ``classes_``, or the names of the columns that an indicator target was fitted with."""
    classes = np.asarray(estimator.classes_).tolist()
    names = getattr(estimator, "label_names_", None)
    # a data frame of one column holds classes, and its name is not that of any of them
    return classes if names is None or len(names) != len(classes) else list(names)
