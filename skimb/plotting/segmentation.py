"""Display of images, their masks and predicted masks."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage
from sklearn.base import BaseEstimator

from skimb._types import Features, Label, Labels
from skimb.data.labels import checked_masks
from skimb.metrics import mean_dice
from skimb.plotting.estimators import fitted_part
from skimb.plotting.panels import COLORS, panels, require_matplotlib, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

# No image has black in it, as images are pale under the colours.
_FOUND = {"hit": "#009E73", "miss": "#D55E00", "false alarm": "#000000"}
# a colour has one meaning in all figures of masks
_OF_CLASSES = tuple(color for color in COLORS if color not in _FOUND.values())
_INCHES = 2.1
# that a panel is expected to have
_PIXELS = 200
# visibility of the image under the colours
_STRENGTH = 0.45


class SegmentationDisplay:
    """Images, their masks, and where the prediction is right and wrong.

    For two classes the prediction shows hits, misses and false alarms of the foreground; more
    classes have a colour each. Below it is the Dice coefficient of the image, averaged over the
    foreground classes. In images of more than 200 pixels a side, shapes of a few pixels are
    enlarged, as they would not be visible.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width[, channels])
        Three channels are red, green and blue; the mean of any other number is shown in grey.
        Bytes, and numbers between 0 and 1, are shown as they are in colour; otherwise the range of
        all these images is stretched from black to white.
    y_true : array-like of shape (n_images, height, width) or None
    y_pred : array-like of shape (n_images, height, width)
    classes : array-like of shape (n_classes,) or None, default=None
        Labels, by default the sorted labels of the masks.
    background : label or None, default=None
        The class without a colour, by default the label 0 or False if there is one, and otherwise
        the most common one.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_images, 3), or (n_images, 2) without `y_true`
    ax_ : Axes
        The panel of the first image.
    figure_ : Figure
    legend_ : Legend

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.plotting import SegmentationDisplay
    >>> masks = np.zeros((2, 8, 8), bool)
    >>> masks[:, 2:5, 2:5] = True
    >>> display = SegmentationDisplay.from_predictions(1.0 * masks, masks, np.roll(masks, 1, 2))
    >>> display.axes_.shape, display.axes_[0, 2].get_xlabel()
    ((2, 3), 'Dice 0.67')
    """

    def __init__(
        self,
        images: ArrayLike,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        background: Label = None,
    ) -> None:
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.classes = classes
        self.background = background

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Features,
        y: Labels = None,
        *,
        n_images: int = 3,
        ax: Axes | None = None,
    ) -> SegmentationDisplay:
        """Draw the masks that a fitted segmenter predicts for images.

        Parameters
        ----------
        estimator : estimator
            A fitted segmenter of skimb, alone, in a pipeline or in a search.
        X : array-like of shape (n, height, width[, channels])
        y : array-like of shape (n, height, width) or None, default=None
            The true masks.
        n_images : int, default=3
            Number of images, from the first on. Select others with ``X[[7, 12]], y[[7, 12]]``.
        ax
            As in `plot`.

        Returns
        -------
        SegmentationDisplay
        """
        require_matplotlib(cls.__name__)
        part = fitted_part(estimator, cls.__name__, "classes_", "background_")
        _check_number(n_images)
        X, y = X[:n_images], None if y is None else y[:n_images]
        of_part = {"classes": part.classes_, "background": part.background_}
        return cls(X, y, estimator.predict(X), **of_part).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        X: ArrayLike,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        n_images: int = 3,
        classes: ArrayLike | None = None,
        background: Label = None,
        ax: Axes | None = None,
    ) -> SegmentationDisplay:
        """Draw predicted masks.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, channels])
        y_true : array-like of shape (n, height, width) or None
        y_pred : array-like of shape (n, height, width)
        n_images : int, default=3
            Number of images, from the first on.
        classes, background
            As in the class.
        ax
            As in `plot`.

        Returns
        -------
        SegmentationDisplay
        """
        require_matplotlib(cls.__name__)
        _check_number(n_images)
        if background is None:
            background = _background(checked_masks(y_pred if y_true is None else y_true))
        images, found = np.asarray(X)[:n_images], np.asarray(y_pred)[:n_images]
        true = None if y_true is None else np.asarray(y_true)[:n_images]
        return cls(images, true, found, classes=classes, background=background).plot(ax)

    def plot(self, ax: Axes | None = None) -> SegmentationDisplay:
        """Draw a row of panels for each image.

        Parameters
        ----------
        ax : Axes or None, default=None
            None creates a figure. A single Axes is divided.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the shapes of images and masks differ, or a label is not among the classes.
        """
        require_matplotlib(type(self).__name__)
        images, predicted = np.asarray(self.images), checked_masks(self.y_pred)
        true = None if self.y_true is None else checked_masks(self.y_true)
        _check_shapes(images, true, predicted)
        masks = predicted if true is None else np.concatenate([true, predicted])
        classes = np.unique(masks) if self.classes is None else np.asarray(self.classes)
        unknown = np.setdiff1d(masks, classes)
        if len(unknown):
            raise ValueError(
                f"The masks have the labels {unknown[:10].tolist()}, which are not among the "
                f"classes {classes.tolist()}."
            )
        background = _background(masks) if self.background is None else self.background
        foreground = [label for label in classes.tolist() if label != background]
        columns, colors = _columns(_as_colors(images), true, predicted, foreground)
        self.axes_, self.legend_ = _draw(columns, colors, ax)
        self.ax_, self.figure_ = self.axes_[0, 0], self.axes_[0, 0].figure
        if true is not None:
            for panel, mask, one in zip(self.axes_[:, -1], true, predicted, strict=True):
                panel.set_xlabel(_dice(mask, one, foreground), fontsize="small", labelpad=2)
        return self


def _check_number(n_images: Any) -> None:
    if isinstance(n_images, bool) or not isinstance(n_images, Integral) or n_images < 1:
        raise ValueError(f"n_images={n_images!r} has to be an integer of at least 1.")


def _check_shapes(images: np.ndarray, true: np.ndarray | None, predicted: np.ndarray) -> None:
    shapes = {predicted.shape, images.shape[:3], predicted.shape if true is None else true.shape}
    if images.ndim not in (3, 4) or len(shapes) > 1:
        raise ValueError(
            f"images have the shape {images.shape}, y_true {None if true is None else true.shape} "
            f"and y_pred {predicted.shape}. Accepted are images of shape (n, height, width"
            "[, channels]) and masks of shape (n, height, width)."
        )


def _background(masks: np.ndarray) -> Any:
    labels, counts = np.unique(masks, return_counts=True)
    if labels.dtype.kind in "biuf" and 0 in labels:
        return labels[labels == 0][0]
    return labels[np.argmax(counts)]


def _as_colors(images: np.ndarray) -> np.ndarray:
    """Return images of shape (n, height, width, 3) with values between 0 and 1."""
    colored = images.ndim == 4 and images.shape[-1] == 3
    values = images.astype(np.float64)
    if images.ndim == 4 and not colored:
        values = values.mean(axis=-1)
    low, high = float(values.min()), float(values.max())
    if colored and images.dtype == np.uint8:
        low, high = 0.0, 255.0
    elif colored and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    values = (values - low) / (high - low if high > low else 1.0)
    return values if colored else np.repeat(values[..., np.newaxis], 3, axis=-1)


def _columns(
    images: np.ndarray, true: np.ndarray | None, predicted: np.ndarray, foreground: list[Any]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the pictures of each column, by its title, and the colours of the legend."""
    names = [label if isinstance(label, str) else f"class {label}" for label in foreground]
    colors = dict(zip(names, _colors(len(names)), strict=True))
    pale = 1 - _STRENGTH * (1 - images)
    found = {n: predicted == label for n, label in zip(names, foreground, strict=True)}
    columns = {"Image": images}
    if true is not None:
        there = {n: true == label for n, label in zip(names, foreground, strict=True)}
        columns["Mask"] = _painted(pale, there, colors)
        if len(foreground) == 1:
            is_there, is_found = there[names[0]], found[names[0]]
            areas = (is_there & is_found, is_there & ~is_found, is_found & ~is_there)
            found, colors = dict(zip(_FOUND, areas, strict=True)), colors | _FOUND
    columns["Prediction"] = _painted(pale, found, colors)
    return columns, colors


def _draw(
    columns: dict[str, np.ndarray], colors: dict[str, str], ax: Axes | None
) -> tuple[np.ndarray, Legend]:
    """Draw the pictures, and the legend at their right; return the panels and the legend."""
    from matplotlib.patches import Patch

    (n, height, width), n_columns = columns["Image"].shape[:3], len(columns)
    names = [wrapped(name) for name in colors]
    high = n * (_INCHES * min(height / width, 3.0) + 0.25) + 0.3
    size = _INCHES * n_columns + 1.2, max(high, 0.18 * "\n".join(names).count("\n") + 0.4)
    ratios = [n_columns, 0.5 if ax is None else 1]
    place, beside = panels(ax, 1, 2, figsize=size, width_ratios=ratios)[0]
    axes = panels(place, n, n_columns, figsize=size)
    for panels_of_image, *pictures in zip(axes, *columns.values(), strict=True):
        for panel, picture in zip(panels_of_image, pictures, strict=True):
            panel.imshow(picture, vmin=0, vmax=1)
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
    for panel, title in zip(axes[0], columns, strict=True):
        panel.set_title(title, fontsize="medium" if ax is None else "small")
    handles = [Patch(color=c, label=n) for c, n in zip(colors.values(), names, strict=True)]
    legend = beside.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 1), borderaxespad=0, frameon=False,
        fontsize="small" if ax is None else "x-small", handlelength=1.0,
    )  # fmt: skip
    beside.set_axis_off()
    return axes, legend


def _colors(number: int) -> list[str]:
    if number <= len(_OF_CLASSES):
        return list(_OF_CLASSES[:number])
    from matplotlib import colormaps, colors

    # distinguished by lightness, which colour-blind people see as well
    return [colors.to_hex(c) for c in colormaps["viridis"](np.linspace(0, 1, number))]


def _painted(
    images: np.ndarray, areas: dict[str, np.ndarray], colors: dict[str, str]
) -> np.ndarray:
    from matplotlib.colors import to_rgb

    painted = images.copy()
    for layer in (_enlarged(areas), areas):  # enlarged shapes never hide others
        for name, area in layer.items():
            painted[area] = to_rgb(colors[name])
    return painted


def _enlarged(areas: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return enlarged versions of the shapes that are too small to be visible in a panel."""
    stacked = np.array(list(areas.values()))
    across = int(np.ceil(max(stacked.shape[2:], default=0) / _PIXELS))
    if across < 2 or not stacked.any():
        return {}
    touching = np.zeros((3, 3, 3), dtype=int)
    touching[1] = 1  # within an image
    numbered, _ = ndimage.label(stacked.any(axis=0), structure=touching)
    small = (np.bincount(numbered.ravel()) < (2 * across) ** 2)[numbered]
    size = (1, 2 * across + 1, 2 * across + 1)
    return {name: ndimage.maximum_filter(area & small, size=size) for name, area in areas.items()}


def _dice(true: np.ndarray, found: np.ndarray, foreground: list[Any]) -> str:
    present = [label for label in foreground if (true == label).any() or (found == label).any()]
    if not present:
        return "no foreground, none predicted"
    return f"Dice {mean_dice(true[np.newaxis], found[np.newaxis], labels=present):.2f}"
