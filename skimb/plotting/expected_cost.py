"""Display of the mean cost of decisions against the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from skimb._types import Features, Label
from skimb.data.labels import checked_labels
from skimb.plotting.decisions import position_of, positive_class
from skimb.plotting.estimators import fitted_part
from skimb.plotting.panels import COLORS, GREY, panels, require_matplotlib, set_labels
from skimb.probability.checks import checked_floats
from skimb.probability.costs import Costs, cost_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


class CostDisplay:
    """Mean cost of decisions against the threshold, for two classes.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Ascending. Samples that score at least the threshold are predicted as positive.
    cost : ndarray of shape (n_thresholds,)
        Mean cost of a sample at these thresholds.
    constant : float
        Mean cost of the better of the two decisions that do not look at the sample.
    threshold : float or None, default=None
        The chosen threshold, to be marked.
    pos_label : label or None, default=None
        The positive class.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : Line2D
    constant_ : Line2D
    threshold_ : Line2D or None
        The mark of the chosen threshold.

    See Also
    --------
    skimb.probability.min_cost : Decisions of least expected cost.
    ThresholdDisplay : Precision, recall and F1 against the threshold.

    Examples
    --------
    >>> from skimb.plotting import CostDisplay
    >>> display = CostDisplay.from_predictions(
    ...     [0, 0, 1, 0, 1], [0.0, 0.1, 0.25, 0.15, 0.5], {"fp": 1, "fn": 20}, threshold=0.12
    ... )
    >>> display.at_threshold, display.constant
    (0.2, 0.6)
    """

    def __init__(
        self,
        thresholds: np.ndarray,
        cost: np.ndarray,
        constant: float,
        *,
        threshold: float | None = None,
        pos_label: Label = None,
    ) -> None:
        self.thresholds = thresholds
        self.cost = cost
        self.constant = constant
        self.threshold = threshold
        self.pos_label = pos_label

    @property
    def at_threshold(self) -> float | None:
        """Mean cost at the chosen threshold, None if there is none."""
        if self.threshold is None:
            return None
        at = int(np.searchsorted(self.thresholds, self.threshold, side="left"))
        return float(self.cost[min(at, len(self.cost) - 1)])

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Features,
        y: ArrayLike,
        *,
        costs: Costs | None = None,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> CostDisplay:
        """Draw the mean cost of a fitted classifier's decisions, and mark where it decides.

        The mark is the smallest probability from which the estimator predicts the positive class,
        by its threshold or its costs; there is none if its predictions do not follow from a
        threshold.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier of two classes with ``predict_proba``, also in a pipeline or in a
            search.
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
            Samples, best such as were not in the training.
        y : array-like of shape (n_samples,)
        costs : array-like of shape (2, 2) or (n_samples, 2, 2), dict or None, default=None
            As in :func:`skimb.probability.min_cost`, in the order of ``classes_``; of a dict the
            positive class is ``pos_label_``, or the rarer one in y. None takes those that the
            estimator was fitted with.
        sample_weight : array-like of shape (n_samples,), default=None
        ax : Axes or None, default=None
            None creates a figure.

        Returns
        -------
        CostDisplay

        Raises
        ------
        ValueError
            If there are no costs, or not two classes.
        """
        require_matplotlib(cls.__name__)
        part = fitted_part(estimator, cls.__name__, "classes_", "predict_proba")
        costs = getattr(part, "costs", None) if costs is None else costs
        if costs is None:
            raise ValueError(
                f"{cls.__name__} needs costs, but the estimator has costs=None. Pass costs, such "
                'as {"fp": 1, "fn": 20}.'
            )
        proba, labels = np.asarray(estimator.predict_proba(X)), checked_labels(y)
        classes = np.asarray(part.classes_).tolist()
        if len(classes) != 2 or proba.shape != (*labels.shape, 2):
            raise ValueError(
                f"{cls.__name__} has one threshold for two classes, but predict_proba is of shape "
                f"{proba.shape} for y of shape {labels.shape} and the classes {classes}."
            )
        pos_label = getattr(part, "pos_label_", None)
        positive = positive_class(part, labels) if pos_label is None else classes.index(pos_label)
        scores = proba[:, positive]
        decided = np.asarray(estimator.predict(X)) == classes[positive]
        lowest = scores[decided].min() if decided.any() else None
        follows = lowest is not None and np.array_equal(decided, scores >= lowest)
        found = _curve(
            labels == classes[positive], scores, _positive_last(costs, len(labels), positive),
            sample_weight,
        )  # fmt: skip
        threshold = float(lowest) if follows and lowest is not None else None
        return cls(*found, threshold=threshold, pos_label=classes[positive]).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        costs: Costs,
        *,
        threshold: float | None = None,
        pos_label: Label = None,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> CostDisplay:
        """Draw the mean cost of predicting the positive class from a score on.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels of two classes.
        y_score : array-like of shape (n_samples,)
            Probabilities of the positive class, or other scores.
        costs : array-like of shape (2, 2) or (n_samples, 2, 2), or dict
            As in :func:`skimb.probability.min_cost`, in sorted order of the labels.
        threshold : float or None, default=None
            To be marked.
        pos_label : label or None, default=None
            The positive class, by default the last in sorted order.
        sample_weight : array-like of shape (n_samples,), default=None
        ax : Axes or None, default=None
            None creates a figure.

        Returns
        -------
        CostDisplay

        Raises
        ------
        ValueError
            If there are not two classes, or the shapes or the costs do not match.
        """
        require_matplotlib(cls.__name__)
        labels, scores = checked_labels(y_true), checked_floats(y_score, "y_score")
        known = np.unique(labels).tolist()
        if labels.ndim != 1 or scores.shape != labels.shape or len(known) != 2:
            raise ValueError(
                f"y_true has the shape {labels.shape} and the classes {known[:10]}, y_score the "
                f"shape {scores.shape}. Accepted are two classes, and the score of the positive "
                "one for each sample: pass proba[:, 1]."
            )
        positive = 1 if pos_label is None else position_of(pos_label, known)
        matrix = _positive_last(costs, len(labels), positive)
        found = _curve(labels == known[positive], scores, matrix, sample_weight)
        return cls(*found, threshold=threshold, pos_label=known[positive]).plot(ax)

    def plot(self, ax: Axes | None = None) -> CostDisplay:
        """Draw the curve.

        Parameters
        ----------
        ax : Axes or None, default=None
            None creates a figure.

        Returns
        -------
        self
        """
        require_matplotlib(type(self).__name__)
        self.ax_ = panels(ax, 1, 1, figsize=(6.4, 4.0)).ravel()[0]
        self.figure_ = self.ax_.figure
        of = "the positive class" if self.pos_label is None else f"class {self.pos_label}"
        set_labels(self.ax_, f"Threshold on the score of {of}", "Mean cost", own=ax is None)
        finite = self.thresholds[np.isfinite(self.thresholds)]
        step = np.ptp(finite) / 50 if len(finite) > 1 else 0.02
        x = np.where(np.isfinite(self.thresholds), self.thresholds, finite[-1] + step)
        self.line_: Line2D = self.ax_.plot(
            x, self.cost, color=COLORS[0], drawstyle="steps-pre", label="by threshold"
        )[0]
        self.constant_: Line2D = self.ax_.axhline(
            self.constant, color=COLORS[1], linestyle=":", label="best constant decision"
        )
        self.threshold_: Line2D | None = None
        cost = self.at_threshold
        if self.threshold is not None and cost is not None:
            label = f"{cost:.3g} at threshold {self.threshold:.3g}"
            self.threshold_ = self.ax_.axvline(
                self.threshold, color=GREY, linestyle="--", linewidth=1, zorder=1, label=label
            )
            self.ax_.plot(self.threshold, cost, "o", color=COLORS[0], markersize=5)
        self.ax_.legend(loc="best", fontsize="small" if ax is None else "x-small")
        return self


def _positive_last(costs: Costs, n_samples: int, positive: int) -> np.ndarray:
    """Return costs of each sample, (n_samples, 2, 2), of the negative and the positive class."""
    matrix = cost_matrix(costs, 2, n_samples, positive)
    matrix = matrix if positive == 1 else matrix[..., ::-1, ::-1]
    return np.broadcast_to(matrix, (n_samples, 2, 2))


def _curve(
    positives: np.ndarray, scores: np.ndarray, costs: np.ndarray, sample_weight: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return thresholds, infinity last, the mean cost at each, and that of a constant decision."""
    check_consistent_length(positives, scores, sample_weight)
    weight = _check_sample_weight(sample_weight, scores, ensure_non_negative=True)
    of_sample = costs[np.arange(len(scores)), positives.astype(int)]
    thresholds, place = np.unique(scores, return_inverse=True)
    # what the predictions of the samples of each score cost, as positive and as negative
    negative, positive = (np.bincount(place, weight * part) for part in of_sample.T)
    below = np.concatenate([[0.0], np.cumsum(negative)])
    above = np.concatenate([np.cumsum(positive[::-1])[::-1], [0.0]])
    cost = (below + above) / weight.sum()
    return np.append(thresholds, np.inf), cost, float(min(cost[0], cost[-1]))
