"""Display of a search over class weights: the score against the weight of the rare class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skimb._types import Estimator
from skimb.plotting.estimators import nested
from skimb.plotting.panels import (
    COLORS,
    GREY,
    panels,
    require_matplotlib,
    set_labels,
    short_number,
    shortened,
    wrapped,
)
from skimb.plotting.search_results import Curve, read

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# of the name of a setting in the legend
_LETTERS_OF_A_SETTING = 90


class WeightSearchDisplay:
    """Score of a search against the weight, with the standard deviation over the folds.

    Parameters
    ----------
    curves : sequence of tuples (label, x, mean, std)
        One for each line: the setting of the other parameters or None, the weights in ascending
        order, and the mean and standard deviation of their scores, NaN where a fit failed.
    weight_label : str, default="Weight"
    scale : {"linear", "log", "symlog"}, default="linear"
        Scale of the axis of the weights.
    categories : sequence of str, default=()
        Names of weights that are not numbers; x has positions among them.
    score_label : str, default="Score"
    connected : bool, default=True
        Whether lines are drawn between the points.
    final : sequence of int or None, default=None
        Positions of the curves among which the best mean is marked, such as those of the last
        iteration of a halving search. None is all.
    note : str or None, default=None
        A last line of the legend, about candidates that are not drawn.
    best_setting : str or None, default=None
        Other parameters of the best point, for the legend.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    lines_ : list of Line2D
        The means of each curve, without failed fits.
    best_ : Line2D
        The mark of the best mean.
    failed_ : Line2D or None
        Marks at the bottom, of weights whose fits or scores failed.

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
        cls,
        estimator: BaseEstimator,
        *,
        param: str | None = None,
        score: str | None = None,
        ax: Axes | None = None,
    ) -> WeightSearchDisplay:
        """Draw the results of a fitted search, with the name of its score.

        Parameters
        ----------
        estimator : estimator
            A fitted search, alone or at the end of a pipeline.
        param, ax
            As in `from_cv_results`.
        score : str or None, default=None
            Name of a score, if there are several; by default that of ``refit``.

        Returns
        -------
        WeightSearchDisplay

        Raises
        ------
        TypeError
            If `estimator` has no ``cv_results_``.
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
        ax: Axes | None = None,
    ) -> WeightSearchDisplay:
        """Draw the results of a search.

        Weights of two classes are drawn as the ratio of the weight of the rare class, which most
        candidates give more weight, to that of the other; those of more classes as the ratio of the
        largest weight to the smallest. If both numbers and names such as ``"balanced"`` were
        searched, each is a category.

        If other parameters vary too, each of up to 6 settings of them is a line of its own. Of more
        settings the best at each weight is drawn; its score is optimistic, as it was selected.

        Candidates that do not have the parameter, as in a list of grids for several losses, are not
        drawn. If one of them is better than all that are drawn, the legend says so. Of a halving
        search the best is marked among the candidates of the last iteration, as in
        ``best_params_``.

        Parameters
        ----------
        cv_results : dict or data frame
            ``cv_results_`` of :class:`~sklearn.model_selection.GridSearchCV`,
            :class:`~sklearn.model_selection.RandomizedSearchCV` or another search.
        param : str or None, default=None
            The parameter to draw against, with or without the names of the steps of a pipeline.
            None is the ``class_weight``, ``pos_weight`` or ``weight_power`` that was searched over.
        score : str or None, default=None
            Name of a score, if there are several.
        score_name : str or None, default=None
            Name of the score in the picture, as the results of a single score do not have its name.
            None is the name in the results.
        ax : Axes or None, default=None
            None creates a figure.

        Returns
        -------
        WeightSearchDisplay

        Raises
        ------
        ValueError
            If there is no such parameter or score, several are possible, or all fits failed.
        """
        require_matplotlib(cls.__name__)
        return cls(**read(cv_results, param, score, score_name)).plot(ax)

    def plot(self, ax: Axes | None = None) -> WeightSearchDisplay:
        """Draw the curves, the best score and the failed fits.

        Parameters
        ----------
        ax : Axes or None, default=None
            None creates a figure.

        Returns
        -------
        self
        """
        require_matplotlib(type(self).__name__)
        curves = [Curve(label, *map(np.asarray, numbers)) for label, *numbers in self.curves]
        entries = sum(curve.label is not None for curve in curves) + 2
        self.ax_ = panels(ax, 1, 1, figsize=(6.4, 3.9 + 0.15 * entries))[0, 0]
        self.figure_ = self.ax_.figure
        x = np.concatenate([curve.x for curve in curves])
        if self.categories:
            names = [wrapped(name) for name in self.categories]
            self.ax_.set_xticks(
                range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor"
            )
            self.ax_.set_xlim(-0.5, len(names) - 0.5)
        else:
            _scale_axis(self.ax_, self.scale, x)
        line = self.connected and not self.categories
        band = line and len(curves) <= 3
        self.lines_ = []
        for i, curve in enumerate(curves):
            # beside each other where no lines connect the points of a setting
            shift = 0.12 * (i - (len(curves) - 1) / 2) if self.categories else 0.0
            self.lines_.append(_draw(self.ax_, curve, i, shift, line=line, band=band))
        among = range(len(curves)) if self.final is None else self.final
        best = max(among, key=lambda i: np.nanmax(curves[i].mean, initial=-np.inf))
        self.best_ = _mark_best(
            self.ax_, curves[best], self.lines_[best], self.categories, self.best_setting
        )
        self.failed_ = _mark_failed(self.ax_, x[~np.isfinite([m for c in curves for m in c.mean])])
        if self.note is not None:
            self.ax_.plot([], [], linestyle="none", label=self.note)
        set_labels(self.ax_, self.weight_label, self.score_label, own=ax is None)
        handles, labels = self.ax_.get_legend_handles_labels()
        # the legend does not break lines itself
        filled = [fill(label, 40 if ax is None else 60) for label in labels]
        if ax is None:
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2, "frameon": False}
            self.ax_.legend(handles, filled, fontsize="small", **above)
        else:
            _legend_inside(self.ax_, handles, filled)
        return self


def _scale_axis(panel: Axes, scale: str, x: np.ndarray) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    if scale == "symlog":
        panel.set_xscale("symlog", linthresh=np.abs(x[x != 0]).min())
        return
    panel.set_xscale(scale)
    if scale == "log" and x.max() < 1000 * x.min():  # powers of ten alone would be too few ticks
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter(NullFormatter())


def _draw(
    panel: Axes, curve: Curve, position: int, shift: float, *, line: bool, band: bool
) -> Line2D:
    """Draw the means of a curve, and their standard deviations as a band or as error bars."""
    color = COLORS[position % len(COLORS)]
    scored = np.isfinite(curve.mean)
    x, mean, std = curve.x[scored] + shift, curve.mean[scored], curve.std[scored]
    line = line and len(x) > 1
    (drawn,) = panel.plot(
        x, mean, color=color, marker=_MARKERS[position % len(_MARKERS)], markersize=4.5,
        linestyle="-" if line else "none", linewidth=1.4, label=curve.label,
    )  # fmt: skip
    if line and band:
        panel.fill_between(x, mean - std, mean + std, color=color, alpha=0.15, linewidth=0)
    else:
        panel.errorbar(x, mean, std, color=color, fmt="none", elinewidth=1, capsize=2, alpha=0.6)
    return drawn


def _mark_best(
    panel: Axes, curve: Curve, line: Line2D, categories: Sequence[str], setting: str | None
) -> Line2D:
    """Draw a circle around the best point of a curve, with a label that says which one it is."""
    at = int(np.nanargmax(curve.mean))
    drawn = int(np.isfinite(curve.mean[:at]).sum())  # failed fits are not in the line
    place = curve.x[at]
    name = categories[int(place)] if categories else short_number(place)
    label = f"best: {curve.mean[at]:.3f} at {name}"
    if setting:
        label += f" with {shortened(setting, _LETTERS_OF_A_SETTING)}"
    return panel.plot(
        np.asarray(line.get_xdata())[drawn], curve.mean[at], "o", markersize=11,
        markerfacecolor="none", markeredgecolor="black", linestyle="none", label=label,
    )[0]  # fmt: skip


def _mark_failed(panel: Axes, failed: np.ndarray) -> Line2D | None:
    """Draw crosses at the bottom, at the weights whose fits or scores failed."""
    if not len(failed):
        return None
    return panel.plot(
        failed, np.full(len(failed), 0.02), "x", color=GREY, markersize=6, clip_on=False,
        transform=panel.get_xaxis_transform(), label=f"no score, as the fit failed: {len(failed)}",
    )[0]  # fmt: skip


def _legend_inside(panel: Axes, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Add a legend at the top of a panel, above the curves."""
    style = {"loc": "upper left", "frameon": False, "fontsize": "x-small"}
    legend = panel.legend(handles, labels, **style)
    legend.set_in_layout(False)  # it does not fit into every panel, which would then vanish
    share = legend.get_window_extent().height / panel.bbox.height + 0.04
    low, high = panel.get_ylim()
    panel.set_ylim(low, low + (high - low) / (1 - min(share, 0.7)))


def _score_of(search: Estimator) -> str | None:
    """Return the name of the score that a search used, if it has one."""
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
    # the text of a scorer of scikit-learn begins with the name of its metric
    metric = re.match(r"make_scorer\((\w+)", repr(scoring))
    name = metric[1] if metric else getattr(scoring, "__name__", "")
    return name.removesuffix("_score") or None
