"""Keras metrics computed from the confusion counts of each class, accumulated over batches."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops
from sklearn.utils._param_validation import StrOptions

from skimb._types import DType, Label, PerClass, Tensor
from skimb.metrics.base import A_POSITION, NOT_NEGATIVE, DecisionMetric


class _CountingMetric(DecisionMetric):
    """Base class of metrics computed from the confusion counts of each class or label."""

    def __init__(self, **shared: Tensor) -> None:
        super().__init__(**shared)
        self.counts: Tensor = None  # created in the first batch, which shows the number of columns
        self.kind = ""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Add a batch to the counts."""
        y, decisions, kind = self.decided(y_true, y_pred)
        weight = self.weights(sample_weight, y, kind)
        if self.counts is None:
            self._check_columns(kind, 2 if kind == "binary" else y.shape[-1])
            self.counts = self.add_variable((4, y.shape[-1]), "zeros", self.dtype, name="counts")
            self.kind = kind
        elif self.counts.shape[-1] != y.shape[-1]:
            raise ValueError(
                f"{self.name} has counted {self.counts.shape[-1]} columns so far, and y_pred has "
                f"{y.shape[-1]} now. Use a separate metric for each output of a network."
            )
        cells = (
            y * decisions,
            (1.0 - y) * decisions,
            y * (1.0 - decisions),
            (1.0 - y) * (1.0 - decisions),
        )
        of_rows = tuple(range(y.ndim - 1))
        self.counts.assign_add(ops.stack([ops.sum(weight * c, axis=of_rows) for c in cells]))

    def result(self) -> Any:
        """Return the value for all samples since the last reset."""
        if self.counts is None:
            return ops.zeros((), self.dtype)
        return self.of_counts(self.counts.value)

    def of_counts(self, counts: Tensor) -> Any:
        """Return the value of the metric.

        Parameters
        ----------
        counts : tensor of shape (4, K)
            True positives, false positives, false negatives and true negatives of each column.
        """
        raise NotImplementedError

    def _of_classes(self, counts: Tensor) -> Any:
        """Return counts with a column for each class, also for binary problems of one column."""
        if self.kind != "binary":
            return counts
        # true positives of one class are true negatives of the other, and so on
        return ops.concatenate([ops.flip(counts, axis=0), counts], axis=1)

    def _check_columns(self, kind: str, n_classes: int) -> None:
        """Raise a ValueError if a parameter refers to a class that does not exist."""


class _ClassScore(_CountingMetric):
    """Base class of scores of one class, or averaged over several."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DecisionMetric._parameter_constraints,
        "average": [StrOptions({"macro", "micro"})],
        "class_id": [A_POSITION, None],
    }

    def __init__(self, *, class_id: int | None, average: str, **shared: Tensor) -> None:
        super().__init__(**shared)
        self._check(class_id=class_id, average=average)
        self.class_id = None if class_id is None else int(class_id)
        self.average = average

    def score(self, hits: Tensor, false_alarms: Tensor, misses: Tensor) -> Any:
        """Return the score of true positives, false positives and false negatives."""
        raise NotImplementedError

    def of_counts(self, counts: Tensor) -> Any:
        if self.class_id is not None:
            return self.score(*ops.unstack(self._of_classes(counts)[:3, self.class_id]))
        if self.average == "micro":
            return self.score(*ops.unstack(ops.sum(counts[:3], axis=1)))
        scores = self.score(*ops.unstack(counts[:3]))
        if self.kind != "multiclass":
            return ops.mean(scores)
        # like scikit-learn, which ignores classes that occur in neither y_true nor the decisions
        occurring = ops.cast(ops.sum(counts[:3], axis=0) > 0.0, scores.dtype)
        return ops.divide_no_nan(ops.sum(scores * occurring), ops.sum(occurring))

    def _check_columns(self, kind: str, n_classes: int) -> None:
        if self.class_id is not None and self.class_id >= n_classes:
            raise ValueError(
                f"class_id={self.class_id!r} must be the position of one of the {n_classes} "
                "classes."
            )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "class_id": self.class_id, "average": self.average}


@keras.saving.register_keras_serializable(package="skimb")
class Precision(_ClassScore):
    r"""Precision: fraction of the samples predicted as a class that belong to it.

    .. math:: \frac{TP}{TP + FP}

    Parameters
    ----------
    class_id : int or None, default=None
        Position of the class or label to score. For a single column, None and 1 are the positive
        class and 0 is the negative class.
    average : {"macro", "micro"}, default="macro"
        ``"macro"`` is the mean over the classes that occur in the true labels or the decisions, or
        over all labels. ``"micro"`` is the score of the summed counts.
    threshold, target, from_logits, name, dtype
        See :class:`~skimb.metrics.base.DecisionMetric`.

    Notes
    -----
    0 if no sample is predicted as the class. The value equals that of
    :func:`sklearn.metrics.precision_score`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.metrics import Precision
    >>> metric = Precision()
    >>> metric.update_state(np.array([1, 0, 1, 0]), np.array([[2.0], [1.0], [-1.0], [-3.0]]))
    >>> print(f"{float(metric.result()):.2f}")
    0.50
    """

    def __init__(
        self,
        *,
        class_id: int | None = None,
        average: str = "macro",
        threshold: PerClass = 0.5,
        target: str = "auto",
        from_logits: bool = True,
        name: str | None = "precision",
        dtype: DType = None,
    ) -> None:
        super().__init__(
            class_id=class_id,
            average=average,
            threshold=threshold,
            target=target,
            from_logits=from_logits,
            name=name,
            dtype=dtype,
        )

    def score(self, hits: Tensor, false_alarms: Tensor, misses: Tensor) -> Any:
        return ops.divide_no_nan(hits, hits + false_alarms)


@keras.saving.register_keras_serializable(package="skimb")
class Recall(_ClassScore):
    r"""Recall: fraction of the samples of a class that are predicted as it.

    .. math:: \frac{TP}{TP + FN}

    Parameters
    ----------
    class_id, average
        See :class:`Precision`.
    threshold, target, from_logits, name, dtype
        See :class:`~skimb.metrics.base.DecisionMetric`.

    Notes
    -----
    0 if the class has no samples. The value equals that of :func:`sklearn.metrics.recall_score`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.metrics import Recall
    >>> metric = Recall()
    >>> metric.update_state(np.array([1, 0, 1, 1]), np.array([[2.0], [1.0], [-1.0], [-3.0]]))
    >>> print(f"{float(metric.result()):.2f}")
    0.33
    """

    def __init__(
        self,
        *,
        class_id: int | None = None,
        average: str = "macro",
        threshold: PerClass = 0.5,
        target: str = "auto",
        from_logits: bool = True,
        name: str | None = "recall",
        dtype: DType = None,
    ) -> None:
        super().__init__(
            class_id=class_id,
            average=average,
            threshold=threshold,
            target=target,
            from_logits=from_logits,
            name=name,
            dtype=dtype,
        )

    def score(self, hits: Tensor, false_alarms: Tensor, misses: Tensor) -> Any:
        return ops.divide_no_nan(hits, hits + misses)


@keras.saving.register_keras_serializable(package="skimb")
class FBeta(_ClassScore):
    r"""F-beta score, for ``beta=1`` the harmonic mean of precision and recall.

    .. math:: \frac{(1 + \beta^2) TP}{(1 + \beta^2) TP + \beta^2 FN + FP}

    Parameters
    ----------
    beta : float, default=1.0
        Weight of recall relative to precision.
    class_id, average
        See :class:`Precision`.
    threshold, target, from_logits, name, dtype
        See :class:`~skimb.metrics.base.DecisionMetric`.

    Notes
    -----
    0 if the class has no samples and no sample is predicted as it. The value equals that of
    :func:`sklearn.metrics.fbeta_score`. :class:`skimb.losses.SoftFBeta` is the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.metrics import FBeta
    >>> metric = FBeta()
    >>> metric.update_state(np.array([1, 0, 1, 1]), np.array([[2.0], [1.0], [-1.0], [-3.0]]))
    >>> print(f"{float(metric.result()):.2f}")
    0.40
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_ClassScore._parameter_constraints,
        "beta": [NOT_NEGATIVE],
    }

    def __init__(
        self,
        *,
        beta: float = 1.0,
        class_id: int | None = None,
        average: str = "macro",
        threshold: PerClass = 0.5,
        target: str = "auto",
        from_logits: bool = True,
        name: str | None = "f_beta",
        dtype: DType = None,
    ) -> None:
        super().__init__(
            class_id=class_id,
            average=average,
            threshold=threshold,
            target=target,
            from_logits=from_logits,
            name=name,
            dtype=dtype,
        )
        self._check(beta=beta)
        self.beta = float(beta)

    def score(self, hits: Tensor, false_alarms: Tensor, misses: Tensor) -> Any:
        square = self.beta**2
        top = (1.0 + square) * hits
        return ops.divide_no_nan(top, top + square * misses + false_alarms)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "beta": self.beta}


@keras.saving.register_keras_serializable(package="skimb")
class BalancedAccuracy(_CountingMetric):
    """Balanced accuracy: mean recall over the classes, both of them in a binary problem.

    Parameters
    ----------
    threshold, target, from_logits, name, dtype
        See :class:`~skimb.metrics.base.DecisionMetric`.

    Notes
    -----
    Classes without samples are ignored. The value equals that of
    :func:`sklearn.metrics.balanced_accuracy_score`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.metrics import BalancedAccuracy
    >>> metric = BalancedAccuracy()
    >>> metric.update_state(np.array([1, 0, 0, 0]), np.array([[2.0], [1.0], [-1.0], [-3.0]]))
    >>> print(f"{float(metric.result()):.2f}")
    0.83
    """

    targets = ("binary", "multiclass", "pixels")

    def __init__(
        self,
        *,
        threshold: PerClass = 0.5,
        target: str = "auto",
        from_logits: bool = True,
        name: str | None = "balanced_accuracy",
        dtype: DType = None,
    ) -> None:
        super().__init__(
            threshold=threshold, target=target, from_logits=from_logits, name=name, dtype=dtype
        )

    def of_counts(self, counts: Tensor) -> Any:
        hits, _, misses, _ = ops.unstack(self._of_classes(counts))
        present = ops.cast(hits + misses > 0.0, hits.dtype)
        recalls = ops.divide_no_nan(hits, hits + misses)
        return ops.divide_no_nan(ops.sum(recalls * present), ops.sum(present))


# a name of its own, because the loss is registered as skimb>MinorityScore
@keras.saving.register_keras_serializable(package="skimb", name="MinorityScoreMetric")
class MinorityScore(_CountingMetric):
    r"""Reward for true positives minus penalty for false positives, per sample.

    .. math:: \frac{\text{reward} \cdot TP - \text{penalty} \cdot FP}{\sum w}

    Parameters
    ----------
    reward : float, default=3.0
        Reward for each true positive of the minority class.
    penalty : float, default=1.0
        Penalty for each false positive of the minority class.
    minority_class : int, list of int or None, default=None
        Position of the minority class or label, or of several, whose scores are summed. None is
        the second class, or all labels.
    threshold, target, from_logits, name, dtype
        See :class:`~skimb.metrics.base.DecisionMetric`.

    Notes
    -----
    :class:`skimb.losses.MinorityScore` is the loss, with soft counts and flipped sign.
    :func:`skimb.metrics.minority_score` is the score of predicted labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.metrics import MinorityScore
    >>> metric = MinorityScore(reward=3.0, penalty=1.0)
    >>> metric.update_state(np.array([1, 0, 1, 0]), np.array([[2.0], [1.0], [-1.0], [-3.0]]))
    >>> print(f"{float(metric.result()):.2f}")
    0.50
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DecisionMetric._parameter_constraints,
        "reward": [NOT_NEGATIVE],
        "penalty": [NOT_NEGATIVE],
        "minority_class": [A_POSITION, "array-like", None],
    }

    def __init__(
        self,
        *,
        reward: float = 3.0,
        penalty: float = 1.0,
        minority_class: Label = None,
        threshold: PerClass = 0.5,
        target: str = "auto",
        from_logits: bool = True,
        name: str | None = "minority_score",
        dtype: DType = None,
    ) -> None:
        super().__init__(
            threshold=threshold, target=target, from_logits=from_logits, name=name, dtype=dtype
        )
        self._check(reward=reward, penalty=penalty, minority_class=minority_class)
        if minority_class is not None:
            positions = np.asarray(minority_class)
            if positions.dtype.kind not in "iu" or positions.ndim > 1 or not (positions >= 0).all():
                raise ValueError(
                    f"minority_class={minority_class!r} must be the position of a class, an "
                    "integer of at least 0, or a list of them."
                )
            minority_class = tuple(positions.tolist()) if positions.ndim else int(positions)
        self.reward = float(reward)
        self.penalty = float(penalty)
        self.minority_class = minority_class

    def of_counts(self, counts: Tensor) -> Any:
        counts = self._of_classes(counts)
        hits, false_alarms, _, _ = ops.unstack(counts)
        points = self.reward * hits - self.penalty * false_alarms
        points = ops.divide_no_nan(points, ops.sum(counts, axis=0))
        return ops.sum(ops.take(points, np.array(self._positions(counts.shape[1]), "int32")))

    def _positions(self, n_classes: int) -> list[int]:
        if self.minority_class is None:
            return list(range(n_classes)) if self.kind == "multilabel" else [1]
        return np.atleast_1d(self.minority_class).tolist()

    def _check_columns(self, kind: str, n_classes: int) -> None:
        if self.minority_class is not None and np.max(self.minority_class) >= n_classes:
            raise ValueError(
                f"minority_class={self.minority_class!r} must be the position of one of the "
                f"{n_classes} classes."
            )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        positions = self.minority_class
        return {
            **super().get_config(),
            "reward": self.reward,
            "penalty": self.penalty,
            "minority_class": list(positions) if isinstance(positions, tuple) else positions,
        }
