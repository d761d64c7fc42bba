"""What comes in: targets, tables, images and masks, splits, resampling and batches.

Public is the container of several inputs of one network, of which scikit-learn can take samples.
"""

from skimb.data.inputs import Inputs

__all__ = ["Inputs"]
