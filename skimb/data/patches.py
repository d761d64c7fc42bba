"""Patches of images to train on: drawn anew for every epoch, some of them around the foreground."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from skimb.data.samples import Samples
from skimb.data.targets import Target

# of each image and class, from which patches are placed: more would say no more about it
_MOST_ANCHORS = 4096


def patches_of(
    train: Samples,
    target: Target,
    size: tuple[int, int],
    foreground: float,
    most_pixels: int,
    seed: int,
) -> Callable[[], Samples]:
    """Return a function that draws the patches of an epoch, others in every call.

    A share of the patches shows the foreground, as nnU-Net [1]_ oversamples it: a pixel of a class,
    the classes in turn, is drawn from an image that has it, and a patch is placed at random so that
    it shows this pixel. The others are placed around any pixel that has a weight.

    Parameters
    ----------
    train : Samples
        Images with masks of codes.
    target : Target
        Of pixels.
    size : pair of int
        Height and width of a patch, at most those of the images.
    foreground : float in [0, 1]
    most_pixels : int
        An epoch has as many pixels as the images, but no more than these.
    seed : int

    References
    ----------
    .. [1] F. Isensee, P. F. Jaeger, S. A. A. Kohl, J. Petersen, K. H. Maier-Hein, "nnU-Net: a
       self-configuring method for deep learning-based biomedical image segmentation", Nature
       Methods 18, 2021. https://doi.org/10.1038/s41592-020-01008-z
    """
    rng = np.random.RandomState(seed)
    anchors = _Anchors(train, target, rng)
    n_patches = max(1, round(min(train.y.size, most_pixels) / (size[0] * size[1])))

    def draw() -> Samples:
        n_around = min(n_patches, round(foreground * n_patches)) if anchors.of_classes else 0
        places = [anchors.of_foreground(turn, rng) for turn in range(n_around)]
        places += [anchors.anywhere(rng) for _ in range(n_patches - n_around)]
        images = np.array([image for image, _, _ in places])
        tops = _before([row for _, row, _ in places], size[0], train.y.shape[1], rng)
        lefts = _before([column for _, _, column in places], size[1], train.y.shape[2], rng)
        corners = list(zip(images, tops, lefts, strict=True))

        def cut(arrays: np.ndarray) -> np.ndarray:
            return np.stack([arrays[i, a : a + size[0], b : b + size[1]] for i, a, b in corners])

        weight = train.weight[images] if train.weight.ndim == 1 else cut(train.weight)
        unknown = np.full(n_patches, -1)
        return replace(
            train, X=cut(train.X), y=cut(train.y), weight=weight, positions=unknown,
            groups=None, are_patches=True,
        )  # fmt: skip

    return draw


def _before(anchors: list[int], length: int, side: int, rng: np.random.RandomState) -> np.ndarray:
    """Return where patches of this length begin that hold the anchors and lie inside the image."""
    starts = np.array(anchors) - rng.randint(0, length, len(anchors))
    return np.clip(starts, 0, side - length)


class _Anchors:
    """Pixels that patches are placed around."""

    def __init__(self, train: Samples, target: Target, rng: np.random.RandomState) -> None:
        self._width = train.y.shape[2]
        by_pixel = train.weight.ndim > 1
        background = target.classes_.tolist().index(target.background)
        codes = [k for k in range(len(target.classes_)) if k != background]
        self._weighted: list[np.ndarray | None] = []
        found: dict[int, list[tuple[int, np.ndarray]]] = {code: [] for code in codes}
        for image, mask in enumerate(train.y):
            counted = train.weight[image] > 0 if by_pixel else np.ones(mask.shape, bool)
            whole = counted.all()
            self._weighted.append(None if whole else _some(np.flatnonzero(counted), rng))
            for code in codes:
                pixels = (mask == code) & counted
                if pixels.any():
                    found[code].append((image, _some(np.flatnonzero(pixels), rng)))
        self._size = train.y[0].size
        self.of_classes = [images for images in found.values() if images]

    def of_foreground(self, turn: int, rng: np.random.RandomState) -> tuple[int, int, int]:
        """Return an image and a pixel in it of a class, the classes in turn."""
        images = self.of_classes[turn % len(self.of_classes)]
        image, pixels = images[rng.randint(len(images))]
        return (image, *divmod(int(pixels[rng.randint(len(pixels))]), self._width))

    def anywhere(self, rng: np.random.RandomState) -> tuple[int, int, int]:
        """Return an image and a pixel in it that has a weight."""
        image = rng.randint(len(self._weighted))
        pixels = self._weighted[image]
        place = rng.randint(self._size) if pixels is None else pixels[rng.randint(len(pixels))]
        return (image, *divmod(int(place), self._width))


def _some(places: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    if len(places) > _MOST_ANCHORS:
        places = rng.choice(places, _MOST_ANCHORS, replace=False)
    return places.astype(np.int32 if places.size == 0 or places.max() < 2**31 else np.int64)
