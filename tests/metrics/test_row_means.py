"""Precision at k and Dice of Keras models against plain Python on the same decisions."""

import numpy as np
import pytest
from metric_cases import ROWS, WEIGHT, X, linear_model, value
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from sklearn.metrics import f1_score, recall_score

from skimb import losses
from skimb.metrics import FBeta, MeanDice, PrecisionAtK, Recall, precision_at_k


def best_labels(Y, z, k):
    shares = []
    for labels, scores in zip(Y, z, strict=True):
        best = sorted(range(len(scores)), key=lambda j: (-scores[j], j))[:k]
        shares.append(np.mean([labels[j] for j in best]))
    return np.array(shares)


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("batches", [1, 7])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_precision_at_k_is_the_share_of_the_best_labels_that_are_true(k, batches, weight):
    _, Y, z = ROWS["multilabel"]
    z = z.round()  # with many ties
    expected = np.average(best_labels(Y, z, k), weights=weight)
    assert_allclose(value(PrecisionAtK(k=k), Y, z, weight, batches), expected, rtol=1e-5)
    assert_allclose(precision_at_k(Y, z, k=k, sample_weight=weight), expected, rtol=1e-12)


def test_precision_at_k_of_probabilities_is_that_of_their_logits():
    _, Y, z = ROWS["multilabel"]
    assert value(PrecisionAtK(k=2), Y, expit(z)) == value(PrecisionAtK(k=2), Y, z)


def test_precision_at_k_is_named_after_k():
    assert [PrecisionAtK().name, PrecisionAtK(k=5).name] == ["precision_at_10", "precision_at_5"]
    assert PrecisionAtK(k=5, name="top").name == "top"


def dice(y, d, weight=None):
    """Dice of every image and class, NaN where there is nothing; y and d have no background."""
    weight = np.ones(y.shape[:-1]) if weight is None else weight
    values = np.full((len(y), y.shape[-1]), np.nan)
    for i, k in np.ndindex(values.shape):
        both = (weight[i] * y[i, ..., k] * d[i, ..., k]).sum()
        areas = (weight[i] * (y[i, ..., k] + d[i, ..., k])).sum()
        if areas > 0:
            values[i, k] = 2 * both / areas
    return values


def masks(n_classes):
    """Twelve images, some without a class: y, logits, and both one-hot without the background."""
    rng = np.random.default_rng(n_classes)
    if n_classes == 1:
        y = (rng.uniform(size=(12, 5, 4)) < rng.choice([0, 0.1, 0.5], 12)[:, None, None]).astype(
            int
        )
        z = rng.normal(-1, 1, (12, 5, 4, 1))
        z[y.sum(axis=(1, 2)) == 0] -= 9
        return y, z, y[..., None], (z > 0).astype(int)
    y = rng.integers(0, n_classes, (12, 5, 4)) * (rng.uniform(size=(12, 5, 4)) < 0.1)
    z = rng.normal(0, 1, (12, 5, 4, n_classes))
    z[..., 0] += 4
    return y, z, np.eye(n_classes)[y][..., 1:], np.eye(n_classes)[z.argmax(axis=-1)][..., 1:]


def of_images(values, weight):
    present = ~np.isnan(values)
    sums = np.nansum(weight[:, None] * values, axis=0)
    return np.mean(sums / (weight[:, None] * present).sum(axis=0))


@pytest.mark.parametrize("n_classes", [1, 2, 4])
@pytest.mark.parametrize("batches", [1, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_mean_dice_is_the_mean_over_images_that_have_the_class(n_classes, batches, weighted):
    y, z, Y, D = masks(n_classes)
    weight = np.linspace(0.5, 3.0, 12) if weighted else np.ones(12)
    values = dice(Y, D)
    assert np.isnan(values).any()
    metric = MeanDice()
    given = weight if weighted else None
    assert_allclose(value(metric, y, z, given, batches), of_images(values, weight), rtol=1e-5)


@pytest.mark.parametrize("n_classes", [1, 3])
@pytest.mark.parametrize("form", ["(n, h, w)", "(n, h, w, 1)", "one-hot", "volume"])
def test_mean_dice_takes_masks_of_every_shape(n_classes, form):
    y, z, Y, D = masks(n_classes)
    if form == "(n, h, w, 1)":
        y = y[..., None]
    elif form == "one-hot" and n_classes > 1:
        y = np.eye(n_classes)[y]
    elif form == "volume":
        y, z = y.reshape(12, 5, 2, 2), z.reshape(12, 5, 2, 2, n_classes)
    assert_allclose(value(MeanDice(), y, z), of_images(dice(Y, D), np.ones(12)), rtol=1e-5)


@pytest.mark.parametrize("n_classes", [1, 3])
@pytest.mark.parametrize("last_axis", [False, True])
def test_pixel_weights_go_inside_the_sums_of_mean_dice(n_classes, last_axis):
    y, z, Y, D = masks(n_classes)
    W = np.random.default_rng(0).choice([0.0, 1.0, 2.5], y.shape)
    expected = of_images(dice(Y, D, W), np.ones(12))
    weight = W[..., None] if last_axis else W
    assert_allclose(value(MeanDice(), y, z, weight), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(12,), (12, 1), (12, 1, 1, 1)])
def test_image_weights_of_every_shape_weigh_the_images(shape):
    y, z, Y, D = masks(1)
    weight = np.linspace(0.0, 3.0, 12)
    expected = of_images(dice(Y, D), weight)
    assert_allclose(value(MeanDice(), y, z, weight.reshape(shape)), expected, rtol=1e-5)


def test_empty_mask_counts_where_something_is_predicted_and_only_there():
    y, z = np.zeros((3, 2, 2), int), np.full((3, 2, 2, 1), -1.0)
    y[0, 0, 0], z[0, 0, 0], z[1, 1, 1] = 1, 1.0, 1.0  # found, a false alarm, and nothing
    assert value(MeanDice(), y, z) == 0.5


def test_class_that_is_in_no_image_is_left_out_of_mean_dice():
    y, z, _, _ = masks(3)
    never = np.full((*z.shape[:-1], 1), -99.0)
    expected = value(MeanDice(), y, z)
    assert value(MeanDice(), y, np.concatenate([z, never], axis=-1)) == expected


@pytest.mark.parametrize("n_classes", [1, 3])
def test_mean_dice_of_probabilities_is_that_of_their_logits(n_classes):
    y, z, _, _ = masks(n_classes)
    p = expit(z) if n_classes == 1 else softmax(z, axis=-1)
    assert value(MeanDice(from_logits=False), y, p) == value(MeanDice(), y, z)


def test_mean_dice_has_a_threshold():
    y, z, Y, _ = masks(1)
    expected = of_images(dice(Y, (expit(z) > 0.2).astype(int)), np.ones(12))
    assert_allclose(value(MeanDice(threshold=0.2), y, z), expected, rtol=1e-5)


@pytest.mark.slow
def test_evaluate_of_a_multilabel_model_ranks_the_labels():
    model, Y = linear_model(4), ROWS["multilabel"][1]
    model.compile(
        loss=losses.CrossEntropy(target="multilabel"),
        metrics=[PrecisionAtK(k=2), FBeta(target="multilabel")],
    )
    z = model.predict(X, verbose=0)
    got = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert got["precision_at_2"] == pytest.approx(best_labels(Y, z, 2).mean(), rel=1e-5)
    assert got["f_beta"] == pytest.approx(f1_score(Y, z > 0, average="macro"), rel=1e-5)


def test_evaluate_of_a_segmenting_model_is_the_dice_of_its_masks():
    images = np.random.default_rng(5).normal(size=(12, 5, 4, 2)).astype("float32")
    y = (images[..., 0] + images[..., 1] > 2).astype(int)
    model = linear_model(1, (5, 4, 2))
    model.compile(loss=losses.Dice(), metrics=[MeanDice(), Recall()])
    got = model.evaluate(images, y, batch_size=5, verbose=0, return_dict=True)
    d = (model.predict(images, verbose=0) > 0).astype(int)
    assert got["mean_dice"] == pytest.approx(
        of_images(dice(y[..., None], d), np.ones(12)), rel=1e-5
    )
    assert got["recall"] == pytest.approx(recall_score(y.ravel(), d.ravel()), rel=1e-5)
