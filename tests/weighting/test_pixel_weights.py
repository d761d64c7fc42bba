"""The weights that counts of pixels give."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb.weighting import (
    class_weights,
    pixel_weights,
)

SCHEMES = [None, "balanced", "sqrt_balanced", "effective"]


class TestPixelWeights:
    @pytest.fixture
    def masks(self):
        masks = np.zeros((3, 4, 5), dtype=np.uint8)
        masks[0, 0, :2] = 1
        masks[1, :, 0] = 1
        masks[1, 0, 1] = 2
        return masks

    @pytest.mark.parametrize("scheme", [*SCHEMES, {1: 5}, [1, 2, 3]])
    def test_equals_class_weights_of_the_pixels(self, masks, scheme):
        assert pixel_weights(masks, scheme) == class_weights(masks.ravel(), scheme)

    def test_balanced_by_hand(self):
        masks = np.zeros((2, 500, 500), dtype=bool)
        masks[0, 3, :5] = True
        assert pixel_weights(masks) == {False: 500_000 / (2 * 499_995), True: 50_000.0}

    def test_median_frequency_by_hand(self, masks):
        frequency = {0: 53 / 60, 1: 6 / 40, 2: 1 / 20}
        expected = {label: frequency[1] / frequency[label] for label in frequency}
        weights = pixel_weights(masks, "median_frequency")
        assert list(weights) == [0, 1, 2]
        assert_allclose(list(weights.values()), list(expected.values()), rtol=1e-15)

    def test_median_of_an_even_number_of_classes_is_their_mean(self):
        weights = pixel_weights([[0, 0, 0, 1], [0, 0, 0, 0]], "median_frequency")
        assert_allclose([weights[0], weights[1]], [(9 / 16) / (7 / 8), (9 / 16) / (1 / 4)])

    @pytest.mark.parametrize("scheme", ["balanced", "median_frequency"])
    def test_class_no_mask_shows_weighs_one(self, masks, scheme):
        weights = pixel_weights(masks, scheme, classes=[0, 1, 2, 9])
        assert weights == {**pixel_weights(masks, scheme), 9: 1.0}

    def test_dict_may_name_a_class_no_mask_shows(self):
        weights = pixel_weights([[0, 0]], {1: 5}, classes=[0, 1])
        assert weights == {0: 1.0, 1: 5.0}

    @pytest.mark.parametrize("shape", [(60,), (3, 20), (3, 4, 5), (3, 2, 2, 5), (3, 4, 5, 1)])
    def test_any_shape(self, masks, shape):
        assert pixel_weights(masks.reshape(shape)) == pixel_weights(masks)

    def test_lists_and_text(self, masks):
        assert pixel_weights(masks.tolist()) == pixel_weights(masks)
        assert pixel_weights([["sky", "sky"], ["sky", "car"]]) == {"car": 2.0, "sky": 4 / 6}

    def test_keys_are_python_scalars(self, masks):
        assert {type(label) for label in pixel_weights(masks)} == {int}
        assert {type(label) for label in pixel_weights(masks > 0)} == {bool}

    @pytest.mark.parametrize(
        ("masks", "scheme", "message"),
        [
            (0, "balanced", "masks has shape ()"),
            (np.zeros((0, 4, 4)), "balanced", "masks has shape (0, 4, 4)"),
            ([[0.5, 1]], "balanced", "masks must hold discrete labels"),
            (
                [[np.nan, 1]],
                "balanced",
                "masks must hold discrete labels of one type, none missing",
            ),
            ([[0, 1], [1]], "balanced", "masks must be a rectangular array"),
            ([[0, 1]], "median_freq", "Did you mean 'median_frequency'?"),
            ([[0, 1]], "balancd", "'effective', 'median_frequency']. Did you mean 'balanced'?"),
            ([[0, 1]], {2: 3}, "class_weight has the key 2; known classes: [0, 1]."),
            ([[0, 1]], {1: -3}, "class_weight[1] must be a number in [0, inf), got -3."),
        ],
    )
    def test_errors(self, masks, scheme, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            pixel_weights(masks, scheme)

    def test_label_outside_classes(self):
        with pytest.raises(ValueError, match="masks has the label 2; known classes"):
            pixel_weights([[0, 2]], classes=[0, 1])
