"""Metrics for rare classes: Keras metrics computed from logits, and scorers for scikit-learn.

Metrics that scikit-learn provides are in :mod:`sklearn.metrics`.
"""

from skimb.metrics.class_counts import BalancedAccuracy, FBeta, MinorityScore, Precision, Recall
from skimb.metrics.intervals import score_interval
from skimb.metrics.lesions import false_alarms_per_image, lesion_f1, lesion_recall
from skimb.metrics.masks import mean_dice
from skimb.metrics.row_means import MeanDice, PrecisionAtK
from skimb.metrics.scorers import (
    minority_score,
    minority_scorer,
    precision_at_k,
    precision_at_k_scorer,
)
from skimb.metrics.surfaces import hausdorff_distance_95, surface_dice

__all__ = [
    "BalancedAccuracy",
    "FBeta",
    "MeanDice",
    "MinorityScore",
    "Precision",
    "PrecisionAtK",
    "Recall",
    "false_alarms_per_image",
    "hausdorff_distance_95",
    "lesion_f1",
    "lesion_recall",
    "mean_dice",
    "minority_score",
    "minority_scorer",
    "precision_at_k",
    "precision_at_k_scorer",
    "score_interval",
    "surface_dice",
]
