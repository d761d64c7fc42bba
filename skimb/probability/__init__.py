"""Decision thresholds, prior and focal correction of probabilities, and calibration error."""

from skimb.probability.correction import (
    correct_focal,
    correct_prior,
    expected_calibration_error,
)
from skimb.probability.thresholds import apply_threshold, best_threshold

__all__ = [
    "apply_threshold",
    "best_threshold",
    "correct_focal",
    "correct_prior",
    "expected_calibration_error",
]
