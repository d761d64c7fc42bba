"""Augmentation of images together with their masks and the weights of their pixels."""

import keras
import numpy as np
import pytest
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skimb import ImbalancedNNSegmenter
from skimb.training.mask_augmentation import MaskAugmentation

RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 3, (6, 8, 8)).astype("int32")
# an image that says what its mask and the weights of its pixels are
WEIGHT = 1.0 + CODES % 2 + RNG.integers(0, 2, CODES.shape)
IMAGES = np.stack([CODES, WEIGHT], axis=-1).astype("float32")

MOVING = {
    "flip": layers.RandomFlip(seed=1),
    "rotation": layers.RandomRotation(0.5, interpolation="nearest", seed=1),
    "zoom": layers.RandomZoom(0.4, interpolation="nearest", seed=1),
    "translation": layers.RandomTranslation(0.3, 0.3, interpolation="nearest", seed=1),
    "pipeline": layers.Pipeline([layers.RandomFlip(seed=1), layers.RandomFlip(seed=2)]),
    "sequential": keras.Sequential([layers.RandomFlip(seed=1), layers.RandomFlip(seed=2)]),
}


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("encoded", ["codes", "one-hot"])
def test_masks_and_weights_move_with_the_image(name, encoded):
    y = CODES if encoded == "codes" else np.eye(3, dtype="float32")[CODES]
    augmentation = MaskAugmentation(MOVING[name]).copy()
    images, masks, weight = map(np.asarray, augmentation(IMAGES, y, WEIGHT.astype("float32")))
    assert not np.array_equal(images, IMAGES)
    codes = masks if encoded == "codes" else masks.argmax(axis=-1)
    assert_array_equal(codes, images[..., 0])
    assert_allclose(weight, images[..., 1])
    assert masks.dtype == y.dtype


def test_weights_of_images_stay():
    weight = np.arange(6, dtype="float32")
    _, masks, found = MaskAugmentation(MOVING["flip"])(IMAGES[..., :1], CODES, weight)
    assert_array_equal(found, weight)
    assert masks.shape == CODES.shape


@pytest.mark.parametrize("fill_value", [0.0, 1.0, 255.0])
def test_what_is_filled_in_from_outside_is_void(fill_value):
    layer = layers.RandomTranslation(
        (0.5, 0.5), 0.0, fill_mode="constant", fill_value=fill_value, interpolation="nearest"
    )
    masks = np.asarray(MaskAugmentation(layer)(IMAGES, CODES, WEIGHT)[1])
    assert_array_equal(masks[:, :4], -1)
    assert_array_equal(masks[:, 4:], CODES[:, :4])


def test_layers_of_colour_and_noise_leave_masks_alone():
    pipeline = layers.Pipeline([layers.RandomBrightness(0.5, (0, 1)), layers.GaussianNoise(1.0)])
    images, masks, _ = MaskAugmentation(pipeline)(IMAGES[..., :1] / 3, CODES, np.ones(6, "float32"))
    assert not np.allclose(images, IMAGES[..., :1] / 3)
    assert_array_equal(masks, CODES)


def half(n=32):
    """The left half is brighter, and is the mask in every second image, the right in the others."""
    y = np.zeros((n, 8, 8), int)
    y[::2, :, :4] = 1
    return y + np.random.default_rng(0).normal(0, 0.1, y.shape).astype("float32"), y


SEG = ImbalancedNNSegmenter(
    model__depth=1, model__width=4, model__normalize=False, epochs=3, random_state=0
)


def mirrored(images, masks):
    return images[:, :, ::-1], masks[:, :, ::-1]


@pytest.mark.parametrize("trainer", ["compiled", "keras"])
@pytest.mark.parametrize("weights", ["images", "pixels"])
def test_function_is_what_training_on_changed_images_is(trainer, weights):
    X, y = half()
    weight = np.random.default_rng(1).uniform(1, 2, len(X) if weights == "images" else y.shape)
    seg = clone(SEG).set_params(trainer=trainer)
    inside = clone(seg).set_params(augmentation=mirrored).fit(X, y, weight)
    moved = weight if weights == "images" else weight[:, :, ::-1]
    outside = seg.fit(*mirrored(X, y), moved)
    assert_allclose(inside.predict_proba(X), outside.predict_proba(X), rtol=1e-4)


@pytest.mark.parametrize("channels", [True, False])
def test_layers_follow_random_state(channels):
    X, y = half()
    X = X[..., None] if channels else X
    seg = clone(SEG).set_params(augmentation=layers.RandomFlip("horizontal"))
    first, second = (clone(seg).fit(X, y).predict_proba(X) for _ in range(2))
    assert_array_equal(first, second)
    other = clone(seg).set_params(random_state=1).fit(X, y).predict_proba(X)
    assert not np.allclose(first, other)
