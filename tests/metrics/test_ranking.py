"""Average precision of many columns against scikit-learn's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import average_precision_score

from skimb.metrics.ranking import mean_average_precision


@pytest.mark.parametrize("n_columns", [1, 3, 20])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_scikit_learn(n_columns, ties, weighted):
    rng = np.random.default_rng(0)
    # from two positive samples of a column to eighty
    y = rng.random((200, n_columns)) < np.linspace(0.01, 0.4, n_columns)
    scores = rng.random((200, n_columns)) + 0.3 * y
    scores = scores.round(1) if ties else scores
    weight = rng.exponential(size=200) * (rng.random(200) < 0.9) if weighted else None
    for Y in (y, y.astype(int)):
        found = mean_average_precision(Y, scores, sample_weight=weight)
        assert_allclose(found, average_precision_score(Y, scores, sample_weight=weight), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:No positive class")
def test_a_column_without_positive_samples_scores_zero():
    rng = np.random.default_rng(0)
    y, scores = np.eye(12)[rng.integers(11, size=60)], rng.random((60, 12))
    expected = average_precision_score(y, scores)
    assert_allclose(mean_average_precision(y, scores), expected, rtol=1e-12)


@pytest.mark.parametrize("n_columns", [2, 20])
def test_scores_that_are_nan_are_an_error(n_columns):
    y = np.eye(n_columns)[np.arange(40) % n_columns]
    with pytest.raises(ValueError, match="NaN"):
        mean_average_precision(y, np.full(y.shape, np.nan))
