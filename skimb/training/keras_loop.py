"""Training through ``Model.fit``."""

from __future__ import annotations

from contextlib import nullcontext

import keras
from keras.callbacks import BackupAndRestore

from skimb._backend.randomness import draw_seed, process_state
from skimb.training.blueprint import default_dtype
from skimb.training.compilation import OnNetwork, compile_for_callbacks
from skimb.training.epochs import (
    BatchSequence,
    BatchStream,
    EpochStarter,
    LearningRates,
    SteadyStatistics,
)
from skimb.training.job import Job, Result
from skimb.training.network import assign, values_of
from skimb.training.program import for_precision, trained_outputs


def train_with_keras(job: Job, *, eagerly: bool) -> Result:
    """Train through ``Model.fit``, by operations one after the other if `eagerly`."""
    start_values = job.network.values
    with job.strategy.scope() if job.strategy else nullcontext():
        model = _new_model(job)
        assign(model.variables, start_values)
        optimizer = for_precision(job.own_optimizer(), model)
        optimizer.build(model.trainable_variables)
        if job.optimizer_state:
            assign(optimizer.variables, job.optimizer_state.values)
            if job.new_learning_rate is not None:
                optimizer.learning_rate = job.new_learning_rate
    dtype = default_dtype(model)
    seed, augmentation = draw_seed(job.rng), job.augmentation and job.augmentation.copy()
    if augmentation is not None:
        augmentation.reseed(seed)
    with process_state(seed=seed, dtype=dtype, fresh_kernels=True):
        batches: BatchSequence | BatchStream
        if job.blocks is None:
            batches = BatchSequence(job.rows, job.batches, job.rng, augmentation, job.resample)
        else:
            batches = BatchStream(job.rows, job.data, job.batches.batch_size, augmentation)
        watcher, *guests, recorder = job.callbacks
        with job.strategy.scope() if job.strategy else nullcontext():
            trained, loss = trained_outputs(model, job.loss)
            options = {"run_eagerly": eagerly, "jit_compile": False}
            compile_for_callbacks(trained, optimizer, loss, **options)
            if trained is not model:
                watcher = OnNetwork(model, [watcher])
            if trained is not model and guests:
                compile_for_callbacks(model, optimizer, job.loss, **options)
                resuming = [c for c in guests if isinstance(c, BackupAndRestore)]
                others = [c for c in guests if c not in resuming]
                guests = [*resuming, OnNetwork(model, others)]
        with batches.read() as data:
            trained.fit(
                data,
                epochs=job.epochs,
                shuffle=False,
                verbose=0,
                callbacks=[
                    EpochStarter(batches),
                    LearningRates(job.learning_rates, optimizer, alone=not job.has_guests),
                    SteadyStatistics(job.epochs),
                    watcher,
                    *guests,
                    recorder,
                ],
            )
    return values_of(model.variables), values_of(optimizer.variables), "keras"


def _new_model(job: Job) -> keras.Model:
    """Return the network to train, with arbitrary weights."""
    if job.strategy is not None and job.network.blueprint.key is None:
        raise TypeError(
            "distribution needs a network that can be built on each device, but this one cannot be "
            "copied, because the network or one of its layers has no get_config. Set "
            "distribution=None."
        )
    return job.network.blueprint.build()
