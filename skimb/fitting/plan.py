"""The plan of a fit: every "auto" resolved, every part of the training chosen."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from skimb import losses
from skimb._types import Features
from skimb.data.batching import Batches, even_batches, plan_batches
from skimb.data.folds import Folds
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting import defaults
from skimb.fitting.counts import ClassCounts
from skimb.fitting.optimizer import optimizer_of
from skimb.fitting.parameters import FitParameters, ModelLike, WeightScheme
from skimb.fitting.recipe import (
    batch_size_of,
    divides_evenly,
    epochs_of,
    is_built_in,
    loss_of,
    model_name,
    rate_falls,
    uses_table_recipe,
)
from skimb.fitting.settings import Settings, chooses_members, settings_for
from skimb.losses.registry import LossSpec
from skimb.training.augmentation import Augmentation
from skimb.training.image_transformations import shifted, turned
from skimb.training.mask_augmentation import MaskAugmentation


@dataclass(frozen=True)
class Plan:
    """How a network is built and trained.

    Attributes
    ----------
    model : str, callable or keras.Model
        A name is that of a built-in network.
    dtype : str
        Of networks that are built here, or a Keras dtype policy.
    loss : LossSpec
        Not yet built, since it depends on the outputs of the network.
    optimizer : keras.optimizers.Optimizer
    learning_rates : list of float or None
        The learning rate of each epoch, where it is not the optimizer's own.
    epochs : int
    unweighted_epochs : int
        Epochs at the beginning without class weights.
    batches : Batches
        Which of the samples to train on go into which batch.
    class_weight, weight_power
        Scheme or numbers, and their exponent.
    augmentation : Augmentation or None
    settings : Settings or None
        What the members of a cross-fitted ensemble differ in. None without folds, and where a
        network is trained for each fold, one after the other.
    uses_table_recipe : bool
        Whether optimizer and network are the defaults for tables: strong weight decay, a falling
        learning rate, and a start at the frequencies of the classes.
    """

    model: ModelLike
    dtype: str
    loss: LossSpec
    optimizer: keras.optimizers.Optimizer
    learning_rates: list[float] | None
    epochs: int
    unweighted_epochs: int
    batches: Batches
    class_weight: WeightScheme
    weight_power: float
    augmentation: Augmentation | None
    settings: Settings | None
    uses_table_recipe: bool


def resolve(
    params: FitParameters,
    target: Target,
    counts: ClassCounts,
    train: Samples,
    resampled: Samples,
    folds: Folds | None,
    batches: Batches | None = None,
) -> Plan:
    """Resolve the parameters for the samples at hand.

    Parameters
    ----------
    params : FitParameters
    target : Target
    counts : ClassCounts
        Of the training samples.
    train, resampled : Samples
        The training samples, encoded, before and after resampling.
    folds : Folds or None
    batches : Batches or None, default=None
        Those of a stream, of which the samples are a part. None plans them for the samples.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not accepted.
    """
    loss_name, loss_arguments = loss_of(params)
    for name in ("target", "from_logits"):
        if name in loss_arguments:
            raise TypeError(
                f"loss__{name} is filled in by the estimator, from y and from the outputs of the "
                "network. Leave it out."
            )
    loss = losses.specification(loss_name, **loss_arguments)
    model = model_name(params, train.X.ndim)
    recipe = params.extent == "fit" and uses_table_recipe(params, train.n_axes)
    by_default = isinstance(params.class_weight, str) and params.class_weight == "auto"
    weighs_by_default = by_default and params.pos_weight is None
    by_scheme = "balanced" if weighs_by_default else None  # pos_weight alone means no others
    table_network = model == defaults.TABLE_NETWORK and isinstance(params.model, str)
    power = params.weight_power
    if power == "auto":
        power = defaults.WEIGHT_POWER if weighs_by_default and table_network else 1.0
    n_samples = len(train) if batches is None else batches.n_epoch_rows
    if batches is None:
        batches = batches_of(params, target, resampled.y, train.n_axes)
    epochs = epochs_of(params, train.n_axes, batches.n_batches, int(np.size(resampled.y)))
    in_one = recipe and params.sampler is None and not chooses_members(params)
    settings = None
    if folds and in_one:
        cosines = loss.traits.takes_cosines
        settings = settings_for(
            params, train, counts.weighted, folds.n_folds, takes_cosines=cosines
        )
    optimizer, rates = optimizer_of(
        params,
        scheduled=params.extent == "fit" and rate_falls(params, train.n_axes),
        epochs=epochs,
        n_steps=epochs * batches.n_batches,
        peak=_peak(params, recipe),
        weight_decay=defaults.weight_decay(counts.weighted) if recipe else 0.0,
        member_decay=settings.decay_of_members if settings else None,
    )
    return Plan(
        model=model,
        dtype=_network_dtype(params, model, train.X, n_samples),
        loss=loss,
        optimizer=optimizer,
        learning_rates=rates,
        epochs=epochs,
        unweighted_epochs=int(params.class_weight_start * epochs) if params.extent == "fit" else 0,
        batches=batches,
        class_weight=by_scheme if by_default else params.class_weight,
        weight_power=float(power),
        augmentation=_augmentation(params, target, counts, train),
        settings=settings,
        uses_table_recipe=recipe,
    )


def batches_of(params: FitParameters, target: Target, codes: np.ndarray, n_axes: int) -> Batches:
    """Return which samples, of X with this number of axes, go into which batch."""
    strata = codes if params.batching == "shuffled" else target.strata(codes)
    if divides_evenly(params, n_axes):
        return even_batches(len(codes), defaults.BATCH_SIZE)
    return plan_batches(params.batching, strata, batch_size_of(params, n_axes, len(codes)))


def _network_dtype(params: FitParameters, model: ModelLike, X: Features, n_samples: int) -> str:
    if params.dtype != "auto":
        try:
            return keras.dtype_policies.get(params.dtype).name
        except ValueError as error:
            raise ValueError(
                f"dtype={params.dtype!r} is unknown. Accepted are 'auto', 'float32', 'float64', "
                "and Keras's dtype policies such as 'mixed_bfloat16'."
            ) from error
    several = isinstance(model, str) and model == defaults.TABLE_NETWORK
    most = defaults.ENSEMBLE_FLOAT64_VALUES if several else defaults.FLOAT64_VALUES
    small = n_samples * int(np.prod(X.shape[1:])) <= most
    return "float64" if small and X.dtype == np.float64 else "float32"


def _peak(params: FitParameters, table_recipe: bool) -> float:
    """Return the largest learning rate where it falls."""
    if table_recipe:
        return defaults.LEARNING_RATE
    own = not isinstance(params.model, str)
    return defaults.OWN_LEARNING_RATE if own else defaults.IMAGE_LEARNING_RATE


def _augmentation(
    params: FitParameters, target: Target, counts: ClassCounts, train: Samples
) -> Augmentation | None:
    function = params.augmentation
    if isinstance(function, str):
        function = _default_augmentation(params, train)
    if function is None:
        return None
    if train.layout is not None:
        raise ValueError(
            f"augmentation={params.augmentation!r} is of one array, but X has several inputs. Put "
            "layers such as keras.layers.RandomFlip into the network, after the input that they "
            "change: they do nothing when predicting."
        )
    if inspect.isclass(function):
        raise TypeError(f"augmentation={function!r} is a class. Give an instance, or a function.")
    if target.per_pixel:
        return MaskAugmentation(function).checked(2, "two, a batch of images and masks")
    rare = counts.positive_class if params.augment_classes == "minority" else None
    return Augmentation(function, rare).checked(1, "a batch of samples")


def _default_augmentation(params: FitParameters, train: Samples) -> Callable[..., Any] | None:
    if params.extent == "initialize":
        return None
    if params.per_pixel:
        return turned
    images = is_built_in(params, train.n_axes, "cnn") and train.n_axes in (3, 4)
    return shifted if images else None
