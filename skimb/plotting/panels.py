"""Colours, axes and texts that the displays share."""

from __future__ import annotations

import re
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which colour-blind people can tell apart, without their yellow, which is
# hardly visible on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"


def require_matplotlib(display: str) -> None:
    """Raise an ImportError that says how to install Matplotlib, if it is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'{display} needs Matplotlib. Install it with: pip install "skimb[plot]"'
        ) from error


def panels(
    ax: Any, rows: int, columns: int, *, figsize: tuple[float, float], **options: Any
) -> np.ndarray:
    """Return the given Axes, or those of a new figure, as an array of shape (rows, columns).

    Parameters
    ----------
    ax : Axes, array-like of Axes or None
        None creates a figure of pyplot with constrained layout. Where there are several panels, a
        single Axes gives its place to them.
    rows, columns : int
    figsize : tuple of float
        Inches, of a new figure.
    **options
        For :func:`matplotlib.pyplot.subplots`, such as ``sharex``; not for an array of Axes.

    Raises
    ------
    ValueError
        If the number of Axes is another one, or a single one has no place in a grid.
    """
    if ax is None:
        # pyplot, as in scikit-learn's displays, so that notebooks and plt.show know the figure
        from matplotlib import pyplot as plt

        return plt.subplots(
            rows, columns, figsize=figsize, layout="constrained", squeeze=False, **options
        )[1]
    given = np.asarray(ax, dtype=object)
    if given.size == rows * columns:
        return given.reshape(rows, columns)
    place = ax.get_subplotspec() if given.ndim == 0 else None
    if place is None:
        raise ValueError(
            f"ax holds {given.size} Axes, but {rows * columns} panels are drawn ({rows} x "
            f"{columns}). Pass that many, or a single one of plt.subplots(), which is divided."
        )
    ax.set_axis_off()
    ratios = {"width_ratios": options.pop("width_ratios", None)}
    return place.subgridspec(rows, columns, **ratios).subplots(squeeze=False, **options)


def set_labels(panel: Axes, xlabel: str, ylabel: str, *, own: bool) -> None:
    """Label the axes of a panel, with broken lines in the panels of a figure that is given."""
    letters, size = (80, "medium") if own else (45, "small")
    panel.set_xlabel(fill(xlabel, letters), fontsize=size)
    panel.set_ylabel(fill(ylabel, letters), fontsize=size)


def short_number(value: float) -> str:
    """Format a number with three digits, or with all that are before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def shortened(text: str, letters: int = 60) -> str:
    """Leave out the middle of a long text, as long names often differ at their ends."""
    half = letters // 2
    return text if len(text) <= letters else f"{text[:half]}…{text[-half:]}"


def wrapped(name: str) -> str:
    """Break a long name into two or three lines, which labels of ticks do not do themselves."""
    return fill(shortened(name), 30)


def score_title(name: str) -> str:
    """Write the name of a score as in a text, such as "balanced accuracy"."""
    words = str(name).replace("_", " ")
    return re.sub(r"\b(f1|roc auc|r2)\b", lambda found: found[0].upper(), words)
