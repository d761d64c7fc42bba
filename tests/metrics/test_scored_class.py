"""The class whose F1 is the score, with and without a sampler before the training."""

import numpy as np
import pytest

from skimb.metrics.scored_class import scored_class

RARE_IS_0 = np.repeat(["bad", "good"], [10, 90])


def test_it_is_the_position_of_pos_label():
    assert scored_class(["bad", "good"], [10, 90], "bad", RARE_IS_0) == 0
    assert scored_class([0, 1, 2], [70, 20, 10], 2, [0, 1, 2]) == 2
    with pytest.raises(ValueError, match=r"pos_label='ugly' is not among .*'bad', 'good'"):
        scored_class(["bad", "good"], [10, 90], "ugly", RARE_IS_0)


def test_a_class_that_is_rare_in_the_training_samples_stays_the_scored_one():
    assert scored_class(["bad", "good"], [90, 10], "good", RARE_IS_0) == 1


@pytest.mark.parametrize(
    ("counts", "y", "expected"),
    [
        ([90, 90], RARE_IS_0, 0),
        ([90, 90], RARE_IS_0[5:], 0),
        ([40, 80], RARE_IS_0, 0),  # exactly a third is not rare
        ([39, 81], RARE_IS_0, 1),
        ([90, 90], ["bad"] * 2 + ["good"] * 4, 1),  # neither is rare in y
        ([90, 90], ["good"] * 4, 1),  # y does not show both
    ],
)
def test_resampled_training_samples_leave_the_choice_to_y(counts, y, expected):
    assert scored_class(["bad", "good"], counts, "good", y) == expected


def test_two_labels_of_an_indicator_target_are_no_two_classes():
    Y = np.array([[0, 1]] * 9 + [[1, 0]])
    assert scored_class([0, 1], [[90, 90], [90, 90]], 1, Y) == 1
