"""Losses for rare classes, each a :class:`keras.losses.Loss` that takes logits.

They work in ``model.compile`` of any Keras backend and by name in the estimators.
"""

from skimb.losses.asymmetric import Asymmetric
from skimb.losses.cross_entropy import CrossEntropy
from skimb.losses.distribution_balanced import DistributionBalanced
from skimb.losses.focal import Focal
from skimb.losses.logit_adjustment import LDAM, LogitAdjusted, VectorScaling
from skimb.losses.overlap import Dice, DiceCrossEntropy, GeneralizedDice, Tversky
from skimb.losses.pairwise import PairwiseAUC
from skimb.losses.partial_label import PartialLabel
from skimb.losses.rectification import ClassRectification
from skimb.losses.registry import LossSpec, available, get, specification
from skimb.losses.soft_counts import MinorityScore, SoftFBeta, SoftRecall
from skimb.losses.traits import LossTraits

__all__ = [
    "LDAM",
    "Asymmetric",
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
    "MinorityScore",
    "PairwiseAUC",
    "PartialLabel",
    "SoftFBeta",
    "SoftRecall",
    "Tversky",
    "VectorScaling",
    "available",
    "get",
    "specification",
]
