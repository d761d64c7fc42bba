"""The display of how rare the classes are, and of the weights that they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import _check_sample_weight

from skimb.data.labels import checked_labels, checked_masks
from skimb.plotting.panels import (
    COLORS,
    GREY,
    NARROW,
    POINTS_PER_INCH,
    WIDTH_OF_A_LETTER,
    fitted_part,
    label_axis,
    panels,
    require_matplotlib,
    short_number,
    shortened,
)
from skimb.weighting import class_weights, label_weights, pixel_weights

# the largest over the smallest, from which points are drawn on a log axis
_STRONG = 30
# bars that have their numbers written beside them
_FEW_BARS = 40
_POINTS_TO_A_NUMBER = 6
# of the width, that numbers beside bars may take
_MOST_OF_THE_PANEL = 0.7
# numbers that are written in full at the ticks
_IN_FULL = 0.001, 99_999
# under numbers, where the line of weight 1 would cross them
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
# characters of a name
_LONG = 34
_POINTS_OF_A_TICK = 10


class ClassBalanceDisplay:
    """Counts of the classes, and the weights that they get.

    Parameters
    ----------
    labels : sequence of shape (n_classes,)
        Names of the classes, or of the labels of an indicator target.
    counts : array-like of shape (n_classes,)
        Rows or pixels of each class, or sums of their weights; for an indicator target the 1s.
    weights : array-like of shape (n_classes,)
        Weights of the classes; for an indicator target those of the 1s over those of the 0s.
    counts_label : str, default="Rows"
    weights_label : str, default="Class weight"

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2,)
        The panels of the counts and of the weights. Where the largest number is over 30 times the
        smallest, the axis is logarithmic and has points in place of bars.
    ax_ : Axes
        The panel of the counts.
    figure_ : Figure
    bars_ : list of BarContainer or Line2D
        Those of the counts and of the weights; on a logarithmic axis the points.

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
            Names in the order of ``classes_``. The columns of a data frame y are the default.
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
        names = getattr(part, "_label_names", None)
        if names is not None and len(names) == len(labels):
            labels = names
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
            counts = counts[:, 1]
            # a scheme and a pos_weight that train the same differ in the weights of the 0s
            if (weights[:, 0] > 0).all():
                weights, of_weights = weights[:, 1] / weights[:, 0], "Weight of a 1 / weight of a 0"
            else:
                weights, of_weights = weights[:, 1], "Weight of a 1"
            names = {"counts_label": f"{unit} with the label", "weights_label": of_weights}
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
        shown, size, step = self._name_bars([names[i] for i in order])
        self.bars_ = []
        labels = self.counts_label, self.weights_label
        drawn = counts[order], weights[order]
        for panel, values, label, color in zip(self.axes_, drawn, labels, COLORS, strict=False):
            room = panel.bbox.width / self.figure_.dpi
            if self.figure_.get_layout_engine() is not None:
                # it takes the margins, and for names at the left of what both panels have
                taken = max(map(len, shown)) * WIDTH_OF_A_LETTER * size / POINTS_PER_INCH
                room = max(1.2 * room - taken / 2, 0.3 * room)
            texts = [short_number(value) for value in values]
            numbered = n <= _FEW_BARS and step == 1
            size_of_numbers = min(size, 8.5 if room > NARROW else 7.5)
            beside = [_inches(text, size_of_numbers) if numbered else 0.0 for text in texts]
            log = _scale(panel, values, np.minimum(np.array(beside) / room, _MOST_OF_THE_PANEL))
            self.bars_.append(_draw(panel, values, color, log))
            label_axis(panel.xaxis, label, " (logarithmic)" if log else "", " (log)" if log else "")
            _set_ticks(panel, log, room)
            if numbered:
                _write_numbers(panel, values, texts, size_of_numbers)
        return self

    def _name_bars(self, names: list[str]) -> tuple[list[str], float, int]:
        """Write the names, and return them as written, the size, and of how many one is shown."""
        n = len(names)
        inches = self.ax_.get_position().height * self.figure_.bbox.height / self.figure_.dpi
        room = inches * POINTS_PER_INCH / n
        # without a layout that makes room, names have the gap between panels
        largest = 10.0 if self.figure_.get_layout_engine() is not None else 8.0
        size = float(np.clip(0.85 * room, 6.0, largest))
        step = int(np.ceil(1.1 * size / room)) if room < size else 1
        long = min(_LONG, self._letters_left(size))
        shown = [shortened(name, long) for name in names[::step]]
        self.ax_.set_yticks(range(0, n, step), shown, fontsize=size)
        for panel in self.axes_:
            panel.set_ylim(n - 0.4, -0.6)
        self.axes_[1].tick_params(axis="y", labelleft=False, left=False)
        return shown, size, step

    def _letters_left(self, size: float) -> int:
        """Return how many letters have room at the left of the panel."""
        if self.figure_.get_layout_engine() is not None:
            return _LONG  # which makes room
        own = self.ax_.get_position()
        others = [panel.get_position() for panel in self.figure_.axes if panel.axison]
        beside = [o.x1 for o in others if o.x1 <= own.x0 and o.y0 < own.y1 and o.y1 > own.y0]
        inches = (own.x0 - max(beside, default=0.0)) * self.figure_.bbox.width / self.figure_.dpi
        return max(
            3, int((inches * POINTS_PER_INCH - _POINTS_OF_A_TICK) / (WIDTH_OF_A_LETTER * size))
        )


def _inches(text: str, size: float) -> float:
    """Return the width that a number beside a bar takes, with the air around it."""
    points = WIDTH_OF_A_LETTER * size * len(text) + 2 * _POINTS_TO_A_NUMBER
    return points / POINTS_PER_INCH


def _scale(panel: Any, values: np.ndarray, beside: np.ndarray) -> bool:
    """Choose scale and limits that leave room for numbers; return whether it is a log axis.

    Parameters
    ----------
    panel : Axes
    values : ndarray of shape (n,)
    beside : ndarray of shape (n,)
        What the number at each value takes, as a share of the width.
    """
    positive = values > 0
    if not positive.any():
        panel.set_xlim(0, 1)
        return False
    largest, smallest = values[positive].max(), values[positive].min()
    if largest <= _STRONG * smallest:
        panel.set_xlim(0, max((values / (1 - beside)).max(), 1.05 * largest))
        return False
    margin = (largest / smallest) ** 0.12
    panel.set_xscale("log")
    panel.set_xlim(smallest / margin, largest * margin)
    return True


def _draw(panel: Any, values: np.ndarray, color: str, log: bool) -> Any:
    positions = np.arange(len(values))
    if not log:
        return panel.barh(positions, values, color=color)
    # Where a log axis begins is arbitrary, so lengths of bars on it would say nothing; lines
    # across the panel lead from a name to its point.
    panel.hlines(positions, 0, 1, GREY, linewidth=0.5, alpha=0.4, zorder=0,
                 transform=panel.get_yaxis_transform())  # fmt: skip
    known = values > 0
    (points,) = panel.plot(
        np.where(known, values, np.nan), positions, "o", color=color, clip_on=False,
        markersize=7 if len(values) <= _FEW_BARS else 4,
    )  # fmt: skip
    return points


def _write_numbers(panel: Any, values: np.ndarray, texts: list[str], size: float) -> None:
    """Write numbers at the right of bars; at that side of points that has more room."""
    low, high = panel.get_xlim()
    right = values <= (np.sqrt(low * high) if panel.get_xscale() == "log" else high)
    for position, value in enumerate(values):
        panel.annotate(
            texts[position], (max(value, low), position),
            (_POINTS_TO_A_NUMBER if right[position] else -_POINTS_TO_A_NUMBER, 0),
            textcoords="offset points", ha="left" if right[position] else "right",
            va="center_baseline", fontsize=size, bbox=_WHITE,
        )  # fmt: skip


def _set_ticks(panel: Any, log: bool, inches: float) -> None:
    """Set as many ticks as have room, at most 6."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = panel.get_xlim()
    size = 10.0 if inches > NARROW else 8.0
    panel.tick_params(axis="x", labelsize=size)
    letters = max(len(f"{high:,.0f}" if high >= 1000 else f"{high:.0f}"), 3)
    many = int(
        np.clip(inches * POINTS_PER_INCH / (WIDTH_OF_A_LETTER * size * (letters + 1.5)), 2, 6)
    )
    if not log:
        panel.xaxis.set_major_locator(MaxNLocator(min(many, 5)))
        return
    panel.xaxis.set_minor_formatter(NullFormatter())
    if not _IN_FULL[0] <= low < high <= _IN_FULL[1]:
        panel.xaxis.set_major_locator(LogLocator(numticks=many))
        return  # with powers of ten, as they are shorter
    decades = np.log10(high / low)
    among = [(1, 2, 5), (1, 3)]
    steps = next((steps for steps in among if len(steps) * decades <= many + 1), (1,))
    panel.xaxis.set_major_locator(LogLocator(subs=steps, numticks=many if steps == (1,) else 12))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
