"""Cross-fitting of masks: networks that each hold images out, and thresholds chosen on these."""

import pickle

import keras
import numpy as np
import pytest
from mask_cases import FULL_BATCH, SMALL, drawn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, StratifiedKFold

from skimb import ImbalancedNNSegmenter
from skimb.metrics import lesion_recall, mean_dice
from skimb.networks import AddChannel
from skimb.probability import best_threshold


@pytest.fixture(scope="module")
def data():
    return drawn(24, 0, noise=0.5)


def test_threshold_and_score_are_those_of_the_images_that_members_held_out(data):
    X, y = data
    splits = list(StratifiedKFold(2).split(X, y.any(axis=(1, 2))))
    seg = clone(FULL_BATCH).set_params(cv=splits, threshold={"lesion_recall": 0.8}).fit(X, y)
    p = seg.oof_predict_proba_
    assert p.shape == (24, 16, 16, 2)
    assert_allclose(p.sum(axis=-1), 1)
    assert_allclose(seg.threshold_, best_threshold(y, p[..., 1], {"lesion_recall": 0.8}))
    found = p[..., 1] >= seg.threshold_
    assert seg.decision_report_.chosen_on == "out-of-fold samples"
    assert_allclose(seg.decision_report_.lesion_recall.score, lesion_recall(y, found))
    assert_allclose(seg.oof_score_, mean_dice(y, found))


def test_images_that_are_held_out_are_not_trained_on(data):
    X, y = data
    first = np.arange(24) < 12
    X = np.where(first[:, None, None], X, -X)  # in the other half lesions are dark
    halves = np.flatnonzero(first), np.flatnonzero(~first)
    seg = clone(FULL_BATCH).set_params(cv=[halves, halves[::-1]], epochs=20).fit(X, y)
    p = seg.oof_predict_proba_[..., 1]
    assert p[y].mean() < p[~y].mean()


@pytest.mark.slow
def test_prediction_is_the_mean_of_members_that_are_each_trained_on_the_other_folds(data):
    X, y = data
    first = np.arange(24) < 12
    splits = [(np.flatnonzero(first), np.flatnonzero(~first))]
    splits.append(splits[0][::-1])
    seg = clone(FULL_BATCH).set_params(cv=splits).fit(X, y)
    members = [
        keras.Model(seg.model_.inputs, layer(seg.model_.inputs[0]))
        for layer in seg.model_.layers
        if layer.name.startswith("member")
    ]
    assert len(members) == 2
    logits = [member.predict(X, verbose=0)[..., 0] for member in members]
    assert_allclose(seg.decision_function(X), np.mean(logits, axis=0), rtol=1e-4, atol=1e-5)
    held_out = np.where(first[:, None, None], logits[1], logits[0])
    assert_allclose(seg.oof_predict_proba_[..., 1], 1 / (1 + np.exp(-held_out)), atol=1e-5)
    again = pickle.loads(pickle.dumps(seg))
    assert_array_equal(again.predict_proba(X), seg.predict_proba(X))


@pytest.mark.slow
def test_threshold_by_a_score_is_chosen_for_each_fold_on_the_others(data):
    X, y = data
    splitter = GroupKFold(3)
    groups = np.arange(24) // 2
    seg = clone(FULL_BATCH).set_params(cv=splitter, threshold="f1", scoring="f1")
    seg.fit(X, y, groups=groups)
    p, predicted = seg.oof_predict_proba_[..., 1], np.zeros(y.shape, bool)
    for rest, held in splitter.split(X, None, groups):
        predicted[held] = p[held] >= best_threshold(y[rest].ravel(), p[rest].ravel(), "f1")
    assert_allclose(seg.oof_score_, mean_dice(y, predicted))
    assert seg.oof_score_ <= mean_dice(y, p >= seg.threshold_) + 1e-9


@pytest.mark.slow
def test_images_that_no_fold_judges_and_pixels_to_ignore_do_not_count(data):
    X, y = data
    y = y.astype(int)
    y[:, :, :4] = 255
    splits = [(np.arange(12, 24), np.arange(6)), (np.arange(6), np.arange(12, 18))]
    seg = (
        clone(FULL_BATCH)
        .set_params(cv=splits, threshold={"false_alarms_per_image": 1.0}, ignore_label=255)
        .fit(X, y)
    )
    p = seg.oof_predict_proba_
    judged = np.isin(np.arange(24), [*range(6), *range(12, 18)])
    assert_array_equal(np.isfinite(p).all(axis=(1, 2, 3)), judged)
    masks, scores = y[judged][:, :, 4:] == 1, p[judged][:, :, 4:, 1]
    expected = best_threshold(masks, scores, {"false_alarms_per_image": 1.0})
    assert_allclose(seg.threshold_, expected)


def patchwise(meta):
    """A network that takes patches of one size alone."""
    layers = [keras.Input((8, 8)), AddChannel(), keras.layers.Conv2D(meta["n_outputs_"], 1)]
    return keras.Sequential(layers)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["unet", patchwise])
def test_members_are_trained_on_patches_and_judged_on_whole_images_of_different_sizes(data, model):
    X, y = data
    images, masks = [*X[:8], np.zeros((12, 20), "float32")], [*y[:8], np.zeros((12, 20), bool)]
    seg = clone(SMALL if model == "unet" else FULL_BATCH)
    seg.set_params(model=model, cv=2, epochs=2, patch_size=8).fit(images, masks)
    assert seg.oof_predict_proba_.shape == (9, 16, 20, 2)
    assert np.isfinite(seg.oof_score_)
    assert [mask.shape for mask in seg.predict(images)] == [mask.shape for mask in masks]


def test_what_does_not_go_with_folds_is_explained(data):
    X, y = data
    with pytest.raises(ValueError, match="warm_start=True cannot be used with cv=3"):
        ImbalancedNNSegmenter(cv=3, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="Pass the group of each sample"):
        ImbalancedNNSegmenter(cv=GroupKFold(2)).fit(X, y)
    plain = clone(FULL_BATCH).set_params(epochs=1).fit(X, y)
    assert not hasattr(plain, "oof_predict_proba_")
    with pytest.raises(AttributeError, match="fitted without such members"):
        _ = plain.oof_score_
