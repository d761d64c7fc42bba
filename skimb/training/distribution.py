"""Distributed training on several devices with ``tf.distribute``."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import tensorflow as tf

#: "mirrored", a strategy of TensorFlow, or what returns one
Distribution: TypeAlias = str | tf.distribute.Strategy | Callable[[], tf.distribute.Strategy] | None


def strategy(distribution: Distribution) -> tf.distribute.Strategy | None:
    """Return the strategy for an estimator's parameter `distribution`.

    Parameters
    ----------
    distribution : {"mirrored"}, tf.distribute.Strategy, callable or None

    Raises
    ------
    TypeError
        If a function does not return a strategy.
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


# Each strategy numbers its collective operations from the same start, and TensorFlow confuses those
# of the same number in one process. So all fits share one strategy.
@lru_cache(maxsize=8)
def _made(distribution: Any) -> Any:
    return tf.distribute.MirroredStrategy() if distribution == "mirrored" else distribution()
