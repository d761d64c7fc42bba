"""Display of precision, recall and F1 against the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skimb._types import Features, Label
from skimb.data.labels import checked_labels, checked_masks, in_order_of_columns
from skimb.data.pixel_targets import weight_of_pixels
from skimb.estimators.anomaly import AutoencoderClassifier
from skimb.plotting.decisions import (
    class_threshold,
    label_thresholds,
    position_of,
    positive_class,
    rule_of,
)
from skimb.plotting.estimators import THRESHOLD_CLASSIFIERS, class_names, fitted_part, nested
from skimb.plotting.panels import GREY, panels, require_matplotlib, set_labels, wrapped
from skimb.plotting.threshold_curves import Curves, at_threshold, curves_of, draw_curves, draw_rule
from skimb.probability.checks import checked_floats
from skimb.probability.rules import check_of_samples, checked_rule

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D


class ThresholdDisplay:
    """Precision, recall and F1 against the threshold, of the rare class or of several labels.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,), or list of n_labels of them
        Ascending. Samples that score at least the threshold are predicted as positive.
    precision, recall, f1 : ndarray of shape (n_thresholds,), or list of n_labels of them
        Scores at these thresholds.
    threshold : float or None, or list of n_labels of them, default=None
        The chosen threshold, to be marked.
    fpr, alerts : ndarray of shape (n_thresholds,), list of n_labels of them, or None, default=None
        False positive rate, and share of the samples that are flagged, for a `rule` about them.
    intervals : dict of str to ndarray of shape (2, n_thresholds), list of n_labels of them, or \
            None, default=None
        Lower and upper ends of confidence intervals of ``"precision"``, ``"recall"``, ``"fpr"``
        and ``"alerts"``, to be drawn as bands.
    confidence : float or None, default=None
        That of the intervals.
    pos_label : label or None, or list of n_labels, default=None
        The positive class, or the names of the labels.
    score_name : str or None, default=None
        Name of what the threshold applies to, for the label of the axis; by default
        ``"probability"`` if all thresholds are between 0 and 1, and otherwise ``"score"``.
    title : str or None, default=None
        Of the panel of a single class or label.
    rule : dict or None, default=None
        The rule that the threshold was chosen by, such as ``{"recall": 0.9}``. Its floor or ceiling
        is drawn, and the thresholds that keep it on these samples are shaded. The false positive
        rate and the share of alerts have an axis of their own on the right.

    Attributes
    ----------
    ax_ : Axes
        The first panel.
    axes_ : ndarray of Axes of shape (n_labels,)
        A panel for each label; a single one of a class.
    figure_ : Figure
    lines_ : dict of str to Line2D, or list of n_labels of them
        The lines of ``"precision"``, ``"recall"`` and ``"f1"``, and of ``"fpr"`` or ``"alerts"``
        with a rule about it. Of more than 2,000 thresholds, a selection is drawn.
    bands_ : dict of str to PolyCollection, or list of n_labels of them
        The intervals.
    threshold_ : Line2D or None, or list of n_labels of them
        The mark of the chosen threshold.
    rule_ : Line2D or None, or list of n_labels of them
        The floor or ceiling of the rule.

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
        thresholds: np.ndarray | list[np.ndarray],
        precision: np.ndarray | list[np.ndarray],
        recall: np.ndarray | list[np.ndarray],
        f1: np.ndarray | list[np.ndarray],
        *,
        threshold: Any = None,
        fpr: np.ndarray | list[np.ndarray] | None = None,
        alerts: np.ndarray | list[np.ndarray] | None = None,
        intervals: Any = None,
        confidence: float | None = None,
        pos_label: Label = None,
        score_name: str | None = None,
        title: str | None = None,
        rule: Mapping[str, float] | None = None,
    ) -> None:
        self.thresholds = thresholds
        self.precision = precision
        self.recall = recall
        self.f1 = f1
        self.threshold = threshold
        self.fpr = fpr
        self.alerts = alerts
        self.intervals = intervals
        self.confidence = confidence
        self.pos_label = pos_label
        self.score_name = score_name
        self.title = title
        self.rule = rule

    @property
    def at_threshold(self) -> dict[str, float] | list[dict[str, float] | None] | None:
        """Scores at the chosen threshold, of several labels a list; NaN for an empty precision."""
        curves, several = _curves_of(self)
        scores = [at_threshold(one) for one in curves]
        return scores if several else scores[0]

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Features,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        pos_label: Label = None,
        confidence: float | None = 0.95,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> ThresholdDisplay:
        """Draw the curves of a fitted estimator for some samples, and mark its threshold.

        Where a rule such as ``{"recall": 0.9}`` or ``{"alerts": 0.01}`` chose it, the floor or the
        ceiling is drawn, and the thresholds that keep it on these samples are shaded.

        ``threshold_`` applies to the probability of ``pos_label_``: for the curves of the other
        class the mark is at one minus ``threshold_``. That of an
        :class:`~skimb.AutoencoderClassifier` applies to reconstruction errors. Around any
        classifier, ``TunedThresholdClassifierCV`` and ``FixedThresholdClassifier`` have a mark too;
        other classifiers have none.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier of two classes or of an indicator target, or a segmenter of two
            classes; alone, in a pipeline or in a search. Others than those of skimb have to have
            ``predict_proba``.
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
            Samples, or images of a segmenter; best such as were not in the training.
        y : array-like of shape (n_samples,), (n_samples, n_labels) or (n_images, height, width)
        sample_weight : array-like of shape (n_samples,), default=None
            For a segmenter also of shape (n_images, height, width).
        pos_label : label or int or None, default=None
            Of two classes the positive one, by default the rare class: the one whose F1 is the
            ``score`` of an estimator of skimb, and the rarer one in y for any other. Of masks the
            foreground. Of an indicator target the name or position of a column; by default all
            columns are drawn, a panel each.
        confidence : float or None, default=0.95
            Of the intervals of Wilson that are drawn around precision and recall, each for one
            threshold that was not chosen on these samples, as
            :func:`skimb.metrics.score_interval` computes them. None draws none. There are none
            of masks, whose pixels depend on each other.
        ax : Axes, array-like of n_labels Axes or None, default=None
            None creates a figure. A single Axes is divided if there are several labels.

        Returns
        -------
        ThresholdDisplay

        Raises
        ------
        ValueError
            If there are more than two classes, `pos_label` is not among them, or y does not have
            samples of both.
        """
        require_matplotlib(cls.__name__)
        _check_confidence(confidence)
        if isinstance(nested(estimator)[-1], AutoencoderClassifier):
            part = fitted_part(estimator, cls.__name__, "classes_", "threshold_")
            curves = _error_curves(
                estimator, part, X, checked_labels(y), pos_label, sample_weight, confidence
            )
            shown = curves._asdict() | {"confidence": confidence}
            return cls(**shown, score_name="reconstruction error").plot(ax)
        part = fitted_part(estimator, cls.__name__, "classes_", "predict_proba")
        proba = np.asarray(estimator.predict_proba(X))
        y = in_order_of_columns(y, getattr(part, "label_names_", None))
        columns = getattr(y, "columns", None)
        y = checked_masks(y) if proba.ndim > 2 else checked_labels(y)
        candidates = getattr(part, "target", None) == "candidates"
        if y.ndim == 2 and proba.shape == y.shape and not candidates:
            names = class_names(part) if columns is None else list(columns)
            thresholds = label_thresholds(part, len(names))
            shown = _of_labels(y, proba, names, thresholds, pos_label, sample_weight, confidence)
            return cls(**shown, rule=rule_of(estimator)).plot(ax)
        classes = np.asarray(part.classes_).tolist()
        if len(classes) != 2 or proba.shape != (*y.shape, 2):
            raise ValueError(
                f"{cls.__name__} has one threshold for two classes, but predict_proba is of shape "
                f"{proba.shape} for y of shape {y.shape} and the classes {classes}. Accepted are "
                "two classes, indicator targets, and masks of two classes."
            )
        if y.ndim > 1:
            confidence = None
            if sample_weight is not None:
                sample_weight = weight_of_pixels(np.asarray(sample_weight), y.shape).ravel()
        _check_known(y.ravel(), classes, sample_weight)
        positive = positive_class(part, y) if pos_label is None else position_of(pos_label, classes)
        curves = curves_of(
            classes[positive],
            (y == part.classes_[positive]).ravel(),
            proba[..., positive].ravel(),
            class_threshold(estimator, X, proba, positive),
            sample_weight,
            confidence=confidence,
        )
        shown = curves._asdict() | {"confidence": confidence}
        return cls(**shown, rule=rule_of(estimator, positive)).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        threshold: Any = None,
        pos_label: Label = None,
        sample_weight: ArrayLike | None = None,
        confidence: float | None = 0.95,
        rule: Mapping[str, float] | None = None,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> ThresholdDisplay:
        """Draw the curves of scores.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels of two classes, or an indicator matrix.
        y_score : array-like of shape (n_samples,) or (n_samples, n_labels)
            Probabilities of the positive class or of the labels, or other scores.
        threshold : float, array-like of shape (n_labels,) or None, default=None
            To be marked: samples that score at least this are predicted as positive.
        pos_label : label or int or None, default=None
            The positive class, by default the last in sorted order. Of an indicator matrix the
            name or position of a column; by default all columns are drawn, a panel each.
        sample_weight : array-like of shape (n_samples,), default=None
        confidence : float or None, default=0.95
            Of the intervals of Wilson that are drawn around precision and recall, each for one
            threshold that was not chosen on these samples, as
            :func:`skimb.metrics.score_interval` computes them. None draws none.
        rule : dict or None, default=None
            The rule that the threshold was chosen by, see
            :func:`skimb.probability.best_threshold`.
        ax : Axes, array-like of n_labels Axes or None, default=None
            None creates a figure. A single Axes is divided if there are several labels.

        Returns
        -------
        ThresholdDisplay

        Raises
        ------
        ValueError
            If there are not two classes, the shapes differ, or `pos_label` is not in `y_true`.
        """
        require_matplotlib(cls.__name__)
        _check_confidence(confidence)
        if rule is not None:
            checked = checked_rule(rule, "rule")
            check_of_samples(checked, "rule")
            rule = checked.as_dict()
        columns = getattr(y_true, "columns", None)
        labels, scores = checked_labels(y_true), checked_floats(y_score, "y_score")
        if scores.shape != labels.shape:
            raise ValueError(
                f"y_true has the shape {labels.shape} and y_score {scores.shape}. Accepted are a "
                "label and the score of the positive class for each sample, or an indicator matrix "
                "and a score for each label: pass proba[:, 1] of two classes, and .ravel() of "
                "masks."
            )
        if labels.ndim == 2:
            names = list(range(labels.shape[1]) if columns is None else columns)
            thresholds = np.full(len(names), threshold).tolist()
            shown = _of_labels(
                labels, scores, names, thresholds, pos_label, sample_weight, confidence
            )
            return cls(**shown, rule=rule).plot(ax)
        known = np.unique(labels).tolist()
        if len(known) > 2:
            raise ValueError(f"y_true has the classes {known[:10]}, but a threshold takes two.")
        if pos_label is None:
            pos_label = known[-1]
        elif pos_label not in known:
            raise ValueError(f"pos_label={pos_label!r} is not in y_true, which has {known}.")
        curves = curves_of(
            pos_label, labels == pos_label, scores, threshold, sample_weight, confidence=confidence
        )
        return cls(**curves._asdict(), confidence=confidence, rule=rule).plot(ax)

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> ThresholdDisplay:
        """Draw the curves, those of several labels in a panel each.

        Parameters
        ----------
        ax : Axes, array-like of n_labels Axes or None, default=None
            None creates a figure. A single Axes is divided if there are several labels.

        Returns
        -------
        self
        """
        require_matplotlib(type(self).__name__)
        curves, several = _curves_of(self)
        values = np.concatenate([one.thresholds for one in curves])
        between = bool(values.min() >= 0 and values.max() <= 1)
        probabilities = self.score_name in (None, "probability") and between
        what = self.score_name or ("probability" if probabilities else "score")
        if several:
            xlabel = "Threshold" if probabilities else f"Threshold on the {what}"
            self.axes_ = _label_panels(ax, curves, xlabel)
        else:
            self.axes_ = panels(ax, 1, 1, figsize=(6.4, 4.0)).ravel()
            of = "the positive class" if self.pos_label is None else f"class {self.pos_label}"
            set_labels(self.axes_[0], f"Threshold on the {what} of {of}", "Score", own=ax is None)
            if self.title is not None:
                self.axes_[0].set_title(self.title, fontsize="medium", wrap=True)
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        drawn = [
            draw_curves(panel, one, probabilities=probabilities, numbers=not several)
            for panel, one in zip(self.axes_, curves, strict=True)
        ]
        lines, bands, marks = map(list, zip(*drawn, strict=True))
        rules: list[Line2D | None] = [None] * len(curves)
        if self.rule is not None:
            rules = [
                draw_rule(*panel, self.rule, probabilities=probabilities, titled=not several)
                for panel in zip(self.axes_, curves, lines, bands, strict=True)
            ]
        self.lines_: Any = lines if several else lines[0]
        self.bands_: Any = bands if several else bands[0]
        self.threshold_: Any = marks if several else marks[0]
        self.rule_: Any = rules if several else rules[0]
        self._draw_legend(lines, bands, marks, rules, outside=ax is None)
        return self

    def _draw_legend(
        self,
        lines: list[dict[str, Line2D]],
        bands: list[dict[str, PolyCollection]],
        marks: list[Line2D | None],
        rules: list[Line2D | None],
        *,
        outside: bool,
    ) -> None:
        from matplotlib.patches import Patch

        shown = max(range(len(lines)), key=lambda i: len(lines[i]))
        handles: list[Artist] = list(lines[shown].values())
        handles += [line for line in (marks[shown], rules[shown]) if line is not None]
        if bands[shown]:
            percent = "" if self.confidence is None else f"{100 * self.confidence:g} % "
            handles.append(Patch(color=GREY, alpha=0.3, linewidth=0, label=f"{percent}intervals"))
        if outside:
            place = {"loc": "outside upper center", "ncols": 4, "frameon": False}
            self.figure_.legend(handles=handles, fontsize="small", **place)
        else:
            self.axes_[shown].legend(handles=handles, loc="best", fontsize="x-small")


def _check_confidence(confidence: Any) -> None:
    number = isinstance(confidence, Real) and not isinstance(confidence, bool)
    if confidence is None or (number and 0 < confidence < 1):
        return
    raise ValueError(
        f"confidence must be a number between 0 and 1, such as 0.95, or None to draw no intervals, "
        f"got {confidence!r}."
    )


def _curves_of(display: ThresholdDisplay) -> tuple[list[Curves], bool]:
    """Return the curves of a display, and whether they are those of several labels."""
    fields = [getattr(display, name) for name in Curves._fields]
    if not isinstance(display.thresholds, list):
        return [Curves(*fields)], False
    absent = [None] * len(display.thresholds)
    lists = [absent if values is None else values for values in fields]
    return [Curves(*one) for one in zip(*lists, strict=True)], True


def _of_labels(
    y: np.ndarray,
    scores: np.ndarray,
    names: list[Any],
    thresholds: list[float | None],
    pos_label: Label,
    sample_weight: ArrayLike | None,
    confidence: float | None,
) -> dict[str, Any]:
    """Return the arguments of a display of all labels of an indicator target, or of one of them."""
    if pos_label is not None:
        i = position_of(pos_label, names, list(range(len(names))))
        one = curves_of(
            names[i], y[:, i] == 1, scores[:, i], thresholds[i], sample_weight,
            confidence=confidence,
        )  # fmt: skip
        return one._asdict() | {"title": f"Label {names[i]}", "confidence": confidence}
    curves = [
        curves_of(*column, sample_weight, confidence=confidence, required=False)
        for column in zip(names, y.T == 1, scores.T, thresholds, strict=True)
    ]
    if not any(len(one.thresholds) for one in curves):
        raise ValueError(f"y has no label among {names} with samples of both 0 and 1.")
    fields = map(list, zip(*curves, strict=True))
    return dict(zip(Curves._fields, fields, strict=True)) | {"confidence": confidence}


def _label_panels(ax: Any, curves: Sequence[Curves], xlabel: str) -> np.ndarray:
    """Return a panel for each label, with its name and its F1 as the title."""
    n = len(curves)
    columns = n if np.size(ax) == n or n <= 3 else int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    figsize = 2.4 * columns, 1.9 * rows + 0.5
    axes = panels(ax, rows, columns, figsize=figsize, sharey=True).ravel()
    for panel in axes[n:]:
        panel.remove()
    for i, (panel, one) in enumerate(zip(axes, curves, strict=False)):
        at = at_threshold(one)
        chosen = "" if at is None else f"\nF1 {at['f1']:.2f} at {one.threshold:.3g}"
        title = wrapped(str(one.pos_label)) + chosen
        panel.set_title(title, fontsize="small" if ax is None else "x-small")
        if i + columns >= n:
            panel.set_xlabel(xlabel, fontsize="small")
    return axes[:n]


def _error_curves(
    estimator: BaseEstimator,
    part: AutoencoderClassifier,
    X: Features,
    y: np.ndarray,
    pos_label: Label,
    sample_weight: ArrayLike | None,
    confidence: float | None,
) -> Curves:
    """Return the curves against the reconstruction error, which is high for the rare class."""
    rare = part.classes_.tolist().index(part.minority_class_)
    if pos_label is not None and position_of(pos_label, part.classes_.tolist()) != rare:
        raise ValueError(
            f"pos_label={pos_label!r} is the class that is reconstructed, but the threshold of an "
            "AutoencoderClassifier applies to reconstruction errors, above which it predicts "
            f"{part.minority_class_!r}. Leave pos_label out."
        )
    decision = np.asarray(estimator.decision_function(X))
    errors = (decision if rare == 1 else -decision) + part.threshold_
    threshold: float | None = part.threshold_
    if rare == 1:  # the second class is predicted above a decision of 0, and not at it
        threshold = float(np.nextafter(part.threshold_, np.inf))
    if any(isinstance(wrapper, THRESHOLD_CLASSIFIERS) for wrapper in nested(estimator)):
        threshold = None  # they use another one
    return curves_of(
        part.minority_class_, y == part.minority_class_, errors, threshold, sample_weight,
        confidence=confidence,
    )  # fmt: skip


def _check_known(y: np.ndarray, classes: list[Any], sample_weight: ArrayLike | None) -> None:
    """Raise a ValueError if a sample of a weight above 0 has an unknown label."""
    if sample_weight is not None and np.shape(sample_weight) == y.shape:
        y = y[np.asarray(sample_weight) > 0]  # void pixels have labels of their own
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"y has the labels {unknown[:10].tolist()}, but the estimator was fitted with the "
            f"classes {classes}."
        )
