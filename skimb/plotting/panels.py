"""What the displays share: colours, panels to draw in, and the estimator that is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.utils.validation import check_is_fitted

# Okabe and Ito's colours, which people who are colour-blind can tell apart. Their yellow is left
# out, as it is hardly seen on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"

POINTS_PER_INCH = 72
# of a letter, on average, as a share of the size of the font
WIDTH_OF_A_LETTER = 0.6
NARROW = 1.6  # inches
# of a name of a class within a sentence
_LETTERS_OF_A_NAME = 28

# of scikit-learn, around a classifier whose probabilities they cut
THRESHOLD_CLASSIFIERS = (TunedThresholdClassifierCV, FixedThresholdClassifier)


def require_matplotlib(display: str) -> None:
    """Raise an ImportError that says how to install Matplotlib, if it is not."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'{display} needs Matplotlib. Install it with: pip install "skimb[plot]"'
        ) from error


def panels(
    ax: Any,
    rows: int,
    columns: int,
    *,
    figsize: tuple[float, float],
    sharex: bool = False,
    sharey: bool = False,
    height_ratios: Sequence[float] | None = None,
) -> np.ndarray:
    """Return axes to draw in, those that are given or those of a new figure.

    Parameters
    ----------
    ax : Axes, array-like of Axes or None
        None is a new figure of pyplot. Where there are several panels, a single Axes gives its
        place to them.
    rows, columns : int
    figsize : tuple of float
        Inches, of a new figure.
    sharex, sharey : bool, default=False
        Not for an array of Axes, which are as they are.
    height_ratios : sequence of float or None, default=None

    Returns
    -------
    ndarray of Axes, of shape (rows, columns)

    Raises
    ------
    ValueError
        If the number of Axes is another one, or a single one has no place in a grid.
    """
    shared = {"sharex": sharex, "sharey": sharey, "squeeze": False}
    if ax is None:
        # pyplot, as in scikit-learn's displays, so that notebooks and plt.show know the figure
        from matplotlib import pyplot as plt

        ratios = {"height_ratios": height_ratios}
        _, axes = plt.subplots(rows, columns, figsize=figsize, layout="constrained",
                               gridspec_kw=ratios, **shared)  # fmt: skip
        return axes
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
    return place.subgridspec(rows, columns, height_ratios=height_ratios).subplots(**shared)


def nested(estimator: Any) -> list[Any]:
    """Return a fitted estimator and what is in it, down to the network: searches, pipelines.

    Parameters
    ----------
    estimator : estimator
    """
    parts = [estimator]
    while True:
        part = parts[-1]
        if hasattr(part, "best_estimator_"):
            parts.append(part.best_estimator_)
        elif hasattr(part, "steps"):
            parts.append(part.steps[-1][1])
        elif isinstance(part, THRESHOLD_CLASSIFIERS):
            parts.append(getattr(part, "estimator_", part.estimator))
        else:
            return parts


def fitted_part(estimator: Any, display: str, *attributes: str) -> Any:
    """Return the estimator at the end of a pipeline, or the best one of a search.

    Parameters
    ----------
    estimator : estimator
    display : str
        Who asks, for messages.
    *attributes : str
        What the estimator has to have.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If there is no such attribute.
    """
    check_is_fitted(estimator)
    part = nested(estimator)[-1]
    for name in attributes:
        if not hasattr(part, name):
            example = "Segmenter" if "background_" in attributes else "Classifier"
            raise TypeError(
                f"{display}.from_estimator got {type(part).__name__}, which has no {name}. "
                f"Accepted are fitted estimators with {' and '.join(attributes)}, such as "
                f"ImbalancedNN{example}, alone, at the end of a pipeline or in a search with "
                "refit=True."
            )
    return part


def short_number(value: float) -> str:
    """Return three digits, or all that are before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def shortened(text: str, letters: int = _LETTERS_OF_A_NAME) -> str:
    """Return a text with its middle left out, as long names often differ at their ends."""
    if len(text) <= letters:
        return text
    end = max(letters - 1, 2) // 2
    return f"{text[: max(letters - 1, 2) - end]}…{text[-end:]}"


def score_title(name: str) -> str:
    """Return the name of a score as it is written in a text, such as "balanced accuracy"."""
    words = str(name).replace("_", " ")
    return re.sub(r"\b(f1|roc auc|r2)\b", lambda found: found[0].upper(), words)


def label_axis(axis: Any, text: str, more: str = "", brief: str = "") -> None:
    """Write the label of an axis in as many lines as it takes not to be longer than the panel.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
    text : str
    more, brief : str, default=""
        What follows, and what does in its place where it would not fit in the line.
    """
    panel = axis.axes
    box = panel.bbox
    inches = (box.width if axis is panel.xaxis else box.height) / panel.figure.dpi
    size = axis.label.get_fontsize()
    letters = inches * POINTS_PER_INCH / (WIDTH_OF_A_LETTER * size)
    text += more if len(text + more) <= letters else brief
    narrow = letters < len(text) or inches < NARROW
    if narrow and panel.figure.get_layout_engine() is None:
        # no room is made for it there, so it is small
        size *= 0.8
        letters /= 0.8
        axis.labelpad = 1.0
    axis.set_label_text(fill(text, max(int(letters), 8), break_long_words=False), fontsize=size)
