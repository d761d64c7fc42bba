"""Metrics for rare classes: Keras metrics computed from logits, and scorers for scikit-learn.

Metrics that scikit-learn provides are in :mod:`sklearn.metrics`.
"""

from skimb.metrics.class_counts import BalancedAccuracy, FBeta, MinorityScore, Precision, Recall
from skimb.metrics.intervals import score_interval
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
    "score_interval",
]
