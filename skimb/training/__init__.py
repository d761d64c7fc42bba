"""Training and inference: arrays, a network, a loss and a plan of batches, no estimators."""

from skimb.training.cache import clear_cache
from skimb.training.loop import Trained, outputs, train
from skimb.training.network import Blueprint, Network
from skimb.training.rows import Rows

__all__ = ["Blueprint", "Network", "Rows", "Trained", "clear_cache", "outputs", "train"]
