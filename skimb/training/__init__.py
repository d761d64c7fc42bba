"""Training and inference: arrays, a network, a loss and a plan of batches, no estimators."""

from skimb.training.cache import clear_cache
from skimb.training.loop import OptimizerState, Trained, outputs, train
from skimb.training.network import Network
from skimb.training.rows import Rows
from skimb.training.structure import Blueprint

__all__ = [
    "Blueprint",
    "Network",
    "OptimizerState",
    "Rows",
    "Trained",
    "clear_cache",
    "outputs",
    "train",
]
