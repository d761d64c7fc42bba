"""Rules as thresholds: which mapping is one, what it requires, and the cuts that keep it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skimb.data.folds import Folds
from skimb.data.samples import Samples
from skimb.data.targets import Target, listed
from skimb.fitting.parameters import FitParameters
from skimb.probability.binomial import effective_size
from skimb.probability.lesion_cuts import check_lesions, lesion_weights
from skimb.probability.rule_cuts import RuleChoice, choose_cut, choose_label_cut
from skimb.probability.rules import (
    RULE_WORDS,
    Rule,
    check_of_samples,
    check_support,
    checked_rule,
    resembles_rule,
)


def as_rule(
    threshold: Mapping[Any, Any], target: Target, label_names: list[Any] | None
) -> Rule | None:
    """Return the rule that a mapping is, None where it is a threshold by label.

    Parameters
    ----------
    threshold : Mapping
    target : Target
    label_names : list or None
        Names of the columns of an indicator matrix.

    Raises
    ------
    ValueError
        If it is not a valid rule, or can be read in both ways.
    """
    labels = target.classes_.tolist()
    names = [labels] if label_names is None else [label_names, labels]
    words = [key for key in threshold if key in RULE_WORDS]
    if any(set(threshold) == set(known) for known in names):
        if len(words) == len(threshold) and len(set(words) - {"confidence"}) == 1:
            raise ValueError(
                f"threshold={dict(threshold)!r} is a rule, but it also names the labels of y. For "
                "a threshold by label give an array in the order of classes_; for the rule rename "
                "the labels."
            )
        return None
    of_labels = [key for key in threshold if any(key in known for known in names)]
    of_labels = [key for key in of_labels if key not in words]
    if words and of_labels:
        raise ValueError(
            f"threshold={dict(threshold)!r} mixes words of a rule, {words}, with labels of y, "
            f"{of_labels}. Give one rule for all labels, such as {{'recall': 0.9}}, or a "
            "probability for each label."
        )
    if of_labels or not resembles_rule(threshold):
        return None
    return checked_rule(threshold)


def check_rule(
    params: FitParameters,
    target: Target,
    positive: int,
    train: Samples,
    validation: Samples | None,
    folds: Folds | None,
) -> None:
    """Raise a ValueError, before the training, if a rule cannot be kept whatever the scores are.

    Parameters
    ----------
    params, target
    positive : int
        Position of the positive one of two classes.
    train : Samples
        With codes for labels.
    validation : Samples or None
        What the cut is chosen on, if there is one.
    folds : Folds or None
        In which the training samples are held out otherwise.
    """
    rule = params.threshold
    if not isinstance(rule, Rule):
        return
    if not target.per_pixel:
        check_of_samples(rule)
    if target.kind not in ("binary", "multilabel"):
        if target.per_pixel:
            raise ValueError(
                f"threshold={rule} is a rule for masks of two classes, but y has the "
                f"{len(target.classes_)} classes {listed(target.classes_)}. Pass y == label of the "
                "one that is promised, or give numbers, one for each class."
            )
        raise ValueError(
            f"threshold={rule} is a rule for two classes, or for each label of an indicator "
            f"matrix, but y has the {len(target.classes_)} classes {listed(target.classes_)}. "
            "Give what errors between several classes cost instead, as costs=, an array of "
            "cost[true, predicted]."
        )
    if target.per_pixel and rule.confidence is not None and not rule.of_lesions:
        raise ValueError(
            f"threshold={rule} has a confidence, which requires independent samples, but the "
            "pixels of an image depend on each other. Leave out 'confidence', or promise "
            "'lesion_recall', of which lesions are the samples."
        )
    judged = validation
    if judged is None:
        judged = train if folds is None else train.take(np.flatnonzero(folds.judged))
    if target.kind == "multilabel":
        for name, truth in zip(_names(target, judged), judged.y.T, strict=True):
            sizes = _sizes(truth == 1, judged.weight)
            try:
                if min(sizes) > 0:  # otherwise there is a warning, and no cut
                    check_support(rule, *sizes)
            except ValueError as error:
                raise ValueError(f"For the label {name!r}: {error}") from error
        return
    if rule.of_lesions:
        weight = lesion_weights(judged.y == positive, judged.weight)
        check_lesions(rule, weight, len(judged))
        return
    if target.per_pixel:
        counts = target.counts(judged.y, judged.weight)
        sizes = float(counts[positive]), float(counts[1 - positive])
    else:
        sizes = _sizes(judged.y == positive, judged.weight)
    if min(sizes) <= 0:
        raise ValueError(
            f"threshold={rule} is chosen on samples of both classes, but those that it would be "
            f"chosen on have {sizes[0]:g} positive and {sizes[1]:g} negative ones. Pass samples of "
            "both classes as X_val and y_val, or use stratified folds."
        )
    check_support(rule, *sizes)


def chosen_by_rule(
    rule: Rule,
    target: Target,
    positive: int,
    samples: Samples,
    y: np.ndarray,
    probabilities: np.ndarray,
    sample_weight: np.ndarray,
) -> tuple[float | np.ndarray, list[RuleChoice | None]]:
    """Return the threshold that keeps a rule, and the choice of each side: a class, or the labels.

    Parameters
    ----------
    rule : Rule
    target : Target
    positive : int
        Position of the positive one of two classes.
    samples : Samples
        Which have the names of the labels.
    y : ndarray of shape (n,) or (n, n_labels)
        Labels.
    probabilities : ndarray of shape (n, 2) or (n, n_labels)
    sample_weight : ndarray of shape (n,)
    """
    if target.kind == "binary":
        truth = y == target.classes_[positive]
        choice = choose_cut(rule, truth, probabilities[:, positive], sample_weight)
        return choice.threshold, [choice]
    columns = zip(_names(target, samples), y.T, probabilities.T, strict=True)
    choices = [
        choose_label_cut(rule, repr(name), truth, p, sample_weight) for name, truth, p in columns
    ]
    return np.array([0.5 if c is None else c.threshold for c in choices]), choices


def _names(target: Target, samples: Samples) -> list[Any]:
    names = samples.schema.label_names
    return target.classes_.tolist() if names is None else names


def _sizes(truth: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    return effective_size(weight[truth]), effective_size(weight[~truth])
