"""Displays of how rare classes are: numbers, names, and the room that they have."""

from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.plotting import ClassBalanceDisplay
from skimb.weighting import class_weights, label_weights, pixel_weights


@pytest.fixture(autouse=True)
def no_figures():
    yield
    plt.close("all")


def widths(bars):
    """The numbers that bars reach to, or that points of a log axis are at."""
    if hasattr(bars, "get_xdata"):
        return bars.get_xdata()
    return [bar.get_x() + bar.get_width() for bar in bars]


def names_of(display):
    return [text.get_text() for text in display.ax_.get_yticklabels()]


def test_balance_draws_counts_and_weights_of_the_estimator(binary):
    fitted = ImbalancedNNClassifier(cv=None, epochs=1, random_state=0).fit(*binary)
    display = ClassBalanceDisplay.from_estimator(fitted)
    assert_allclose(widths(display.bars_[0]), fitted.class_counts_)
    assert_allclose(widths(display.bars_[1]), list(fitted.class_weight_.values()))
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["0", "1"]


@pytest.mark.parametrize("sample_weight", [None, np.linspace(0.1, 2, 200)])
def test_balance_of_labels_is_that_of_the_weighting_module(sample_weight):
    y = np.array(["common"] * 190 + ["rare"] * 10)
    display = ClassBalanceDisplay.from_labels(y, "sqrt_balanced", sample_weight=sample_weight)
    weight = np.ones(200) if sample_weight is None else sample_weight
    assert_allclose(widths(display.bars_[0]), [weight[:190].sum(), weight[190:].sum()])
    expected = class_weights(y, "sqrt_balanced", sample_weight=sample_weight)
    assert_allclose(widths(display.bars_[1]), list(expected.values()))


def test_balance_of_indicators_draws_the_1s(multilabel):
    Y = multilabel[1]
    display = ClassBalanceDisplay.from_labels(Y, display_labels=list("abcd"))
    assert_allclose(widths(display.bars_[0]), Y.sum(axis=0))
    weights = label_weights(Y)
    assert_allclose(widths(display.bars_[1]), weights[:, 1] / weights[:, 0])
    assert display.axes_[1].get_xlabel() == "Weight of a 1 / weight of a 0"
    named = ClassBalanceDisplay.from_labels(pd.DataFrame(Y, columns=["rain", "fog", "ice", "sun"]))
    assert [t.get_text() for t in named.ax_.get_yticklabels()] == ["rain", "fog", "ice", "sun"]
    with pytest.raises(ValueError, match="2 names for the 4"):
        ClassBalanceDisplay.from_labels(Y, display_labels=["a", "b"])


@pytest.mark.parametrize("value", [0, 1])
def test_a_label_of_one_value_is_counted_exactly_with_fractional_weights(value):
    weight = np.full(1000, 0.1)
    Y = np.column_stack([np.arange(1000) % 3 == 0, np.full(1000, value)]).astype(int)
    with pytest.warns(UserWarning, match=r"\[1\]"):
        display = ClassBalanceDisplay.from_labels(Y, sample_weight=weight)
    assert_allclose(display.counts[1], 100.0 * value, rtol=1e-12, atol=0)
    assert display.weights[1] == 1.0
    assert display.ax_.texts[1].get_text() == str(100 * value)


@pytest.mark.parametrize("given", [{"class_weight": "balanced"}, {"pos_weight": "balanced"}])
def test_balance_of_an_estimator_of_indicators_is_that_of_its_data_frame(multilabel, given):
    X, Y = multilabel
    Y = pd.DataFrame(Y, columns=["rain", "fog", "ice", "sun"])
    given = {"class_weight": None, **given}
    clf = ImbalancedNNClassifier(cv=None, epochs=1, random_state=0, **given).fit(X, Y)
    display, of_labels = ClassBalanceDisplay.from_estimator(clf), ClassBalanceDisplay.from_labels(Y)
    assert names_of(display) == names_of(of_labels) == list(Y.columns)
    assert_allclose(display.weights, of_labels.weights)
    assert display.weights_label == of_labels.weights_label
    clf.fit(X, Y.to_numpy())
    assert names_of(ClassBalanceDisplay.from_estimator(clf)) == ["0", "1", "2", "3"]


def test_a_weight_of_0_of_the_0s_is_no_ratio():
    display = ClassBalanceDisplay.from_labels([[1, 0], [0, 1], [0, 0]], {0: 0, 1: 2})
    assert_allclose(display.weights, [2, 2])
    assert display.axes_[1].get_xlabel() == "Weight of a 1"


@pytest.mark.slow
def test_balance_of_masks_counts_pixels():
    y = np.zeros((6, 16, 16), int)
    y[1:, 2:5, 3:9] = 1
    small = {"model__depth": 1, "model__width": 4, "epochs": 1, "random_state": 0}
    segmenter = ImbalancedNNSegmenter(**small).fit(y.astype("float32"), y)
    display = ClassBalanceDisplay.from_labels(y, "median_frequency")
    assert_allclose(widths(display.bars_[0]), [np.sum(y == 0), np.sum(y == 1)])
    assert_allclose(widths(display.bars_[1]), list(pixel_weights(y, "median_frequency").values()))
    with_channel = ClassBalanceDisplay.from_labels(y[..., None], "median_frequency")
    assert_allclose(widths(with_channel.bars_[1]), widths(display.bars_[1]))
    of_estimator = ClassBalanceDisplay.from_estimator(segmenter)
    assert of_estimator.ax_.get_xlabel() == display.ax_.get_xlabel() == "Pixels"


def test_strong_imbalance_has_points_on_log_axes_that_say_so():
    display = ClassBalanceDisplay.from_labels([0] * 9999 + [1])
    assert [ax.get_xscale() for ax in display.axes_] == ["log", "log"]
    assert_allclose(widths(display.bars_[0]), [9999, 1])
    for ax in display.axes_:
        assert not ax.patches
        assert ax.get_xlabel().endswith(" (log)")
        low, high = ax.get_xlim()
        assert sum(low <= tick <= high for tick in ax.get_xticks()) >= 3
    assert "log" not in ClassBalanceDisplay.from_labels([0, 0, 1]).ax_.get_xlabel()
    empty = ClassBalanceDisplay(["a", "b", "c"], [0, 1, 100], [1, 1, 1]).plot()
    assert_array_equal(widths(empty.bars_[0]), [np.nan, 1, 100])
    assert [text.get_text() for text in empty.ax_.texts] == ["0", "1", "100"]
    assert all(
        ax.get_xlim()[0] < min(widths(b)) <= max(widths(b)) < ax.get_xlim()[1]
        for ax, b in zip(display.axes_, display.bars_, strict=True)
    )
    assert ClassBalanceDisplay.from_labels([0, 0, 1]).ax_.get_xscale() == "linear"


def test_a_hundred_classes_are_sorted_and_their_names_do_not_overlap():
    y = np.repeat(np.arange(100), np.arange(1, 101))
    display = ClassBalanceDisplay.from_labels(y, sort=True)
    assert_allclose(widths(display.bars_[0]), np.arange(100, 0, -1))
    display.figure_.draw_without_rendering()
    boxes = [t.get_window_extent() for t in display.ax_.get_yticklabels()]
    assert display.ax_.get_yticklabels()[0].get_text() == "99"
    assert all(above.y0 > below.y0 + 0.5 * below.height for above, below in pairwise(boxes))
    _, ax = plt.subplots()
    assert len(ClassBalanceDisplay.from_labels(y, ax=ax).ax_.get_yticklabels()) < 50


def test_long_names_of_classes_are_neither_cut_off_nor_over_other_panels():
    y = ["a class with a name that is long indeed"] * 3 + ["ok"]
    axes = Figure(figsize=(8, 3), layout="constrained").subplots(1, 2)
    for ax in axes:
        display = ClassBalanceDisplay.from_labels(y, ax=ax)
    figure = display.figure_
    figure.draw_without_rendering()
    left = min(t.get_window_extent().x0 for t in display.ax_.get_yticklabels())
    assert left > max(panel.get_tightbbox().x1 for panel in figure.axes[2:4])
    own = ClassBalanceDisplay.from_labels(y)
    own.figure_.draw_without_rendering()
    texts = own.ax_.get_yticklabels()
    assert all(text.get_window_extent().x0 >= 0 for text in texts)
    assert texts[0].get_text().replace("\n", " ") == y[0]


@pytest.mark.parametrize("words", [1, 5])
def test_long_names_keep_their_ends(words):
    y = [f"a class whose name goes {'on and on ' * words}until {i}" for i in (1, 1, 1, 2)]
    for ax in (None, *Figure().subplots(1, 2)):
        one, other = names_of(ClassBalanceDisplay.from_labels(y, ax=ax))
        assert one[0] == other[0] == "a"
        assert ("…" in one) == (words > 1 or ax is not None)
        assert (one[-1], other[-1]) == ("1", "2")
        assert max(map(len, one.split("\n"))) <= 31


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_numbers_and_ticks_of_small_panels_have_room(layout):
    figure = Figure(layout=layout)
    targets = ([0] * 1480 + [1] * 520, [0] * 98_000 + [1] * 4 + [2] * 160, [0] * 7 + [1] * 123)
    drawn = [
        ClassBalanceDisplay.from_labels(y, ax=ax)
        for y, ax in zip(targets, figure.subplots(2, 2).ravel()[:3], strict=True)
    ]
    figure.draw_without_rendering()
    for panel in np.concatenate([display.axes_ for display in drawn]):
        frame = panel.get_window_extent()
        others = [other.get_window_extent() for other in figure.axes if other.axison]
        others = [box for box in others if box.bounds != frame.bounds]
        for text in panel.texts:
            box = text.get_window_extent()
            assert not box.count_overlaps(others)
            assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        ticks = [text for text in panel.get_xticklabels() if text.get_text()]
        shown = [t.get_window_extent() for t in ticks]
        shown = [box for box in shown if frame.x0 <= (box.x0 + box.x1) / 2 <= frame.x1]
        assert len(shown) >= 2
        assert all(left.x1 < right.x0 for left, right in pairwise(shown))
