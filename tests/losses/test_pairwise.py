"""The pairwise loss against a loop over all pairs, and the area under the curve that it bounds."""

import numpy as np
import pytest
from loss_cases import PROBLEMS, finite_differences, value_and_gradient
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from skimb.losses import PairwiseAUC

NAMES = [name for name in PROBLEMS if name.startswith(("binary", "multilabel"))]


def of_pairs(y, z, w, margin):
    """Weighted mean over all pairs of a positive and a negative row, None without any."""
    total = weights = 0.0
    for i in np.flatnonzero(y == 1):
        for j in np.flatnonzero(y == 0):
            total += w[i] * w[j] * max(0.0, margin - (z[i] - z[j])) ** 2
            weights += w[i] * w[j]
    return total / weights if weights > 0 else None


def expected(Y, z, W, margin=1.0):
    z = np.reshape(z, Y.shape)
    labels = [of_pairs(Y[:, k], z[:, k], W[:, k], margin) for k in range(Y.shape[1])]
    return np.mean([label for label in labels if label is not None])


@pytest.mark.parametrize(
    ("y", "z", "params", "value"),
    [
        ([1, 0], [[2.0], [1.5]], {}, 0.25),
        ([1, 0], [[2.0], [1.5]], {"margin": 2.0}, 2.25),
        ([0, 1], [[2.0], [1.5]], {}, 2.25),
        ([1, 0, 0], [[0.0], [0.0], [-3.0]], {}, 0.5),
        ([[1, 0], [0, 1]], [[2.0, 1.0], [1.5, 0.0]], {"target": "multilabel"}, (0.25 + 4) / 2),
    ],
)
def test_hand_computed_value(y, z, params, value):
    assert_allclose(PairwiseAUC(**params)(np.array(y), np.array(z)), value, rtol=1e-6)


@pytest.mark.parametrize("margin", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("weights", ["none", "row", "label"])
@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient_agree_with_a_loop_over_pairs(name, weights, margin):
    target, y, z, Y = PROBLEMS[name]
    W = np.random.default_rng(1).uniform(0.1, 3, Y.shape)
    W = {"none": np.ones_like(W), "row": np.repeat(W[:, :1], W.shape[1], axis=1)}.get(weights, W)
    given = {"none": None, "row": W[:, 0]}.get(weights, W)
    loss = PairwiseAUC(margin=margin, target=target, dtype="float64")
    value, gradient = value_and_gradient(loss, y, z, given)
    assert_allclose(value, expected(Y, z, W, margin), rtol=1e-10)
    numeric = finite_differences(lambda z: expected(Y, z, W, margin), z)
    assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_number_added_to_all_scores_changes_nothing(name):
    target, y, z, _ = PROBLEMS[name]
    loss = PairwiseAUC(target=target, dtype="float64")
    value, gradient = value_and_gradient(loss, y, z)
    shifted, same = value_and_gradient(loss, y, z + 40.0)
    assert_allclose(shifted, value, rtol=1e-10)
    assert_allclose(same, gradient, rtol=1e-10, atol=1e-12)
    assert_allclose(gradient.sum(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("margin", [0.5, 1.0])
def test_pairs_separated_by_the_margin_cost_nothing(margin):
    y, z = np.array([1, 1, 0, 0]), np.array([[margin], [3.0], [0.0], [-2.0]])
    value, gradient = value_and_gradient(PairwiseAUC(margin=margin), y, z)
    assert value == 0
    assert (gradient == 0).all()


def test_loss_is_above_the_share_of_pairs_in_the_wrong_order():
    rng = np.random.default_rng(4)
    for _ in range(20):
        y, z = np.r_[0, 1, rng.integers(0, 2, 18)], rng.normal(0, 0.5, (20, 1))
        assert PairwiseAUC()(y, z) >= 1 - roc_auc_score(y, z[:, 0])


@pytest.mark.parametrize("only", [0, 1])
def test_labels_of_one_value_are_left_out(only):
    _, Y, z, _ = PROBLEMS["multilabel"]
    Y = Y.copy()
    Y[:, 1] = only
    loss = PairwiseAUC(target="multilabel", dtype="float64")
    value, gradient = value_and_gradient(loss, Y, z)
    assert_allclose(value, expected(Y[:, [0, 2]], z[:, [0, 2]], np.ones((6, 2))), rtol=1e-10)
    assert (gradient[:, 1] == 0).all()


@pytest.mark.parametrize("y", [np.zeros(4), np.ones(4), np.array([1, 0, 0, 0])])
def test_batch_without_pairs_has_no_value_and_no_gradient(y):
    weight = np.array([0.0, 1.0, 2.0, 3.0])  # the last batch has a positive, but not its weight
    value, gradient = value_and_gradient(PairwiseAUC(), y, np.zeros((4, 1)), weight)
    assert value == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize("scale", [1e-25, 1e25])  # whose squares float32 does not have
def test_scale_of_the_weights_does_not_matter_in_float32(scale):
    _, y, z, Y = PROBLEMS["binary (n,)"]
    W = np.linspace(0.5, 3.0, 6)
    assert_allclose(PairwiseAUC()(y, z, scale * W), expected(Y, z, W[:, None]), rtol=1e-5)


@pytest.mark.parametrize(
    "params",
    [
        *({"margin": value} for value in (0.0, -1.0, np.nan, np.inf, None, "1", [1.0], True)),
        *({"target": value} for value in ("multiclass", "pixels")),
    ],
    ids=str,
)
def test_invalid_hyperparameters_raise_with_their_name(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        PairwiseAUC(**params)
