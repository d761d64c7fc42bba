"""What is computed after an epoch: scores on the training rows and on those held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from skimb.decision import Decision
from skimb.ends import NetworkEnds
from skimb.losses.binding import BoundLoss
from skimb.metrics.scorers import Scorer, Snapshot
from skimb.training import Network, outputs
from skimb.training.epochs import Observer
from skimb.validation import HeldOut

Values = Callable[[], list[np.ndarray]]


def labels(decision: Decision, codes: np.ndarray) -> np.ndarray:
    """Return codes as the user's labels."""
    return codes if codes.ndim > 1 else decision.target.classes_[codes]


def observer(
    network: Network,
    ends: NetworkEnds,
    decision: Decision,
    rows: HeldOut,
    scorers: Mapping[str, Scorer],
    *,
    prefix: str = "",
    loss: BoundLoss | None = None,
    loss_weight: np.ndarray | None = None,
) -> Observer:
    """Return what computes scores, and the loss if it is given, from one prediction an epoch.

    Parameters
    ----------
    network : Network
        Its structure counts; the values are those of the training.
    ends : NetworkEnds
    decision : Decision
    rows : HeldOut
    scorers : mapping of str to callable
    prefix : str, default=""
        Of the names in the history.
    loss : BoundLoss or None, default=None
    loss_weight : ndarray of shape (n,) or (n, n_labels) or None, default=None
        Weights of the rows in the loss.
    """
    y = labels(decision, rows.codes)
    if loss is not None:
        encoded = decision.target.encode(rows.codes, loss.one_hot, ends.output_dtype)
        loss_weight = np.asarray(loss_weight, ends.output_dtype)

    def observe(values: Values) -> dict[str, float]:
        found = outputs(network, rows.X, ends.input_dtype, values())
        snapshot = Snapshot(decision, ends.logits(found))
        observed = {
            prefix + name: float(score(snapshot, rows.X, y, sample_weight=rows.sample_weight))
            for name, score in scorers.items()
        }
        if loss is not None:
            found = found.astype(ends.output_dtype)
            observed[prefix + "loss"] = float(loss(encoded, found, sample_weight=loss_weight))
        return observed

    return observe
