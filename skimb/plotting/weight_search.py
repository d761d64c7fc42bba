"""The display of a search over weights: the score against the weight of the rare class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skimb.plotting.panels import (
    COLORS,
    GREY,
    POINTS_PER_INCH,
    WIDTH_OF_A_LETTER,
    label_axis,
    nested,
    panels,
    require_matplotlib,
    short_number,
    shortened,
)
from skimb.plotting.search_results import Curve, read

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# of the name of a setting in the legend
_LETTERS_OF_A_SETTING = 90
# of a letter of a legend, on average, and of what is beside the text
_INCHES_OF_A_LETTER = {"small": 0.068, "x-small": 0.058}
_INCHES_OF_A_HANDLE = 0.6
# above a legend and below it, and what it may take, as shares of the height
_AIR, _MOST_OF_THE_PANEL = 0.04, 0.7
# of a new figure, roughly
_LETTERS_OF_A_LINE = 80


class WeightSearchDisplay:
    """The score of a search against the weight that was searched over, with the spread over folds.

    Parameters
    ----------
    curves : sequence of tuples (label, x, mean, std)
        A line each: the setting of the other parameters or None, the weights in ascending order,
        and the mean and standard deviation of their scores, NaN where a fit failed.
    weight_label : str, default="Weight"
    scale : {"linear", "log", "symlog"}, default="linear"
        Of the axis of the weights.
    categories : sequence of str, default=()
        Names of weights that are no numbers; x then has positions in it.
    score_label : str, default="Score"
    connected : bool, default=True
        Whether lines are drawn between the points.
    final : sequence of int or None, default=None
        Positions of the curves among which the best mean is marked, such as those of the last round
        of a halving search. None is all.
    note : str or None, default=None
        A last line of the legend, for what is not drawn.
    best_setting : str or None, default=None
        Other parameters of the best point, for the legend.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    lines_ : list of Line2D
        The means, of each curve, without failed fits.
    best_ : Line2D
        The mark of the best mean.
    failed_ : Line2D or None
        Marks at the bottom of weights whose fits or scores failed.

    See Also
    --------
    skimb.weighting.weight_grid : Class weights to search over.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skimb.plotting import WeightSearchDisplay
    >>> from skimb.weighting import weight_grid
    >>> X, y = make_classification(300, weights=[0.9], random_state=0)
    >>> grid = {"class_weight": weight_grid(y, 5), "C": [0.1, 1.0]}
    >>> search = GridSearchCV(LogisticRegression(), grid, scoring="f1").fit(X, y)
    >>> display = WeightSearchDisplay.from_cv_results(search.cv_results_)
    >>> display.ax_.get_xlabel(), [label for label, x, mean, std in display.curves]
    ('Weight of class 1 / weight of class 0', ['C=0.1', 'C=1'])
    """

    def __init__(
        self,
        curves: Sequence[tuple[str | None, ArrayLike, ArrayLike, ArrayLike]],
        *,
        weight_label: str = "Weight",
        scale: str = "linear",
        categories: Sequence[str] = (),
        score_label: str = "Score",
        connected: bool = True,
        final: Sequence[int] | None = None,
        note: str | None = None,
        best_setting: str | None = None,
    ) -> None:
        self.curves = curves
        self.weight_label = weight_label
        self.scale = scale
        self.categories = categories
        self.score_label = score_label
        self.connected = connected
        self.final = final
        self.note = note
        self.best_setting = best_setting

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, param: str | None = None, score: str | None = None, ax: Any = None
    ) -> WeightSearchDisplay:
        """Draw the results of a fitted search, with the name of its score.

        Parameters
        ----------
        estimator : estimator
            A fitted search, alone or at the end of a pipeline.
        param, ax
            As in `from_cv_results`.
        score : str or None, default=None
            The name of a score, where there are several; by default that of ``refit``.

        Returns
        -------
        WeightSearchDisplay

        Raises
        ------
        TypeError
            If there is no fitted search.
        ValueError
            As in `from_cv_results`.
        """
        require_matplotlib(cls.__name__)
        check_is_fitted(estimator)
        search = next((part for part in nested(estimator) if hasattr(part, "cv_results_")), None)
        if search is None:
            raise TypeError(
                f"{cls.__name__}.from_estimator got {type(estimator).__name__}, which has no "
                "cv_results_. Accepted are fitted searches, such as GridSearchCV."
            )
        if score is None and isinstance(search.refit, str):
            score = search.refit
        name = _score_of(search) if score in (None, "score") else None
        return cls.from_cv_results(
            search.cv_results_, param=param, score=score, score_name=name, ax=ax
        )

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        *,
        param: str | None = None,
        score: str | None = None,
        score_name: str | None = None,
        ax: Any = None,
    ) -> WeightSearchDisplay:
        """Draw the results of a search.

        Weights of two classes are drawn as the ratio of the rare class, which most of them are
        heavier for, to the other; those of more classes as the ratio of the largest to the
        smallest. Where numbers and names such as ``"balanced"`` were searched, each is a category.

        Where other parameters vary too, each of up to 6 settings of them is a line of its own. Of
        more settings the best at each weight is drawn; its score is too good by the choice.

        Candidates that do not have the parameter, as in a list of grids for several losses, are no
        points. If one of them is better than all that are drawn, the legend says so. Of a halving
        search the best is marked among the candidates of the last round, as ``best_params_`` is.

        Parameters
        ----------
        cv_results : dict or data frame
            ``cv_results_`` of :class:`~sklearn.model_selection.GridSearchCV`,
            :class:`~sklearn.model_selection.RandomizedSearchCV` or another search.
        param : str or None, default=None
            The parameter to draw against, with or without the steps of a pipeline before it. None
            is the ``class_weight``, ``pos_weight`` or ``weight_power`` that was searched over.
        score : str or None, default=None
            The name of a score, where there are several.
        score_name : str or None, default=None
            What the score is called at the axis, as the results of a single score do not have its
            name. None is the name in the results.
        ax : Axes or None, default=None
            None is a new figure.

        Returns
        -------
        WeightSearchDisplay

        Raises
        ------
        ValueError
            If there is no such parameter or score, it is not clear which of several is meant, or
            nothing was scored.
        """
        require_matplotlib(cls.__name__)
        found = read(cv_results, param, score, score_name)
        categories = found.axis.categories
        display = cls(
            found.curves,
            weight_label=found.axis.label,
            scale="linear" if categories else found.axis.scale,
            categories=categories,
            score_label=found.score_label,
            connected=found.connected,
            final=found.final,
            note=found.better,
            best_setting=found.winner,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> WeightSearchDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes or None, default=None
            None is a new figure.

        Returns
        -------
        self
        """
        require_matplotlib(type(self).__name__)
        said = [label for label, *_ in self.curves if label]
        said += [text for text in (self.note, self.best_setting) if text]
        lines = sum(-(-len(label) // _LETTERS_OF_A_LINE) for label in said)
        self.ax_ = panels(ax, 1, 1, figsize=(6.4, 3.9 + 0.2 * lines))[0, 0]
        self.figure_ = self.ax_.figure
        self.lines_: list[Any] = []
        curves = [Curve(label, *map(np.asarray, numbers)) for label, *numbers in self.curves]
        self._scale_axis(curves)
        for i, curve in enumerate(curves):
            # beside each other, where lines do not tell them apart
            shift = 0.12 * (i - (len(curves) - 1) / 2) if len(self.categories) else 0.0
            self._draw(curve, i, shift)
        self._mark_best(curves)
        self._mark_failed(curves)
        if self.note is not None:
            self.ax_.plot([], [], linestyle="none", label=self.note)
        label_axis(self.ax_.xaxis, self.weight_label)
        label_axis(self.ax_.yaxis, self.score_label)
        self._add_legend()
        return self

    def _add_legend(self) -> None:
        """Add a legend that neither covers the curves nor is cut off."""
        handles, labels = self.ax_.get_legend_handles_labels()
        inches = self.ax_.bbox.width / self.figure_.dpi
        free = self.figure_.get_layout_engine() is not None
        size = _INCHES_OF_A_LETTER["small" if free else "x-small"]
        room = int((inches - _INCHES_OF_A_HANDLE) / size)
        columns = 2 if max(map(len, labels)) <= room / 2 - 6 else 1
        labels = [fill(label, max(room // columns, 16)) for label in labels]
        if free:
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.2}
            self.ax_.legend(
                handles, labels, ncols=columns, frameon=False, fontsize="small", **above
            )
            return
        # what is above is cut off there, so the curves make room
        legend = self.ax_.legend(
            handles, labels, ncols=columns, frameon=False, fontsize="x-small", loc="upper left"
        )
        share = legend.get_window_extent().height / self.ax_.bbox.height + _AIR
        low, high = self.ax_.get_ylim()
        self.ax_.set_ylim(low, low + (high - low) / (1 - min(share, _MOST_OF_THE_PANEL)))

    def _scale_axis(self, curves: Sequence[Curve]) -> None:
        from matplotlib.ticker import LogLocator, NullFormatter

        if len(self.categories):
            names = list(self.categories)
            # a layout makes room for names, and without one they are short
            free = self.figure_.get_layout_engine() is not None
            size, shown = 10.0 if free else 8.0, [shortened(n, 28 if free else 10) for n in names]
            points = self.ax_.bbox.width / self.figure_.dpi * POINTS_PER_INCH / len(names)
            points *= 1.1 if free else 1.0  # of margins
            pairs = [len(one) + len(other) for one, other in pairwise(shown)]
            turned = max(pairs, default=0) / 2 + 1 > points / (0.9 * WIDTH_OF_A_LETTER * size)
            self.ax_.set_xticks(
                range(len(names)), shown, fontsize=size, rotation=35 if turned else 0,
                ha="right" if turned else "center", rotation_mode="anchor",
            )  # fmt: skip
            self.ax_.set_xlim(-0.5, len(names) - 0.5)
        elif self.scale == "symlog":
            x = np.concatenate([np.abs(curve.x) for curve in curves])
            self.ax_.set_xscale("symlog", linthresh=x[x > 0].min())
        else:
            self.ax_.set_xscale(self.scale)
        if self.scale == "log" and not len(self.categories):
            x = np.concatenate([curve.x for curve in curves])
            if x.max() < 1000 * x.min():  # powers of ten alone would be too few ticks
                self.ax_.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                self.ax_.xaxis.set_major_formatter("{x:g}")
                self.ax_.xaxis.set_minor_formatter(NullFormatter())

    def _draw(self, curve: Curve, position: int, shift: float) -> None:
        color = COLORS[position % len(COLORS)]
        scored = np.isfinite(curve.mean)
        x, mean, std = curve.x[scored] + shift, curve.mean[scored], curve.std[scored]
        line = self.connected and not len(self.categories) and len(x) > 1
        (drawn,) = self.ax_.plot(
            x, mean, color=color, marker=_MARKERS[position % len(_MARKERS)], markersize=4.5,
            linestyle="-" if line else "none", linewidth=1.4,
            label=curve.label,
        )  # fmt: skip
        self.lines_.append(drawn)
        if line and len(self.curves) <= 3:
            self.ax_.fill_between(x, mean - std, mean + std, color=color, alpha=0.15, linewidth=0)
        else:
            self.ax_.errorbar(
                x, mean, std, color=color, fmt="none", elinewidth=1, capsize=2, alpha=0.6
            )

    def _mark_best(self, curves: Sequence[Curve]) -> None:
        among = range(len(curves)) if self.final is None else self.final
        best = max(among, key=lambda i: np.nanmax(curves[i].mean, initial=-np.inf))
        curve = curves[best]
        at = int(np.nanargmax(curve.mean))
        drawn = int(np.isfinite(curve.mean[:at]).sum())
        place = curve.x[at]
        name = self.categories[int(place)] if len(self.categories) else short_number(place)
        with_it = ""
        if self.best_setting:
            with_it = f" with {shortened(self.best_setting, _LETTERS_OF_A_SETTING)}"
        (self.best_,) = self.ax_.plot(
            self.lines_[best].get_xdata()[drawn], curve.mean[at], "o", markersize=11,
            markerfacecolor="none", markeredgecolor="black",
            linestyle="none", label=f"best: {curve.mean[at]:.3f} at {name}{with_it}",
        )  # fmt: skip

    def _mark_failed(self, curves: Sequence[Curve]) -> None:
        failed = np.concatenate([curve.x[~np.isfinite(curve.mean)] for curve in curves])
        self.failed_ = None
        if len(failed):
            (self.failed_,) = self.ax_.plot(
                failed, np.full(len(failed), 0.02), "x", color=GREY, markersize=6,
                transform=self.ax_.get_xaxis_transform(), clip_on=False,
                label=f"without a score (fit failed): {len(failed)}",
            )  # fmt: skip


def _score_of(search: Any) -> str | None:
    """Return the name of the score that a search went by, if it has one."""
    scoring = search.scoring
    if scoring is None:
        estimator = search.estimator
        while hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        if getattr(type(estimator), "score", None) is ClassifierMixin.score:
            return "accuracy"
        scoring = getattr(estimator, "scoring", None)
    if isinstance(scoring, str):
        return scoring
    # scorers of scikit-learn have the name of their metric
    function = getattr(scoring, "_score_func", scoring)
    return getattr(function, "__name__", "").removesuffix("_score") or None
