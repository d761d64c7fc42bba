"""The display of a training: loss and scores after every epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skimb.plotting.panels import (
    COLORS,
    GREY,
    fitted_part,
    label_axis,
    panels,
    require_matplotlib,
    score_title,
)

_FEW_EPOCHS = 20
_MARKERS = ("o", "^", "s", "D", "v", "X")
# A style says the same in both panels: which rows. A colour says which score.
_ROWS = {"": "training", "val_": "held out"}
_STYLES = ("-", "--")
_COLOR_OF_LOSS = "#000000"
# losses that fall further than this are drawn on a log axis
_WIDE = 100


class TrainingDisplay:
    """Loss and scores after every epoch, of the training rows and of those held out.

    Parameters
    ----------
    history : mapping of str to array-like of shape (n_epochs,)
        ``history_`` of an estimator, or ``model.fit(...).history`` of Keras: ``"loss"``, scores by
        their names, and with ``"val_"`` before them those of rows held out.
    best_iter : int or None, default=None
        The epoch whose network was kept, counted from 1, for a mark.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (1,) or (2,)
        The panel of the loss, and below it that of the scores if there are any.
    ax_ : Axes
        The panel of the loss.
    figure_ : Figure
    lines_ : dict of str to Line2D
        By the names in the history.
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
        cls, estimator: Any, *, scores: Sequence[str] | None = None, ax: Any = None
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
        # with nothing held out no epoch was chosen
        chosen = any(name.startswith("val_") for name in part.history_)
        display = cls(
            part.history_, best_iter=getattr(part, "best_iter_", None) if chosen else None
        )
        return display.plot(ax, scores=scores)

    def plot(self, ax: Any = None, *, scores: Sequence[str] | None = None) -> TrainingDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes, array-like of Axes or None, default=None
            None is a new figure. A single Axes is divided if there are two panels.
        scores : sequence of str or None, default=None
            Names of the scores to be drawn, without ``"val_"``; None is all, none is ``[]``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a score is not in the history, or the history has lists of different lengths.
        """
        require_matplotlib(type(self).__name__)
        from matplotlib.ticker import MaxNLocator

        values = self._checked_history()
        drawn = [["loss"], self._chosen_scores(values, scores)]
        drawn = [names for names in drawn if names]
        n_epochs = len(values["loss"])
        self.axes_ = panels(
            ax, len(drawn), 1, figsize=(6.4, 2.4 + 2.1 * (len(drawn) - 1)), sharex=True
        ).ravel()
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.figure
        self.lines_: dict[str, Any] = {}
        self.best_: list[Any] = []
        for panel, names in zip(self.axes_, drawn, strict=True):
            self._draw(panel, names, values, n_epochs)
            if self.best_iter is not None:
                label = f"network kept: epoch {self.best_iter}" if panel is self.ax_ else None
                self.best_.append(
                    panel.axvline(self.best_iter, color=GREY, linestyle=":", label=label)
                )
        losses = np.concatenate([values[name] for name in ("loss", "val_loss") if name in values])
        losses = losses[np.isfinite(losses)]
        if len(losses) and losses.min() > 0 and losses.max() > _WIDE * losses.min():
            self.ax_.set_yscale("log")
        label_axis(self.ax_.yaxis, "Loss")
        if len(drawn) > 1:
            title = score_title(drawn[1][0]) if len(drawn[1]) == 1 else "score"
            label_axis(self.axes_[1].yaxis, title[0].upper() + title[1:])
        self.axes_[-1].set_xlabel("Epoch")
        self.axes_[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        self.axes_[-1].set_xlim(0.5, n_epochs + 0.5)
        for panel, names in zip(self.axes_, drawn, strict=True):
            _add_legend(panel, names, self.lines_)
        return self

    def _checked_history(self) -> dict[str, np.ndarray]:
        values = {name: np.asarray(v, dtype=np.float64) for name, v in self.history.items()}
        lengths = {name: len(v) for name, v in values.items()}
        if "loss" not in values or not lengths["loss"] or len(set(lengths.values())) > 1:
            raise ValueError(
                "history has to hold 'loss' and a value an epoch under each name; it has "
                f"{lengths or 'nothing'}."
            )
        return values

    def _chosen_scores(self, values: Mapping[str, Any], scores: Any) -> list[str]:
        # learning-rate callbacks of Keras leave their rate among the scores
        names = dict.fromkeys(name.removeprefix("val_") for name in values)
        known = [name for name in names if name not in ("loss", "learning_rate")]
        chosen = known if scores is None else [scores] if isinstance(scores, str) else list(scores)
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise ValueError(
                f"scores holds {unknown[0]!r}, which is not in the history. It has {known}; more "
                "are followed with metrics=[...] of the estimator."
            )
        return chosen

    def _draw(
        self, panel: Any, names: Sequence[str], values: Mapping[str, np.ndarray], n_epochs: int
    ) -> None:
        epochs = np.arange(1, n_epochs + 1)
        for position, name in enumerate(names):
            # where the colours begin again, the markers are others
            again = position // len(COLORS) % len(_MARKERS)
            marker = _MARKERS[again] if n_epochs <= _FEW_EPOCHS or again else None
            for rows, prefix in enumerate(_ROWS):
                if prefix + name not in values:
                    continue
                color = COLORS[position % len(COLORS)]
                style = {
                    "color": _COLOR_OF_LOSS if name == "loss" else color,
                    "linestyle": _STYLES[rows],
                    "label": _ROWS[prefix] if len(names) == 1 else None,
                }
                (line,) = panel.plot(
                    epochs, values[prefix + name], marker=marker, markersize=4 if again else 3,
                    markevery=max(1, n_epochs // _FEW_EPOCHS), linewidth=1.3, **style,
                )  # fmt: skip
                self.lines_[prefix + name] = line


def _add_legend(panel: Any, names: Sequence[str], lines: Mapping[str, Any]) -> None:
    free = panel.figure.get_layout_engine() is not None
    if len(names) == 1:
        panel.legend(loc="best", fontsize="small" if free else "x-small")
        return
    from matplotlib.lines import Line2D

    handles = []
    for name in names:
        drawn = [lines[prefix + name] for prefix in _ROWS if prefix + name in lines]
        look = {"color": drawn[0].get_color(), "marker": drawn[0].get_marker(), "markersize": 4}
        handles.append(Line2D([], [], label=score_title(name), **look))
    for style, (prefix, rows) in zip(_STYLES, _ROWS.items(), strict=True):
        if any(prefix + name in lines for name in names):
            handles.append(Line2D([], [], color=GREY, linestyle=style, label=rows))
    if free:
        beside = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0}
        panel.legend(handles=handles, fontsize="small", **beside)
    else:  # what is outside would be cut off
        panel.legend(handles=handles, loc="best", ncols=2, fontsize="x-small", framealpha=0.9)
