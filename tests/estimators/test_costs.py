"""Decisions of least expected cost: of the estimator, of each sample, and in a pipeline."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.probability import expected_cost

CLF = ImbalancedNNClassifier("mlp", epochs=4, cv=None, early_stopping=False, random_state=0)
LINEAR = clone(CLF).set_params(
    model__hidden_layer_sizes=(), optimizer__learning_rate=0.05, epochs=40
)
SHARE, SHIFT = 0.05, 1.5


def payments(n=4000, seed=0):
    """Return features, labels of which the rare one sorts first, and the posterior of fraud."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(n) < SHARE
    X = rng.normal(size=(n, 2))
    X[:, 0] += SHIFT * fraud
    p = expit(SHIFT * X[:, 0] - SHIFT**2 / 2 + np.log(SHARE / (1 - SHARE)))
    return X, np.where(fraud, "fraud", "ok"), p


def three(n=600, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.7, 0.2, 0.1])
    return rng.normal(size=(n, 2)) + np.array([[0, 0], [1.5, 0], [0, 1.5]])[y], y


def least(p, costs):
    """Return the position of the decision of least expected cost, one sample after another."""
    found = []
    for i, row in enumerate(p):
        matrix = np.asarray(costs) if np.ndim(costs) == 2 else np.asarray(costs)[i]
        of_decisions = [
            sum(row[k] * matrix[k][j] for k in range(len(row))) for j in range(len(row))
        ]
        found.append(int(np.argmin(of_decisions)))
    return np.array(found)


def test_cost_of_the_decisions_is_close_to_that_of_the_best_possible():
    costs, (X, y, _), (X_new, y_new, posterior) = {"fp": 1, "fn": 4}, payments(), payments(seed=1)
    clf = clone(LINEAR).set_params(costs=costs).fit(X, y)

    def cost(found):
        return expected_cost(y_new, found, costs, pos_label="fraud")

    best = cost(np.where(posterior >= 1 / 5, "fraud", "ok"))
    assert cost(clf.predict(X_new)) < 1.05 * best
    assert cost(clone(LINEAR).fit(X, y).predict(X_new)) > 1.1 * best  # what class weights decide


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"class_weight": "balanced"},
        {"class_weight": None},
        {"batching": "balanced"},
        {"loss": "focal"},
        {"loss": "logit_adjusted", "class_weight": None},
        {"pos_weight": 5.0},
    ],
    ids=str,
)
def test_costs_are_expected_under_corrected_probabilities_whatever_the_weights(params):
    X, y, _ = payments(800)
    costs = np.array([[0, 20], [1, 0]])  # fraud is the first of classes_
    plain = clone(CLF).set_params(**params, costs={"fp": 1, "fn": 20}).fit(X, y)
    corrected = clone(CLF).set_params(**params, prior_correction=True).fit(X, y)
    chosen = plain.classes_[least(corrected.predict_proba(X), costs)]
    assert_array_equal(plain.predict(X), chosen)
    assert_array_equal(clone(corrected).set_params(costs=costs).fit(X, y).predict(X), chosen)
    assert_array_equal(corrected.predict(X, costs=costs), chosen)
    # and those that are predicted stay what they were
    without = clone(plain).set_params(costs=None).fit(X, y)
    assert_array_equal(plain.predict_proba(X), without.predict_proba(X))


def test_costs_of_each_sample_equal_a_loop_over_the_samples():
    X, y = three()
    costs = np.random.default_rng(0).uniform(-1, 5, (600, 3, 3))
    clf = clone(CLF).fit(X, y)
    p = clone(CLF).set_params(prior_correction=True).fit(X, y).predict_proba(X)
    assert_array_equal(clf.predict(X, costs=costs), least(p, costs))
    assert len(np.unique(clf.predict(X, costs=costs))) == 3
    own = clone(CLF).set_params(costs=costs[0]).fit(X, y)
    assert_array_equal(own.predict(X), least(p, costs[0]))
    assert_array_equal(own.predict(X, costs=costs), clf.predict(X, costs=costs))
    assert_array_equal(clf.predict(X[:1], costs=costs[:1]), clf.predict(X, costs=costs)[:1])


def test_amounts_are_costs_of_two_classes_about_pos_label():
    X, y, _ = payments(800)
    amount = np.random.default_rng(0).lognormal(4, 1, 800)
    clf = clone(CLF).fit(X, y)
    p = clone(CLF).set_params(prior_correction=True).fit(X, y).predict_proba(X)[:, 0]
    found = clf.predict(X, costs={"fp": 5, "tp": 5, "fn": amount})
    assert_array_equal(found == "fraud", p * amount >= 5)
    assert {"fraud", "ok"} == set(found)
    other = clone(CLF).set_params(pos_label="ok").fit(X, y)
    turned = other.predict(X, costs={"fn": 5, "tn": 5, "fp": amount})
    assert_array_equal(turned, other.predict(X, costs=as_matrices(amount)))


def as_matrices(amount):
    matrix = np.zeros((len(amount), 2, 2))
    matrix[:, 0, 1] = amount  # fraud, predicted ok
    matrix[:, :, 0] = 5  # a check costs as much, whatever is true
    return matrix


def test_data_frame_of_costs_is_by_label():
    X, y, _ = payments(400)
    names = ["ok", "fraud"]
    frame = pd.DataFrame([[0, 1], [4, 0]], index=names, columns=names)
    clf = clone(CLF).set_params(costs={"fp": 1, "fn": 4}).fit(X, y)
    assert_array_equal(clone(clf).set_params(costs=frame).fit(X, y).predict(X), clf.predict(X))
    assert_array_equal(clf.predict(X, costs=frame), clf.predict(X))
    with pytest.raises(ValueError, match=r"costs has the rows \['a', 'fraud'\]"):
        clf.predict(X, costs=frame.rename(index={"ok": "a"}))


def test_equal_costs_decide_for_the_most_probable_class_by_corrected_probabilities():
    X, y = three()
    clf = clone(CLF).set_params(costs=1 - np.eye(3)).fit(X, y)
    corrected = clone(CLF).set_params(prior_correction=True).fit(X, y)
    assert_array_equal(clf.predict(X), corrected.predict(X))


def test_score_and_search_decide_by_costs():
    X, y, _ = payments(800)
    costs = {"fp": 1, "fn": 4}
    clf = clone(CLF).set_params(costs=costs).fit(X, y)
    assert clf.score(X, y) == f1_score(y, clf.predict(X), pos_label="fraud")
    scorer = make_scorer(expected_cost, greater_is_better=False, costs=costs, pos_label="fraud")
    grid = {"costs": [None, costs, {"fp": 20, "fn": 1}]}
    search = GridSearchCV(clone(LINEAR), grid, scoring=scorer, cv=2, error_score="raise")
    assert search.fit(X, y).best_params_ == {"costs": costs}
    assert_allclose(
        search.score(X, y), -expected_cost(y, search.predict(X), costs, pos_label="fraud")
    )


def test_costs_reach_the_classifier_through_a_pipeline():
    X, y, _ = payments(400)
    amount = np.random.default_rng(0).lognormal(4, 1, 400)
    costs = {"fp": 5, "tp": 5, "fn": amount}
    with sklearn.config_context(enable_metadata_routing=True):
        clf = clone(CLF).set_predict_request(costs=True)
        pipe = make_pipeline(StandardScaler(), clf).fit(X, y)
        found = pipe.predict(X, costs=costs)
        assert_array_equal(found, pipe[-1].predict(pipe[0].transform(X), costs=costs))
        assert (found != pipe.predict(X)).any()


def test_costs_are_cloned_shown_and_pickled():
    X, y, _ = payments(200)
    clf = clone(CLF).set_params(costs={"fp": 1, "fn": 20})
    assert "costs={'fn': 20, 'fp': 1}" in repr(clf) or "costs={'fp': 1, 'fn': 20}" in repr(clf)
    clf = clone(clf).fit(X, y)
    again = pickle.loads(pickle.dumps(clf))
    assert_array_equal(again.predict(X), clf.predict(X))
    assert not hasattr(again, "threshold_")


def test_candidates_have_no_probabilities_that_costs_are_expected_under():
    X, y = three(200)
    clf = clone(CLF).set_params(target="candidates", loss="partial_label")
    with pytest.raises(ValueError, match=r"costs are expected under .* no closed form"):
        clf.set_params(costs=1 - np.eye(3)).fit(X, np.eye(3, dtype=int)[y])


# ---- what is not accepted


def test_costs_and_a_threshold_are_an_error_that_names_both():
    X, y, _ = payments(100)
    clf = clone(CLF).set_params(costs={"fp": 1, "fn": 20})
    for threshold in ("f1", {"recall": 0.9}, 0.3):
        with pytest.raises(ValueError, match=r"threshold=.* and costs=.* both say how to decide"):
            clf.set_params(threshold=threshold).fit(X, y)


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        (np.ones((3, 3)), r"costs has the shape \(3, 3\), but there are 2 classes"),
        ({"fp": 1}, "must have the costs 'fp' and 'fn'"),
        ([[0, np.inf], [1, 0]], "costs must be finite"),
        ([[1, 1], [0, 0]], "does not depend on the prediction"),
        ({"fp": 1, "fn": [20] * 100}, r"costs has the shape \(100, 2, 2\)"),
    ],
    ids=str,
)
def test_costs_that_are_not_valid_leave_the_estimator_as_it_was(costs, said):
    X, y, _ = payments(100)
    clf = clone(CLF).fit(X, y)
    before = clf.predict(X)
    with pytest.raises(ValueError, match=said):
        clf.set_params(costs=costs).fit(X, y)
    assert_array_equal(clf.predict(X), before)


def test_costs_that_never_predict_a_class_are_warned_of():
    X, y, _ = payments(100)
    with pytest.warns(UserWarning, match="class at position 0 is never predicted"):
        clone(CLF).set_params(costs=[[1, 0], [1, 0]]).fit(X, y)


def test_costs_of_other_samples_are_an_error():
    X, y, _ = payments(100)
    clf = clone(CLF).fit(X, y)
    with pytest.raises(ValueError, match=r"costs has the shape \(50, 2, 2\)"):
        clf.predict(X, costs=np.ones((50, 2, 2)))


def test_loss_without_corrected_probabilities_says_how_to_calibrate():
    X, y, _ = payments(100)
    clf = clone(CLF).set_params(loss="soft_f_beta", class_weight=None).fit(X, y)
    with pytest.raises(ValueError, match=r"CalibratedClassifierCV.*min_cost"):
        clf.predict(X, costs={"fp": 1, "fn": 20})
    with pytest.raises(ValueError, match=r"loss='soft_f_beta'.*CalibratedClassifierCV"):
        clf.set_params(costs={"fp": 1, "fn": 20}).fit(X, y)


@pytest.mark.slow
def test_labels_that_do_not_exclude_each_other_say_what_to_do(multilabel):
    clf = clone(CLF).fit(*multilabel)
    with pytest.raises(ValueError, match=r"indicator matrix.* prior_correction=True"):
        clf.predict(multilabel[0], costs={"fp": 1, "fn": 20})
    with pytest.raises(ValueError, match=r"indicator matrix.* prior_correction=True"):
        clf.set_params(costs={"fp": 1, "fn": 20}).fit(*multilabel)
    with pytest.raises(
        TypeError, match=r"prior_correction=True and threshold to fp / \(fp \+ fn\)"
    ):
        ImbalancedNNSegmenter(costs={"fp": 1, "fn": 20})


def test_order_of_the_classes_that_costs_do_not_have_is_an_error():
    X, y, _ = payments(100)
    clf = clone(CLF).set_params(costs=[[0, 20], [1, 0]])
    with pytest.raises(ValueError, match="costs is in the order of classes_"):
        clf.partial_fit(X, y, classes=["ok", "fraud"])
    clf.partial_fit(X, y, classes=["fraud", "ok"])
    assert set(clf.predict(X)) <= {"fraud", "ok"}
