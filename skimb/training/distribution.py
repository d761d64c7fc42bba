"""Several devices in one training, by ``tf.distribute``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import tensorflow as tf


def strategy(distribution: Any) -> tf.distribute.Strategy | None:
    """Return the strategy that an estimator's `distribution` stands for.

    Parameters
    ----------
    distribution : {"mirrored"}, tf.distribute.Strategy, callable or None

    Raises
    ------
    TypeError
        If a function returns something else.
    """
    if distribution is None or isinstance(distribution, tf.distribute.Strategy):
        return distribution
    made = _made(distribution)
    if not isinstance(made, tf.distribute.Strategy):
        name = getattr(distribution, "__name__", repr(distribution))
        raise TypeError(
            f"distribution={name} returned {made!r}. Accepted are 'mirrored', a "
            "tf.distribute.Strategy, a function or class that returns one, and None."
        )
    return made


# Strategies number what their devices tell each other, each from the same number on, and TensorFlow
# takes two of the same number in one process for one. So there is one strategy for all fits.
@lru_cache(maxsize=8)
def _made(distribution: Any) -> Any:
    return tf.distribute.MirroredStrategy() if distribution == "mirrored" else distribution()
