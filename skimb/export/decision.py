"""Corrected probabilities and decided classes as operations of Keras, in float64 as in skimb.

Of operations that compute the same, these are those that ONNX has too.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skimb._types import Tensor
from skimb.data.targets import Target
from skimb.fitting.decision import Decision
from skimb.networks.interface import NetworkInterface

# probabilities of exactly 0 and 1 have no finite logit
_LEAST = float(np.finfo(np.float64).tiny)
_MOST = 1.0 - float(np.finfo(np.float64).epsneg)


def logits_of(interface: NetworkInterface, values: Tensor) -> Any:
    """Return the outputs of a network as logits, see :meth:`NetworkInterface.logits`."""
    if keras.backend.standardize_dtype(values.dtype) in ("float16", "bfloat16"):
        values = ops.cast(values, "float32")
    if interface.activation == "linear":
        return values if interface.scale == 1.0 else values * interface.scale
    limits = np.finfo(keras.backend.standardize_dtype(values.dtype))
    p = ops.clip(values, float(limits.tiny), float(1.0 - limits.epsneg))
    p = ops.cast(p, "float64")
    return ops.log(p) if interface.activation == "softmax" else _logit(p)


def probabilities_of(decision: Decision, logits: Tensor) -> Any:
    """Return probabilities as `predict_proba` does, float64 of shape (n, ..., n_classes)."""
    return _probabilities(decision.target, _corrected(decision, logits))


def index_of(decision: Decision, logits: Tensor) -> Any:
    """Return positions of the classes that are decided for, int64; of labels 0 and 1."""
    target = decision.target
    if decision.costs is not None:
        assert decision.for_costs is not None
        p = probabilities_of(decision.for_costs, logits)
        return _first_largest(-ops.matmul(p, decision.costs))
    corrected = _corrected(decision, logits)
    if target.kind == "binary":
        chosen = ops.cast(_is_positive(decision, corrected), "int64")
        return chosen if decision.positive == 1 else 1 - chosen
    undecided = np.ndim(decision.threshold) == 0 and decision.threshold == 0.5
    if target.kind == "multilabel":
        if undecided:
            return ops.cast(corrected >= 0, "int64")
        p = _probabilities(target, corrected)
        return ops.cast(p >= np.asarray(decision.threshold, np.float64), "int64")
    if undecided:
        return _first_largest(corrected)
    limits = np.asarray(decision.threshold, np.float64)
    shares = _probabilities(target, corrected) * (limits.min() / limits)
    return _first_largest(shares)


def labels_of(classes: np.ndarray, index: Tensor) -> Any:
    """Return the labels at positions: int64, float64, bool or text.

    Raises
    ------
    TypeError
        If Keras has no tensors of such labels.
    """
    kind = classes.dtype.kind
    if kind in "iu":
        return ops.take(classes.astype(np.int64), index, axis=0)
    if kind == "f":
        return ops.take(classes.astype(np.float64), index, axis=0)
    if kind == "b":
        return ops.cast(ops.take(classes.astype(np.int64), index, axis=0), "bool")
    if all(isinstance(label, str) for label in classes.tolist()):
        return layers.StringLookup(
            vocabulary=[str(label) for label in classes], num_oov_indices=0, mask_token=None,
            invert=True, name="labels",
        )(index)  # fmt: skip
    raise TypeError(
        f"The classes {classes[:3].tolist()} of dtype {classes.dtype} are neither numbers nor "
        "text, so there is no tensor of them. Pass labels=False for the positions of the decided "
        "classes in classes_."
    )


def _first_largest(x: Tensor) -> Any:
    """Return the position of the largest value along the last axis, int64; of equals the first."""
    # Keras's argmax takes -0.0 for less than 0.0, by bit operations that ONNX lacks
    largest = ops.equal(x, ops.max(x, axis=-1, keepdims=True))
    return ops.cast(ops.argmax(ops.cast(largest, "int32"), axis=-1), "int64")


def _is_positive(decision: Decision, corrected: Tensor) -> Any:
    if decision.threshold == 0.5:  # exact also where the probability rounds to it
        one = corrected.shape[-1] == 1
        difference = corrected[..., 0] if one else corrected[..., 1] - corrected[..., 0]
        return difference >= 0 if decision.positive == 1 else difference <= 0
    p = _probabilities(decision.target, corrected)
    return p[..., decision.positive] >= float(decision.threshold)


def _probabilities(target: Target, logits: Tensor) -> Any:
    logits = ops.cast(logits, "float64")
    if target.link == "softmax":
        return ops.softmax(logits, axis=-1)
    if target.kind == "multilabel":
        return ops.sigmoid(logits)
    return ops.sigmoid(ops.concatenate([-logits, logits], axis=-1))


def _corrected(decision: Decision, logits: Tensor) -> Any:
    scale, shift = (np.asarray(v, np.float64) for v in (decision.scale, decision.shift))
    if not shift.any() and not decision.gamma and (scale == 1.0).all():
        return logits
    logits = ops.cast(logits, "float64")
    if (scale != 1.0).any():
        logits = logits * scale
    if decision.gamma:
        logits = _without_focus(decision, logits)
    return logits + shift if shift.any() else logits


def _without_focus(decision: Decision, logits: Tensor) -> Any:
    """Return logits of posteriors, see :func:`skimb.probability.correct_focal`."""
    target, gamma = decision.target, decision.gamma
    p = _probabilities(target, logits)
    if target.kind == "multilabel":
        return _log_focal(p, 1.0 - p, gamma) - _log_focal(1.0 - p, p, gamma)
    # only the largest may be so close to 1 that 1 - p loses all precision
    largest = ops.cast(ops.one_hot(_first_largest(p), p.shape[-1]), "float64")
    others = ops.sum(p * (1.0 - largest), axis=-1, keepdims=True)
    log = _log_focal(p, largest * others + (1.0 - largest) * (1.0 - p), gamma)
    if target.link == "softmax":
        return ops.log(ops.clip(ops.softmax(log, axis=-1), _LEAST, _MOST))
    return log[..., 1:] - log[..., :1]


def _log_focal(v: Tensor, rest: Tensor, gamma: float) -> Any:
    v, rest = ops.maximum(v, _LEAST), ops.maximum(rest, _LEAST)
    log_v = ops.where(v > 0.5, ops.log(1.0 - ops.minimum(rest, 0.5)), ops.log(v))
    return log_v - gamma * ops.log(rest) - ops.log(1.0 - gamma * v * log_v / rest)


def _logit(p: Tensor) -> Any:
    return ops.log(p) - ops.log(1.0 - p)
