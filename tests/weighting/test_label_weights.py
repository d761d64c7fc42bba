"""The weights that counts of labels give."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skimb.weighting import (
    class_weights,
    label_weights,
    label_weights_from_counts,
    pos_weights,
    pos_weights_from_counts,
)

SCHEMES = [None, "balanced", "sqrt_balanced", "effective"]


@pytest.fixture
def indicator():
    Y = np.zeros((6, 3), dtype=int)
    Y[0, 0] = 1
    Y[:3, 1] = 1
    Y[:5, 2] = 1
    return Y


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
