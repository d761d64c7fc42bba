"""What is computed after an epoch: scores on the training rows and on those held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from skimb.fitting.decision import Decision
from skimb.networks.interface import NetworkEnds
from skimb.losses.binding import BoundLoss
from skimb.metrics.scorers import Scorer, Snapshot
from skimb.training import Network, outputs
from skimb.training.epochs import Observer
from skimb.data.splitting import HeldOut

Values = Callable[[], list[np.ndarray]]


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
    loss_weight : ndarray of shape (n, ...) or None, default=None
        Weights of the rows in the loss.
    """
    if loss is not None:
        encoded = decision.target.encode(rows.codes, loss.one_hot, ends.output_dtype)
        loss_weight = np.asarray(loss_weight, ends.output_dtype)

    def observe(values: Values) -> dict[str, float]:
        found = outputs(network, rows.X, ends.input_dtype, values())
        observed = {}
        if scorers:
            logits = ends.logits(found)
            y, flat, weight = decision.target.for_scores(
                rows.codes, logits, rows.sample_weight, decision.decode
            )
            snapshot = Snapshot(decision, flat)
            for name, score in scorers.items():
                observed[prefix + name] = float(score(snapshot, rows.X, y, sample_weight=weight))
        if loss is not None:
            found = found.astype(ends.output_dtype)
            observed[prefix + "loss"] = float(loss(encoded, found, sample_weight=loss_weight))
        return observed

    return observe
