"""Base classes of the Keras metrics: validation, decision thresholds and sample weights."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops
from scipy.special import logit
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skimb._types import DType, PerClass, Tensor
from skimb.losses.shapes import one_shape

NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
A_POSITION = Interval(Integral, 0, None, closed="left")
AT_LEAST_1 = Interval(Integral, 1, None, closed="left")


class RareClassMetric(keras.metrics.Metric):
    """Base class of the metrics, with parameter validation; higher values are better."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]]

    def __init__(self, *, name: str | None, dtype: DType) -> None:
        super().__init__(name=name, dtype=dtype)
        self._direction = "up"  # read by Keras callbacks with mode="auto"

    def _check(self, **params: Any) -> None:
        validate_parameter_constraints(self._parameter_constraints, params, type(self).__name__)


class DecisionMetric(RareClassMetric):
    """Base class of the metrics that compare decisions with true labels.

    Parameters
    ----------
    threshold : float or array-like of shape (n_labels,), default=0.5
        Probability above which a sample of a binary problem, a label or a pixel is predicted
        positive. For mutually exclusive classes, the largest output decides instead.
    target : {"auto", "binary", "multiclass", "multilabel", "pixels"}, default="auto"
        Type of the target. A metric accepts the types it is defined for. ``"auto"`` infers it from
        the shapes: one column is a binary problem, several columns are mutually exclusive classes.
        Independent labels have the same shape as one-hot classes, so they require
        ``"multilabel"``. ``"binary"`` accepts one column, or two mutually exclusive ones, of which
        the second is the positive class.
    from_logits : bool, default=True
        Whether ``y_pred`` holds logits rather than probabilities.
    name, dtype
        See :class:`keras.metrics.Metric`.

    Notes
    -----
    ``y_true`` may be of shape (n,), (n, 1), one-hot (n, K) or an indicator matrix (n, L), and
    ``y_pred`` of shape (n, 1), (n, K) or (n, L). Images have their axes between the first and the
    last. ``sample_weight`` has one weight per sample, or one per label or pixel. After ``compile``,
    Keras passes it to `weighted_metrics` only.
    """

    #: types of target that the metric is defined for
    targets: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "multilabel", "pixels")

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "threshold": [Interval(Real, 0, 1, closed="both"), "array-like"]
    }

    def __init__(
        self, *, threshold: PerClass, target: str, from_logits: bool, name: str | None, dtype: DType
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._check(threshold=threshold)
        thresholds = np.asarray(threshold, "float64")
        if thresholds.ndim > 1 or not np.all((thresholds >= 0) & (thresholds <= 1)):
            raise ValueError(
                f"threshold={threshold!r} must be a probability, or one for each label."
            )
        if target not in ("auto", *self.targets):
            raise ValueError(
                f"target={target!r} is not a valid target of {type(self).__name__}. "
                f"Accepted are 'auto', {', '.join(map(repr, self.targets))}."
            )
        self.threshold = tuple(thresholds.tolist()) if thresholds.ndim else float(thresholds)
        self.target = target
        self.from_logits = from_logits

    def decided(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any, str]:
        """Return true labels and decisions of the same shape.

        Returns
        -------
        y, decisions : tensors of the same shape (..., K)
            True labels between 0 and 1, and decisions that are 0 or 1.
        kind : {"binary", "multiclass", "multilabel"}
            Whether there is one column for the positive class, a column per class, or a column per
            label.
        """
        y_true, z = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(z.dtype)):
            z = ops.cast(z, self.dtype)
        y, z, exclusive = one_shape(y_true, z, self._kind, type(self).__name__)
        if exclusive and self.target == "binary":
            y = y[..., 1:]
            z = z[..., 1:] - z[..., :1] if self.from_logits else z[..., 1:]
            exclusive = False
        n_columns = z.shape[-1]
        y = ops.cast(y, self.dtype)
        if exclusive:
            if self.threshold != 0.5:
                raise ValueError(
                    f"threshold={self.threshold!r} is not used for {n_columns} mutually exclusive "
                    "classes: the largest output decides. Leave it at 0.5, or set the target to "
                    "'multilabel' or 'binary'."
                )
            decisions = ops.one_hot(ops.argmax(z, axis=-1), n_columns, dtype=self.dtype)
            return y, decisions, "multiclass"
        decisions = ops.cast(z > self._bound(z), self.dtype)
        return y, decisions, "multilabel" if self._kind(z) == "multilabel" else "binary"

    def weights(self, sample_weight: Tensor, y: Tensor, kind: str) -> Any:
        """Return weights with as many axes as y, ones if `sample_weight` is None."""
        if sample_weight is None:
            return ops.ones_like(y[..., :1])
        weight = ops.convert_to_tensor(sample_weight, self.dtype)
        while weight.ndim < y.ndim:
            weight = ops.expand_dims(weight, -1)
        wanted = (*y.shape[:-1], 1 if kind == "multiclass" else y.shape[-1])
        if weight.ndim != y.ndim or any(
            given not in (None, 1, n) and n is not None
            for given, n in zip(weight.shape[1:], wanted[1:], strict=True)
        ):
            raise ValueError(
                f"sample_weight has the shape {tuple(weight.shape)}. Accepted are one weight per "
                f"sample, (n,), or weights of the shape {wanted}."
            )
        return weight

    def _kind(self, z: Tensor) -> str:
        """Return the type of target, inferred from the shape for "auto"."""
        n_columns = z.shape[-1]
        kind = self.target
        if kind == "auto":
            kind = "pixels" if z.ndim > 2 else "binary" if n_columns == 1 else "multiclass"
            if kind not in self.targets:
                raise ValueError(
                    f"{type(self).__name__} got y_pred of shape {tuple(z.shape)}, which looks like "
                    f"a {kind} target. Accepted are {', '.join(map(repr, self.targets))}."
                )
        if (kind == "binary" and n_columns > 2) or (kind == "multiclass" and n_columns == 1):
            raise ValueError(
                f"target={self.target!r} does not match the {n_columns} columns of y_pred. "
                "Accepted are 'binary' for one or two, and 'multiclass' for two or more."
            )
        return "multiclass" if kind == "binary" and n_columns == 2 else kind

    def _bound(self, z: Tensor) -> Any:
        threshold = np.asarray(self.threshold)
        if threshold.ndim and len(threshold) != z.shape[-1]:
            raise ValueError(
                f"threshold has {len(threshold)} values for {z.shape[-1]} columns of y_pred. "
                "Accepted are a number, or one for each column."
            )
        # compares logits with the threshold's logit: the sigmoid of a small logit rounds to 0.5
        return ops.convert_to_tensor(logit(threshold) if self.from_logits else threshold, z.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        threshold = self.threshold
        return {
            **super().get_config(),
            "threshold": list(threshold) if isinstance(threshold, tuple) else threshold,
            "target": self.target,
            "from_logits": self.from_logits,
        }
