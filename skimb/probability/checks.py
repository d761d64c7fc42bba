"""Validation of probabilities and scores."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

Floats = NDArray[np.float64]


def checked_floats(values: ArrayLike, name: str) -> Floats:
    return check_array(values, dtype=np.float64, ensure_2d=False, input_name=name)


def checked_proba(proba: ArrayLike, multilabel: bool, name: str = "proba") -> Floats:
    p = checked_floats(proba, name)
    sums = p.sum(axis=1) if p.ndim == 2 and not multilabel else np.ones(1)
    if p.min() < 0 or p.max() > 1 or np.abs(sums - 1).max() > 1e-3 or (multilabel and p.ndim < 2):
        raise ValueError(
            f"{name} must be in [0, 1] and sum to 1 in each row of classes; got shape {p.shape}, "
            f"values {p.min():g} to {p.max():g}, sums {sums.min():g} to {sums.max():g}. "
            "For independent labels set multilabel=True and pass a column for each. Apply expit or "
            "softmax to logits."
        )
    return p
