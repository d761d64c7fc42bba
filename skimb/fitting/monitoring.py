"""What is computed after an epoch: scores on the training samples and on the validation set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting.parameters import FitParameters
from skimb.fitting.state import FittedState
from skimb.fitting.validation import stops_early
from skimb.fitting.weights import ClassWeights, weights_of_samples
from skimb.losses.binding import BoundLoss
from skimb.metrics.scorers import Scorer, Snapshot, scorer_for
from skimb.networks.interface import shapes_agree
from skimb.training import outputs
from skimb.training.epochs import BestEpoch, Observer

Values = Callable[[], list[np.ndarray]]


def monitors(
    params: FitParameters,
    state: FittedState,
    train: Samples,
    validation: Samples | None,
    loss: BoundLoss,
    unweighted_epochs: int,
) -> tuple[list[Observer], BestEpoch | None]:
    """Return what follows the training, and what stops it.

    Parameters
    ----------
    params : FitParameters
    state : FittedState
        Before the training.
    train : Samples
        Before resampling.
    validation : Samples or None
    loss : BoundLoss
    unweighted_epochs : int
        Epochs without class weights, of which none can be the best.

    Raises
    ------
    ValueError, TypeError
        If a score is unknown, or not defined on the validation set.
    """
    target, positive = state.target, state.counts.positive_class
    if target.kind == "reconstruction":
        return [], None
    found = []
    if params.metrics:
        scorers = _scorers(params, params.metrics, target, positive, train)
        found.append(observer(state, train, scorers))
    if validation is None:
        return found, None
    if not shapes_agree(state.built.interface.input_shape, validation.X.shape[1:]):
        raise ValueError(
            f"X_val has samples of shape {validation.X.shape[1:]}, but model takes samples of "
            f"shape {state.built.interface.input_shape}."
        )
    by_loss = params.monitor == "loss"
    if by_loss and loss.takes_features:
        raise ValueError(
            f"monitor='loss' is not possible with loss={params.loss!r} on features. Monitor a "
            "score, such as 'average_precision'."
        )
    names = dict.fromkeys([*([] if by_loss else [params.monitor]), *(params.metrics or [])])
    scorers = _scorers(params, list(names), target, positive, validation)
    # a batch-level loss of all samples would be another number, and expensive
    follows_loss = by_loss or not (loss.takes_features or loss.batch_level)
    loss_weight = weights_in_loss(target, state.weights, validation) if follows_loss else None
    observe = observer(
        state,
        validation,
        scorers,
        prefix="val_",
        loss=loss if follows_loss else None,
        loss_weight=loss_weight,
    )
    found.append(observe)
    n_samples = len(train) + (0 if validation.supplied else len(validation))
    if not stops_early(params, n_samples, validation):
        return found, None
    name = f"val_{params.monitor}"
    if not by_loss:
        _check_defined(params, observe(lambda: state.built.network.values)[name], validation)
    best = BestEpoch(name, patience=params.patience, lower=by_loss, after=unweighted_epochs)
    return found, best


def observer(
    state: FittedState,
    samples: Samples,
    scorers: Mapping[str, Scorer],
    *,
    prefix: str = "",
    loss: BoundLoss | None = None,
    loss_weight: np.ndarray | None = None,
) -> Observer:
    """Return what computes scores, and the loss if it is given, from one prediction an epoch.

    Parameters
    ----------
    state : FittedState
        The structure of its network counts; the values are those of the training.
    samples : Samples
    scorers : mapping of str to callable
    prefix : str, default=""
        Of the names in the history.
    loss : BoundLoss or None, default=None
    loss_weight : ndarray of shape (n, ...) or None, default=None
        Weights of the samples in the loss.
    """
    network, interface, decision = state.built.network, state.built.interface, state.decision
    if loss is not None:
        encoded = decision.target.encode(samples.y, loss.one_hot, interface.output_dtype)
        loss_weight = np.asarray(loss_weight, interface.output_dtype)

    def observe(values: Values) -> dict[str, float]:
        found = outputs(network, samples.X, interface.input_dtype, values())
        observed = {}
        if scorers:
            logits = interface.logits(found)
            y, logits, weight = decision.target.for_scores(
                samples.y, logits, samples.weight, decision.decode
            )
            snapshot = Snapshot(decision, logits)
            for name, score in scorers.items():
                value = score(snapshot, samples.X, y, sample_weight=weight)
                observed[prefix + name] = float(value)
        if loss is not None:
            found = found.astype(interface.output_dtype)
            observed[prefix + "loss"] = float(loss(encoded, found, sample_weight=loss_weight))
        return observed

    return observe


def weights_in_loss(target: Target, weights: ClassWeights, samples: Samples) -> np.ndarray:
    """Return the weights that the samples of a validation set have in the loss."""
    if target.per_pixel:
        return samples.weight / samples.weight.mean()
    counts = target.counts(samples.y, samples.weight)
    return weights_of_samples(weights.table, samples.y, samples.weight, counts, len(samples))


def _scorers(
    params: FitParameters, names: Sequence[Any], target: Target, positive: int, samples: Samples
) -> dict[str, Scorer]:
    if not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"metrics={params.metrics!r} is not a list of names. Accepted are those of "
            "scikit-learn's scorers, such as 'f1' and 'average_precision'."
        )
    counts = target.counts(samples.y, np.ones(len(samples)))
    return {n: scorer_for(n, target, positive, counts=counts) for n in names}


def _check_defined(params: FitParameters, score: float, validation: Samples) -> None:
    """Raise a ValueError if the score to stop by is undefined, whatever is predicted."""
    if not math.isnan(score):
        return
    where = "X_val and y_val" if validation.supplied else "the held-out samples"
    raise ValueError(
        f"monitor={params.monitor!r} is not defined on {where}, where classes or labels are "
        "missing. Pass a validation set that has samples of each as X_val and y_val, monitor "
        "'loss' or 'average_precision', or set early_stopping=False."
    )
