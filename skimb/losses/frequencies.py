"""Losses with a formula in the frequencies of the classes."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from keras import ops

from skimb._types import PerClass, Tensor
from skimb.losses.base import CommonArguments, ImbalancedLoss, per_class
from skimb.losses.traits import LossTraits


class FrequencyLoss(ImbalancedLoss):
    """Base class of the losses that compute a number for each class or label from its count.

    Subclasses define `derived`.
    """

    traits = LossTraits(corrects_frequencies=True)

    def __init__(
        self,
        *,
        class_counts: PerClass,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(**common)
        self.class_counts = per_class(class_counts, "class_counts")

    def derived(self) -> dict[str, np.ndarray]:
        """Return what the counts amount to: under each name one number a class or label."""
        raise NotImplementedError

    def numeric_values(self) -> dict[str, np.ndarray]:
        return {**super().numeric_values(), **self.derived()}

    def _value(self, name: str, z: Tensor) -> Any:
        """Return something of `derived`, or the tensor that the trainer has put in its place."""
        value = vars(self).get(name)
        value = self.derived()[name] if value is None else value
        value = ops.convert_to_tensor(value, dtype=z.dtype)
        n_expected = z.shape[-1]
        if n_expected == 1 and self._kind(z) == "binary":
            n_expected = 2
        if tuple(value.shape) != (n_expected,):
            raise ValueError(
                f"class_counts has the shape {np.shape(self.class_counts)}, but the network's "
                f"outputs mean {n_expected} classes or labels."
            )
        return value
