"""Losses for rare classes, each a :class:`keras.losses.Loss` that takes logits.

They work in ``model.compile`` of any Keras backend and by name in the estimators.
"""

from skimb.losses.cross_entropy import CrossEntropy
from skimb.losses.focal import Focal
from skimb.losses.registry import available, get

__all__ = ["CrossEntropy", "Focal", "available", "get"]
