"""Pixels of masks as samples."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skimb.data.pixel_targets import some_pixels


@pytest.mark.parametrize("n_known", [30, 300])
def test_pixels_that_are_ignored_are_none_of_those_that_are_drawn(n_known):
    weight = np.zeros(1000)
    known = np.random.default_rng(0).choice(1000, n_known, replace=False)
    weight[known] = 1 + known
    y = np.arange(1000).reshape(10, 10, 10)
    found, logits, of_found = some_pixels(y, y[..., None], weight.reshape(y.shape), 100, seed=0)
    assert len(found) == min(n_known, 100)
    assert len(set(found)) == len(found)
    assert set(found) <= set(known)
    assert_array_equal(logits[:, 0], found)
    assert_array_equal(of_found, 1 + found)


def test_few_pixels_are_returned_as_they_are():
    y = np.arange(8).reshape(2, 2, 2)
    found, _, weight = some_pixels(y, y[..., None], np.array([1.0, 0.0]), 8, seed=0)
    assert_array_equal(found, np.arange(8))
    assert_array_equal(weight, np.repeat([1.0, 0.0], 4))
