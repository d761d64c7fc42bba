"""Losses for rare classes, each a :class:`keras.losses.Loss` that takes logits.

They work in ``model.compile`` of any Keras backend and by name in the estimators.
"""

from skimb.losses.asymmetric import Asymmetric
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
from skimb.losses.registry import LossSpec, available, get, specification
from skimb.losses.soft_counts import MinorityScore, SoftFBeta, SoftRecall
from skimb.losses.top_k import TopKCrossEntropy
from skimb.losses.traits import LossTraits
from skimb.losses.unified_focal import UnifiedFocal
from skimb.losses.weighted_sum import WeightedSum

__all__ = [
    "LDAM",
    "Asymmetric",
    "Boundary",
    "ClDice",
    "ClassRectification",
    "CrossEntropy",
    "Dice",
    "DiceCrossEntropy",
    "DistributionBalanced",
    "Focal",
    "GeneralizedDice",
    "LogitAdjusted",
    "LossSpec",
    "LossTraits",
    "Lovasz",
    "MinorityScore",
    "PairwiseAUC",
    "PartialLabel",
    "SoftFBeta",
    "SoftRecall",
    "TopKCrossEntropy",
    "Tversky",
    "UnifiedFocal",
    "VectorScaling",
    "WeightedSum",
    "available",
    "get",
    "specification",
]
