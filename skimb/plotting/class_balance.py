"""Display of how rare the classes are, and of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_sample_weight

from skimb.data.labels import checked_labels, checked_masks
from skimb.plotting.estimators import class_names, fitted_part, is_segmenter
from skimb.plotting.panels import (
    COLORS,
    GREY,
    panels,
    require_matplotlib,
    short_number,
    shortened,
    wrapped,
)
from skimb.weighting import class_weights, label_weights, pixel_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.lines import Line2D

# the largest over the smallest value, from which on points are drawn on a log axis
_STRONG = 30
# classes whose values are written beside the bars
_FEW = 40
# behind values that the line of weight 1 would cross
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}


class ClassBalanceDisplay:
    """Class counts and class weights.

    Parameters
    ----------
    labels : sequence of shape (n_classes,)
        Names of the classes, or of the labels of an indicator target.
    counts : array-like of shape (n_classes,)
        Number or summed sample weights of the samples or pixels of each class; for an indicator
        target those that have the label.
    weights : array-like of shape (n_classes,)
        Class weights; for an indicator target the weights of the 1s over those of the 0s.
    counts_label : str, default="Samples"
    weights_label : str, default="Class weight"

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2,)
        Panels of the counts and of the weights. If the largest value is over 30 times the smallest,
        the axis is logarithmic and has points in place of bars.
    ax_ : Axes
        The panel of the counts.
    figure_ : Figure
    bars_ : list of BarContainer or Line2D
        Bars of the counts and of the weights; points on a logarithmic axis.

    See Also
    --------
    skimb.weighting.class_weights : The schemes.

    Examples
    --------
    >>> from skimb.plotting import ClassBalanceDisplay
    >>> display = ClassBalanceDisplay.from_labels(["ok"] * 90 + ["fraud"] * 10)
    >>> display.labels, display.counts, display.weights
    (['fraud', 'ok'], array([10., 90.]), array([5.        , 0.55555556]))
    """

    def __init__(
        self,
        labels: Sequence[Any],
        counts: ArrayLike,
        weights: ArrayLike,
        *,
        counts_label: str = "Samples",
        weights_label: str = "Class weight",
    ) -> None:
        self.labels = labels
        self.counts = counts
        self.weights = weights
        self.counts_label = counts_label
        self.weights_label = weights_label

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        display_labels: Sequence[Any] | None = None,
        sort: bool = False,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> ClassBalanceDisplay:
        """Draw the class counts of a fitted estimator, and the weights that it used.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier or segmenter of skimb, alone, in a pipeline or in a search.
        display_labels : sequence of shape (n_classes,) or None, default=None
            Names in the order of ``classes_``. The columns of a data frame y are the default.
        sort, ax
            As in `plot`.

        Returns
        -------
        ClassBalanceDisplay
        """
        require_matplotlib(cls.__name__)
        part = fitted_part(estimator, cls.__name__, "classes_", "class_counts_", "class_weight_")
        used, counts = part.class_weight_, np.asarray(part.class_counts_, dtype=np.float64)
        weights = np.array(list(used.values()) if isinstance(used, dict) else used, np.float64)
        labels = _names(class_names(part), display_labels)
        unit = "Pixels" if is_segmenter(part) else "Samples"
        # of an indicator target, the counts of the 1s
        shown = _shown(labels, counts.T[1] if counts.ndim == 2 else counts, weights, unit)
        return cls(**shown).plot(ax, sort=sort)

    @classmethod
    def from_labels(
        cls,
        y: ArrayLike,
        class_weight: str | dict[Any, float] | ArrayLike | None = "balanced",
        *,
        sample_weight: ArrayLike | None = None,
        display_labels: Sequence[Any] | None = None,
        sort: bool = False,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> ClassBalanceDisplay:
        """Draw the counts of labels, and the weights of a scheme.

        Parameters
        ----------
        y : array-like of shape (n_samples,), (n_samples, n_labels) or (n_images, height, width)
            Class labels, an indicator matrix, or masks, also of shape (n_images, height, width, 1).
        class_weight : str, dict, array-like or None, default="balanced"
            As in :func:`skimb.weighting.class_weights`, :func:`skimb.weighting.label_weights` of an
            indicator matrix, and :func:`skimb.weighting.pixel_weights` of masks.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the counts. Not for masks.
        display_labels : sequence of shape (n_classes,) or None, default=None
            Names in the order of the sorted classes, or of the columns. Those of a data frame are
            the default.
        sort, ax
            As in `plot`.

        Returns
        -------
        ClassBalanceDisplay
        """
        require_matplotlib(cls.__name__)
        labels: list[Any]
        counts: np.ndarray
        if np.ndim(y) in (3, 4):
            if sample_weight is not None:
                raise ValueError("sample_weight is not accepted for masks, only for samples.")
            y, unit = checked_masks(y), "Pixels"
            by_class = pixel_weights(y, class_weight)
            labels, weights = list(by_class), np.array(list(by_class.values()))
            counts = np.unique(y, return_counts=True)[1]
        else:
            columns, unit = getattr(y, "columns", None), "Samples"
            y = checked_labels(y)
            checks: dict[str, Any] = {"dtype": np.float64, "ensure_non_negative": True}
            weight = _check_sample_weight(sample_weight, y, **checks)
            if y.ndim == 2:
                labels = list(range(y.shape[1]) if columns is None else columns)
                weights = label_weights(y, class_weight, sample_weight=weight)
                counts = weight @ y  # of the 1s
            else:
                by_class = class_weights(y, class_weight, sample_weight=weight)
                labels, weights = list(by_class), np.array(list(by_class.values()))
                counts = np.bincount(np.unique(y, return_inverse=True)[1], weight)
        shown = _shown(_names(labels, display_labels), counts, weights, unit)
        return cls(**shown).plot(ax, sort=sort)

    def plot(
        self, ax: Axes | Sequence[Axes] | None = None, *, sort: bool = False
    ) -> ClassBalanceDisplay:
        """Draw the counts and the weights.

        Parameters
        ----------
        ax : Axes, array-like of two Axes or None, default=None
            None creates a figure, the higher the more classes there are. A single Axes is divided.
        sort : bool, default=False
            Whether to sort the classes from the most common one to the rarest.

        Returns
        -------
        self
        """
        require_matplotlib(type(self).__name__)
        counts = np.asarray(self.counts, dtype=np.float64)
        weights = np.asarray(self.weights, dtype=np.float64)
        n = len(self.labels)
        if not counts.shape == weights.shape == (n,):
            raise ValueError(
                f"labels, counts and weights have the shapes {(n,)}, {counts.shape} and "
                f"{weights.shape}, but belong to the same classes."
            )
        order = np.argsort(-counts, kind="stable") if sort else np.arange(n)
        figsize = 7.2, 1.0 + (0.28 if n <= _FEW else 0.14) * n
        self.axes_ = panels(ax, 1, 2, figsize=figsize, sharey=True).ravel()
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        self.axes_[1].axvline(1.0, color=GREY, linestyle=":", linewidth=1, zorder=0)
        _write_names(self.axes_, [str(self.labels[i]) for i in order], fitting=ax is None)
        # for the numbers beside the bars, which take more of the panels of a user's figure
        margin = 0.15 if ax is None else 0.5
        self.bars_ = [
            _draw(self.axes_[0], counts[order], self.counts_label, COLORS[0], margin),
            _draw(self.axes_[1], weights[order], self.weights_label, COLORS[1], margin),
        ]
        return self


def _names(labels: list[Any], display_labels: Sequence[Any] | None) -> list[Any]:
    if display_labels is None:
        return labels
    if len(display_labels) != len(labels):
        raise ValueError(
            f"display_labels has {len(display_labels)} names for the {len(labels)} classes or "
            f"labels {labels[:10]}."
        )
    return list(display_labels)


def _shown(labels: list[Any], counts: np.ndarray, weights: np.ndarray, unit: str) -> dict[str, Any]:
    """Return the arguments of a display; `weights` has two columns for an indicator target."""
    title = "Class weight"
    if weights.ndim == 2:
        unit, title = f"{unit} with the label", "Weight of a 1"
        of_zeros, weights = weights.T
        # a scheme and a pos_weight that train the same differ in the weights of the 0s
        if (of_zeros > 0).all():
            weights, title = weights / of_zeros, f"{title} / weight of a 0"
    if not np.array_equal(counts, np.round(counts)):
        unit += ", weighted"
    return {
        "labels": labels, "counts": counts, "weights": weights,
        "counts_label": unit, "weights_label": title,
    }  # fmt: skip


def _write_names(axes: np.ndarray, names: list[str], *, fitting: bool) -> None:
    """Write names at the left of two panels, as many as fit if the figure was not made for them."""
    axis, n = axes[0].yaxis, len(names)
    written = [wrapped(name) if fitting else shortened(name, 30) for name in names]
    size = "small" if n <= (_FEW if fitting else axis.get_tick_space()) else "x-small"
    axes[0].tick_params(axis="y", labelsize=size)
    # ticks of Matplotlib have twice the height of their labels, names may be closer
    step = 1 if fitting else -(-n // int(1.6 * axis.get_tick_space() + 1))
    for panel in axes:
        panel.set_yticks(range(0, n, step), written[::step])
        panel.set_ylim(n - 0.4, -0.6)
    axes[1].tick_params(axis="y", labelleft=False, left=False)


def _draw(
    panel: Axes, values: np.ndarray, label: str, color: str, margin: float
) -> BarContainer | Line2D:
    """Draw bars, or points on a log axis if the values differ strongly."""
    positions, numbered = np.arange(len(values)), len(values) <= _FEW
    texts = [short_number(value) for value in values]
    style: dict[str, Any] = {"fontsize": "small", "bbox": _WHITE}
    known = np.where(values > 0, values, np.nan)
    panel.spines[["top", "right"]].set_visible(False)
    if not (values > 0).any() or np.nanmax(known) <= _STRONG * np.nanmin(known):
        panel.set_xlabel(label)
        panel.margins(x=margin)
        bars = panel.barh(positions, values, color=color)
        if numbered:
            panel.bar_label(bars, texts, padding=4, **style)
        return bars
    panel.set(xscale="log", xlabel=f"{label} (log)")
    # Bars on a log axis would begin at an arbitrary value. Lines lead from a name to its point.
    panel.grid(axis="y", linewidth=0.5, alpha=0.5)
    (points,) = panel.plot(known, positions, "o", color=color, markersize=7 if numbered else 4)
    low, high = panel.get_xlim()
    for position, value in enumerate(values if numbered else ()):
        right = value <= np.sqrt(low * high)  # the side of the point that has more room
        panel.annotate(
            texts[position], (max(value, low), position), (6 if right else -6, 0),
            textcoords="offset points", ha="left" if right else "right", va="center_baseline",
            **style,
        )  # fmt: skip
    return points
