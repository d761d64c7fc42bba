"""Distances to the boundary of a mask against SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy.ndimage import distance_transform_edt

from skimb.losses import Boundary
from skimb.losses.distances import signed_distances


def by_scipy(mask):
    if mask.all() or not mask.any():
        return np.zeros(mask.shape)
    inside, outside = distance_transform_edt(mask), distance_transform_edt(~mask)
    return np.where(mask, 0.5 - inside, outside - 0.5)


@pytest.mark.parametrize("density", [0.005, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (8, 8), (13, 31), (4, 5, 6), (11,)])
def test_equal_to_the_exact_distance_transform(size, density):
    masks = np.random.default_rng(0).random((5, *size, 2)) < density
    masks[0] = False
    masks[0][tuple(s // 3 for s in size)] = True
    found = signed_distances(tf.constant(masks), tf.ones_like(masks), "float64")
    expected = [[by_scipy(image[..., k]) for k in range(2)] for image in masks]
    assert_allclose(found, np.moveaxis(expected, 1, -1), rtol=1e-12)


def test_large_image_with_one_pixel_is_exact_in_single_precision():
    mask = np.zeros((1, 96, 512, 1), bool)
    mask[0, 90, 3] = True
    found = signed_distances(tf.constant(mask), tf.ones_like(mask), "float32")
    assert_allclose(found[0, ..., 0], by_scipy(mask[0, ..., 0]), rtol=1e-6)


def test_unknown_pixels_are_on_neither_side():
    mask = np.zeros((1, 1, 5, 1), bool)
    mask[0, 0, :2] = True
    counted = np.ones_like(mask)
    counted[0, 0, 1] = False
    found = signed_distances(tf.constant(mask), tf.constant(counted), "float32")
    assert_allclose(np.asarray(found)[counted], [-1.5, 1.5, 2.5, 3.5])


@pytest.mark.slow
def test_images_of_unknown_size_raise():
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1))] * 2)
    def traced(y, z):
        return Boundary()(y, z)

    with pytest.raises(ValueError, match="images of a known size"):
        traced(tf.zeros((1, 4, 4, 1)), tf.zeros((1, 4, 4, 1)))
