"""Outputs of a network for arrays of any length, computed in chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from skimb._backend.quiet import in_one_thread, without_remarks
from skimb._types import Tensor
from skimb.training.cache import forward_passes
from skimb.training.dataset import dense
from skimb.training.network import Forward, Network

#: of the widest layer of a forward pass
FORWARD_BYTES = 2**25

# above this size, a forward pass is worth several threads
FEW_BYTES = 2**16


def _forward_shape(network: Network, X: Tensor) -> tuple[int | None, ...]:
    """Return the sample shape that a forward pass is compiled for."""
    inputs = getattr(network.blueprint.example, "inputs", None) or []
    # a network for images of any size uses one program for all sizes
    if len(inputs) == 1 and None in inputs[0].shape[1:]:
        return tuple(inputs[0].shape[1:])
    return X.shape[1:]


def outputs(
    network: Network, X: Tensor, dtype: str, values: Sequence[Any] | None = None
) -> np.ndarray:
    """Return the network's outputs for X, computed in chunks.

    Parameters
    ----------
    network : Network
    X : ndarray or sparse matrix of shape (n_samples, ...)
    dtype : str
        Dtype of the network's inputs.
    values : sequence or None, default=None
        Values to use for the network's variables, for instance during training. None uses its own.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
    """
    blueprint = network.blueprint
    row_shape = _forward_shape(network, X)
    key = (blueprint.key or blueprint, row_shape, dtype)
    # feature maps are larger than the image, also where it may have any size
    convolves = any("Conv" in name for name in blueprint.layer_types)
    n_values = int(np.prod(X.shape[1:])) * (16 if convolves else 1)
    per_sample = max(n_values, blueprint.widest) * np.dtype(dtype).itemsize
    chunk = max(1, FORWARD_BYTES // per_sample)
    # a network of the user's own may have operations that need other threads, as a GPU does
    few = blueprint.built_by is not None and X.shape[0] * per_sample <= FEW_BYTES
    values = network.tensors if values is None else values
    with (
        without_remarks(blueprint.example),
        in_one_thread(few and not tf.config.get_visible_devices("GPU")),
        forward_passes.borrow(key, lambda: Forward(blueprint.build(), row_shape, dtype)) as ask,
    ):
        parts = [
            np.array(ask(values, dense(X[start : start + chunk], dtype)).numpy())
            for start in range(0, X.shape[0], chunk)
        ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
