"""One label a pixel: the estimator."""

import pickle

import keras
import numpy as np
import pytest
from mask_cases import FULL_BATCH, SMALL, drawn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_validate

from skimb import ImbalancedNNSegmenter


@pytest.fixture(scope="module")
def data():
    return *drawn(48, 0), *drawn(24, 1)


@pytest.fixture(scope="module")
def fitted(data):
    X, y, *_ = data
    return clone(SMALL).fit(X, y)


def test_finds_small_shapes(fitted, data):
    *_, X_test, y_test = data
    assert fitted.score(X_test, y_test) > 0.8
    assert fitted.trainer_ == "graph"


def test_score_is_the_f1_of_the_foreground_pixels(fitted, data):
    *_, X_test, y_test = data
    predicted = fitted.predict(X_test)
    assert_allclose(fitted.score(X_test, y_test), f1_score(y_test.ravel(), predicted.ravel()))
    weight = np.arange(1.0, len(X_test) + 1)
    by_pixel = np.broadcast_to(weight[:, None, None], y_test.shape)
    expected = f1_score(y_test.ravel(), predicted.ravel(), sample_weight=by_pixel.ravel())
    assert_allclose(fitted.score(X_test, y_test, sample_weight=weight), expected)
    assert_allclose(fitted.score(X_test, y_test, sample_weight=by_pixel), expected)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [[False, True], [0, 255], ["none", "cell"], [1, 2]])
def test_predictions_are_in_the_labels_of_the_masks(data, fitted, labels):
    X, y, *_ = data
    named = np.array(labels)[y.astype(int)]
    seg = clone(SMALL).fit(X, named)
    assert_array_equal(seg.classes_, sorted(labels))
    assert_array_equal(seg.predict(X), np.array(labels)[fitted.predict(X).astype(int)])
    assert seg.background_ == labels[0]
    assert seg.minority_class_ == labels[1]
    assert_allclose(seg.score(X, named), fitted.score(X, y))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "channels"), [((1, 1), 3), ((3, 5), None), ((7, 16), 1), ((20, 9), 3)]
)
def test_images_of_any_size_and_channels_are_taken(size, channels):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, (6, *size, *([] if channels is None else [channels]))).astype("uint8")
    y = rng.integers(0, 3, (6, *size))
    y[:3, 0, 0] = 0, 1, 2
    seg = clone(SMALL).set_params(model__depth=2, model__width=2, epochs=1).fit(X, y)
    assert seg.predict(X).shape == y.shape
    assert seg.predict_proba(X).shape == (*y.shape, 3)
    assert_allclose(seg.predict_proba(X).sum(axis=-1), 1)
    assert seg.decision_function(X).shape == (*y.shape, 3)


def test_a_network_trained_on_tiles_takes_whole_images(fitted):
    X, y = drawn(3, 2, size=45)
    assert fitted.predict(X).shape == (3, 45, 45)
    assert fitted.score(X, y) > 0.7
    restored = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(restored.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.slow
def test_same_seed_same_network_and_both_trainers_agree(data):
    X, y, X_test, _ = data
    seg = clone(FULL_BATCH).set_params(batch_size=8, class_weight="balanced")
    first = clone(seg).fit(X, y).predict_proba(X_test)
    assert_array_equal(first, clone(seg).fit(X, y).predict_proba(X_test))
    through_keras = clone(seg).set_params(trainer="keras").fit(X, y).predict_proba(X_test)
    assert_allclose(through_keras, first, rtol=1e-4)


@pytest.mark.slow
def test_threshold_by_f1_is_the_best_cut_on_the_images_held_out(data):
    X, y, X_val, y_val = data
    seg = clone(SMALL).set_params(threshold="f1", early_stopping=False, class_weight="balanced")
    seg.fit(X, y, X_val=X_val, y_val=y_val)
    p = seg.predict_proba(X_val)[..., 1].ravel()
    scores = [f1_score(y_val.ravel(), p >= cut) for cut in np.quantile(p, np.linspace(0, 1, 400))]
    assert f1_score(y_val.ravel(), seg.predict(X_val).ravel()) >= max(scores) - 1e-9
    assert seg.threshold_ != 0.5


@pytest.mark.slow
def test_early_stopping_goes_back_to_the_best_dice(data):
    X, y, X_val, y_val = data
    seg = clone(SMALL).set_params(epochs=60, patience=3).fit(X, y, X_val=X_val, y_val=y_val)
    assert seg.n_iter_ < 60
    followed = seg.history_["val_dice"]
    assert seg.best_iter_ == np.argmax(followed) + 1
    assert_allclose(seg.score(X_val, y_val), max(followed), atol=1e-6)
    own = clone(SMALL).set_params(early_stopping=True, monitor="loss", validation_fraction=0.3)
    assert "val_loss" in own.fit(X, y).history_


@pytest.mark.slow
def test_is_cross_validated_and_searched(data):
    X, y, *_ = data
    seg = clone(SMALL).set_params(epochs=3)
    scores = cross_validate(seg, X, y, cv=2, error_score="raise")["test_score"]
    assert np.isfinite(scores).all()
    grid = {"class_weight": [None, {True: 3.0}], "loss": ["dice_cross_entropy", "cross_entropy"]}
    search = GridSearchCV(seg, grid, cv=2, error_score="raise").fit(X, y)
    assert search.predict(X).shape == y.shape


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss", ["cross_entropy", "categorical_crossentropy", "sparse_categorical_crossentropy",
             "generalized_dice", "focal"],
)  # fmt: skip
def test_more_than_two_classes(loss):
    X, first = drawn(32, 0)
    _, second = drawn(32, 5)
    y = np.where(second, "b", np.where(first, "a", "-"))
    X = X + 2 * second
    seg = clone(SMALL).set_params(loss=loss, background="-", class_weight="sqrt_balanced").fit(X, y)
    assert_array_equal(seg.classes_, ["-", "a", "b"])
    foreground = [f1_score(y.ravel() == k, seg.predict(X).ravel() == k) for k in "ab"]
    assert_allclose(seg.score(X, y), np.mean(foreground))
    if loss != "generalized_dice":
        assert seg.score(X, y) > 0.4


@pytest.mark.slow
def test_keras_models_with_links_of_their_own(data):
    X, y, *_ = data
    inputs = keras.Input((16, 16))
    x = keras.layers.Reshape((16, 16, 1))(inputs)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    for units, activation in ((1, "sigmoid"), (2, "softmax"), (1, None)):
        model = keras.Model(inputs, keras.layers.Conv2D(units, 1, activation=activation)(x))
        seg = ImbalancedNNSegmenter(model, epochs=2, random_state=0).fit(X, y)
        ends = np.asarray(seg.model_(X))[..., -1]
        expected = 1 / (1 + np.exp(-ends)) if activation is None else ends
        assert_allclose(seg.predict_proba(X)[..., 1], expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["dice_cross_entropy", "dice", "tversky"])
def test_the_foreground_is_found_whichever_label_sorts_first(loss):
    X, y = drawn(64, 0, size=24, noise=0.4)
    seg = clone(SMALL).set_params(loss=loss, random_state=2)
    second = seg.fit(X, np.where(y, "shape", "ground")).predict_proba(X)[..., 1]
    first = seg.fit(X, np.where(y, "a shape", "ground")).predict_proba(X)[..., 0]
    found, other = (np.mean(p[y]) - np.mean(p[~y]) for p in (first, second))
    assert min(found, other) > 0.3


@pytest.mark.slow
def test_a_class_that_a_fold_lacks_is_known_by_classes(data):
    X, y, *_ = data
    three = y.astype(int)
    three[40:, :2] = 2
    seg = clone(SMALL).set_params(
        epochs=2, class_weight={0: 1.0, 1: 2.0, 2: 5.0}, classes=[0, 1, 2]
    )
    seg.fit(X[:40], three[:40])
    assert seg.predict_proba(X).shape[-1] == 3
    assert 0 <= seg.score(X[40:], three[40:]) <= 1
    without = clone(seg).set_params(classes=None, class_weight=None).fit(X[:40], three[:40])
    assert 0 <= without.score(X[40:], three[40:]) <= 1  # a label that it cannot predict
    with pytest.raises(ValueError, match=r"ImbalancedNNSegmenter\(classes=...\)"):
        clone(seg).set_params(classes=[0, 1]).fit(X, three)


@pytest.mark.slow
def test_background_may_change_between_warm_starts(data):
    X, y, *_ = data
    seg = clone(SMALL).set_params(epochs=1, warm_start=True).fit(X, y)
    assert not seg.background_
    assert seg.set_params(background=True).fit(X, y).background_


@pytest.mark.slow
def test_threshold_by_dice_is_that_by_f1(data):
    X, y, X_val, y_val = data
    seg = clone(SMALL).set_params(epochs=3, threshold="dice").fit(X, y, X_val=X_val, y_val=y_val)
    by_f1 = clone(seg).set_params(threshold="f1").fit(X, y, X_val=X_val, y_val=y_val)
    assert seg.threshold_ == by_f1.threshold_


def test_images_of_every_size_are_predicted_by_one_program(fitted):
    from skimb.training.cache import forward_passes

    fitted.predict(drawn(1, 0, size=20)[0])
    before = len(forward_passes)
    for size in (9, 21, 33):
        fitted.predict(drawn(1, 0, size=size)[0])
    assert len(forward_passes) == before


@pytest.mark.slow
def test_membranes_are_found_in_sections_that_were_not_trained_on(membrane):
    images, masks = (cut(part, 64) for part in membrane)
    train, test = slice(0, 6 * 64), slice(6 * 64, None)
    seg = ImbalancedNNSegmenter(epochs=6, random_state=0).fit(images[train], masks[train])
    assert seg.score(images[test], masks[test]) >= 0.70
    assert seg.score(membrane[0][6:], membrane[1][6:]) >= 0.70


def cut(sections, size):
    """Return square tiles, those of a section in a row."""
    n, height, width = sections.shape
    tiles = sections.reshape(n, height // size, size, width // size, size)
    return tiles.transpose(0, 1, 3, 2, 4).reshape(-1, size, size)


@pytest.mark.slow
def test_rare_pixels_are_found_better_than_with_unweighted_cross_entropy():
    X, y = drawn(160, 0, size=32, noise=0.6)
    X_test, y_test = drawn(80, 1, size=32, noise=0.6)
    assert 0.005 < y.mean() < 0.03
    seg = ImbalancedNNSegmenter(model__depth=2, model__width=8, epochs=12)
    default, unweighted = (
        np.mean(
            [clone(seg).set_params(loss=loss, random_state=seed).fit(X, y).score(X_test, y_test)
             for seed in range(3)]
        )
        for loss in ("dice_cross_entropy", "cross_entropy")
    )  # fmt: skip
    assert default > unweighted


@pytest.mark.slow
def test_learns_from_a_stream_of_images(data):
    X, y, X_test, y_test = data
    seg = clone(SMALL).set_params(class_weight="balanced")
    with pytest.raises(ValueError, match="classes must be passed"):
        seg.partial_fit(X[:8], y[:8])
    for _ in range(12):
        for rows in np.array_split(np.arange(len(X)), 3):
            seg.partial_fit(X[rows], y[rows], classes=[False, True])
    assert seg.score(X_test, y_test) > 0.6
    whole = clone(SMALL).set_params(class_weight="balanced", epochs=1).fit(X, y)
    once = clone(SMALL).set_params(class_weight="balanced", classes=[False, True])
    for rows in np.array_split(np.arange(len(X)), 3):
        once.partial_fit(X[rows], y[rows])
    assert once.class_weight_ == pytest.approx(whole.class_weight_)
    assert_allclose(once.class_counts_, whole.class_counts_)


@pytest.mark.slow
def test_a_network_that_is_trained_predicts_after_initialize(data, fitted):
    X, y, *_ = data
    again = ImbalancedNNSegmenter(fitted.model_).initialize(X, y)
    assert_allclose(again.predict_proba(X), fitted.predict_proba(X), rtol=1e-5)


def test_masks_of_other_labels_are_not_scored(data, fitted):
    *_, X_test, y_test = data
    for other in (y_test * 255 + 3, np.where(y_test, "a", "b")):
        with pytest.raises(ValueError, match="none of the foreground classes"):
            fitted.score(X_test, other)


def test_a_single_image_is_refused_with_the_cure(fitted, data):
    with pytest.raises(ValueError, match=r"X\[np.newaxis\]"):
        fitted.predict(data[0][0])
