"""Rules for a threshold: what they promise, and how many samples a promise requires.

The choice of a cut by a rule is in :mod:`skimb.probability.rule_cuts`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from skimb.probability.binomial import p_at_most

_ELSEWHERE = {
    "tpr": "recall",
    "sensitivity": "recall",
    "min_recall": "recall",
    "ppv": "precision",
    "min_precision": "precision",
    "false_positive_rate": "fpr",
    "max_fpr": "fpr",
    "fall_out": "fpr",
    "budget": "alerts",
    "alert_rate": "alerts",
    "contamination": "alerts",
    "lesion_sensitivity": "lesion_recall",
    "false_alarms": "false_alarms_per_image",
    "neg_false_alarms": "false_alarms_per_image",
    "alpha": "confidence",
    "level": "confidence",
}
_OF_LESIONS = ("lesion_recall", "false_alarms_per_image")
_PROMISES = ("recall", "precision", "fpr", "alerts", *_OF_LESIONS)
_ACCEPTED = (
    "A rule is one of 'recall', 'precision', 'fpr' and 'alerts', or for masks 'lesion_recall' or "
    "'false_alarms_per_image'"
)
#: what a rule that is written as a mapping consists of
RULE_WORDS = (*_PROMISES, "confidence")


@dataclass(frozen=True)
class Rule:
    """A promise that a decision threshold has to keep.

    Attributes
    ----------
    promise : {"recall", "precision", "fpr", "alerts", "lesion_recall", "false_alarms_per_image"}
        Recall, of samples or lesions, and precision are floors. The false positive rate, the share
        of samples that are flagged, and the false alarms an image are ceilings.
    value : float
        In [0, 1], of false alarms at least 0.
    confidence : float or None, default=None
        Probability, over the draw of the samples that the cut is chosen on, that the promise
        holds in the population. None: it holds on these samples.
    """

    promise: str
    value: float
    confidence: float | None = None

    @property
    def is_floor(self) -> bool:
        return self.promise in ("recall", "precision", "lesion_recall")

    @property
    def of_lesions(self) -> bool:
        """Whether the promise is about lesions of masks, not about samples or pixels."""
        return self.promise in _OF_LESIONS

    def as_dict(self) -> dict[str, float]:
        """Return the rule as a user writes it."""
        written = {self.promise: self.value}
        return written if self.confidence is None else written | {"confidence": self.confidence}

    def __str__(self) -> str:
        return str(self.as_dict())


def checked_rule(rule: Mapping[str, Any], name: str = "threshold") -> Rule:
    """Return a rule that is written as a mapping.

    Parameters
    ----------
    rule : Mapping
        One of ``{"recall": 0.9}``, ``{"precision": 0.8}``, ``{"fpr": 0.001}``,
        ``{"alerts": 0.01}`` and ``{"lesion_recall": 0.9}``, optionally with ``"confidence"``, or
        ``{"false_alarms_per_image": 0.5}``.
    name : str, default="threshold"
        The parameter it was passed as, for errors.

    Returns
    -------
    Rule

    Raises
    ------
    ValueError
        If a key is unknown, there is not exactly one promise, or a value is out of range.

    Examples
    --------
    >>> from skimb.probability.rules import checked_rule
    >>> checked_rule({"recall": 0.9, "confidence": 0.95})
    Rule(promise='recall', value=0.9, confidence=0.95)
    """
    for key in rule:
        if key not in RULE_WORDS:
            near = [_ELSEWHERE[key]] if key in _ELSEWHERE else _close(key)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"{name}={rule!r} has the unknown key {key!r}.{hint} {_ACCEPTED}, and "
                "optionally 'confidence'."
            )
    promises = [key for key in _PROMISES if key in rule]
    if len(promises) != 1:
        raise ValueError(
            f"{name}={rule!r} makes {len(promises)} promises, but a threshold can keep exactly "
            f"one. {_ACCEPTED}, such as {{'recall': 0.9}}."
        )
    (promise,) = promises
    value, confidence = rule[promise], rule.get("confidence")
    _check_value(name, promise, value, confidence is not None)
    if confidence is None:
        return Rule(promise, float(value))
    if promise == "false_alarms_per_image":
        raise ValueError(
            f"{name}={rule!r} has a confidence, but an image can have any number of false alarms, "
            "so that no images promise their mean in the population. Leave out 'confidence'."
        )
    if not _is_number(confidence) or not 0.5 <= confidence < 1:
        meant = ""
        if _is_number(confidence) and 0 < confidence < 0.5:
            meant = (
                f" An error probability of {confidence:g} is a confidence of {1 - confidence:g}."
            )
        raise ValueError(
            f"{name}={rule!r}: confidence must be a number from 0.5 up to but not including 1, "
            f"got {confidence!r}.{meant} Leave it out for a promise on these samples only."
        )
    return Rule(promise, float(value), float(confidence))


def check_of_samples(rule: Rule, name: str = "threshold") -> None:
    """Raise a ValueError if a rule is about lesions, where there are no masks of two classes."""
    if rule.of_lesions:
        raise ValueError(
            f"{name}={rule} is a rule about lesions, the connected components of masks of two "
            "classes, but y is no such mask. Accepted here are {'recall': 0.9}, {'precision': "
            "0.8}, {'fpr': 0.001} and {'alerts': 0.01}."
        )


def resembles_rule(mapping: Mapping[Any, Any]) -> bool:
    """Whether a key is a word of a rule, or close to one, so that a rule may have been meant."""
    return any(key in RULE_WORDS or key in _ELSEWHERE or _close(key) for key in mapping)


def needed(rule: Rule) -> int:
    """Return the number of samples without which a rule cannot be kept.

    Parameters
    ----------
    rule : Rule

    Returns
    -------
    int
        Of positives or lesions for recall, of negatives for the false positive rate, of samples
        for alerts, of flagged samples (all of them positive) for precision, and of images for
        false alarms.

    Examples
    --------
    >>> from skimb.probability.rules import Rule, needed
    >>> needed(Rule("recall", 0.9, 0.95)), needed(Rule("fpr", 0.001, 0.95))
    (29, 2995)
    """
    if rule.confidence is None:
        return math.ceil(1 / rule.value - 1e-9) if rule.promise == "alerts" else 1
    alpha = 1 - rule.confidence
    if rule.promise == "alerts":
        return _needed_for_one_alert(rule.value, alpha)
    share = rule.value if rule.is_floor else 1 - rule.value
    return max(1, math.ceil(math.log(alpha) / math.log(share) - 1e-9))


def check_support(rule: Rule, positives: float, negatives: float) -> None:
    """Raise a ValueError if there are too few samples for a rule, whatever their scores.

    It can be called before a fit, which then does not train in vain. For precision it depends on
    the scores as well.

    Parameters
    ----------
    rule : Rule
    positives, negatives : float
        Numbers of samples, or their effective numbers; for a rule about lesions those of lesions
        and of images.
    """
    have, units = {
        "recall": (positives, "positive samples"),
        "precision": (positives, "positive samples"),
        "fpr": (negatives, "negative samples"),
        "alerts": (positives + negatives, "labelled samples"),
        "lesion_recall": (positives, "lesions"),
        "false_alarms_per_image": (negatives, "images"),
    }[rule.promise]
    least = needed(rule)
    if have >= least - 1e-9:
        return
    raise ValueError(
        f"The threshold rule {rule} needs at least {least} {units}, and there are {have:.4g}."
        f"{_reachable(rule, have)} Choose the threshold on more samples, promise less, or lower or "
        "leave out the confidence."
    )


def _reachable(rule: Rule, have: float) -> str:
    if rule.confidence is None or rule.promise == "alerts" or have < 1:
        return ""
    share = (1 - rule.confidence) ** (1 / have)
    if rule.is_floor:
        return f" With these, {rule.promise} {math.floor(share * 1000) / 1000:g} can be promised."
    return f" With these, {rule.promise} {math.ceil((1 - share) * 1e4) / 1e4:g} can be promised."


def _needed_for_one_alert(value: float, alpha: float) -> int:
    """Return the least n with P(Binomial(n, value) <= 1) <= alpha, by bisection."""
    low, high = 1, 2
    while p_at_most(1, high, value) > alpha:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if p_at_most(1, middle, value) > alpha:
            low = middle
        else:
            high = middle
    return high


def _check_value(name: str, promise: str, value: Any, confident: bool) -> None:
    if promise == "false_alarms_per_image":
        if _is_number(value) and value >= 0:
            return
        raise ValueError(
            f"{name}: false_alarms_per_image must be a number of at least 0, got {value!r}. It is "
            "a mean number of lesions, such as {'false_alarms_per_image': 0.5}."
        )
    # 0 and 1 are reached on given samples, but promised for the population by no number of them
    least = 0.0 if promise == "fpr" and not confident else math.ulp(0.0)
    most = 1.0 - math.ulp(0.5) if confident else 1.0
    if _is_number(value) and least <= value <= most:
        return
    meant = f" Did you mean {value / 100:g}?" if _is_number(value) and 1 < value <= 100 else ""
    bounds = {
        (0.0, False): "from 0 to 1",
        (math.ulp(0.0), False): "above 0 and at most 1",
    }.get((least, confident), "between 0 and 1, and neither with a confidence")
    raise ValueError(
        f"{name}: {promise} must be a number {bounds}, got {value!r}.{meant} It is a share, such "
        "as {'recall': 0.9} or {'fpr': 0.001}."
    )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _close(key: object) -> list[str]:
    return difflib.get_close_matches(str(key).lower(), RULE_WORDS, n=1)
