"""Weights to search over."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skimb.weighting import (
    class_weights,
    weight_grid,
)


class TestWeightGrid:
    y = np.repeat(["common", "rare", "rarer"], [80, 15, 5])
    n = np.array([80, 15, 5])

    def test_goes_from_no_weighting_to_balanced(self):
        grid = weight_grid(self.y)
        assert len(grid) == 8
        assert grid[0] == class_weights(self.y, None)
        assert grid[-1] == class_weights(self.y)

    def test_middle_is_sqrt_balanced(self):
        assert weight_grid(self.y, 3)[1] == class_weights(self.y, "sqrt_balanced")

    @pytest.mark.parametrize("num", [2, 5, np.int64(7)])
    def test_every_dict_keeps_the_mass_and_the_power_law(self, num):
        balanced = np.array(list(class_weights(self.y).values()))
        grid = weight_grid(self.y, num)
        assert len(grid) == num
        for p, weights in zip(np.linspace(0, 1, num), grid, strict=True):
            values = np.array(list(weights.values()))
            assert_allclose(self.n @ values, 100)
            assert_allclose(values / values[0], (balanced / balanced[0]) ** p)

    def test_integer_sample_weight_equals_repeated_rows(self):
        repeats = np.random.default_rng(0).integers(1, 4, len(self.y))
        weighted = weight_grid(self.y, 4, sample_weight=repeats)
        assert weighted == weight_grid(np.repeat(self.y, repeats), 4)

    def test_class_without_weight_keeps_one(self):
        grid = weight_grid([0, 0, 0, 1, 2], 4, sample_weight=[1, 1, 1, 1, 0])
        assert grid == [{**weights, 2: 1.0} for weights in weight_grid([0, 0, 0, 1], 4)]

    def test_serves_a_grid_search(self):
        X = np.random.default_rng(0).normal(size=(100, 2))
        search = GridSearchCV(LogisticRegression(), {"class_weight": weight_grid(self.y, 3)}, cv=2)
        assert search.fit(X, self.y).best_params_["class_weight"] in weight_grid(self.y, 3)

    @pytest.mark.parametrize("num", [1, 0, -3, 2.0, "8", None, True])
    def test_num(self, num):
        with pytest.raises(ValueError, match=f"num must be an int >= 2, got {num!r}"):
            weight_grid([0, 1], num)
