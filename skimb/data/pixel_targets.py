"""Targets with a label for each pixel of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from skimb._types import Label
from skimb.data.targets import (
    BinaryTarget,
    MulticlassTarget,
    Target,
    TwoColumnTarget,
)


class PixelTarget(Target):
    """A label for each pixel: codes of shape (n, H, W), logits of shape (n, H, W, n_outputs).

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    background : label
        The class that is not foreground.
    """

    per_pixel = True

    def __init__(self, classes: np.ndarray, background: Label) -> None:
        super().__init__(classes)
        self.background = background

    @property
    def naming_classes(self) -> str:
        return "ImbalancedNNSegmenter(classes=...)"

    @property
    def loss_target(self) -> str:
        return "pixels"

    @property
    def foreground(self) -> np.ndarray:
        """Labels of the foreground classes."""
        return self.classes_[self.classes_ != self.background]

    def with_background(self, background: Label, counts: np.ndarray) -> PixelTarget:
        """Return the target with the background that a parameter names, see `background_of`."""
        return type(self)(self.classes_, background_of(self.classes_, counts, background))

    def codes(self, y: np.ndarray) -> np.ndarray:
        return super().codes(y.ravel()).reshape(y.shape)

    def strata(self, codes: np.ndarray) -> np.ndarray:
        """Return the rarest class that each image shows."""
        ordered = np.argsort(self.counts(codes, np.ones(len(codes))), kind="stable")
        shown = np.zeros((len(codes), len(self.classes_)), dtype=bool)
        for position in range(len(self.classes_)):
            shown[:, position] = (codes == position).any(axis=(1, 2))
        return ordered[shown[:, ordered].argmax(axis=1)]

    def n_counted(self, codes: np.ndarray) -> int:
        return codes.size

    def counts(self, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the sum of weights of the pixels of each class, float64 of (n_classes,)."""
        return self.counts_of_images(codes, weight).sum(axis=0)

    def counts_of_images(self, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the same for each image, float64 of shape (n, n_classes)."""
        n_classes = len(self.classes_)
        if weight.ndim == 1:
            pairs = ((image.ravel(), None) for image in codes)
        else:
            pairs = ((image.ravel(), w.ravel()) for image, w in zip(codes, weight, strict=True))
        counts = np.array([np.bincount(image, w, n_classes) for image, w in pairs], np.float64)
        return counts * weight[:, np.newaxis] if weight.ndim == 1 else counts

    def positive(self, counts: np.ndarray) -> int:
        """Return the position of the foreground, of several classes that of the rarest."""
        counts = np.where(self.classes_ == self.background, np.inf, counts)
        return int(np.argmin(np.where(counts > 0, counts, np.finfo(float).max)))


class MulticlassPixelsTarget(PixelTarget, MulticlassTarget):
    """A class for each pixel, with one logit each."""


class BinaryPixelsTarget(PixelTarget, BinaryTarget):
    """Two classes of pixels and one logit, of the second class."""

    def with_two_columns(self) -> Target:
        return TwoColumnPixelsTarget(self.classes_, self.background)


class TwoColumnPixelsTarget(PixelTarget, TwoColumnTarget):
    """Two classes of pixels for a network with a logit for each."""


def background_of(classes: np.ndarray, counts: np.ndarray, named: Label = None) -> Any:
    """Return the background class: the one named, or 0 or False, or the most common.

    Raises
    ------
    ValueError
        If the class that is named is not among the classes.
    """
    if named is not None:
        if named not in classes.tolist():
            raise ValueError(
                f"background={named!r} is not a label of y, which has {classes.tolist()}."
            )
        return classes[classes.tolist().index(named)]
    if classes.dtype.kind in "biuf" and 0 in classes:
        return classes[np.flatnonzero(classes == 0)[0]]
    return classes[np.argmax(counts)]


def weight_of_pixels(weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return weights of images as weights of their pixels; those of pixels as they are."""
    return weight if weight.ndim > 1 else np.broadcast_to(weight[:, None, None], shape)


def pixels_of(
    y: np.ndarray, logits: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the labels, the logits and the weights of all pixels of images, as of samples.

    Parameters
    ----------
    y : ndarray of shape (n_images, height, width)
    logits : ndarray of shape (n_images, height, width, n_outputs)
    weight : ndarray of shape (n_images,) or (n_images, height, width)
    """
    weight = weight_of_pixels(weight, y.shape)
    return y.ravel(), logits.reshape(-1, logits.shape[-1]), weight.ravel()


def some_pixels(
    y: np.ndarray, logits: np.ndarray, weight: np.ndarray, most: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels as :func:`pixels_of` does, drawn at random where they are more than `most`.

    Drawn are pixels with a weight, not those that are ignored or that images are padded with.

    Parameters
    ----------
    y, logits, weight
        As in :func:`pixels_of`.
    most, seed : int
    """
    y, logits, weight = pixels_of(y, logits, weight)
    if len(y) <= most:
        return y, logits, weight
    some = np.flatnonzero(weight > 0)
    if len(some) > most:
        some = np.random.RandomState(seed).choice(some, most, replace=False)
    return y[some], logits[some], weight[some]
