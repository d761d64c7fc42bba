"""Rules about lesions as thresholds of the segmenter: chosen on whole images that were held out."""

import pickle

import keras
import numpy as np
import pytest
from mask_cases import FULL_BATCH, SMALL, drawn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skimb import ImbalancedNNClassifier
from skimb.metrics import false_alarms_per_image, lesion_recall
from skimb.plotting import ThresholdDisplay
from skimb.probability import best_threshold

RULES = [{"lesion_recall": 0.8}, {"false_alarms_per_image": 0.5}]


class Untrained(keras.callbacks.Callback):
    """Fails where a training begins."""

    def on_train_begin(self, logs=None):
        raise AssertionError("trained")


@pytest.fixture(scope="module")
def data():
    return *drawn(24, 0, noise=0.5), *drawn(24, 1, noise=0.5)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rule_is_kept_on_the_images_of_a_validation_set(data, rule):
    X, y, X_val, y_val = data
    seg = clone(FULL_BATCH).set_params(threshold=rule).fit(X, y, X_val=X_val, y_val=y_val)
    p, predicted = seg.predict_proba(X_val)[..., 1], seg.predict(X_val)
    report = seg.decision_report_
    assert seg.threshold_ == best_threshold(y_val, p, rule) == report.threshold
    assert_array_equal(predicted, p >= seg.threshold_)
    assert_allclose(report.lesion_recall.score, lesion_recall(y_val, predicted))
    assert_allclose(report.false_alarms_per_image, false_alarms_per_image(y_val, predicted))
    assert_allclose(report.recall.score, predicted[y_val].mean())  # of pixels
    assert (report.chosen_by, report.chosen_on) == (rule, "X_val")
    assert f"the {report.n_lesions} lesions of X_val" in repr(report)
    assert "false_alarms_per_image" in repr(report)
    again = pickle.loads(pickle.dumps(seg))
    assert_array_equal(again.predict(X_val), predicted)
    assert again.decision_report_ == report


def test_images_are_held_out_for_a_rule_where_there_is_no_validation_set(data):
    X, y, *_ = data
    seg = clone(FULL_BATCH).set_params(
        threshold={"lesion_recall": 0.9, "confidence": 0.5}, validation_fraction=0.5
    )
    report = seg.fit(X, y).decision_report_
    assert report.chosen_on == "held-out samples"
    assert report.n_samples == 12 * 16 * 16
    assert report.lesion_recall.score >= 0.9
    assert report.bound >= 0.9
    assert "at least 0.9" in repr(report)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_promise_holds_on_fresh_images(data, rule):
    X, y, *_ = data
    X_val, y_val = drawn(300, 2, noise=0.5)
    X_new, y_new = drawn(300, 3, noise=0.5)
    seg = clone(FULL_BATCH).set_params(threshold=rule).fit(X, y, X_val=X_val, y_val=y_val)
    predicted = seg.predict(X_new)
    assert 0.05 < seg.threshold_ < 0.95
    if "lesion_recall" in rule:
        assert_allclose(lesion_recall(y_new, predicted), 0.8, atol=0.06)
    else:
        assert_allclose(false_alarms_per_image(y_new, predicted), 0.5, rtol=0.3)


def test_pixels_to_ignore_and_images_of_different_sizes_change_nothing(data):
    X, y, X_val, y_val = data
    seg = clone(FULL_BATCH).set_params(threshold={"false_alarms_per_image": 0.5})
    expected = clone(seg).fit(X, y, X_val=X_val, y_val=y_val)
    # what is ignored looks like lesions, and is labelled as nothing is
    X_wide = np.concatenate([X_val, np.full((24, 16, 4), X_val.max())], axis=2)
    y_wide = np.concatenate([y_val.astype(int), np.full((24, 16, 4), 255)], axis=2)
    ignoring = clone(seg).set_params(ignore_label=255)
    ignoring.fit(X, y.astype(int), X_val=X_wide, y_val=y_wide)
    assert_allclose(ignoring.threshold_, expected.threshold_, rtol=1e-5)
    assert ignoring.decision_report_.n_lesions == expected.decision_report_.n_lesions
    # an image of another size among them, that adds neither lesions nor false alarms
    weight = [np.ones((16, 16))] * 24 + [np.zeros((20, 24))]
    mixed = [*X_val, np.full((20, 24), X_val.max())], [*y_val, np.zeros((20, 24), bool)]
    several = clone(seg).fit(X, y, X_val=mixed[0], y_val=mixed[1], sample_weight_val=weight)
    assert_allclose(several.threshold_, expected.threshold_, rtol=1e-5)


@pytest.mark.parametrize(
    ("rule", "change", "said"),
    [
        ({"lesion_recall": 0.9, "confidence": 0.95}, lambda y: y, "needs at least 29 lesions"),
        ({"recall": 0.9, "confidence": 0.95}, lambda y: y, "or promise 'lesion_recall'"),
        ({"lesion_recall": 0.9}, lambda y: y + np.arange(2).repeat(8), "rule for masks of two"),
    ],
)
def test_rule_that_cannot_be_kept_is_an_error_before_the_training(data, rule, change, said):
    X, y, *_ = data
    seg = clone(FULL_BATCH).set_params(threshold=rule, callbacks=[Untrained()])
    y = change(y.astype(int))
    with pytest.raises(ValueError, match=said):
        seg.fit(X, y, X_val=X[:12], y_val=y[:12])


def test_false_alarms_that_no_lesion_is_found_with_are_an_error_that_leaves_the_estimator(data):
    X, y, *_ = data
    seg = clone(FULL_BATCH).set_params(epochs=1).fit(X, y)
    before = seg.predict_proba(X)
    seg.set_params(threshold={"false_alarms_per_image": 0.0})
    X_val = np.where(y, X.min(), X)  # the lesions look like nothing
    with pytest.raises(ValueError, match="only be kept by finding no lesion"):
        seg.fit(X, y, X_val=X_val, y_val=y)
    assert_array_equal(seg.predict_proba(X), before)


def test_rule_about_lesions_is_refused_where_there_are_none():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    rule = {"lesion_recall": 0.9}
    clf = ImbalancedNNClassifier("mlp", cv=None, threshold=rule, callbacks=[Untrained()])
    with pytest.raises(ValueError, match="rule about lesions"):
        clf.fit(X, y)
    with pytest.raises(ValueError, match=r"rule=\{'lesion_recall': 0.9\} is a rule about lesions"):
        ThresholdDisplay.from_predictions(y, X[:, 0], rule=rule)


@pytest.mark.slow
def test_rule_is_searched_as_written_and_a_curve_is_drawn_without_it(data):
    X, y, *_ = data
    seg = clone(SMALL).set_params(epochs=2, validation_fraction=0.3, threshold=RULES[0])
    assert "threshold={'lesion_recall': 0.8}" in repr(seg)
    assert clone(seg).get_params()["threshold"] == RULES[0]
    search = GridSearchCV(seg, {"threshold": RULES}, cv=2, error_score="raise").fit(X, y)
    assert search.best_estimator_.decision_report_.chosen_by in RULES
    assert ThresholdDisplay.from_estimator(search.best_estimator_, X, y).rule_ is None
