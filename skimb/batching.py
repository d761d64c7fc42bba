"""Which rows go into which batch: one index array an epoch, planned in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ShuffledBatches:
    """Every row once an epoch, in random order; the last batch may be smaller.

    Parameters
    ----------
    n_rows : int
    batch_size : int
        Rows a batch, at most `n_rows`.
    """

    n_rows: int
    batch_size: int

    @property
    def n_batches(self) -> int:
        """Batches an epoch."""
        return -(-self.n_rows // self.batch_size)

    def epoch(self, rng: np.random.RandomState) -> np.ndarray:
        """Return the rows of one epoch in order, int32 of shape (n_rows,)."""
        return rng.permutation(self.n_rows).astype(np.int32)
