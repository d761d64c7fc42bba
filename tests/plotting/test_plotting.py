"""Displays: what is drawn, on which axes, and what is refused."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from skimb import AutoencoderClassifier, ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.plotting import (
    ClassBalanceDisplay,
    SegmentationDisplay,
    ThresholdDisplay,
    TrainingDisplay,
    WeightSearchDisplay,
)
from skimb.plotting.segmentation import _FOUND
from skimb.weighting import weight_grid

SMALL = ImbalancedNNClassifier(
    cv=None, epochs=6, early_stopping=True, metrics=["f1"], threshold="f1", random_state=0
)


@pytest.fixture(autouse=True)
def no_figures():
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted(binary):
    return clone(SMALL).fit(*binary)


@pytest.fixture(scope="module")
def masks():
    rng = np.random.default_rng(0)
    y = np.zeros((12, 16, 16), int)
    for mask, (i, j) in zip(y[1:], rng.integers(0, 12, (11, 2)), strict=True):
        mask[i : i + 4, j : j + 4] = 1
    return (y + rng.normal(0, 0.3, y.shape)).astype("float32"), y


@pytest.fixture(scope="module")
def segmenter(masks):
    return ImbalancedNNSegmenter(
        model__depth=1, model__width=4, epochs=3, threshold=0.3, random_state=0
    ).fit(*masks)


@pytest.fixture(scope="module")
def search(binary):
    grid = {"class_weight": weight_grid(binary[1], 5), "C": [0.01, 1.0]}
    return GridSearchCV(LogisticRegression(), grid, scoring=["f1", "recall"], refit="f1").fit(
        *binary
    )


def test_training_draws_the_history(fitted):
    display = TrainingDisplay.from_estimator(fitted)
    assert set(display.lines_) == {"loss", "val_loss", "f1", "val_f1", "val_average_precision"}
    for name, line in display.lines_.items():
        assert_array_equal(line.get_xdata(), np.arange(1, fitted.n_iter_ + 1))
        assert_array_equal(line.get_ydata(), fitted.history_[name])
    assert display.lines_["loss"].axes is display.ax_ is display.axes_[0]
    assert display.lines_["val_f1"].axes is display.axes_[1]
    assert [mark.get_xdata()[0] for mark in display.best_] == [fitted.best_iter_] * 2


def test_training_without_scores_is_one_panel_without_a_mark(binary):
    clf = ImbalancedNNClassifier(cv=None, epochs=2, early_stopping=False, random_state=0).fit(
        *binary
    )
    display = TrainingDisplay.from_estimator(clf)
    assert len(display.axes_) == 1
    assert display.best_ == []
    assert len(display.figure_.axes) == 1


def test_training_draws_the_scores_that_are_chosen(fitted):
    display = TrainingDisplay.from_estimator(fitted, scores=["f1"])
    assert set(display.lines_) == {"loss", "val_loss", "f1", "val_f1"}
    assert display.axes_[1].get_ylabel() == "F1"
    with pytest.raises(ValueError, match="'recall', which is not in the history"):
        TrainingDisplay.from_estimator(fitted, scores=["recall"])


def test_training_scores_have_one_style_in_both_panels_and_validation_scores_another():
    scores = {"balanced_accuracy": [0.5, 0.6], "val_balanced_accuracy": [0.4, 0.5]}
    for more in ({}, {"f1": [0.1, 0.2], "val_f1": [0.1, 0.2]}):
        display = TrainingDisplay(
            {"loss": [2.0, 1.0], "val_loss": [2.0, 1.5], **scores, **more}
        ).plot()
        styles = {True: set(), False: set()}
        for name, line in display.lines_.items():
            styles[name.startswith("val_")].add(line.get_linestyle())
        assert styles == {True: {"--"}, False: {"-"}}
        assert display.lines_["loss"].get_color() == display.lines_["val_loss"].get_color()
        of_scores = {line.get_color() for line in display.axes_[1].get_lines()}
        assert display.lines_["loss"].get_color() not in of_scores
        texts = [t.get_text() for t in display.axes_[1].get_legend().get_texts()]
        assert display.axes_[1].get_ylabel() == ("Score" if more else "Balanced accuracy")
        assert texts[-2:] == ["training", "validation"]
        assert texts[:-2] == (["balanced accuracy", "F1"] if more else [])


@pytest.mark.slow
def test_training_of_pipelines_and_searches_is_that_of_their_network(binary):
    pipe = make_pipeline(StandardScaler(), clone(SMALL))
    step = "imbalancednnclassifier"
    search = GridSearchCV(pipe, {f"{step}__weight_power": [0.5]}, cv=2).fit(*binary)
    display = TrainingDisplay.from_estimator(search)
    history = search.best_estimator_.named_steps[step].history_
    assert_array_equal(display.lines_["loss"].get_ydata(), history["loss"])


def test_training_has_gaps_where_a_warm_start_did_not_follow_a_score(binary):
    clf = ImbalancedNNClassifier(cv=None, epochs=2, warm_start=True, random_state=0).fit(*binary)
    clf.set_params(metrics=["recall"]).fit(*binary)
    clf.set_params(metrics=None).fit(*binary)
    drawn_scores = TrainingDisplay.from_estimator(clf).lines_["recall"].get_ydata()
    assert_array_equal(np.isnan(drawn_scores), [True, True, False, False, True, True])
    with pytest.raises(ValueError, match="a value an epoch"):
        TrainingDisplay({"loss": [1.0, 2.0], "f1": [1.0]}).plot()


def test_a_loss_that_falls_far_has_a_log_axis():
    assert TrainingDisplay({"loss": [5.0, 0.5, 0.01]}).plot().ax_.get_yscale() == "log"
    assert TrainingDisplay({"loss": [5.0, 0.5, 0.1]}).plot().ax_.get_yscale() == "linear"
    assert TrainingDisplay({"loss": [5.0, 0.5, -0.1]}).plot().ax_.get_yscale() == "linear"


def test_eight_scores_are_told_apart_in_the_picture_and_its_legend():
    history = {"loss": [2.0, 1.0], **{f"val_score {i}": [0.1 * i, 0.2 * i] for i in range(8)}}
    display = TrainingDisplay(history).plot()
    lines = [line for name, line in display.lines_.items() if name != "loss"]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 8
    handles = display.axes_[1].get_legend().legend_handles[:8]
    assert len({(line.get_color(), line.get_marker()) for line in handles}) == 8


def test_many_classes_of_pixels_differ_in_lightness():
    masks = np.arange(10).reshape(1, 1, 10)
    display = SegmentationDisplay.from_predictions(np.zeros((1, 1, 10)), None, masks)
    colors = [patch.get_facecolor()[:3] for patch in display.legend_.get_patches()]
    lightness = np.array(colors) @ [0.2126, 0.7152, 0.0722]
    assert len(colors) == 9
    assert np.diff(lightness).min() > 0.03


def painted(panel):
    """The colours of a panel, as hex."""
    pixels = np.asarray(panel.images[0].get_array())
    return np.vectorize(lambda *rgb: matplotlib.colors.to_hex(rgb).upper())(
        *np.moveaxis(pixels, -1, 0)
    )


def test_prediction_shows_hits_misses_and_false_alarms():
    true = np.array([[[1, 1, 0, 0]]])
    found = np.array([[[1, 0, 1, 0]]])
    display = SegmentationDisplay.from_predictions(np.zeros((1, 1, 4)), true, found)
    colors = painted(display.axes_[0, 2])[0]
    assert list(colors[:3]) == list(_FOUND.values())
    assert colors[3] not in _FOUND.values()
    assert display.axes_[0, 2].get_xlabel() == "Dice 0.50"
    assert [t.get_text() for t in display.legend_.get_texts()] == ["class 1", *_FOUND]


def test_a_color_of_masks_has_one_meaning():
    classes = np.arange(5).reshape(1, 1, 5)
    several = SegmentationDisplay.from_predictions(np.zeros((1, 1, 5)), classes, classes)
    of_classes = {patch.get_facecolor() for patch in several.legend_.get_patches()}
    two = SegmentationDisplay.from_predictions(np.zeros((1, 1, 5)), classes > 2, classes > 1)
    first, *found = (patch.get_facecolor() for patch in two.legend_.get_patches())
    assert first in of_classes
    assert len(of_classes | set(found)) == 4 + 3
    blue = [color for color in (first, *found) if color[2] > max(color[:2])]
    assert blue == [first]


def test_more_classes_have_the_same_color_in_both_panels():
    true = np.array([[["sky", "car", "cat"]]])
    found = np.array([[["sky", "cat", "cat"]]])
    display = SegmentationDisplay.from_predictions(
        np.zeros((1, 1, 3, 3), np.uint8), true, found, background="sky"
    )
    there, taken = (painted(panel)[0] for panel in display.axes_[0, 1:])
    assert there[2] == taken[1] == taken[2] != there[1]
    assert [t.get_text() for t in display.legend_.get_texts()] == ["car", "cat"]


@pytest.mark.slow
def test_segmenter_is_drawn_with_and_without_masks(segmenter, masks):
    X, y = masks
    display = SegmentationDisplay.from_estimator(segmenter, X[2:], y[2:], n_images=2)
    assert display.axes_.shape == (2, 3)
    assert_array_equal(display.y_pred, segmenter.predict(X[2:4]))
    assert SegmentationDisplay.from_estimator(segmenter, X).axes_.shape == (3, 2)
    assert SegmentationDisplay.from_estimator(segmenter, X[:1], y[:1]).axes_.shape == (1, 3)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.array([[0, 51, 255]], np.uint8)[..., None].repeat(3, -1), [0, 0.2, 1]),
        (np.array([[0.1, 0.2, 0.5]])[..., None].repeat(3, -1), [0.1, 0.2, 0.5]),
        (np.array([[-2.0, 0.0, 2.0]])[..., None].repeat(3, -1), [0, 0.5, 1]),
        (np.array([[10, 15, 20]], np.uint8), [0, 0.5, 1]),
        (np.array([[1.0, 2.0, 3.0]])[..., None], [0, 0.5, 1]),
        (np.array([[[0.0, 2.0], [1.0, 3.0], [2.0, 4.0]]]), [0, 0.5, 1]),
        (np.array([[True, False, True]]), [1, 0, 1]),
    ],
)
def test_images_are_grey_or_colored_between_0_and_1(image, expected):
    y = np.zeros((1, 1, 3), int)
    display = SegmentationDisplay.from_predictions(image[None], None, y)
    shown = np.asarray(display.ax_.images[0].get_array())
    assert_allclose(shown, np.repeat(np.array(expected)[None, :, None], 3, -1))


def test_a_single_pixel_of_a_large_image_is_drawn_larger_and_hides_nothing():
    y = np.zeros((1, 300, 300), bool)
    y[0, 250, 250] = y[0, 50:100, 50:100] = True
    found = y.copy()
    found[0, 250, 251] = True
    display = SegmentationDisplay.from_predictions(np.zeros(y.shape), y, found)
    colors = painted(display.axes_[0, 2])
    assert colors[250, 250] == _FOUND["hit"]
    assert colors[250, 251] == _FOUND["false alarm"]
    assert np.sum(colors == _FOUND["hit"]) > 50 * 50 + 1
    assert_array_equal(colors[50:100, 50:100], _FOUND["hit"])
    assert colors[49, 75] == colors[49, 20]


@pytest.mark.parametrize(
    ("X", "y", "found", "given", "message"),
    [
        (np.zeros((1, 2, 2)), np.zeros((1, 2, 3), int), np.zeros((1, 2, 2), int), {}, "y_true"),
        (np.zeros((1, 2)), None, np.zeros((1, 2, 2), int), {}, "images have the shape"),
        (np.zeros((1, 2, 2)), None, np.ones((1, 2, 2), int), {"classes": [0, 2]}, r"labels \[1\]"),
        (np.zeros((1, 2, 2)), None, np.ones((1, 2, 2), int), {"n_images": 0}, "n_images=0"),
    ],
)
def test_segmentation_refuses_what_does_not_fit(X, y, found, given, message):
    with pytest.raises(ValueError, match=message):
        SegmentationDisplay.from_predictions(X, y, found, **given)


def displays(fitted, binary, search, segmenter, masks):
    X, y = binary
    return {
        "training": lambda **ax: TrainingDisplay.from_estimator(fitted, **ax),
        "threshold": lambda **ax: ThresholdDisplay.from_estimator(fitted, X, y, **ax),
        "search": lambda **ax: WeightSearchDisplay.from_cv_results(
            search.cv_results_, score="f1", **ax
        ),
        "balance": lambda **ax: ClassBalanceDisplay.from_estimator(fitted, **ax),
        "masks": lambda **ax: SegmentationDisplay.from_estimator(segmenter, *masks, **ax),
    }


ALL = ["training", "threshold", "search", "balance", "masks"]


@pytest.fixture
def draw(request, fitted, binary, search, segmenter, masks):
    return displays(fitted, binary, search, segmenter, masks)[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("draw", ALL, indirect=True)
def test_a_new_figure_is_the_only_one_and_changes_no_style(draw):
    style = dict(matplotlib.rcParams)
    display = draw()
    assert plt.get_fignums() == [display.figure_.number]
    assert dict(matplotlib.rcParams) == style
    assert display.ax_.figure is display.figure_


@pytest.mark.parametrize("draw", ALL, indirect=True)
def test_drawing_on_given_axes_makes_no_figure(draw):
    figure = Figure()
    ax, other = figure.subplots(1, 2)
    display = draw(ax=ax)
    assert plt.get_fignums() == []
    assert display.figure_ is figure
    assert not other.lines
    figure.draw_without_rendering()
    panels = np.ravel(getattr(display, "axes_", display.ax_))
    assert all(panel.get_position().x1 < other.get_position().x0 for panel in panels)


@pytest.mark.parametrize("draw", ["training", "balance"], indirect=True)
def test_panels_may_be_given_one_by_one(draw):
    axes = Figure().subplots(2)
    assert list(draw(ax=axes).axes_) == list(axes)
    with pytest.raises(ValueError, match="3 Axes, but 2 panels"):
        draw(ax=Figure().subplots(3))
    with pytest.raises(ValueError, match="1 Axes, but 2 panels"):
        draw(ax=Figure().add_axes((0, 0, 1, 1)))


@pytest.mark.parametrize(
    "display", [TrainingDisplay, ClassBalanceDisplay, SegmentationDisplay, ThresholdDisplay]
)
def test_an_estimator_that_does_not_fit_is_refused_without_a_figure(display, binary):
    X, y = binary
    rows = {ThresholdDisplay: (X, y), SegmentationDisplay: (X,)}.get(display, ())
    with pytest.raises(NotFittedError):
        display.from_estimator(ImbalancedNNClassifier(cv=None), *rows)
    other = StandardScaler().fit(X)
    with pytest.raises(TypeError, match=f"{display.__name__}.from_estimator got StandardScaler"):
        display.from_estimator(other, *rows)
    if display is ClassBalanceDisplay:  # it has counts, but no weights
        autoencoder = AutoencoderClassifier(epochs=1).fit(X, y)
        with pytest.raises(TypeError, match=r"no class_weight_.*with classes_ and class_counts_"):
            display.from_estimator(autoencoder)
    assert plt.get_fignums() == []


def test_matplotlib_is_asked_for_when_a_display_is_drawn(monkeypatch, fitted, search):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (
        lambda: TrainingDisplay({"loss": [1.0]}).plot(),
        lambda: TrainingDisplay.from_estimator(fitted),
        lambda: WeightSearchDisplay.from_cv_results(search.cv_results_, score="f1"),
        lambda: ThresholdDisplay.from_predictions([0, 1], [0.1, 0.2]),
        lambda: ClassBalanceDisplay.from_labels([0, 1]),
        lambda: SegmentationDisplay.from_predictions(np.zeros((1, 2, 2)), None, np.eye(2)[None]),
    ):
        with pytest.raises(ImportError, match=r'pip install "skimb\[plot\]"'):
            draw()


@pytest.mark.slow
def test_importing_skimb_imports_no_matplotlib():
    # Keras and others import it where it is there, so they come first, and it is forgotten again
    code = """
import sys
import imblearn, keras, scikeras.wrappers, sklearn.utils.estimator_checks, tensorflow
for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
    del sys.modules[name]
import skimb.plotting
print("matplotlib" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]
