"""Built-in networks, returned as an uncompiled :class:`keras.Model`.

Classifiers output logits, and the autoencoder outputs reconstructed samples.
"""

from skimb.networks.ensemble import members_of, mlp_ensemble, with_members
from skimb.networks.features import with_features
from skimb.networks.images import cnn, unet
from skimb.networks.initialization import (
    initial_values,
    intervals_of,
    standardizes,
    with_intervals,
    with_last_bias,
    with_pairs,
    with_statistics,
)
from skimb.networks.layers import Cosines, Jitter
from skimb.networks.normalization import SteadyNormalization
from skimb.networks.selective import SelectiveDense
from skimb.networks.sizes import AddChannel, CropToSize, PadToMultiple
from skimb.networks.tables import autoencoder, mlp
from skimb.networks.trees import SoftTrees

__all__ = [
    "AddChannel",
    "Cosines",
    "CropToSize",
    "Jitter",
    "PadToMultiple",
    "SelectiveDense",
    "SoftTrees",
    "SteadyNormalization",
    "autoencoder",
    "cnn",
    "initial_values",
    "intervals_of",
    "members_of",
    "mlp",
    "mlp_ensemble",
    "standardizes",
    "unet",
    "with_features",
    "with_intervals",
    "with_last_bias",
    "with_members",
    "with_pairs",
    "with_statistics",
]
