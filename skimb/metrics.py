"""Scorers by name for the kinds of target: the rare class is the positive one."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    get_scorer,
    get_scorer_names,
    jaccard_score,
    make_scorer,
    precision_score,
    recall_score,
)

from skimb.targets import Target

Scorer = Callable[..., float]

# scores of one class against the rest: of the rare one where there are two, else the mean over all
_OF_A_CLASS: dict[str, Callable[..., float]] = {
    "f1": f1_score,
    "precision": precision_score,
    "recall": recall_score,
    "jaccard": jaccard_score,
}


def scorer_for(scoring: str | Scorer, target: Target, minority: int) -> Scorer:
    """Return a scorer for a kind of target.

    Parameters
    ----------
    scoring : str or callable
        ``"f1"``, ``"precision"``, ``"recall"``, ``"jaccard"`` and ``"average_precision"`` are those
        of the minority class where there are two classes, and the mean over the classes or labels
        otherwise. Other names are scikit-learn's. A callable is ``scorer(estimator, X, y)``.
    target : Target
    minority : int
        Position of the rarest class.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, sample_weight=None)``.
    """
    if callable(scoring):
        return scoring
    binary = target.kind == "binary"
    if scoring == "average_precision" and target.kind != "multilabel":
        return _average_precision(target, minority)
    if scoring not in _OF_A_CLASS:
        try:
            return get_scorer(scoring)
        except ValueError as error:
            known = [*_OF_A_CLASS, "average_precision", *get_scorer_names()]
            close = difflib.get_close_matches(scoring, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{scoring!r} in scoring or metrics is no score.{hint} Accepted are "
                f"{', '.join(map(repr, known[:5]))} of the minority class, and the names in "
                "sklearn.metrics.get_scorer_names()."
            ) from error
    if binary:
        chosen = {"pos_label": target.classes_[minority], "average": "binary"}
    else:
        chosen = {"average": "macro"}
    return make_scorer(_OF_A_CLASS[scoring], zero_division=0.0, **chosen)


def _average_precision(target: Target, minority: int) -> Scorer:
    def score(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        probabilities = estimator.predict_proba(X)
        if len(target.classes_) == 2:
            positives, scores = y == target.classes_[minority], probabilities[:, minority]
        else:
            positives, scores = y[:, None] == target.classes_, probabilities
        return float(average_precision_score(positives, scores, sample_weight=sample_weight))

    return score


class Snapshot(ClassifierMixin, BaseEstimator):
    """Logits that are known, in the form that scikit-learn's scorers ask."""

    def __init__(self, target: Target, logits: Any) -> None:
        self.target = target
        self.logits = logits
        self.classes_ = target.classes_

    def decision_function(self, X: Any) -> Any:
        return self.target.decision(self.logits)

    def predict_proba(self, X: Any) -> Any:
        return self.target.probabilities(self.logits)

    def predict(self, X: Any) -> Any:
        return self.target.decode(self.logits)
