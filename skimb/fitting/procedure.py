"""A fit, from samples as they were read to the state of a fitted estimator.

:func:`fit_network` is the table of contents of the package: each step is a function that takes what
it needs and returns what it makes. Nothing of the estimator is written on the way; it adopts the
state that is returned.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from skimb._backend.randomness import draw_seed, generator
from skimb.data.folds import Folds
from skimb.data.labels import infer
from skimb.data.pixel_targets import PixelTarget
from skimb.data.samples import Samples, Schema
from skimb.data.streams import SampleStream
from skimb.data.targets import ReconstructionTarget, Target
from skimb.fitting.counts import count_classes
from skimb.fitting.crossfit import folds_for
from skimb.fitting.decision import initial_decision
from skimb.fitting.decision_rules import check_rule
from skimb.fitting.encoding import encoded, fit_encoder
from skimb.fitting.fold_training import cross_fit
from skimb.fitting.held_out_score import score_of_held_out
from skimb.fitting.labelled import in_order_of_classes
from skimb.fitting.loss import bind_loss
from skimb.fitting.network import BuiltNetwork, network_for, with_initial_logits
from skimb.fitting.parameters import FitParameters
from skimb.fitting.plan import Plan, resolve
from skimb.fitting.recipe import resampler_for
from skimb.fitting.scales import warn_of_raw_columns
from skimb.fitting.state import FittedState, TrainingRecord
from skimb.fitting.stream_blocks import StreamBlocks, shown_counts, stream_batches
from skimb.fitting.survey import first_pass, statistics_of
from skimb.fitting.training import Progress, train_epochs
from skimb.fitting.tuned_threshold import with_tuned_threshold
from skimb.fitting.validation import hold_out
from skimb.fitting.weights import class_weights_of
from skimb.losses.binding import BoundLoss
from skimb.metrics.scorers import scorer_for


def fit_network(
    params: FitParameters,
    samples: Samples,
    validation: Samples | None = None,
    previous: FittedState | None = None,
    progress: Progress | None = None,
) -> FittedState:
    """Fit a network to samples, monitored on a `validation` set, resuming a `previous` fit."""
    rng, seed, split_seed = _randomness(params, previous)
    chunks = previous if params.extent == "chunk" else None  # the earlier ones, to be added to
    target = _target(params, samples, previous)
    params = in_order_of_classes(params, target, samples.schema.label_names)
    samples, validation = _with_codes(params, target, samples, validation, previous)
    folds = folds_for(params, target, samples, split_seed)
    train, validation = hold_out(params, target, samples, validation, split_seed, folds)
    encoder = previous.encoder if previous else fit_encoder(params, train)
    train, validation = encoded(train, encoder), encoded(validation, encoder)
    counts = count_classes(target, train, chunks.counts if chunks else None, params.pos_label)
    check_rule(params, target, counts.positive_class, train, validation, folds)
    resample = resampler_for(params, train, target, seed)
    resampled = resample()
    plan = resolve(params, target, counts, train, resampled, folds)
    before = previous.built if previous else None
    built, plan = network_for(params, plan, target, train, resampled, rng, before)
    built.check_exact(*(each.X for each in (train, validation) if each is not None))
    warn_of_raw_columns(params, built, train, encoder, previous)
    weights = class_weights_of(
        params, plan, built.target, counts, resampled, chunks.weights if chunks else None
    )
    loss = bind_loss(params, plan, built, weights, counts.positive_class)
    decision = initial_decision(params, plan, built.target, loss, weights, counts.positive_class)
    record = previous.record.going_on(params.extent) if previous else TrainingRecord()
    built = with_initial_logits(built, plan, loss, weights, trained=record.n_epochs > 0)
    schema = _schema(built, previous.schema if previous else samples.schema, resampled)
    state = FittedState(schema, encoder, built, decision, counts, weights, rng, split_seed, record)
    if params.extent == "initialize":
        return state
    state = _fit(folds, params, plan, state, loss, train, validation, resampled, resample, progress)
    return _decided(params, state, train, validation)


def fit_stream(
    params: FitParameters,
    stream: SampleStream,
    validation: Callable[[Schema], Samples] | None = None,
    previous: FittedState | None = None,
    progress: Progress | None = None,
) -> FittedState:
    """Fit a network to a stream, of which no more than a block is held at a time.

    A first pass counts the classes and keeps a sample, which stands for the stream where samples
    are looked at all at once. The samples to validate on are read by the columns that it finds.
    """
    rng, seed, split_seed = _randomness(params, previous)
    survey = first_pass(params, stream.blocks(), seed)
    sample, schema = survey.sample, survey.sample.schema
    validated = None if validation is None else validation(schema)
    target = _target(params, sample, previous)
    params = in_order_of_classes(params, target, schema.label_names)
    sample, validated = _with_codes(params, target, sample, validated, previous)
    if validated is not None:
        _, validated = hold_out(params, target, sample, validated, split_seed)
    encoder = previous.encoder if previous else fit_encoder(params, sample)
    stream = replace(stream, schema=schema)
    sample, validated = encoded(sample, encoder), encoded(validated, encoder)
    counts = survey.counts.of(target, params.pos_label)
    check_rule(params, target, counts.positive_class, sample, validated, None)
    batches = stream_batches(params, counts, sample)
    plan = resolve(params, target, counts, sample, sample, None, batches)
    before = previous.built if previous else None
    scaler = survey.scaler or statistics_of(params, stream, encoder)
    built, plan = network_for(params, plan, target, sample, sample, rng, before, scaler)
    warn_of_raw_columns(params, built, sample, encoder, previous)
    shown = shown_counts(params, counts)
    weights = class_weights_of(params, plan, built.target, counts, sample, training_counts=shown)
    loss = bind_loss(params, plan, built, weights, counts.positive_class)
    decision = initial_decision(params, plan, built.target, loss, weights, counts.positive_class)
    record = previous.record.going_on(params.extent) if previous else TrainingRecord()
    built = with_initial_logits(built, plan, loss, weights, trained=record.n_epochs > 0)
    state = FittedState(schema, encoder, built, decision, counts, weights, rng, split_seed, record)
    blocks = StreamBlocks(params, plan, built, weights, loss, stream, encoder, sample, counts)
    state = _fit(
        None, params, plan, state, loss, sample, validated, sample, lambda: sample, progress, blocks
    )
    return _decided(params, state, sample, validated)


def _fit(
    folds: Folds | None,
    params: FitParameters,
    plan: Plan,
    state: FittedState,
    loss: BoundLoss,
    train: Samples,
    validation: Samples | None,
    resampled: Samples,
    resample: Callable[[], Samples],
    progress: Progress | None,
    blocks: StreamBlocks | None = None,
) -> FittedState:
    """Return the state after the epochs, on all samples or, with folds, of a cross-fit."""
    if progress is not None:
        progress.begin(train, state.target)
    given = params, plan, state, loss, train, validation, resampled, resample, progress
    if folds is None:
        return train_epochs(*given, stream=blocks)
    return cross_fit(folds, *given)


def _decided(
    params: FitParameters, state: FittedState, train: Samples, validation: Samples | None
) -> FittedState:
    """Return the state with its threshold, and of a cross-fit the score of what was held out."""
    judged, logits, found = validation or train, None, state.held_out
    if validation is None and found is not None:
        judged, logits = train.take(found.known), found.logits[found.known]
    choose = partial(with_tuned_threshold, params, state.built, state.decision)
    decision, report = choose(judged, state.split_seed, logits, held_out=validation is not None)
    score = None
    if found is not None:
        score = score_of_held_out(
            params, state.built, state.decision, decision, train, found, state.split_seed,
            chosen_elsewhere=validation is not None,
        )  # fmt: skip
    return replace(state, decision=decision, report=report, held_out_score=score)


def _randomness(
    params: FitParameters, previous: FittedState | None
) -> tuple[np.random.RandomState, int, int]:
    """Return the generator of a fit, and seeds for resampling and for splits of the samples."""
    if previous is not None:
        rng = copy.deepcopy(previous.rng)  # an error later on leaves the old one where it was
    else:
        rng = np.random.RandomState(draw_seed(generator(params.random_state)))
    seed = draw_seed(copy.deepcopy(rng))
    # a warm start that split anew would hold out samples that it was trained on
    return rng, seed, previous.split_seed if previous else seed


def _target(params: FitParameters, samples: Samples, previous: FittedState | None) -> Target:
    """Return what y is; of a fit that goes on, what it was."""
    if params.contamination is not None:
        return ReconstructionTarget(np.arange(0))
    if previous is None:
        target = infer(
            samples.y, params.classes, params.target, params.background, samples.weight,
            params.pos_label,
        )  # fmt: skip
    else:
        target = previous.target
        if (params.target == "candidates") != (target.kind == "candidates"):
            raise ValueError(
                f"target={params.target!r} changed since the network was built, but warm_start and "
                "partial_fit go on with that network. Fit with warm_start=False, or a clone."
            )
        if isinstance(target, PixelTarget):
            target = target.with_background(params.background, previous.counts.unweighted)
    if not params.reconstructs:
        scorer_for(params.scoring, target, 0)  # an unknown name is an error before the training
    return target


def _schema(built: BuiltNetwork, schema: Schema, trained_on: Samples) -> Schema:
    """Return what samples to predict for are held against."""
    if not built.target.per_pixel:
        return schema
    shape = built.interface.input_shape
    # images larger than the patches that the network takes are predicted in windows
    return replace(
        schema, image_shape=(None, None, *shape[2:]) if trained_on.are_patches else shape
    )


def _with_codes(
    params: FitParameters,
    target: Target,
    samples: Samples,
    validation: Samples | None,
    previous: FittedState | None,
) -> tuple[Samples, Samples | None]:
    """Return training and validation samples with codes for labels."""
    try:
        samples = replace(samples, y=target.codes(samples.y))
    except ValueError as error:
        if previous is None or params.extent != "fit":
            raise
        raise ValueError(
            "warm_start=True goes on from a network for the classes "
            f"{target.classes_.tolist()}, but y has others: {error} Set warm_start=False, or fit a "
            "clone."
        ) from error
    if validation is None:
        return samples, None
    try:
        return samples, replace(validation, y=target.codes(validation.y), supplied=True)
    except ValueError as error:
        raise ValueError(
            f"y_val does not go with y, whose classes are {target.classes_.tolist()}: {error}"
        ) from error
