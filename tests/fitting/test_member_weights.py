"""How much each setting of a cross-fitted ensemble counts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, log_softmax, softmax

from skimb.data.targets import BinaryTarget, CandidatesTarget, MulticlassTarget, MultilabelTarget
from skimb.fitting.member_weights import pseudo_bma, stacking_weights

N = 400


def two_noisy_settings(rng, n_outputs):
    """Logits that each hold half of what is known, and a third that holds nothing."""
    known = rng.normal(size=(2, N, n_outputs))
    logits = np.stack([*(3 * known), rng.normal(size=(N, n_outputs))], axis=1)
    return known.sum(axis=0), logits


def loss_of_mean(kind, codes, logits, weights):
    z = np.einsum("nsu,s->nu", logits, weights)
    if kind == "binary":
        p = expit(z[:, 0])
        return -np.log(np.where(codes == 1, p, 1 - p))
    if kind == "multilabel":
        p = expit(z)
        return -np.log(np.where(codes == 1, p, 1 - p)).sum(axis=1)
    p = softmax(z, axis=1)
    if kind == "candidates":
        return -np.log((p * codes).sum(axis=1))
    return -np.log(p[np.arange(N), codes])


def problem(kind, seed=0):
    rng = np.random.default_rng(seed)
    truth, logits = two_noisy_settings(rng, {"binary": 1, "multilabel": 2}.get(kind, 3))
    if kind in ("binary", "multilabel"):
        codes = (rng.random(truth.shape) < expit(truth)).astype(int)
        return (codes[:, 0] if kind == "binary" else codes), logits
    labels = np.array([rng.choice(3, p=np.exp(row)) for row in log_softmax(truth, axis=1)])
    if kind == "multiclass":
        return labels, logits
    return np.maximum(np.eye(3, dtype=int)[labels], rng.random((N, 3)) < 0.2).astype(int), logits


TARGETS = {
    "binary": BinaryTarget(np.arange(2)),
    "multiclass": MulticlassTarget(np.arange(3)),
    "multilabel": MultilabelTarget(np.arange(2)),
    "candidates": CandidatesTarget(np.arange(3)),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_no_other_weights_have_a_smaller_loss(kind):
    codes, logits = problem(kind)
    found = stacking_weights(TARGETS[kind], codes, logits, np.ones(N), np.ones(N), seed=0)
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 51) for b in np.linspace(0, 1 - a, 51)]
    best = min(loss_of_mean(kind, codes, logits, np.array(w)).sum() for w in grid)
    # the prior counts as three samples, and weights below .02 are dropped
    assert loss_of_mean(kind, codes, logits, found).sum() < best + 3.0
    assert found[:2].min() > 0.3
    assert found.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_sample_of_weight_two_counts_as_two(kind):
    codes, logits = problem(kind)
    rng = np.random.default_rng(1)
    weight = rng.integers(1, 4, N).astype(float)
    class_weight = rng.random(codes.shape) + 0.5
    twice = np.repeat(np.arange(N), weight.astype(int))
    ones = np.ones(len(twice))
    target = TARGETS[kind]
    weighted = stacking_weights(target, codes, logits, class_weight, weight, seed=0)
    repeated = stacking_weights(
        target, codes[twice], logits[twice], class_weight[twice], ones, seed=0
    )
    assert_allclose(weighted, repeated, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-6, 1 / N, 0.5])
def test_weights_of_a_small_sum_choose_the_same_settings(scale):
    codes, logits = problem("binary")
    target, ones = TARGETS["binary"], np.ones(N)
    found, expected = (
        stacking_weights(target, codes, logits, ones, weight, seed=0)
        for weight in (scale * ones, ones)
    )
    assert_allclose(found, expected, atol=1e-6)


def test_setting_is_not_chosen_for_the_luck_of_a_few_samples():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(12, 1))
    logits = np.stack([base, base + 0.01 * rng.normal(size=(12, 1))], axis=1)
    y = (rng.random(12) < expit(base[:, 0])).astype(int)
    found = stacking_weights(TARGETS["binary"], y, logits, np.ones(12), np.ones(12), seed=0)
    assert_allclose(found, 0.5, atol=0.05)


def test_single_setting_counts_alone():
    codes, logits = problem("binary")
    target = TARGETS["binary"]
    found = stacking_weights(target, codes, logits[:, :1], np.ones(N), np.ones(N), seed=0)
    assert_allclose(found, [1.0])


def test_settings_that_predict_alike_count_alike_and_a_better_one_counts_alone():
    rng = np.random.default_rng(0)
    base = rng.exponential(size=500)
    alike = pseudo_bma(np.column_stack([base, base]), np.ones(500), seed=0)
    assert_allclose(alike, 0.5, atol=0.05)
    better = pseudo_bma(np.column_stack([base, base + 0.1]), np.ones(500), seed=0)
    assert better[0] > 0.99


def test_weights_of_settings_are_those_of_the_bayesian_bootstrap():
    rng = np.random.default_rng(0)
    losses = rng.exponential(size=(200, 3)) + np.array([0.0, 0.02, 0.1])
    draws = rng.dirichlet(np.ones(200), 20_000) @ losses
    likelihood = np.exp(-200 * (draws - draws.min(axis=1, keepdims=True)))
    expected = (likelihood / likelihood.sum(axis=1, keepdims=True)).mean(axis=0)
    assert_allclose(pseudo_bma(losses, np.ones(200), seed=0), expected, atol=0.04)
