"""One label a pixel: what images, pixels and classes weigh."""

import numpy as np
import pytest
from mask_cases import FULL_BATCH, SMALL, drawn, pixelwise
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skimb import ImbalancedNNSegmenter
from skimb.fitting import training
from skimb.metrics import mean_dice


@pytest.fixture(scope="module")
def data():
    return *drawn(48, 0), *drawn(24, 1)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["dice_cross_entropy", "dice", "cross_entropy", "tversky",
                                  "binary_crossentropy", "categorical_crossentropy"])  # fmt: skip
@pytest.mark.parametrize("class_weight", [None, "balanced", "median_frequency", {True: 5.0}])
def test_an_image_of_weight_two_counts_as_two(data, loss, class_weight):
    X, y, X_test, _ = data
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    seg = clone(FULL_BATCH).set_params(loss=loss, class_weight=class_weight, batch_size=200)
    weighted = clone(seg).fit(X, y, sample_weight=weight)
    repeated = clone(seg).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0))
    assert_allclose(weighted.class_counts_, repeated.class_counts_)
    assert_allclose(
        weighted.decision_function(X_test), repeated.decision_function(X_test), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("loss", ["dice_cross_entropy", "cross_entropy"])
def test_pixels_of_weight_zero_do_not_count(data, loss):
    X, y, X_test, _ = data
    weight = np.ones(y.shape)
    weight[:, :4] = 0
    wrong = y.copy()
    wrong[:, :4] = ~y[:, :4]
    seg = clone(FULL_BATCH).set_params(loss=loss, class_weight="balanced")
    a, b = (clone(seg).fit(X, m, sample_weight=weight).predict_proba(X_test) for m in (y, wrong))
    assert_allclose(a, b, rtol=1e-5)


@pytest.mark.slow
def test_class_weights_are_those_of_the_pixels(data):
    X, y, *_ = data
    share = y.mean()
    seg = clone(SMALL).set_params(epochs=1)
    balanced = clone(seg).set_params(class_weight="balanced").fit(X, y)
    assert_allclose(list(balanced.class_weight_.values()), [0.5 / (1 - share), 0.5 / share])
    median = clone(seg).set_params(class_weight="median_frequency").fit(X, y)
    frequency = np.array([1 - share, y[y.any(axis=(1, 2))].mean()])
    assert_allclose(list(median.class_weight_.values()), np.median(frequency) / frequency)


def test_class_weights_multiply_the_pixels(data):
    X, y, X_test, _ = data
    seg = clone(FULL_BATCH).set_params(loss="cross_entropy")
    weighted = clone(seg).set_params(class_weight={True: 9.0}).fit(X, y)
    by_hand = clone(seg).fit(X, y, sample_weight=np.where(y, 9.0, 1.0))
    assert_allclose(
        weighted.decision_function(X_test), by_hand.decision_function(X_test), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("class_weight", [None, {True: 9.0}])
def test_cross_entropy_is_that_of_keras(data, class_weight):
    X, y, X_test, _ = data
    names = "cross_entropy", "binary_crossentropy"
    ours, of_keras = (
        clone(FULL_BATCH)
        .set_params(loss=loss, class_weight=class_weight)
        .fit(X, y)
        .decision_function(X_test)
        for loss in names
    )
    assert_allclose(ours, of_keras, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_empty_masks_give_no_nan_and_no_reward(data):
    X, y, X_test, y_test = data
    y = y.copy()
    y[10:] = False
    seg = clone(SMALL).set_params(metrics=["dice"], class_weight="balanced").fit(X, y)
    assert np.isfinite(seg.predict_proba(X_test)).all()
    assert np.isfinite(seg.history_["loss"]).all()
    empty = ~y_test.any(axis=(1, 2))
    assert empty.any()
    nothing = np.zeros_like(y_test)
    assert mean_dice(nothing, nothing, labels=[True]) == 0
    assert seg.score(X_test[empty], y_test[empty]) == 0
    # images without foreground in which nothing is predicted change nothing
    predicted = y_test.copy()
    predicted[empty] = False
    some = ~empty
    assert mean_dice(y_test, predicted) == mean_dice(y_test[some], predicted[some])


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_prior_correction_undoes_the_weights(loss):
    """Pixels are 1 for 60 % of the positives and 20 % of the negatives, 5 % are positive."""
    rng = np.random.default_rng(0)
    y = rng.random((40, 32, 32)) < 0.05
    X = (rng.random(y.shape) < np.where(y, 0.6, 0.2)).astype("float32")
    posterior = 0.05 * 0.6 / (0.05 * 0.6 + 0.95 * 0.2), 0.05 * 0.4 / (0.05 * 0.4 + 0.95 * 0.8)
    seg = ImbalancedNNSegmenter(
        pixelwise, loss=loss, class_weight="balanced", prior_correction=True, epochs=40,
        optimizer__learning_rate=0.01, random_state=0,
    ).fit(X, y)  # fmt: skip
    p = seg.predict_proba(X)[..., 1]
    assert_allclose([p[X == 1].mean(), p[X == 0].mean()], posterior, rtol=0.12)


def void(y):
    """Masks in which the edge is unknown, and the weights that say so."""
    marked = np.where(y, 1, 0)
    marked[:, :3] = 255
    return marked, (marked != 255).astype(float)


@pytest.mark.slow
def test_void_pixels_have_no_part_in_classes_counts_or_statistics(data):
    X, y, *_ = data
    marked, weight = void(y)
    X = X.copy()
    X[:, :3] = -9999
    seg = clone(SMALL).set_params(epochs=2, class_weight="balanced").fit(X, marked, weight)
    assert_array_equal(seg.classes_, [0, 1])
    counts = np.bincount(y[:, 3:].ravel())
    assert_allclose(seg.class_counts_, counts)
    mean = seg.model_.get_layer("standardize").moving_mean.numpy()
    assert_allclose(mean, X[:, 3:].mean(), rtol=1e-4)
    assert seg.score(X, marked, sample_weight=weight) == seg.score(X, np.where(y, 1, 0), weight)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["images", "pixels"])
def test_weights_have_mean_one_in_balanced_batches(data, weights, monkeypatch):
    X, y, *_ = data
    shown = y.any(axis=(1, 2))
    weight = np.where(shown, 10.0, 1.0)
    weight = weight if weights == "images" else np.where(y, 7.0, weight[:, None, None])
    seen = []
    real = training.training_rows

    def spied(*args):
        rows, batches = real(*args)
        order = [batches.epoch(np.random.RandomState(s)) for s in range(20)]
        seen.append(rows.weight[np.concatenate(order)].mean())
        return rows, batches

    monkeypatch.setattr(training, "training_rows", spied)
    clone(SMALL).set_params(epochs=1, batching="balanced").fit(X, y, sample_weight=weight)
    assert_allclose(seen, 1, rtol=0.1)


@pytest.mark.slow
def test_images_are_balanced_by_the_rarest_class_that_they_show(data):
    X, y, *_ = data
    seg = clone(SMALL).set_params(epochs=1, batching="balanced", class_weight="balanced")
    seg.fit(X, y)
    shown = y.any(axis=(1, 2))
    # half of what is shown are images with foreground
    share = y[shown].mean() / 2
    assert_allclose(list(seg.class_weight_.values()), [0.5 / (1 - share), 0.5 / share])
    assert_array_equal(seg.class_counts_, [np.sum(~y), np.sum(y)])
