"""Displays in the manner of scikit-learn's; Matplotlib is imported when one is drawn."""

from skimb.plotting.class_balance import ClassBalanceDisplay
from skimb.plotting.expected_cost import CostDisplay
from skimb.plotting.segmentation import SegmentationDisplay
from skimb.plotting.threshold import ThresholdDisplay
from skimb.plotting.training import TrainingDisplay
from skimb.plotting.weight_search import WeightSearchDisplay

__all__ = [
    "ClassBalanceDisplay",
    "CostDisplay",
    "SegmentationDisplay",
    "ThresholdDisplay",
    "TrainingDisplay",
    "WeightSearchDisplay",
]
