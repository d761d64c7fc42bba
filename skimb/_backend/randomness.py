"""Seeding: all randomness of a fit derives from its ``random_state``.

The state of the process-wide generators is restored afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from tensorflow.python.eager import context

from skimb._backend.process_lock import locked
from skimb._types import RandomState

MAX_SEED = np.iinfo(np.int32).max

_KERAS_GENERATOR = "global_seed_generator"
_KERAS_DTYPE = "dtype_policy"


def generator(random_state: RandomState) -> np.random.RandomState:
    """Return a NumPy RandomState for a scikit-learn ``random_state``.

    Unlike in :func:`sklearn.utils.check_random_state`, None is a new generator and not NumPy's
    global one, which is unchanged.
    """
    if random_state is None:
        return np.random.RandomState()
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(random_state)


def draw_seed(rng: np.random.RandomState) -> int:
    """Sample a seed for another generator."""
    return int(rng.randint(1, MAX_SEED))


@contextmanager
def process_state(
    seed: int,
    *,
    dtype: str | None = None,
    keras_generator: Any = None,
    fresh_kernels: bool = False,
) -> Iterator[None]:
    """Seed the generators of Python, NumPy, Keras and TensorFlow, and restore them on exit.

    Parameters
    ----------
    seed : int
        Seed of all generators inside the block.
    dtype : str or None, default=None
        Default dtype or dtype policy of Keras inside the block.
    keras_generator : keras.random.SeedGenerator or None, default=None
        Generator for Keras's unseeded operations inside the block. None is one from `seed`.
    fresh_kernels : bool, default=False
        Whether to clear TensorFlow's kernel cache first, and with it the state of random operations
        in functions traced earlier. Every compiled program is then optimised again.
    """
    with locked():
        restorers = [_saved_generators(), _saved_dtype(), _saved_tensorflow_seed()]
        try:
            random.seed(seed)
            np.random.seed(seed)
            global_state.set_global_attribute(_KERAS_GENERATOR, keras_generator or _Generator())
            if fresh_kernels:
                tf.random.set_seed(seed)
            else:
                vars(context.context()).update(_seed=seed, _rng=_SeedsForOperations(seed))
            if dtype is not None:
                policy = keras.dtype_policies.get(dtype)
                keras.config.set_floatx(policy.variable_dtype)
                global_state.set_global_attribute(_KERAS_DTYPE, policy)
            yield
        finally:
            for restore in restorers:
                restore()


@contextmanager
def default_floats(dtype: str) -> Iterator[None]:
    """Let Keras make numbers of this dtype inside the block, if it is one of floats."""
    with locked():
        restore = _saved_dtype()
        try:
            if "float" in dtype:
                keras.config.set_floatx(dtype)
            yield
        finally:
            restore()


class _Generator:
    """Generator of Keras's unseeded operations, made when one of them is the first to need it.

    Keras would make one in the same way, but with another name each time. TensorFlow caches a
    kernel for every name of a variable, 35 KiB that are never freed.
    """

    @cached_property
    def _made(self) -> keras.random.SeedGenerator:
        return keras.random.SeedGenerator(name="seed_generator")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)


class _SeedsForOperations(random.Random):
    """Source of the seeds of TensorFlow's random operations.

    TensorFlow caches the kernels of these operations with their random state, which has to be
    reset. But every compiled program is optimised again after the kernel cache is cleared. So it is
    cleared only when an operation requests a seed, which those of Keras never do.
    """

    _asked = False

    def randint(self, a: int, b: int) -> int:
        if not self._asked:
            self._asked = True
            context.context().clear_kernel_cache()
        return super().randint(a, b)


def _saved_generators() -> Callable[[], None]:
    python_state, numpy_state = random.getstate(), np.random.get_state()
    keras_generator = global_state.get_global_attribute(_KERAS_GENERATOR)

    def restore() -> None:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        global_state.set_global_attribute(_KERAS_GENERATOR, keras_generator)

    return restore


def _saved_dtype() -> Callable[[], None]:
    floatx, policy = keras.config.floatx(), global_state.get_global_attribute(_KERAS_DTYPE)

    def restore() -> None:
        keras.config.set_floatx(floatx)
        global_state.set_global_attribute(_KERAS_DTYPE, policy)

    return restore


def _saved_tensorflow_seed() -> Callable[[], None]:
    # Saved because a build function may call keras.utils.set_random_seed. TensorFlow has no public
    # function to read or restore its seed.
    eager = context.context()
    saved = {name: getattr(eager, name) for name in ("_seed", "_rng") if hasattr(eager, name)}
    position = saved["_rng"].getstate() if "_rng" in saved else None

    def restore() -> None:
        vars(eager).update(saved)
        if position is None:
            vars(eager).pop("_rng", None)
        else:
            saved["_rng"].setstate(position)

    return restore
