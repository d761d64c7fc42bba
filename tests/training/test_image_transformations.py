"""The default augmentation of images: what it moves, and what it leaves as it is."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skimb.training.image_transformations import shifted, turned


def positions_of(image):
    """The eight positions of a square."""
    turns = [np.rot90(image, k) for k in range(4)]
    return turns + [turn[:, ::-1] for turn in turns]


def seeded(function, *args):
    keras.utils.set_random_seed(0)
    results = function(*args)
    return [np.asarray(r) for r in results] if isinstance(results, tuple) else np.asarray(results)


def standardized(images):
    axes = tuple(range(1, images.ndim))
    centred = images - images.mean(axis=axes, keepdims=True)
    return centred / centred.std(axis=axes, keepdims=True)


def test_images_and_masks_are_in_one_of_eight_positions_and_in_the_same():
    rng = np.random.default_rng(0)
    images, masks = rng.normal(size=(64, 6, 6, 2)), rng.integers(0, 2, (64, 6, 6, 3)).astype(float)
    moved, moved_masks = seeded(turned, images, masks)
    found = []
    for image, mask, now, mask_now in zip(images, masks, moved, moved_masks, strict=True):
        matches = [
            np.allclose(standardized(was[None, ..., 0]), standardized(now[None, ..., 0]), atol=1e-5)
            and np.array_equal(was_mask, mask_now)
            for was, was_mask in zip(positions_of(image), positions_of(mask), strict=True)
        ]
        assert sum(matches) == 1
        found.append(matches.index(True))
    assert set(found) == set(range(8))


def test_images_that_are_not_square_are_flipped_and_not_turned():
    rng = np.random.default_rng(0)
    images, masks = rng.normal(size=(32, 4, 7)), rng.integers(0, 2, (32, 4, 7, 1)).astype(float)
    moved, moved_masks = seeded(turned, images, masks)
    assert moved.shape == images.shape
    for mask, now in zip(masks, moved_masks, strict=True):
        flips = [mask, mask[::-1], mask[:, ::-1], mask[::-1, ::-1]]
        assert any(np.array_equal(flip, now) for flip in flips)


def test_brightness_and_contrast_change_in_units_of_the_images():
    rng = np.random.default_rng(0)
    images, masks = rng.normal(100, 20, (400, 8, 8)), np.zeros((400, 8, 8, 1))
    for factor in (1.0, 1000.0):
        moved, _ = seeded(turned, factor * images, masks)
        gain = moved.std(axis=(1, 2)) / (factor * images).std(axis=(1, 2))
        offset = (moved - factor * images.mean()).mean(axis=(1, 2)) / (factor * 20)
        assert abs(gain.mean() - 1) < 0.05
        assert abs(gain.std() - 0.25) < 0.04
        assert abs(offset.std() - 0.25) < 0.06


def test_images_of_one_value_stay_as_they_are():
    images = np.full((3, 8, 8), 7.0)
    assert_allclose(seeded(shifted, images), images)
    assert_allclose(seeded(turned, images, images[..., None])[0], images)


@pytest.mark.slow
def test_digits_are_shifted_by_at_most_a_pixel_and_never_flipped():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 28, 28, 1))
    offsets = set()
    for seed in range(30):
        keras.utils.set_random_seed(seed)
        moved = np.asarray(shifted(images))
        inner = moved[:, 2:-2, 2:-2]
        fits = [
            (dy, dx)
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            if np.allclose(
                standardized(images[:, 2 + dy : 26 + dy, 2 + dx : 26 + dx]),
                standardized(inner),
                atol=1e-4,
            )
        ]
        assert len(fits) == 1
        offsets.add(fits[0])
    assert len(offsets) == 9


def test_the_smallest_images_are_not_shifted():
    images = np.random.default_rng(0).normal(size=(4, 5, 5))
    assert_allclose(standardized(seeded(shifted, images)), standardized(images), atol=1e-5)


def test_labels_of_masks_are_exact():
    masks = np.random.default_rng(0).integers(0, 200, (8, 6, 6, 2)).astype("float32")
    _, moved = seeded(turned, np.zeros((8, 6, 6), "float32"), masks)
    assert_array_equal(np.sort(moved, axis=None), np.sort(masks, axis=None))
