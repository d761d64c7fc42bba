"""Scores of predictions, and scorers by name with the rare class as the positive class."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import (
    f1_score,
    get_scorer,
    get_scorer_names,
    jaccard_score,
    make_scorer,
    precision_score,
    recall_score,
)
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import _check_sample_weight

from skimb._types import Estimator, Features, Label, Labels, Tensor
from skimb.data.labels import checked_labels
from skimb.data.pixel_targets import PixelTarget, pixels_of
from skimb.data.targets import Target
from skimb.metrics.base import AT_LEAST_1, NOT_NEGATIVE
from skimb.metrics.lesions import false_alarms_per_image, lesion_f1, lesion_recall
from skimb.metrics.masks import mean_dice
from skimb.metrics.ranking import mean_average_precision
from skimb.metrics.surfaces import hausdorff_distance_95, surface_dice

Scorer = Callable[..., float]

# what Keras and other libraries call a score
_ELSEWHERE = {
    "acc": "accuracy",
    "binary_accuracy": "accuracy",
    "categorical_accuracy": "accuracy",
    "sparse_categorical_accuracy": "accuracy",
    "auc": "roc_auc",
    "auroc": "roc_auc",
    "roc": "roc_auc",
    "ap": "average_precision",
    "prauc": "average_precision",
    "pr_auc": "average_precision",
    "auprc": "average_precision",
    "map": "average_precision",
    "bacc": "balanced_accuracy",
    "balanced_acc": "balanced_accuracy",
    "mcc": "matthews_corrcoef",
    "f1_score": "f1",
    "f1score": "f1",
    "fscore": "f1",
    "f_score": "f1",
    "sensitivity": "recall",
    "tpr": "recall",
    "ppv": "precision",
    "iou": "jaccard",
    "logloss": "neg_log_loss",
    "log_loss": "neg_log_loss",
    "binary_crossentropy": "neg_log_loss",
    "crossentropy": "neg_log_loss",
    "cross_entropy": "neg_log_loss",
    "brier": "neg_brier_score",
    "hausdorff": "neg_hausdorff_95",
    "hausdorff_95": "neg_hausdorff_95",
    "hausdorff_distance": "neg_hausdorff_95",
    "hausdorff_distance_95": "neg_hausdorff_95",
    "hd95": "neg_hausdorff_95",
    "false_alarms": "neg_false_alarms",
    "false_alarms_per_image": "neg_false_alarms",
    "lesion_sensitivity": "lesion_recall",
    "nsd": "surface_dice",
    "normalized_surface_dice": "surface_dice",
    "dice_score": "dice",
    "mean_dice": "dice",
}

# one-vs-rest scores: of the rare class in binary problems, else the mean over all classes
_OF_A_CLASS: dict[str, Callable[..., float]] = {
    "f1": f1_score,
    "precision": precision_score,
    "recall": recall_score,
    "jaccard": jaccard_score,
}

# scores of masks, and the sign with which greater is better
_OF_MASKS: dict[str, tuple[Callable[..., float], bool]] = {
    "dice": (mean_dice, True),
    "lesion_recall": (lesion_recall, True),
    "lesion_f1": (lesion_f1, True),
    "neg_false_alarms": (false_alarms_per_image, False),
    "surface_dice": (surface_dice, True),
    "neg_hausdorff_95": (hausdorff_distance_95, False),
}


def minority_score(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    reward: float = 3.0,
    penalty: float = 1.0,
    pos_label: Label = None,
    sample_weight: Tensor = None,
) -> float:
    r"""Reward for true positives minus penalty for false positives, per sample.

    .. math:: \frac{\text{reward} \cdot TP - \text{penalty} \cdot FP}{\sum w}

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_labels)
        Class labels, or indicator matrices, whose scores are summed over the labels.
    reward : float, default=3.0
        Reward for each true positive of the rare class.
    penalty : float, default=1.0
        Penalty for each false positive of the rare class.
    pos_label : int, float, bool, str or None, default=None
        The rare class. None is the class of `y_true` with the smallest summed weight, the last one
        if tied. A label that occurs nowhere scores 0. For indicator matrices it is 1.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    float
        Between minus `penalty` and `reward` for class labels.

    Raises
    ------
    ValueError
        If `pos_label` is None and `y_true` has one class, so that the rare class is unknown.

    See Also
    --------
    skimb.metrics.MinorityScore : The Keras metric.
    skimb.losses.MinorityScore : The loss.

    Examples
    --------
    >>> from skimb.metrics import minority_score
    >>> minority_score([0, 0, 0, 1, 1], [0, 0, 1, 1, 0])
    0.4
    >>> minority_score([0, 0, 0, 1, 1], [1, 1, 1, 1, 1], penalty=4)
    -1.2
    """
    validate_parameter_constraints(
        {"reward": [NOT_NEGATIVE], "penalty": [NOT_NEGATIVE]},
        {"reward": reward, "penalty": penalty},
        "minority_score",
    )
    y_true, y_pred = checked_labels(y_true), checked_labels(y_pred)
    check_consistent_length(y_true, y_pred, sample_weight)
    unique_labels(y_true, y_pred)  # raises if they are labels of different kinds
    weight = _check_sample_weight(sample_weight, y_true, dtype=np.float64, ensure_non_negative=True)
    if y_true.ndim == 2:
        if pos_label is not None:
            raise ValueError(
                f"pos_label={pos_label!r} is not supported for indicator matrices: the scores of "
                "all labels are summed. Leave it at None, or pass only the columns to score."
            )
        pos_label = 1
    elif pos_label is None:
        pos_label = _rarest(y_true, weight)
    true, found = y_true == pos_label, y_pred == pos_label
    hits, false_alarms = (weight @ (rows & found) for rows in (true, ~true))
    points = np.sum(reward * hits - penalty * false_alarms)
    return float(points / weight.sum())


def _rarest(y: np.ndarray, weight: np.ndarray) -> Any:
    labels, codes = np.unique(y[weight > 0], return_inverse=True)
    if len(labels) < 2:
        raise ValueError(
            f"y_true has the one class {labels.tolist()}, so the rare class is unknown. "
            "Pass pos_label."
        )
    counts = np.bincount(codes, weight[weight > 0])
    return labels[np.flatnonzero(counts == counts.min())[-1]]


def precision_at_k(
    Y_true: Tensor, Y_score: Tensor, *, k: int = 10, sample_weight: Tensor = None
) -> float:
    """Fraction of true labels among the k with the highest scores, averaged over the samples.

    Parameters
    ----------
    Y_true : array-like of shape (n_samples, n_labels)
        Indicator matrix of 0 and 1.
    Y_score : array-like of shape (n_samples, n_labels)
        Probabilities, logits or other scores. Only their order within a sample is used. Ties are
        broken in favour of the label further left.
    k : int, default=10
        Number of top-scored labels of each sample, at most `n_labels`.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    float
        Between 0 and 1; below 1 for any scores if samples have fewer than k true labels.

    Raises
    ------
    ValueError
        If k is larger than the number of labels, or the shapes do not match.

    See Also
    --------
    skimb.metrics.PrecisionAtK : The Keras metric.

    Examples
    --------
    >>> from skimb.metrics import precision_at_k
    >>> Y_true = [[1, 0, 1], [0, 1, 0]]
    >>> Y_score = [[0.7, 0.2, 0.9], [0.1, 0.8, 0.1]]
    >>> precision_at_k(Y_true, Y_score, k=1)
    1.0
    >>> precision_at_k(Y_true, Y_score, k=2)
    0.75
    """
    validate_parameter_constraints({"k": [AT_LEAST_1]}, {"k": k}, "precision_at_k")
    Y_true = checked_labels(Y_true)
    Y_score = check_array(Y_score, dtype=np.float64, ensure_2d=False, input_name="Y_score")
    if Y_true.ndim != 2 or Y_score.shape != Y_true.shape:
        raise ValueError(
            f"Y_true has the shape {Y_true.shape} and Y_score {Y_score.shape}. Accepted are an "
            "indicator matrix (n_samples, n_labels), and a score for each label."
        )
    _check_k(k, Y_true.shape[1])
    best = np.argsort(-Y_score, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(Y_true, best, axis=1).mean(axis=1)
    weight = _check_sample_weight(sample_weight, Y_true, dtype=np.float64, ensure_non_negative=True)
    return float(np.average(hits, weights=weight))


def _check_k(k: int, n_labels: int) -> None:
    if k > n_labels:
        raise ValueError(f"k={k} must be at most {n_labels}, the number of labels.")


#: scorer of :func:`minority_score` for `scoring` in scikit-learn's searches and cross-validation
minority_scorer: Scorer = make_scorer(minority_score)


def precision_at_k_scorer(k: int = 10) -> Scorer:
    """Return a scorer of :func:`precision_at_k` for scikit-learn's searches.

    Parameters
    ----------
    k : int, default=10

    Returns
    -------
    callable
        ``scorer(estimator, X, Y, sample_weight=None)``, which uses the estimator's
        `decision_function`, or its `predict_proba` if it has no `decision_function`.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skimb.metrics import precision_at_k_scorer
    >>> X, Y = make_multilabel_classification(200, n_classes=6, random_state=0)
    >>> clf = OneVsRestClassifier(LogisticRegression(max_iter=500))
    >>> cross_val_score(clf, X, Y, scoring=precision_at_k_scorer(2)).shape
    (5,)
    """
    return make_scorer(precision_at_k, k=k, response_method=("decision_function", "predict_proba"))


def scorer_for(
    scoring: str | Scorer, target: Target, positive: int, counts: np.ndarray | None = None
) -> Scorer:
    """Return a scorer for a type of target.

    Parameters
    ----------
    scoring : str or callable
        ``"f1"``, ``"precision"``, ``"recall"``, ``"jaccard"`` and ``"average_precision"`` score the
        positive class of two classes, and otherwise are the mean over the classes or labels.
        ``"minority_score"`` scores the positive class, or all labels. ``"precision_at_<k>"`` is
        for indicator targets and any integer k. For masks there are ``"dice"``,
        ``"lesion_recall"``, ``"lesion_f1"``, ``"neg_false_alarms"``, ``"surface_dice"`` and
        ``"neg_hausdorff_95"``. Other names are those of scikit-learn, for masks with pixels as
        samples. A callable is ``scorer(estimator, X, y)``.
    target : Target
    positive : int
        Position of the positive class.
    counts : ndarray of shape (n_classes,) or (n_labels, 2) or None, default=None
        Class counts of the samples to score. Classes and labels absent from them, whose score is
        undefined, are excluded from means.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, sample_weight=None)``. That of a name takes masks, where the
        target is one, and a :class:`Snapshot` of the logits of images.
    """
    if isinstance(scoring, keras.metrics.Metric):
        raise TypeError(
            f"scoring={scoring!r} is a Keras metric, for model.compile. A scorer takes an "
            "estimator: give a name such as 'f1', or a scorer from sklearn.metrics.make_scorer."
        )
    if callable(scoring):
        return scoring
    if scoring in _OF_MASKS:
        return _of_masks(scoring, target)
    scorer = _of_samples(scoring, target, positive, counts)
    return _of_pixels(scorer) if target.per_pixel else scorer


def _of_masks(name: str, target: Target) -> Scorer:
    if not isinstance(target, PixelTarget):
        raise ValueError(
            f"{name!r} in scoring, monitor or metrics is a score of masks, but the target is "
            f"{target.kind}, not a mask for each sample. ImbalancedNNSegmenter takes masks."
        )
    metric, greater_is_better = _OF_MASKS[name]
    return make_scorer(metric, greater_is_better=greater_is_better, labels=target.foreground)


def _of_pixels(scorer: Scorer) -> Scorer:
    """Return a scorer of masks that passes their pixels to one of samples."""

    def score(snapshot: Snapshot, X: Features, y: Tensor, sample_weight: Tensor = None) -> float:
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        labels, logits, weight = pixels_of(y, snapshot.logits, weight)
        predicted = None if snapshot.predicted is None else snapshot.predicted.ravel()
        of_pixels = Snapshot(snapshot.decision, logits, predicted)
        return scorer(of_pixels, X, labels, sample_weight=weight)

    return score


def _of_samples(scoring: str, target: Target, positive: int, counts: np.ndarray | None) -> Scorer:
    multilabel = target.kind == "multilabel"
    present = np.arange(len(target.classes_)) if counts is None else _present(counts)
    if scoring == "average_precision":
        response = ("decision_function", "predict_proba")
        ranking = make_scorer(mean_average_precision, response_method=response)
        return (
            _of_labels(ranking, present)
            if multilabel
            else _average_precision(target, positive, present)
        )
    if scoring == "minority_score":
        label = None if multilabel else target.classes_[positive]
        return make_scorer(minority_score, pos_label=label)
    at_k = re.fullmatch("precision_at_([1-9][0-9]*)", scoring)
    if at_k:
        if not multilabel:
            raise ValueError(
                f"{scoring!r} in scoring or metrics ranks the labels of indicator targets, but the "
                f"target is {target.kind}. 'average_precision' ranks the samples."
            )
        _check_k(int(at_k[1]), len(target.classes_))
        return precision_at_k_scorer(int(at_k[1]))
    if scoring not in _OF_A_CLASS:
        scorer = _of_scikit_learn(scoring, tuple(_OF_MASKS) if target.per_pixel else ())
        averaged = scoring.startswith("roc_auc") or scoring.endswith("_macro")
        return _of_labels(scorer, present) if multilabel and averaged else scorer
    if target.kind == "binary":
        return _of_positive_class(_OF_A_CLASS[scoring], target.classes_, positive)
    left = {} if counts is None else {"labels": target.classes_[present]}
    return make_scorer(_OF_A_CLASS[scoring], zero_division=0.0, average="macro", **left)


def _of_positive_class(metric: Callable[..., float], classes: np.ndarray, positive: int) -> Scorer:
    of_one = make_scorer(metric, zero_division=0.0, pos_label=classes[positive], average="binary")
    of_all = make_scorer(metric, zero_division=0.0, average="macro")

    def score(estimator: Estimator, X: Features, y: Tensor, sample_weight: Tensor = None) -> float:
        # a class that the training fold lacked makes more than two
        scorer = of_one if np.isin(y, classes).all() else of_all
        return scorer(estimator, X, y, sample_weight=sample_weight)

    return score


def _of_scikit_learn(name: str, others: tuple[str, ...]) -> Scorer:
    try:
        return get_scorer(name)
    except ValueError as error:
        own = [*others, *_OF_A_CLASS, "average_precision", "minority_score"]
        known = [*own, "precision_at_10", "loss", *get_scorer_names()]
        asked = name.removeprefix("val_")
        folded = asked.lower().replace("-", "_").replace(" ", "_")
        elsewhere = _ELSEWHERE.get(folded, folded)
        close = [elsewhere] if elsewhere in known else difflib.get_close_matches(asked, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"{name!r} in scoring, monitor or metrics is not a score.{hint} Accepted are "
            f"{', '.join(map(repr, own))} of the minority class, 'precision_at_10' (or "
            "another number) of labels, the names in sklearn.metrics.get_scorer_names(), and "
            "for monitor 'loss'."
        ) from error


def _present(counts: np.ndarray) -> np.ndarray:
    """Return the positions of the classes that occur, or of the labels that have both values."""
    return np.flatnonzero(counts > 0 if counts.ndim == 1 else (counts > 0).all(axis=1))


def _of_labels(scorer: Scorer, labels: np.ndarray) -> Scorer:
    """Return a scorer restricted to some labels, which returns NaN if there are none."""

    def score(estimator: Estimator, X: Features, y: Tensor, sample_weight: Tensor = None) -> float:
        if len(labels) == y.shape[1]:
            return scorer(estimator, X, y, sample_weight=sample_weight)
        if not len(labels):
            return float("nan")
        some = _SomeLabels(estimator, labels)
        return scorer(some, X, y[:, labels], sample_weight=sample_weight)

    return score


class _SomeLabels(ClassifierMixin, BaseEstimator):
    """Estimator restricted to some of the labels of another."""

    def __init__(self, estimator: Estimator, labels: Labels) -> None:
        self.estimator = estimator
        self.labels = labels
        self.classes_ = np.arange(len(labels))

    def decision_function(self, X: Features) -> Any:
        return self.estimator.decision_function(X)[:, self.labels]

    def predict_proba(self, X: Features) -> Any:
        return self.estimator.predict_proba(X)[:, self.labels]

    def predict(self, X: Features) -> Any:
        return self.estimator.predict(X)[:, self.labels]


def _average_precision(target: Target, positive: int, present: np.ndarray) -> Scorer:
    def score(estimator: Estimator, X: Features, y: Tensor, sample_weight: Tensor = None) -> float:
        probabilities = estimator.predict_proba(X)
        if len(target.classes_) == 2:
            positives, scores = y == target.classes_[positive], probabilities[:, positive]
        elif not len(present):
            return float("nan")
        else:
            positives = y[:, None] == target.classes_[present]
            scores = probabilities[:, present]
        return mean_average_precision(positives, scores, sample_weight=sample_weight)

    return score


class Snapshot(ClassifierMixin, BaseEstimator):
    """Estimator that returns predictions from known logits, for scikit-learn's scorers.

    Parameters
    ----------
    decision : Decision
        Maps logits to probabilities and labels.
    logits : ndarray of shape (n_samples, ..., n_outputs)
    predicted : ndarray or None, default=None
        The labels, where they are not those that `decision` makes of the logits.
    """

    def __init__(self, decision: Any, logits: Tensor, predicted: Any = None) -> None:
        self.decision = decision
        self.logits = logits
        self.predicted = predicted
        self.classes_ = decision.target.classes_

    def decision_function(self, X: Features) -> Any:
        return self.decision.target.decision(self.logits)

    def predict_proba(self, X: Features) -> Any:
        return self.decision.probabilities(self.logits)

    def predict(self, X: Features) -> Any:
        return self.decision.decode(self.logits) if self.predicted is None else self.predicted
