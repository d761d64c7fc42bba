"""Decisions by threshold, rule, cost or set; correction of probabilities, calibration error."""

from skimb.probability.correction import (
    correct_focal,
    correct_prior,
    expected_calibration_error,
)
from skimb.probability.costs import cost_savings, expected_cost, min_cost
from skimb.probability.prior_shift import estimate_prior
from skimb.probability.sets import prediction_sets, set_thresholds
from skimb.probability.thresholds import apply_threshold, best_threshold

__all__ = [
    "apply_threshold",
    "best_threshold",
    "correct_focal",
    "correct_prior",
    "cost_savings",
    "estimate_prior",
    "expected_calibration_error",
    "expected_cost",
    "min_cost",
    "prediction_sets",
    "set_thresholds",
]
