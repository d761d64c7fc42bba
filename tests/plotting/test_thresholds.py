"""Displays of thresholds: the lines are what scikit-learn computes."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    f1_score,
    make_scorer,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_curve,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    TunedThresholdClassifierCV,
)
from sklearn.preprocessing import StandardScaler

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from skimb import AutoencoderClassifier, ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.metrics import score_interval
from skimb.plotting import ThresholdDisplay, TrainingDisplay
from skimb.probability import best_threshold

SMALL = ImbalancedNNClassifier(cv=None, epochs=4, threshold="f1", random_state=0)


@pytest.fixture(autouse=True)
def no_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted(binary):
    return clone(SMALL).fit(*binary)


def drawn(line):
    """The data of a line, without the ends that reach to 0 and 1."""
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def assert_draws(display, positives, scores, sample_weight=None):
    precision, recall, thresholds = precision_recall_curve(
        positives, scores, sample_weight=sample_weight
    )
    x, y = drawn(display.lines_["precision"])
    assert_allclose(x[1:], thresholds)  # the first point is at 0
    assert_allclose(y[1:], precision[:-1])
    x, y = drawn(display.lines_["recall"])
    assert_allclose(x[1:-1], thresholds)
    assert_allclose(y[1:-1], recall[:-1])
    expected = [
        f1_score(positives, scores >= t, sample_weight=sample_weight) for t in thresholds[::20]
    ]
    assert_allclose(drawn(display.lines_["f1"])[1][1:-1][::20], expected)


def assert_marks(display, y, predicted, **score):
    expected = [f(y, predicted, **score) for f in (precision_score, recall_score, f1_score)]
    assert_allclose(list(display.at_threshold.values()), expected)


def test_threshold_draws_the_curves_of_the_rare_class(fitted, binary):
    X, y = binary
    weight = np.linspace(0.5, 2, len(y))
    display = ThresholdDisplay.from_estimator(fitted, X, y, sample_weight=weight)
    assert_draws(display, y, fitted.predict_proba(X)[:, 1], weight)
    assert_marks(display, y, fitted.predict(X), sample_weight=weight)
    assert display.threshold_.get_xdata()[0] == fitted.threshold_


@pytest.mark.parametrize("promise", ["recall", "precision"])
def test_floor_of_a_rule_is_drawn_with_the_thresholds_that_keep_it(binary, promise):
    X, y = binary
    labels = np.where(y == 1, "bad", "good")
    clf = clone(SMALL).set_params(threshold={promise: 0.7}, cv=None)
    clf.fit(X, labels, X_val=X, y_val=labels)
    display = ThresholdDisplay.from_estimator(make_pipeline(clf), X, labels, confidence=None)
    assert set(display.rule_.get_ydata()) == {0.7}
    curve = display.recall if promise == "recall" else display.precision
    kept = display.thresholds[curve >= 0.7]
    low, high = shaded_thresholds(display)
    assert_allclose(high, kept.max())
    assert_allclose(low, max([0, *display.thresholds[display.thresholds < kept.min()]]))
    assert kept.min() <= clf.threshold_ <= kept.max()
    assert ThresholdDisplay.from_estimator(clf, X, labels, pos_label="good").rule_ is None
    assert ThresholdDisplay.from_estimator(clone(SMALL).fit(X, y), X, y).rule_ is None


def shaded_thresholds(display):
    """The range of the thresholds that keep the rule, of a display without bands."""
    (shaded,) = display.ax_.collections
    corners = np.concatenate([path.vertices for path in shaded.get_paths()])[:, 0]
    return corners.min(), corners.max()


def rare(n=2000, seed=0, share=0.05):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    return y, 1 / (1 + np.exp(3 - rng.normal(size=n) - 2 * y)).round(3)


@pytest.mark.parametrize("rule", [{"fpr": 0.02}, {"alerts": 0.05}, {"fpr": 0.4}])
@pytest.mark.parametrize("weighted", [False, True])
def test_ceiling_of_a_rule_is_met_by_its_curve_on_an_axis_of_its_own(rule, weighted):
    y, p = rare()
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else np.ones(len(y))
    ((promise, bound),) = rule.items()
    cut = best_threshold(y, p, rule, sample_weight=weight)
    display = ThresholdDisplay.from_predictions(
        y, p, threshold=cut, rule=rule, sample_weight=weight, confidence=None
    )
    counted = weight * (y == 0) if promise == "fpr" else weight
    expected = [np.sum(counted[p >= t]) / counted.sum() for t in display.thresholds]
    line = display.lines_[promise]
    assert_allclose(drawn(line)[0][1:-1], display.thresholds)
    assert_allclose(drawn(line)[1][1:-1], expected)
    if promise == "fpr":
        fpr, _, cuts = roc_curve(y, p, sample_weight=weight, drop_intermediate=False)
        assert_allclose(display.thresholds, cuts[:0:-1])
        assert_allclose(display.fpr, fpr[:0:-1])
    assert line.axes is display.rule_.axes is not display.ax_
    assert set(display.rule_.get_ydata()) == {bound}
    assert line.axes.get_ylim()[1] > bound
    low, high = shaded_thresholds(display)
    kept = display.thresholds[np.array(expected) <= bound + 1e-12]
    assert low < cut
    assert high == 1  # of which nothing is flagged
    before = display.thresholds[display.thresholds < kept.min()].max()
    assert_allclose(low, before)  # from just above it on, as the curves step


def test_rule_about_all_labels_has_a_ceiling_in_every_panel_but_an_empty_one():
    (y, p), (other, q) = rare(300), rare(300, seed=1)
    Y, P = np.column_stack([y, 0 * y, other]), np.column_stack([p, p, q])
    display = ThresholdDisplay.from_predictions(Y, P, threshold=0.5, rule={"alerts": 0.1})
    assert [line is None for line in display.rule_] == [False, True, False]
    one = ThresholdDisplay.from_predictions(y, p, rule={"alerts": 0.1})
    assert_array_equal(drawn(display.lines_[0]["alerts"]), drawn(one.lines_["alerts"]))
    texts = [text.get_text() for text in display.figure_.legends[0].get_texts()]
    assert texts[-2:] == ["Alerts at most 0.1", "95 % intervals"]
    with pytest.raises(ValueError, match=r"rule=.*unknown key 'alert'.*Did you mean 'alerts'"):
        ThresholdDisplay.from_predictions(y, p, rule={"alert": 0.1})


def corners_at(band, x):
    """The heights that a band has at a threshold, just below it, as the curves step."""
    vertices = np.concatenate([path.vertices for path in band.get_paths()])
    return vertices[np.isclose(vertices[:, 0], x), 1]


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_bands_are_the_intervals_of_wilson(confidence):
    y, p = rare(400, share=0.1)
    display = ThresholdDisplay.from_predictions(y, p, rule={"fpr": 0.1}, confidence=confidence)
    assert set(display.bands_) == {"precision", "recall", "fpr"}
    for i, cut in list(enumerate(display.thresholds))[::8]:
        flagged = p >= cut
        hits = int(y[flagged].sum())
        counts = {
            "precision": (hits, int(flagged.sum())),
            "recall": (hits, int(y.sum())),
            "fpr": (int(flagged.sum()) - hits, int(np.sum(y == 0))),
            "alerts": (int(flagged.sum()), len(y)),
        }
        for name, (k, n) in counts.items():
            expected = binomtest(k, n).proportion_ci(confidence, "wilson")
            assert_allclose(display.intervals[name][:, i], expected, atol=1e-12)
            if name in display.bands_ and i % 40 == 0 < i:
                heights = corners_at(display.bands_[name], cut)
                for bound in expected:
                    assert np.abs(heights - bound).min() < 1e-9
    (legend,) = display.figure_.legends
    assert legend.get_texts()[-1].get_text() == f"{100 * confidence:g} % intervals"


def test_bands_with_weights_are_those_of_the_interval_of_the_score():
    y, p = rare(400, share=0.1)
    weight = np.random.default_rng(1).exponential(size=400)
    weight[::7] = 0
    display = ThresholdDisplay.from_predictions(y, p, sample_weight=weight)
    for i in range(0, len(display.thresholds), 25):
        for name in ("precision", "recall"):
            found = score_interval(
                y, p, name, threshold=display.thresholds[i], sample_weight=weight
            )
            assert_allclose(display.intervals[name][:, i], [found.low, found.high])


@pytest.mark.parametrize("confidence", [95, 0, True, "95 %"])
def test_confidence_that_is_no_share_is_an_error(confidence):
    with pytest.raises(ValueError, match=r"confidence must be a number between 0 and 1.*None"):
        ThresholdDisplay.from_predictions([0, 1], [0.1, 0.2], confidence=confidence)
    none = ThresholdDisplay.from_predictions([0, 1], [0.1, 0.2], confidence=None)
    assert none.bands_ == {}
    assert none.intervals is None


def test_classifier_that_decides_by_costs_has_no_threshold_to_mark(binary):
    clf = clone(SMALL).set_params(threshold=0.5, costs={"fp": 1, "fn": 20}).fit(*binary)
    assert ThresholdDisplay.from_estimator(clf, *binary).threshold_ is None


def test_threshold_is_of_the_probability_of_the_rare_class_where_that_is_the_first(binary):
    X, y = binary
    labels = np.where(y == 1, "bad", "good")
    clf = clone(SMALL).fit(X, labels)
    display = ThresholdDisplay.from_estimator(clf, X, labels)
    assert_draws(display, y, clf.predict_proba(X)[:, 0])
    assert_marks(display, labels, clf.predict(X), pos_label="bad")
    assert_allclose(display.threshold_.get_xdata()[0], clf.threshold_)
    assert display.ax_.get_xlabel().endswith("class bad")
    common = ThresholdDisplay.from_estimator(clf, X, labels, pos_label="good")
    assert_marks(common, labels, clf.predict(X), pos_label="good")


def test_threshold_of_a_label_of_an_indicator_target(multilabel):
    X, Y = multilabel
    clf = ImbalancedNNClassifier(cv=None, epochs=3, threshold="f1", random_state=0).fit(X, Y)
    display = ThresholdDisplay.from_estimator(clf, X, Y, pos_label=2)
    assert_draws(display, Y[:, 2], clf.predict_proba(X)[:, 2])
    assert_marks(display, Y[:, 2], clf.predict(X)[:, 2])
    assert display.ax_.get_title() == "Label 2"
    named = ThresholdDisplay.from_estimator(
        clf, X, pd.DataFrame(Y, columns=list("abcd")), pos_label="c"
    )
    assert_draws(named, Y[:, 2], clf.predict_proba(X)[:, 2])
    assert named.ax_.get_title() == "Label c"
    assert named.ax_.get_xlabel().endswith("class c")
    with pytest.raises(ValueError, match="pos_label=7"):
        ThresholdDisplay.from_estimator(clf, X, Y, pos_label=7)


def test_all_labels_of_an_indicator_target_have_a_panel_with_their_name(multilabel):
    X, Y = multilabel
    Y = pd.DataFrame(Y, columns=["rain", "fog", "ice", "sun"])
    clf = ImbalancedNNClassifier(cv=None, epochs=3, threshold="f1", random_state=0).fit(X, Y)
    proba, predicted = clf.predict_proba(X), clf.predict(X)
    for display in (
        ThresholdDisplay.from_estimator(clf, X, Y.to_numpy()),  # it has the names from its fit
        ThresholdDisplay.from_predictions(Y, proba, threshold=clf.threshold_),
    ):
        assert display.pos_label == list(Y.columns)
        assert display.axes_.shape == (4,)
        for i, name in enumerate(Y):
            one = ThresholdDisplay.from_predictions(
                Y[name], proba[:, i], threshold=clf.threshold_[i]
            )
            assert_marks(one, Y[name], predicted[:, i])
            assert display.at_threshold[i] == one.at_threshold
            for line in ("precision", "recall", "f1"):
                assert_array_equal(drawn(display.lines_[i][line]), drawn(one.lines_[line]))
            assert display.threshold_[i].get_xdata()[0] == clf.threshold_[i]
            title = display.axes_[i].get_title()
            assert title.startswith(f"{name}\nF1 {one.at_threshold['f1']:.2f} at ")
        texts = [text.get_text() for text in display.figure_.legends[0].get_texts()]
        assert texts == ["Precision", "Recall", "F1", "threshold", "95 % intervals"]


def test_twelve_labels_with_long_names_do_not_overlap_and_are_not_cut_off():
    rng = np.random.default_rng(0)
    kinds = [
        "cash",
        "card",
        "wire",
        "cheque",
        "crypto",
        "loan",
        "insurance",
        "tax",
        "gift",
        "salary",
        "rent",
        "refund",
    ]
    names = [f"transactions of the kind {kind} that were reported" for kind in kinds]
    Y = pd.DataFrame(rng.random((300, 12)) < np.linspace(0.05, 0.5, 12), columns=names).astype(int)
    display = ThresholdDisplay.from_predictions(Y, rng.random(Y.shape), threshold=0.5)
    display.figure_.draw_without_rendering()
    boxes = [panel.get_tightbbox() for panel in display.axes_]
    legend = display.figure_.legends[0].get_window_extent()
    for i, (box, name) in enumerate(zip(boxes, names, strict=True)):
        assert not box.count_overlaps([*boxes[:i], *boxes[i + 1 :], legend])
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= display.figure_.bbox.x1
        assert name in display.axes_[i].get_title().replace("\n", " ")


def test_labels_are_drawn_on_given_axes(multilabel):
    Y, scores = multilabel[1], np.random.default_rng(0).random((300, 4))
    axes = plt.figure().subplots(4)
    given = ThresholdDisplay.from_predictions(Y, scores, ax=axes)
    assert list(given.axes_) == list(axes)
    single, other = plt.figure().subplots(1, 2)
    divided = ThresholdDisplay.from_predictions(Y, scores, ax=single)
    assert divided.figure_ is single.figure
    assert all(p.get_position().x1 < other.get_position().x0 for p in divided.axes_)
    with pytest.raises(ValueError, match="3 Axes"):
        ThresholdDisplay.from_predictions(Y, scores, ax=axes[:3])


def test_a_label_without_samples_of_both_values_has_an_empty_panel_that_says_so():
    Y, scores = np.array([[0, 1], [0, 0], [0, 1]]), np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    display = ThresholdDisplay.from_predictions(Y, scores, threshold=0.5)
    assert display.lines_[0] == {}
    assert display.at_threshold[0] is None
    assert [text.get_text() for text in display.axes_[0].texts] == ["no samples of both classes"]
    assert set(display.lines_[1]) == {"precision", "recall", "f1"}
    with pytest.raises(ValueError, match="no label among"):
        ThresholdDisplay.from_predictions(Y * 0, scores)
    with pytest.raises(ValueError, match="no samples of 0, the positive class"):
        ThresholdDisplay.from_predictions(Y, scores, pos_label=0)


@pytest.mark.slow
def test_threshold_of_pixels_is_that_of_the_foreground():
    X = np.random.default_rng(0).normal(size=(8, 16, 16)).astype("float32")
    y = np.where(X > -1, "cell", "none")  # the background is the rarer one
    network = {"model__depth": 1, "model__width": 4, "background": "none"}
    segmenter = ImbalancedNNSegmenter(epochs=2, threshold=0.7, random_state=0, **network).fit(X, y)
    weight = np.arange(1.0, 9)
    display = ThresholdDisplay.from_estimator(segmenter, X, y, sample_weight=weight)
    by_pixel = np.repeat(weight, 256)
    predicted = segmenter.predict(X).ravel()
    assert_marks(display, y.ravel(), predicted, sample_weight=by_pixel, pos_label="cell")
    assert_allclose(display.threshold, segmenter.threshold_)
    assert display.bands_ == {}  # pixels depend on each other
    counts = np.ones(y.shape)
    counts[:, 0] = 0
    void = np.where(counts, y, "void")
    of_counted = ThresholdDisplay.from_estimator(segmenter, X, void, sample_weight=counts)
    assert_marks(
        of_counted, y[:, 1:].ravel(), segmenter.predict(X)[:, 1:].ravel(), pos_label="cell"
    )


def test_threshold_of_another_classifier_has_no_mark(binary):
    X, y = binary
    clf = LogisticRegression().fit(X, y)
    display = ThresholdDisplay.from_estimator(clf, X, y)
    assert_draws(display, y, clf.predict_proba(X)[:, 1])
    assert display.threshold_ is None
    assert display.at_threshold is None


@pytest.mark.parametrize("names", [["good", "odd"], ["common", "bad"]])
def test_threshold_of_an_autoencoder_is_of_its_errors(binary, names):
    X, y = binary
    labels = np.array(names)[y]
    clf = make_pipeline(StandardScaler(), AutoencoderClassifier(epochs=3, random_state=0))
    clf.fit(X, labels)
    display = ThresholdDisplay.from_estimator(clf, X, labels)
    assert_marks(display, labels, clf.predict(X), pos_label=names[1])
    assert_allclose(display.threshold_.get_xdata()[0], clf[-1].threshold_)
    # of an autoencoder, scikit-learn's curves of the decision are those of the errors, shifted
    beyond = clf.decision_function(X) * (1 if names[1] == clf.classes_[1] else -1)
    precision, recall, _ = precision_recall_curve(labels == names[1], beyond)
    assert_allclose(display.precision, precision[:-1])
    assert_allclose(display.recall, recall[:-1])
    assert display.ax_.get_xlabel() == f"Threshold on the reconstruction error of class {names[1]}"
    with pytest.raises(ValueError, match="is the class that is reconstructed"):
        ThresholdDisplay.from_estimator(clf, X, labels, pos_label=names[0])


def test_the_rare_class_is_positive_behind_a_sampler_that_hides_which_it_is(binary):
    X, y = binary
    labels = np.where(y == 1, "bad", "good")
    network = ImbalancedNNClassifier(model="mlp", epochs=2, random_state=0)
    pipe = make_pipeline(RandomOverSampler(random_state=0), network).fit(X, labels)
    display = ThresholdDisplay.from_estimator(pipe, X, labels)
    assert display.pos_label == "bad"
    assert_draws(display, y, pipe.predict_proba(X)[:, 0])
    assert display.at_threshold["f1"] == pytest.approx(pipe.score(X, labels))


def test_the_rare_class_is_positive_for_other_classifiers_too(binary):
    X, y = binary
    labels = np.where(y == 1, "bad", "good")
    clf = LogisticRegression().fit(X, labels)
    display = ThresholdDisplay.from_estimator(clf, X, labels)
    assert display.pos_label == "bad"
    assert_draws(display, y, clf.predict_proba(X)[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize("pos_label", ["bad", "good"])
def test_threshold_around_a_classifier_is_marked(binary, pos_label):
    X, y = binary
    labels = np.where(y == 1, "bad", "good")
    score = make_scorer(f1_score, pos_label=pos_label)
    for clf in (
        TunedThresholdClassifierCV(LogisticRegression(), scoring=score, cv=3),
        FixedThresholdClassifier(LogisticRegression(), threshold=0.2, pos_label=pos_label),
        FixedThresholdClassifier(LogisticRegression()),
        TunedThresholdClassifierCV(clone(SMALL).set_params(threshold=0.7), scoring=score, cv=2),
    ):
        clf.fit(X, labels)
        display = ThresholdDisplay.from_estimator(clf, X, labels)
        assert_marks(display, labels, clf.predict(X), pos_label="bad")
    history = clf.estimator_.history_["loss"]  # of the network in it
    assert_array_equal(TrainingDisplay.from_estimator(clf).lines_["loss"].get_ydata(), history)


def test_threshold_on_a_decision_function_is_no_mark_among_probabilities(binary):
    X, y = binary
    clf = FixedThresholdClassifier(
        LogisticRegression(), threshold=0.7, response_method="decision_function"
    ).fit(X, y)
    assert ThresholdDisplay.from_estimator(clf, X, y).threshold is None


def test_threshold_from_predictions_of_scores_that_are_no_probabilities():
    display = ThresholdDisplay.from_predictions(
        ["a", "b", "a", "b"], [3.0, -1.0, 2.0, 2.5], threshold=2.0, pos_label="a"
    )
    assert_allclose(drawn(display.lines_["recall"]), ([-1, 2, 2.5, 3], [1, 1, 0.5, 0.5]))
    assert display.at_threshold == pytest.approx({"precision": 2 / 3, "recall": 1, "f1": 0.8})


def test_threshold_above_all_scores_finds_nothing():
    display = ThresholdDisplay.from_predictions([0, 1], [0.1, 0.2], threshold=0.7)
    assert np.isnan(display.at_threshold["precision"])
    assert display.at_threshold["recall"] == display.at_threshold["f1"] == 0
    assert display.ax_.get_xlim()[1] > 0.7


def test_many_thresholds_are_drawn_by_a_choice_that_has_the_exact_values():
    rng = np.random.default_rng(0)
    y = rng.random(50_000) < 0.0005
    scores = np.clip(rng.normal(0.2 + 0.3 * y, 0.1), 0, 1)
    display = ThresholdDisplay.from_predictions(y, scores, threshold=0.45)
    x, recall = drawn(display.lines_["recall"])
    assert len(x) < 2100
    assert_allclose(recall[1:-1:97], [recall_score(y, scores >= t) for t in x[1:-1:97]])
    assert_marks(display, y, scores >= 0.45)


@pytest.mark.parametrize(
    ("y", "scores", "given", "message"),
    [
        ([0, 1, 2], [0.1, 0.2, 0.3], {}, "a threshold takes two"),
        ([0, 1], [[0.1, 0.9], [0.2, 0.8]], {}, "pass proba"),
        ([0, 1], [0.1, 0.2], {"pos_label": 3}, "pos_label=3"),
        ([0, 0], [0.1, 0.2], {"pos_label": 0}, "Pass samples of both classes"),
        ([0, 1], [0.1, 0.2], {"sample_weight": [1, 0]}, "no samples of 1"),
        ([0, 1], [0.1, np.nan], {}, "NaN"),
    ],
)
def test_threshold_refuses_what_has_no_curve(y, scores, given, message):
    with pytest.raises(ValueError, match=message):
        ThresholdDisplay.from_predictions(y, scores, **given)


def test_threshold_refuses_more_than_two_classes_and_unknown_labels(multiclass, fitted, binary):
    X, y = multiclass
    clf = ImbalancedNNClassifier(cv=None, epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="one threshold for two classes"):
        ThresholdDisplay.from_estimator(clf, X, y)
    with pytest.raises(ValueError, match=r"labels \[2\]"):
        ThresholdDisplay.from_estimator(fitted, binary[0], binary[1] * 2)
