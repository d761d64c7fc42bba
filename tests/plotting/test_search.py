"""Displays of searches over weights: what is drawn, marked and said of cv_results_."""

from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from skimb import ImbalancedNNClassifier
from skimb.plotting import WeightSearchDisplay
from skimb.weighting import weight_grid


@pytest.fixture(autouse=True)
def no_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def search(binary):
    grid = {"class_weight": weight_grid(binary[1], 5), "C": [0.01, 1.0]}
    return GridSearchCV(LogisticRegression(), grid, scoring=["f1", "recall"], refit="f1").fit(
        *binary
    )


def drawn(line):
    """The data of a line."""
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


@pytest.mark.slow
def test_search_draws_a_line_for_each_setting_against_the_ratio_of_the_weights(search):
    results = search.cv_results_
    display = WeightSearchDisplay.from_cv_results(results, score="f1")
    for line, curve, C in zip(display.lines_, display.curves, (0.01, 1.0), strict=True):
        chosen = [i for i, p in enumerate(results["params"]) if p["C"] == C]
        ratios = [results["params"][i]["class_weight"] for i in chosen]
        assert_allclose(line.get_xdata(), [w[1] / w[0] for w in ratios])
        assert_array_equal(line.get_ydata(), results["mean_test_f1"][chosen])
        assert_array_equal(curve.std, results["std_test_f1"][chosen])
        assert curve.label == f"C={C:g}"
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlabel() == "Weight of class 1 / weight of class 0"
    assert display.ax_.get_ylabel() == "F1: mean ± std of 5 folds"
    assert display.best_.get_ydata()[0] == results["mean_test_f1"].max()


def test_search_results_may_be_a_data_frame(search):
    display = WeightSearchDisplay.from_cv_results(pd.DataFrame(search.cv_results_), score="recall")
    expected = search.cv_results_["mean_test_recall"].reshape(2, 5)
    assert_allclose([line.get_ydata() for line in display.lines_], expected)


def test_search_finds_the_weight_behind_the_steps_of_a_pipeline(binary):
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    step = "logisticregression"
    grid = {f"{step}__class_weight": [{0: 5, 1: 1}, {0: 2, 1: 1}], f"{step}__C": [0.1, 1.0]}
    search = GridSearchCV(pipe, grid, cv=3, return_train_score=True).fit(*binary)
    display = WeightSearchDisplay.from_cv_results(search.cv_results_)
    assert display.weight_label == "Weight of class 0 / weight of class 1"
    assert_allclose(display.lines_[0].get_xdata(), [2, 5])
    assert [curve.label for curve in display.curves] == ["C=0.1", "C=1"]
    by_name = WeightSearchDisplay.from_cv_results(search.cv_results_, param="class_weight")
    assert by_name.weight_label == display.weight_label


def results_of(params, mean, std=None, **others):
    std = np.zeros(len(mean)) if std is None else std
    return {"params": params, "mean_test_score": mean, "std_test_score": std, **others}


def test_search_over_names_and_numbers_has_categories():
    weights = ["balanced", {"ok": 1, "bad": 8}, None, {"bad": 2}]
    results = results_of([{"class_weight": w} for w in weights], [0.4, 0.3, 0.1, 0.2])
    display = WeightSearchDisplay.from_cv_results(results)
    assert display.categories == ["balanced", "None", "2", "8"]
    assert_allclose(drawn(display.lines_[0]), ([0, 1, 2, 3], [0.4, 0.1, 0.2, 0.3]))
    assert display.lines_[0].get_linestyle() == "None"
    assert "weight of class bad / weight of class ok" in said(display.ax_.get_xlabel())


@pytest.mark.parametrize(
    ("numbers", "scale"),
    [([0, 0.25, 0.5, 1], "linear"), ([1, 10, 100], "log"), ([0, 1, 10, 100], "symlog")],
)
def test_search_over_numbers_is_drawn_on_the_scale_of_their_gaps(numbers, scale):
    results = results_of([{"clf__pos_weight": n} for n in numbers], np.array(numbers) / 100)
    display = WeightSearchDisplay.from_cv_results(results)
    assert display.ax_.get_xscale() == scale
    assert_allclose(display.lines_[0].get_xdata(), numbers)


def test_search_with_weights_of_several_classes_draws_the_largest_over_the_smallest():
    weights = [{0: 1, 1: 2, 2: 8}, np.array([1.0, 1.0, 2.0]), pd.Series({0: 1, 1: 1, 2: 4})]
    results = results_of([{"class_weight": w} for w in weights[::2]], [0.1, 0.2])
    display = WeightSearchDisplay.from_cv_results(results)
    assert_allclose(display.lines_[0].get_xdata(), [4, 8])
    results = results_of([{"class_weight": weights[1]}], [0.1])
    assert_allclose(WeightSearchDisplay.from_cv_results(results).lines_[0].get_xdata(), [2])


def test_search_with_many_other_settings_draws_the_best_of_them():
    params = [{"pos_weight": w, "alpha": a} for w in (1, 2) for a in range(7)]
    mean = np.random.default_rng(0).random(14)
    mean[3] = np.nan
    display = WeightSearchDisplay.from_cv_results(results_of(params, mean))
    assert_allclose(display.lines_[0].get_ydata(), [np.nanmax(mean[:7]), np.nanmax(mean[7:])])
    assert display.curves[0].label == "best of 7 settings of alpha"
    at = np.nanargmax(mean)
    best = f"best: {mean[at]:.3f} at {params[at]['pos_weight']} with alpha={params[at]['alpha']}"
    assert legend_of(display) == ["best of 7 settings of alpha", best]


def test_random_search_draws_points_without_lines(binary):
    grid = {"class_weight": weight_grid(binary[1], 20), "C": list(np.geomspace(0.01, 1, 20))}
    search = RandomizedSearchCV(LogisticRegression(), grid, n_iter=8, cv=2, random_state=0).fit(
        *binary
    )
    display = WeightSearchDisplay.from_cv_results(search.cv_results_)
    assert display.lines_[0].get_linestyle() == "None"
    assert_allclose(
        sorted(display.lines_[0].get_ydata()), sorted(search.cv_results_["mean_test_score"])
    )


def test_halving_search_has_a_line_for_each_number_of_rows():
    params = [{"pos_weight": w} for w in (1, 2, 4, 2, 4)]
    results = results_of(params, [0.1, 0.2, 0.3, 0.5, 0.4], n_resources=[50, 50, 50, 150, 150])
    display = WeightSearchDisplay.from_cv_results(results)
    assert [curve.label for curve in display.curves] == ["n_resources=50", "n_resources=150"]
    assert_allclose(display.lines_[1].get_ydata(), [0.5, 0.4])


@pytest.mark.parametrize("other", [[0.1], np.geomspace(0.01, 1, 5)])
def test_halving_search_marks_the_candidate_that_it_chose(binary, other):
    X, y = binary
    grid = {"class_weight": weight_grid(y, 5), "C": other}
    search = HalvingGridSearchCV(
        LogisticRegression(),
        grid,
        scoring=scorer_of_luck,
        cv=2,
        random_state=0,
        factor=2,
        min_resources=100,
    ).fit(X, y)
    assert search.cv_results_["mean_test_score"].max() > search.best_score_
    display = WeightSearchDisplay.from_cv_results(search.cv_results_)
    weights = search.best_params_["class_weight"]
    assert_allclose(drawn(display.best_), ([weights[1] / weights[0]], [search.best_score_]))


def scorer_of_luck(clf, X, y):
    """Better for few rows, as scores are by luck, and otherwise by the weight."""
    return 1 / len(y) + 0.0001 * clf.class_weight[1] + 0.00001 * clf.C


def test_failed_fits_are_marked_and_no_part_of_the_line():
    results = results_of([{"weight_power": p} for p in (0, 0.5, 1)], [0.1, np.nan, 0.3])
    display = WeightSearchDisplay.from_cv_results(results)
    assert_allclose(drawn(display.lines_[0]), ([0, 1], [0.1, 0.3]))
    assert_allclose(display.failed_.get_xdata(), [0.5])
    assert display.best_.get_xdata()[0] == 1


@pytest.mark.parametrize("better", [True, False])
def test_candidates_without_the_parameter_are_named_where_they_are_better(better):
    params = [{"pos_weight": 1}, {"pos_weight": 2}, {"C": 3}, {"C": 4}]
    mean = [0.1, 0.2, 0.9, 0.8] if better else [0.1, 0.2, 0.15, 0.1]
    display = WeightSearchDisplay.from_cv_results(results_of(params, mean))
    assert_allclose(display.lines_[0].get_ydata(), [0.1, 0.2])
    named = [text for text in legend_of(display) if "not drawn" in text]
    assert named == (["not drawn, without pos_weight: 0.900 of C=3"] if better else [])


def said(text):
    """A text without its breaks of lines."""
    return text.replace("\n", " ")


def legend_of(display):
    return [said(text.get_text()) for text in display.ax_.get_legend().get_texts()]


def test_long_names_of_classes_are_in_a_label_that_is_not_cut_off():
    rare, common = "transactions that were fraudulent", "transactions that were in order indeed"
    weights = ["balanced", "sqrt_balanced", None, {rare: 5, common: 1}, {rare: 20, common: 1}]
    results = results_of([{"class_weight": w} for w in weights], np.linspace(0.1, 0.5, 5))
    display = WeightSearchDisplay.from_cv_results(results)
    display.figure_.draw_without_rendering()
    label, frame = display.ax_.xaxis.label, display.figure_.bbox
    box = label.get_window_extent()
    assert (box.x0, box.y0) >= (0, 0)
    assert box.x1 <= frame.x1
    assert f"class {rare} / weight of class {common})" in said(label.get_text())
    ticks = [text.get_window_extent() for text in display.ax_.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(ticks))


def accuracy_of_rare(clf, X, y):
    return clf.score(X[y == 1], y[y == 1])


@pytest.mark.parametrize(
    ("scoring", "title"),
    [
        (None, "Accuracy"),
        ("balanced_accuracy", "Balanced accuracy"),
        (make_scorer(fbeta_score, beta=2), "Fbeta"),
        (accuracy_of_rare, "Accuracy of rare"),
    ],
)
def test_the_score_of_a_search_has_its_name(binary, scoring, title):
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    grid = {"logisticregression__class_weight": [None, "balanced"]}
    search = GridSearchCV(pipe, grid, scoring=scoring, cv=2).fit(*binary)
    display = WeightSearchDisplay.from_estimator(search)
    assert said(display.ax_.get_ylabel()) == f"{title}: mean ± std of 2 folds"


def test_the_score_of_a_search_without_scoring_is_that_of_the_network(binary):
    for given, title in (({}, "F1"), ({"scoring": "roc_auc"}, "ROC AUC")):
        network = ImbalancedNNClassifier(cv=None, epochs=1, random_state=0, **given)
        search = GridSearchCV(network, {"weight_power": [0.0, 1.0]}, cv=2).fit(*binary)
        display = WeightSearchDisplay.from_estimator(search)
        assert display.ax_.get_ylabel() == f"{title}: mean ± std of 2 folds"
    by_hand = WeightSearchDisplay.from_cv_results(search.cv_results_, score_name="luck")
    assert by_hand.ax_.get_ylabel() == "Luck: mean ± std of 2 folds"


def test_of_several_scores_that_of_refit_is_drawn(search, binary):
    display = WeightSearchDisplay.from_estimator(search)
    assert display.ax_.get_ylabel() == "F1: mean ± std of 5 folds"
    recall = WeightSearchDisplay.from_estimator(search, score="recall")
    assert recall.ax_.get_ylabel() == "Recall: mean ± std of 5 folds"
    with pytest.raises(TypeError, match="got LogisticRegression, which has no cv_results_"):
        WeightSearchDisplay.from_estimator(LogisticRegression().fit(*binary))


def test_no_weights_are_equal_ones_among_weights_of_classes():
    weights = [None, {0: 1, 1: 4}, {0: 1, 1: 2}]
    results = results_of([{"class_weight": w} for w in weights], [0.1, 0.3, 0.2])
    display = WeightSearchDisplay.from_cv_results(results)
    assert_allclose(drawn(display.lines_[0]), ([1, 2, 4], [0.1, 0.2, 0.3]))
    assert display.ax_.get_xscale() == "log"


def test_a_weight_of_0_does_not_turn_the_ratio_around():
    weights = [{0: 1, 1: 0}, {0: 1, 1: 4}, {0: 1, 1: 8}]
    results = results_of([{"class_weight": w} for w in weights], [0.1, 0.3, 0.2])
    display = WeightSearchDisplay.from_cv_results(results)
    assert display.categories == ["0", "4", "8"]
    assert "weight of class 1 / weight of class 0" in said(display.ax_.get_xlabel())


def test_scores_may_be_called_anything_and_folds_are_counted():
    params = [{"pos_weight": 1}, {"pos_weight": 2}]
    for folds, said in ((["split0"], "of one fold"), (["split0", "split1"], "± std of 2 folds")):
        results = {
            "params": params,
            "mean_test_f1 (rare)": [0.1, 0.2],
            "std_test_f1 (rare)": [0.0, 0.0],
            **{f"{fold}_test_f1 (rare)": [0.1, 0.2] for fold in folds},
        }
        label = WeightSearchDisplay.from_cv_results(results).ax_.get_ylabel()
        assert label.startswith("F1 (rare): ")
        assert label.endswith(said)


@pytest.mark.parametrize("given", [True, False])
def test_a_long_legend_is_neither_cut_off_nor_over_the_curves(given):
    params = [
        {"class_weight": {0: 1, 1: w}, "loss": loss, "optimizer__learning_rate": rate}
        for w in (1, 3, 10)
        for loss in ("cross_entropy", "distribution_balanced", "class_rectification")
        for rate in (0.001, 0.01)
    ]
    results = results_of(params, np.linspace(0.2, 0.8, len(params)))
    ax = plt.subplots()[1] if given else None
    display = WeightSearchDisplay.from_cv_results(results, ax=ax)
    display.figure_.draw_without_rendering()
    box = display.ax_.get_legend().get_window_extent()
    assert box.x1 <= display.figure_.bbox.x1
    assert box.y1 <= display.figure_.bbox.y1
    highest = display.ax_.transData.transform((1, 0.8))[1]
    assert box.y0 > highest


def test_curves_may_be_plain_values():
    curves = [(None, [1, 2], [0.3, 0.4], [0.1, 0.1]), ("b", [1, 3], [0.5, 0.2], [0, 0])]
    display = WeightSearchDisplay(curves, weight_label="w", final=[0]).plot()
    assert_allclose(drawn(display.best_), ([2], [0.4]))
    assert display.ax_.get_xlabel() == "w"


TWO = [{"pos_weight": 1, "weight_power": 0.0}, {"pos_weight": 2, "weight_power": 1.0}]


@pytest.mark.parametrize(
    ("results", "given", "message"),
    [
        ({"mean_test_score": [1.0]}, {}, "has no 'params'"),
        (results_of([{"C": 1}], [1.0]), {}, "no class_weight, pos_weight or weight_power"),
        (results_of(TWO, [0.1, 0.2]), {}, "param has to be named"),
        (results_of(TWO, [0.1, 0.2]), {"param": "gamma"}, "no 'gamma'"),
        (results_of(TWO, [np.nan, np.nan]), {"param": "pos_weight"}, "every fit or score failed"),
        (results_of(TWO, [0.1, 0.2]), {"score": "scor"}, "Did you mean 'score'"),
        (results_of([{"pos_weight": np.ones((2, 2))}], [0.1]), {}, "not one number"),
        (
            results_of([*TWO, {"C": 1}], [np.nan, np.nan, 0.1]),
            {"param": "pos_weight"},
            "all failed",
        ),
    ],
)
def test_search_results_that_cannot_be_drawn_are_refused(results, given, message):
    with pytest.raises(ValueError, match=message):
        WeightSearchDisplay.from_cv_results(results, **given)


def test_one_of_several_scores_has_to_be_named(search):
    with pytest.raises(ValueError, match="score has to be named"):
        WeightSearchDisplay.from_cv_results(search.cv_results_)
