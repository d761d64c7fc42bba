"""Logits of images with a label a pixel: large images in overlapping windows, mirrored or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from skimb._types import Features
from skimb.fitting.state import FittedState

# Side of a window, and how much of it next to its edges is context alone: more than a U-Net of
# depth 3 looks at. Windows begin at multiples of a power of 2, as the network pools.
_SIDE, _MARGIN, _STRIDE = 1024, 80, 32

_FLIPS: Sequence[tuple[int, ...]] = ((), (1,), (2,), (1, 2))


def logits_of_images(state: FittedState, X: Features, *, mirrored: bool = False) -> np.ndarray:
    """Return the logits of images as they were read, of shape (n, H, W, n_outputs).

    Parameters
    ----------
    state : FittedState
    X : ndarray of shape (n, H, W[, C])
    mirrored : bool, default=False
        Whether to average the logits of each image and of its three mirror images.
    """
    fixed = tuple(state.built.interface.input_shape[:2])
    if any(
        size is not None and length < size for length, size in zip(X.shape[1:3], fixed, strict=True)
    ):
        raise ValueError(
            f"X has images of shape {X.shape[1:3]}, smaller than the {fixed} that the network "
            "takes. Pad them, or give a network that takes images of any size."
        )
    windows = _Windows.of(X.shape[1:3], fixed)

    def logits(part: np.ndarray) -> np.ndarray:
        if not mirrored:
            return state.logits(part)
        found = [np.flip(state.logits(np.flip(part, axes)), axes) for axes in _FLIPS]
        return np.mean(found, axis=0, dtype=found[0].dtype)

    return logits(X) if windows is None else windows.joined(logits, X)


class _Windows:
    """Overlapping windows of an image, and the weight that each has for its pixels.

    Next to the edges of a window a network sees what is not there. Those pixels come from the
    neighbouring window, and halfway between the edges the weight goes over from one to the other.

    Parameters
    ----------
    shape : pair of int
        Of the images.
    sides : pair of int
        Of a window.
    margins : pair of int
        Half of the overlap of two windows.
    stride : int
        Windows begin at multiples of it.
    """

    def __init__(
        self, shape: Sequence[int], sides: Sequence[int], margins: Sequence[int], stride: int
    ) -> None:
        self._axes = [
            _along(length, side, margin, stride)
            for length, side, margin in zip(shape, sides, margins, strict=True)
        ]

    @classmethod
    def of(cls, shape: Sequence[int], fixed: Sequence[int | None]) -> _Windows | None:
        """Return the windows of images of a shape, None where they need none.

        Parameters
        ----------
        shape : pair of int
        fixed : pair of int or None
            The size of image that the network takes, None in it for any.
        """
        sides = [_SIDE if size is None else size for size in fixed]
        if all(length <= side for length, side in zip(shape, sides, strict=True)):
            return None
        margins = [_MARGIN if size is None else size // 4 for size in fixed]
        return cls(shape, sides, margins, _STRIDE if None in fixed else 1)

    def joined(self, logits: Callable[[np.ndarray], np.ndarray], X: np.ndarray) -> np.ndarray:
        """Return the logits of whole images from those of their windows."""
        whole: np.ndarray | None = None
        rows, columns = self._axes
        for index in range(len(X)):
            for top, of_rows in rows:
                for left, of_columns in columns:
                    place = slice(top, top + len(of_rows)), slice(left, left + len(of_columns))
                    part = logits(X[index : index + 1, *place])[0]
                    if whole is None:
                        whole = np.zeros((len(X), *X.shape[1:3], part.shape[-1]), part.dtype)
                    weight = of_rows[:, np.newaxis] * of_columns
                    whole[index, *place] += part * weight[..., np.newaxis].astype(part.dtype)
        assert whole is not None
        return whole


def _along(length: int, side: int, margin: int, stride: int) -> list[tuple[int, np.ndarray]]:
    """Return where windows begin along an axis, and the weights of their pixels.

    The weights of all windows sum to 1 at each pixel.
    """
    side = min(side, length)
    step = max(1, (side - 2 * margin) // stride) * stride
    starts = [*range(0, length - side, step), -(-(length - side) // stride) * stride]
    weights = []
    for start in starts:
        within = np.arange(min(side, length - start))
        before = np.ones(len(within)) if start == 0 else _ramp(within + 0.5, margin)
        last = start + side >= length
        after = np.ones(len(within)) if last else _ramp(side - within - 0.5, margin)
        weights.append(np.minimum(before, after))
    total = np.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + len(weight)] += weight
    return [
        (start, weight / total[start : start + len(weight)])
        for start, weight in zip(starts, weights, strict=True)
    ]


def _ramp(distance: np.ndarray, margin: int) -> np.ndarray:
    """Return the weight at a distance from an edge: 0 up to 3/4 of the margin, 1 from 5/4 on."""
    return np.clip((distance / margin - 0.75) / 0.5, 0.0, 1.0)
