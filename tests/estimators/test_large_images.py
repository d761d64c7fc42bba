"""Images that are larger than what a network sees at once: patches, windows, lists of sizes."""

import keras
import numpy as np
import pytest
from mask_cases import SMALL, drawn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import f1_score

from skimb import ImbalancedNNSegmenter
from skimb.fitting import windows

PATCHES = clone(SMALL).set_params(patch_size=16, epochs=4)


@pytest.fixture(scope="module")
def large():
    return drawn(12, 0, size=48)


@pytest.fixture(scope="module")
def fitted(large):
    return clone(PATCHES).fit(*large)


def of_sizes(n, seed):
    sizes = [(24, 30), (40, 20), (33, 33)]
    rng = np.random.default_rng(seed)
    masks = [np.zeros(sizes[i % 3], int) for i in range(n)]
    for mask in masks:
        i, j = rng.integers(0, mask.shape[0] - 4), rng.integers(0, mask.shape[1] - 4)
        mask[i : i + 4, j : j + 4] = 1
    return [mask + rng.normal(0, 0.2, mask.shape) for mask in masks], masks


@pytest.mark.slow
def test_patches_find_what_whole_images_do(fitted):
    X, y = drawn(8, 1, size=48)
    assert fitted.score(X, y) > 0.7
    assert fitted.predict(X).shape == y.shape


@pytest.mark.slow
def test_both_trainers_learn_from_the_same_patches(large):
    one, other = (
        clone(PATCHES).set_params(epochs=2, trainer=trainer).fit(*large)
        for trainer in ("compiled", "keras")
    )
    probabilities = one.predict_proba(large[0]), other.predict_proba(large[0])
    assert_allclose(*probabilities, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_two_fits_on_patches_are_the_same(large, fitted):
    again = clone(PATCHES).fit(*large)
    assert_array_equal(again.predict_proba(large[0]), fitted.predict_proba(large[0]))


@pytest.mark.slow
def test_a_network_of_a_fixed_size_learns_from_patches_and_predicts_in_windows(large):
    def build(meta):
        inputs = keras.Input(meta["X_shape_"][1:])
        x = keras.layers.Reshape((*inputs.shape[1:], 1))(inputs)
        x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        return keras.Model(inputs, keras.layers.Conv2D(1, 1)(x))

    seg = ImbalancedNNSegmenter(
        build, patch_size=16, epochs=15, optimizer="adam", optimizer__learning_rate=0.02,
        random_state=0,
    )  # fmt: skip
    X, y = drawn(4, 1, size=50)
    seg.fit(*large)
    assert seg.model_.input_shape == (None, 16, 16)
    assert seg.predict(X).shape == y.shape
    assert seg.score(X, y) > 0.6


def test_windows_predict_what_the_whole_image_does(fitted, monkeypatch):
    X, _ = drawn(2, 2, size=150)
    whole = fitted.decision_function(X)
    monkeypatch.setattr(windows, "_SIDE", 64)
    monkeypatch.setattr(windows, "_MARGIN", 20)
    assert_allclose(fitted.decision_function(X), whole, atol=1e-5)
    narrow = X[:, :70]  # of which one side fits into a window
    assert_allclose(fitted.decision_function(narrow)[:, :30], whole[:, :30], atol=1e-5)


@pytest.mark.parametrize(("length", "side", "stride"), [(100, 64, 32), (65, 64, 1), (257, 96, 32)])
def test_the_weights_of_the_windows_sum_to_one(length, side, stride):
    total = np.zeros(length)
    for start, weight in windows._along(length, side, side // 4, stride):
        assert start % stride == 0
        assert len(weight) <= side
        total[start : start + len(weight)] += weight
    assert_allclose(total, 1.0)


def test_test_time_augmentation_is_the_mean_over_mirror_images(fitted):
    X, _ = drawn(3, 3, size=20)
    flips = [X, X[:, ::-1], X[:, :, ::-1], X[:, ::-1, ::-1]]
    single = [fitted.decision_function(flip) for flip in flips]
    single = [single[0], single[1][:, ::-1], single[2][:, :, ::-1], single[3][:, ::-1, ::-1]]
    mirrored = clone(fitted).set_params(test_time_augmentation=True)
    mirrored._state = fitted._state
    assert_allclose(mirrored.decision_function(X), np.mean(single, axis=0), atol=1e-6)


@pytest.mark.slow
def test_images_of_different_sizes_are_lists():
    X, y = of_sizes(18, 0)
    X_test, y_test = of_sizes(6, 1)
    seg = clone(SMALL).set_params(patch_size=16, epochs=15).fit(X, y)
    predicted = seg.predict(X_test)
    assert [p.shape for p in predicted] == [mask.shape for mask in y_test]
    assert_array_equal(predicted[1], seg.predict(X_test[1][np.newaxis])[0])
    expected = f1_score(
        *(np.concatenate([m.ravel() for m in masks]) for masks in (y_test, predicted))
    )
    assert_allclose(seg.score(X_test, y_test), expected)
    assert expected > 0.7
    weights = [np.full(mask.shape, 0.5) for mask in y_test]
    assert_allclose(seg.score(X_test, y_test, sample_weight=weights), expected)


@pytest.mark.slow
def test_what_pads_images_of_different_sizes_counts_for_nothing():
    X, y = of_sizes(6, 0)
    seg = clone(SMALL).set_params(epochs=1, class_weight="balanced").fit(X, y)
    n_foreground = sum(mask.sum() for mask in y)
    assert_allclose(seg.class_counts_, [sum(m.size for m in y) - n_foreground, n_foreground])


def test_images_and_masks_that_do_not_go_together_are_named():
    X, y = of_sizes(6, 0)
    with pytest.raises(ValueError, match=r"X\[1\] is an image of shape \(40, 20\), but y\[1\]"):
        clone(SMALL).fit(X, [y[0], y[0], *y[2:]])
    with pytest.raises(ValueError, match="6 images, but y has 5 masks"):
        clone(SMALL).fit(X, y[:5])
    with pytest.raises(ValueError, match="different channels"):
        clone(SMALL).fit([X[0], X[1][..., np.newaxis], *X[2:]], y)


@pytest.mark.slow
def test_ignored_labels_count_for_nothing(large):
    X, y = large[0], large[1].astype(int)
    unknown = np.zeros(y.shape, bool)
    unknown[:, ::5] = True
    marked = np.where(unknown, 255, y)
    by_label = clone(PATCHES).set_params(ignore_label=255).fit(X, marked)
    by_weight = clone(PATCHES).fit(X, y, sample_weight=~unknown)
    assert_array_equal(by_label.classes_, [0, 1])
    assert_allclose(by_label.predict_proba(X), by_weight.predict_proba(X), atol=1e-6)
    known = ~unknown
    assert_allclose(by_label.score(X, marked), f1_score(y[known], by_label.predict(X)[known]))


@pytest.mark.parametrize("size", [0, -3, (4,), (4, 5, 6), 2.5, "large", (4, 0)])
def test_what_is_no_size_of_patches_is_named(large, size):
    with pytest.raises(ValueError, match="patch_size"):
        clone(PATCHES).set_params(patch_size=size).fit(*large)


@pytest.mark.slow
def test_patches_larger_than_the_images_are_the_images(large):
    seg = clone(PATCHES).set_params(patch_size=(1000, 16), epochs=1).fit(*large)
    assert seg.predict(large[0]).shape == large[1].shape
