"""Checks of what is passed to `fit` and `partial_fit` together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from skimb._types import Features, Labels, SampleWeight
from skimb.data.samples import Samples
from skimb.fitting.parameters import FitParameters
from skimb.fitting.state import FittedState


def check_validation_arguments(
    X_val: Features, y_val: Labels, sample_weight_val: SampleWeight
) -> None:
    """Raise a ValueError if a validation set is passed in part."""
    if (X_val is None) != (y_val is None) or (X_val is None and sample_weight_val is not None):
        raise ValueError(
            "X_val and y_val belong together, and sample_weight_val to them. Pass both, or "
            "neither to have validation_fraction of the samples held out."
        )


def with_groups(samples: Samples, groups: Any) -> Samples:
    """Return the samples with what a splitter keeps together.

    Raises
    ------
    ValueError
        If there is not a group for every row of X.
    """
    if groups is None:
        return samples
    groups = column_or_1d(groups)
    if len(groups) <= samples.positions.max():
        raise ValueError(
            f"groups has {len(groups)} values, but X has at least "
            f"{samples.positions.max() + 1} rows. There has to be a group for every row."
        )
    return replace(samples, groups=groups[samples.positions])


def check_without_fit(params: FitParameters, method: str) -> None:
    """Raise a ValueError for parameters that have a meaning in `fit` alone."""
    refused = {
        "class_weight_start": (bool(params.class_weight_start), "there is no last epoch"),
        "threshold": (params.names_threshold, "no samples are held out"),
        "sampler": (params.sampler is not None, "not all samples are there to sample from"),
        "early_stopping": (params.early_stopping is True, "no samples are held out"),
    }
    for name, (given, reason) in refused.items():
        if given:
            raise ValueError(
                f"{name}={getattr(params, name)!r} cannot be used in {method}, because {reason}. "
                "Leave it at its default, or use fit."
            )


def check_classes(classes: Any, samples: Samples, previous: FittedState | None) -> None:
    """Raise a ValueError if a chunk of a stream does not know its classes, or knows others."""
    if previous is None:
        if samples.y.ndim != 2 and classes is None:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: a later chunk may "
                "show a class that this one does not. Pass classes=np.unique(y_of_all_samples)."
            )
        return
    known = previous.target.classes_
    if classes is not None and not np.array_equal(np.unique(classes), known):
        raise ValueError(
            f"classes={classes!r} differs from the classes of the first call to "
            f"partial_fit, {known.tolist()}."
        )
