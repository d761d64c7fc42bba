"""Kinds of target: how y is encoded, how many outputs it takes, which link, how to decode."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from skimb._types import Label

Decide = Callable[[np.ndarray], np.ndarray]


class Target:
    """One kind of target.

    Attributes
    ----------
    kind : {"binary", "multiclass", "multilabel", "candidates", "reconstruction"}
    per_pixel : bool
        Whether each pixel of an image has a label.
    link : {"sigmoid", "softmax"}
        What turns logits into probabilities.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels; for indicator targets the columns' indices.
    background : label or None
        Of masks, the class that is not foreground.
    class_counts : ndarray of shape (2,) or None
        Of two classes of which one is reconstructed, the summed sample weights of both.
    rare : int
        Of these, the position of the one that is not.
    """

    kind: ClassVar[str]
    per_pixel: ClassVar[bool] = False
    link: ClassVar[str] = "softmax"
    background: Label = None
    class_counts: np.ndarray | None = None
    rare: int = 0

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
            f"but y is {self.kind} with the classes {listed(self.classes_)}. Expected "
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
                f"y contains the labels {listed(unseen)}, which are not among the classes "
                f"{listed(self.classes_)}. Leave those samples out, or name all classes where the "
                f"network is built: {self.naming_classes}."
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
        """Return true labels, logits and weights as scorers by name take them.

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

    def positive(self, counts: np.ndarray) -> int:
        """Return the position of the class that scores and losses with a positive side are about.

        Parameters
        ----------
        counts : ndarray of shape (n_classes,) or (n_labels, 2)
        """
        return self.minority(counts)

    def n_counted(self, codes: np.ndarray) -> int:
        """Return how many samples, of images with masks how many pixels, `counts` is a sum over."""
        return len(codes)

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
        return self.classes_[(logits[..., 0] >= 0).astype(int)]


class TwoColumnTarget(Target):
    """Two classes for a network with a logit for each."""

    kind = "binary"

    def decision(self, logits: np.ndarray) -> np.ndarray:
        return logits[..., 1] - logits[..., 0]

    def decode(self, logits: np.ndarray) -> np.ndarray:
        return self.classes_[(logits[..., 1] >= logits[..., 0]).astype(int)]


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
        if len(weight) and weight.min() == weight.max():
            found = [np.count_nonzero(codes == value, axis=0) for value in (0, 1)]
            return np.column_stack(found) * float(weight[0])
        # each is summed: a difference of rounded sums would leave 1e-13 where there is no 0
        return np.column_stack([weight @ (codes == 0), weight @ (codes == 1)])

    def minority(self, counts: np.ndarray) -> int:
        return super().minority(counts[:, 1])

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return expit(logits.astype(np.float64))

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        return log_expit(logits.astype(np.float64))

    def decode(self, logits: np.ndarray) -> np.ndarray:
        return (logits >= 0).astype(np.int64)


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


class ReconstructionTarget(Target):
    """Samples themselves, which an autoencoder is to reconstruct.

    Codes are whether a sample is of the rare class; the autoencoder is trained on the others.

    Parameters
    ----------
    classes : ndarray of shape (2,) or (0,)
        The two classes of a classifier, none where nothing is labelled.
    counts : ndarray of shape (2,) or None, default=None
        Summed sample weights of the classes.
    rare : int, default=0
        The position of the class that is not reconstructed.
    """

    kind = "reconstruction"
    link = "sigmoid"

    def __init__(
        self, classes: np.ndarray, counts: np.ndarray | None = None, rare: int = 0
    ) -> None:
        super().__init__(classes)
        self.class_counts = counts
        self.rare = rare

    def codes(self, y: np.ndarray) -> np.ndarray:
        if not len(self.classes_):
            return np.zeros(len(y), np.int32)
        return (super().codes(y) == self.rare).astype(np.int32)

    def labels(self, codes: np.ndarray) -> np.ndarray:
        return codes

    def counts(self, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return np.bincount(codes, weight, minlength=2)


def check_candidates(y: np.ndarray) -> None:
    """Raise a ValueError that names the rows of an indicator matrix without a 1."""
    empty = np.flatnonzero(~y.astype(bool).any(axis=1))
    if len(empty):
        raise ValueError(
            f"y has no candidate in row{'s' * (len(empty) > 1)} {listed(empty)}. Every row needs "
            "at least one class that is acceptable: leave such rows out, or mark all classes where "
            "nothing is known."
        )


def listed(labels: np.ndarray) -> str:
    """Return the first ten labels as text for a message."""
    shown = ", ".join(map(repr, labels[:10].tolist()))
    return f"[{shown}, ...]" if len(labels) > 10 else f"[{shown}]"
