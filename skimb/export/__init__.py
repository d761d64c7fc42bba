"""Fitted estimators as plain Keras models, which load without skimb."""

from skimb.export.features import input_names
from skimb.export.model import exported

__all__ = ["exported", "input_names"]
