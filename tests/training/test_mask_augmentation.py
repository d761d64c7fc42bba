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


@pytest.mark.parametrize(
    "name", ["RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear",
             "RandomPerspective", "RandomElasticTransform"],
)  # fmt: skip
def test_layers_with_their_defaults_keep_labels_whole(name):
    needed = {"RandomTranslation": (0.2, 0.2), "RandomZoom": (0.3,), "RandomRotation": (0.3,)}
    needed["RandomShear"] = ((0.0, 0.3), (0.0, 0.3))
    kind = getattr(layers, name, None)
    if kind is None:
        pytest.skip(f"this Keras has no {name}")
    images = np.repeat(np.repeat(IMAGES[..., :1], 4, axis=1), 4, axis=2)
    codes = images[..., 0].astype("int32")
    layer = kind(*needed.get(name, ()), seed=1)
    moved, masks, _ = map(
        np.asarray, MaskAugmentation(layer).copy()(images, codes, np.ones(6, "float32"))
    )
    assert set(np.unique(masks)) <= {-1, 0, 1, 2}
    assert np.mean(masks >= 0) > 0.3
    assert not np.array_equal(masks, codes)
    inside = masks >= 0
    # most pixels of the image agree with their label, but for what is interpolated at edges
    assert np.mean(np.abs(moved[..., 0] - masks)[inside] < 0.5) > 0.6


@pytest.mark.parametrize("name", ["AugMix", "MixUp", "CutMix", "Rescaling", "Lambda"])
def test_layers_that_mix_images_or_are_unknown_are_refused(name):
    layer = layers.Lambda(lambda x: x) if name == "Lambda" else None
    if layer is None and not hasattr(layers, name):
        pytest.skip(f"this Keras has no {name}")
    layer = layer or (layers.Rescaling(2.0) if name == "Rescaling" else getattr(layers, name)())
    for augmentation in (layer, layers.Pipeline([layers.RandomFlip(), layer])):
        with pytest.raises(ValueError, match=f"the layer {name}.*not known"):
            MaskAugmentation(augmentation)


def test_elastic_layer_that_would_clip_masks_is_refused():
    if hasattr(layers, "RandomElasticTransform"):
        with pytest.raises(ValueError, match=r"value_range=\(0, 255\)"):
            MaskAugmentation(layers.RandomElasticTransform(value_range=(0, 1)))


def test_only_what_moves_pixels_across_the_edge_leaves_gaps():
    assert MaskAugmentation(mirrored).leaves_gaps
    assert MaskAugmentation(layers.RandomRotation(0.1)).leaves_gaps
    colour = layers.Pipeline([layers.RandomFlip(), layers.RandomBrightness(0.1)])
    assert not MaskAugmentation(colour).leaves_gaps


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
    model__depth=0, model__width=4, model__normalize=False, epochs=3, augmentation=None,
    random_state=0,
)  # fmt: skip


def mirrored(images, masks):
    return images[:, :, ::-1], masks[:, :, ::-1]


def test_a_loss_of_one_number_goes_with_layers_that_leave_no_gaps():
    X, y = half()
    seg = clone(SEG).set_params(loss=keras.losses.Dice(), augmentation=layers.RandomFlip())
    assert seg.fit(X, y).history_
    with pytest.raises(ValueError, match="augmentation=None"):
        seg.set_params(augmentation=layers.RandomRotation(0.1)).fit(X, y)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("channels", [True, False])
def test_layers_follow_random_state(channels):
    X, y = half()
    X = X[..., None] if channels else X
    seg = clone(SEG).set_params(augmentation=layers.RandomFlip("horizontal"))
    first, second = (clone(seg).fit(X, y).predict_proba(X) for _ in range(2))
    assert_array_equal(first, second)
    other = clone(seg).set_params(random_state=1).fit(X, y).predict_proba(X)
    assert not np.allclose(first, other)
