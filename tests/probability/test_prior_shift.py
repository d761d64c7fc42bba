"""The estimated prior against its likelihood, and against samples whose prior is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import norm

from skimb.probability import correct_prior, estimate_prior


def gaussians(share, trained, n=5000, shift=3.0, seed=0):
    """Return posteriors under a trained prior of samples that have another."""
    rng = np.random.default_rng(seed)
    y = rng.random(n) < share
    x = rng.normal(size=n) + shift * y
    return y, expit(shift * x - shift**2 / 2 + np.log(trained / (1 - trained)))


@pytest.mark.parametrize("factor", [0.05, 0.5, 2, 5, 20])
def test_finds_a_shifted_prior(factor):
    trained = 0.02 if factor > 1 else 0.5
    y, p = gaussians(trained * factor, trained)
    found = estimate_prior(p, trained)
    assert found.sum() == pytest.approx(1)
    assert_allclose(found[1], y.mean(), rtol=0.15)
    both = np.column_stack([1 - p, p])
    assert_allclose(estimate_prior(both, [1 - trained, trained]), found, rtol=1e-9)
    assert_allclose(
        estimate_prior(both[:, ::-1], [100 * trained, 100 * (1 - trained)]), found[::-1]
    )


def test_maximises_the_likelihood():
    _, p = gaussians(0.2, 0.05, n=400, shift=1.5)

    def negative(q):
        return -np.log(p / 0.05 * q + (1 - p) / 0.95 * (1 - q)).sum()

    expected = minimize_scalar(
        negative, bounds=(0, 1), method="bounded", options={"xatol": 1e-10}
    ).x
    assert_allclose(estimate_prior(p, 0.05)[1], expected, rtol=1e-4)


def test_several_classes():
    rng = np.random.default_rng(0)
    trained, share = np.array([0.8, 0.15, 0.05]), np.array([0.3, 0.3, 0.4])
    means = np.array([[0, 0], [3, 0], [0, 3]])
    y = rng.choice(3, 5000, p=share)
    x = means[y] + rng.normal(size=(5000, 2))
    density = norm.pdf(x[:, np.newaxis] - means).prod(axis=2)
    p = density * trained / (density * trained).sum(axis=1, keepdims=True)
    assert_allclose(estimate_prior(p, trained), share, rtol=0.1)


def test_corrected_probabilities_are_calibrated():
    y, p = gaussians(0.3, 0.05)
    corrected = correct_prior(p, trained_prior=[0.95, 0.05], true_prior=estimate_prior(p, 0.05))
    assert corrected.mean() == pytest.approx(y.mean(), rel=0.05)


def test_probabilities_without_information_leave_the_prior():
    assert_allclose(estimate_prior(np.full(100, 0.3), 0.3), [0.7, 0.3])


def test_certain_probabilities_are_counted():
    assert_allclose(estimate_prior([0.0, 1.0, 1.0, 0.0, 1.0], 0.01), [0.4, 0.6])
    assert_allclose(estimate_prior(np.eye(3)[[0, 0, 2]], [1, 1, 1]), [2 / 3, 0, 1 / 3])


def test_an_absent_class_goes_to_zero():
    _, p = gaussians(0.0, 0.5)
    assert estimate_prior(p, 0.5)[1] < 0.002


def test_classes_that_hardly_differ_warn():
    with pytest.warns(UserWarning, match="has not converged"):
        estimate_prior([0.499999, 0.5, 0.500002], 0.5)


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.1, [0.5], [0.5, 0.2, 0.3], [1, np.nan], [0, 1]])
def test_a_prior_that_is_none_is_an_error(prior):
    with pytest.raises(ValueError, match="prior must hold"):
        estimate_prior([0.2, 0.3], prior)


def test_scores_that_are_no_probabilities_are_an_error():
    with pytest.raises(ValueError, match=r"p must be in \[0, 1\]"):
        estimate_prior([-1.0, 2.0], 0.5)
