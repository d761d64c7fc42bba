"""Scores of surfaces against distances of all pairs of pixels, known values and laws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb.metrics import hausdorff_distance_95, surface_dice

SCORES = [surface_dice, hausdorff_distance_95]


def blobs(n, seed):
    """Masks of two classes, each a disc or nothing, which reaches beyond the edge at times."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:14, :17]
    masks = np.zeros((n, 14, 17), int)
    for mask in masks:
        for label in (1, 2):
            i, j, radius = rng.uniform(0, 14), rng.uniform(0, 17), rng.uniform(-1, 5)
            mask[(rows - i) ** 2 + (columns - j) ** 2 < radius * abs(radius)] = label
    return masks


TRUE, PREDICTED = blobs(12, 1), blobs(12, 2)
PAIRS = [tuple(mask == k for mask in (TRUE, PREDICTED)) for k in (1, 2)]


def surface_by_hand(mask, spacing):
    """Positions of the foreground pixels with a neighbour outside, in the unit of the spacing."""
    around = np.pad(mask, 1)
    sides = [around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]]
    return np.argwhere(mask & ~np.all(sides, axis=0)) * spacing


def distances_by_hand(true, predicted, spacing):
    here, there = surface_by_hand(true, spacing), surface_by_hand(predicted, spacing)
    pairs = np.sqrt(np.square(here[:, None] - there).sum(axis=-1))
    return pairs.min(axis=1), pairs.min(axis=0)


def by_hand(true, predicted, spacing, agreement, worst):
    """Mean over the images of a class, whose both-empty images are 1 or 0."""
    found = []
    for y, p in zip(true, predicted, strict=True):
        if y.any() and p.any():
            found.append(agreement(*distances_by_hand(y, p, spacing)))
        else:
            found.append(worst if y.any() or p.any() else float(worst == 0))
    return np.mean(found)


@pytest.mark.parametrize("spacing", [1.0, 0.3, (2.0, 0.7)])
@pytest.mark.parametrize("tolerance", [0, 1.0, 2.5])
def test_surface_dice_is_the_share_of_border_pixels_within_the_tolerance(tolerance, spacing):
    def agreement(*distances):
        return np.mean(np.concatenate(distances) <= tolerance + 1e-9)

    expected = np.mean([by_hand(*pair, np.asarray(spacing), agreement, 0.0) for pair in PAIRS])
    found = surface_dice(TRUE, PREDICTED, tolerance, spacing)
    assert_allclose(found, expected)
    assert 0 < found < 1


@pytest.mark.parametrize("spacing", [1.0, 0.3, (2.0, 0.7)])
def test_hausdorff_95_is_the_larger_percentile_of_the_nearest_border_pixels(spacing):
    def larger(*distances):
        return max(np.percentile(d, 95) for d in distances)

    diagonal = np.linalg.norm(np.array([14, 17]) * spacing)
    expected = np.mean([by_hand(*pair, np.asarray(spacing), larger, diagonal) for pair in PAIRS])
    assert_allclose(hausdorff_distance_95(TRUE, PREDICTED, spacing), expected)


def square(i, j, side=6, size=20):
    mask = np.zeros((1, size, size), bool)
    mask[0, i : i + side, j : j + side] = True
    return mask


def test_squares_one_pixel_apart():
    # of 20 border pixels each, two sides of 5 lie on the border of the other, and the rest beside
    assert surface_dice(square(3, 3), square(4, 3)) == 1
    assert surface_dice(square(3, 3), square(4, 3), tolerance=0.5) == 0.5
    assert hausdorff_distance_95(square(3, 3), square(4, 3)) == 1
    assert hausdorff_distance_95(square(3, 3), square(3, 8)) == 5
    assert_allclose(hausdorff_distance_95(square(3, 3), square(7, 6)), 4.4, atol=0.6)


def test_tolerance_and_distance_have_the_unit_of_the_spacing():
    three_off = square(3, 3), square(3, 6)
    assert surface_dice(*three_off, tolerance=0.3, spacing=0.1) == 1
    assert surface_dice(*three_off, tolerance=0.29, spacing=0.1) < 1
    assert_allclose(hausdorff_distance_95(*three_off, spacing=(5, 0.1)), 0.3)


def test_one_stray_pixel_does_not_decide():
    stray = square(3, 3) | square(18, 18, side=1)
    assert hausdorff_distance_95(square(3, 3), stray) == 0
    assert_allclose(surface_dice(square(3, 3), stray), 40 / 41)


def test_empty_masks():
    none = np.zeros((1, 20, 20), bool)
    assert surface_dice(none, none) == 1
    assert hausdorff_distance_95(none, none) == 0
    for pair in ((none, square(3, 3)), (square(3, 3), none)):
        assert surface_dice(*pair) == 0
        assert_allclose(hausdorff_distance_95(*pair), np.hypot(20, 20))
    both = np.concatenate([none, square(3, 3)]), np.concatenate([none, square(4, 3)])
    assert surface_dice(*both, tolerance=0) == 0.75
    assert surface_dice(*both, tolerance=0, sample_weight=both[0].any(axis=(1, 2))) == 0.5


@pytest.mark.parametrize("score", SCORES)
def test_no_distance_is_worse_than_nothing_predicted(score):
    corners = [np.zeros((1, 4, 5), bool) for _ in range(3)]
    corners[0][0, 0, 0] = corners[1][0, 3, 4] = True
    far, missed = score(*corners[:2]), score(corners[0], corners[2])
    assert far < missed if score is hausdorff_distance_95 else far >= missed


@pytest.mark.parametrize("score", SCORES)
def test_true_and_predicted_masks_are_interchangeable(score):
    assert_allclose(score(TRUE, PREDICTED), score(PREDICTED, TRUE))


@pytest.mark.parametrize("score", SCORES)
def test_is_the_same_for_shifted_and_turned_images(score):
    inside = np.zeros((2, 12, 30, 40), int)
    inside[0, :, 5:19, 5:22], inside[1, :, 5:19, 5:22] = TRUE, PREDICTED
    expected = score(*inside)
    assert_allclose(score(*np.roll(inside, (7, -3), axis=(2, 3))), expected)
    assert_allclose(score(*np.rot90(inside, axes=(2, 3))), expected)


@pytest.mark.parametrize("score", SCORES)
def test_padding_without_weight_makes_no_surface(score):
    more = [(0, 0), (0, 4), (0, 2)]
    true, predicted = (np.pad(mask, more, mode="edge") for mask in (TRUE, PREDICTED))
    weight = np.pad(np.ones(TRUE.shape), more)
    assert_allclose(score(true, predicted, sample_weight=weight), score(TRUE, PREDICTED))


@pytest.mark.parametrize("score", SCORES)
def test_ignored_pixels_are_no_foreground_whatever_their_label(score):
    counted = np.ones(TRUE.shape, bool)
    counted[:, 4:6, 3:12] = False
    expected = score(np.where(counted, TRUE, 0), np.where(counted, PREDICTED, 0))
    for label in (1, 255):
        found = score(np.where(counted, TRUE, label), PREDICTED, sample_weight=counted)
        assert_allclose(found, expected)


@pytest.mark.parametrize("score", SCORES)
def test_weights_of_images_are_repetitions(score):
    times = np.arange(12) % 3
    expected = score(np.repeat(TRUE, times, 0), np.repeat(PREDICTED, times, 0))
    assert_allclose(score(TRUE, PREDICTED, sample_weight=times), expected)
    by_pixel = np.broadcast_to(times[:, None, None], TRUE.shape).copy()
    assert_allclose(score(TRUE, PREDICTED, sample_weight=by_pixel), expected)


@pytest.mark.parametrize("score", SCORES)
def test_labels_of_any_type_and_a_single_mask(score):
    expected = score(TRUE, PREDICTED)
    named = np.array(["-", "a", "b"])
    assert_allclose(score(named[TRUE], named[PREDICTED]), expected)
    assert_allclose(score(TRUE, PREDICTED, labels=[1, 2, 9]), expected)
    of_each = [score(*pair) for pair in PAIRS]
    assert_allclose(expected, np.mean(of_each))
    assert_allclose(score(TRUE[0], PREDICTED[0]), score(TRUE[:1], PREDICTED[:1]))


def test_volumes_have_a_spacing_for_each_axis():
    true, predicted = np.zeros((2, 1, 5, 6, 7), bool)
    true[0, 1, 2:4, 2:4] = predicted[0, 3, 2:4, 2:4] = True
    assert hausdorff_distance_95(true, predicted, spacing=(3, 1, 1)) == 6
    assert surface_dice(true, predicted, 6, (3, 1, 1)) == 1


@pytest.mark.parametrize("score", SCORES)
def test_no_image_that_counts_is_nan(score):
    assert np.isnan(score(TRUE, PREDICTED, sample_weight=np.zeros(12)))


@pytest.mark.parametrize("spacing", [0, -1.0, (1.0, 2.0, 3.0), np.nan, (1.0, np.inf)])
@pytest.mark.parametrize("score", SCORES)
def test_what_is_no_spacing_is_not_accepted(score, spacing):
    with pytest.raises(ValueError, match=r"spacing=.* is not a distance .* 2 of them"):
        score(TRUE, PREDICTED, spacing=spacing)


def test_negative_tolerance_is_not_accepted():
    with pytest.raises(ValueError, match="'tolerance' parameter of surface_dice"):
        surface_dice(TRUE, PREDICTED, tolerance=-1)
