"""Neural networks for rare classes, as scikit-learn estimators."""

# isort: off
from skimb._backend import tensorflow as _start  # noqa: F401  (first: TensorFlow starts quietly)

# isort: on
from skimb import (
    data,
    losses,
    metrics,
    networks,
    plotting,
    probability,
    training,
    weighting,
)
from skimb.estimators import (
    AutoencoderClassifier,
    AutoencoderOutlierDetector,
    ImbalancedNNClassifier,
    ImbalancedNNSegmenter,
)
from skimb.versions import show_versions

__version__ = "0.1.0"

__all__ = [
    "AutoencoderClassifier",
    "AutoencoderOutlierDetector",
    "ImbalancedNNClassifier",
    "ImbalancedNNSegmenter",
    "__version__",
    "data",
    "losses",
    "metrics",
    "networks",
    "plotting",
    "probability",
    "show_versions",
    "training",
    "weighting",
]
