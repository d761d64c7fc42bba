"""Parameters by label, and the positive class."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import f1_score

from skimb import AutoencoderClassifier, ImbalancedNNClassifier
from skimb.plotting import ThresholdDisplay

LINEAR = {"model__hidden_layer_sizes": (), "optimizer__learning_rate": 0.05, "epochs": 60}
SMALL = {"model": "mlp", "model__hidden_layer_sizes": (4,), "epochs": 3, "random_state": 0}


@pytest.fixture
def table():
    """200 samples, the rare class of which, 15 %, sorts first by name."""
    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.15).astype(int)
    X = rng.normal(size=(200, 3)) + y[:, None]
    return X, y, np.where(y == 1, "fraud", "ok")


@pytest.fixture
def labels(table):
    """A data frame of the labels "spam", half of the samples, and "threat", 15 %."""
    X, y, _ = table
    return X, pd.DataFrame({"threat": y, "spam": (X[:, 1] > 0).astype(int)})


def fitted(X, y, **params):
    return ImbalancedNNClassifier(**{**SMALL, **params}).fit(X, y)


@pytest.mark.parametrize("given", [dict, pd.Series], ids=["dict", "series"])
def test_prior_by_label_is_the_prior_in_the_order_of_the_classes(table, given):
    X, _, names = table
    by_place = fitted(X, names, class_prior=[0.02, 0.98], prior_correction=True)
    by_label = fitted(
        X, names, class_prior=given({"ok": 0.98, "fraud": 0.02}), prior_correction=True
    )
    assert_array_equal(by_label.predict_proba(X), by_place.predict_proba(X))


@pytest.mark.parametrize("parameter", ["class_prior", "class_weight", "threshold"])
def test_numbers_by_position_are_refused_where_classes_are_named_in_another_order(table, parameter):
    X, _, names = table
    clf = ImbalancedNNClassifier(**SMALL, **{parameter: [0.9, 0.1]})
    with pytest.raises(
        ValueError, match=rf"{parameter}=\[0.9, 0.1\] is in the order of classes_.*'ok': 0.9"
    ):
        clf.partial_fit(X, names, classes=["ok", "fraud"])


def test_positive_weights_and_thresholds_of_named_columns_go_by_name(labels):
    X, Y = labels
    weights, cuts = {"spam": 2.0, "threat": 9.0}, {"spam": 0.4, "threat": 0.1}
    clf = fitted(X, Y, class_weight=None, pos_weight=pd.Series(weights), threshold=cuts)
    assert clf.label_names_ == ["threat", "spam"]
    assert_array_equal(clf.pos_weight_, [9.0, 2.0])
    assert_array_equal(clf.threshold_, [0.1, 0.4])
    by_place = fitted(X, Y, class_weight=None, pos_weight={0: 9.0, 1: 2.0}, threshold=[0.1, 0.4])
    assert_array_equal(clf.predict(X), by_place.predict(X))


def test_class_weights_of_named_columns_are_pairs_by_name(labels):
    X, Y = labels
    pairs = {"spam": (1.0, 2.0), "threat": {0: 0.5, 1: 9.0}}
    clf = fitted(X, Y, class_weight=pairs)
    assert_array_equal(clf.class_weight_, [[0.5, 9.0], [1.0, 2.0]])
    frame = pd.DataFrame({0: [1.0, 0.5], 1: [2.0, 9.0]}, index=["spam", "threat"])
    assert_array_equal(fitted(X, Y, class_weight=frame).class_weight_, clf.class_weight_)
    of_values = fitted(X, Y, class_weight={0: 1.0, 1: 3.0})  # of the zeros and ones of all columns
    assert_array_equal(of_values.class_weight_, [[1.0, 3.0], [1.0, 3.0]])


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"class_weight": None, "pos_weight": {"threat": 2.0}}, r"\['threat'\].*'threat', 'spam'"),
        ({"threshold": {"threat": 0.2, "span": 0.5}}, r"'span'.*'threat', 'spam'"),
        ({"class_prior": {"threat": 0.1, "ham": 0.5}}, r"'ham'.*'threat', 'spam'"),
        ({"class_weight": {"threat": 3.0, "spam": 1.0}}, r"a pair for each label.*pos_weight"),
        ({"pos_label": "threat"}, "pos_label='threat' does not go with an indicator matrix"),
    ],
)
def test_names_that_do_not_match_are_an_error_that_lists_both(labels, params, said):
    X, Y = labels
    with pytest.raises(ValueError, match=said):
        fitted(X, Y, **params)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"class_weight": None, "pos_weight": {"fraud": 3.0}}, "go into class_weight"),
        ({"threshold": {"fraud": 0.2}}, "Set pos_label"),
        ({"class_prior": pd.Series([0.1, 0.9])}, r"given for \[0, 1\].*'fraud', 'ok'"),
        ({"pos_label": "Fraud"}, "pos_label='Fraud' is not a class of y"),
    ],
)
def test_labels_of_two_classes_that_cannot_be_meant_are_named(table, params, said):
    X, _, names = table
    with pytest.raises(ValueError, match=said):
        fitted(X, names, **params)


@pytest.mark.slow
def test_weights_of_samples_do_not_make_the_rare_class_common(table):
    X, y, _ = table
    heavy = np.where(y == 1, 50.0, 1.0)
    clf = ImbalancedNNClassifier(**SMALL, threshold="f1").fit(X, y, sample_weight=heavy)
    assert clf.minority_class_ == clf.pos_label_ == 1
    assert clf.class_counts_[1] > clf.class_counts_[0]  # of weights, as before
    assert clf.score(X, y) == f1_score(y, clf.predict(X), pos_label=1)
    anomalies = AutoencoderClassifier(epochs=2, random_state=0).fit(X, y, sample_weight=heavy)
    assert anomalies.minority_class_ == anomalies.pos_label_ == 1


def test_class_that_is_named_positive_decides_threshold_score_and_positive_weight(table):
    X, _, names = table
    clf = fitted(X, names, pos_label="ok", threshold=0.9, class_weight=None, pos_weight=0.25)
    assert (clf.pos_label_, clf.minority_class_) == ("ok", "fraud")
    assert clf.class_weight_ == {"fraud": 1.0, "ok": 0.25}
    assert_array_equal(clf.predict(X) == "ok", clf.predict_proba(X)[:, 1] >= 0.9)
    assert clf.score(X, names) == f1_score(names, clf.predict(X), pos_label="ok")


def test_same_threshold_is_right_for_codes_and_for_names_that_sort_the_other_way(table):
    X, y, names = table
    codes, text = (fitted(X, labels, threshold=0.15, **LINEAR) for labels in (y, names))
    agree = (codes.predict(X) == 1) == (text.predict(X) == "fraud")
    assert agree.mean() > 0.9


def test_positive_weight_of_the_loss_is_that_of_the_positive_class(table):
    X, y, names = table
    params = {"class_weight": None, "loss__pos_weight": 20.0, **LINEAR}
    codes, text = fitted(X, y, **params), fitted(X, names, **params)
    assert text.predict_proba(X)[:, 0].mean() > y.mean() + 0.2  # raised, as for codes
    assert_allclose(
        text.predict_proba(X)[:, 0].mean(), codes.predict_proba(X)[:, 1].mean(), atol=0.1
    )
    corrected = clone(text).set_params(prior_correction=True).fit(X, names)
    assert abs(corrected.predict_proba(X)[:, 0].mean() - y.mean()) < 0.08


def test_curves_are_those_of_the_class_that_is_named(table):
    X, _, names = table
    for pos_label in ("ok", "fraud"):
        clf = fitted(X, names, pos_label=pos_label, threshold=0.3)
        display = ThresholdDisplay.from_estimator(clf, X, names)
        assert display.pos_label == pos_label
        assert display.threshold_.get_xdata()[0] == pytest.approx(0.3)


def test_score_counts_a_class_that_the_training_lacked(table):
    X, y, _ = table
    clf = fitted(X, y)
    three = np.where(np.arange(200) < 20, 2, y)
    assert clf.score(X, three) == f1_score(three, clf.predict(X), average="macro", zero_division=0)


def test_labels_in_another_order_of_columns_are_scored_and_learnt_by_name(labels):
    X, Y = labels
    turned = Y[["spam", "threat"]]
    clf = fitted(X, Y)
    assert clf.score(X, turned) == clf.score(X, Y)
    assert clf.score(X, pl.from_pandas(turned)) == clf.score(X, Y)
    assert clf.score(X, Y.to_numpy()) == clf.score(X, Y)

    followed = [
        ImbalancedNNClassifier(**SMALL).fit(X, Y, X_val=X, y_val=y_val) for y_val in (Y, turned)
    ]
    assert followed[0].history_ == followed[1].history_
    chunks = [clone(clf).partial_fit(X, Y).partial_fit(X, chunk) for chunk in (Y, turned)]
    assert_array_equal(chunks[0].predict_proba(X), chunks[1].predict_proba(X))
    again = [clone(clf).set_params(warm_start=True).fit(X, Y).fit(X, y) for y in (Y, turned)]
    assert_array_equal(again[0].predict_proba(X), again[1].predict_proba(X))
    assert again[1].label_names_ == ["threat", "spam"]


def test_curves_of_labels_in_another_order_have_their_own_names(labels):
    X, Y = labels
    clf = fitted(X, Y)
    shown = [ThresholdDisplay.from_estimator(clf, X, y) for y in (Y, Y[["spam", "threat"]])]
    assert [ax.get_title() for ax in shown[0].axes_] == [ax.get_title() for ax in shown[1].axes_]
    for one, other in zip(shown[0].axes_, shown[1].axes_, strict=True):
        assert_array_equal(one.lines[0].get_ydata(), other.lines[0].get_ydata())


def test_parameters_by_name_hold_for_later_chunks_without_names(labels):
    X, Y = labels
    clf = ImbalancedNNClassifier(**SMALL, pos_weight={"spam": 2.0, "threat": 9.0})
    clf.partial_fit(X, Y).partial_fit(X, Y.to_numpy())
    assert_array_equal(clf.pos_weight_, [9.0, 2.0])


def test_other_columns_of_labels_than_in_fit_are_an_error_that_lists_both(labels):
    X, Y = labels
    clf = fitted(X, Y)
    other = Y.set_axis(["threat", "scam"], axis=1)
    for call in (clf.score, clf.partial_fit):
        with pytest.raises(ValueError, match=r"\['threat', 'scam'\].*in fit.*\['threat', 'spam'\]"):
            call(X, other)
    assert clf.score(X, Y.set_axis([0, 1], axis=1)) == clf.score(X, Y)  # names of no meaning


def test_two_columns_of_labels_with_one_name_are_refused(labels):
    X, Y = labels
    with pytest.raises(ValueError, match=r"several columns with the name \['a'\].*Rename"):
        fitted(X, Y.set_axis(["a", "a"], axis=1))


def test_costs_in_a_frame_without_names_of_rows_are_in_the_order_of_the_classes(table):
    X, _, names = table
    matrix = [[0.0, 20.0], [1.0, 0.0]]
    by_place = fitted(X, names, costs=matrix).predict(X)
    frame = pl.DataFrame(matrix, schema=["fraud", "ok"], orient="row")
    assert_array_equal(fitted(X, names, costs=frame).predict(X), by_place)
    with pytest.raises(ValueError, match=r"costs has the columns \['ok', 'fraud'\].*no names of"):
        fitted(X, names, costs=frame[["ok", "fraud"]])


def test_number_by_label_that_is_text_is_named(labels):
    with pytest.raises(ValueError, match=r"pos_weight=.*takes a number for each label"):
        fitted(*labels, pos_weight={"spam": "high", "threat": 2})
