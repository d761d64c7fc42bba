"""Normalisation over batches of few images."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.networks import SteadyNormalization, unet


def images(n=4, seed=0):
    return np.random.default_rng(seed).normal(3, 2, size=(n, 5, 6, 2)).astype("float32")


def test_at_first_it_trains_as_batch_normalisation_does():
    X = images()
    ours, keras_own = SteadyNormalization(epsilon=1e-3), keras.layers.BatchNormalization()
    assert_allclose(ours(X, training=True), keras_own(X, training=True), rtol=1e-5, atol=1e-6)


def test_the_first_batch_is_the_average_and_later_ones_count_less_and_less():
    layer = SteadyNormalization(momentum=0.5)
    batches = [images(seed=seed) for seed in range(4)]
    for X in batches:
        layer(X, training=True)
    expected = batches[0].mean(axis=(0, 1, 2))
    for number, X in enumerate(batches[1:], start=1):  # 4 / 5, 4 / 6, and no less than 1 / 2
        expected += max(0.5, 4 / (number + 4)) * (X.mean(axis=(0, 1, 2)) - expected)
    assert_allclose(np.asarray(layer.moving_mean), expected, rtol=1e-5)


def test_steady_it_trains_as_it_predicts_and_leaves_the_averages():
    layer, X = SteadyNormalization(), images()
    layer(X, training=True)
    layer.steady.assign(1.0)
    before = np.asarray(layer.moving_mean)
    other = 10 * images(seed=1)
    assert_allclose(layer(other, training=True), layer(other, training=False), rtol=1e-5, atol=1e-5)
    assert_allclose(np.asarray(layer.moving_mean), before)


def test_frozen_it_predicts_in_training_too():
    layer, X = SteadyNormalization(trainable=False), images()
    assert_allclose(layer(X, training=True), layer(X, training=False))


def test_half_precision_does_not_overflow_in_the_sums():
    layer = SteadyNormalization(dtype="mixed_float16")
    out = np.asarray(layer(np.float16(1000) * images().astype("float16"), training=True))
    assert out.dtype == np.float16
    assert_allclose(out.astype(float).std(axis=(0, 1, 2)), 1, rtol=0.01)


def test_statistics_of_any_size_are_left_out_of_the_average():
    layer, X = SteadyNormalization(), images()
    layer(X, training=True)
    layer.steady.assign(1.0)
    huge = 1e5 * X
    assert_allclose(layer(huge, training=True), layer(huge, training=False), rtol=1e-6)


@pytest.mark.parametrize("params", [{"axis": 1}, {"scale": False}, {"renorm": True}])
def test_it_takes_no_arguments_that_it_has_no_use_for(params):
    with pytest.raises(TypeError):
        SteadyNormalization(**params)


def test_a_saved_network_with_it_predicts_the_same(tmp_path):
    model = unet((8, 8), 1, depth=1, width=2, few_per_batch=True)
    X = images()[..., 0]
    model(X, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_allclose(np.asarray(loaded(X)), np.asarray(model(X)), rtol=1e-5)


def bright_and_dark(n):
    """Images of noise, the rare ones a little brighter as a whole."""
    rng = np.random.default_rng(0)
    bright = np.arange(n) % 4 == 0
    return (rng.normal(size=(n, 12, 12)) + bright[:, None, None]).astype("float32"), bright


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_one_image_a_batch_learns_what_tells_whole_images_apart(trainer):
    """Which the statistics of one image take away: all of them have the mean 0 then."""
    X, bright = bright_and_dark(60)
    params = {"epochs": 30, "batch_size": 1, "augmentation": None, "random_state": 0}
    clf = ImbalancedNNClassifier("cnn", trainer=trainer, **params).fit(X, bright)
    assert clf.score(X, bright) > 0.95
    assert any(isinstance(layer, SteadyNormalization) for layer in clf.model_.layers)


@pytest.mark.slow
def test_masks_of_one_image_a_batch_follow_the_brightness_of_the_image():
    X, bright = bright_and_dark(60)
    masks = np.broadcast_to(bright[:, None, None], X.shape)
    segmenter = ImbalancedNNSegmenter(
        epochs=30, batch_size=1, augmentation=None, model__width=4, model__depth=2, random_state=0
    ).fit(X, masks)
    assert segmenter.score(X, masks) > 0.95


def test_going_on_for_one_epoch_trains_as_the_fit_did_at_its_end():
    X, bright = bright_and_dark(16)
    clf = ImbalancedNNClassifier("cnn", epochs=2, batch_size=2, random_state=0)

    def steady():
        kinds = (layer for layer in clf.model_.layers if isinstance(layer, SteadyNormalization))
        return {float(layer.steady) for layer in kinds}

    clf.partial_fit(X, bright, classes=[False, True])
    assert steady() == {0.0}
    clf.fit(X, bright)
    assert steady() == {1.0}
    clf.partial_fit(X, bright)
    assert steady() == {1.0}


@pytest.mark.parametrize(("size", "steady"), [(3, True), (4, False), (60, False)])
def test_large_batches_and_whole_sets_are_normalised_by_themselves(size, steady):
    X, bright = bright_and_dark(60)
    clf = ImbalancedNNClassifier("cnn", epochs=1, batch_size=size, random_state=0).fit(X, bright)
    kinds = {type(layer) for layer in clf.model_.layers}
    assert (SteadyNormalization in kinds) is steady
    assert (keras.layers.BatchNormalization in kinds) is True  # of the input, at least
