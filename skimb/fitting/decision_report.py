"""Report of a chosen threshold: what was promised, on which samples, and what it amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from skimb._types import PerClass
from skimb.data.targets import Target
from skimb.probability.binomial import Interval, effective_size, wilson
from skimb.probability.lesion_cuts import LesionChoice
from skimb.probability.rule_cuts import RuleChoice
from skimb.probability.rules import Rule

_FIGURES = ("lesion_recall", "recall", "precision", "fpr", "alerts")

#: by a rule, of a class or label
Choice: TypeAlias = RuleChoice | LesionChoice


@dataclass(frozen=True, repr=False)
class DecisionReport:
    """What the threshold of a class or a label was chosen by, and what it amounts to.

    The figures are those of the samples that the threshold was chosen on, at the threshold that was
    chosen, with two-sided Wilson intervals. These account for the number of samples, but not for
    the choice; `bound` accounts for both.

    Attributes
    ----------
    chosen_by : dict, str or None
        The rule, as ``{"recall": 0.9, "confidence": 0.95}``, or the name of the score. None for a
        label that is the same in all samples, where there is nothing to choose by.
    chosen_on : {"out-of-fold samples", "held-out samples", "X_val", "training samples"}
        Of out-of-fold samples, each was judged by members of the ensemble not trained on it.
    threshold : float
        The probability from which the class or label is predicted.
    n_samples, n_positive : int
        Number of samples that it was chosen on, and of positive ones among them. Of masks they are
        pixels, of which at most half a million are looked at.
    recall, precision, fpr, alerts : Interval
        Named tuples (score, low, high): the share of the positives that are flagged, of the flagged
        that are positive, of the negatives that are flagged, and of all samples that are flagged.
        NaN where undefined.
    confidence : float
        Of the intervals.
    bound : float or None
        The figure that was promised is at least this (recall, precision) or at most this (fpr,
        alerts) in the population, with the confidence of the rule. None without one. Of out-of-fold
        samples it is that of the members, whose mean predicts.
    lesion_recall : Interval or None
        Of a rule about lesions, the share of the lesions that is found, with an interval for
        lesions that are independent. The other figures are those of pixels.
    false_alarms_per_image : float or None
        Of a rule about lesions, the number of predicted lesions that touch no true one.
    n_lesions : int or None
        Of a rule about lesions, the number of true ones that it was chosen on.
    """

    chosen_by: dict[str, float] | str | None
    chosen_on: str
    threshold: float
    n_samples: int
    n_positive: int
    recall: Interval
    precision: Interval
    fpr: Interval
    alerts: Interval
    confidence: float = 0.95
    bound: float | None = None
    lesion_recall: Interval | None = None
    false_alarms_per_image: float | None = None
    n_lesions: int | None = None

    def __repr__(self) -> str:
        by = f"by {self.chosen_by!r}" if self.chosen_by else "by nothing, since all are the same,"
        on = f"{self.n_samples} {self.chosen_on} ({self.n_positive} positive)"
        if self.n_lesions is not None:
            on = f"the {self.n_lesions} lesions of {self.chosen_on}"
        lines = [f"threshold {self.threshold:.4g}, chosen {by} on {on}"]
        width = 10
        if self.false_alarms_per_image is not None:
            width = len("false_alarms_per_image ")
            lines.append(f"{'false_alarms_per_image':<{width}}{self.false_alarms_per_image:.3g}")
        for name in _FIGURES:
            if getattr(self, name) is None:
                continue
            score, low, high = getattr(self, name)
            line = f"{name:<{width}}{score:<8.3g}({low:.3g} to {high:.3g})"
            if self.bound is not None and name in (self.chosen_by or ()):
                side = "at most" if name in ("fpr", "alerts") else "at least"
                line += f", {side} {self.bound:.4g} with confidence {self.confidence:g}"
            lines.append(line)
        return "\n".join(lines)


#: of the positive one of two classes, or of each class or label
Reports: TypeAlias = DecisionReport | dict[Any, DecisionReport]


def report_of(
    chosen_by: dict[str, float] | str,
    chosen_on: str,
    threshold: float,
    truth: np.ndarray,
    flagged: np.ndarray,
    sample_weight: np.ndarray,
    bound: float | None = None,
    confidence: float = 0.95,
) -> DecisionReport:
    """Return the report of one class or label.

    Parameters
    ----------
    chosen_by, chosen_on, threshold, bound, confidence
        See :class:`DecisionReport`.
    truth, flagged : ndarray of bool of shape (n_samples,)
        Which samples are positive, and for which that is predicted.
    sample_weight : ndarray of shape (n_samples,)
    """

    def share(of: np.ndarray, among: np.ndarray) -> Interval:
        weight = sample_weight[among]
        total = weight.sum()
        found = float(weight[of[among]].sum() / total) if total > 0 else np.nan
        return wilson(found, effective_size(weight), confidence)

    chosen: Any = chosen_by if truth.any() and not truth.all() else None
    return DecisionReport(
        chosen,
        chosen_on,
        float(threshold),
        len(truth),
        int(truth.sum()),
        recall=share(flagged, truth),
        precision=share(truth, flagged),
        fpr=share(flagged, ~truth),
        alerts=share(flagged, np.ones_like(truth)),
        confidence=confidence,
        bound=bound,
    )


def reports_of(
    chosen_by: str | Rule,
    chosen_on: str,
    target: Target,
    positive: int,
    threshold: PerClass,
    names: list[Any] | None,
    y: np.ndarray,
    predicted: np.ndarray,
    sample_weight: np.ndarray,
    choices: Sequence[Choice | None] | None,
) -> Reports:
    """Return the report of the positive one of two classes, otherwise one for each class or label.

    Parameters
    ----------
    chosen_by : str or Rule
    chosen_on : str
        See :class:`DecisionReport`.
    target : Target
    positive : int
        Position of the positive one of two classes.
    threshold : float or ndarray
    names : list or None
        Names of the labels; None for the classes or positions.
    y, predicted : ndarray of shape (n_samples,) or (n_samples, n_labels)
        True and predicted labels.
    sample_weight : ndarray of shape (n_samples,)
    choices : sequence of RuleChoice, LesionChoice or None, or None
        Those of a rule.
    """
    classes = target.classes_.tolist()
    if target.kind == "multilabel":
        sides = list(zip(y.T == 1, predicted.T == 1, strict=True))
    else:
        sides = [(y == label, predicted == label) for label in target.classes_]
    if target.kind == "binary":
        classes, sides = [classes[positive]], [sides[positive]]
    written: dict[str, float] | str
    if isinstance(chosen_by, Rule):
        written, confidence = chosen_by.as_dict(), chosen_by.confidence or 0.95
    else:
        written, confidence = chosen_by, 0.95
    choices = choices or [None] * len(sides)
    found = []
    for cut, side, choice in zip(np.ravel(threshold), sides, choices, strict=True):
        bound = None if choice is None else choice.bound
        report = report_of(written, chosen_on, cut, *side, sample_weight, bound, confidence)
        if isinstance(choice, LesionChoice):
            report = replace(
                report,
                lesion_recall=choice.lesion_recall,
                false_alarms_per_image=choice.false_alarms_per_image,
                n_lesions=choice.n_lesions,
            )
        found.append(report)
    if target.kind == "binary":
        return found[0]
    return dict(zip(classes if names is None else names, found, strict=True))
