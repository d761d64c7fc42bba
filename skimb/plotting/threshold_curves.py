"""Precision, recall and F1 at every threshold: the numbers, and the lines of one panel."""

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

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# more than a picture can show, and quick to draw
_POINTS = 2000
TITLES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}


class Curves(NamedTuple):
    """Scores of one class or label at ascending thresholds, arrays of shape (n_thresholds,)."""

    pos_label: Label
    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    threshold: float | None


def curves_of(
    pos_label: Label,
    positives: np.ndarray,
    scores: np.ndarray,
    threshold: float | None,
    sample_weight: ArrayLike | None,
    *,
    required: bool = True,
) -> Curves:
    """Compute the curves of a class or label from scores of samples of shape (n_samples,).

    Without samples of both classes they are empty, or a ValueError if they are `required`.
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
            return Curves(pos_label, none, none, none, none, threshold)
        raise ValueError(
            f"y has {'only' if positives.any() else 'no'} samples of {pos_label!r}, the positive "
            "class, so that precision and recall are not defined. Pass samples of both classes."
        )
    precision, recall, thresholds = precision_recall_curve(positives, scores, sample_weight=weight)
    precision, recall = precision[:-1], recall[:-1]  # the last is of a threshold above all
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, np.zeros_like(both), where=both > 0)
    return Curves(pos_label, thresholds, precision, recall, f1, threshold)


def at_threshold(curves: Curves) -> dict[str, float] | None:
    """Return the scores at the chosen threshold; precision is NaN if nothing is predicted."""
    if curves.threshold is None or not len(curves.thresholds):
        return None
    position = np.searchsorted(curves.thresholds, curves.threshold, side="left")
    if position == len(curves.thresholds):
        return {"precision": float("nan"), "recall": 0.0, "f1": 0.0}
    return {name: float(getattr(curves, name)[position]) for name in TITLES}


def draw_curves(
    panel: Axes, curves: Curves, *, probabilities: bool, numbers: bool
) -> tuple[dict[str, Line2D], Line2D | None]:
    """Draw the lines, and the mark of the chosen threshold, and return both.

    Lines of `probabilities` reach from 0 to 1. With `numbers` the labels of the lines have the
    scores at the threshold.
    """
    panel.set_ylim(-0.02, 1.02)
    if not len(curves.thresholds):
        text = "no samples of both classes"
        panel.text(0.5, 0.5, text, ha="center", transform=panel.transAxes, fontsize="small")
        return {}, None
    kept, at, threshold = _kept(curves.thresholds), at_threshold(curves), curves.threshold
    lines: dict[str, Line2D] = {}
    for color, (name, title) in zip(COLORS, TITLES.items(), strict=False):
        values = getattr(curves, name)
        x, y = curves.thresholds[kept], values[kept]
        if probabilities:
            # below the lowest score all samples are positive, above the highest one none is
            x, y = np.concatenate([[0.0], x, [1.0]]), np.concatenate([values[:1], y, [0.0]])
            if name == "precision":
                x, y = x[:-1], y[:-1]
        label = f"{title} {at[name]:.2f}" if at and numbers else title
        (lines[name],) = panel.plot(
            x, y, color=color, drawstyle="steps-pre", label=label.replace("nan", "–"),
            linewidth=2.0 if name == "f1" else 1.4,
        )  # fmt: skip
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
    return lines, mark


def draw_rule(panel: Axes, curves: Curves, rule: Mapping[str, float]) -> Line2D | None:
    """Draw the floor of a rule, with the thresholds that keep it on these samples shaded.

    None of a rule about a figure that has no curve, and without curves.
    """
    promise = next((name for name in ("recall", "precision") if name in rule), None)
    if promise is None or not len(curves.thresholds):
        return None
    value, kept = rule[promise], _kept(curves.thresholds)
    color = COLORS[list(TITLES).index(promise)]
    label = f"{TITLES[promise]} promised: {value:g}"
    line = panel.axhline(value, color=color, linestyle=":", linewidth=1.2, zorder=1, label=label)
    panel.fill_between(
        curves.thresholds[kept], 0, 1, where=getattr(curves, promise)[kept] >= value, color=color,
        alpha=0.08, linewidth=0, step="pre", zorder=0, transform=panel.get_xaxis_transform(),
    )  # fmt: skip
    return line


def _kept(thresholds: np.ndarray) -> np.ndarray:
    """Return positions spread evenly, both over the values and over the ranks."""
    n = len(thresholds)
    if n <= _POINTS:
        return np.arange(n)
    even = np.linspace(thresholds[0], thresholds[-1], _POINTS // 2)
    by_value = np.searchsorted(thresholds, even)
    by_rank = np.linspace(0, n - 1, _POINTS // 2).astype(int)
    return np.unique(np.concatenate([by_value, by_rank]))
