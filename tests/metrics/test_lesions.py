"""Scores of lesions against components that are filled by hand, known values and laws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb.metrics import false_alarms_per_image, lesion_f1, lesion_recall

RNG = np.random.default_rng(0)
TRUE = RNG.choice(3, (6, 24, 27), p=[0.8, 0.12, 0.08])
PREDICTED = np.where(
    RNG.random(TRUE.shape) < 0.5, TRUE, RNG.choice(3, TRUE.shape, p=[0.9, 0.06, 0.04])
)
PAIRS = [tuple(mask == k for mask in (TRUE, PREDICTED)) for k in (1, 2)]
SCORES = [lesion_recall, false_alarms_per_image, lesion_f1]


def flood_filled(mask):
    """The components of a mask, as sets of positions."""
    left, found = set(zip(*(axis.tolist() for axis in np.nonzero(mask)), strict=True)), []
    while left:
        border, component = [left.pop()], set()
        while border:
            i, j = border.pop()
            component.add((i, j))
            near = {(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
            left -= near
            border += near
        found.append(component)
    return found


def counted_by_hand(true, predicted, min_size=1, min_overlap=0.0):
    """Lesions found and missed, and false alarms, of a class over all images."""
    counts = np.zeros(3)
    for y, p in zip(true, predicted, strict=True):
        positions = set(zip(*(axis.tolist() for axis in np.nonzero(p)), strict=True))
        for lesion in flood_filled(y):
            if len(lesion) >= min_size:
                hit = len(lesion & positions)
                counts[0 if hit and hit >= min_overlap * len(lesion) else 1] += 1
        for component in flood_filled(p):
            counts[2] += len(component) >= min_size and not any(y[at] for at in component)
    return counts


@pytest.mark.parametrize("min_size", [1, 2])
@pytest.mark.parametrize("min_overlap", [0.0, 0.5, 1.0])
def test_scores_are_the_means_over_the_classes_of_counts_by_flood_fill(min_size, min_overlap):
    counts = [counted_by_hand(*pair, min_size, min_overlap) for pair in PAIRS]
    assert np.min(counts) > 0
    size, overlap = {"min_size": min_size}, {"min_overlap": min_overlap}
    assert_allclose(
        lesion_recall(TRUE, PREDICTED, **size, **overlap),
        np.mean([found / (found + missed) for found, missed, _ in counts]),
    )
    assert_allclose(
        lesion_f1(TRUE, PREDICTED, **size, **overlap),
        np.mean([2 * found / (2 * found + missed + false) for found, missed, false in counts]),
    )
    assert_allclose(
        false_alarms_per_image(TRUE, PREDICTED, **size),
        np.mean([false / len(TRUE) for *_, false in counts]),
    )


def squares(*corners, side=3, size=20):
    mask = np.zeros((1, size, size), bool)
    for i, j in corners:
        mask[0, i : i + side, j : j + side] = True
    return mask


@pytest.mark.parametrize(
    ("true", "predicted", "recall", "false_alarms"),
    [
        ([(1, 1), (9, 9)], [(1, 1), (9, 9)], 1, 0),
        ([(1, 1), (9, 9)], [(2, 3)], 0.5, 0),  # a corner is hit, the other lesion missed
        ([(1, 1)], [(1, 1), (9, 9), (9, 15)], 1, 2),
        ([(1, 1)], [(4, 4)], 0, 1),  # side by side is not hit
        ([(1, 1), (4, 4)], [(5, 5)], 1, 0),  # one lesion, since its parts touch at a corner
        ([(1, 1), (1, 5)], [(1, 1), (1, 3), (1, 5)], 1, 0),  # merged
        ([(1, 1)], [], 0, 0),
        ([], [(1, 1)], np.nan, 1),
        ([], [], np.nan, 0),
    ],
)
def test_known_lesions(true, predicted, recall, false_alarms):
    true, predicted = squares(*true), squares(*predicted)
    assert_allclose(lesion_recall(true, predicted), recall)
    assert false_alarms_per_image(true, predicted) == false_alarms


def test_f1_without_lesions():
    assert lesion_f1(squares(), squares((1, 1))) == 0
    assert np.isnan(lesion_f1(squares(), squares()))


def test_tiny_lesions_are_neither_counted_nor_false_alarms():
    true = squares((1, 1)) | squares((9, 9), side=1)
    assert lesion_recall(true, squares((1, 1))) == 0.5
    assert lesion_recall(true, squares((1, 1)), min_size=9) == 1
    assert false_alarms_per_image(true, squares((8, 8)), min_size=9) == 0
    assert false_alarms_per_image(squares(), true, min_size=9) == 1
    assert lesion_f1(true, squares((1, 1)) | squares((15, 15), side=2), min_size=5) == 1


def test_overlap_is_a_share_of_the_lesion():
    true, two_thirds = squares((1, 1)), squares((2, 1))
    assert lesion_recall(true, two_thirds, min_overlap=6 / 9) == 1
    assert lesion_recall(true, two_thirds, min_overlap=0.7) == 0


@pytest.mark.parametrize("score", SCORES)
def test_weights_of_images_are_repetitions(score):
    times = np.array([0, 1, 3, 1, 0, 2])
    expected = score(np.repeat(TRUE, times, 0), np.repeat(PREDICTED, times, 0))
    assert_allclose(score(TRUE, PREDICTED, sample_weight=times), expected)
    by_pixel = np.broadcast_to(times[:, None, None], TRUE.shape).copy()
    assert_allclose(score(TRUE, PREDICTED, sample_weight=by_pixel), expected)


@pytest.mark.parametrize("score", SCORES)
def test_ignored_pixels_are_no_foreground_whatever_their_label(score):
    counted = RNG.random(TRUE.shape) < 0.7
    expected = score(np.where(counted, TRUE, 0), np.where(counted, PREDICTED, 0))
    for label in (0, 2, 255):
        found = score(np.where(counted, TRUE, label), PREDICTED, sample_weight=counted)
        assert_allclose(found, expected)


@pytest.mark.parametrize("score", SCORES)
def test_padding_without_weight_changes_nothing(score):
    more = [(0, 0), (0, 4), (0, 2)]
    true, predicted = (np.pad(mask, more, mode="edge") for mask in (TRUE, PREDICTED))
    weight = np.pad(np.ones(TRUE.shape), more)
    assert_allclose(score(true, predicted, sample_weight=weight), score(TRUE, PREDICTED))


@pytest.mark.parametrize("score", SCORES)
def test_labels_of_any_type_and_a_single_mask(score):
    expected = score(TRUE, PREDICTED)
    named = np.array(["-", "a", "b"])
    assert_allclose(score(named[TRUE], named[PREDICTED]), expected)
    assert_allclose(score(named[TRUE], named[PREDICTED], labels=["a", "b", "never"]), expected)
    of_one = score(TRUE == 2, PREDICTED == 2)
    assert_allclose(score(TRUE, PREDICTED, labels=[2]), of_one)
    assert_allclose(score(TRUE[0], PREDICTED[0]), score(TRUE[:1], PREDICTED[:1]))
    half = np.arange(27) < 13
    weight = np.broadcast_to(half, TRUE[0].shape)
    single = score(TRUE[0], PREDICTED[0], sample_weight=weight)
    assert_allclose(single, score(TRUE[0][:, half], PREDICTED[0][:, half]))


@pytest.mark.parametrize("score", SCORES)
def test_is_the_same_for_shifted_and_turned_images(score):
    expected = score(TRUE, PREDICTED)
    around = [(0, 0), (2, 1), (3, 0)]
    assert_allclose(score(np.pad(TRUE, around), np.pad(PREDICTED, around)), expected)
    turned = (np.rot90(mask, axes=(1, 2)) for mask in (TRUE, PREDICTED))
    assert_allclose(score(*turned), expected)


def test_volumes_are_connected_across_slices():
    true, predicted = np.zeros((2, 1, 2, 4, 4), bool)
    true[0, 0, 0, 0] = true[0, 1, 1, 1] = predicted[0, 1, 1, 1] = True
    assert lesion_recall(true, predicted) == 1
    assert lesion_recall(true[0], predicted[0]) == 0.5  # of two images


@pytest.mark.parametrize("score", SCORES)
def test_no_image_that_counts_is_nan(score):
    assert np.isnan(score(TRUE, PREDICTED, sample_weight=np.zeros(6)))


@pytest.mark.parametrize(
    ("arguments", "parameters", "message"),
    [
        ((TRUE, PREDICTED[:4]), {}, "every pixel needs a label in both"),
        ((TRUE[0, 0], PREDICTED[0, 0]), {}, "is no mask"),
        ((TRUE, PREDICTED), {"sample_weight": np.ones(5)}, "sample_weight has the shape"),
        ((TRUE, PREDICTED), {"sample_weight": -np.ones(6)}, "6 values that are negative or NaN"),
        ((TRUE, PREDICTED), {"min_size": 0}, "'min_size' parameter of"),
        ((TRUE, PREDICTED), {"min_size": 2.5}, "'min_size' parameter of"),
    ],
)
@pytest.mark.parametrize("score", SCORES)
def test_what_is_not_accepted(score, arguments, parameters, message):
    with pytest.raises(ValueError, match=message):
        score(*arguments, **parameters)


def test_overlap_above_all_pixels_is_not_accepted():
    with pytest.raises(ValueError, match="'min_overlap' parameter of lesion_recall"):
        lesion_recall(TRUE, PREDICTED, min_overlap=1.5)
