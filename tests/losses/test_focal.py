"""Focal loss against the paper's formula, Keras, finite differences and cross-entropy."""

import keras
import numpy as np
import pytest
from keras import ops
from loss_cases import (
    EXTREMES,
    PROBLEMS,
    SIGMOIDS,
    class_problems,
    every_problem,
    finite_differences,
    one_hot,
    rows,
    sigmoid_problems,
    value_and_gradient,
)
from numpy.testing import assert_allclose
from sklearn.utils.class_weight import compute_class_weight

from skimb.losses import Focal

GAMMAS = [0.0, 0.3, 1.0, 2.0, 5.0]


def terms(name, Y, z, gamma=2.0, alpha=None):
    """The paper's FL = -alpha_t (1 - p_t)^gamma log p_t: a term a label or, for classes, a row.

    `alpha` has the weight of 0 and of 1, or of each class.
    """
    z = np.reshape(z, Y.shape)
    if name.startswith(SIGMOIDS):
        p = 1 / (1 + np.exp(-z))
        p_t = np.where(Y == 1, p, 1 - p)
        alpha_t = 1.0 if alpha is None else np.where(Y == 1, alpha[1], alpha[0])
    else:
        p_t = (Y * np.exp(z)).sum(axis=-1) / np.exp(z).sum(axis=-1)
        alpha_t = 1.0 if alpha is None else np.asarray(alpha)[Y.argmax(axis=-1)]
    return -alpha_t * (1 - p_t) ** gamma * np.log(p_t)


@pytest.mark.parametrize(
    ("y", "params", "expected"),
    [
        (1, {}, 0.0179801),
        (0, {}, 0.7797906),
        (1, {"gamma": 0.5}, 0.1438410),
        (1, {"gamma": 0.0}, 0.2876821),
        (1, {"alpha": 0.25}, 0.0044950),
        (0, {"alpha": 0.25}, 0.5848430),
        (1, {"alpha": [5.0, 2.0]}, 0.0359603),
        (0, {"alpha": [5.0, 2.0]}, 3.8989531),
        (1, {"alpha": "balanced", "class_counts": [9, 1]}, 0.0899007),
    ],
)
def test_hand_computed_value_at_a_probability_of_three_quarters(y, params, expected):
    value = Focal(**params)(np.array([y]), np.log([[3.0]]))
    assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, 0.7797906),
        ({"gamma": 0.0}, 1.3862944),
        ({"alpha": [1.0, 2.0, 3.0]}, 1.5595812),
        ({"alpha": "balanced", "class_counts": [6, 3, 1]}, 0.8664340),
    ],
)
def test_hand_computed_value_of_three_classes(params, expected):
    assert_allclose(Focal(**params)(np.array([1]), np.log([[1.0, 2.0, 5.0]])), expected, rtol=1e-6)


@every_problem
@pytest.mark.parametrize("gamma", GAMMAS)
def test_each_row_agrees_with_the_formula(name, gamma):
    target, y, z, Y = PROBLEMS[name]
    loss = Focal(gamma=gamma, target=target, reduction=None, dtype="float64")
    assert_allclose(loss(y, z), rows(terms(name, Y, z, gamma)), rtol=1e-10)


@every_problem
def test_focal_with_gamma_zero_is_cross_entropy(name):
    target, y, z, Y = PROBLEMS[name]
    if name.startswith(SIGMOIDS):
        expected = np.logaddexp(0, np.reshape(z, Y.shape) * np.where(Y == 1, -1, 1)).mean()
    else:
        expected = (np.logaddexp.reduce(z, axis=-1) - (Y * z).sum(axis=-1)).mean()
    loss = Focal(gamma=0.0, target=target, dtype="float64")
    assert_allclose(loss(y, z), expected, rtol=1e-12)


@sigmoid_problems
@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_number_alpha_weights_positives_and_the_rest_of_1_negatives(name, alpha):
    target, y, z, Y = PROBLEMS[name]
    loss = Focal(alpha=alpha, target=target, reduction=None, dtype="float64")
    assert_allclose(loss(y, z), rows(terms(name, Y, z, alpha=[1 - alpha, alpha])), rtol=1e-10)


@sigmoid_problems
@pytest.mark.parametrize("per_label", [False, True])
def test_array_alpha_has_the_weights_of_0_and_of_1(name, per_label):
    target, y, z, Y = PROBLEMS[name]
    alpha = np.array([0.5, 4.0])
    if per_label:
        alpha = np.arange(1.0, 1.0 + 2 * Y.shape[-1]).reshape(2, -1)
    loss = Focal(alpha=alpha, target=target, reduction=None, dtype="float64")
    assert_allclose(loss(y, z), rows(terms(name, Y, z, alpha=alpha)), rtol=1e-10)


@class_problems
@pytest.mark.parametrize("alpha", [3.0, [0.5, 2.0, 4.0]])
def test_alpha_of_classes_is_the_weight_of_the_true_class(name, alpha):
    target, y, z, Y = PROBLEMS[name]
    loss = Focal(alpha=alpha, target=target, reduction=None, dtype="float64")
    expected = terms(name, Y, z, alpha=np.broadcast_to(alpha, 3))
    assert_allclose(loss(y, z), rows(expected), rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "counts"), [("binary (n,)", [30, 4]), ("multiclass (n,)", [70, 20, 3])]
)
def test_balanced_alpha_is_the_balanced_weight_of_scikit_learn(name, counts):
    _, y, z, Y = PROBLEMS[name]
    seen = np.repeat(np.arange(len(counts)), counts)
    alpha = compute_class_weight("balanced", classes=np.arange(len(counts)), y=seen)
    loss = Focal(alpha="balanced", class_counts=counts, dtype="float64")
    assert_allclose(loss(y, z), terms(name, Y, z, alpha=alpha).mean(), rtol=1e-10)


def test_balanced_alpha_of_labels_is_that_of_each_label():
    target, Y, z, _ = PROBLEMS["multilabel"]
    seen = [np.repeat([0, 1], counts) for counts in ([50, 50], [90, 10], [1, 99])]
    alpha = [compute_class_weight("balanced", classes=np.array([0, 1]), y=y) for y in seen]
    counts = np.transpose([np.bincount(y) for y in seen])
    loss = Focal(alpha="balanced", class_counts=counts, target=target, dtype="float64")
    expected = terms("multilabel", Y, z, alpha=np.transpose(alpha)).mean()
    assert_allclose(loss(Y, z), expected, rtol=1e-10)


def test_class_without_rows_leaves_the_balanced_weights_of_the_others():
    z = PROBLEMS["multiclass (n,)"][2]
    y = np.array([0, 0, 2, 2, 0, 2])
    present = compute_class_weight("balanced", classes=np.array([0, 2]), y=[0] * 9 + [2])
    loss = Focal(alpha="balanced", class_counts=[9, 0, 1], dtype="float64")
    expected = terms("multiclass", one_hot(y), z, alpha=[present[0], np.nan, present[1]])
    assert_allclose(loss(y, z), expected.mean(), rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("binary (n,)", [8, 0]),
        ("multiclass (n,)", [8, 0, 2]),
        ("multilabel", [[8, 8, 0], [0, 4, 8]]),
    ],
)
def test_class_without_rows_has_a_finite_loss_and_gradient(name, counts):
    target, y, z, _ = PROBLEMS[name]
    loss = Focal(alpha="balanced", class_counts=counts, target=target, reduction=None)
    value, gradient = value_and_gradient(loss, y, z)
    assert (value > 0).all()
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()


def test_balanced_alpha_without_counts_raises():
    with pytest.raises(ValueError, match="needs class_counts"):
        Focal(alpha="balanced")(np.array([1]), np.zeros((1, 1)))


@every_problem
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradient_agrees_with_finite_differences_of_the_formula(name, gamma):
    target, y, z, Y = PROBLEMS[name]
    weight = np.linspace(0.5, 2.0, len(z))
    alpha = [0.5, 3.0] if name.startswith(SIGMOIDS) else [0.5, 3.0, 7.0]
    loss = Focal(gamma=gamma, alpha=alpha, target=target, dtype="float64")
    expected = finite_differences(
        lambda z: np.mean(weight * rows(terms(name, Y, z, gamma, alpha))), z
    )
    _, gradient = value_and_gradient(loss, y, z, weight)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("y", [0, 1])
def test_extreme_logits_have_the_exact_value_and_the_gradient_of_the_paper(y, gamma):
    z = EXTREMES[:, None]
    x = (1 if y else -1) * z.astype("float64")  # the x_t of the paper's appendix
    log_p, log_q = -np.logaddexp(0, -x), -np.logaddexp(0, x)
    derivative = np.exp(gamma * log_q) * (gamma * np.exp(log_p) * log_p - np.exp(log_q))
    value, gradient = value_and_gradient(
        Focal(gamma=gamma, reduction="none"), np.full(len(z), y), z
    )
    assert_allclose(value, (-np.exp(gamma * log_q) * log_p)[:, 0], rtol=1e-5, atol=1e-37)
    assert_allclose(gradient, (1 if y else -1) * derivative, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("code", [0, 1, 2])
def test_extreme_logits_of_classes_have_the_exact_value_and_a_finite_gradient(code, gamma):
    z = np.stack([EXTREMES, np.zeros_like(EXTREMES), -EXTREMES], axis=1)
    exact = z.astype("float64")
    normalizer = np.logaddexp.reduce(exact, axis=1)
    log_p = exact[:, code] - normalizer
    log_q = np.logaddexp.reduce(np.delete(exact, code, axis=1), axis=1) - normalizer
    value, gradient = value_and_gradient(
        Focal(gamma=gamma, reduction="none"), np.full(len(z), code), z
    )
    assert_allclose(value, -np.exp(gamma * log_q) * log_p, rtol=1e-5, atol=1e-6)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("gamma", [0.0, 0.3, 2.0])
@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([[1], [0], [1], [0]], [[0.0], [1.0], [1.0], [0.0]]),
        (np.eye(3), [[0, 1, 0], [0, 1, 0], [1, 0, 0]]),
    ],
)
def test_probabilities_of_exactly_0_and_1_cost_what_the_clipped_ones_do(y, p, gamma):
    y, p = np.array(y), np.array(p, "float32")
    right = ((y == 1) & (p == 1)).any(axis=1) | ((y == 0) & (p == 0)).all(axis=1)
    loss = Focal(gamma=gamma, from_logits=False, reduction="none")
    value, gradient = value_and_gradient(loss, y, p)
    assert_allclose(value, np.where(right, 0.0, -np.log(1e-7)), rtol=0.02, atol=1e-5)
    assert np.isfinite(gradient).all()


@every_problem
def test_probabilities_give_the_loss_of_their_logits(name):
    target, y, z, Y = PROBLEMS[name]
    p = ops.sigmoid(z) if name.startswith(SIGMOIDS) else ops.softmax(z)
    loss = Focal(target=target, from_logits=False, dtype="float64")
    assert_allclose(loss(y, p), terms(name, Y, z).mean(), rtol=1e-9)


@every_problem
@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_weighted_row_is_the_row_repeated(name, reduction):
    target, y, z, _ = PROBLEMS[name]
    weight = np.arange(len(z)) % 4
    repeated = np.repeat(np.arange(len(z)), weight)
    loss = Focal(target=target, reduction=reduction, dtype="float64")
    value, gradient = value_and_gradient(loss, y, z, weight)
    expected, pieces = value_and_gradient(loss, y[repeated], z[repeated])
    summed = np.zeros_like(z)
    np.add.at(summed, repeated, pieces)
    assert_allclose(value, expected, rtol=1e-12)
    assert_allclose(gradient, summed, rtol=1e-9, atol=1e-15)


def test_label_weights_multiply_the_term_of_their_label():
    target, Y, z, _ = PROBLEMS["multilabel"]
    W = np.random.default_rng(1).uniform(0, 3, Y.shape)
    loss = Focal(alpha=[0.5, 2.0], target=target, dtype="float64")
    expected = (W * terms("multilabel", Y, z, alpha=[0.5, 2.0])).mean()
    assert_allclose(loss(Y, z, W), expected, rtol=1e-10)


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name.startswith(("mask", "segm"))])
def test_pixel_weights_multiply_the_term_of_their_pixel(name):
    target, y, z, Y = PROBLEMS[name]
    W = np.random.default_rng(1).uniform(0, 3, z.shape[:3])
    expected = (W * terms(name, Y, z).reshape(W.shape)).mean()
    assert_allclose(Focal(target=target, dtype="float64")(y, z, W), expected, rtol=1e-10)


@every_problem
def test_order_of_the_rows_does_not_matter(name):
    target, y, z, _ = PROBLEMS[name]
    order, weight = np.random.default_rng(2).permutation(len(z)), np.linspace(0.1, 2.0, len(z))
    loss = Focal(target=target, dtype="float64")
    assert_allclose(loss(y, z, weight), loss(y[order], z[order], weight[order]), rtol=1e-12)


@sigmoid_problems
def test_batch_without_positives_has_the_mean_of_the_negative_terms(name):
    target, y, z, _ = PROBLEMS[name]
    loss = Focal(gamma=2.0, alpha=0.25, target=target, dtype="float64")
    value, gradient = value_and_gradient(loss, np.zeros_like(y), z)
    p = 1 / (1 + np.exp(-z))
    assert_allclose(value, 0.75 * (-(p**2) * np.log(1 - p)).mean(), rtol=1e-10)
    assert (gradient > 0).all()


@sigmoid_problems
@pytest.mark.parametrize(("gamma", "alpha"), [(0.5, None), (2.0, 0.25), (3.0, 0.9)])
def test_agrees_with_the_binary_focal_crossentropy_of_keras(name, gamma, alpha):
    target, _, z, Y = PROBLEMS[name]
    balancing = {} if alpha is None else {"alpha": alpha, "apply_class_balancing": True}
    expected = keras.losses.BinaryFocalCrossentropy(
        gamma=gamma, from_logits=True, dtype="float64", **balancing
    )(Y, z)
    loss = Focal(gamma=gamma, alpha=alpha, target=target, dtype="float64")
    assert_allclose(loss(Y, z), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["multiclass one-hot", "segments one-hot"])
@pytest.mark.parametrize("alpha", [0.25, 2.0, [0.2, 0.3, 0.5]])
def test_agrees_with_the_categorical_focal_crossentropy_of_keras(name, alpha):
    target, _, z, Y = PROBLEMS[name]
    expected = keras.losses.CategoricalFocalCrossentropy(
        alpha=alpha, gamma=1.5, from_logits=True, dtype="float64"
    )(Y, z)
    loss = Focal(gamma=1.5, alpha=alpha, target=target, dtype="float64")
    assert_allclose(loss(Y, z), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("target", "y_shape", "z_shape"),
    [
        ("auto", (5,), (4, 1)),
        ("auto", (1,), (4, 1)),
        ("auto", (4, 2), (4, 1)),
        ("auto", (4, 2), (4, 3)),
        ("multilabel", (4,), (4, 3)),
        ("pixels", (2, 4, 4), (2, 3, 3, 1)),
    ],
)
def test_shapes_that_do_not_fit_raise(target, y_shape, z_shape):
    with pytest.raises(ValueError, match="Focal got y_true of shape"):
        Focal(target=target)(np.zeros(y_shape), np.zeros(z_shape))


@pytest.mark.parametrize(
    "params",
    [
        *({"gamma": value} for value in (-0.5, np.nan, np.inf, None, "2", [1.0, 2.0])),
        *({"alpha": value} for value in (-0.5, np.nan, [1.0, -1.0], [1.0, [2.0]], "balance")),
        *({"class_counts": value} for value in ([3, -1], [np.nan, 1.0], "many")),
        {"target": "classes"},
    ],
    ids=str,
)
def test_invalid_hyperparameters_raise_with_their_name(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        Focal(**params)


@pytest.mark.parametrize("target", ["auto", "binary", "multilabel", "pixels"])
def test_number_alpha_that_makes_the_weight_of_negatives_negative_raises(target):
    y, z = np.zeros((2, 1)), np.zeros((2, 1))
    y, z = (y[..., None], z[..., None]) if target == "pixels" else (y, z)
    with pytest.raises(ValueError, match=r"alpha=1\.5 .* 1 - alpha"):
        Focal(alpha=1.5, target=target)(y, z)


@pytest.mark.parametrize("target", ["binary", "multilabel"])
def test_number_alpha_above_one_raises_at_once_where_the_target_is_known(target):
    with pytest.raises(ValueError, match=r"alpha=1\.5 .* 1 - alpha"):
        Focal(alpha=1.5, target=target)


@pytest.mark.parametrize(
    ("name", "alpha"),
    [
        ("binary (n,)", [1.0, 2.0, 3.0]),
        ("binary (n,)", np.ones((2, 3))),
        ("multilabel", np.ones(3)),
        ("multilabel", np.ones((3, 2))),
        ("multiclass (n,)", [1.0, 2.0]),
        ("multiclass (n,)", np.ones((6, 3))),
    ],
)
def test_alpha_of_another_shape_raises(name, alpha):
    target, y, z, _ = PROBLEMS[name]
    with pytest.raises(ValueError, match="alpha has the shape"):
        Focal(alpha=alpha, target=target)(y, z)


LABEL_ALPHA = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
BALANCED = 10 / (3 * np.array([6, 3, 1]))


@pytest.mark.parametrize(
    ("name", "params", "alpha"),
    [
        ("multilabel", {"alpha": LABEL_ALPHA}, LABEL_ALPHA),
        ("multiclass (n,)", {"alpha": "balanced", "class_counts": np.array([6, 3, 1])}, BALANCED),
        ("multiclass (n,)", {"gamma": 0.5}, None),
    ],
)
def test_saved_model_comes_back_with_the_same_loss(name, params, alpha, tmp_path):
    target, y, z, Y = PROBLEMS[name]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(loss=Focal(target=target, **params))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    logits = z @ model.layers[0].get_weights()[0]
    expected = terms(name, Y, logits, params.get("gamma", 2.0), alpha).mean()
    assert loaded.loss.get_config() == model.loss.get_config()
    assert_allclose(loaded.evaluate(z, y, verbose=0), expected, rtol=1e-5)
