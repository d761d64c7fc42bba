"""The display of how rare the classes are, and of the weights that they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import _check_sample_weight

from skimb.mask_fitting import checked_masks
from skimb.plotting.panels import (
    COLORS,
    GREY,
    fitted_part,
    panels,
    require_matplotlib,
    short_number,
)
from skimb.targets import checked_labels
from skimb.weighting import class_weights, label_weights, pixel_weights

# the largest over the smallest, from which bars are drawn on a log axis
_STRONG = 30
# bars that have their numbers written beside them
_FEW_BARS = 40
# under numbers, where the line of weight 1 would cross them
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
# characters of a name
_LONG = 34
_POINTS_PER_INCH = 72
_POINTS_OF_A_TICK = 10
# of a letter, on average, as a share of its height
_WIDE = 0.6


class ClassBalanceDisplay:
    """Counts of the classes, and the weights that they get.

    Parameters
    ----------
    labels : sequence of shape (n_classes,)
        Names of the classes, or of the labels of an indicator target.
    counts : array-like of shape (n_classes,)
        Rows or pixels of each class, or sums of their weights; for an indicator target the 1s.
    weights : array-like of shape (n_classes,)
        Weights of the classes; for an indicator target those of the 1s.
    counts_label : str, default="Rows"
    weights_label : str, default="Class weight"

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2,)
        The panels of the counts and of the weights. An axis is logarithmic where the largest bar is
        over 30 times the smallest.
    ax_ : Axes
        The panel of the counts.
    figure_ : Figure
    bars_ : list of BarContainer
        Those of the counts and of the weights.

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
        counts_label: str = "Rows",
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
        estimator: Any,
        *,
        display_labels: Sequence[Any] | None = None,
        sort: bool = False,
        ax: Any = None,
    ) -> ClassBalanceDisplay:
        """Draw what a fitted estimator counted, and the weights that it used.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier or segmenter of skimb, alone, in a pipeline or in a search.
        display_labels : sequence of shape (n_classes,) or None, default=None
            Names in the order of ``classes_``, such as those of the columns of y.
        sort, ax
            As in `plot`.

        Returns
        -------
        ClassBalanceDisplay
        """
        require_matplotlib(cls.__name__)
        part = fitted_part(estimator, cls.__name__, "classes_", "class_counts_", "class_weight_")
        used = part.class_weight_
        weights = np.array(list(used.values()) if isinstance(used, dict) else used, np.float64)
        counts = np.asarray(part.class_counts_, dtype=np.float64)
        labels = np.asarray(part.classes_).tolist()
        unit = "Pixels" if hasattr(part, "background_") else "Rows"
        return cls._drawn(labels, counts, weights, unit, display_labels, sort, ax)

    @classmethod
    def from_labels(
        cls,
        y: ArrayLike,
        class_weight: Any = "balanced",
        *,
        sample_weight: ArrayLike | None = None,
        display_labels: Sequence[Any] | None = None,
        sort: bool = False,
        ax: Any = None,
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
            Weights of the rows in the counts. Not for masks.
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
        counts: np.ndarray
        if np.ndim(y) in (3, 4):
            if sample_weight is not None:
                raise ValueError("sample_weight is not accepted for masks, only for rows.")
            y = checked_masks(y)
            by_class = pixel_weights(y, class_weight)
            counts = np.unique(y, return_counts=True)[1]
            weights = np.array(list(by_class.values()))
            return cls._drawn(list(by_class), counts, weights, "Pixels", display_labels, sort, ax)
        columns = list(y.columns) if hasattr(y, "columns") else None
        y = checked_labels(y)
        weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        if y.ndim == 2:
            positives = weight @ y
            counts = np.column_stack([weight.sum() - positives, positives])
            weights = label_weights(y, class_weight, sample_weight=weight)
            labels = list(range(y.shape[1])) if columns is None else columns
        else:
            by_class = class_weights(y, class_weight, sample_weight=weight)
            counts = np.bincount(np.unique(y, return_inverse=True)[1], weight)
            weights, labels = np.array(list(by_class.values())), list(by_class)
        return cls._drawn(labels, counts, weights, "Rows", display_labels, sort, ax)

    @classmethod
    def _drawn(
        cls,
        labels: list[Any],
        counts: np.ndarray,
        weights: np.ndarray,
        unit: str,
        display_labels: Sequence[Any] | None,
        sort: bool,
        ax: Any,
    ) -> ClassBalanceDisplay:
        if display_labels is not None:
            if len(display_labels) != len(labels):
                raise ValueError(
                    f"display_labels has {len(display_labels)} names for the {len(labels)} classes "
                    f"or labels {labels[:10]}."
                )
            labels = list(display_labels)
        names = {"counts_label": unit, "weights_label": "Class weight"}
        if counts.ndim == 2:
            counts, weights = counts[:, 1], weights[:, 1]
            names = {"counts_label": f"{unit} with the label", "weights_label": "Weight of the 1s"}
        if not np.array_equal(counts, np.round(counts)):
            names["counts_label"] += ", weighted"
        return cls(labels, counts, weights, **names).plot(ax, sort=sort)

    def plot(self, ax: Any = None, *, sort: bool = False) -> ClassBalanceDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes, array-like of two Axes or None, default=None
            None is a new figure, the higher the more classes there are. A single Axes is divided.
        sort : bool, default=False
            Whether the most common class comes first, instead of the order of the classes.

        Returns
        -------
        self
        """
        require_matplotlib(type(self).__name__)
        counts = np.asarray(self.counts, dtype=np.float64)
        weights = np.asarray(self.weights, dtype=np.float64)
        names, n = [str(label) for label in self.labels], len(self.labels)
        if not counts.shape == weights.shape == (n,):
            raise ValueError(
                f"labels, counts and weights have the shapes {(n,)}, {counts.shape} and "
                f"{weights.shape}, but belong to the same classes."
            )
        order = np.argsort(-counts, kind="stable") if sort else np.arange(n)
        height = float(np.clip(0.9 + 0.28 * n, 1.8, 3.0 + 0.12 * n))
        self.axes_ = panels(ax, 1, 2, figsize=(7.2, height), sharey=True).ravel()
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.figure
        self.axes_[1].axvline(1.0, color=GREY, linestyle=":", linewidth=1, zorder=0)
        drawn = counts[order], weights[order]
        self.bars_ = [_bars(*one) for one in zip(self.axes_, drawn, COLORS, strict=False)]
        self.axes_[0].set_xlabel(self.counts_label)
        self.axes_[1].set_xlabel(self.weights_label)
        texts = (
            [short_number(value) for value in drawn[0]],
            [short_number(value) for value in drawn[1]],
        )
        self._name_bars([names[i] for i in order], texts)
        return self

    def _name_bars(self, names: list[str], numbers: tuple[list[str], list[str]]) -> None:
        n = len(names)
        inches = self.ax_.get_position().height * self.figure_.bbox.height / self.figure_.dpi
        room = inches * _POINTS_PER_INCH / n
        size = float(np.clip(0.85 * room, 6.0, 10.0))
        step = int(np.ceil(1.1 * size / room)) if room < size else 1
        long = min(_LONG, self._letters_left(size))
        shown = [name if len(name) <= long else f"{name[: long - 1]}…" for name in names[::step]]
        self.ax_.set_yticks(range(0, n, step), shown, fontsize=size)
        for panel in self.axes_:
            panel.set_ylim(n - 0.4, -0.6)
        self.axes_[1].tick_params(axis="y", labelleft=False, left=False)
        if n <= _FEW_BARS and step == 1:
            for panel, bars, texts in zip(self.axes_, self.bars_, numbers, strict=True):
                panel.bar_label(bars, texts, padding=3, fontsize=min(size, 8.5), bbox=_WHITE)

    def _letters_left(self, size: float) -> int:
        """Return how many letters have room at the left of the panel."""
        if self.figure_.get_layout_engine() is not None:
            return _LONG  # which makes room
        own = self.ax_.get_position()
        others = [panel.get_position() for panel in self.figure_.axes if panel.axison]
        beside = [o.x1 for o in others if o.x1 <= own.x0 and o.y0 < own.y1 and o.y1 > own.y0]
        inches = (own.x0 - max(beside, default=0.0)) * self.figure_.bbox.width / self.figure_.dpi
        return max(3, int((inches * _POINTS_PER_INCH - _POINTS_OF_A_TICK) / (_WIDE * size)))


def _bars(panel: Any, values: np.ndarray, color: str) -> Any:
    """Draw bars, on a log axis where they differ strongly."""
    from matplotlib.ticker import MaxNLocator

    positive = values[values > 0]
    strong = len(positive) > 1 and positive.max() > _STRONG * positive.min()
    positions = np.arange(len(values))
    if strong:
        left = positive.min() / 2
        panel.set_xscale("log")
        bars = panel.barh(positions, np.maximum(values - left, 0), left=left, color=color)
        panel.set_xlim(left, positive.max() * (positive.max() / left) ** 0.25)
    else:
        bars = panel.barh(positions, values, color=color)
        panel.set_xlim(0, 1.25 * values.max() if len(positive) else 1.0)
        panel.xaxis.set_major_locator(MaxNLocator(5))
    return bars
