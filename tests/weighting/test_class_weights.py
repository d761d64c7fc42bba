"""The weights that counts of classes give."""

import re
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.utils.class_weight import compute_class_weight

from skimb.weighting import (
    class_weights,
    class_weights_from_counts,
    label_weights,
    pos_weights,
    weight_grid,
)

SCHEMES = [None, "balanced", "sqrt_balanced", "effective"]
LABELS = {
    "ints": np.array([3, 3, 3, 3, -1, 7, 7]),
    "int8": np.array([100, 100, 100, -100, -100, 5, 5], dtype=np.int8),
    "strings": np.array(["ok", "ok", "ok", "ok", "fraud", "odd", "odd"]),
    "objects": np.array(["ok", "ok", "ok", "ok", "fraud", "odd", "odd"], dtype=object),
    "bools": np.array([False, False, False, True, False, True, False]),
    "floats": np.array([0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 1.0]),
}


def exact_effective(beta, n):
    with localcontext() as context:
        context.prec = 60
        return float((1 - Decimal(beta)) / (1 - Decimal(beta) ** n))


class TestClassWeights:
    @pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
    def test_balanced_equals_scikit_learn(self, y):
        expected = compute_class_weight("balanced", classes=np.unique(y), y=y)
        assert class_weights(y) == dict(zip(np.unique(y).tolist(), expected.tolist(), strict=True))

    def test_balanced_by_hand(self):
        assert class_weights([0, 0, 0, 1]) == {0: 4 / 6, 1: 2.0}

    @pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
    def test_keys_and_values_are_python_scalars_in_sorted_order(self, y):
        weights = class_weights(y)
        assert list(weights) == np.unique(y).tolist()
        assert {type(key) for key in weights} <= {int, str, bool, float}
        assert {type(value) for value in weights.values()} == {float}

    def test_numpy_scalars_in_an_object_array_become_python_keys(self):
        y = np.array([np.int64(1), np.int64(1), np.int64(2)], dtype=object)
        for weights in (class_weights(y), weight_grid(y)[0]):
            assert [type(key) for key in weights] == [int, int]

    def test_numpy_scalars_find_their_weight(self):
        y = LABELS["strings"]
        weights = class_weights(y)
        assert [weights[label] for label in y][:2] == [weights["ok"]] * 2

    def test_none_gives_ones(self):
        assert class_weights(["a", "b", "b"], None) == {"a": 1.0, "b": 1.0}

    def test_sqrt_balanced_is_proportional_to_the_root_and_keeps_the_mass(self):
        y = np.repeat([0, 1, 2], [90, 9, 1])
        weights = class_weights(y, "sqrt_balanced")
        assert_allclose(weights[1] / weights[0], np.sqrt(10))
        assert_allclose(weights[2] / weights[0], np.sqrt(90))
        assert_allclose(90 * weights[0] + 9 * weights[1] + weights[2], 100)

    @pytest.mark.parametrize("beta", [0.5, 0.9, 0.999, 0.9999])
    def test_effective_equals_the_exact_fraction(self, beta):
        b = Fraction(beta)
        weights = class_weights([0] * 40 + [1] * 3, "effective", beta=beta)
        assert_allclose(weights[0], float((1 - b) / (1 - b**40)), rtol=1e-15)
        assert_allclose(weights[1], float((1 - b) / (1 - b**3)), rtol=1e-15)

    @pytest.mark.parametrize("beta", [0.9999, 1 - 1e-8, 1 - 1e-12, 1 - 2**-53])
    @pytest.mark.parametrize("n", [1, 7, 10_000, 10**9, 10**15])
    def test_effective_keeps_its_digits_for_beta_near_one_and_huge_counts(self, beta, n):
        weights = class_weights_from_counts(["rare"], [n], "effective", beta=beta)
        assert_allclose(weights["rare"], exact_effective(beta, n), rtol=1e-14)

    def test_effective_without_beta_is_no_weighting(self):
        assert class_weights([0, 0, 1], "effective", beta=0) == {0: 1.0, 1: 1.0}

    def test_dict_fills_in_ones(self):
        assert class_weights([0, 1, 2], {2: 10}) == {0: 1.0, 1: 1.0, 2: 10.0}

    def test_dict_may_name_a_class_that_y_lacks(self):
        assert class_weights([0, 0], {1: 5}, classes=[0, 1]) == {0: 1.0, 1: 5.0}

    def test_dict_of_ints_serves_bools_and_numpy_keys(self):
        assert class_weights([True, False], {0: 1, 1: 3}) == {False: 1.0, True: 3.0}
        assert class_weights([0, 1], {np.int8(1): np.float32(2)}) == {0: 1.0, 1: 2.0}

    def test_series_is_read_by_its_index_not_by_its_order(self):
        y = pd.Series(["fraud", "ok", "ok", "ok"])
        weights = class_weights(y, 1 / y.value_counts(normalize=True))
        assert_allclose([weights["fraud"], weights["ok"]], [4, 4 / 3])

    @pytest.mark.parametrize("numbers", [[1, 2.5], (1, 2.5), np.array([1, 2.5], np.float32)])
    def test_numbers_follow_the_sorted_classes(self, numbers):
        assert class_weights(["b", "a", "b"], numbers) == {"a": 1.0, "b": 2.5}
        assert class_weights(["b"], numbers, classes=["b", "a"]) == {"a": 1.0, "b": 2.5}

    @pytest.mark.parametrize("scheme", [*SCHEMES[1:], {0: 3.0, 1: 7.0}, [3.0, 7.0]])
    def test_power_comes_after_the_scheme(self, scheme):
        y = [0, 0, 0, 1]
        plain = class_weights(y, scheme)
        raised = class_weights(y, scheme, power=0.3)
        assert_allclose([raised[0], raised[1]], [plain[0] ** 0.3, plain[1] ** 0.3])
        assert class_weights(y, scheme, power=0) == {0: 1.0, 1: 1.0}

    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
    def test_integer_sample_weight_equals_repeated_rows(self, y, scheme):
        repeats = np.array([2, 1, 3, 1, 4, 1, 2])
        weighted = class_weights(y, scheme, sample_weight=repeats)
        assert weighted == class_weights(np.repeat(y, repeats), scheme)

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_class_without_weight_counts_as_absent(self, scheme):
        weights = class_weights([0, 0, 0, 1, 2], scheme, sample_weight=[1, 1, 1, 1, 0])
        assert weights == {**class_weights([0, 0, 0, 1], scheme), 2: 1.0}
        assert weights == class_weights([0, 0, 0, 1], scheme, classes=[2, 1, 0])

    def test_inputs_stay_as_they_were(self):
        y, weight, numbers = np.array([0, 1, 1]), np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0])
        mapping = {1: 2.0}
        for array in (y, weight, numbers):
            array.flags.writeable = False
        class_weights(y, sample_weight=weight)
        class_weights(y, numbers, power=2)
        class_weights(y, mapping, power=2)
        assert mapping == {1: 2.0}

    @pytest.mark.parametrize(
        "make", [list, tuple, pd.Series, pl.Series, lambda y: pd.Series(y, dtype="category")]
    )
    def test_containers_give_the_same(self, make):
        assert class_weights(make(["a", "b", "b", "b"])) == {"a": 2.0, "b": 4 / 6}
        assert class_weights(make([1, 0, 0, 0])) == {0: 4 / 6, 1: 2.0}

    def test_nullable_series(self):
        assert class_weights(pd.Series([1, 0, 0, 0], dtype="Int64")) == {0: 4 / 6, 1: 2.0}

    def test_one_class(self):
        for scheme in SCHEMES[:3]:
            assert class_weights(["a", "a"], scheme) == {"a": 1.0}


class TestClassWeightsFromCounts:
    @pytest.mark.parametrize("scheme", [*SCHEMES, [1, 2, 3], {"b": 4}])
    def test_agrees_with_class_weights_in_any_order(self, scheme):
        y = ["a"] * 5 + ["b"] * 2 + ["c"]
        expected = class_weights(y, scheme, beta=0.9, power=0.7)
        weights = class_weights_from_counts(["c", "a", "b"], [1, 5, 2], scheme, beta=0.9, power=0.7)
        assert weights == expected
        assert list(weights) == ["a", "b", "c"]

    def test_counts_gathered_over_chunks(self):
        y = np.random.default_rng(0).integers(0, 4, 200)
        counts = sum(np.bincount(chunk, minlength=5) for chunk in np.split(y, 8))
        assert class_weights_from_counts(np.arange(5), counts) == {**class_weights(y), 4: 1.0}

    @pytest.mark.parametrize(
        ("classes", "counts", "message"),
        [
            ([0, 1], [1, 2, 3], "counts a number for each"),
            ([0, 0], [1, 2], "classes must be distinct"),
            ([0, 1], [0, 0], "at least one > 0"),
            ([0, 1], [1, -2], "counts must be finite and >= 0"),
            ([0, 1], [1, np.nan], "counts must be finite and >= 0"),
            ([], [], "classes has shape"),
        ],
    )
    def test_counts_that_do_not_fit(self, classes, counts, message):
        with pytest.raises(ValueError, match=message):
            class_weights_from_counts(classes, counts)


class TestClassWeightErrors:
    @pytest.mark.parametrize(
        ("scheme", "message"),
        [
            ({"1": 2}, "class_weight has the key '1'; known classes: [0, 1]. Did you mean 1?"),
            ({2.5: 2}, "class_weight has the key 2.5; known classes: [0, 1]."),
            ({None: 2}, "class_weight has the key None; known classes: [0, 1]."),
            ({0: -1}, "class_weight[0] must be a number in [0, inf), got -1."),
            ({0: np.nan}, "class_weight[0] must be a number in [0, inf), got nan."),
            ({0: np.inf}, "class_weight[0] must be a number in [0, inf), got inf."),
            ({0: True}, "class_weight[0] must be a number in [0, inf), got True."),
            ({1: "2"}, "class_weight[1] must be a number in [0, inf), got '2'."),
            ({1: None}, "class_weight[1] must be a number in [0, inf), got None."),
            ({0: 0, 1: 0}, "class_weight must be finite, not all 0; got [0.0, 0.0]."),
            ([1, -2], "class_weight must be a number in [0, inf), got -2."),
            ([True, 2], "class_weight must be a number in [0, inf), got True."),
            (np.array([True, False]), "class_weight must be a number in [0, inf), got True."),
            ([0, 0.0], "class_weight must be finite, not all 0; got [0.0, 0.0]."),
            ([1, 2, 3], "a dict, or numbers of shape (2,) in the order of [0, 1]; got [1, 2, 3]."),
            ([[1, 2]], "numbers of shape (2,)"),
            (3, "a dict, or numbers of shape (2,) in the order of [0, 1]; got 3."),
            ("balancd", "class_weight is 'balancd'; known schemes: [None, 'balanced', "),
            ("balancd", "'sqrt_balanced', 'effective']. Did you mean 'balanced'?"),
            ("median_frequency", "class_weight is 'median_frequency'; known schemes"),
        ],
    )
    def test_scheme(self, scheme, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            class_weights([0, 0, 1], scheme)

    def test_number_where_the_class_is_text(self):
        with pytest.raises(ValueError, match="Did you mean '1'"):
            class_weights(["0", "1"], {1: 3})

    def test_misspelt_class(self):
        with pytest.raises(ValueError, match="Did you mean 'fraud'"):
            class_weights(["ok", "fraud"], {"fruad": 3})

    def test_no_far_fetched_suggestion(self):
        with pytest.raises(ValueError, match=r"known classes: \[0, 1\]\.$"):
            class_weights([0, 1], {2: 3})

    def test_many_known_classes_are_abbreviated(self):
        with pytest.raises(ValueError, match=r"0, 1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\.\]"):
            class_weights(range(30), {99: 3})

    def test_power_that_overflows(self):
        with pytest.raises(ValueError, match=re.escape("class_weight must be finite")):
            class_weights([0, 1], {1: 1e10}, power=1000)

    @pytest.mark.parametrize("beta", [1, 1.0, -0.1, np.nan, "0.9", None, True])
    def test_beta(self, beta):
        with pytest.raises(ValueError, match=re.escape("beta must be a number in [0, 1), got")):
            class_weights([0, 1], "effective", beta=beta)

    @pytest.mark.parametrize("power", [-1, np.nan, np.inf, "1", None, True])
    def test_power(self, power):
        with pytest.raises(ValueError, match=re.escape("power must be a number in [0, inf), got")):
            class_weights([0, 1], power=power)

    def test_label_outside_classes(self):
        with pytest.raises(ValueError, match=re.escape("y has the label 2; known classes: [0, 1]")):
            class_weights([0, 2], classes=[0, 1])

    @pytest.mark.parametrize("function", [class_weights, weight_grid])
    @pytest.mark.parametrize(
        ("y", "message"),
        [
            ([], "y has shape (0,)"),
            (3, "y has shape ()"),
            ([[0, 1], [1, 0]], "label_weights and pos_weights an indicator matrix"),
            (sparse.eye(2), "label_weights and pos_weights an indicator matrix"),
            (np.zeros((2, 4, 4)), "pixel_weights masks"),
            ([[0, 1], [1]], "y must be a rectangular array, got ragged rows."),
            ([0, 1, np.nan], "none missing; got [nan]"),
            (["a", np.nan], "none missing; got [nan]"),
            (["a", None], "none missing; got [None]"),
            (np.array(["a", None, np.nan], dtype=object), "none missing; got [None, nan]"),
            (pd.Series(["a", pd.NA], dtype=object), "none missing; got ['NAType', 'str']"),
            (pd.Series([pd.NA], dtype=object), "none missing; got ['NAType']"),
            (pd.Series([1, None], dtype="Int64"), "none missing; got"),
            ([1, "a"], "y must hold discrete labels of one type, none missing; got ['int', 'str']"),
            ([0.5, 1.0, np.inf], "y must hold discrete labels of one type, none missing; got [0.5"),
        ],
    )
    def test_y(self, function, y, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            function(y)

    @pytest.mark.parametrize(
        "function",
        [
            class_weights,
            weight_grid,
            pos_weights,
            lambda y, **k: label_weights([[v] for v in y], **k),
        ],
    )
    @pytest.mark.parametrize(
        ("sample_weight", "message"),
        [
            ([1, 1], re.escape("sample_weight.shape == (2,), expected (3,)")),
            ([1, -1, 1], "Negative values in data passed to `sample_weight`"),
            ([1, np.nan, 1], "sample_weight contains NaN"),
            ([0, 0, 0], "Sample weights must contain at least one non-zero"),
        ],
    )
    def test_sample_weight(self, function, sample_weight, message):
        with pytest.raises(ValueError, match=message):
            function([0, 1, 1], sample_weight=sample_weight)
