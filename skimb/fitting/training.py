"""The training of a fit: samples, monitors and callbacks around the epochs, and their record."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import keras
import numpy as np

from skimb.data.folds import Folds
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting.loss import training_rows
from skimb.fitting.monitoring import monitors
from skimb.fitting.parameters import FitParameters
from skimb.fitting.plan import Plan
from skimb.fitting.state import FittedState
from skimb.fitting.stream_blocks import StreamBlocks
from skimb.losses.binding import BoundLoss
from skimb.training import train
from skimb.training.progress import WHOLE, Part


class Progress(Protocol):
    """Who is told how far a fit is: scikit-learn's callbacks."""

    def begin(self, samples: Samples, target: Target) -> None: ...

    def of_epochs(
        self, state_with: Callable[[list[np.ndarray]], FittedState]
    ) -> Sequence[keras.callbacks.Callback]: ...


def train_epochs(
    params: FitParameters,
    plan: Plan,
    state: FittedState,
    loss: BoundLoss,
    train_set: Samples,
    validation: Samples | None,
    resampled: Samples,
    resample: Callable[[], Samples],
    progress: Progress | None = None,
    folds: Folds | None = None,
    part: Part = WHOLE,
    stream: StreamBlocks | None = None,
) -> FittedState:
    """Train the network of a state; of a cross-fitted ensemble all of its members.

    Parameters
    ----------
    params, plan
    state : FittedState
        Not changed.
    loss : BoundLoss
    train_set, validation : Samples, Samples or None
        Encoded.
    resampled : Samples
        What the sampler made of the training samples.
    resample : callable
        Returns what it makes of them in another epoch.
    progress : Progress or None, default=None
    folds : Folds or None, default=None
        Of the training samples; each member is trained without one of them.
    part : Part, default=WHOLE
        Which of the trainings of a fit this is.
    stream : StreamBlocks or None, default=None
        What is trained on, where `train_set` is a sample of it.

    Returns
    -------
    FittedState
    """
    built, weights = state.built, state.weights
    if stream is None:
        rows, batches = training_rows(params, plan, built, weights, loss, resampled, plan.batches)
    else:
        rows, batches = stream.example, plan.batches
    loss.check_weights(rows.y, built.interface.units, rows.weight)
    members_loss = loss
    if folds is not None:
        rows, members_loss = rows.of_folds(folds.trained), loss.of_folds(folds.n_folds)
        part = Part(f"{folds.n_folds} folds at once")
    observers, best = monitors(params, state, train_set, validation, loss, plan.unweighted_epochs)
    callbacks = list(params.callbacks)
    if progress is not None:
        callbacks += progress.of_epochs(state.with_values)
    anew = params.sampler is not None and params.resample_every_epoch
    anew = anew or resampled.are_patches
    rng = copy.deepcopy(state.rng)
    trained = train(
        built.network,
        rows,
        members_loss,
        plan.optimizer,
        batches,
        epochs=plan.epochs,
        rng=rng,
        learning_rates=plan.learning_rates,
        optimizer_state=state.record.optimizer_state,
        callbacks=callbacks,
        observers=observers,
        best=best,
        resample=(lambda: training_rows(params, plan, built, weights, loss, resample()))
        if anew
        else None,
        blocks=stream,
        augmentation=plan.augmentation,
        trainer=params.trainer,
        distribution=params.distribution,
        verbose=int(params.verbose),
        part=part,
    )
    return replace(
        state,
        built=replace(built, network=trained.network),
        rng=rng,
        record=state.record.extended(trained, best),
    )
