"""Losses of label sets, balanced for their frequencies or asking for any, against the papers."""

import numpy as np
import pytest
from loss_cases import EXTREMES, PROBLEMS, finite_differences, rows, value_and_gradient
from numpy.testing import assert_allclose, assert_array_equal

from skimb import losses
from skimb.losses import DistributionBalanced, PartialLabel

COUNTS = np.array([[60, 97, 20], [40, 3, 80]])
LOGITS = PROBLEMS["multilabel"][2]
SETS = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 1], [1, 0, 0]])
UNWEIGHTED = {"alpha": 0.5, "beta": 0.0, "kappa": 0.0}
DB_PARAMS = [
    {},
    {"gamma": 0.0},
    {"gamma": 0.5, "kappa": 0.0},
    {"scale": 1.0, "kappa": 1.0},
    {"scale": 0.3, "alpha": 0.0},
    {"scale": 3.0, "beta": 0.0},
    {"alpha": 2.0, "beta": 3.0, "mu": 0.9},
]
both_variants = pytest.mark.parametrize("variant", ["sum", "max"])


def distribution_balanced(
    Y, z, counts, alpha=0.1, beta=10.0, mu=0.2, scale=2.0, kappa=0.05, gamma=2.0
):
    """Wu et al., with the focal factor: a term a label."""
    n, N = counts[1], counts.sum(axis=0)[0]
    r = (1 / n) / (Y / n).sum(axis=1, keepdims=True)
    weight = alpha + 1 / (1 + np.exp(-beta * (r - mu)))
    prior_bias = -np.log(N / n - 1)
    nu = -kappa * prior_bias
    q = 1 / (1 + np.exp(-(z - nu)))
    q_scaled = 1 / (1 + np.exp(-scale * (z - nu)))
    positive = -((1 - q) ** gamma) * np.log(q)
    negative = -(q_scaled**gamma) * np.log(1 - q_scaled) / scale
    return weight * np.where(Y == 1, positive, negative)


def partial_label(S, z, variant):
    """-log of the probability of the set, or of its best class with the set's others left out."""
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    right = (S * p).sum(axis=1) if variant == "sum" else (S * p).max(axis=1)
    return -np.log(right / (right + ((1 - S) * p).sum(axis=1)))


@pytest.mark.parametrize(
    ("y", "z", "params", "expected"),
    [
        # the biases, -log 4 and log 4, make up for the logits; r = 1 and 1/4, so the weights are
        # 0.1 + sigmoid(8) and 0.1 + sigmoid(0.5), times log(2) / 4 and log(2) / 8
        ([1, 0], [4.0, 0.25], {"kappa": 1.0}, 0.1265768),
        ([1, 1], [4.0, 0.25], {"kappa": 1.0}, 0.1470796),  # 0.1 + sigmoid(6), 0.1 + sigmoid(0)
        ([0, 0], [4.0, 0.25], {"kappa": 1.0}, 0.0953077),  # no label to compare with: 0.1 + 1
        # weights of 1, log(4/3) for the positive, log(1 + 3^2) / 2 for the negative
        ([1, 0], [3.0, 3.0], {**UNWEIGHTED, "gamma": 0.0}, 0.7194873),
        ([1, 0], [3.0, 3.0], {**UNWEIGHTED, "gamma": 1.0}, 0.5540419),
    ],
)
def test_hand_computed_value_of_balanced_distributions(y, z, params, expected):
    loss = DistributionBalanced(class_counts=[[80, 20], [20, 80]], **params)
    assert_allclose(loss(np.array([y]), np.log([z])), expected, rtol=1e-5)


@pytest.mark.parametrize("params", DB_PARAMS, ids=str)
@pytest.mark.parametrize("target", ["auto", "multilabel"])
@pytest.mark.parametrize("dtype", ["int64", "float64", "bool"])
def test_each_row_of_balanced_distributions_agrees_with_the_formula(dtype, target, params):
    loss = DistributionBalanced(
        class_counts=COUNTS, target=target, reduction=None, dtype="float64", **params
    )
    expected = rows(distribution_balanced(SETS, LOGITS, COUNTS, **params))
    assert_allclose(loss(SETS.astype(dtype), LOGITS), expected, rtol=1e-10)


@pytest.mark.parametrize("params", DB_PARAMS, ids=str)
def test_gradient_of_balanced_distributions_agrees_with_finite_differences(params):
    weight = np.linspace(0.5, 2.0, len(SETS))
    loss = DistributionBalanced(class_counts=COUNTS, dtype="float64", **params)
    expected = finite_differences(
        lambda z: np.mean(weight * rows(distribution_balanced(SETS, z, COUNTS, **params))), LOGITS
    )
    _, gradient = value_and_gradient(loss, SETS, LOGITS, weight)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


def test_without_corrections_balanced_distributions_are_binary_cross_entropy():
    loss = DistributionBalanced(
        scale=1.0, gamma=0.0, class_counts=COUNTS, dtype="float64", **UNWEIGHTED
    )
    expected = np.logaddexp(0, np.where(SETS == 1, -1, 1) * LOGITS).mean()
    assert_allclose(loss(SETS, LOGITS), expected, rtol=1e-12)


def test_row_without_labels_weighs_as_the_others_where_the_ratios_do_not_count():
    loss = DistributionBalanced(class_counts=[[1, 5], [9, 5]], **UNWEIGHTED)
    assert_allclose(loss(np.zeros((1, 2)), np.zeros((1, 2))), np.log(2) / 8, rtol=1e-6)


@pytest.mark.parametrize("n_positive", [0, 100])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_label_that_all_rows_or_none_have_is_finite(gamma, n_positive):
    counts = np.array([[50, 50, 100 - n_positive], [50, 50, n_positive]])
    Y = np.vstack([SETS, 1 - SETS, np.zeros((1, 3))])
    loss = DistributionBalanced(gamma=gamma, class_counts=counts, reduction="none")
    for z in EXTREMES:
        value, gradient = value_and_gradient(loss, Y, np.full(Y.shape, z))
        assert np.isfinite(value).all()
        assert np.isfinite(gradient).all()


def test_label_without_rows_leaves_the_terms_of_the_others():
    Y, only_two = SETS * [1, 1, 0], np.broadcast_to([1.0, 1.0, 0.0], SETS.shape)
    loss = DistributionBalanced(class_counts=[[60, 97, 100], [40, 3, 0]], dtype="float64")
    expected = DistributionBalanced(class_counts=[[60, 97], [40, 3]], dtype="float64")
    value = loss(Y, LOGITS, only_two) * 3
    assert_allclose(value, expected(Y[:, :2], LOGITS[:, :2]) * 2, rtol=1e-12)


@pytest.mark.parametrize("y", [0, 1])
def test_extreme_logits_of_balanced_distributions_have_the_exact_value(y):
    z = np.repeat(EXTREMES[:, None], 3, axis=1)
    loss = DistributionBalanced(class_counts=np.full((2, 3), 50), reduction="none")
    value, _ = value_and_gradient(loss, np.full(z.shape, y), z)
    x = z[:, 0].astype("float64") * (1 if y else -2)
    focal = np.exp(-2 * np.logaddexp(0, x)) * np.logaddexp(0, -x)
    weight = 0.1 + (1 / (1 + np.exp(-10 * (1 / 3 - 0.2))) if y else 1.0)
    assert_allclose(value, weight * focal / (1 if y else 2), rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize(
    ("S", "of_set", "of_best"),
    [
        ([1, 0, 0], 2.0794415, 2.0794415),
        ([1, 1, 0], 0.9808293, 1.2527630),  # 3/8 and 2/7
        ([0, 1, 1], 0.1335314, 0.1823216),  # 7/8 and 5/6
        ([1, 1, 1], 0.0, 0.0),
        ([0, 0, 0], 0.0, 0.0),
    ],
)
def test_hand_computed_value_of_candidates(S, of_set, of_best):
    for variant, expected in (("sum", of_set), ("max", of_best)):
        value = PartialLabel(variant=variant)(np.array([S]), np.log([[1.0, 2.0, 5.0]]))
        assert_allclose(value, expected, rtol=1e-6, atol=1e-7)


@both_variants
@pytest.mark.parametrize("dtype", ["int64", "float64", "bool"])
@pytest.mark.parametrize("target", ["auto", "candidates"])
def test_each_row_of_candidates_agrees_with_the_formula(target, dtype, variant):
    loss = PartialLabel(variant=variant, target=target, reduction=None, dtype="float64")
    expected = partial_label(SETS, LOGITS, variant)
    assert_allclose(loss(SETS.astype(dtype), LOGITS), expected, rtol=1e-10, atol=1e-14)


@both_variants
def test_gradient_of_candidates_agrees_with_finite_differences(variant):
    weight = np.linspace(0.5, 2.0, len(SETS))
    expected = finite_differences(
        lambda z: np.mean(weight * partial_label(SETS, z, variant)), LOGITS
    )
    loss = PartialLabel(variant=variant, dtype="float64")
    _, gradient = value_and_gradient(loss, SETS, LOGITS, weight)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@both_variants
@pytest.mark.parametrize("name", [n for n in PROBLEMS if n.startswith("multiclass")])
def test_one_candidate_is_cross_entropy(name, variant):
    _, y, z, Y = PROBLEMS[name]
    loss = PartialLabel(variant=variant, reduction=None, dtype="float64")
    expected = np.logaddexp.reduce(z, axis=1) - (Y * z).sum(axis=1)
    assert_allclose(loss(y, z), expected, rtol=1e-10)


def test_max_moves_the_best_candidate_and_leaves_the_others_out():
    z = np.array([[1.0, 3.0, 2.0, -1.0]])
    loss = PartialLabel(variant="max", dtype="float64")
    value, gradient = value_and_gradient(loss, np.array([[1, 0, 1, 0]]), z)
    p = np.exp([3.0, 2.0, -1.0]) / np.exp([3.0, 2.0, -1.0]).sum()
    assert_allclose(value, -np.log(p[1]), rtol=1e-12)
    assert_allclose(gradient, [[0.0, p[0], p[1] - 1, p[2]]], rtol=1e-12)
    assert gradient[0, 0] == 0.0


@both_variants
def test_row_without_candidates_costs_nothing_and_moves_nothing(variant):
    S = np.array([[0, 0, 0], [1, 1, 0]])
    loss = PartialLabel(variant=variant, reduction="none")
    value, gradient = value_and_gradient(loss, S, LOGITS[:2])
    assert value[0] == 0.0
    assert_array_equal(gradient[0], 0.0)


@both_variants
@pytest.mark.parametrize("S", [*np.eye(3), [1, 1, 0], [0, 1, 1]])
def test_extreme_logits_of_candidates_have_the_exact_value(S, variant):
    z = np.stack([EXTREMES, np.zeros_like(EXTREMES), -EXTREMES], axis=1)
    S, exact = np.array(S), z.astype("float64")
    right = {"sum": np.logaddexp, "max": np.maximum}[variant].reduce(exact[:, S == 1], axis=1)
    wrong = np.logaddexp.reduce(exact[:, S == 0], axis=1)
    loss = PartialLabel(variant=variant, reduction="none")
    value, gradient = value_and_gradient(loss, np.tile(S, (len(z), 1)), z)
    assert_allclose(value, np.logaddexp(0, wrong - right), rtol=1e-5, atol=1e-6)
    assert np.isfinite(gradient).all()


@both_variants
@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_common_offset_of_the_logits_changes_nothing(offset, variant):
    z = np.round(LOGITS).astype("float32")
    loss = PartialLabel(variant=variant, reduction="none")
    expected = partial_label(SETS, z.astype("float64"), variant)
    assert_allclose(loss(SETS, z + np.float32(offset)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("counts", [None, 5, [5, 2, 3], np.ones((2, 2)), np.ones((3, 3))])
def test_class_counts_that_are_missing_or_of_another_shape_raise(counts):
    with pytest.raises(ValueError, match="class_counts"):
        DistributionBalanced(class_counts=counts)(SETS, LOGITS)


@pytest.mark.parametrize(
    ("Loss", "params"),
    [
        *(
            (DistributionBalanced, {name: value})
            for name in ("alpha", "beta", "mu", "scale", "kappa", "gamma")
            for value in (-0.1, np.nan, None)
        ),
        (DistributionBalanced, {"scale": 0.0}),
        (DistributionBalanced, {"class_counts": [[1, -1], [1, 1]]}),
        *((DistributionBalanced, {"target": value}) for value in ("binary", "multiclass")),
        *((PartialLabel, {"variant": value}) for value in ("mean", None, "Sum")),
        *((PartialLabel, {"target": value}) for value in ("multiclass", "multilabel")),
    ],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_invalid_hyperparameters_raise_with_their_name(Loss, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        Loss(**params)


@pytest.mark.parametrize("code", [-1, 3, 255])
def test_a_class_that_no_output_stands_for_has_no_finite_loss(code):
    z = np.zeros((2, 3), "float32")
    for name in ("cross_entropy", "focal"):
        assert np.isnan(float(losses.get(name)(np.array([0, code]), z)))
