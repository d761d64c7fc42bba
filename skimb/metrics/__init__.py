"""What counts where classes are rare: Keras metrics that take logits, and scores for scikit-learn.

The scores that scikit-learn has are in :mod:`sklearn.metrics`.
"""

from skimb.metrics.class_counts import BalancedAccuracy, FBeta, MinorityScore, Precision, Recall
from skimb.metrics.masks import mean_dice
from skimb.metrics.row_means import MeanDice, PrecisionAtK
from skimb.metrics.scorers import (
    minority_score,
    minority_scorer,
    precision_at_k,
    precision_at_k_scorer,
)

__all__ = [
    "BalancedAccuracy",
    "FBeta",
    "MeanDice",
    "MinorityScore",
    "Precision",
    "PrecisionAtK",
    "Recall",
    "mean_dice",
    "minority_score",
    "minority_scorer",
    "precision_at_k",
    "precision_at_k_scorer",
]
