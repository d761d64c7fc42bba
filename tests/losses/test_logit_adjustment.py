"""Losses with shifted or scaled logits against the formulas of their papers."""

import numpy as np
import pytest
from loss_cases import EXTREMES, PROBLEMS, finite_differences, one_hot, value_and_gradient
from numpy.testing import assert_allclose

from skimb.losses import LDAM, LogitAdjusted, VectorScaling

COUNTS = np.array([70, 20, 3])
PARAMS = [
    (LogitAdjusted, {}),
    (LogitAdjusted, {"tau": 0.0}),
    (LogitAdjusted, {"tau": 2.5}),
    (LogitAdjusted, {"tau": -1.0}),
    (VectorScaling, {}),
    (VectorScaling, {"gamma": 0.0, "tau": 1.5}),
    (VectorScaling, {"gamma": 0.5, "tau": 0.0}),
    (VectorScaling, {"gamma": 2.0, "tau": -1.0}),
    (LDAM, {}),
    (LDAM, {"max_margin": 0.0}),
    (LDAM, {"max_margin": 2.0, "scale": 1.0}),
    (LDAM, {"scale": 0.5}),
]
LDAM_PARAMS = {"max_margin": 0.6, "scale": 10 * np.log(2), "class_counts": [81, 16, 1]}
each_param = pytest.mark.parametrize(
    ("Loss", "params"), PARAMS, ids=lambda v: getattr(v, "__name__", str(v))
)
each_loss = pytest.mark.parametrize("Loss", [LogitAdjusted, VectorScaling, LDAM])
class_problems = pytest.mark.parametrize("name", [n for n in PROBLEMS if "class" in n])
binary_problems = pytest.mark.parametrize("name", [n for n in PROBLEMS if n.startswith("binary")])


def logit_adjusted(Y, z, n, tau=1.0):
    """Menon et al.: log(1 + sum over the others of (pi_k / pi_y)^tau e^(f_k - f_y))."""
    y, prior = Y.argmax(axis=1), n / n.sum()
    ratio = (prior / prior[y, None]) ** tau
    return np.log((ratio * np.exp(z - (Y * z).sum(axis=1, keepdims=True))).sum(axis=1))


def vector_scaling(Y, z, n, gamma=0.15, tau=1.0):
    """Kini et al., unweighted: iota = tau log pi, Delta = (n / n_max)^gamma."""
    y, iota, scaled = Y.argmax(axis=1), tau * np.log(n / n.sum()), (n / n.max()) ** gamma * z
    exponents = (iota - iota[y, None]) + (scaled - (Y * scaled).sum(axis=1, keepdims=True))
    return np.log(np.exp(exponents).sum(axis=1))


def ldam(Y, z, n, max_margin=0.5, scale=30.0):
    """Cao et al., of logits times s, with C set by the widest of the margins C / n^(1/4)."""
    C = max_margin * n.min() ** 0.25
    shifted = scale * ((Y * z).sum(axis=1) - (Y @ (C / n**0.25)))
    others = ((1 - Y) * np.exp(scale * z)).sum(axis=1)
    return -np.log(np.exp(shifted) / (np.exp(shifted) + others))


FORMULAS = {LogitAdjusted: logit_adjusted, VectorScaling: vector_scaling, LDAM: ldam}


@pytest.mark.parametrize(
    ("Loss", "params", "z", "y", "expected"),
    [
        (LogitAdjusted, {"tau": 0.0}, np.log([1.0, 2.0, 5.0]), 1, 1.3862944),
        (LogitAdjusted, {}, np.log([1.0, 2.0, 5.0]), 1, 1.2878543),  # e^z n = 16, 8, 5
        (LogitAdjusted, {"tau": 0.5}, np.log([1.0, 2.0, 5.0]), 2, 0.9555114),  # 4, 4, 5
        (LogitAdjusted, {"tau": -1.0}, np.log([1.0, 2.0, 5.0]), 1, 2.4091948),  # 1/16, 1/2, 5
        (LogitAdjusted, {"class_counts": [9, 1]}, np.log([3.0]), 1, 1.3862944),
        (LogitAdjusted, {"class_counts": [9, 1]}, np.log([3.0]), 0, 0.2876821),
        # the scales are 1, 1/2, 1/4: e^(scale z) = 2, 3, 2, and n times that 32, 12, 2
        (VectorScaling, {"gamma": 0.5, "tau": 0.0}, np.log([2.0, 9.0, 16.0]), 1, 0.8472979),
        (VectorScaling, {"gamma": 0.5}, np.log([2.0, 9.0, 16.0]), 1, 1.3437347),
        (VectorScaling, {"gamma": 0.5}, np.log([2.0, 9.0, 16.0]), 2, 3.1354942),
        # the margins are 0.2, 0.3, 0.6, so every true class falls to 0: 2^(10 z) = 4, 8, 64 to 1
        (LDAM, LDAM_PARAMS, [0.2, 0.3, 0.6], 0, 4.2904594),
        (LDAM, LDAM_PARAMS, [0.2, 0.3, 0.6], 1, 4.2341065),
        (LDAM, LDAM_PARAMS, [0.2, 0.3, 0.6], 2, 2.5649494),
        (LDAM, {"class_counts": [16, 1]}, [0.3, 0.3], 0, 7.5005529),  # margins 1/4, 1/2, times 30
        (LDAM, {"class_counts": [16, 1]}, [0.3, 0.3], 1, 15.0000003),
    ],
)
def test_hand_computed_value(Loss, params, z, y, expected):
    loss = Loss(**{"class_counts": [16, 4, 1], **params})
    assert_allclose(loss(np.array([y]), np.array([z])), expected, rtol=1e-6)


@each_param
@class_problems
def test_each_row_agrees_with_the_formula(name, Loss, params):
    target, y, z, Y = PROBLEMS[name]
    z = np.tanh(z) if Loss is LDAM else z
    loss = Loss(target=target, class_counts=COUNTS, reduction=None, dtype="float64", **params)
    assert_allclose(loss(y, z), FORMULAS[Loss](Y, z, COUNTS, **params), rtol=1e-10, atol=1e-12)


@each_param
@class_problems
def test_gradient_agrees_with_finite_differences_of_the_formula(name, Loss, params):
    target, y, z, Y = PROBLEMS[name]
    z, weight = np.tanh(z) if Loss is LDAM else z, np.linspace(0.5, 2.0, len(z))
    expected = finite_differences(
        lambda z: np.mean(weight * FORMULAS[Loss](Y, z, COUNTS, **params)), z
    )
    loss = Loss(target=target, class_counts=COUNTS, dtype="float64", **params)
    _, gradient = value_and_gradient(loss, y, z, weight)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@binary_problems
@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 3.0, -1.0])
def test_one_logit_is_that_of_the_positive_class_against_zero(name, tau):
    target, y, z, Y = PROBLEMS[name]
    counts, classes = np.array([30, 4]), np.hstack([1 - Y, Y])

    def formula(z):
        logits = np.column_stack([np.zeros(len(z)), z])
        return logit_adjusted(classes, logits, counts, tau)

    loss = LogitAdjusted(
        tau=tau, class_counts=counts, target=target, reduction="none", dtype="float64"
    )
    value, gradient = value_and_gradient(loss, y, z)
    assert_allclose(value, formula(z), rtol=1e-10)
    expected = finite_differences(lambda z: formula(z).sum(), z)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@class_problems
def test_tau_one_is_the_balanced_softmax(name):
    target, y, z, Y = PROBLEMS[name]
    phi = COUNTS * np.exp(z) / (COUNTS * np.exp(z)).sum(axis=1, keepdims=True)
    value = LogitAdjusted(class_counts=COUNTS, target=target, dtype="float64")(y, z)
    assert_allclose(value, -np.log((Y * phi).sum(axis=1)).mean(), rtol=1e-12)


@pytest.mark.parametrize(
    ("Loss", "params", "scale"),
    [
        (LogitAdjusted, {"tau": 0.0}, 1.0),
        (VectorScaling, {"gamma": 0.0, "tau": 0.0}, 1.0),
        (LDAM, {"max_margin": 0.0, "scale": 4.0}, 4.0),
    ],
)
def test_without_its_correction_it_is_the_cross_entropy_of_the_scaled_logits(Loss, params, scale):
    _, y, z, Y = PROBLEMS["multiclass (n,)"]
    p = np.exp(scale * z) / np.exp(scale * z).sum(axis=1, keepdims=True)
    value = Loss(class_counts=COUNTS, dtype="float64", **params)(y, z)
    assert_allclose(value, -np.log((Y * p).sum(axis=1)).mean(), rtol=1e-12)


@pytest.mark.parametrize("tau", [0.0, 1.0, 2.0])
def test_vector_scaling_without_scale_is_logit_adjustment(tau):
    _, y, z, _ = PROBLEMS["multiclass (n,)"]
    shared = {"tau": tau, "class_counts": COUNTS, "dtype": "float64"}
    value = VectorScaling(gamma=0.0, **shared)(y, z)
    assert_allclose(value, LogitAdjusted(**shared)(y, z), rtol=1e-13)


@each_loss
@pytest.mark.parametrize("code", [0, 1, 2])
def test_extreme_logits_have_the_exact_value(code, Loss):
    z = np.stack([EXTREMES, np.zeros_like(EXTREMES), -EXTREMES], axis=1)
    exact, prior = z.astype("float64"), COUNTS / COUNTS.sum()
    if Loss is LDAM:
        margins = 0.5 * (COUNTS / COUNTS.min()) ** -0.25
        exact = 30 * (exact - margins * one_hot(code))
    else:
        scale = (COUNTS / COUNTS.max()) ** (0.15 if Loss is VectorScaling else 0.0)
        exact = scale * exact + np.log(prior)
    value, gradient = value_and_gradient(
        Loss(class_counts=COUNTS, reduction="none"), np.full(len(z), code), z
    )
    expected = np.logaddexp.reduce(exact, axis=1) - exact[:, code]
    assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(gradient).all()


def test_probabilities_of_ldam_are_the_softmax_of_the_scaled_cosines():
    _, y, z, Y = PROBLEMS["multiclass (n,)"]
    z = np.tanh(z)
    p = np.exp(4 * z) / np.exp(4 * z).sum(axis=1, keepdims=True)
    loss = LDAM(class_counts=COUNTS, scale=4.0, from_logits=False, dtype="float64")
    assert_allclose(loss(y, p), ldam(Y, z, COUNTS, scale=4.0).mean(), rtol=1e-9)


@pytest.mark.parametrize("Loss", [LogitAdjusted, VectorScaling])
def test_class_without_rows_is_as_good_as_not_there(Loss):
    _, _, z, _ = PROBLEMS["multiclass (n,)"]
    y = np.array([0, 2, 2, 0, 0, 2])
    z = np.column_stack([z[:, 0], np.zeros(len(z)), z[:, 2]])
    present = Loss(class_counts=[9, 2], dtype="float64")(y // 2, z[:, [0, 2]])
    assert_allclose(Loss(class_counts=[9, 0, 2], dtype="float64")(y, z), present, rtol=1e-4)


def test_class_without_rows_has_the_margin_of_the_rarest():
    _, y, z, _ = PROBLEMS["multiclass (n,)"]
    with_one_more = LDAM(class_counts=[9, 0, 2], dtype="float64")(y, z)
    assert_allclose(with_one_more, LDAM(class_counts=[9, 2, 2], dtype="float64")(y, z), rtol=1e-12)


@each_loss
@pytest.mark.parametrize("code", [0, 1])
def test_class_without_rows_has_a_finite_loss_and_gradient(code, Loss):
    z = np.stack([EXTREMES, -EXTREMES], axis=1)
    loss = Loss(class_counts=[8, 0], reduction="none")
    value, gradient = value_and_gradient(loss, np.full(len(z), code), z)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()


def test_rare_class_of_very_many_rows_keeps_its_own_prior():
    loss = LogitAdjusted(class_counts=[10**9, 10])
    assert_allclose(loss(np.array([1]), np.zeros((1, 1))), np.log(1e8 + 1), rtol=1e-6)


@each_loss
def test_counts_of_nothing_raise(Loss):
    with pytest.raises(ValueError, match="class_counts="):
        Loss(class_counts=[0, 0])(np.array([1]), np.zeros((1, 2)))


@each_loss
def test_missing_class_counts_raise(Loss):
    with pytest.raises(ValueError, match=f"{Loss.__name__} needs class_counts"):
        Loss()(np.array([1]), np.zeros((1, 2)))


@each_loss
@pytest.mark.parametrize("counts", [5, [5], [5, 2], [5, 2, 3, 4], [[5, 2, 3], [3, 4, 5]]])
def test_class_counts_of_another_number_of_classes_raise(counts, Loss):
    with pytest.raises(ValueError, match=r"class_counts has the shape .* 3 classes"):
        Loss(class_counts=counts)(np.array([1]), np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("Loss", "params"),
    [
        *((Loss, {"tau": v}) for Loss in (LogitAdjusted, VectorScaling) for v in (np.inf, None)),
        *((VectorScaling, {"gamma": value}) for value in (-0.1, np.nan, "2")),
        *((LDAM, {"max_margin": value}) for value in (-0.1, np.inf, None)),
        *((LDAM, {"scale": value}) for value in (0.0, -1.0, np.nan, True)),
        *((LDAM, {"class_counts": value}) for value in ([3, -1], [np.nan, 1.0], "many")),
        *((LogitAdjusted, {"target": value}) for value in ("multilabel", "pixels")),
        *((Loss, {"target": "binary"}) for Loss in (VectorScaling, LDAM)),
    ],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_invalid_hyperparameters_raise_with_their_name(Loss, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        Loss(**params)
