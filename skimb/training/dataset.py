"""Training data for the compiled loop: all of it in memory, or one block of samples at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import tensorflow as tf

from skimb._types import Tensor

# above this size, X is neither copied into TensorFlow's memory nor made dense as a whole
RESIDENT_BYTES = 2**30
BLOCK_BYTES = 2**26


@dataclass(frozen=True)
class Rows:
    """Features, targets and sample weights of the training set.

    Attributes
    ----------
    X : ndarray or scipy.sparse CSR matrix of shape (n_samples, ...)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or (n_samples, n_labels)
    dtype : str
        Dtype of the network's inputs.
    early_weight : ndarray of the shape of `weight` or None, default=None
        Sample weights of the first epochs, if they differ from `weight`.
    early_epochs : int, default=0
        Number of epochs that use `early_weight`.
    room : int or None, default=None
        Number of samples of the largest block of a stream, if these are a block of one.
    """

    X: Tensor
    y: np.ndarray
    weight: np.ndarray
    dtype: str
    early_weight: np.ndarray | None = None
    early_epochs: int = 0
    room: int | None = None
    _as_tensors: dict[tuple[str, int | None], Any] = field(
        default_factory=dict, init=False, repr=False
    )

    def __len__(self) -> int:
        return self.X.shape[0]

    def of_folds(self, trained: np.ndarray) -> Rows:
        """Return the rows with a weight for each member that is trained on some of them.

        Parameters
        ----------
        trained : ndarray of bool of shape (n_samples, n_folds)
            Which samples each member is trained on.

        Returns
        -------
        Rows
            With weights of shape (n_samples, n_folds) or (n_samples, n_folds, n_labels), whose mean
            is for each member what that of the samples was.
        """

        def of_members(weight: np.ndarray | None) -> np.ndarray | None:
            if weight is None:
                return None
            mask = trained.reshape(*trained.shape, *[1] * (weight.ndim - 1))
            each = weight[:, np.newaxis] * mask
            left = each.mean(axis=(0, *range(2, each.ndim)), keepdims=True)
            return (each * (weight.mean() / left)).astype(weight.dtype)

        weight = of_members(self.weight)
        assert weight is not None
        return replace(self, weight=weight, early_weight=of_members(self.early_weight))

    def take(self, rows: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return X (dense), y and weights of the samples at indices `rows`, for an epoch."""
        return dense(self.X[rows], self.dtype), self.y[rows], self._weight_in(epoch)[rows]

    def _weight_in(self, epoch: int) -> np.ndarray:
        if self.early_weight is not None and epoch < self.early_epochs:
            return self.early_weight
        return self.weight

    @property
    def resident(self) -> bool:
        """Whether the whole data set is copied into TensorFlow's memory."""
        return self._row_bytes * len(self) <= RESIDENT_BYTES

    @property
    def _row_bytes(self) -> int:
        n_features = int(np.prod(self.X.shape[1:], dtype=np.int64))
        others = sum(int(np.prod(a.shape[1:])) * a.itemsize for a in (self.y, self.weight))
        return n_features * np.dtype(self.dtype).itemsize + others

    def capacity(self, batch_size: int, n_rows: int | None = None) -> int:
        """Return the number of samples to compile a program for, by default for all of these.

        Cross-validation folds of nearly the same size, and the refit on all samples, get the same
        number, so that they share one compiled program.
        """
        if self.room is not None:
            return self.room
        n_rows = len(self) if n_rows is None else n_rows
        if not self.resident:
            return max(1, BLOCK_BYTES // (self._row_bytes * batch_size)) * batch_size
        room = 2 ** int(np.ceil(np.log2(max(n_rows, batch_size))))
        if (
            self._row_bytes * room > BLOCK_BYTES
        ):  # finer steps, since padding of large data is expensive
            step = room // 16
            room = -(-n_rows // step) * step
        return -(-room // batch_size) * batch_size

    def blocks(
        self, order: np.ndarray, batch_size: int, capacity: int | None, epoch: int
    ) -> Iterator[tuple[tuple[Any, Any, Any], np.ndarray]]:
        """Yield the samples of an epoch as arrays, each with the training order within them."""
        if self.resident:
            yield self._tensors(capacity, epoch), order
            return
        size = self.capacity(batch_size)
        for start in range(0, len(order), size):
            arrays = self.take(order[start : start + size], epoch)
            n_rows = len(arrays[1])
            X, y, weight = (_padded(array, capacity) for array in arrays)
            yield (X, y, weight), np.arange(n_rows, dtype=np.int32)

    def _tensors(self, capacity: int | None, epoch: int) -> tuple[Any, Any, Any]:
        weight = self._weight_in(epoch)
        name = "weight" if weight is self.weight else "early_weight"
        arrays = {"X": lambda: dense(self.X, self.dtype), "y": lambda: self.y, name: lambda: weight}
        for part, array in arrays.items():
            if (part, capacity) not in self._as_tensors:
                self._as_tensors[part, capacity] = _padded(array(), capacity)
        X, y, weights = (self._as_tensors[part, capacity] for part in arrays)
        return X, y, weights


def dense(X: Tensor, dtype: str) -> np.ndarray:
    """Return X as a dense array of a dtype."""
    return np.asarray(X.toarray() if sp.issparse(X) else X, dtype=dtype)


def _padded(array: np.ndarray, capacity: int | None) -> Any:
    """Return an array as a tensor, zero-padded to `capacity` samples unless that is None."""
    if capacity is None:
        return tf.convert_to_tensor(array)
    room = _aligned_zeros((capacity, *array.shape[1:]), array.dtype)
    room[: len(array)] = array
    # DLPack avoids the copy that convert_to_tensor makes
    return tf.experimental.dlpack.from_dlpack(room.__dlpack__())


def _aligned_zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros with the memory alignment that TensorFlow requires."""
    alignment = 64
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(n_bytes + alignment, np.uint8)
    start = -memory.ctypes.data % alignment
    return memory[start : start + n_bytes].view(dtype).reshape(shape)
