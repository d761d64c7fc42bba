"""Kinds of target: how y is encoded, how many outputs it takes, which link, how to decode."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d


class Target:
    """One kind of target.

    Attributes
    ----------
    kind : {"binary", "multiclass", "multilabel"}
    link : {"sigmoid", "softmax"}
        What turns logits into probabilities.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels; for indicator targets the columns' indices.
    """

    kind: ClassVar[str]
    link: ClassVar[str] = "softmax"

    def __init__(self, classes: np.ndarray) -> None:
        self.classes_ = classes

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
                f"{_listed(self.classes_)}. Name all classes in the first call of partial_fit: "
                "partial_fit(X, y, classes=...)."
            )
        return np.searchsorted(self.classes_, y).astype(np.int32)

    def encode(self, codes: np.ndarray, one_hot: bool, dtype: str) -> np.ndarray:
        """Return codes as the loss takes them."""
        return np.eye(self.n_outputs, dtype=dtype)[codes] if one_hot else codes

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
        """Return probabilities, float64 of shape (n_rows, n_classes)."""
        return softmax(logits.astype(np.float64), axis=1)

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return log-probabilities, exact where the probability rounds to 0."""
        return log_softmax(logits.astype(np.float64), axis=1)

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Return the labels of the most probable classes."""
        return self.classes_[np.argmax(logits, axis=1)]


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
            return TwoColumnTarget(self.classes_)
        return super().agreeing(units, activation)

    def encode(self, codes: np.ndarray, one_hot: bool, dtype: str) -> np.ndarray:
        return codes[:, np.newaxis].astype(dtype)

    def decision(self, logits: np.ndarray) -> np.ndarray:
        return logits[:, 0]

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return expit(np.hstack([-logits, logits]).astype(np.float64))

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        return log_expit(np.hstack([-logits, logits]).astype(np.float64))

    def decode(self, logits: np.ndarray) -> np.ndarray:
        return self.classes_[(logits[:, 0] > 0).astype(int)]


class TwoColumnTarget(Target):
    """Two classes for a network with a logit for each."""

    kind = "binary"

    def decision(self, logits: np.ndarray) -> np.ndarray:
        return logits[:, 1] - logits[:, 0]


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


def infer(y: np.ndarray, classes: Any = None) -> Target:
    """Return the kind of target that y is.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        As :func:`checked_labels` returns it.
    classes : array-like or None, default=None
        All classes, where y may not show them all.

    Raises
    ------
    ValueError
        If there is one class only.
    """
    if y.ndim == 2:
        if y.shape[1] > 1 and np.all(y.sum(axis=1) == 1):
            warnings.warn(
                "y has exactly one 1 in every row and is taken for independent labels. If it is "
                "one-hot, with classes that exclude each other, pass y.argmax(axis=1).",
                UserWarning,
                stacklevel=4,
            )
        return MultilabelTarget(np.arange(y.shape[1]))
    labels = np.unique(y if classes is None else column_or_1d(classes))
    if len(labels) < 2:
        raise ValueError(
            f"y has the one class {_listed(labels)}, but at least two classes are needed to "
            "learn what tells them apart (rows of weight 0 do not count)."
        )
    return BinaryTarget(labels) if len(labels) == 2 else MulticlassTarget(labels)


def _listed(labels: np.ndarray) -> str:
    shown = ", ".join(map(repr, labels[:10].tolist()))
    return f"[{shown}, ...]" if len(labels) > 10 else f"[{shown}]"
