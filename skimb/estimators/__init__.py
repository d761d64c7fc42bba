"""The estimators: constructors, docstrings, and methods that read, call and keep the state."""

from skimb.estimators.anomaly import AutoencoderClassifier, AutoencoderOutlierDetector
from skimb.estimators.classifier import ImbalancedNNClassifier
from skimb.estimators.segmenter import ImbalancedNNSegmenter

__all__ = [
    "AutoencoderClassifier",
    "AutoencoderOutlierDetector",
    "ImbalancedNNClassifier",
    "ImbalancedNNSegmenter",
]
