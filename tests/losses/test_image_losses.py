"""Losses of whole images against the papers' formulas in NumPy and SciPy."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from loss_cases import finite_differences, one_hot, value_and_gradient
from numpy.testing import assert_allclose
from scipy import ndimage
from scipy.special import expit, log_softmax, softmax

from skimb.losses import Boundary, ClDice, Lovasz, TopKCrossEntropy, UnifiedFocal

RNG = np.random.default_rng(4)
LOSSES = [Boundary, ClDice, Lovasz, TopKCrossEntropy, UnifiedFocal]
SIZE = (3, 6, 7)
MASKS = ndimage.binary_dilation(RNG.random(SIZE) < 0.1, np.ones((1, 2, 2))).astype(int)
MASKS[2] = 0
SEGMENTS = np.where(MASKS, RNG.integers(1, 3, SIZE), 0)
Z, Z3 = RNG.normal(0, 2, (*SIZE, 1)), RNG.normal(0, 2, (*SIZE, 3))
PROBLEMS = {"one logit": (MASKS, Z, MASKS[..., None]), "classes": (SEGMENTS, Z3, one_hot(SEGMENTS))}
WEIGHTS = {
    "none": None,
    "images": np.array([0.5, 2.0, 1.0]),
    "pixels": RNG.uniform(0.5, 2.0, SIZE),
    "ignored": (RNG.random(SIZE) < 0.7) * RNG.uniform(0.5, 2.0, SIZE),
}


# of one image: targets and logits (H, W, K), weights of pixels (H, W)
def boundary(Y, Z, w):
    P = expit(Z) if Z.shape[-1] == 1 else softmax(Z, axis=-1)
    terms = []
    for y, p in zip(np.moveaxis(Y, -1, 0), np.moveaxis(P, -1, 0), strict=True):
        inside, outside = (w > 0) & (y == 1), (w > 0) & (y == 0)
        if not inside.any() or not outside.any():
            terms.append(0 * p)
            continue
        to_inside = ndimage.distance_transform_edt(~inside)
        to_outside = ndimage.distance_transform_edt(~outside)
        terms.append(w * np.where(y == 1, 0.5 - to_outside, to_inside - 0.5) * p)
    return np.mean(terms)


def pooled(values, counted, footprint, least):
    """Minima or maxima over the neighbours that are inside the image and counted."""
    fill = np.inf if least else -np.inf
    known = np.where(counted, values, fill)
    function = ndimage.minimum_filter if least else ndimage.maximum_filter
    return function(known, footprint=footprint, mode="constant", cval=fill)


def skeleton(values, counted, iterations):
    cross, square = ndimage.generate_binary_structure(2, 1), np.ones((3, 3))

    def erode(v):
        return np.where(counted, pooled(v, counted, cross, True), 0.0)

    def skin(v):
        opened = pooled(erode(v), counted, square, False)
        return np.where(counted, np.maximum(v - opened, 0), 0.0)

    found = skin(values)
    for _ in range(iterations):
        values = erode(values)
        found = found + (1 - found) * skin(values)
    return found


def cl_dice(Y, Z, w, alpha=0.5, iterations=5, epsilon=1e-5, background=0):
    P = expit(Z) if Z.shape[-1] == 1 else softmax(Z, axis=-1)
    dice, cl = [], []
    for k in range(Y.shape[-1]):
        y, p = Y[..., k], P[..., k]
        both, sizes = np.sum(w * y * p), np.sum(w * y) + np.sum(w * p)
        dice.append(1 - (2 * both + epsilon) / (sizes + epsilon))
        if Y.shape[-1] > 1 and k == background:
            continue
        s_y, s_p = (skeleton(v, w > 0, iterations) for v in (y, p))
        precision = (np.sum(w * s_p * y) + epsilon) / (np.sum(w * s_p) + epsilon)
        sensitivity = (np.sum(w * s_y * p) + epsilon) / (np.sum(w * s_y) + epsilon)
        cl.append(1 - 2 * precision * sensitivity / (precision + sensitivity))
    return (1 - alpha) * np.mean(dice) + alpha * np.mean(cl)


def jaccard_loss(wrong, y, w):
    """1 - Jaccard index of a mask whose pixels of the set `wrong` are predicted wrongly."""
    predicted = np.where(wrong, 1 - y, y)
    union = np.sum(w * np.maximum(predicted, y))
    return 1 - np.sum(w * predicted * y) / union if union > 0 else 0.0


def lovasz_extension(errors, y, w):
    order, total, wrong, before = np.argsort(-errors), 0.0, np.zeros(len(y), bool), 0.0
    for i in order:
        wrong[i] = True
        now = jaccard_loss(wrong, y, w)
        total, before = total + errors[i] * (now - before), now
    return total


def lovasz(Y, Z, w):
    Y, Z, w = Y.reshape(-1, Y.shape[-1]), Z.reshape(-1, Z.shape[-1]), w.ravel()
    if Z.shape[-1] == 1:
        return lovasz_extension(np.maximum(1 - Z * (2 * Y - 1), 0)[:, 0], Y[:, 0], w)
    P = softmax(Z, axis=-1)
    of_classes = [
        lovasz_extension(abs(Y[:, k] - P[:, k]), Y[:, k], w)
        for k in range(Y.shape[-1])
        if np.sum(w * Y[:, k]) > 0
    ]
    return np.mean(of_classes)


def log_probabilities(Y, Z):
    if Z.shape[-1] > 1:
        return Y, log_softmax(Z, axis=-1)
    return np.concatenate([1 - Y, Y], -1), np.log(expit(np.concatenate([-Z, Z], -1)))


def top_k(Y, Z, w, k=10.0):
    Y, log_p = log_probabilities(Y, Z)
    terms, w = -np.sum(Y * log_p, axis=-1).ravel(), w.ravel()
    budget, total = k / 100 * w.sum(), 0.0
    for i in np.argsort(-terms):
        kept = min(w[i], budget)
        total, budget = total + kept * terms[i], budget - kept
    return total / (k / 100 * len(terms))


def unified_focal(
    Y, Z, w, focal_weight=0.5, delta=0.6, gamma=0.5, variant="asymmetric", epsilon=1e-5,
    background=0,
):  # fmt: skip
    Y, log_p = log_probabilities(Y, Z)
    P, focal, tversky = np.exp(log_p), 0.0, 0.0
    for k in range(Y.shape[-1]):
        y, p, behind = Y[..., k], P[..., k], k == background
        suppressed = gamma if behind or variant == "symmetric" else 0.0
        enhanced = gamma if not behind or variant == "symmetric" else 0.0
        share = 1 - delta if behind else delta
        focal -= np.mean(w * share * y * (1 - p) ** suppressed * log_p[..., k])
        tp, fn, fp = (np.sum(w * v) for v in (p * y, (1 - p) * y, p * (1 - y)))
        index = (tp + epsilon) / (tp + delta * fn + (1 - delta) * fp + epsilon)
        tversky += (1 - index) ** (1 - enhanced)
    return focal_weight * focal + (1 - focal_weight) * tversky


FORMULAS = {
    Boundary: boundary,
    ClDice: cl_dice,
    Lovasz: lovasz,
    TopKCrossEntropy: top_k,
    UnifiedFocal: unified_focal,
}
PARAMS = [
    (Boundary, {}),
    (ClDice, {}),
    (ClDice, {"alpha": 1.0, "iterations": 1, "epsilon": 0.1, "background": 1}),
    (Lovasz, {}),
    (TopKCrossEntropy, {}),
    (TopKCrossEntropy, {"k": 37.5}),
    (UnifiedFocal, {}),
    (UnifiedFocal, {"variant": "symmetric", "gamma": 0.2, "delta": 0.8, "focal_weight": 0.3}),
    (UnifiedFocal, {"gamma": 0.0, "background": 1, "epsilon": 0.1}),
]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(("loss", "params"), PARAMS, ids=str)
def test_value_agrees_with_the_formula(loss, params, problem, weights):
    y, z, Y = PROBLEMS[problem]
    weight = WEIGHTS[weights]
    of_pixels = weight if np.ndim(weight) == 3 else np.ones(SIZE)
    background = {} if problem == "classes" else {"background": 0}
    formula = partial(FORMULAS[loss], **(params | background if "background" in params else params))
    expected = [formula(*image) for image in zip(Y, z, of_pixels, strict=True)]
    expected = np.array(expected) * (weight if np.ndim(weight) == 1 else 1)
    options = {"target": "pixels", "dtype": "float64", **params}
    assert_allclose(loss(reduction=None, **options)(y, z, weight), expected, rtol=1e-9, atol=1e-12)
    assert_allclose(loss(**options)(y, z, weight), np.mean(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["none", "ignored"])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(("loss", "params"), PARAMS, ids=str)
def test_gradient_agrees_with_the_formula(loss, params, problem, weights):
    y, z, Y = (values[:2] for values in PROBLEMS[problem])
    weight = WEIGHTS[weights]
    of_pixels = np.ones(y.shape) if weight is None else weight[:2]
    if problem == "one logit":
        params = {k: v for k, v in params.items() if k != "background"}
    formula = partial(FORMULAS[loss], **params)

    def mean(z):
        return np.mean([formula(*image) for image in zip(Y, z, of_pixels, strict=True)])

    _, gradient = value_and_gradient(loss(dtype="float64", **params), y, z, of_pixels)
    assert_allclose(gradient, finite_differences(mean, z), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_pixels_of_weight_zero_do_not_count_whatever_their_label_and_output(loss, problem):
    y, z, _ = PROBLEMS[problem]
    weight = WEIGHTS["ignored"]
    other_y = np.where(weight > 0, y, RNG.permutation(y.ravel()).reshape(y.shape))
    other_z = np.where(weight[..., None] > 0, z, RNG.normal(0, 5, z.shape))
    loss = loss(dtype="float64", reduction=None)
    assert_allclose(loss(other_y, other_z, weight), loss(y, z, weight), rtol=1e-12)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_columns_of_weight_zero_might_as_well_not_be_there(loss, problem):
    y, z, _ = PROBLEMS[problem]
    weight = np.ones(SIZE)
    weight[:, :, -2:] = 0
    params = {"focal_weight": 0.0} if loss is UnifiedFocal else {}
    loss = loss(dtype="float64", reduction=None, **params)
    # means are over all pixels, as cross-entropy's is
    over_pixels = isinstance(loss, (Boundary, TopKCrossEntropy))
    share = (SIZE[2] - 2) / SIZE[2] if over_pixels else 1.0
    cut = loss(y[:, :, :-2], z[:, :, :-2])
    assert_allclose(loss(y, z, weight), share * np.asarray(cut), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", [Boundary, ClDice, TopKCrossEntropy, UnifiedFocal])
def test_two_classes_have_the_gradient_of_one_logit(loss):
    both = np.concatenate([np.zeros_like(Z), Z], axis=-1)
    params = {"alpha": 1.0} if loss is ClDice else {}  # Dice is of the background too
    loss = loss(dtype="float64", **params)
    _, gradient = value_and_gradient(loss, MASKS, Z)
    _, of_both = value_and_gradient(loss, MASKS, both)
    assert_allclose(of_both[..., 1:], gradient, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("scale", [-1e4, 0.0, 1e4])
def test_empty_and_full_masks_have_finite_values_and_gradients(loss, value, scale):
    mask = np.full((2, 5, 5), value)
    for columns in (1, 3):
        z = np.zeros((2, 5, 5, columns), "float32")
        z[..., -1] = scale
        for weight in (None, np.zeros(mask.shape)):
            found, gradient = value_and_gradient(loss(), mask, z, weight)
            assert np.isfinite(found)
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_is_finite(loss, dtype):
    z = tf.constant(Z, "float32")
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = tf.cast(loss(dtype=dtype)(MASKS, z), "float32")
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, z)).all()


@pytest.mark.parametrize("loss", [ClDice, Lovasz, TopKCrossEntropy])
def test_perfect_mask_costs_nothing(loss):
    assert_allclose(loss()(MASKS, np.float32(200 * MASKS - 100)[..., None]), 0.0, atol=1e-4)


def test_boundary_loss_prefers_errors_beside_the_object():
    mask = np.zeros((1, 9, 9))
    mask[0, 3:5, 3:5] = 1
    z = np.full((1, 9, 9, 1), -50.0, "float32")
    near, far = z.copy(), z.copy()
    near[0, 3, 5] = far[0, 8, 8] = 50.0
    assert float(Boundary()(mask, z)) < float(Boundary()(mask, near)) < float(Boundary()(mask, far))


def test_gap_in_a_line_costs_more_cl_dice_than_a_frayed_edge():
    line = np.zeros((1, 9, 12))
    line[0, 3:6] = 1
    gap, frayed = line.copy(), line.copy()
    gap[0, 3:6, 6] = 0
    frayed[0, 3, 4:7] = 0
    loss = ClDice(alpha=1.0)
    of_gap, of_edge = (float(loss(line, np.float32(99 * m - 50)[..., None])) for m in (gap, frayed))
    assert of_gap > 2 * of_edge


def test_all_of_the_pixels_is_cross_entropy():
    loss = TopKCrossEntropy(k=100.0, dtype="float64")
    weight = WEIGHTS["pixels"]
    p = expit(Z[..., 0])
    expected = np.mean(-weight * np.log(np.where(MASKS, p, 1 - p)))
    assert_allclose(loss(MASKS, Z, weight), expected, rtol=1e-12)


def test_lovasz_softmax_of_hard_predictions_is_the_jaccard_loss_of_the_classes():
    predicted = np.where(RNG.random(SIZE) < 0.3, 0, SEGMENTS)
    expected = [
        np.mean(
            [
                1 - np.sum((p == k) & (y == k)) / np.sum((p == k) | (y == k))
                for k in range(3)
                if (y == k).any()
            ]
        )
        for y, p in zip(SEGMENTS, predicted, strict=True)
    ]
    assert_allclose(Lovasz(reduction=None)(SEGMENTS, 200 * one_hot(predicted)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "params"),
    [
        *((TopKCrossEntropy, {"k": value}) for value in (0, -1, 101, None, True)),
        *((ClDice, {"alpha": value}) for value in (-0.1, 1.1, np.nan)),
        *((ClDice, {"iterations": value}) for value in (0, 2.5, True)),
        *((ClDice, {"background": value}) for value in (-1, 0.5)),
        *((UnifiedFocal, {"gamma": value}) for value in (-0.1, 1.0, "1")),
        *((UnifiedFocal, {"delta": value}) for value in (-0.1, 1.1)),
        *((UnifiedFocal, {"focal_weight": value}) for value in (-0.1, 2)),
        (UnifiedFocal, {"variant": "both"}),
        *((loss, {"target": "binary"}) for loss in LOSSES),
    ],
    ids=str,
)
def test_invalid_hyperparameters_raise_with_their_name(loss, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        loss(**params)


@pytest.mark.parametrize("loss", [ClDice, UnifiedFocal])
def test_background_that_is_not_a_class_raises(loss):
    with pytest.raises(ValueError, match="background=3 is not the index of one of 3 classes"):
        loss(background=3)(SEGMENTS, Z3)
