"""The losses of the library by name, and a loss before it is built."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import keras

from skimb.losses.asymmetric import Asymmetric
from skimb.losses.base import ImbalancedLoss
from skimb.losses.boundary import Boundary
from skimb.losses.cl_dice import ClDice
from skimb.losses.cross_entropy import CrossEntropy
from skimb.losses.distribution_balanced import DistributionBalanced
from skimb.losses.focal import Focal
from skimb.losses.logit_adjustment import LDAM, LogitAdjusted, VectorScaling
from skimb.losses.lovasz import Lovasz
from skimb.losses.overlap import Dice, DiceCrossEntropy, GeneralizedDice, Tversky
from skimb.losses.pairwise import PairwiseAUC
from skimb.losses.partial_label import PartialLabel
from skimb.losses.rectification import ClassRectification
from skimb.losses.soft_counts import MinorityScore, SoftFBeta, SoftRecall
from skimb.losses.top_k import TopKCrossEntropy
from skimb.losses.traits import LossTraits, traits_of
from skimb.losses.unified_focal import UnifiedFocal

LossLike: TypeAlias = keras.losses.Loss | Callable[[Any, Any], Any]

LOSSES: dict[str, type[ImbalancedLoss]] = {
    "cross_entropy": CrossEntropy,
    "focal": Focal,
    "asymmetric": Asymmetric,
    "logit_adjusted": LogitAdjusted,
    "vector_scaling": VectorScaling,
    "ldam": LDAM,
    "distribution_balanced": DistributionBalanced,
    "soft_f_beta": SoftFBeta,
    "soft_recall": SoftRecall,
    "minority_score": MinorityScore,
    "dice": Dice,
    "generalized_dice": GeneralizedDice,
    "tversky": Tversky,
    "dice_cross_entropy": DiceCrossEntropy,
    "boundary": Boundary,
    "cl_dice": ClDice,
    "lovasz": Lovasz,
    "unified_focal": UnifiedFocal,
    "top_k_cross_entropy": TopKCrossEntropy,
    "pairwise_auc": PairwiseAUC,
    "class_rectification": ClassRectification,
    "partial_label": PartialLabel,
}

# what the estimators fill in, and what is of no use to search over
FILLED_IN = (
    "name", "reduction", "dtype", "target", "from_logits", "class_counts", "minority_class",
    "background",
)  # fmt: skip


@dataclass(frozen=True)
class LossSpec:
    """A loss before it is built: what it is, and its hyperparameters.

    Attributes
    ----------
    source : Loss class, Loss instance or callable
        What there is to build, or the loss itself.
    params : dict
        Hyperparameters for the constructor of a class.
    """

    source: Any
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def loss_class(self) -> type[keras.losses.Loss] | None:
        """The class of the loss, None for a function."""
        if inspect.isclass(self.source):
            return self.source
        return type(self.source) if isinstance(self.source, keras.losses.Loss) else None

    @property
    def traits(self) -> LossTraits:
        """Those of the class or the instance; a class may know more once it is built."""
        return traits_of(self.source)

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The parameters of the constructor."""
        return {} if self.loss_class is None else inspect.signature(self.loss_class).parameters

    def build(self, **known: Any) -> LossLike:
        """Build the loss.

        Parameters
        ----------
        **known
            What an estimator knows, such as ``from_logits`` and ``class_counts``: used where the
            constructor takes it and the user has not given it.
        """
        if not inspect.isclass(self.source):
            return self.source
        open_ended = any(p.kind is p.VAR_KEYWORD for p in self.parameters.values())
        filled = {
            name: value
            for name, value in known.items()
            if self.params.get(name) is None and (name in self.parameters or open_ended)
        }
        return self.source(**{**self.params, **filled})


def searchable(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Return the names of the hyperparameters that are a user's to set."""
    return [name for name in parameters if name not in FILLED_IN]
