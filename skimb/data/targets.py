"""Kinds of target: how y is encoded, how many outputs it takes, which link, how to decode."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

Decide = Callable[[np.ndarray], np.ndarray]


class Target:
    """One kind of target.

    Attributes
    ----------
    kind : {"binary", "multiclass", "multilabel", "candidates"}
    per_pixel : bool
        Whether each pixel of an image has a label.
    link : {"sigmoid", "softmax"}
        What turns logits into probabilities.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels; for indicator targets the columns' indices.
    """

    kind: ClassVar[str]
    per_pixel: ClassVar[bool] = False
    link: ClassVar[str] = "softmax"

    def __init__(self, classes: np.ndarray) -> None:
        self.classes_ = classes

    @property
    def naming_classes(self) -> str:
        """What a user writes to name classes that the first rows do not show."""
        return "partial_fit(X, y, classes=...)"

    @property
    def n_outputs(self) -> int:
        """Logits that a network for this target ends in."""
        return len(self.classes_)

    @property
    def loss_target(self) -> str:
        """The kind of target that the loss is told."""
        return "multiclass" if self.link == "softmax" else self.kind

    def agreeing(self, units: int, activation: str) -> Target:
        """Return the target for a network that ends in some outputs, usually this one.

        Parameters
        ----------
        units : int
            Outputs of the network.
        activation : {"linear", "sigmoid", "softmax"}
            What it ends in.

        Raises
        ------
        ValueError
            If they do not fit the target.
        """
        if units == self.n_outputs and activation in ("linear", self.link):
            return self
        raise ValueError(
            f"model ends in {units} output{'s' * (units > 1)} with the activation {activation!r}, "
            f"but y is {self.kind} with the classes {_listed(self.classes_)}. Expected "
            f"{self.expected_outputs}."
        )

    @property
    def expected_outputs(self) -> str:
        """In words, what a network for this target ends in."""
        return f"{self.n_outputs} outputs, logits ('linear') or {self.link!r}"

    def codes(self, y: np.ndarray) -> np.ndarray:
        """Return the position of every label in `classes_`, int32 of the shape of y.

        Raises
        ------
        ValueError
            If y has a label that is not in `classes_`.
        """
        if y.ndim != 1:
            raise ValueError(
                f"y has the shape {y.shape}, but class labels of shape (n_samples,) were seen "
                "before."
            )
        unseen = np.setdiff1d(y, self.classes_)
        if len(unseen):
            raise ValueError(
                f"y contains the labels {_listed(unseen)}, which are not among the classes "
                f"{_listed(self.classes_)}. Name all classes where the network is built: "
                f"{self.naming_classes}."
            )
        return np.searchsorted(self.classes_, y).astype(np.int32)

    def labels(self, codes: np.ndarray) -> np.ndarray:
        """Return codes as the user's labels, or as an indicator matrix."""
        return self.classes_[codes]

    def encode(self, codes: np.ndarray, one_hot: bool, dtype: str) -> np.ndarray:
        """Return codes as the loss takes them."""
        return np.eye(self.n_outputs, dtype=dtype)[codes] if one_hot else codes

    def strata(self, codes: np.ndarray) -> np.ndarray:
        """Return what rows are stratified and balanced by: a class each, or an indicator matrix."""
        return codes

    def for_scores(
        self, codes: np.ndarray, logits: np.ndarray, weight: np.ndarray, decide: Decide
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return true labels, logits and weights as the scores of scikit-learn take them.

        Parameters
        ----------
        codes : ndarray of int
        logits : ndarray of shape (n_rows, ..., n_outputs)
        weight : ndarray of shape (n_rows, ...)
        decide : callable
            Returns the labels that are predicted for logits.
        """
        return self.labels(codes), logits, weight

    def counts(self, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the sum of weights of each class, float64 of shape (n_classes,)."""
        return np.bincount(codes, weight, minlength=len(self.classes_))

    def minority(self, counts: np.ndarray) -> int:
        """Return the position of the rarest class that occurs; of equals, the last."""
        occurring = np.where(counts > 0, counts, np.inf)
        return int(np.flatnonzero(occurring == occurring.min())[-1])

    def decision(self, logits: np.ndarray) -> np.ndarray:
        """Return logits in the shape of scikit-learn's `decision_function`."""
        return logits

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return probabilities, float64 of shape (n_rows, ..., n_classes)."""
        return softmax(logits.astype(np.float64), axis=-1)

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return log-probabilities, exact where the probability rounds to 0."""
        return log_softmax(logits.astype(np.float64), axis=-1)

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Return the labels of the most probable classes."""
        return self.classes_[np.argmax(logits, axis=-1)]


class MulticlassTarget(Target):
    """Classes that exclude each other, one logit each."""

    kind = "multiclass"


class BinaryTarget(Target):
    """Two classes and one logit, of the second class."""

    kind = "binary"
    link = "sigmoid"

    @property
    def n_outputs(self) -> int:
        return 1

    @property
    def expected_outputs(self) -> str:
        return "1 output, a logit ('linear') or 'sigmoid', or 2 outputs, logits or 'softmax'"

    def agreeing(self, units: int, activation: str) -> Target:
        if units == 2 and activation in ("linear", "softmax"):
            return self.with_two_columns()
        return super().agreeing(units, activation)

    def with_two_columns(self) -> Target:
        """Return the target for a network with a logit for each class."""
        return TwoColumnTarget(self.classes_)

    def encode(self, codes: np.ndarray, one_hot: bool, dtype: str) -> np.ndarray:
        return codes[..., np.newaxis].astype(dtype)

    def decision(self, logits: np.ndarray) -> np.ndarray:
        return logits[..., 0]

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return expit(np.concatenate([-logits, logits], axis=-1).astype(np.float64))

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        return log_expit(np.concatenate([-logits, logits], axis=-1).astype(np.float64))

    def decode(self, logits: np.ndarray) -> np.ndarray:
        return self.classes_[(logits[..., 0] > 0).astype(int)]


class TwoColumnTarget(Target):
    """Two classes for a network with a logit for each."""

    kind = "binary"

    def decision(self, logits: np.ndarray) -> np.ndarray:
        return logits[..., 1] - logits[..., 0]


class MultilabelTarget(Target):
    """Independent labels, one logit each."""

    kind = "multilabel"
    link = "sigmoid"

    def codes(self, y: np.ndarray) -> np.ndarray:
        if y.ndim != 2 or y.shape[1] != self.n_outputs:
            raise ValueError(
                f"y has the shape {y.shape}, but {self.n_outputs} labels of shape (n_samples, "
                f"{self.n_outputs}) were seen before."
            )
        return y.astype(np.int32)

    def labels(self, codes: np.ndarray) -> np.ndarray:
        return codes

    def encode(self, codes: np.ndarray, one_hot: bool, dtype: str) -> np.ndarray:
        return codes.astype(dtype)

    def counts(self, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the sums of weights of 0 and of 1, float64 of shape (n_labels, 2)."""
        positives = weight @ codes
        return np.column_stack([weight.sum() - positives, positives])

    def minority(self, counts: np.ndarray) -> int:
        return super().minority(counts[:, 1])

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return expit(logits.astype(np.float64))

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        return log_expit(logits.astype(np.float64))

    def decode(self, logits: np.ndarray) -> np.ndarray:
        return (logits > 0).astype(np.int64)


class CandidatesTarget(Target):
    """Sets of classes, any one of which is right.

    Codes are the rows of the indicator matrix. A row counts for each of its candidates in equal
    parts.
    """

    kind = "candidates"

    @property
    def loss_target(self) -> str:
        return "candidates"

    def codes(self, y: np.ndarray) -> np.ndarray:
        """Return an indicator matrix, int32; of class labels, sets of that class alone.

        Raises
        ------
        ValueError
            If a row has no candidate, or y has another number of columns.
        """
        if y.ndim == 1:
            return np.eye(self.n_outputs, dtype=np.int32)[super().codes(y)]
        if y.shape[1] != self.n_outputs:
            raise ValueError(
                f"y has the shape {y.shape}, but {self.n_outputs} classes, a column each, were "
                "seen before."
            )
        check_candidates(y)
        return y.astype(np.int32)

    def labels(self, codes: np.ndarray) -> np.ndarray:
        return codes

    def encode(self, codes: np.ndarray, one_hot: bool, dtype: str) -> np.ndarray:
        return codes.astype(dtype)

    def for_scores(
        self, codes: np.ndarray, logits: np.ndarray, weight: np.ndarray, decide: Decide
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        # the class that is predicted if it is a candidate, otherwise the most probable candidate
        best = np.argmax(np.where(codes > 0, logits, -np.inf), axis=1)
        predicted = np.searchsorted(self.classes_, decide(logits))
        acceptable = codes[np.arange(len(codes)), predicted] > 0
        return self.classes_[np.where(acceptable, predicted, best)], logits, weight

    def counts(self, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return (weight / codes.sum(axis=1)) @ codes


class _OfPixels(Target):
    """A label for each pixel: codes of shape (n, H, W), logits of shape (n, H, W, n_outputs)."""

    per_pixel = True

    @property
    def naming_classes(self) -> str:
        return "ImbalancedNNSegmenter(classes=...)"

    @property
    def loss_target(self) -> str:
        return "pixels"

    def codes(self, y: np.ndarray) -> np.ndarray:
        return super().codes(y.ravel()).reshape(y.shape)

    def strata(self, codes: np.ndarray) -> np.ndarray:
        """Return the rarest class that each image shows."""
        ordered = np.argsort(self.counts(codes, np.ones(len(codes))), kind="stable")
        shown = np.zeros((len(codes), len(self.classes_)), dtype=bool)
        for position in range(len(self.classes_)):
            shown[:, position] = (codes == position).any(axis=(1, 2))
        return ordered[shown[:, ordered].argmax(axis=1)]

    def for_scores(
        self, codes: np.ndarray, logits: np.ndarray, weight: np.ndarray, decide: Decide
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        weight = weight_of_pixels(weight, codes.shape)
        return self.classes_[codes.ravel()], logits.reshape(-1, logits.shape[-1]), weight.ravel()

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


class MulticlassPixelsTarget(_OfPixels, MulticlassTarget):
    """A class for each pixel, with one logit each."""


class BinaryPixelsTarget(_OfPixels, BinaryTarget):
    """Two classes of pixels and one logit, of the second class."""

    def with_two_columns(self) -> Target:
        return TwoColumnPixelsTarget(self.classes_)


class TwoColumnPixelsTarget(_OfPixels, TwoColumnTarget):
    """Two classes of pixels for a network with a logit for each."""


def weight_of_pixels(weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return weights of images as weights of their pixels; those of pixels as they are."""
    return weight if weight.ndim > 1 else np.broadcast_to(weight[:, None, None], shape)


def check_candidates(y: np.ndarray) -> None:
    """Raise a ValueError that names the rows of an indicator matrix without a 1."""
    empty = np.flatnonzero(~y.astype(bool).any(axis=1))
    if len(empty):
        raise ValueError(
            f"y has no candidate in row{'s' * (len(empty) > 1)} {_listed(empty)}. Every row needs "
            "at least one class that is acceptable: leave such rows out, or mark all classes where "
            "nothing is known."
        )


def checked_labels(y: Any) -> np.ndarray:
    """Return y as a 1-D array of labels or a dense indicator matrix.

    Raises
    ------
    ValueError
        If y is neither.
    """
    y = y.toarray() if sp.issparse(y) else np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    try:
        kind = type_of_target(y, input_name="y")
    except TypeError as error:
        raise ValueError(f"y mixes labels that cannot be sorted: {error}.") from error
    if kind == "multilabel-indicator":
        if not np.isin(y, (0, 1)).all():
            raise ValueError(
                f"y is an indicator matrix with the values {_listed(np.unique(y))}. Accepted are 0 "
                "and 1: pass y > 0, for instance."
            )
        return y
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"Unknown label type: {kind}. y has to hold class labels of shape (n_samples,) or be "
            "an indicator matrix of 0 and 1 of shape (n_samples, n_labels). Numbers that are "
            "measured are a regression target; several labels a row become an indicator matrix "
            "with sklearn.preprocessing.MultiLabelBinarizer."
        )
    return y


def infer(y: np.ndarray, classes: Any = None, kind: str = "auto") -> Target:
    """Return the kind of target that y is.

    Parameters
    ----------
    y : ndarray of shape (n_samples,), (n_samples, n_labels) or (n_images, height, width)
        As :func:`checked_labels` returns it; three axes are labels of pixels.
    classes : array-like or None, default=None
        All classes, where y may not show them all.
    kind : {"auto", "candidates"}, default="auto"
        What an indicator matrix is.

    Raises
    ------
    ValueError
        If there is one class only, or candidates are no indicator matrix.
    """
    if kind == "candidates":
        if y.ndim != 2:
            raise ValueError(
                f"target='candidates' takes an indicator matrix (n_samples, n_classes) with a 1 "
                f"for each acceptable class, but y has the shape {y.shape}. For one known class a "
                "row leave target at 'auto'."
            )
        if y.shape[1] < 3:
            raise ValueError(
                f"target='candidates' takes three classes or more, but y has {y.shape[1]} columns. "
                "Of two classes, a row with both says nothing: leave such rows out, and pass class "
                "labels."
            )
        check_candidates(y)
        _check_columns(y, classes)
        return CandidatesTarget(np.arange(y.shape[1]))
    if y.ndim == 2:
        if y.shape[1] > 1 and np.all(y.sum(axis=1) == 1):
            warnings.warn(
                "y has exactly one 1 in every row and is taken for independent labels. If it is "
                "one-hot, with classes that exclude each other, pass y.argmax(axis=1).",
                UserWarning,
                stacklevel=4,
            )
        _check_columns(y, classes)
        return MultilabelTarget(np.arange(y.shape[1]))
    labels = np.unique(y if classes is None else column_or_1d(classes))
    if len(labels) < 2:
        raise ValueError(
            f"y has the one class {_listed(labels)}, but at least two classes are needed to "
            "learn what tells them apart (rows of weight 0 do not count)."
        )
    if y.ndim == 3:
        return BinaryPixelsTarget(labels) if len(labels) == 2 else MulticlassPixelsTarget(labels)
    return BinaryTarget(labels) if len(labels) == 2 else MulticlassTarget(labels)


def _check_columns(y: np.ndarray, classes: Any) -> None:
    if classes is not None and not np.array_equal(classes, np.arange(y.shape[1])):
        raise ValueError(
            f"classes={classes!r} does not go with an indicator matrix of {y.shape[1]} columns, "
            "whose classes are their positions. Leave it out."
        )


def _listed(labels: np.ndarray) -> str:
    shown = ", ".join(map(repr, labels[:10].tolist()))
    return f"[{shown}, ...]" if len(labels) > 10 else f"[{shown}]"
