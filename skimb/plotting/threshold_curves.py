"""Scores at every threshold with their intervals: the numbers, and the lines of one panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_curve
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from skimb._types import Label
from skimb.plotting.panels import COLORS, GREY
from skimb.probability.binomial import effective_size, wilson_bounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

# more than a picture can show, and quick to draw
_POINTS = 2000
TITLES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
#: what a rule may put a ceiling on, for the axis and, where there is little room, the legend
CEILINGS = {"fpr": "False positive rate", "alerts": "Share of alerts"}
_SHORT = {"fpr": "FPR", "alerts": "Alerts"}
_CEILING_COLOR = COLORS[3]
# of the axis of a ceiling, in ceilings: the curves are far above it nearly everywhere
_CEILINGS_SHOWN, _LEAST_SHOWN = 4.0, 0.01
# of sums of weights, so that a promise that is just kept counts as kept
_ROUNDING = 1e-9


class Curves(NamedTuple):
    """Scores of one class or label at ascending thresholds, arrays of shape (n_thresholds,).

    `intervals` holds the lower and upper ends of confidence intervals by the name of the score, of
    shape (2, n_thresholds).
    """

    pos_label: Label
    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    threshold: float | None
    fpr: np.ndarray | None = None
    alerts: np.ndarray | None = None
    intervals: Mapping[str, np.ndarray] | None = None


def curves_of(
    pos_label: Label,
    positives: np.ndarray,
    scores: np.ndarray,
    threshold: float | None,
    sample_weight: ArrayLike | None,
    *,
    confidence: float | None = None,
    required: bool = True,
) -> Curves:
    """Compute the curves of a class or label from scores of samples of shape (n_samples,).

    Without samples of both classes they are empty, or a ValueError if they are `required`. With a
    `confidence` they have intervals.
    """
    check_consistent_length(positives, scores, sample_weight)
    weight = None
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, scores, ensure_non_negative=True)
        kept = weight > 0
        positives, scores, weight = positives[kept], scores[kept], weight[kept]
    if not positives.any() or positives.all():
        if not required:
            none = np.empty(0)
            return Curves(pos_label, none, none, none, none, threshold, none, none)
        raise ValueError(
            f"y has {'only' if positives.any() else 'no'} samples of {pos_label!r}, the positive "
            "class, so that precision and recall are not defined. Pass samples of both classes."
        )
    precision, recall, thresholds = precision_recall_curve(positives, scores, sample_weight=weight)
    precision, recall = precision[:-1], recall[:-1]  # the last is of a threshold above all
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, np.zeros_like(both), where=both > 0)
    ones = np.ones(len(scores)) if weight is None else weight
    flagged = _sums_from(thresholds, scores, ones)
    negative = _sums_from(thresholds, scores, ones * ~positives)
    rates = {"fpr": negative / ones[~positives].sum(), "alerts": flagged / ones.sum()}
    intervals = None
    if confidence is not None:
        sizes = {
            "precision": flagged**2 / _sums_from(thresholds, scores, ones**2),
            "recall": effective_size(ones[positives]),
            "fpr": effective_size(ones[~positives]),
            "alerts": effective_size(ones),
        }
        shares = {"precision": precision, "recall": recall, **rates}
        intervals = {
            name: np.stack(wilson_bounds(np.clip(share, 0, 1), sizes[name], confidence))
            for name, share in shares.items()
        }
    return Curves(
        pos_label, thresholds, precision, recall, f1, threshold, **rates, intervals=intervals
    )


def _sums_from(thresholds: np.ndarray, scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the sum of the values of the samples that score at least each threshold."""
    order = np.argsort(scores, kind="stable")
    sums = np.cumsum(values[order][::-1])[::-1]
    return sums[np.searchsorted(scores[order], thresholds)]


def at_threshold(curves: Curves) -> dict[str, float] | None:
    """Return the scores at the chosen threshold; precision is NaN if nothing is predicted."""
    if curves.threshold is None or not len(curves.thresholds):
        return None
    return {name: _value_at(curves, name, curves.threshold) for name in TITLES}


def _value_at(curves: Curves, name: str, threshold: float) -> float:
    position = np.searchsorted(curves.thresholds, threshold, side="left")
    if position == len(curves.thresholds):  # nothing is predicted
        return float("nan") if name == "precision" else 0.0
    return float(getattr(curves, name)[position])


def draw_curves(
    panel: Axes, curves: Curves, *, probabilities: bool, numbers: bool
) -> tuple[dict[str, Line2D], dict[str, PolyCollection], Line2D | None]:
    """Draw the lines with their bands, and the mark of the chosen threshold, and return them.

    Lines of `probabilities` reach from 0 to 1. With `numbers` the labels of the lines have the
    scores at the threshold.
    """
    panel.set_ylim(-0.02, 1.02)
    if not len(curves.thresholds):
        text = "no samples of both classes"
        panel.text(0.5, 0.5, text, ha="center", transform=panel.transAxes, fontsize="small")
        return {}, {}, None
    at, threshold = at_threshold(curves), curves.threshold
    lines: dict[str, Line2D] = {}
    bands: dict[str, PolyCollection] = {}
    for color, (name, title) in zip(COLORS, TITLES.items(), strict=False):
        x, y = _stepped(curves, getattr(curves, name), ends=probabilities)
        if probabilities and name == "precision":  # of no samples there is none
            x, y = x[:-1], y[:-1]
        label = f"{title} {at[name]:.2f}" if at and numbers else title
        (lines[name],) = panel.plot(
            x, y, color=color, drawstyle="steps-pre", label=label.replace("nan", "–"),
            linewidth=2.0 if name == "f1" else 1.4,
        )  # fmt: skip
        _draw_band(panel, curves, name, color, bands)
        if at and threshold is not None:
            panel.plot(threshold, at[name], "o", color=color, markersize=5)
    mark = None
    if threshold is not None:
        label = f"at threshold {threshold:.3g}" if numbers else "threshold"
        mark = panel.axvline(
            threshold, color=GREY, linestyle="--", linewidth=1, zorder=1, label=label
        )
    if probabilities:
        # probabilities of very rare classes may all be near 0
        right = min(1.0, 1.05 * max(curves.thresholds[-1], threshold or 0.0))
        panel.set_xlim(-0.01 * right, 1.01 * right)
    return lines, bands, mark


def draw_rule(
    panel: Axes,
    curves: Curves,
    lines: dict[str, Line2D],
    bands: dict[str, PolyCollection],
    rule: Mapping[str, float],
    *,
    probabilities: bool,
    titled: bool,
) -> Line2D | None:
    """Draw the floor or ceiling of a rule, with the thresholds that keep it shaded.

    A ceiling has an axis of its own on the right, with the curve that it is about, which joins the
    `lines` and `bands`. With `titled` that axis has a label. Without curves there is no line.
    """
    promise = next((name for name in (*TITLES, *CEILINGS) if name in rule), None)
    values = None if promise is None else getattr(curves, promise)
    if promise is None or values is None or not len(curves.thresholds):
        return None
    bound, axis = rule[promise], panel
    floor = promise in TITLES
    color = COLORS[list(TITLES).index(promise)] if floor else _CEILING_COLOR
    x, y = _stepped(curves, values, ends=probabilities)
    if not floor:
        axis = panel.twinx()
        top = min(1.0, max(_CEILINGS_SHOWN * bound, _LEAST_SHOWN))
        axis.set_ylim(-0.02 * top, 1.02 * top)
        axis.tick_params("y", colors=color, labelsize="small")
        if titled:
            axis.set_ylabel(CEILINGS[promise], color=color, fontsize="small")
        label = _SHORT[promise]
        if curves.threshold is not None:
            reached = _value_at(curves, promise, curves.threshold)
            axis.plot(curves.threshold, reached, "o", color=color, markersize=5)
            label += f" {reached:.2g}" if titled else ""
        (lines[promise],) = axis.plot(
            x, y, color=color, drawstyle="steps-pre", linewidth=1.4, label=label
        )
        _draw_band(axis, curves, promise, color, bands)
    title = {**TITLES, **_SHORT}[promise]
    label = f"{title} promised: {bound:g}" if floor else f"{title} at most {bound:g}"
    line = axis.axhline(bound, color=color, linestyle=":", linewidth=1.2, zorder=1, label=label)
    keeps = y >= bound - _ROUNDING if floor else y <= bound + _ROUNDING
    # a curve has the value of a threshold from just above the one before
    ends = np.flatnonzero(np.diff(np.concatenate([[False], keeps, [False]])))
    left, right = x[np.maximum(ends[::2] - 1, 0)], x[ends[1::2] - 1]
    panel.broken_barh(
        list(zip(left, right - left, strict=True)), (0, 1), color=color, alpha=0.08, linewidth=0,
        zorder=0, transform=panel.get_xaxis_transform(),
    )  # fmt: skip
    return line


def _stepped(curves: Curves, values: np.ndarray, *, ends: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return a selection of the points of a curve, with `ends` from 0 to 1."""
    kept = _kept(curves.thresholds)
    x, y = curves.thresholds[kept], values[kept]
    if not ends:
        return x, y
    # below the lowest score all samples are positive, above the highest one none is
    return np.concatenate([[0.0], x, [1.0]]), np.concatenate([values[:1], y, [0.0]])


def _draw_band(
    axis: Axes, curves: Curves, name: str, color: str, bands: dict[str, PolyCollection]
) -> None:
    """Shade the intervals of a score, where there are any."""
    if curves.intervals is None or name not in curves.intervals:
        return
    kept = _kept(curves.thresholds)
    low, high = curves.intervals[name][:, kept]
    bands[name] = axis.fill_between(
        curves.thresholds[kept], low, high, color=color, alpha=0.15, linewidth=0, step="pre"
    )


def _kept(thresholds: np.ndarray) -> np.ndarray:
    """Return positions spread evenly, both over the values and over the ranks."""
    n = len(thresholds)
    if n <= _POINTS:
        return np.arange(n)
    even = np.linspace(thresholds[0], thresholds[-1], _POINTS // 2)
    by_value = np.searchsorted(thresholds, even)
    by_rank = np.linspace(0, n - 1, _POINTS // 2).astype(int)
    return np.unique(np.concatenate([by_value, by_rank]))
