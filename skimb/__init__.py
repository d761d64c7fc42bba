"""Neural networks for rare classes, as scikit-learn estimators."""

from skimb import (
    _tensorflow,  # noqa: F401  (first: it keeps TensorFlow quiet while it starts)
    losses,
    metrics,
    networks,
    plotting,
    probability,
    training,
    weighting,
)
from skimb.estimators.anomaly import AutoencoderClassifier, AutoencoderOutlierDetector
from skimb.estimators.classifier import ImbalancedNNClassifier
from skimb.estimators.segmenter import ImbalancedNNSegmenter
from skimb.versions import show_versions

__version__ = "0.1.0"

__all__ = [
    "AutoencoderClassifier",
    "AutoencoderOutlierDetector",
    "ImbalancedNNClassifier",
    "ImbalancedNNSegmenter",
    "__version__",
    "losses",
    "metrics",
    "networks",
    "plotting",
    "probability",
    "show_versions",
    "training",
    "weighting",
]
