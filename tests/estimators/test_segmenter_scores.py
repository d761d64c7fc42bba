"""Scores of lesions and surfaces as names: after every epoch, to stop by, and of `score`."""

import numpy as np
import pytest
from mask_cases import FULL_BATCH, drawn
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import make_scorer

from skimb import ImbalancedNNSegmenter
from skimb.metrics import (
    false_alarms_per_image,
    hausdorff_distance_95,
    lesion_f1,
    lesion_recall,
    surface_dice,
)

SCORES = {
    "lesion_recall": lesion_recall,
    "lesion_f1": lesion_f1,
    "neg_false_alarms": lambda *a, **k: -false_alarms_per_image(*a, **k),
    "surface_dice": surface_dice,
    "neg_hausdorff_95": lambda *a, **k: -hausdorff_distance_95(*a, **k),
}


@pytest.fixture(scope="module")
def data():
    (X, y), (X_val, y_val) = drawn(24, 0), drawn(12, 1)
    return X, y.astype(int), X_val, y_val.astype(int)


@pytest.fixture(scope="module")
def fitted(data):
    X, y, X_val, y_val = data
    seg = clone(FULL_BATCH).set_params(
        epochs=8, class_weight="balanced", early_stopping=True, monitor="surface_dice",
        metrics=list(SCORES), ignore_label=255,
    )  # fmt: skip
    return seg.fit(X, y, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize("name", SCORES)
def test_every_epoch_has_the_scores_of_its_predictions(fitted, data, name):
    X, y, X_val, y_val = data
    best = fitted.best_iter_ - 1
    for images, masks, column in ((X, y, name), (X_val, y_val, f"val_{name}")):
        values = fitted.history_[column]
        assert len(values) == fitted.n_iter_
        assert_allclose(values[best], SCORES[name](masks, fitted.predict(images), labels=[1]))


def test_stops_at_the_best_epoch_by_a_score_of_surfaces(fitted):
    values = fitted.history_["val_surface_dice"]
    assert np.ptp(values) > 0
    assert fitted.best_iter_ == np.argmax(values) + 1


@pytest.mark.parametrize("name", SCORES)
def test_score_is_that_of_whole_images(fitted, data, name):
    *_, X, y = data
    seg = fitted.set_params(scoring=name)
    predicted = seg.predict(X)
    assert_allclose(seg.score(X, y), SCORES[name](y, predicted))
    weight = np.arange(len(X)) % 3
    expected = SCORES[name](y, predicted, sample_weight=weight)
    assert_allclose(seg.score(X, y, sample_weight=weight), expected)


@pytest.mark.parametrize("name", SCORES)
def test_pixels_with_the_label_to_ignore_are_no_foreground(fitted, data, name):
    *_, X, y = data
    unknown = np.zeros(y.shape, bool)
    unknown[:, 3:7, 5:12] = True
    seg = fitted.set_params(scoring=name)
    expected = SCORES[name](np.where(unknown, 0, y), np.where(unknown, 0, seg.predict(X)))
    assert_allclose(seg.score(X, np.where(unknown, 255, y)), expected)


@pytest.mark.parametrize("name", SCORES)
def test_images_of_different_sizes_score_as_they_do_one_by_one(fitted, data, name):
    *_, X, y = data
    sizes = [(16 - i % 3, 16 - i % 5) for i in range(len(X))]
    images = [image[:height, :width] for image, (height, width) in zip(X, sizes, strict=True)]
    masks = [mask[:height, :width] for mask, (height, width) in zip(y, sizes, strict=True)]
    assert any(mask[-1].any() or mask[:, -1].any() for mask in masks)  # would go on in the padding
    seg = fitted.set_params(scoring=name)
    predicted = seg.predict(images)
    around = np.zeros((2, len(X), 20, 20), int)  # on a canvas of background
    for i, (height, width) in enumerate(sizes):
        around[0, i, 1 : height + 1, 1 : width + 1] = masks[i]
        around[1, i, 1 : height + 1, 1 : width + 1] = predicted[i]
    expected = SCORES[name](*around)
    if name == "neg_hausdorff_95":  # the diagonal is that of each image
        pairs = zip(masks, predicted, strict=True)
        expected = np.mean([SCORES[name](mask, found, labels=[1]) for mask, found in pairs])
    assert_allclose(seg.score(images, masks), expected)


def test_another_tolerance_is_a_scorer_of_scikit_learn(fitted, data):
    *_, X, y = data
    seg = clone(fitted).set_params(epochs=1, scoring=make_scorer(surface_dice, tolerance=3))
    seg.fit(X, y)
    assert_allclose(seg.score(X, y), surface_dice(y, seg.predict(X), tolerance=3))


def test_a_score_of_lesions_without_lesions_to_validate_on_is_an_error(data):
    X, y, *_ = data
    seg = ImbalancedNNSegmenter(model__width=2, monitor="lesion_recall", early_stopping=True)
    with pytest.raises(ValueError, match="one class 0, by which monitor='lesion_recall' cannot"):
        seg.fit(X, y, X_val=X[:4], y_val=np.zeros_like(y[:4]))
