"""The validation set, held out or supplied: for monitoring, early stopping and thresholds alone."""

from __future__ import annotations

import numpy as np

from skimb.data.folds import Folds
from skimb.data.samples import Samples
from skimb.data.splitting import stratified_split
from skimb.data.targets import Target
from skimb.fitting import defaults
from skimb.fitting.parameters import FitParameters
from skimb.fitting.recipe import rate_falls


def hold_out(
    params: FitParameters,
    target: Target,
    samples: Samples,
    validation: Samples | None,
    seed: int,
    folds: Folds | None = None,
) -> tuple[Samples, Samples | None]:
    """Return the training samples and the validation set, the user's own or drawn from all.

    Parameters
    ----------
    params : FitParameters
    target : Target
    samples : Samples
        With codes for labels.
    validation : Samples or None
        The user's own validation set, with codes too.
    seed : int
        The same in every fit of a warm start, or samples trained on would be held out next.
    folds : Folds or None, default=None
        In which members hold samples out already.

    Raises
    ------
    ValueError
        If nothing can be chosen on the validation set.
    """
    if target.kind == "reconstruction" and len(target.classes_):
        # the rare class takes part in the choice of the threshold alone
        return samples.take(np.flatnonzero(samples.y == 0)), samples
    if params.extent != "fit":
        return samples, None
    if validation is not None:
        _check_classes(params, target, validation, len(samples))
        return samples, validation
    if folds is not None:
        return samples, None
    by_default = rate_falls(params, samples.n_axes) and not params.per_pixel
    # Strong weight decay keeps the default network from overfitting. A few rare samples held out
    # say less about the best cut, and are missing in training: measured, see the guide. A rule
    # promises what the training samples cannot show.
    for_threshold = params.names_threshold and (not by_default or params.gives_rule)
    if target.kind == "reconstruction" or not (
        stops_early(params, len(samples), samples) or for_threshold
    ):
        return samples, None
    rng = np.random.RandomState(seed)
    train, held = stratified_split(target.strata(samples.y), params.validation_fraction, rng)
    validation = samples.take(held)
    _check_classes(params, target, validation, len(samples))
    return samples.take(train), validation


def stops_early(params: FitParameters, n_samples: int, judged: Samples) -> bool:
    """Whether training stops when `monitor` no longer improves.

    Parameters
    ----------
    params : FitParameters
    n_samples : int
        Samples in all, held-out ones included.
    judged : Samples
        The validation set, or the samples that it would be drawn from.
    """
    if params.early_stopping == "auto":
        default = rate_falls(params, judged.n_axes)
        return not default and (judged.supplied or n_samples > defaults.EARLY_STOPPING_FROM)
    return bool(params.early_stopping)


def _check_classes(
    params: FitParameters, target: Target, validation: Samples, n_samples: int
) -> None:
    """Raise a ValueError if the validation set has one class and a score is to choose on it."""
    stops = stops_early(params, n_samples, validation)
    by_score = params.monitor != "loss" and stops
    if target.kind == "multilabel" or not (by_score or params.names_threshold):
        return
    present = np.flatnonzero(target.counts(validation.y, np.ones(len(validation))))
    if len(present) < 2:
        what = "y_val has" if validation.supplied else "The held-out samples have"
        chooses = (
            f"monitor={params.monitor!r}"
            if by_score
            else f"threshold={params.threshold_as_written}"
        )
        raise ValueError(
            f"{what} the one class {target.classes_.tolist()[present[0]]!r}, by which "
            f"{chooses} cannot choose. Pass samples "
            "of both classes as X_val and y_val, or set early_stopping=False and a number as "
            "threshold."
        )
