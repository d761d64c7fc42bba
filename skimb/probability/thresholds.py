"""Decision thresholds: tuning on labelled samples, and predictions at a threshold."""

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from skimb._types import Label, Labels
from skimb.data.labels import checked_labels
from skimb.data.targets import listed
from skimb.probability.checks import Floats, checked_floats, checked_proba
from skimb.probability.class_thresholds import class_thresholds, most_above
from skimb.probability.cut_scores import (
    OF_A_CLASS,
    OF_COUNTS,
    Codes,
    Metric,
    Rows,
    all_cuts,
    best,
    in_unit_interval,
)
from skimb.probability.lesion_cuts import choose_lesion_cut
from skimb.probability.rule_cuts import choose_cut, choose_label_cut
from skimb.probability.rules import Rule, check_of_samples, checked_rule


def best_threshold(
    y: Labels,
    scores: ArrayLike,
    metric: Metric | Mapping[str, float] = "f1",
    *,
    sample_weight: ArrayLike | None = None,
    pos_label: Label = None,
    classes: ArrayLike | None = None,
) -> float | Floats:
    """Find the decision threshold that maximises a metric, or keeps a rule, on these samples.

    With two classes a sample is predicted positive if its score >= threshold. All cuts are tried,
    from no sample positive to all samples positive. The threshold lies midway between the scores
    on either side of the best cut. Ties are broken in favour of the threshold closest to 0.5 (to 0
    for scores that are not probabilities), and then of the higher one.

    With more classes the prediction is argmax_k p_k / t_k, where the t_k sum to 1. With 1/K each it
    is the most probable class. Coordinate ascent tries all cuts of one class after another until
    none improves the metric, starting from 1/K and from the class frequencies. The result is never
    worse than predicting the most probable class, but it may be a local optimum. To save time, with
    n_samples * n_classes above 65,000 only the cuts of each class at which it is given to few
    samples are tried (at least to four times as many as it has), and above 260,000 the search goes
    on from the better of the two starts alone, and for a limited number of steps.

    Parameters
    ----------
    y : array-like of shape (n_samples,), or array-like or sparse of shape (n_samples, n_labels)
        Labels, or an indicator matrix of 0 and 1.
    scores : array-like of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
        Probabilities. 1-D: those of the positive class. For two classes or labels, any scores are
        accepted; more than two classes require probabilities.
    metric : str, callable or dict, default="f1"
        Name of a scikit-learn scorer of predictions, such a scorer, or ``metric(y_true, y_pred)``.
        `sample_weight` is passed to it by name, if given. "f1", "precision", "recall" and
        "jaccard" score the positive class or label, or are the mean over more than two classes.
        They, their averages, "accuracy", "balanced_accuracy" and "matthews_corrcoef" are computed
        from one sort of the scores. Other metrics are called once for each distinct score, and
        thresholds where they are NaN are not chosen.

        A rule for two classes or for each label is one of ``{"recall": 0.9}`` (of the cuts with at
        least this recall the one of best precision), ``{"precision": 0.8}`` (at least this, best
        recall), ``{"fpr": 0.001}`` (at most this false positive rate, best recall) and
        ``{"alerts": 0.01}`` (at most this share of samples flagged, best recall). Of equal cuts,
        the highest threshold is chosen. With ``"confidence": 0.95`` in addition, the promise holds
        in the population with this probability over the draw of the samples, although the cut is
        chosen on them: by exact binomial bounds on order statistics, and for precision by
        fixed-sequence testing [1]_. Scores have to be those of samples that the classifier was not
        trained on. With unequal weights, confidence comes from the effective number of samples
        (sum w)^2 / sum w^2, and is approximate.

        For masks of two classes, ``{"lesion_recall": 0.9}`` is the highest threshold at which this
        share of the lesions is found, see :func:`skimb.metrics.lesion_recall`, optionally with
        ``"confidence"``, for which lesions count as independent samples. Those of one image are
        not, so that the confidence is optimistic where images have several.
        ``{"false_alarms_per_image": 0.5}`` is the lowest threshold that keeps the promise together
        with all higher ones, see :func:`skimb.metrics.false_alarms_per_image`; where every lesion
        is found at a higher one already, it is that one. `y` has the shape (n_images, ...) of at
        least three axes, and `scores` the same, or one axis more with a column for each class.
    sample_weight : array-like of shape (n_samples,), default=None
        Samples of weight 0 are ignored. For rules about lesions weights of images, or of pixels of
        the shape of `y`, of which those of weight 0 are neither lesions nor false alarms.
    pos_label : int, float, bool or str, default=None
        The positive class of two classes, by default the last, as in scikit-learn: the estimators,
        which know how frequent the classes are, take the rarer one.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `scores`, by default those in `y`, sorted.

    Returns
    -------
    float, or ndarray of shape (n_labels,) or (n_classes,), float64
        In [0, 1] if the scores are. The exception is the next float above 1, if there is a score of
        1 and it is best to predict no sample positive. 0.5 for a label with one value, which a
        rule warns of. The threshold of a class absent from `y` is not tuned.

    Raises
    ------
    ValueError
        If `metric` does not depend on the threshold or pools the labels ("f1_micro"), `y` has one
        class, or the shapes do not match. If a rule cannot be kept; the message gives the number of
        samples needed, or what can be reached. If there is a rule for more than two classes.

    See Also
    --------
    skimb.ImbalancedNNClassifier : Its parameter ``threshold`` does this on held-out samples.
    sklearn.model_selection.FixedThresholdClassifier : Applies a threshold to a fitted classifier.

    References
    ----------
    .. [1] Angelopoulos, Bates, Candès, Jordan, Lei. "Learn then Test: Calibrating Predictive
       Algorithms to Achieve Risk Control". 2021.

    Examples
    --------
    >>> best_threshold([0, 0, 1, 0, 1], [0.0, 0.1, 0.25, 0.15, 0.5])
    0.2
    >>> best_threshold([0, 0, 1, 0, 1], [0.0, 0.1, 0.25, 0.3, 0.5], {"precision": 0.9})
    0.4
    >>> best_threshold([[0, 1], [1, 1], [1, 0]], [[0.2, 0.75], [0.5, 0.75], [0.9, 0.25]])
    array([0.35, 0.5 ])
    >>> y, scores = [[[1, 0, 0, 1]]], [[[0.7, 0.1, 0.6, 0.2]]]
    >>> round(best_threshold(y, scores, {"lesion_recall": 1.0}), 2)
    0.15
    >>> scores = [[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.6, 0.1, 0.3]]
    >>> best_threshold(["a", "b", "c"], scores).round(2)
    array([0.67, 0.17, 0.17])
    """
    rule = checked_rule(metric, "metric") if isinstance(metric, Mapping) else None
    if rule is not None and rule.of_lesions:
        return _lesion_threshold(rule, y, scores, sample_weight, pos_label, classes)
    labels, found = checked_labels(y), checked_floats(scores, "scores")
    check_consistent_length(labels, found, sample_weight)
    chosen = checked_metric("f1" if rule else metric, labels.ndim == 2)
    weight = None
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, labels, ensure_non_negative=True)
        weight, labels, found = (array[weight > 0] for array in (weight, labels, found))
    if labels.ndim == 2:
        if found.shape != labels.shape or pos_label is not None or classes is not None:
            raise ValueError(
                f"scores must have the shape of the indicator matrix y, {labels.shape}, got "
                f"{found.shape}; pos_label and classes must be None."
            )
        if rule is not None:
            label_cuts = enumerate(zip(labels.T, found.T, strict=True))
            return np.array([_label_cut(rule, k, *label, weight) for k, label in label_cuts])
        columns = [Rows(np.array([0, 1]), c.astype(np.intp), weight, chosen) for c in labels.T]
        return np.array([_threshold(*column) for column in zip(columns, found.T, strict=True)])
    known, codes = _encoded(labels, classes)
    n_classes = len(known)
    if n_classes < 2 or found.shape[1:] not in {(n_classes,), () if n_classes == 2 else None}:
        raise ValueError(
            f"scores has the shape {found.shape}, y the classes {listed(known)}. Accepted are "
            "(n_samples,) for two classes, and a column per class; pass classes= if y lacks some."
        )
    if pos_label is not None and (n_classes > 2 or pos_label not in known.tolist()):
        raise ValueError(
            f"pos_label={pos_label!r} is not accepted for the classes {known.tolist()}. It must be "
            "None, or one of two classes."
        )
    if n_classes > 2 and rule is not None:
        raise ValueError(
            f"metric={metric!r} is a rule for two classes, or for each label of an indicator "
            f"matrix, but y has {n_classes} classes. What errors between several classes cost is "
            "given by costs= of an estimator, and by skimb.probability.min_cost."
        )
    if n_classes > 2:
        proba = checked_proba(found, multilabel=False, name="scores")
        return class_thresholds(Rows(known, codes, weight, chosen), proba)
    if len(np.unique(codes)) == 1:
        raise ValueError(f"y has the one class {labels[:1].tolist()}, a threshold requires two.")
    positive = 1 if pos_label is None else known.tolist().index(pos_label)
    of_positive = found if found.ndim == 1 else found[:, positive]
    if rule is not None:
        return choose_cut(rule, codes == positive, of_positive, weight).threshold
    rows = Rows(known[[1 - positive, positive]], codes ^ (1 - positive), weight, chosen)
    return _threshold(rows, of_positive)


def apply_threshold(
    proba: ArrayLike, threshold: float | ArrayLike, *, multilabel: bool = False
) -> Codes:
    """Predict classes or labels at a threshold, with the conventions of :func:`best_threshold`.

    Parameters
    ----------
    proba : array-like of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
        Probabilities. 1-D: those of the positive class; of two columns, the second is positive.
    threshold : float, or array-like of shape (n_classes,) or (n_labels,)
        One number for two classes or for all labels, of which probabilities >= it are positive. Or
        one number per label. Or one number > 0 per class, for argmax_k p_k / t_k, where ties go to
        the first class.
    multilabel : bool, default=False
        Whether the columns are independent labels.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_labels), int
        Positions of the predicted classes, or 0 and 1 for labels.

    Raises
    ------
    ValueError
        If `threshold` does not match `proba`.

    Examples
    --------
    >>> apply_threshold([[0.9, 0.1], [0.7, 0.3]], 0.2)
    array([0, 1])
    >>> apply_threshold([[0.6, 0.3, 0.1], [0.6, 0.1, 0.3]], [0.6, 0.3, 0.1])
    array([0, 2])
    """
    p, limits = checked_floats(proba, "proba"), np.asarray(threshold, dtype=np.float64)
    if limits.ndim == 0:
        fits = p.ndim == 2 if multilabel else p.shape[1:] in ((), (2,))
    else:
        fits = limits.shape == p.shape[1:] and bool(multilabel or (limits > 0).all())
    if not fits or not np.isfinite(limits).all():
        raise ValueError(
            f"threshold={threshold!r} does not match proba of shape {p.shape}. Accepted are a "
            "number for (n_samples,) or (n_samples, 2), a number > 0 for each class, and with "
            "multilabel=True a number or one for each label."
        )
    if multilabel or limits.ndim == 0:
        return ((p[:, 1] if p.ndim == 2 and not multilabel else p) >= limits).astype(np.intp)
    return most_above(p, limits)


def _threshold(rows: Rows, scores: Floats) -> float:
    if not rows.support.all():
        return 0.5
    centre = 0.5 if in_unit_interval(scores) else 0.0
    order, stops, thresholds = all_cuts(scores)
    tied = thresholds[best(rows.scores_at(stops, order, 1, np.zeros_like(rows.codes)))]
    return float(tied[np.argmin(np.abs(tied - centre))])


def _label_cut(
    rule: Rule, k: int, truth: NDArray[Any], scores: Floats, weight: Floats | None
) -> float:
    choice = choose_label_cut(rule, f"at position {k}", truth, scores, weight)
    return 0.5 if choice is None else choice.threshold


def _lesion_threshold(
    rule: Rule,
    y: Labels,
    scores: ArrayLike,
    sample_weight: ArrayLike | None,
    pos_label: Label,
    classes: ArrayLike | None,
) -> float:
    """Return the threshold for masks of two classes."""
    masks, found = np.asarray(y), np.asarray(scores, np.float64)
    if masks.ndim < 3:
        check_of_samples(rule, "metric")
    weight = np.ones(len(masks)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    if found.shape not in (masks.shape, (*masks.shape, 2)):
        raise ValueError(
            f"scores has the shape {found.shape} for masks of shape {masks.shape}. Accepted are "
            "numbers of this shape, those of the foreground, or a column for each of two classes "
            "in one axis more."
        )
    n_gaps = int(np.count_nonzero(~np.isfinite(found)))
    if n_gaps:
        raise ValueError(
            f"scores has NaN or infinity {n_gaps} times. Leave out images without scores, such as "
            "those that no member of a cross-fit holds out, in y and in scores."
        )
    if weight.shape not in (masks.shape[:1], masks.shape) or not (weight >= 0).all():
        raise ValueError(
            f"sample_weight has the shape {weight.shape} for masks of shape {masks.shape}. "
            "Accepted are numbers of at least 0, one for each image or one for each pixel."
        )
    present = np.unique(masks[weight > 0])
    known = present if classes is None else np.asarray(classes)
    labels = known.tolist()
    fits = len(set(labels)) == len(labels) == 2 and set(present.tolist()) <= set(labels)
    if not fits or (pos_label is not None and pos_label not in labels):
        raise ValueError(
            f"metric={rule} is a rule for masks of two classes, but y has {listed(present)}, with "
            f"the classes {listed(known)} and pos_label={pos_label!r}. Pass y == label of the "
            "foreground, and sample_weight of 0 for the pixels that are ignored."
        )
    positive = 1 if pos_label is None else labels.index(pos_label)
    foreground = found if found.ndim == masks.ndim else found[..., positive]
    return choose_lesion_cut(rule, masks == known[positive], foreground, weight).threshold


def _encoded(y: NDArray[Any], classes: ArrayLike | None) -> tuple[NDArray[Any], Codes]:
    known = np.unique(y) if classes is None else np.asarray(classes)
    values, positions = np.unique(y, return_inverse=True)
    same = values[:, np.newaxis] == known
    if not (same.sum(axis=1) == 1).all() or len(np.unique(known)) != len(known):
        raise ValueError(
            f"classes must be distinct and hold all labels of y, {np.unique(y)[:10].tolist()}; got "
            f"{known.tolist()}."
        )
    return known, np.argmax(same, axis=1)[positions]


def checked_metric(metric: Any, multilabel: bool) -> Metric:
    name, function = metric, metric
    if isinstance(metric, str):
        if metric not in get_scorer_names():
            close = difflib.get_close_matches(metric, get_scorer_names(), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"metric={metric!r} is not a score.{hint} Accepted are the names in "
                "sklearn.metrics.get_scorer_names(), and metric(y_true, y_pred) in best_threshold."
            )
        base, _, average = metric.partition("_")
        if base in OF_A_CLASS and average in ("samples", "micro" if multilabel else "samples"):
            raise ValueError(
                f"metric={metric!r} mixes labels, but each has its own threshold. Use {base!r}."
            )
        if metric in OF_COUNTS:
            return base if multilabel and base in OF_A_CLASS else metric
        function = get_scorer(metric)
    if not callable(function):
        raise ValueError(f"metric must be a name or metric(y_true, y_pred), got {metric!r}.")
    if not hasattr(function, "_response_method"):
        return function
    if function._response_method != "predict":
        raise ValueError(
            f"metric={name!r} is computed from probabilities or their ranking, so it is "
            "the same at every threshold. Use a metric of predicted labels, such as 'f1' or "
            "'balanced_accuracy'."
        )
    sign, score, given = function._sign, function._score_func, function._kwargs
    return lambda y_true, y_pred, **weight: sign * score(y_true, y_pred, **given, **weight)
