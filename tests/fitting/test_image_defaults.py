"""The defaults for images and masks: which apply, and that they can be left."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.networks import cnn


def cosine(epochs, peak):
    done = (np.arange(epochs) + 0.5) / epochs
    return peak * np.minimum(1, done / 0.05) * 0.5 * (1 + np.cos(np.pi * done))


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y = np.arange(48) % 4 == 0
    X = rng.normal(size=(48, 12, 12))
    X[y, 4:8, 4:8] += 2
    return X, y


@pytest.fixture(scope="module")
def masks():
    rng = np.random.default_rng(0)
    y = np.zeros((8, 16, 16), int)
    y[:, 4:8, 4:8] = 1
    return y + rng.normal(0, 0.3, y.shape), y


SEGMENTER = ImbalancedNNSegmenter(model__depth=1, model__width=4, epochs=6, random_state=0)


@pytest.mark.slow
def test_the_learning_rate_falls_to_zero_for_images_and_masks(images, masks):
    clf = ImbalancedNNClassifier(epochs=6, random_state=0).fit(*images)
    assert_allclose(clf.history_["learning_rate"], cosine(6, 0.003), rtol=1e-5)
    seg = changed(SEGMENTER).fit(*masks)
    assert_allclose(seg.history_["learning_rate"], cosine(6, 0.003), rtol=1e-5)
    seg = changed(SEGMENTER, optimizer__learning_rate=0.01).fit(*masks)
    assert_allclose(seg.history_["learning_rate"], cosine(6, 0.01), rtol=1e-5)


def changed(estimator, **params):
    return ImbalancedNNSegmenter(**{**estimator.get_params(), **params})


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_default_augmentation_is_part_of_the_compiled_program(images, masks, dtype):
    X, y = images
    clf = ImbalancedNNClassifier(epochs=1, dtype=dtype, random_state=0).fit(X, y)
    assert clf.trainer_ == "graph"
    X, y = masks
    assert changed(SEGMENTER, epochs=1, dtype=dtype).fit(X, y).trainer_ == "graph"


@pytest.mark.slow
def test_an_optimizer_that_is_named_keeps_its_learning_rate(masks):
    seg = changed(SEGMENTER, optimizer="adam", optimizer__learning_rate=0.01).fit(*masks)
    assert len(set(seg.history_.get("learning_rate", [0.01]))) == 1


@pytest.mark.slow
def test_supplied_images_do_not_end_the_training_of_the_defaults(images, masks):
    X, y = images
    clf = ImbalancedNNClassifier(epochs=4, patience=1, random_state=0)
    assert clf.fit(X, y, X_val=X[::2], y_val=y[::2]).n_iter_ == 4
    X, y = masks
    assert changed(SEGMENTER, patience=1).fit(X, y, X_val=X, y_val=y).n_iter_ == 6


def test_a_network_of_ones_own_is_trained_as_it_is_written(images):
    def build(meta):
        return keras.Sequential(
            [keras.Input((12, 12)), keras.layers.Flatten(), keras.layers.Dense(1)]
        )

    X, y = images
    one, other = (
        ImbalancedNNClassifier(build, epochs=2, augmentation=augmentation, random_state=0)
        .fit(X, y).predict_proba(X) for augmentation in ("auto", None)
    )  # fmt: skip
    assert_allclose(one, other)


def test_tables_are_not_augmented():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)), np.arange(60) % 5 == 0
    one, other = (
        ImbalancedNNClassifier("mlp", epochs=2, augmentation=augmentation, random_state=0)
        .fit(X, y).predict_proba(X) for augmentation in ("auto", None)
    )  # fmt: skip
    assert_allclose(one, other)


@pytest.mark.parametrize(
    ("side", "n_layers"), [(1, 3), (5, 3), (12, 3), (28, 3), (64, 4), (224, 6)]
)
def test_the_network_for_images_ends_in_a_few_pixels(side, n_layers):
    network = cnn((side, side), 1)
    convolutions = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    assert len(convolutions) == n_layers
    assert min(convolutions[-1].output.shape[1:3]) >= min(side, 2)
    assert [c.filters for c in convolutions] == [16, 32, 64, 128, 128, 128][:n_layers]
