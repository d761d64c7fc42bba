"""Asymmetric loss against the paper's formula, finite differences, focal and cross-entropy."""

import keras
import numpy as np
import pytest
from loss_cases import EXTREMES, PROBLEMS, finite_differences, rows, value_and_gradient
from numpy.testing import assert_allclose, assert_array_equal

from skimb.losses import Asymmetric

every_problem = pytest.mark.parametrize(
    "name", [n for n in PROBLEMS if n.startswith(("binary", "multilabel"))]
)
PARAMS = [
    {},
    {"gamma_pos": 0.0, "gamma_neg": 0.0},
    {"gamma_pos": 0.3, "gamma_neg": 0.5},
    {"gamma_pos": 2.0, "gamma_neg": 1.0, "margin": 0.0},
    {"gamma_pos": 0.0, "gamma_neg": 0.7, "margin": 0.3},
    {"gamma_pos": 5.0, "gamma_neg": 6.0, "margin": 0.9},
]


def terms(Y, z, gamma_pos=1.0, gamma_neg=4.0, margin=0.05):
    """The paper's L+ = (1 - p)^gamma+ log p and L- = p_m^gamma- log(1 - p_m), for every label."""
    p = 1 / (1 + np.exp(-np.reshape(z, Y.shape)))
    p_m = np.maximum(p - margin, 0)
    positive, negative = (1 - p) ** gamma_pos * np.log(p), p_m**gamma_neg * np.log(1 - p_m)
    return -Y * positive - (1 - Y) * negative


@pytest.mark.parametrize(
    ("y", "params", "expected"),
    [
        (1, {}, 0.0719205),  # 1/4 log 4/3
        (0, {}, 0.2890739),  # 0.7^4 log 1/0.3
        (1, {"gamma_pos": 0.0}, 0.2876821),
        (1, {"gamma_pos": 0.5}, 0.1438410),
        (1, {"gamma_neg": 0.0, "margin": 0.5}, 0.0719205),
        (0, {"gamma_neg": 1.0, "margin": 0.25}, 0.3465736),  # 1/2 log 2
        (0, {"gamma_neg": 2.0, "margin": 0.0}, 0.7797906),  # 9/16 log 4
        (0, {"gamma_neg": 0.0, "margin": 0.0}, 1.3862944),
        (0, {"margin": 0.76}, 0.0),
    ],
)
def test_hand_computed_value_at_a_probability_of_three_quarters(y, params, expected):
    assert_allclose(Asymmetric(**params)(np.array([y]), np.log([[3.0]])), expected, rtol=1e-5)


def test_hand_computed_value_of_two_labels():
    loss = Asymmetric(target="multilabel")
    assert_allclose(loss(np.array([[1, 0]]), np.log([[3.0, 3.0]])), 0.1804972, rtol=1e-6)


@every_problem
@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_each_row_agrees_with_the_formula(name, params):
    target, y, z, Y = PROBLEMS[name]
    loss = Asymmetric(target=target, reduction=None, dtype="float64", **params)
    assert_allclose(loss(y, z), rows(terms(Y, z, **params)), rtol=1e-10)


@every_problem
@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_gradient_agrees_with_finite_differences_of_the_formula(name, params):
    target, y, z, Y = PROBLEMS[name]
    weight = np.linspace(0.5, 2.0, len(z))
    expected = finite_differences(lambda z: np.mean(weight * rows(terms(Y, z, **params))), z)
    loss = Asymmetric(target=target, dtype="float64", **params)
    _, gradient = value_and_gradient(loss, y, z, weight)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


def test_several_columns_are_labels_without_being_named():
    _, Y, z, _ = PROBLEMS["multilabel"]
    assert_allclose(Asymmetric(dtype="float64")(Y, z), terms(Y, z).mean(), rtol=1e-10)


@every_problem
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_equal_exponents_without_margin_are_the_focal_loss(name, gamma):
    target, y, z, Y = PROBLEMS[name]
    p = 1 / (1 + np.exp(-np.reshape(z, Y.shape)))
    p_t = np.where(Y == 1, p, 1 - p)
    params = {"gamma_pos": gamma, "gamma_neg": gamma, "margin": 0.0}
    value = Asymmetric(target=target, dtype="float64", **params)(y, z)
    keras_focal = keras.losses.BinaryFocalCrossentropy(
        gamma=gamma, from_logits=True, dtype="float64"
    )
    assert_allclose(value, (-((1 - p_t) ** gamma) * np.log(p_t)).mean(), rtol=1e-10)
    assert_allclose(value, keras_focal(Y, np.reshape(z, Y.shape)), rtol=1e-6)


@pytest.mark.parametrize("gamma_neg", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("margin", [0.05, 0.5, 0.9])
def test_negative_up_to_the_margin_costs_nothing_and_moves_nothing(margin, gamma_neg):
    z = np.log(margin / (1 - margin)) - np.array([[1e-3], [0.5], [20.0], [90.0], [1e4]])
    z = z.astype("float32")
    loss = Asymmetric(gamma_neg=gamma_neg, margin=margin, reduction="none")
    value, gradient = value_and_gradient(loss, np.zeros(len(z)), z)
    assert_array_equal(value, 0.0)
    assert_array_equal(gradient, 0.0)
    _, gradient = value_and_gradient(loss, np.ones(len(z)), z)
    assert (gradient < 0).all()


@pytest.mark.parametrize("gamma_neg", [0.0, 0.5, 1.0])
def test_negative_at_the_margin_itself_costs_nothing_and_moves_nothing(gamma_neg):
    loss = Asymmetric(gamma_neg=gamma_neg, margin=0.5)
    value, gradient = value_and_gradient(loss, np.array([0]), np.zeros((1, 1)))
    assert (value, gradient) == (0.0, 0.0)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize(("y", "margin"), [(1, 0.05), (0, 0.0)])
def test_extreme_logits_have_the_exact_value_and_gradient_of_focal(y, margin, gamma):
    z = np.append(EXTREMES, np.float32([-88.0, -103.0, 88.0, 103.0]))[:, None]
    sign = 1 if y else -1
    log_p, log_q = -np.logaddexp(0, [-sign * z, sign * z], dtype="float64")
    derivative = np.exp(gamma * log_q) * (gamma * np.exp(log_p) * log_p - np.exp(log_q))
    loss = Asymmetric(gamma_pos=gamma, gamma_neg=gamma, margin=margin, reduction="none")
    value, gradient = value_and_gradient(loss, np.full(len(z), y), z)
    assert_allclose(value, (-np.exp(gamma * log_q) * log_p)[:, 0], rtol=1e-5, atol=1e-37)
    assert_allclose(gradient, sign * derivative, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("gamma_neg", [0.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("margin", [0.01, 0.05, 0.5])
def test_extreme_logits_of_negatives_have_the_exact_value_and_gradient(margin, gamma_neg):
    z = EXTREMES[EXTREMES > 0][:, None]
    p, q = np.exp(-np.logaddexp(0, [-z, z], dtype="float64"))
    p_m, rest = p - margin, q + margin
    derivative = p * q * p_m**gamma_neg * (1 / rest - gamma_neg * np.log(rest) / p_m)
    loss = Asymmetric(gamma_neg=gamma_neg, margin=margin, reduction="none")
    value, gradient = value_and_gradient(loss, np.zeros(len(z)), z)
    assert_allclose(value, (-(p_m**gamma_neg) * np.log(rest))[:, 0], rtol=1e-5)
    assert_allclose(gradient, derivative, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize(
    "params",
    [
        *({name: v} for name in ("gamma_pos", "gamma_neg") for v in (-0.5, np.nan, np.inf, None)),
        *({"margin": value} for value in (-0.1, 1.1, np.nan, "little", [0.05])),
        {"target": "multiclass"},
        {"target": "pixels"},
    ],
    ids=str,
)
def test_invalid_hyperparameters_raise_with_their_name(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        Asymmetric(**params)
