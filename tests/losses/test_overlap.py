"""Losses of overlap against sums over the pixels of each image and class in NumPy, and Keras."""

from functools import partial

import keras
import numpy as np
import pytest
from loss_cases import PROBLEMS, SIGMOIDS, finite_differences, one_hot, value_and_gradient
from numpy.testing import assert_allclose
from scipy.special import expit, softmax

from skimb.losses import Dice, DiceCrossEntropy, GeneralizedDice, Tversky

ROWS = [name for name in PROBLEMS if name.startswith(("binary", "multilabel"))]
MASKS = [name for name in PROBLEMS if name.startswith(("mask", "segments"))]
SURE = 100.0  # a logit whose probability is 0 or 1


# of one image or batch: targets, probabilities and weights of shape (pixels, classes)
def dice(Y, P, W, epsilon=1e-5):
    return np.mean(
        [
            1 - (2 * np.sum(w * p * y) + epsilon) / (np.sum(w * p) + np.sum(w * y) + epsilon)
            for y, p, w in zip(Y.T, P.T, W.T, strict=True)
        ]
    )


def tversky(Y, P, W, alpha=0.3, beta=0.7, power=1.0, epsilon=1e-5):
    losses = []
    for y, p, w in zip(Y.T, P.T, W.T, strict=True):
        tp, fp, fn = (np.sum(w * count) for count in (p * y, p * (1 - y), (1 - p) * y))
        losses.append(1 - (tp + epsilon) / (tp + alpha * fp + beta * fn + epsilon))
    return np.mean(np.power(losses, power))


def generalized_dice(Y, P, W, epsilon=1e-5):
    if Y.shape[1] == 1:
        Y, P, W = np.hstack([1 - Y, Y]), np.hstack([1 - P, P]), np.hstack([W, W])
    volumes = (W * Y).sum(axis=0)
    v = 1 / np.where(volumes > 0, volumes, volumes[volumes > 0].min()) ** 2
    top = 2 * np.sum(v * (W * P * Y).sum(axis=0)) + v.max() * epsilon
    return 1 - top / (np.sum(v * (W * (P + Y)).sum(axis=0)) + v.max() * epsilon)


def mixture(Y, P, W, dice_weight=0.5, epsilon=1e-5):
    if Y.shape[1] == 1:
        cross_entropy = -np.mean(W * (Y * np.log(P) + (1 - Y) * np.log(1 - P)))
    else:
        cross_entropy = -np.mean(W[:, 0] * np.log(P[Y == 1]))
    return dice_weight * dice(Y, P, W, epsilon) + (1 - dice_weight) * cross_entropy


FORMULAS = {
    Dice: dice,
    Tversky: tversky,
    GeneralizedDice: generalized_dice,
    DiceCrossEntropy: mixture,
}
PARAMS = [
    (Dice, {}),
    (Dice, {"epsilon": 0.5}),
    (Tversky, {}),
    (Tversky, {"alpha": 2.0, "beta": 0.1, "power": 0.75, "epsilon": 0.1}),
    (GeneralizedDice, {}),
    (GeneralizedDice, {"epsilon": 0.5}),
    *((DiceCrossEntropy, {"dice_weight": d}) for d in (0.0, 0.3, 1.0)),
]
WEIGHTS = {
    "no weights": None,
    "image or row weights": lambda z: np.linspace(0.5, 3.0, len(z)),
    "pixel or label weights": lambda z: np.random.default_rng(1).uniform(
        0, 3, z.shape[:3] if z.ndim == 4 else z.shape
    ),
}
CASES = [
    (loss, params, name, weights)
    for loss, params in PARAMS
    for name in (MASKS + ROWS if loss in (Dice, Tversky) else MASKS)
    for weights in WEIGHTS
]


def per_image(formula, name, Y, z, weight):
    """The formula of every image of a batch, or the one of a batch of rows."""
    Y, Z = Y.astype(float), z.reshape(Y.shape)
    P = expit(Z) if name.startswith(SIGMOIDS) else softmax(Z, axis=-1)
    W = np.ones(Y.shape)
    if name in ROWS:
        return formula(Y, P, W if weight is None else W * weight.reshape(len(Y), -1))
    if np.ndim(weight) == 3:
        W = W * weight[..., None]
    pixels = (part.reshape(len(Y), -1, Y.shape[-1]) for part in (Y, P, W))
    losses = np.array([formula(*image) for image in zip(*pixels, strict=True)])
    return losses * weight if np.ndim(weight) == 1 else losses


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "params", "name", "weights"), CASES, ids=str)
def test_value_and_gradient_agree_with_the_formula(loss, params, name, weights):
    target, y, z, Y = PROBLEMS[name]
    weight = WEIGHTS[weights] and WEIGHTS[weights](z)

    def expected(z):
        return per_image(partial(FORMULAS[loss], **params), name, Y, z, weight)

    options = {"target": target, "dtype": "float64", **params}
    assert_allclose(loss(reduction=None, **options)(y, z, weight), expected(z), rtol=1e-9)
    _, gradient = value_and_gradient(loss(**options), y, z, weight)
    numeric = finite_differences(lambda z: np.mean(expected(z)), z)
    assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("loss", [Dice, Tversky, GeneralizedDice, DiceCrossEntropy])
def test_weights_of_shape_n_1_are_weights_of_images(loss):
    target, y, z, _ = PROBLEMS["mask (n, h, w)"]
    weight = np.array([1.0, 5.0, 0.0])
    loss = loss(target=target, reduction=None)
    assert_allclose(loss(y, z, weight[:, None]), loss(y, z, weight), rtol=1e-6)


@pytest.mark.parametrize("loss", [Dice, Tversky, GeneralizedDice])
def test_pixels_of_weight_zero_might_as_well_not_be_there(loss):
    target, y, z, _ = PROBLEMS["segments (n, h, w)"]
    weight = np.ones(y.shape)
    weight[:, :, -1] = 0
    loss = loss(target=target, dtype="float64")
    assert_allclose(loss(y, z, weight), loss(y[:, :, :-1], z[:, :, :-1]), rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # p = 3/4, 3/4, 1/4, 1/4 for y = 1, 0, 0, 0: TP = 3/4, FP = 5/4, FN = 1/4
        (Dice(), 1 - 1.5 / 3),
        (Tversky(), 1 - 0.75 / (0.75 + 0.3 * 1.25 + 0.7 * 0.25)),
        (Tversky(alpha=0.0, beta=1.0), 0.25),  # what is missed
        (Tversky(alpha=1.0, beta=0.0), 1 - 0.75 / 2),  # what is wrong of what is predicted
        (Tversky(alpha=0.5, beta=0.5, power=2.0), 0.25),
        (GeneralizedDice(), 1 - 2 * (1.75 / 9 + 0.75) / ((2 + 3) / 9 + 2 + 1)),
        (DiceCrossEntropy(), (0.5 - (3 * np.log(0.75) + np.log(0.25)) / 4) / 2),
        (DiceCrossEntropy(dice_weight=0.8), 0.4 - 0.05 * (3 * np.log(0.75) + np.log(0.25))),
    ],
)
def test_hand_computed_value(loss, expected):
    mask, z = np.array([[[1, 0], [0, 0]]]), np.log([[[[3.0], [3.0]], [[1 / 3], [1 / 3]]]])
    assert_allclose(loss(mask, z), expected, rtol=1e-4)


@pytest.mark.parametrize("loss", [Dice(), Tversky(), GeneralizedDice(), DiceCrossEntropy()])
@pytest.mark.parametrize("size", [2, 64])
def test_empty_mask_costs_nothing_if_nothing_is_predicted_and_one_otherwise(size, loss):
    mask = np.zeros((1, size, size))
    z = np.full((1, size, size, 1), -SURE, "float32")
    nothing, gradient = value_and_gradient(loss, mask, z)
    assert_allclose(nothing, 0.0, atol=1e-5)
    assert np.isfinite(gradient).all()
    something, gradient = value_and_gradient(loss, mask, -z)
    cross_entropy = 0.5 * SURE - 0.5 if isinstance(loss, DiceCrossEntropy) else 0.0
    assert_allclose(something, 1.0 + cross_entropy, rtol=1e-4)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("loss", [Dice, Tversky, GeneralizedDice, DiceCrossEntropy])
@pytest.mark.parametrize("columns", [[0.0], [1.0, 0.0, 0.0]])
def test_empty_mask_costs_nothing_if_probabilities_are_exactly_zero(columns, loss):
    mask, p = np.zeros((1, 64, 64)), np.tile(np.float32(columns), (1, 64, 64, 1))
    assert_allclose(loss(from_logits=False)(mask, p), 0.0, atol=1e-4)


@pytest.mark.parametrize("missed", [0, 1])
@pytest.mark.parametrize("loss", [Dice, Tversky])
def test_small_object_counts_as_much_as_a_large_one(loss, missed):
    masks = np.zeros((2, 20, 20))
    masks[0, 2:18, 2:18] = masks[1, 5, 5] = 1
    z = SURE * (2 * masks[..., None] - 1)
    z[missed] = -SURE
    assert_allclose(loss()(masks, z), 0.5, rtol=1e-4)


@pytest.mark.parametrize("loss", [Dice, Tversky])
def test_rare_class_of_an_image_counts_as_much_as_a_frequent_one(loss):
    codes = np.repeat([0, 1, 2], [600, 299, 1]).reshape(1, 30, 30)
    z = SURE * one_hot(np.where(codes == 2, 0, codes))
    assert_allclose(loss()(codes, z), 1 / 3, rtol=0.01)


def test_class_that_is_not_in_the_image_has_the_largest_weight_of_those_that_are():
    codes = np.array([[[0, 0], [0, 1]]])
    P = np.array([[0.5, 0.3, 0.2], [0.6, 0.1, 0.3], [0.7, 0.2, 0.1], [0.1, 0.5, 0.4]])
    top = 2 * ((0.5 + 0.6 + 0.7) / 9 + 0.5)
    bottom = (1.9 + 3) / 9 + (1.1 + 1) + 1.0
    loss = GeneralizedDice(epsilon=1e-9, dtype="float64")
    assert_allclose(loss(codes, np.log(P).reshape(1, 2, 2, 3)), 1 - top / bottom, rtol=1e-7)


@pytest.mark.parametrize("name", MASKS + ROWS)
def test_tversky_with_one_half_for_both_is_dice(name):
    target, y, z, _ = PROBLEMS[name]
    options = {"target": target, "dtype": "float64"}
    half = Tversky(alpha=0.5, beta=0.5, epsilon=1e-5, **options)
    assert_allclose(half(y, z), Dice(epsilon=2e-5, **options)(y, z), rtol=1e-12)


@pytest.mark.parametrize("power", [0.5, 0.75, 2.0])
def test_perfect_mask_has_no_focal_tversky_loss_and_a_finite_gradient(power):
    masks = np.eye(4)[None]
    value, gradient = value_and_gradient(
        Tversky(power=power), masks, SURE * (2 * masks[..., None] - 1)
    )
    assert_allclose(value, 0.0, atol=1e-6)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", MASKS)
def test_agrees_with_keras_on_each_image_and_class(name):
    target, y, z, Y = PROBLEMS[name]
    P = expit(z) if z.shape[-1] == 1 else softmax(z, axis=-1)
    options = {"target": target, "epsilon": 1e-9, "dtype": "float64"}
    shared = {"axis": (1, 2), "dtype": "float64"}
    expected = keras.losses.Dice(**shared)(Y, P)
    # Keras names them the other way round than the paper: its alpha is for false negatives
    swapped = keras.losses.Tversky(alpha=0.8, beta=0.3, **shared)(Y, P)
    assert_allclose(Dice(**options)(y, z), expected, rtol=1e-6)
    assert_allclose(Tversky(alpha=0.3, beta=0.8, **options)(y, z), swapped, rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "params"),
    [
        *((Dice, {"epsilon": value}) for value in (0.0, -1.0, np.nan, None, "1")),
        (Dice, {"target": "multiclass"}),
        *((GeneralizedDice, {"epsilon": value}) for value in (0.0, np.inf)),
        *((GeneralizedDice, {"target": value}) for value in ("binary", "multilabel")),
        *((Tversky, {"alpha": value}) for value in (-0.1, None, [0.3])),
        *((Tversky, {"beta": value}) for value in (-0.1, np.nan)),
        *((Tversky, {"power": value}) for value in (0.0, -1.0, "1")),
        *((DiceCrossEntropy, {"dice_weight": value}) for value in (-0.1, 1.1, np.nan, True)),
        (DiceCrossEntropy, {"epsilon": 0.0}),
        (DiceCrossEntropy, {"target": "binary"}),
    ],
    ids=str,
)
def test_invalid_hyperparameters_raise_with_their_name(loss, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        loss(**params)


@pytest.mark.parametrize("loss", [Dice, DiceCrossEntropy])
def test_dice_over_a_batch_is_that_of_one_large_image(loss):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (4, 5, 6, 1)).astype("float32")
    y[1] = 0  # an image without foreground
    z = rng.normal(size=y.shape).astype("float32")
    found = float(loss(per_image=False, target="pixels")(y, z))
    as_one = float(loss(target="pixels")(y.reshape(1, 20, 6, 1), z.reshape(1, 20, 6, 1)))
    assert_allclose(found, as_one, rtol=1e-6)
    assert found != pytest.approx(float(loss(target="pixels")(y, z)), rel=1e-3)


def test_weights_of_dice_over_a_batch_are_inside_the_sums():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (3, 4, 4, 1)).astype("float32")
    z = rng.normal(size=y.shape).astype("float32")
    dice = Dice(per_image=False, target="pixels")
    repeated = [0, 1, 1, 2]
    weight = np.array([1.0, 2.0, 1.0], "float32")
    assert_allclose(dice(y, z, weight), dice(y[repeated], z[repeated]), rtol=1e-6)
    pixels = rng.uniform(0, 2, (3, 4, 4)).astype("float32")
    p = 1 / (1 + np.exp(-z[..., 0].astype(float)))
    both, total = (pixels * p * y[..., 0]).sum(), (pixels * (p + y[..., 0])).sum()
    assert_allclose(float(dice(y, z, pixels)), 1 - (2 * both + 1e-5) / (total + 1e-5), rtol=1e-5)


def test_dice_over_a_batch_is_saved_with_its_parameter():
    loss = DiceCrossEntropy(per_image=False, dice_weight=0.3)
    again = DiceCrossEntropy.from_config(loss.get_config())
    assert again.per_image is False
    assert again.get_config() == loss.get_config()
