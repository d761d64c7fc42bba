"""Training and inference on arrays, with a network, a loss and a batching scheme. No estimators."""

from skimb.training.blueprint import Blueprint
from skimb.training.cache import clear_cache
from skimb.training.dataset import Rows
from skimb.training.inference import outputs
from skimb.training.loop import OptimizerState, Trained, train
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
