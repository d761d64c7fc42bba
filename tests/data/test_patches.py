"""Patches of images: where they lie, what they show, and that they are the images' own pixels."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skimb.data.labels import infer
from skimb.data.patches import patches_of
from skimb.data.samples import Samples, Schema


def samples_of(X, y, weight=None):
    weight = np.ones(len(X)) if weight is None else weight
    schema = Schema(X.shape[1], None, X.shape[1:])
    return Samples(X, y, weight, schema, np.arange(len(X)), len(X))


def numbered(n, height, width):
    """Images whose pixels are all different."""
    return np.arange(n * height * width, dtype="float64").reshape(n, height, width)


def draw(y, size=(8, 6), foreground=1 / 3, weight=None, seed=0, most=10**9, classes=(0, 1)):
    X = numbered(*y.shape)
    target = infer(np.resize(classes, y.shape), classes=classes)
    return X, patches_of(samples_of(X, y, weight), target, size, foreground, most, seed)


def lesions(n=6, height=40, width=30, seed=0):
    rng = np.random.default_rng(seed)
    y = np.zeros((n, height, width), int)
    for i in range(1, n):
        y[i, rng.integers(height), rng.integers(width)] = 1
    return y


def test_a_patch_is_cut_out_of_image_and_mask_at_the_same_place():
    y = lesions()
    _, patches = draw(y)
    drawn = patches()
    assert drawn.X.shape == drawn.y.shape == (len(drawn), 8, 6)
    assert drawn.are_patches
    place = drawn.X.astype(int)  # the pixels say where they come from
    assert_array_equal(drawn.y, y.ravel()[place])
    assert (np.diff(place, axis=2) == 1).all()
    assert (np.diff(place, axis=1) == y.shape[2]).all()


def test_every_epoch_has_other_patches_and_the_same_seed_has_the_same():
    y = lesions()
    _, patches = draw(y)
    first, second = patches(), patches()
    _, again = draw(y)
    assert not np.array_equal(first.X, second.X)
    assert_array_equal(first.X, again().X)
    assert_array_equal(second.X, again().X)


def test_an_epoch_has_as_many_pixels_as_the_images_up_to_a_limit():
    y = lesions()
    _, patches = draw(y)
    assert abs(patches().y.size - y.size) <= 8 * 6
    _, patches = draw(y, most=1000)
    assert abs(patches().y.size - 1000) <= 8 * 6


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_patches_shows_a_single_pixel_of_foreground(share):
    y = lesions(n=10, height=64, width=64)
    _, patches = draw(y, size=(8, 8), foreground=share)
    shown = np.mean([patches().y.any(axis=(1, 2)).mean() for _ in range(10)])
    by_chance = 9 * 64 / y.size  # where a patch of 8 x 8 may lie around one of 9 pixels
    assert abs(shown - (share + (1 - share) * by_chance)) < 0.03


def test_the_rarest_class_is_shown_as_often_as_the_others():
    y = np.zeros((12, 40, 40), int)
    y[:, :8] = 1
    y[0, 30, 30] = 2
    _, patches = draw(y, size=(6, 6), foreground=1.0, classes=(0, 1, 2))
    drawn = patches().y
    assert abs((drawn == 2).any(axis=(1, 2)).mean() - 0.5) < 0.05


def test_pixels_without_weight_are_neither_foreground_nor_a_place_for_patches():
    y = np.ones((3, 40, 40), int)
    weight = np.zeros(y.shape)
    weight[:, :20, :20] = 1.0
    y[:, :20, :20] = 0
    y[1, 10, 10] = 1
    _, patches = draw(y, size=(4, 4), weight=weight)
    drawn = patches()
    assert drawn.weight.any(axis=(1, 2)).all()
    assert_array_equal(drawn.weight, weight.ravel()[drawn.X.astype(int)])
    counted = (drawn.y == 1) & (drawn.weight > 0)
    assert abs(counted.any(axis=(1, 2)).mean() - 1 / 3) < 0.1


def test_weights_of_images_go_with_their_patches():
    y = lesions()
    weight = np.arange(1.0, len(y) + 1)
    _, patches = draw(y, weight=weight)
    drawn = patches()
    image = drawn.X[:, 0, 0].astype(int) // y[0].size
    assert_array_equal(drawn.weight, weight[image])


def test_images_without_foreground_are_cut_all_the_same():
    _, patches = draw(np.zeros((3, 20, 20), int))
    assert len(patches()) > 0


def test_every_pixel_is_reached():
    y = np.zeros((1, 12, 12), int)
    _, patches = draw(y, size=(4, 4))
    seen = np.unique(np.concatenate([patches().X.ravel() for _ in range(50)]))
    assert len(seen) == y.size
