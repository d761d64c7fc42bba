"""The display of what a threshold costs: precision, recall and F1 against it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_curve
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from skimb.data.labels import checked_labels, checked_masks
from skimb.data.pixel_targets import weight_of_pixels
from skimb.estimators.anomaly import AutoencoderClassifier
from skimb.plotting.decisions import positive_class, threshold_of
from skimb.plotting.panels import (
    COLORS,
    GREY,
    THRESHOLD_CLASSIFIERS,
    fitted_part,
    label_axis,
    nested,
    panels,
    require_matplotlib,
    shortened,
)
from skimb.probability.checks import checked_floats

# more than a picture can show, and less than takes time
_POINTS = 2000
_INCHES_OF_LEGEND = 4.5


class ThresholdDisplay:
    """Precision, recall and F1 of the rare class against the threshold.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Ascending. What scores at least the threshold is positive.
    precision, recall, f1 : ndarray of shape (n_thresholds,)
        At these thresholds.
    threshold : float or None, default=None
        The chosen one, for a mark.
    pos_label : label or None, default=None
        The positive class, for the label of the axis.
    score_name : str or None, default=None
        What the thresholds are of, for the label of the axis; by default ``"probability"`` if all
        are between 0 and 1, and otherwise ``"score"``.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    lines_ : dict of str to Line2D
        Those of ``"precision"``, ``"recall"`` and ``"f1"``. Of more than 2,000 thresholds, a choice
        is drawn.
    threshold_ : Line2D or None
        The mark of the chosen threshold.

    See Also
    --------
    skimb.probability.best_threshold : The threshold with the best score.

    Examples
    --------
    >>> from skimb.plotting import ThresholdDisplay
    >>> scores = [0.0, 0.1, 0.25, 0.15, 0.5]
    >>> display = ThresholdDisplay.from_predictions([0, 0, 1, 0, 1], scores, threshold=0.12)
    >>> display.at_threshold
    {'precision': 0.666..., 'recall': 1.0, 'f1': 0.8}
    """

    def __init__(
        self,
        thresholds: np.ndarray,
        precision: np.ndarray,
        recall: np.ndarray,
        f1: np.ndarray,
        *,
        threshold: float | None = None,
        pos_label: Any = None,
        score_name: str | None = None,
    ) -> None:
        self.thresholds = thresholds
        self.precision = precision
        self.recall = recall
        self.f1 = f1
        self.threshold = threshold
        self.pos_label = pos_label
        self.score_name = score_name

    @property
    def at_threshold(self) -> dict[str, float] | None:
        """Precision, recall and F1 at the chosen threshold; NaN for a precision of nothing."""
        if self.threshold is None:
            return None
        position = np.searchsorted(self.thresholds, self.threshold, side="left")
        if position == len(self.thresholds):
            return {"precision": float("nan"), "recall": 0.0, "f1": 0.0}
        curves = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {name: float(values[position]) for name, values in curves.items()}

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
        ax: Any = None,
    ) -> ThresholdDisplay:
        """Draw the curves of a fitted estimator on some rows, and mark its threshold.

        ``threshold_`` is of the probability of ``classes_[1]``: where that is the common class, the
        mark is at one minus ``threshold_``. That of an
        :class:`~skimb.AutoencoderClassifier` is of its reconstruction errors. Around any
        classifier, ``TunedThresholdClassifierCV`` and ``FixedThresholdClassifier`` have a mark too;
        other classifiers have none.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier of two classes or of an indicator target, or a segmenter of two
            classes; alone, in a pipeline or in a search. Others than those of skimb have to have
            ``predict_proba``.
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
            Rows, or images of a segmenter; best such as the training has not seen.
        y : array-like of shape (n_samples,), (n_samples, n_labels) or (n_images, height, width)
        sample_weight : array-like of shape (n_samples,), default=None
            For a segmenter also of shape (n_images, height, width).
        pos_label : label or int or None, default=None
            Of two classes the one that is to be positive, by default the rare one: that whose F1
            is the ``score`` of an estimator of skimb, and the rarer one in y for any other. Of
            masks the foreground. Of an indicator target the position or, if y is a data frame, the
            name of the column, by default that of the rarest label.
        ax : Axes or None, default=None
            None is a new figure.

        Returns
        -------
        ThresholdDisplay

        Raises
        ------
        ValueError
            If there are more than two classes, or `pos_label` is none of them.
        """
        require_matplotlib(cls.__name__)
        if isinstance(nested(estimator)[-1], AutoencoderClassifier):
            return cls._of_errors(estimator, X, y, sample_weight, pos_label, ax)
        part = fitted_part(estimator, cls.__name__, "classes_", "predict_proba")
        proba = np.asarray(estimator.predict_proba(X))
        columns = list(y.columns) if hasattr(y, "columns") else None
        y = checked_masks(y) if proba.ndim > 2 else checked_labels(y)
        classes = np.asarray(part.classes_).tolist()
        candidates = getattr(part, "target", None) == "candidates"
        if y.ndim == 2 and proba.shape == y.shape and not candidates:
            names = classes if columns is None else columns
            positive = positive_class(pos_label, part, y, names)
            threshold = threshold_of(estimator, X, proba, positive, label=True)
            drawn = y[:, positive] == 1, proba[:, positive]
            return cls._drawn(*drawn, threshold, names[positive], sample_weight, ax)
        positive = positive_class(pos_label, part, y, classes)
        if len(classes) > 2 or proba.shape != (*y.shape, 2):
            raise ValueError(
                f"{cls.__name__} has one threshold for two classes, but predict_proba is of shape "
                f"{proba.shape} for y of shape {y.shape} and the classes {classes}. Accepted are "
                "two classes, a label of an indicator target, and masks of two classes."
            )
        if y.ndim > 1 and sample_weight is not None:
            sample_weight = weight_of_pixels(np.asarray(sample_weight), y.shape).ravel()
        counted = y.ravel()
        if sample_weight is not None and np.shape(sample_weight) == counted.shape:
            counted = counted[np.asarray(sample_weight) > 0]  # void pixels have labels of their own
        unknown = np.setdiff1d(counted, classes)
        if len(unknown):
            raise ValueError(
                f"y has the labels {unknown[:10].tolist()}, but the estimator knows {classes}."
            )
        threshold = threshold_of(estimator, X, proba, positive, label=False)
        return cls._drawn(
            (y == part.classes_[positive]).ravel(),
            proba[..., positive].ravel(),
            threshold,
            classes[positive],
            sample_weight,
            ax,
        )

    @classmethod
    def _of_errors(
        cls, estimator: Any, X: Any, y: Any, sample_weight: Any, pos_label: Any, ax: Any
    ) -> ThresholdDisplay:
        """Draw the curves against the reconstruction error, which is high for the rare class."""
        part = fitted_part(estimator, cls.__name__, "classes_", "threshold_")
        y, classes = checked_labels(y), part.classes_.tolist()
        rare = classes.index(part.minority_class_)
        if positive_class(pos_label, part, y, classes) != rare:
            raise ValueError(
                f"pos_label={pos_label!r} is the common class, but the threshold of an "
                f"AutoencoderClassifier is of the errors, from which on it says "
                f"{part.minority_class_!r}. Leave pos_label out."
            )
        decision = np.asarray(estimator.decision_function(X))
        errors = (decision if rare == 1 else -decision) + part.threshold_
        threshold = part.threshold_
        if rare == 1:  # the second class is what is above 0, and not what is at it
            threshold = float(np.nextafter(threshold, np.inf))
        if any(isinstance(wrapper, THRESHOLD_CLASSIFIERS) for wrapper in nested(estimator)):
            threshold = None  # they decide by another
        return cls._drawn(
            y == part.minority_class_, errors, threshold, part.minority_class_, sample_weight, ax,
            score_name="reconstruction error",
        )  # fmt: skip

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        threshold: float | None = None,
        pos_label: Any = None,
        sample_weight: ArrayLike | None = None,
        ax: Any = None,
    ) -> ThresholdDisplay:
        """Draw the curves of scores.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels of two classes.
        y_score : array-like of shape (n_samples,)
            Probabilities of the positive class, or other scores of it.
        threshold : float or None, default=None
            For a mark: what scores at least this is positive.
        pos_label : label or None, default=None
            The positive class, by default the last in sorted order.
        sample_weight : array-like of shape (n_samples,), default=None
        ax : Axes or None, default=None
            None is a new figure.

        Returns
        -------
        ThresholdDisplay

        Raises
        ------
        ValueError
            If there are not two classes, the shapes do not fit, or `pos_label` does not occur.
        """
        require_matplotlib(cls.__name__)
        labels, scores = checked_labels(y_true), checked_floats(y_score, "y_score")
        if labels.ndim != 1 or scores.shape != labels.shape:
            raise ValueError(
                f"y_true has the shape {labels.shape} and y_score {scores.shape}. Accepted are a "
                "label and the score of the positive class for each row: pass proba[:, 1] of two "
                "classes, a column of an indicator target, and .ravel() of masks."
            )
        known = np.unique(labels).tolist()
        if len(known) > 2:
            raise ValueError(f"y_true has the classes {known[:10]}, but a threshold takes two.")
        if pos_label is None:
            pos_label = known[-1]
        elif pos_label not in known:
            raise ValueError(f"pos_label={pos_label!r} is not in y_true, which has {known}.")
        return cls._drawn(labels == pos_label, scores, threshold, pos_label, sample_weight, ax)

    @classmethod
    def _drawn(
        cls,
        positives: np.ndarray,
        scores: np.ndarray,
        threshold: Any,
        pos_label: Any,
        sample_weight: Any,
        ax: Any,
        score_name: str | None = None,
    ) -> ThresholdDisplay:
        check_consistent_length(positives, scores, sample_weight)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, scores, ensure_non_negative=True)
            kept = sample_weight > 0
            positives, scores, sample_weight = positives[kept], scores[kept], sample_weight[kept]
        if not positives.any() or positives.all():
            raise ValueError(
                f"y has {'only' if positives.any() else 'no'} rows of {pos_label!r}, the positive "
                "class, so that precision and recall say nothing. Pass rows of both classes."
            )
        precision, recall, thresholds = precision_recall_curve(
            positives, scores, sample_weight=sample_weight
        )
        precision, recall = precision[:-1], recall[:-1]  # the last is of a threshold above all
        both = precision + recall
        f1 = np.divide(2 * precision * recall, both, np.zeros_like(both), where=both > 0)
        display = cls(
            thresholds,
            precision,
            recall,
            f1,
            threshold=threshold,
            pos_label=pos_label,
            score_name=score_name,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> ThresholdDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes or None, default=None
            None is a new figure.

        Returns
        -------
        self
        """
        require_matplotlib(type(self).__name__)
        self.ax_ = panels(ax, 1, 1, figsize=(6.4, 4.0))[0, 0]
        self.figure_ = self.ax_.figure
        between = self.thresholds[0] >= 0 and self.thresholds[-1] <= 1
        probabilities = self.score_name in (None, "probability") and between
        kept = _shown(self.thresholds)
        at = self.at_threshold
        curves = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        self.lines_: dict[str, Any] = {}
        self.threshold_ = None
        for color, (name, values) in zip(COLORS, curves.items(), strict=False):
            x, y = self.thresholds[kept], values[kept]
            if probabilities:
                # below the lowest score all rows are positive, above the highest one none is
                x, y = np.append(np.append(0.0, x), 1.0), np.append(np.append(values[0], y), 0.0)
                if name == "precision":
                    x, y = x[:-1], y[:-1]
            title = "F1" if name == "f1" else name.capitalize()
            label = title if at is None else f"{title} {_two_digits(at[name])}"
            (self.lines_[name],) = self.ax_.plot(
                x,
                y,
                color=color,
                drawstyle="steps-pre",
                label=label,
                linewidth=2.0 if name == "f1" else 1.4,
            )
            if at is not None:
                self.ax_.plot(self.threshold, at[name], "o", color=color, markersize=5)
        if self.threshold is not None:
            self.threshold_ = self.ax_.axvline(
                self.threshold, color=GREY, linestyle="--", linewidth=1, zorder=1,
                label=f"at threshold {self.threshold:.3g}",
            )  # fmt: skip
        of = (
            "the positive class"
            if self.pos_label is None
            else f"class {shortened(str(self.pos_label))}"
        )
        what = self.score_name or ("probability" if probabilities else "score")
        self.ax_.set_ylim(-0.02, 1.02)
        label_axis(self.ax_.xaxis, f"Threshold on the {what} of {of}")
        label_axis(self.ax_.yaxis, "Precision, recall, F1")
        if probabilities:
            # those of very rare classes may all be near 0
            highest = max(self.thresholds[-1], self.threshold or 0.0)
            right = min(1.0, 1.05 * highest)
            self.ax_.set_xlim(-0.01 * right, 1.01 * right)
        if self.figure_.get_layout_engine() is None:  # what is outside would be cut off
            self.ax_.legend(loc="best", fontsize="x-small", framealpha=0.9)
            return self
        wide = self.ax_.bbox.width / self.figure_.dpi > _INCHES_OF_LEGEND
        self.ax_.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4 if wide else 2, frameon=False,
            fontsize="small",
        )  # fmt: skip
        return self


def _shown(thresholds: np.ndarray) -> np.ndarray:
    """Return positions spread evenly, both over the values and over the ranks."""
    n = len(thresholds)
    if n <= _POINTS:
        return np.arange(n)
    even = np.linspace(thresholds[0], thresholds[-1], _POINTS // 2)
    by_value = np.searchsorted(thresholds, even)
    by_rank = np.linspace(0, n - 1, _POINTS // 2).astype(int)
    return np.unique(np.concatenate([by_value, by_rank]))


def _two_digits(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"
