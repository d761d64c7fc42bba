"""The loss of a fit: built once, for the outputs of the network and the counts of the classes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from keras import ops

from skimb._types import Tensor
from skimb._warnings import warn_user
from skimb.data.batching import Batches
from skimb.data.samples import Samples
from skimb.fitting.network import BuiltNetwork
from skimb.fitting.parameters import FitParameters
from skimb.fitting.plan import Plan, batches_of
from skimb.fitting.weights import ClassWeights
from skimb.losses.base import ImbalancedLoss
from skimb.losses.binding import BoundLoss, is_categorical
from skimb.losses.pixels import PixelLoss
from skimb.training import Rows
from skimb.training.dataset import dense


class ReconstructionLoss(BoundLoss):
    """A loss between samples and their reconstructions, whatever the shape of a sample."""

    def __init__(self, loss: Any, dtype: str) -> None:
        # outputs are compared as they are, with no link
        super().__init__(
            loss, link="sigmoid", outputs="probabilities", target="reconstruction", dtype=dtype
        )

    def _as_taken(self, y_true: Tensor, y_pred: Tensor) -> tuple[Any, Any]:
        n_features = int(np.prod(y_true.shape[1:]))
        return ops.reshape(y_true, (-1, n_features)), ops.reshape(y_pred, (-1, n_features))

    def signature(self) -> Hashable:
        """Return what distinguishes losses that cannot share a compiled program."""
        return "reconstruction", super().signature()


def bind_loss(
    params: FitParameters,
    plan: Plan,
    built: BuiltNetwork,
    weights: ClassWeights,
    positive: int,
) -> BoundLoss:
    """Build the loss for the outputs of the network.

    Parameters
    ----------
    params : FitParameters
    plan : Plan
    built : BuiltNetwork
    weights : ClassWeights
    positive : int
        Position of the class that a loss with a positive class is about.

    Raises
    ------
    ValueError, TypeError
        If the loss does not fit the target, or the weights cannot enter it.
    """
    target, interface = built.target, built.interface
    if target.kind == "reconstruction":
        _check_reconstruction_loss(params, plan)
        return ReconstructionLoss(plan.loss, interface.output_dtype)
    data = {"class_counts": weights.prior.T, "minority_class": positive}
    if target.per_pixel:
        data["background"] = int(np.flatnonzero(target.classes_ == target.background)[0])
    arguments: dict[str, Any] = {
        "link": target.link,
        "outputs": "logits" if interface.activation == "linear" else "probabilities",
        "target": target.loss_target,
        "data": data,
        "dtype": interface.output_dtype,
        "positive_first": target.kind == "binary" and positive == 0,
    }
    if not target.per_pixel:
        loss = BoundLoss(plan.loss, **arguments)
        _warn_of_two_corrections(params, loss, weights)
        return loss
    mean = np.average(weights.table, weights=weights.training_counts)
    if not mean:
        raise ValueError(
            f"class_weight={params.class_weight!r} gives every pixel the weight 0, so there is "
            "nothing to learn from."
        )
    void = getattr(plan.augmentation, "leaves_gaps", False)
    loss = PixelLoss(plan.loss, class_weight=weights.table / mean, void=void, **arguments)
    _warn_of_two_corrections(params, loss, weights)
    return loss


def training_rows(
    params: FitParameters,
    plan: Plan,
    built: BuiltNetwork,
    weights: ClassWeights,
    loss: BoundLoss,
    resampled: Samples,
    batches: Batches | None = None,
) -> tuple[Rows, Batches]:
    """Return what is trained on, with the weights in the loss, and the batches.

    Parameters
    ----------
    params, plan, built, weights, loss
    resampled : Samples
        With codes for labels.
    batches : Batches or None, default=None
        Of these samples, where they are known; planned otherwise.
    """
    rows, kept = weighted_rows(params, plan, built, weights, loss, resampled)
    codes = resampled.y if kept is None else resampled.y[kept]
    if batches is None or kept is not None:
        batches = batches_of(params, built.target, codes, resampled.n_axes)
    return rows, batches


def weighted_rows(
    params: FitParameters,
    plan: Plan,
    built: BuiltNetwork,
    weights: ClassWeights,
    loss: BoundLoss,
    resampled: Samples,
    mean: float | None = None,
) -> tuple[Rows, np.ndarray | None]:
    """Return what is trained on, with the weights in the loss, without samples of weight 0.

    Parameters
    ----------
    params, plan, built, weights, loss
    resampled : Samples
        With codes for labels.
    mean : float or None, default=None
        Mean weight of the samples whose weight is not 0, of a stream of which these are a block.

    Returns
    -------
    rows : Rows
    kept : ndarray of int or None
        Positions of the samples whose weight is not 0; None is all.
    """
    target, interface = built.target, built.interface
    dtype, codes, X = interface.output_dtype, resampled.y, resampled.X
    if target.kind == "reconstruction":
        X = dense(X, dtype)
        weight = resampled.weight / resampled.weight.mean()
        return Rows(X, X, weight.astype(dtype), interface.input_dtype), None
    encoded = target.encode(codes, loss.one_hot, dtype)
    if target.per_pixel:  # class weights enter the loss, which knows the pixels
        weight = resampled.weight / (weights.training_counts.sum() / weights.n_training)
        return Rows(X, encoded, weight.astype(dtype), interface.input_dtype), None
    weight, early, kept = weights.of_samples(codes, resampled.weight), None, None
    if plan.unweighted_epochs:
        early = weights.of_samples_unweighted(codes, resampled.weight)
        early = np.broadcast_to(early.reshape(-1, *[1] * (weight.ndim - 1)), weight.shape)
    if weight.ndim == 1 and not np.all(weight):
        kept = np.flatnonzero(weight > 0)
        if not len(kept):
            raise ValueError(
                f"class_weight={params.class_weight!r} gives every sample the weight 0, so there "
                "is nothing to learn from."
            )
        X, encoded, weight = X[kept], encoded[kept], weight[kept]
        early = early if early is None else early[kept]
        if params.extent == "fit" and mean is None:  # chunks have seen other samples too
            weight = weight / weight.mean()
            early = early if early is None else early / early.mean()
    if mean is not None:
        weight = weight / mean
    rows = Rows(
        X,
        encoded,
        weight.astype(dtype),
        interface.input_dtype,
        early if early is None else early.astype(dtype),
        plan.unweighted_epochs,
    )
    return rows, kept


def _check_reconstruction_loss(params: FitParameters, plan: Plan) -> None:
    """Raise a ValueError if the loss does not compare numbers with numbers."""
    loss_class = plan.loss.loss_class
    of_labels = is_categorical(plan.loss) or (
        loss_class is not None and issubclass(loss_class, ImbalancedLoss)
    )
    of_probabilities = "from_logits" in plan.loss.parameters
    if of_labels or (isinstance(params.model, str) and of_probabilities):
        requires = (
            "compares labels with predictions"
            if of_labels
            else "takes values between 0 and 1, which the built-in network does not end in"
        )
        raise ValueError(
            f"loss={params.loss!r} {requires}. An autoencoder takes a loss between numbers, such "
            "as 'mean_squared_error', 'mean_absolute_error' or 'huber'; "
            "'binary_crossentropy' goes with a model of your own that ends in a sigmoid."
        )


def _warn_of_two_corrections(params: FitParameters, loss: BoundLoss, weights: ClassWeights) -> None:
    """Warn where the loss and the weights both make up for the frequencies of the classes."""
    by_scheme = isinstance(params.class_weight, str) or isinstance(params.pos_weight, str)
    if loss.corrects_frequencies and by_scheme and weights.vary:
        warn_user(
            f"loss={params.loss!r} makes up for the frequencies of the classes, and "
            f"class_weight={params.class_weight!r} (pos_weight={params.pos_weight!r}) does so "
            "again, so that the rare class is weighted twice. Set class_weight=None."
        )
