"""The random state of the process inside a block, and after it."""

import random

import keras
import numpy as np
from keras.src.random.seed_generator import global_seed_generator

from skimb._backend.randomness import process_state


def test_unseeded_operations_draw_what_keras_draws_after_the_same_seed():
    random.seed(3)
    keras.src.backend.common.global_state.set_global_attribute("global_seed_generator", None)
    expected = [np.asarray(keras.random.normal((4,))) for _ in range(2)]
    with process_state(seed=3):
        found = [np.asarray(keras.random.normal((4,))) for _ in range(2)]
    np.testing.assert_array_equal(found, expected)


def test_generators_of_unseeded_operations_share_a_name():
    """TensorFlow keeps 35 KiB for good for each name that a variable has had."""
    names = set()
    for seed in range(3):
        with process_state(seed=seed):
            keras.random.normal((1,))
            names.add(global_seed_generator().state.path)
    assert len(names) == 1


def test_the_generator_outside_a_block_is_as_it_was():
    keras.random.normal((1,))
    before = global_seed_generator(), np.asarray(global_seed_generator().state)
    with process_state(seed=0):
        keras.random.normal((1,))
    assert global_seed_generator() is before[0]
    np.testing.assert_array_equal(global_seed_generator().state, before[1])
