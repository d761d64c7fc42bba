"""Estimators with losses of outlines and skeletons, and with sums of terms."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skimb import AutoencoderOutlierDetector, ImbalancedNNClassifier, ImbalancedNNSegmenter, losses

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 16, 16, 1)).astype("float32")
MASKS = np.zeros((8, 16, 16), int)
for i in range(8):
    MASKS[i, i : i + 5, 3:8] = 1
X[..., 0] += 4 * MASKS
SEGMENTS = np.where((MASKS == 1) & (np.arange(16) > 5), 2, MASKS)
TERMS = {"dice_cross_entropy": 1, "boundary": 0.1}
ROWS, LABELS = RNG.normal(size=(60, 4)), np.r_[np.zeros(50, int), np.ones(10, int)]
NEW = ["boundary", "cl_dice", "lovasz", "unified_focal", "top_k_cross_entropy"]


def segmenter(loss, **params):
    options = {
        "epochs": 2,
        "batch_size": 4,
        "random_state": 0,
        "model__width": 4,
        "model__depth": 1,
    }
    return ImbalancedNNSegmenter(loss=loss, **{**options, **params})


@pytest.mark.slow
@pytest.mark.parametrize("y", [MASKS, SEGMENTS], ids=["two", "three"])
@pytest.mark.parametrize("loss", [*NEW, TERMS], ids=str)
def test_segmenter_learns_with_every_loss(loss, y):
    weight = np.ones(y.shape)
    weight[:, :, -3:] = 0
    fitted = segmenter(loss).fit(X, y, sample_weight=weight)
    assert np.isfinite(fitted.history_["loss"]).all()
    assert fitted.predict(X).shape == y.shape


@pytest.mark.slow
def test_sum_trains_as_the_sum_written_by_hand():
    mixture = segmenter("dice_cross_entropy", loss__dice_weight=0.25).fit(X, MASKS)
    terms = segmenter(losses.WeightedSum({"dice": 0.25, "cross_entropy": 0.75})).fit(X, MASKS)
    assert_allclose(terms.history_["loss"], mixture.history_["loss"], rtol=1e-4)


@pytest.mark.slow
def test_background_is_that_of_the_estimator():
    turned = 2 - SEGMENTS  # the background is class 2
    one = segmenter("unified_focal", background=0).fit(X, SEGMENTS)
    other = segmenter("unified_focal", background=2).fit(X, turned)
    wrong = segmenter("unified_focal", background=2, loss__background=0).fit(X, turned)
    first = [fitted.history_["loss"][0] for fitted in (one, other, wrong)]
    assert abs(first[1] - first[0]) < abs(first[2] - first[0])


def test_hyperparameters_of_terms_are_routed_and_cloned():
    estimator = segmenter(TERMS, loss__dice_cross_entropy__dice_weight=0.3)
    assert clone(estimator).get_params() == estimator.get_params()
    estimator.set_params(loss__dice_cross_entropy__dice_weight=0.8)
    assert estimator.get_params()["loss__dice_cross_entropy__dice_weight"] == 0.8


@pytest.mark.slow
def test_sums_are_searched():
    grid = {"loss": [{"dice": 1}, TERMS]}
    search = GridSearchCV(segmenter("dice", epochs=1), grid, cv=2, error_score="raise")
    assert search.fit(X, MASKS).best_params_["loss"] in grid["loss"]


@pytest.mark.slow
def test_fitted_estimator_is_pickled():
    fitted = segmenter(TERMS).fit(X, MASKS)
    again = pickle.loads(pickle.dumps(fitted))
    assert again.loss == TERMS
    assert_allclose(again.predict_proba(X), fitted.predict_proba(X), rtol=1e-6)
    again.set_params(warm_start=True, epochs=1).fit(X, MASKS)


def test_classifier_takes_terms_for_samples():
    terms = {"cross_entropy": 1, "soft_f_beta": 0.5}
    estimator = ImbalancedNNClassifier(
        loss=terms, loss__soft_f_beta__beta=2.0, epochs=3, random_state=0
    )
    assert np.isfinite(estimator.fit(ROWS, LABELS).history_["loss"]).all()


@pytest.mark.parametrize(
    ("loss", "params", "message"),
    [
        ({"dice": 1, "boundry": 1}, {}, "Did you mean 'boundary'"),
        ({"dice": -1}, {}, "weight -1 for the term 'dice'"),
        ({"dice": 1, "boundary": 1}, {"prior_correction": True}, "no closed form for loss='weight"),
        ("boundary", {"prior_correction": True}, "no closed form for loss='boundary'"),
        ({"soft_recall": 1}, {}, "loss=SoftRecall takes"),
    ],
    ids=str,
)
def test_segmenter_refuses(loss, params, message):
    with pytest.raises(ValueError, match=message):
        segmenter(loss, **params).fit(X, MASKS)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("boundary", "loss=Boundary takes pixels"),
        ({"cross_entropy": 1, "dice": 1, "lovasz": 1}, "loss=Lovasz takes pixels"),
    ],
    ids=str,
)
def test_classifier_of_samples_refuses_losses_of_images(loss, message):
    with pytest.raises(ValueError, match=message):
        ImbalancedNNClassifier(loss=loss).fit(ROWS, LABELS)


def test_autoencoder_refuses_terms():
    with pytest.raises(ValueError, match="compares labels"):
        AutoencoderOutlierDetector(loss={"cross_entropy": 1}).fit(ROWS)
