"""What a user asked for, before any "auto" is resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import keras
import numpy as np

from skimb._types import CV, Classes, Label, RandomState
from skimb.data.resampling import Sampler
from skimb.probability.costs import Costs
from skimb.probability.rules import RULE_WORDS, Rule
from skimb.training.distribution import Distribution

#: a name, a build function or class, or a network
ModelLike: TypeAlias = str | Callable[..., keras.Model] | keras.Model
#: a name, a class, an instance, or a function of targets and outputs
LossLike: TypeAlias = (
    str
    | Mapping[str, float]
    | type[keras.losses.Loss]
    | keras.losses.Loss
    | Callable[[Any, Any], Any]
)
#: a name, a class or an instance
OptimizerLike: TypeAlias = str | type[keras.optimizers.Optimizer] | keras.optimizers.Optimizer
#: "auto", a layer, or a function of a batch
AugmentationLike: TypeAlias = str | Callable[..., Any] | None
#: a scheme by name, weights by label, weights in the order of the classes, or none
WeightScheme: TypeAlias = str | Mapping[Any, float] | Sequence[float] | np.ndarray | None
#: a probability, one for each class or label, the name of a score, or a rule
ThresholdSpec: TypeAlias = float | Sequence[float] | np.ndarray | Mapping[Any, float] | str | Rule

Extent: TypeAlias = Literal["fit", "chunk", "initialize"]


@dataclass(frozen=True, kw_only=True)
class FitParameters:
    """The parameters of an estimator as a fit takes them.

    Parameters that an estimator does not have are at defaults under which they do nothing. Names
    and meanings are those of the constructors; what is listed here is added.

    Attributes
    ----------
    extent : {"fit", "chunk", "initialize"}
        How much is done: all of a fit, one epoch on a chunk of a stream, or all but the training.
    target : {"auto", "candidates", "reconstruction"}
        What kind of target y is.
    per_pixel : bool
        Whether y has a label for each pixel.
    model_arguments, optimizer_arguments, loss_arguments : dict
        The parameters routed by ``model__``, ``optimizer__`` and ``loss__``.
    callbacks : sequence of keras.callbacks.Callback
        Instances, built.
    estimator_params : dict
        All parameters of the estimator, for build functions that take ``params``.
    at_default : frozenset of str
        Which of ``"optimizer"`` and ``"loss"``, and what is routed to them, a user left alone: a
        network that the user compiled then decides.
    """

    model: ModelLike
    loss: LossLike
    optimizer: OptimizerLike = "adam"
    model_arguments: Mapping[str, Any] = field(default_factory=dict)
    loss_arguments: Mapping[str, Any] = field(default_factory=dict)
    optimizer_arguments: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[keras.callbacks.Callback] = ()
    estimator_params: Mapping[str, Any] = field(default_factory=dict)
    at_default: frozenset[str] = frozenset()

    extent: Extent = "fit"
    target: str = "auto"
    model_outputs: str = "auto"
    classes: Classes = None
    background: Label = None
    pos_label: Label = None
    class_weight: WeightScheme = None
    pos_weight: float | Sequence[float] | str | None = None
    weight_power: float | str = 1.0
    class_weight_start: float = 0.0
    class_prior: Sequence[float] | None = None

    epochs: int | str = "auto"
    batch_size: int | str = "auto"
    batching: str = "shuffled"
    sampler: Sampler | None = None
    resample_every_epoch: bool = False
    augmentation: AugmentationLike = None
    augment_classes: str = "all"
    normalize: bool | str = "auto"
    cv: CV = None
    warm_start: bool = False

    early_stopping: bool | str = False
    validation_fraction: float = 0.1
    monitor: str = "loss"
    patience: int = 10

    threshold: ThresholdSpec = 0.5
    costs: Costs | None = None
    contamination: float | str | None = None
    prior_correction: bool = False
    metrics: Sequence[str] | None = None
    scoring: str | Callable[..., float] = "f1"

    trainer: str = "auto"
    distribution: Distribution = None
    dtype: str = "auto"
    random_state: RandomState = None
    verbose: int = 0

    per_pixel: bool = False
    patch_size: int | tuple[int, int] | str | None = None
    patch_foreground: float = 1 / 3

    @property
    def reconstructs(self) -> bool:
        """Whether the network is an autoencoder."""
        return self.target == "reconstruction"

    @property
    def names_threshold(self) -> bool:
        """Whether the threshold is to be chosen, by a score or a rule."""
        return isinstance(self.threshold, str) or self.gives_rule

    @property
    def threshold_as_written(self) -> str:
        """The threshold for messages: a rule as the dict that the user wrote."""
        return str(self.threshold) if self.gives_rule else repr(self.threshold)

    @property
    def gives_rule(self) -> bool:
        """Whether the threshold is to be chosen by a rule."""
        given = self.threshold
        if isinstance(given, Mapping):  # as the user wrote it, before the labels are known
            return bool(given) and set(given) <= set(RULE_WORDS)
        return isinstance(given, Rule)
