"""Training and inference: arrays, a network, a loss and a plan of batches, no estimators."""

from skimb.training.blueprint import Blueprint
from skimb.training.cache import clear_cache
from skimb.training.dataset import Rows
from skimb.training.loop import OptimizerState, Trained, outputs, train
from skimb.training.network import Network

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
