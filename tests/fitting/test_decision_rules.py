"""Rules as thresholds: promises kept on samples that were held out, against brute force."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter

CLF = ImbalancedNNClassifier("mlp", epochs=4, cv=3, random_state=0)
RULES = [{"recall": 0.9}, {"precision": 0.5}, {"fpr": 0.05}, {"alerts": 0.1}]


def hard(n=600, seed=0):
    """Classes that overlap, 15 % positives, with names of which the rare one sorts first."""
    rng = np.random.default_rng(seed)
    rare = rng.random(n) < 0.15
    return rng.normal(size=(n, 3)) + 1.2 * rare[:, None], np.where(rare, "fraud", "ok")


def figures(truth, flagged, weight=None):
    weight = np.ones(len(truth)) if weight is None else weight
    hits = weight @ (truth & flagged)
    return {
        "recall": hits / (weight @ truth),
        "precision": hits / (weight @ flagged) if flagged.any() else 0.0,
        "fpr": weight @ (~truth & flagged) / (weight @ ~truth),
        "alerts": weight @ flagged / weight.sum(),
    }


def best_of_all_cuts(rule, truth, p, weight=None):
    """Return the figures of the cut that keeps a rule, by trying each."""
    (promise, value), *_ = rule.items()
    tried = [figures(truth, p >= cut, weight) for cut in np.r_[np.unique(p), 2.0]]
    floor = promise in ("recall", "precision")
    kept = [f for f in tried if (f[promise] >= value if floor else f[promise] <= value)]
    aim = "precision" if promise == "recall" else "recall"
    return max(kept, key=lambda f: (round(f[aim], 12), round(f["precision"], 12)))


class Untrained(keras.callbacks.Callback):
    """Fails where a training begins."""

    def on_train_begin(self, logs=None):
        raise AssertionError("trained")


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("corrected", [False, True])
def test_rule_is_kept_out_of_fold_by_the_best_cut_of_all(rule, corrected):
    X, y = hard()
    clf = clone(CLF).set_params(threshold=rule, prior_correction=corrected).fit(X, y)
    truth, p = y == "fraud", clf.oof_predict_proba_[:, 0]
    found, best = figures(truth, p >= clf.threshold_), best_of_all_cuts(rule, truth, p)
    assert_allclose(list(found.values()), list(best.values()))
    assert_array_equal(clf.predict(X) == "fraud", clf.predict_proba(X)[:, 0] >= clf.threshold_)
    report = clf.decision_report_
    assert_allclose([getattr(report, name).score for name in found], list(found.values()))
    assert (report.chosen_by, report.chosen_on) == (rule, "out-of-fold samples")
    assert (report.n_samples, report.n_positive) == (600, truth.sum())
    assert report.bound is None


def test_correction_of_the_probabilities_leaves_the_decisions_of_a_rule_unchanged():
    X, y = hard()
    plain = clone(CLF).set_params(threshold={"recall": 0.9}).fit(X, y)
    corrected = clone(plain).set_params(prior_correction=True).fit(X, y)
    assert corrected.threshold_ < plain.threshold_
    assert_array_equal(corrected.predict(X), plain.predict(X))


def test_pos_label_says_which_class_is_promised():
    X, y = hard()
    clf = clone(CLF).set_params(pos_label="ok", threshold={"recall": 0.95}).fit(X, y)
    common = clf.oof_predict_proba_[:, 1] >= clf.threshold_
    assert recall_score(y == "ok", common) >= 0.95
    assert_array_equal(clf.predict(X) == "ok", clf.predict_proba(X)[:, 1] >= clf.threshold_)


def test_report_has_the_intervals_of_wilson_and_the_bound_of_the_confidence():
    X, y = hard()
    rule = {"recall": 0.8, "confidence": 0.9}
    clf = clone(CLF).set_params(threshold=rule).fit(X, y)
    truth, flagged = y == "fraud", clf.oof_predict_proba_[:, 0] >= clf.threshold_
    report = clf.decision_report_
    for interval, of, among in [
        (report.recall, flagged, truth),
        (report.precision, truth, flagged),
        (report.fpr, flagged, ~truth),
        (report.alerts, flagged, np.ones(600, bool)),
    ]:
        ends = binomtest(of[among].sum(), among.sum()).proportion_ci(0.9, "wilson")
        assert_allclose(interval, (of[among].mean(), *ends))
    hits = binomtest(int((truth & flagged).sum()), int(truth.sum()), alternative="greater")
    assert 0.8 <= report.bound <= hits.proportion_ci(0.9, "exact").low + 1e-12
    assert report.bound < 0.85
    for said in ("{'recall': 0.8, 'confidence': 0.9}", "600 out-of-fold", "at least 0.8"):
        assert said in repr(report)


def test_rule_is_chosen_on_a_validation_set_with_its_weights():
    X, y = hard()
    X_val, y_val = hard(seed=1)
    weight = np.random.default_rng(0).integers(0, 4, 600).astype(float)
    clf = clone(CLF).set_params(cv=None, threshold={"precision": 0.5})
    clf.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    truth, p = y_val == "fraud", clf.predict_proba(X_val)[:, 0]
    best = best_of_all_cuts(
        {"precision": 0.5}, truth[weight > 0], p[weight > 0], weight[weight > 0]
    )
    found = figures(truth, p >= clf.threshold_, weight)
    assert_allclose(list(found.values()), list(best.values()))
    report = clf.decision_report_
    assert_allclose(report.recall.score, found["recall"])
    assert (report.chosen_on, report.n_samples) == ("X_val", (weight > 0).sum())


def test_weights_count_in_the_samples_that_members_held_out():
    X, y = hard()
    weight = np.where(np.arange(600) % 2, 3.0, 1.0)
    clf = clone(CLF).set_params(threshold={"recall": 0.9}).fit(X, y, sample_weight=weight)
    truth, p = y == "fraud", clf.oof_predict_proba_[:, 0]
    best = best_of_all_cuts({"recall": 0.9}, truth, p, weight)
    assert_allclose(figures(truth, p >= clf.threshold_, weight)["recall"], best["recall"])


@pytest.mark.parametrize("model", ["mlp", "auto"])
def test_without_folds_samples_are_held_out_for_a_rule(model):
    X, y = hard()
    clf = clone(CLF).set_params(model=model, cv=None, threshold={"recall": 0.8}).fit(X, y)
    assert clf.decision_report_.chosen_on == "held-out samples"
    assert clf.decision_report_.n_samples == 60
    assert clf.class_counts_.sum() == 540


def test_cross_fit_of_the_default_network_keeps_a_rule():
    X, y = hard()
    rule = {"fpr": 0.05, "confidence": 0.9}
    clf = ImbalancedNNClassifier(epochs=10, threshold=rule, random_state=0).fit(X, y)
    flagged = clf.oof_predict_proba_[:, 0] >= clf.threshold_
    assert 0 < flagged[y == "ok"].mean() < 0.05
    assert clf.decision_report_.bound <= 0.05


def test_splits_that_judge_some_samples_are_counted_by_those():
    X, y = hard()
    clf = clone(CLF).set_params(cv=TimeSeriesSplit(3), threshold={"recall": 0.9}).fit(X, y)
    assert clf.decision_report_.n_samples == 450
    clf.set_params(threshold={"recall": 0.9, "confidence": 0.999}, callbacks=[Untrained()])
    found = (y[150:] == "fraud").sum()
    with pytest.raises(ValueError, match=f"needs at least 66 positive samples, .* are {found}"):
        clf.fit(X, y)


# ---- what cannot be kept


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"recall": 0.9, "confidence": 0.95}, "needs at least 29 positive samples, and there are"),
        ({"fpr": 0.001, "confidence": 0.95}, "needs at least 2995 negative samples"),
        ({"alerts": 0.001}, "needs at least 1000 labelled samples"),
        ({"precision": 0.99, "confidence": 0.99}, "needs at least 459 positive samples"),
    ],
    ids=str,
)
def test_too_few_samples_are_an_error_before_the_training_that_has_the_number(rule, said):
    X, y = hard(120)
    clf = clone(CLF).set_params(threshold={"recall": 0.9}).fit(X, y)
    before = clf.predict(X), clf.threshold_, clf.decision_report_
    clf.set_params(threshold=rule, callbacks=[Untrained()])
    with pytest.raises(ValueError, match=said):
        clf.fit(X, y)
    assert_array_equal(clf.predict(X), before[0])
    assert (clf.threshold_, clf.decision_report_) == before[1:]
    with pytest.raises(ValueError, match=said):
        clone(clf).set_params(cv=None).fit(X, y, X_val=X, y_val=y)


@pytest.mark.slow
def test_precision_that_no_cut_has_is_an_error_that_leaves_the_estimator_as_it_was():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 2)), (rng.random(200) < 0.2).astype(int)
    clf = clone(CLF).fit(X, y)
    before = clf.predict_proba(X)
    clf.set_params(threshold={"precision": 0.999, "confidence": 0.5})
    with pytest.raises(ValueError, match="precision"):
        clf.fit(X, y)
    assert_array_equal(clf.predict_proba(X), before)
    assert not hasattr(clf, "decision_report_")


def test_equal_scores_are_flagged_together_or_not_at_all():
    _, y = hard(150)
    X = np.zeros((150, 2))
    clf = clone(CLF).set_params(cv=None, threshold={"recall": 0.5})
    clf.fit(X, y, X_val=X, y_val=y)
    assert (clf.predict(X) == "fraud").all()
    assert clf.decision_report_.alerts.score == 1.0
    for rule in ({"fpr": 0.1}, {"alerts": 0.1}):
        with pytest.raises(ValueError, match="by flagging no positive sample"):
            clf.set_params(threshold=rule).fit(X, y, X_val=X, y_val=y)


def test_validation_set_of_one_class_is_an_error_before_the_training():
    X, y = hard(150)
    clf = clone(CLF).set_params(
        cv=None, threshold={"recall": 0.9}, callbacks=[Untrained()], early_stopping=False
    )
    with pytest.raises(ValueError, match=r"threshold=\{'recall': 0.9\} cannot choose"):
        clf.fit(X, y, X_val=X[y == "ok"], y_val=y[y == "ok"])


@pytest.mark.parametrize("method", ["initialize", "partial_fit"])
def test_rules_need_a_fit(method):
    X, y = hard(60)
    clf = clone(CLF).set_params(threshold={"recall": 0.9})
    with pytest.raises(ValueError, match=rf"\{{'recall': 0.9\}} cannot be used in {method}"):
        getattr(clf, method)(X, y)


def test_rule_of_more_than_two_classes_is_an_error_that_names_costs(multiclass):
    clf = clone(CLF).set_params(threshold={"recall": 0.9}, callbacks=[Untrained()])
    with pytest.raises(ValueError, match=r"threshold=\{'recall': 0.9\} is a rule .* costs="):
        clf.fit(*multiclass)


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        ({"recal": 0.9}, "Did you mean 'recall'"),
        ({"sensitivity": 0.9}, "Did you mean 'recall'"),
        ({"recall": 90}, "Did you mean 0.9"),
        ({"recall": 0.9, "precision": 0.5}, "makes 2 promises"),
        ({"confidence": 0.9}, "makes 0 promises"),
        ({"recall": 0.9, "fraud": 0.5}, r"mixes words of a rule, \['recall'\], with .*'fraud'"),
        ({"fraud": 0.2, "ok": 0.8}, "given by label"),
    ],
    ids=str,
)
def test_mapping_that_is_no_rule_is_explained(threshold, said):
    X, y = hard(60)
    with pytest.raises(ValueError, match=said):
        clone(CLF).set_params(threshold=threshold).fit(X, y)


# ---- labels of an indicator matrix


def indicators(n=400):
    rng = np.random.default_rng(0)
    Y = (rng.random((n, 3)) < [0.3, 0.2, 0.1]).astype(int)
    return rng.normal(size=(n, 3)) + 1.5 * Y, pd.DataFrame(Y, columns=["a", "b", "c"])


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_every_label_keeps_the_rule(rule):
    X, Y = indicators()
    clf = clone(CLF).set_params(threshold=rule, epochs=30).fit(X, Y)
    assert list(clf.decision_report_) == ["a", "b", "c"]
    for k, name in enumerate(Y):
        truth, p = Y[name].to_numpy() == 1, clf.oof_predict_proba_[:, k]
        best = best_of_all_cuts(rule, truth, p)
        found = figures(truth, p >= clf.threshold_[k])
        assert_allclose(list(found.values()), list(best.values()))
        report = clf.decision_report_[name]
        assert (report.threshold, report.n_positive) == (clf.threshold_[k], truth.sum())
        assert_allclose(report.recall.score, found["recall"])


def test_label_without_positives_is_warned_of_and_has_no_promise():
    X, Y = indicators()
    Y = Y.assign(c=0)
    clf = clone(CLF).set_params(threshold={"recall": 0.9}, class_weight=None)
    with pytest.warns(UserWarning, match="label 'c' is 0 in all samples"):
        clf.fit(X, Y)
    assert clf.threshold_[2] == 0.5
    assert clf.decision_report_["c"].chosen_by is None
    assert np.isnan(clf.decision_report_["c"].recall.score)
    assert "chosen by nothing" in repr(clf.decision_report_["c"])


def test_label_with_too_few_positives_is_named_before_the_training():
    X, Y = indicators(200)
    clf = clone(CLF).set_params(
        threshold={"recall": 0.9, "confidence": 0.95}, callbacks=[Untrained()]
    )
    with pytest.raises(ValueError, match=r"For the label 'b': .* at least 29 positive"):
        clf.fit(X, Y)


def test_mapping_by_label_is_a_threshold_for_each_even_if_a_label_is_called_as_a_word_of_a_rule():
    X, Y = indicators(100)
    Y.columns = ["recall", "fpr", "c"]
    clf = clone(CLF).set_params(cv=None, threshold={"c": 0.2, "fpr": 0.3, "recall": 0.4})
    assert_array_equal(clf.fit(X, Y).threshold_, [0.4, 0.3, 0.2])
    with pytest.raises(ValueError, match="has a mapping for a label"):
        clf.set_params(threshold={"c": {"recall": 0.9}, "fpr": 0.3, "recall": 0.4}).fit(X, Y)
    Y = Y[["recall", "c"]].set_axis(["recall", "confidence"], axis=1)
    with pytest.raises(ValueError, match="is a rule, but it also names the labels"):
        clf.set_params(threshold={"recall": 0.9, "confidence": 0.8}).fit(X, Y)


# ---- as any other parameter


@pytest.mark.slow
def test_rule_is_shown_cloned_set_and_searched_as_written():
    X, y = hard()
    rule = {"recall": 0.9, "confidence": 0.9}
    clf = clone(CLF).set_params(threshold=rule)
    assert "threshold={'confidence': 0.9, 'recall': 0.9}" in repr(clf) or (
        "threshold={'recall': 0.9, 'confidence': 0.9}" in repr(clf)
    )
    assert clone(clf).get_params()["threshold"] == rule
    assert ImbalancedNNClassifier(threshold=rule).threshold is rule
    grid = {"threshold": [{"recall": 0.95}, {"precision": 0.6}, 0.5]}
    scoring = {"recall": lambda e, X, y: recall_score(y == "fraud", e.predict(X) == "fraud")}
    search = GridSearchCV(clf, grid, scoring=scoring, refit="recall", cv=2, error_score="raise")
    search.fit(X, y)
    assert search.best_params_ == {"threshold": {"recall": 0.95}}
    assert search.best_estimator_.decision_report_.chosen_by == {"recall": 0.95}


def test_rule_in_a_pipeline_and_after_pickling():
    X, y = hard()
    clf = clone(CLF).set_params(threshold={"precision": 0.5, "confidence": 0.8})
    pipe = make_pipeline(StandardScaler(), clf).fit(X, y)
    again = pickle.loads(pickle.dumps(pipe))
    assert_array_equal(again.predict(X), pipe.predict(X))
    assert again[-1].decision_report_ == pipe[-1].decision_report_
    assert repr(again[-1].decision_report_) == repr(pipe[-1].decision_report_)
    assert precision_score(y == "fraud", pipe.predict(X) == "fraud") > 0.5


def test_rule_report_and_sets_survive_skops():
    io = pytest.importorskip("skops.io")
    X, y = hard()
    clf = clone(CLF).set_params(threshold={"recall": 0.8, "confidence": 0.9}).fit(X, y)
    stored = io.dumps(clf)
    again = io.loads(stored, trusted=io.get_untrusted_types(data=stored))
    assert_array_equal(again.predict(X), clf.predict(X))
    assert again.decision_report_ == clf.decision_report_
    assert_array_equal(again.predict_set(X), clf.predict_set(X))


# ---- reports of scores, and masks


def test_score_that_chooses_has_a_report_too_and_a_number_has_none(multiclass):
    X, y = hard()
    clf = clone(CLF).set_params(threshold="f1").fit(X, y)
    truth, flagged = y == "fraud", clf.oof_predict_proba_[:, 0] >= clf.threshold_
    assert clf.decision_report_.chosen_by == "f1"
    assert_allclose(clf.decision_report_.recall.score, recall_score(truth, flagged))
    assert_allclose(clf.decision_report_.precision.score, precision_score(truth, flagged))
    assert not hasattr(clf.set_params(threshold=0.3).fit(X, y), "decision_report_")
    clf = clone(CLF).set_params(cv=None, threshold="f1_macro")
    X, y = multiclass
    clf.fit(X, y, X_val=X, y_val=y)
    assert list(clf.decision_report_) == [0, 1, 2]
    recalls = [report.recall.score for report in clf.decision_report_.values()]
    assert_allclose(recalls, recall_score(y, clf.predict(X), average=None))


def test_threshold_of_the_default_network_without_folds_says_that_the_samples_were_trained_on():
    X, y = hard(150)
    clf = ImbalancedNNClassifier(cv=None, epochs=3, threshold="f1", random_state=0).fit(X, y)
    assert clf.decision_report_.chosen_on == "training samples"


@pytest.mark.slow
def test_pixels_of_two_classes_keep_a_rule_and_have_no_confidence():
    rng = np.random.default_rng(0)
    masks = np.zeros((10, 16, 16), bool)
    masks[:, 4:8, 5:9] = True
    images = masks + rng.normal(0, 0.6, masks.shape)
    seg = ImbalancedNNSegmenter(
        model__depth=1, model__width=4, epochs=2, random_state=0, threshold={"recall": 0.8}
    ).fit(images[:6], masks[:6], X_val=images[6:], y_val=masks[6:])
    p = seg.predict_proba(images[6:])[..., 1]
    best = best_of_all_cuts({"recall": 0.8}, masks[6:].ravel(), p.ravel())
    found = figures(masks[6:].ravel(), seg.predict(images[6:]).ravel())
    assert_allclose(list(found.values()), list(best.values()))
    assert seg.decision_report_.n_samples == masks[6:].size
    seg.set_params(threshold={"recall": 0.8, "confidence": 0.9})
    with pytest.raises(ValueError, match="pixels of an image depend on each other"):
        seg.fit(images, masks)
