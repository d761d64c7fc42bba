"""The weights that class, label and pixel counts give."""

import re
import warnings
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils.class_weight import compute_class_weight

from skimb.weighting import (
    class_weights,
    class_weights_from_counts,
    label_weights,
    label_weights_from_counts,
    pixel_weights,
    pos_weights,
    pos_weights_from_counts,
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


@pytest.fixture
def indicator():
    Y = np.zeros((6, 3), dtype=int)
    Y[0, 0] = 1
    Y[:3, 1] = 1
    Y[:5, 2] = 1
    return Y


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


class TestPosWeights:
    def test_binary_labels_by_hand(self):
        weight = pos_weights([0, 0, 0, 1])
        assert weight == 3.0
        assert type(weight) is float

    @pytest.mark.parametrize("y", [["no", "yes", "no"], [False, True, False], [-1, 1, -1]])
    def test_larger_label_is_positive(self, y):
        assert pos_weights(y) == 2.0

    def test_ratio_of_the_balanced_class_weights(self):
        y = np.repeat([0, 1], [90, 7])
        balanced = class_weights(y)
        assert_allclose(pos_weights(y), balanced[1] / balanced[0])

    def test_30_sparse_labels_of_one_positive_a_row_weigh_29(self):
        assert_array_equal(pos_weights(np.eye(30)), np.full(30, 29.0))

    @pytest.mark.parametrize("function", [pos_weights, label_weights])
    @pytest.mark.parametrize(
        "make",
        [
            np.asarray,
            lambda Y: Y.astype(bool),
            lambda Y: Y.astype(np.float32),
            lambda Y: Y.astype(np.uint8),
            lambda Y: Y.astype(object),
            lambda Y: Y.tolist(),
            pd.DataFrame,
            lambda Y: pd.DataFrame(Y).astype({0: "Int64", 1: "boolean"}),
            lambda Y: pl.DataFrame(Y, schema=["a", "b", "c"]),
            sparse.csr_matrix,
            sparse.csc_array,
            sparse.coo_array,
            lambda Y: sparse.csr_array(Y.astype(bool)),
        ],
    )
    def test_containers_give_the_same(self, indicator, function, make):
        for weight in (None, [1, 0, 2, 3, 1, 5]):
            expected = function(indicator, sample_weight=weight)
            result = function(make(indicator), sample_weight=weight)
            assert_array_equal(result, expected)
            assert result.dtype == np.float64

    def test_indicator_by_hand(self, indicator):
        assert_array_equal(pos_weights(indicator), [5.0, 1.0, 0.2])

    def test_explicit_zeros_of_a_sparse_matrix_are_negatives(self):
        Y = sparse.csr_array((np.array([1, 0]), np.array([0, 0]), np.array([0, 1, 2, 2])))
        assert Y.nnz == 2
        assert_array_equal(pos_weights(Y), [2.0])

    def test_duplicate_entries_of_a_sparse_matrix_add_up(self):
        Y = sparse.coo_array(([1, 1], ([0, 0], [0, 0])), shape=(2, 1))
        with pytest.raises(ValueError, match=re.escape("Y must hold 0 and 1 only, got [2].")):
            pos_weights(Y)

    def test_half_precision_indicators_are_counted_exactly(self):
        Y = np.ones((5000, 1), dtype=np.float16)
        Y[:1999] = 0
        assert_array_equal(pos_weights(Y), [1999 / 3001])

    def test_integer_sample_weight_equals_repeated_rows(self, indicator):
        repeats = np.array([3, 1, 2, 1, 5, 4])
        repeated = np.repeat(indicator, repeats, axis=0)
        assert_array_equal(pos_weights(indicator, sample_weight=repeats), pos_weights(repeated))
        y = indicator[:, 0]
        assert pos_weights(y, sample_weight=repeats) == pos_weights(np.repeat(y, repeats))

    def test_one_valued_columns_weigh_one_and_are_named_in_one_warning(self):
        Y = np.array([[0, 1, 0], [0, 1, 1], [0, 1, 0]])
        with pytest.warns(UserWarning, match=r"Columns \[0, 1\] of Y") as record:
            assert_array_equal(pos_weights(Y), [1.0, 1.0, 2.0])
        assert len(record) == 1

    @pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
    def test_rounding_of_sample_weight_does_not_hide_a_one_valued_column(self, make):
        rng = np.random.default_rng(0)
        Y = np.ones((999, 2), dtype=int)
        Y[0, 1] = 0
        with pytest.warns(UserWarning, match=r"Columns \[0\] of Y"):
            weights = pos_weights(make(Y), sample_weight=rng.random(999) / 3)
        assert weights[0] == 1.0

    def test_many_one_valued_columns_are_abbreviated(self):
        with pytest.warns(UserWarning, match=r"\[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\.\]"):
            pos_weights(np.zeros((3, 25)))

    def test_no_warning_where_both_values_are_there(self, indicator):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pos_weights(indicator)
            label_weights(indicator)

    def test_inputs_stay_as_they_were(self, indicator):
        indicator.flags.writeable = False
        counts = np.array([0.0, 3.0]), np.array([1.0, 2.0])
        pos_weights(indicator, sample_weight=np.arange(1, 7))
        with pytest.warns(UserWarning, match="one value only"):
            pos_weights_from_counts(*counts)
        assert_array_equal(counts, [[0, 3], [1, 2]])

    def test_from_counts_gathered_over_chunks(self, indicator):
        positives = indicator[:2].sum(axis=0) + indicator[2:].sum(axis=0)
        weights = pos_weights_from_counts(6 - positives, positives)
        assert_array_equal(weights, pos_weights(indicator))

    def test_from_counts_of_a_stream_that_saw_one_class(self):
        with pytest.warns(UserWarning, match="one value only"):
            weight = pos_weights_from_counts(12, 0)
        assert weight == 1.0
        assert type(weight) is float

    @pytest.mark.parametrize(
        ("Y", "message"),
        [
            ([0, 1, 2], "1-D Y must hold two labels, got [0, 1, 2]. class_weights takes any"),
            ([1, 1], "1-D Y must hold two labels, got [1]"),
            ([[0, 2], [1, -1]], "Y must hold 0 and 1 only, got [-1, 2]."),
            ([[0, 0.5]], "Y must hold 0 and 1 only, got [0.5]."),
            ([[0, np.nan]], "Y must hold 0 and 1 only, got [nan]."),
            ([["0", "1"]], "Y must hold 0 and 1 only, got ['0', '1']."),
            (np.array([["0", "1"]]), "Y must hold 0 and 1 only, got ['0', '1']."),
            ([[0, None]], "Y must hold 0 and 1 only, got [None]."),
            (pd.DataFrame({"a": [1, pd.NA], "b": [True, False]}), "Y must hold 0 and 1 only"),
            (sparse.csr_array([[0, 3], [1, 0]]), "Y must hold 0 and 1 only, got [3]."),
            (np.zeros((0, 3)), "Y has shape (0, 3)"),
            (np.zeros((3, 0)), "Y has shape (3, 0)"),
            (np.zeros((2, 4, 4)), "pixel_weights masks"),
            ([[0, 1], [1]], "Y must be a rectangular array, got ragged rows."),
        ],
    )
    def test_errors(self, Y, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            pos_weights(Y)

    @pytest.mark.parametrize("function", [pos_weights_from_counts, label_weights_from_counts])
    @pytest.mark.parametrize(
        ("negatives", "positives"), [([1, 2], [1]), ([1, -2], [1, 2]), ([1, 2], [np.nan, 2])]
    )
    def test_errors_from_counts(self, function, negatives, positives):
        with pytest.raises(ValueError, match="negatives and positives must be"):
            function(negatives, positives)


class TestLabelWeights:
    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize("weight", [None, [1, 2, 3, 1, 2, 3]])
    def test_each_column_equals_class_weights(self, indicator, scheme, weight):
        options = {"sample_weight": weight, "beta": 0.9, "power": 0.8}
        expected = [list(class_weights(y, scheme, **options).values()) for y in indicator.T]
        result = label_weights(indicator, scheme, **options)
        assert result.dtype == np.float64
        assert_allclose(result, expected, rtol=1e-15)

    def test_balanced_by_hand(self, indicator):
        expected = [[6 / 10, 6 / 2], [1, 1], [6 / 2, 6 / 10]]
        assert_allclose(label_weights(indicator), expected, rtol=1e-15)

    @pytest.mark.parametrize("scheme", SCHEMES[1:])
    def test_one_valued_columns_weigh_one_and_are_named(self, scheme):
        Y = np.array([[0, 1, 0], [0, 1, 1], [0, 1, 0]])
        with pytest.warns(UserWarning, match=r"Columns \[0, 1\] of Y") as record:
            weights = label_weights(Y, scheme, beta=0.5, power=2)
        assert len(record) == 1
        assert_array_equal(weights[:2], np.ones((2, 2)))
        assert weights[2, 1] > weights[2, 0]

    def test_dict_holds_for_all_labels(self, indicator):
        assert_array_equal(label_weights(indicator, {1: 4}, power=0.5), [[1, 2]] * 3)

    def test_given_weights_pass_through_even_for_one_valued_columns(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_array_equal(label_weights([[0, 1]], [[1, 2], [3, 4]]), [[1, 2], [3, 4]])
            assert_array_equal(label_weights([[0, 1]], {0: 2, 1: 3}), [[2, 3], [2, 3]])
            assert_array_equal(label_weights([[0, 1]], None), np.ones((2, 2)))

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_from_counts_agrees(self, indicator, scheme):
        positives = indicator.sum(axis=0)
        result = label_weights_from_counts(6 - positives, positives, scheme, beta=0.9, power=2)
        assert_array_equal(result, label_weights(indicator, scheme, beta=0.9, power=2))

    def test_from_counts_of_a_label_without_rows(self):
        with pytest.warns(UserWarning, match=r"Columns \[1\] of Y"):
            weights = label_weights_from_counts([3, 0], [1, 0], "sqrt_balanced")
        assert_array_equal(weights[1], [1, 1])

    @pytest.mark.parametrize(
        ("scheme", "message"),
        [
            ({2: 1}, "class_weight has the key 2; known classes: [0, 1]."),
            ({1: -1}, "class_weight[1] must be a number in [0, inf), got -1."),
            ([1, 2, 3], "numbers of shape (3, 2) in the order of [0, 1]; got [1, 2, 3]."),
            ([[1, 2], [1, 2], [1, np.inf]], "must be a number in [0, inf), got inf."),
            (np.zeros((3, 2)), "class_weight must be finite, not all 0"),
            ("efective", "Did you mean 'effective'?"),
        ],
    )
    def test_scheme_errors(self, indicator, scheme, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            label_weights(indicator, scheme)

    def test_labels_instead_of_a_matrix(self):
        with pytest.raises(ValueError, match="class_weights takes 1-D labels"):
            label_weights([0, 1, 1])


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
