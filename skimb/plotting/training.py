"""Display of the loss and the scores of a training after each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skimb.plotting.estimators import fitted_part
from skimb.plotting.panels import (
    COLORS,
    GREY,
    panels,
    require_matplotlib,
    score_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_FEW_EPOCHS = 20
_MARKERS = ("o", "^", "s", "D", "v", "X")
# In both panels the line style shows the samples, and the colour the score.
_SAMPLES = {"": ("training", "-"), "val_": ("validation", "--")}
_COLOR_OF_LOSS = "#000000"
# the largest over the smallest loss, from which on the axis is logarithmic
_WIDE = 100


class TrainingDisplay:
    """Loss and scores after each epoch, of the training and the validation set.

    Parameters
    ----------
    history : mapping of str to array-like of shape (n_epochs,)
        ``history_`` of an estimator, or ``model.fit(...).history`` of Keras: ``"loss"`` and the
        scores by their names, with the prefix ``"val_"`` for the validation set.
    best_iter : int or None, default=None
        The epoch whose network was kept, counted from 1, to be marked.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (1,) or (2,)
        The panel of the loss, and below it that of the scores if there are any.
    ax_ : Axes
        The panel of the loss.
    figure_ : Figure
    lines_ : dict of str to Line2D
        The lines, by the names of the entries in the history.
    best_ : list of Line2D
        The mark of the best epoch in each panel.

    Examples
    --------
    >>> from skimb.plotting import TrainingDisplay
    >>> history = {"loss": [0.7, 0.5, 0.4], "f1": [0.2, 0.5, 0.7], "val_f1": [0.2, 0.5, 0.4]}
    >>> display = TrainingDisplay(history, best_iter=2).plot()
    >>> len(display.axes_)
    2
    """

    def __init__(self, history: Mapping[str, ArrayLike], *, best_iter: int | None = None) -> None:
        self.history = history
        self.best_iter = best_iter

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        scores: Sequence[str] | None = None,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> TrainingDisplay:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator of skimb, alone, at the end of a pipeline or in a search.
        scores, ax
            As in `plot`.

        Returns
        -------
        TrainingDisplay
        """
        require_matplotlib(cls.__name__)
        part = fitted_part(estimator, cls.__name__, "history_")
        # without a validation set no epoch was selected
        selected = any(name.startswith("val_") for name in part.history_)
        best_iter = getattr(part, "best_iter_", None) if selected else None
        return cls(part.history_, best_iter=best_iter).plot(ax, scores=scores)

    def plot(
        self, ax: Axes | Sequence[Axes] | None = None, *, scores: Sequence[str] | None = None
    ) -> TrainingDisplay:
        """Draw the loss, and below it the scores.

        Parameters
        ----------
        ax : Axes, array-like of Axes or None, default=None
            None creates a figure. A single Axes is divided if there are two panels.
        scores : sequence of str or None, default=None
            Names of the scores to draw, without ``"val_"``. None draws all, ``[]`` none.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a score is not in the history, or the entries of the history differ in length.
        """
        require_matplotlib(type(self).__name__)
        from matplotlib.ticker import MaxNLocator

        history = _checked(self.history)
        chosen = _chosen_scores(history, scores)
        rows = [["loss"], chosen] if chosen else [["loss"]]
        figsize = 6.4, 0.3 + 2.1 * len(rows)
        self.axes_ = panels(ax, len(rows), 1, figsize=figsize, sharex=True).ravel()
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        self.lines_: dict[str, Line2D] = {}
        self.best_: list[Line2D] = []
        for panel, names in zip(self.axes_, rows, strict=True):
            lines = _draw(panel, names, history)
            self.lines_ |= lines
            if self.best_iter is not None:
                label = f"best epoch: {self.best_iter}" if panel is self.ax_ else None
                mark = panel.axvline(self.best_iter, color=GREY, linestyle=":", label=label)
                self.best_.append(mark)
            title = score_title(names[0]) if len(names) == 1 else "score"
            panel.set_ylabel(title[0].upper() + title[1:])
            style: dict[str, Any] = {"loc": "best", "fontsize": "x-small"}
            if len(names) > 1:
                style["handles"] = _handles(names, lines)
                outside = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
                style |= outside if ax is None else {"ncols": 2, "framealpha": 0.9}
            panel.legend(**style)
        losses = np.concatenate([history[name] for name in ("loss", "val_loss") if name in history])
        losses = losses[np.isfinite(losses)]
        if len(losses) and losses.min() > 0 and losses.max() > _WIDE * losses.min():
            self.ax_.set_yscale("log")
        self.axes_[-1].set_xlabel("Epoch")
        integers = MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
        self.axes_[-1].xaxis.set_major_locator(integers)
        self.axes_[-1].set_xlim(0.5, len(history["loss"]) + 0.5)
        return self


def _checked(history: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    values = {name: np.asarray(v, dtype=np.float64) for name, v in history.items()}
    lengths = {name: len(v) for name, v in values.items()}
    if "loss" not in values or not lengths["loss"] or len(set(lengths.values())) > 1:
        raise ValueError(
            "history has to have an entry 'loss', and a value an epoch in every entry; it has "
            f"{lengths or 'nothing'}."
        )
    return values


def _chosen_scores(history: Mapping[str, np.ndarray], scores: Sequence[str] | None) -> list[str]:
    # learning-rate callbacks of Keras log the rate among the scores
    names = dict.fromkeys(name.removeprefix("val_") for name in history)
    known = [name for name in names if name not in ("loss", "learning_rate")]
    chosen = known if scores is None else [scores] if isinstance(scores, str) else list(scores)
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise ValueError(
            f"scores has {unknown[0]!r}, which is not in the history. It has {known}; the "
            "parameter metrics=[...] of the estimator adds others."
        )
    return chosen


def _draw(
    panel: Axes, names: Sequence[str], history: Mapping[str, np.ndarray]
) -> dict[str, Line2D]:
    """Draw the entries of some names and return their lines, by the names of the entries."""
    lines, n_epochs = {}, len(history["loss"])
    for position, name in enumerate(names):
        # where the colours repeat, the markers change
        repeated = position // len(COLORS) % len(_MARKERS)
        for prefix, (samples, linestyle) in _SAMPLES.items():
            if prefix + name not in history:
                continue
            (lines[prefix + name],) = panel.plot(
                np.arange(1, n_epochs + 1), history[prefix + name], linestyle, linewidth=1.3,
                color=_COLOR_OF_LOSS if name == "loss" else COLORS[position % len(COLORS)],
                marker=_MARKERS[repeated] if n_epochs <= _FEW_EPOCHS or repeated else None,
                markersize=4 if repeated else 3, markevery=max(1, n_epochs // _FEW_EPOCHS),
                label=samples if len(names) == 1 else None,
            )  # fmt: skip
    return lines


def _handles(names: Sequence[str], lines: Mapping[str, Line2D]) -> list[Line2D]:
    """Return a line for each score, and one for each line style."""
    from matplotlib.lines import Line2D

    handles = []
    for name in names:
        line = lines[name if name in lines else f"val_{name}"]
        look = {"color": line.get_color(), "marker": line.get_marker(), "markersize": 4}
        handles.append(Line2D([], [], label=score_title(name), **look))
    for prefix, (samples, linestyle) in _SAMPLES.items():
        if any(prefix + name in lines for name in names):
            handles.append(Line2D([], [], color=GREY, linestyle=linestyle, label=samples))
    return handles
