"""The training of a cross-fit: its members as one network, or one after the other."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np

from skimb._backend.randomness import draw_seed, process_state
from skimb.data.folds import Folds
from skimb.data.inputs import Layout
from skimb.data.samples import Samples
from skimb.fitting.crossfit import HeldOut, combined
from skimb.fitting.pairs import begun_with_pairs
from skimb.fitting.parameters import FitParameters
from skimb.fitting.plan import Plan, batches_of
from skimb.fitting.recipe import resampler_for
from skimb.fitting.state import FittedState, TrainingRecord
from skimb.fitting.training import Progress, train_epochs
from skimb.fitting.weights import ClassWeights
from skimb.fitting.windows import logits_of_images
from skimb.losses.binding import BoundLoss
from skimb.networks.inputs import inputs_like, on_rows, own_network
from skimb.networks.interface import NetworkInterface
from skimb.training import Network, outputs
from skimb.training.progress import Part


def cross_fit(
    folds: Folds,
    params: FitParameters,
    plan: Plan,
    state: FittedState,
    loss: BoundLoss,
    train: Samples,
    validation: Samples | None,
    resampled: Samples,
    resample: Callable[[], Samples],
    progress: Progress | None = None,
) -> FittedState:
    """Train members without each fold, and return the state of the mean of all members.

    Parameters
    ----------
    folds : Folds
        Of the training samples.
    params, plan, state, loss, train, validation, resampled, resample, progress
        As in :func:`skimb.fitting.training.train_epochs`.
    """
    if plan.settings is None:
        return _one_after_the_other(folds, params, plan, state, loss, train, validation, progress)
    built = begun_with_pairs(
        state.built, plan.settings, train, folds, state.encoder, state.split_seed
    )
    state = replace(state, built=built)
    trained = train_epochs(
        params, plan, state, loss, train, validation, resampled, resample, progress, folds
    )
    row_weight = state.weights.of_samples(train.y, train.weight)
    built, found = combined(
        trained.built, plan.settings, train, row_weight, folds, state.split_seed
    )
    return replace(trained, built=built, held_out=found)


def _one_after_the_other(
    folds: Folds,
    params: FitParameters,
    plan: Plan,
    state: FittedState,
    loss: BoundLoss,
    train: Samples,
    validation: Samples | None,
    progress: Progress | None,
) -> FittedState:
    """Train a copy of the network for each fold, and predict what it holds out."""
    if state.built.network.blueprint.key is None:
        raise ValueError(
            f"cv={params.cv!r} needs a copy of the network for each fold, but this one cannot be "
            "copied, because the network or one of its layers has no get_config. Write that, or "
            "set cv=None."
        )
    interface, rng = state.built.interface, copy.deepcopy(state.rng)
    of_labels = train.y.shape[1:] if state.target.per_pixel else ()
    logits = np.zeros((len(train), *of_labels, interface.units), dtype=interface.output_dtype)
    members, records = [], []
    sides = zip(folds.trained.T, folds.held_out.T, strict=True)
    for number, (trained, judged) in enumerate(sides, start=1):
        of_fold = train.take(np.flatnonzero(trained))
        resample = resampler_for(params, of_fold, state.target, draw_seed(rng))
        resampled = resample()
        batches = batches_of(params, state.target, resampled.y, train.n_axes)
        of_plan = replace(plan, batches=batches)
        start = replace(
            state, rng=copy.deepcopy(rng), weights=_weights_in(state, of_plan, resampled)
        )
        part = Part(f"fold {number}/{folds.n_folds}", n_later=folds.n_folds - number)
        member = train_epochs(
            params, of_plan, start, loss, of_fold, validation, resampled, resample, progress,
            part=part,
        )  # fmt: skip
        rows = np.flatnonzero(judged)
        X = train.take(rows).X
        if state.target.per_pixel:
            logits[rows] += logits_of_images(member, X)
        else:
            found = outputs(member.built.network, X, interface.input_dtype)
            logits[rows] += interface.logits(found)
        members.append(member.built.network.model)
        records.append(member.record)
    n_judged = folds.held_out.sum(axis=1).reshape(-1, *[1] * (logits.ndim - 1))
    logits = np.where(n_judged > 0, logits / np.maximum(n_judged, 1), np.nan)
    built = replace(state.built, network=_mean_of(members, interface, state.built.layout))
    return replace(
        state,
        built=built,
        rng=rng,
        record=_mean_record(records),
        held_out=HeldOut(
            logits, folds.first, train.positions, train.n_rows, None, train.y, train.weight
        ),
    )


def _weights_in(state: FittedState, plan: Plan, resampled: Samples) -> ClassWeights:
    """Return the weights of the classes, applied to the samples of a fold."""
    frequency, weight = plan.batches.row_frequency, resampled.weight
    if frequency is not None:
        weight = (weight.T * frequency).T
    counts = state.target.counts(resampled.y, weight)
    n_counted = state.target.n_counted(resampled.y)
    return replace(state.weights, training_counts=counts, n_training=n_counted)


def _mean_of(
    members: list[keras.Model], interface: NetworkInterface, layout: Layout | None
) -> Network:
    """Return one network that averages the outputs of several with the same inputs."""
    with process_state(seed=0):
        if layout is None:
            inputs = keras.Input(interface.input_shape, dtype=interface.input_dtype)
        else:
            members = [own_network(member, layout) for member in members]
            inputs = inputs_like(members[0], layout)
        for position, member in enumerate(members):
            member.name = f"member_{position}"
        average = keras.layers.Average(dtype=interface.output_dtype)
        model = keras.Model(inputs, average([member(inputs) for member in members]))
        model = model if layout is None else on_rows(model, layout)
    return Network.of(model)


def _mean_record(records: list[TrainingRecord]) -> TrainingRecord:
    """Return the record of several trainings, with the mean of each value an epoch."""
    n_epochs = max(record.n_epochs for record in records)
    longest = next(record for record in records if record.n_epochs == n_epochs)
    names = dict.fromkeys(name for record in records for name in record.history)
    history = {name: [_mean(records, name, epoch) for epoch in range(n_epochs)] for name in names}
    return replace(longest, history=history)


def _mean(records: list[TrainingRecord], name: str, epoch: int) -> float:
    """Return the mean of an entry, which a callback may have added to some of the trainings."""
    known = [r.history[name] for r in records if name in r.history and r.n_epochs > epoch]
    return float(np.mean([values[epoch] for values in known])) if known else np.nan
