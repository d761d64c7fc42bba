"""Diagnosis of training that diverged to NaN or infinity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from skimb.networks import standardizes
from skimb.training.dataset import Rows
from skimb.training.network import Network

# above these values, each is the likely cause
HIGH_LEARNING_RATE = 0.1
LARGE_FEATURE = 1e4
LARGE_WEIGHT = 1e3

# Variables of this magnitude usually, but not always, give finite outputs.
_SUSPICIOUS = 1e4


def explanation(network: Network, rows: Rows, learning_rate: float | None) -> str:
    """Return sentences with the range of sample weights, the likely cause and the remedy.

    Parameters
    ----------
    network : Network
    rows : Rows
    learning_rate : float or None
        None for a learning rate schedule.
    """
    smallest, largest = float(rows.weight.min()), float(rows.weight.max())
    X = rows.X.data if sp.issparse(rows.X) else rows.X
    feature = float(np.abs(X).max(initial=0.0))
    if learning_rate is not None and learning_rate > HIGH_LEARNING_RATE:
        cause = f"optimizer__learning_rate={learning_rate:g} is high: try 0.001"
    elif feature > LARGE_FEATURE and not standardizes(network.blueprint.example):
        cause = (
            f"X has values up to {feature:.3g} and the network does not standardise: scale X, "
            "or use a built-in network"
        )
    elif largest > LARGE_WEIGHT:
        cause = (
            f"a weight of {largest:.3g} makes single steps too large: try weight_power below 1, or "
            "optimizer__clipnorm=1.0"
        )
    else:
        cause = (
            "a learning rate too high for the network and the loss, or a custom loss that takes "
            "the logarithm or square root of 0: try a smaller optimizer__learning_rate or "
            "optimizer__clipnorm=1.0"
        )
    return (
        f"Sample weights in the loss ranged from {smallest:.3g} to {largest:.3g}. The likely cause "
        f"is {cause}."
    )


def is_finite(values: Sequence[np.ndarray]) -> bool:
    """Whether all values of a network's variables are finite."""
    return all(np.isfinite(value).all() for value in values)


def is_suspicious(values: Sequence[np.ndarray]) -> bool:
    """Whether a network's variables are so large that its outputs may be non-finite."""
    return any(
        np.abs(value).max(initial=0.0) > _SUSPICIOUS for value in values if value.dtype.kind == "f"
    )
