"""Rules about lesions: against every threshold, one after the other, and on fresh images."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from skimb.metrics import false_alarms_per_image, lesion_recall
from skimb.probability import best_threshold
from skimb.probability.lesion_cuts import choose_lesion_cut
from skimb.probability.rules import Rule


def spots(seed, shape=(4, 9, 8), decimals=2):
    """Blobs of any form, and scores with ties that are somewhat higher in them."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), (0, *[1] * (len(shape) - 1)))
    truth = smooth > 0.25
    return truth, np.round(0.7 * rng.random(shape) + 0.3 * truth, decimals)


def weights(kind, shape, seed):
    rng = np.random.default_rng(seed)
    return {"none": None, "images": rng.integers(0, 3, shape[0]) + np.eye(shape[0])[0],
            "pixels": rng.integers(0, 3, shape).astype(float)}[kind]  # fmt: skip


def counted(truth, weight):
    weight = np.ones(truth.shape) if weight is None else weight
    shaped = weight.reshape(len(truth), *[1] * (truth.ndim - 1)) if weight.ndim == 1 else weight
    return np.broadcast_to(shaped > 0, truth.shape)


@pytest.mark.parametrize("kind", ["none", "images", "pixels"])
@pytest.mark.parametrize("shape", [(4, 9, 8), (2, 4, 6, 5), (3, 1, 12)], ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_lesion_recall_is_kept_by_the_highest_threshold_of_all(kind, shape, seed):
    truth, scores = spots(seed, shape)
    weight = weights(kind, shape, seed)
    kept = counted(truth, weight)
    for value in (0.2, 0.5, 0.9, 1.0):
        threshold = best_threshold(truth, scores, {"lesion_recall": value}, sample_weight=weight)
        highest = next(
            cut
            for cut in np.unique(scores[kept])[::-1]
            if lesion_recall(truth, scores >= cut, sample_weight=weight) >= value - 1e-12
        )
        assert_array_equal((scores >= threshold)[kept], (scores >= highest)[kept])


@pytest.mark.parametrize("kind", ["none", "images", "pixels"])
@pytest.mark.parametrize("shape", [(4, 9, 8), (2, 4, 6, 5), (3, 1, 12)], ids=str)
def test_false_alarms_are_kept_by_the_lowest_threshold_above_which_none_has_more(kind, shape):
    truth, scores = spots(0, shape)
    weight = weights(kind, shape, 0)
    kept = counted(truth, weight)
    n_tried = 0
    for value in (0.0, 0.4, 1.0, 2.0, 5.0, 1000.0):
        rule = {"false_alarms_per_image": value}
        lowest = None
        for cut in np.unique(scores[kept])[::-1]:
            found = scores >= cut
            if false_alarms_per_image(truth, found, sample_weight=weight) > value + 1e-12:
                break
            lowest = cut
            if lesion_recall(truth, found, sample_weight=weight) == 1:
                break
        if lowest is None or not lesion_recall(truth, scores >= lowest, sample_weight=weight):
            with pytest.raises(ValueError, match="only be kept by finding no lesion"):
                best_threshold(truth, scores, rule, sample_weight=weight)
            continue
        threshold = best_threshold(truth, scores, rule, sample_weight=weight)
        assert_array_equal((scores >= threshold)[kept], (scores >= lowest)[kept])
        n_tried += 1
    assert n_tried >= 3


def test_figures_of_the_choice_are_those_of_the_scores_by_name():
    truth, scores = spots(3, (10, 12, 12))
    choice = choose_lesion_cut(Rule("lesion_recall", 0.8), truth, scores)
    found = scores >= choice.threshold
    assert_allclose(choice.lesion_recall.score, lesion_recall(truth, found))
    assert_allclose(choice.false_alarms_per_image, false_alarms_per_image(truth, found))
    assert choice.n_lesions == sum(ndimage.label(t, np.ones((3, 3)))[1] for t in truth)
    assert choice.bound is None


def test_labels_and_columns_of_any_kind_are_taken_and_ignored_pixels_are_neither():
    truth, scores = spots(5)
    expected = best_threshold(truth, scores, {"lesion_recall": 0.7})
    named = np.where(truth, "cell", "none")
    both = np.stack([scores, 1 - scores], axis=-1)
    rule = {"lesion_recall": 0.7}
    assert best_threshold(named, scores, rule, pos_label="cell") == expected
    assert best_threshold(named, both, rule, pos_label="cell") == expected
    columns = {"classes": ["none", "cell"]}
    assert best_threshold(named, both[..., ::-1], rule, **columns) == expected
    # what is ignored may have any label and score
    wider = np.concatenate([truth.astype(int), np.full((4, 9, 3), 255)], axis=2)
    noisy = np.concatenate([scores, np.ones((4, 9, 3))], axis=2)
    ignored = (wider != 255).astype(float)
    for rule in ({"lesion_recall": 0.7}, {"false_alarms_per_image": 2.0}):
        found = best_threshold(wider, noisy, rule, sample_weight=ignored)
        assert found == best_threshold(truth, scores, rule)


def test_scores_of_any_scale_have_the_same_predictions():
    truth, scores = spots(7)
    for rule in ({"lesion_recall": 0.8}, {"false_alarms_per_image": 1.0}):
        threshold = best_threshold(truth, scores, rule)
        other = best_threshold(truth, 100 * scores - 50, rule)
        assert_array_equal(scores >= threshold, 100 * scores - 50 >= other)


# ---- promises on fresh images


def lesions_in_noise(n, rng, size=24):
    """Up to three lesions an image, of different visibility, and noise that is smooth."""
    truth, scores = np.zeros((n, size, size), bool), rng.normal(size=(n, size, size))
    scores = 2.5 * ndimage.gaussian_filter(scores, (0, 1, 1))
    for mask, image in zip(truth, scores, strict=True):
        for _ in range(rng.integers(0, 4)):
            i, j = rng.integers(1, size - 4, 2)
            mask[i : i + 3, j : j + 3] = True
            image[i : i + 3, j : j + 3] += rng.gamma(4.0, 0.5)
    return truth, scores


def test_promises_hold_on_fresh_images():
    rng = np.random.default_rng(0)
    truth, scores = lesions_in_noise(300, rng)
    fresh, of_fresh = lesions_in_noise(600, rng)
    for value in (0.7, 0.9):
        threshold = best_threshold(truth, scores, {"lesion_recall": value})
        assert_allclose(lesion_recall(fresh, of_fresh >= threshold), value, atol=0.04)
    for value in (0.2, 1.0):
        threshold = best_threshold(truth, scores, {"false_alarms_per_image": value})
        found = false_alarms_per_image(fresh, of_fresh >= threshold)
        assert_allclose(found, value, rtol=0.25)


def test_confidence_is_the_share_of_draws_in_which_the_promise_holds():
    rng = np.random.default_rng(0)
    rule, n_draws, kept = {"lesion_recall": 0.8, "confidence": 0.9}, 400, 0
    truth = np.arange(80).reshape(1, 1, 80) % 2 == 0  # 40 lesions
    for _ in range(n_draws):  # their scores are uniform: a share of 1 - t is above t
        scores = np.where(truth, rng.random(truth.shape), 0.0)
        kept += 1 - best_threshold(truth, scores, rule) >= 0.8
    # what the binomial gives for 40 lesions is slightly more than what was asked for
    assert 0.9 - 3 * np.sqrt(0.09 / n_draws) <= kept / n_draws <= 0.98


# ---- what cannot be kept


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"lesion_recall": 90}, "Did you mean 0.9"),
        ({"false_alarms_per_image": -1}, "at least 0, got -1"),
        ({"false_alarms_per_image": 1, "confidence": 0.9}, "any number of false alarms"),
        ({"false_alarms": 1}, "Did you mean 'false_alarms_per_image'"),
        ({"lesion_recal": 0.9}, "Did you mean 'lesion_recall'"),
        ({"lesion_recall": 0.9, "recall": 0.9}, "makes 2 promises"),
        ({"lesion_recall": 0.99, "confidence": 0.99}, "needs at least 459 lesions, and there are"),
    ],
    ids=str,
)
def test_rule_that_cannot_be_kept_or_read_is_explained(rule, said):
    with pytest.raises(ValueError, match=said):
        best_threshold(*spots(0), rule)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda t, p: ((t * 0, p), {"classes": [0, 1]}), "images that it would be chosen on have"),
        (lambda t, p: ((t * 0, p), {}), r"masks of two classes, but y has \[0\]"),
        (lambda t, p: ((t + 1, p), {"classes": [0, 1]}), r"y has \[1, 2\], with the classes"),
        (lambda t, p: ((t + p.round(), p), {}), r"y has \[0.0, 1.0, 2.0\], with"),
        (lambda t, p: ((t, p), {"pos_label": 7}), "pos_label=7"),
        (lambda t, p: ((t, p[..., :3]), {}), r"scores has the shape \(4, 9, 3\)"),
        (lambda t, p: ((t, p * np.nan), {}), "NaN or infinity 288 times"),
        (lambda t, p: ((t, p), {"sample_weight": np.ones(3)}), r"has the shape \(3,\)"),
        (lambda t, p: ((t.ravel(), p.ravel()), {}), "rule about lesions, .* y is no such mask"),
    ],
)  # fmt: skip
def test_masks_that_do_not_go_with_a_rule_are_explained(given, said):
    arguments, named = given(*spots(0))
    with pytest.raises(ValueError, match=said):
        best_threshold(*arguments, {"lesion_recall": 0.9}, **named)
