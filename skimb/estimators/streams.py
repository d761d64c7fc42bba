"""Streams as X: what may stand beside them, how they are read, and predictions for them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from skimb._backend.process_lock import serve, served
from skimb._types import Estimator, Features, Groups, Labels, SampleWeight
from skimb.data.samples import Samples, Schema
from skimb.data.streams import (
    Batch,
    SampleStream,
    check_passes,
    features,
    gathered,
    is_stream,
    joined,
    labelled,
    passed_through,
    whole,
)
from skimb.estimators.arguments import check_validation_arguments
from skimb.estimators.callbacks import FitTask
from skimb.estimators.reading import of_validation_set, read_samples
from skimb.fitting.parameters import FitParameters
from skimb.fitting.procedure import fit_stream
from skimb.fitting.recipe import rate_falls
from skimb.fitting.state import FittedState


def state_of_stream(
    estimator: Estimator,
    params: FitParameters,
    previous: FittedState | None,
    X: Features,
    y: Labels,
    sample_weight: SampleWeight,
    X_val: Features,
    y_val: Labels,
    sample_weight_val: SampleWeight,
    groups: Groups,
) -> FittedState:
    """Return the state of a classifier after a fit on a stream.

    Parameters
    ----------
    estimator : estimator
        Not changed.
    params : FitParameters
    previous : FittedState or None
        That the fit goes on from.
    X, y, sample_weight, X_val, y_val, sample_weight_val, groups
        The arguments of `fit`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not accepted beside a stream, or the stream is none that a fit takes.
    """
    check_passes(X)
    check_beside_stream("fit", y=y, sample_weight=sample_weight, groups=groups)
    if is_stream(X_val):
        check_beside_stream("fit", y_val=y_val, sample_weight_val=sample_weight_val)
    else:
        check_validation_arguments(X_val, y_val, sample_weight_val)
    _check_parameters(params, validated=X_val is not None)
    progress = FitTask(estimator, params.epochs)
    read = partial(read_samples, estimator)
    validation = _reading(read, X_val, y_val, sample_weight_val)
    with ThreadPoolExecutor(1, initializer=serve, initargs=(served(),)) as reader:
        stream = SampleStream(X, read, reader, previous.schema if previous else None)
        state = fit_stream(params, stream, validation, previous, progress)
    progress.end(state)
    return state


def _reading(
    read: Callable[..., Samples], X: Features, y: Labels, sample_weight: SampleWeight
) -> Callable[[Schema], Samples] | None:
    """Return a function that reads a validation set by a schema, None where there is no set."""
    if X is None:
        return None

    def read_by(schema: Schema) -> Samples:
        with of_validation_set():
            return read(*batch, schema)

    with of_validation_set():
        batch = whole(X) if is_stream(X) else Batch(X, y, sample_weight)
    return read_by


def check_beside_stream(method: str, **given: Any) -> None:
    """Raise a TypeError if an argument is passed beside a stream that has a place in it."""
    for name, value in given.items():
        if value is None:
            continue
        where = {
            "groups": "a stream is not cross-fitted",
            "y": "the batches of X are (X, y)",
            "y_val": "the batches of X_val are (X, y)",
            "sample_weight": "the batches of X are (X, y, sample_weight)",
            "sample_weight_val": "the batches of X_val are (X, y, sample_weight)",
        }[name]
        raise TypeError(
            f"{method}() got {name} beside a stream, which is passed alone: {where}. Leave {name} "
            "out."
        )


def _check_parameters(params: FitParameters, *, validated: bool) -> None:
    """Raise a ValueError for parameters that take all samples at once.

    Parameters
    ----------
    params : FitParameters
    validated : bool
        Whether there is a validation set.
    """
    by_default = rate_falls(params, 2)  # of every shape of X, where the model is the default
    own_folds = not (params.cv is None or isinstance(params.cv, str))
    unseen = not validated and (params.gives_rule or not by_default)
    refused = {
        "cv": (own_folds, "its order may differ from pass to pass", "Set cv=None"),
        "sampler": (
            params.sampler is not None,
            "a sampler takes all samples at once",
            "Set batching='balanced', which oversamples rare classes",
        ),
        "early_stopping": (
            params.early_stopping is True and not validated,
            "the order of a stream may differ from pass to pass, so nothing is held out of it",
            "Pass a validation set as X_val",
        ),
        "threshold": (
            params.names_threshold and unseen,
            "it is chosen on samples that are not trained on, and nothing is held out of a stream",
            "Pass a validation set as X_val",
        ),
    }
    for name, (given, reason, cure) in refused.items():
        if given:
            raise ValueError(
                f"{name}={getattr(params, name)!r} cannot be used with a stream as X: {reason}. "
                f"{cure}, or pass all samples as arrays."
            )


def predicted(
    logits: Callable[[Features], np.ndarray], stream: Features, *, with_labels: bool
) -> Batch:
    """Return the logits of the samples of a stream, of which a block is held at a time.

    Parameters
    ----------
    logits : callable
        Returns the logits of the samples of a batch.
    stream : stream
        Of batches X, (X, y) or (X, y, sample_weight), the last two with `with_labels`. Iterators
        are accepted too: one pass is enough.
    with_labels : bool
        Whether labels are returned beside the logits, and weights if there are any.
    """
    batches = (labelled if with_labels else features)(passed_through(stream))
    found = [Batch(logits(block.X), block.y, block.sample_weight) for block in gathered(batches)]
    if not found:
        raise ValueError("X yields no batches, so there is nothing to predict for.")
    return joined(found)
