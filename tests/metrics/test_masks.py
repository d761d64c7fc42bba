"""The Dice coefficient of masks as a score, against the F1 of their pixels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import f1_score

from skimb.metrics import mean_dice

RNG = np.random.default_rng(0)
TRUE = RNG.integers(0, 4, (5, 6, 7))
PREDICTED = np.where(RNG.random(TRUE.shape) < 0.6, TRUE, RNG.integers(0, 4, TRUE.shape))


@pytest.mark.parametrize("labels", [None, [1, 3], [2]])
@pytest.mark.parametrize("shape", [(5,), (5, 6, 7)])
def test_is_the_mean_f1_of_the_pixels_of_the_foreground_classes(labels, shape):
    weight = RNG.uniform(0, 2, shape)
    by_pixel = weight[:, None, None] if len(shape) == 1 else weight
    by_pixel = np.broadcast_to(by_pixel, TRUE.shape)
    expected = f1_score(
        TRUE.ravel(), PREDICTED.ravel(), labels=labels or [1, 2, 3], average="macro",
        sample_weight=by_pixel.ravel(),
    )  # fmt: skip
    found = mean_dice(TRUE, PREDICTED, labels=labels, sample_weight=weight)
    assert_allclose(found, expected)


def test_a_class_that_is_nowhere_is_left_out():
    some = f1_score(TRUE.ravel(), PREDICTED.ravel(), labels=[1, 2], average="macro")
    assert_allclose(mean_dice(TRUE, PREDICTED, labels=[1, 2, 9]), some)
    assert mean_dice(TRUE, PREDICTED, labels=[9]) == 0


def test_a_mask_that_is_all_foreground_is_all_right():
    assert mean_dice([[[1, 1]]], [[[1, 1]]]) == 1
    assert mean_dice([[[True, True]]], [[[True, True]]]) == 1


def test_a_class_that_is_predicted_in_error_alone_counts_as_zero():
    assert mean_dice([[[0, 0]]], [[[0, 1]]]) == 0
    assert mean_dice([[["-", "a"]]], [[["b", "a"]]], labels=["a", "b"]) == 0.5


def test_images_and_weights_of_other_shapes_are_errors():
    with pytest.raises(ValueError, match="every pixel needs a label in both"):
        mean_dice(TRUE, PREDICTED[:4])
    with pytest.raises(ValueError, match="sample_weight has the shape"):
        mean_dice(TRUE, PREDICTED, sample_weight=np.ones(6))
