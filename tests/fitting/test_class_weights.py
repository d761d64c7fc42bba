"""The mathematics of the weights: DESIGN's "Weights", as behaviour of the classifier."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skimb import ImbalancedNNClassifier


def full_batch(**params):
    """An estimator whose only batch is the data, so that weighted equals repeated exactly."""
    return ImbalancedNNClassifier(
        cv=None,
        **{"epochs": 30, "batch_size": 10_000, "random_state": 0, "dtype": "float64", **params},
    )


@pytest.fixture(params=["binary", "multiclass", "multilabel"])
def data(request):
    X, y = request.getfixturevalue(request.param)
    return X[:120], y[:120]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "binary_crossentropy"])
@pytest.mark.parametrize("class_weight", ["balanced", "sqrt_balanced", "effective", None])
def test_integer_weight_is_the_same_as_repeating_the_row(data, class_weight, loss):
    X, y = data
    if loss == "binary_crossentropy" and len(np.unique(y)) > 2:
        loss = "sparse_categorical_crossentropy"
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    clf = full_batch(class_weight=class_weight, loss=loss)
    weighted = clf.fit(X, y, sample_weight=weight).predict_proba(X)
    repeated = clf.fit(X.repeat(weight, axis=0), y.repeat(weight, axis=0)).predict_proba(X)
    assert_allclose(weighted, repeated, rtol=1e-7)


@pytest.mark.slow
def test_integer_weight_is_the_same_as_repeating_the_row_with_pos_weight(binary):
    X, y = binary
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    clf = full_batch(class_weight=None, pos_weight="balanced")
    weighted = clf.fit(X, y, sample_weight=weight).predict_proba(X)
    repeated = clf.fit(X.repeat(weight, axis=0), y.repeat(weight)).predict_proba(X)
    assert_allclose(weighted, repeated, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1e-3, 7.0])
def test_scale_of_the_weights_makes_no_difference(data, factor):
    X, y = data
    weight = np.random.default_rng(0).random(len(X)) + 0.1
    # the decay of the default network goes by the rows there are, and weights stand for rows
    clf = full_batch(batch_size=16, epochs=3, optimizer__weight_decay=1.0)
    expected = clf.fit(X, y, sample_weight=weight).predict_proba(X)
    assert_allclose(clf.fit(X, y, sample_weight=weight * factor).predict_proba(X), expected)


def test_class_counts_are_sums_of_sample_weight(multiclass):
    X, y = multiclass
    weight = np.random.default_rng(0).random(len(y))
    clf = full_batch(class_weight="balanced", epochs=1).fit(X, y, sample_weight=weight)
    expected = np.array([weight[y == k].sum() for k in range(3)])
    assert_allclose(clf.class_counts_, expected)
    assert_allclose(list(clf.class_weight_.values()), weight.sum() / (3 * expected))


@pytest.mark.slow
def test_balanced_pos_weight_is_negatives_over_positives_and_equals_balanced_classes(binary):
    X, y = binary
    by_pos = full_batch(class_weight=None, pos_weight="balanced").fit(X, y)
    assert by_pos.pos_weight_ == pytest.approx((y == 0).sum() / (y == 1).sum())
    by_class = full_batch(class_weight="balanced").fit(X, y)
    assert by_class.pos_weight_ is None
    # only the ratio of the weights counts, since they are scaled to mean 1
    assert_allclose(by_pos.predict_proba(X), by_class.predict_proba(X), rtol=1e-6)


def test_own_costs_multiply_the_balanced_pos_weight(binary):
    X, y = binary
    clf = full_batch(class_weight={0: 2.0, 1: 6.0}, pos_weight="balanced", epochs=1).fit(X, y)
    ratio = (y == 0).sum() / (y == 1).sum()
    assert clf.class_weight_ == {0: 2.0, 1: pytest.approx(6.0 * ratio)}


def test_pos_weight_of_labels_is_per_label(multilabel):
    X, Y = multilabel
    clf = full_batch(class_weight=None, pos_weight="balanced", epochs=1).fit(X, Y)
    assert_allclose(clf.pos_weight_, (1 - Y).sum(axis=0) / Y.sum(axis=0))
    assert_allclose(clf.class_weight_, np.column_stack([np.ones(4), clf.pos_weight_]))


def test_label_with_one_value_has_weight_one_and_is_named(multilabel):
    X, Y = multilabel
    Y = Y.copy()
    Y[:, 2] = 0
    with pytest.warns(UserWarning, match=r"\[2\]|column 2|label 2|2"):
        clf = full_batch(epochs=1).fit(X, Y)
    assert_array_equal(clf.class_weight_[2], [1, 1])


def test_weight_power_leads_from_no_weights_to_the_full(binary):
    X, y = binary
    n = np.bincount(y)
    for power in (0.0, 0.5, 1.0, 2.0):
        clf = full_batch(weight_power=power, epochs=1).fit(X, y)
        assert_allclose(list(clf.class_weight_.values()), (len(y) / (2 * n)) ** power)
    off = full_batch(weight_power=0.0, epochs=3).fit(X, y).predict_proba(X)
    assert_allclose(off, full_batch(class_weight=None, epochs=3).fit(X, y).predict_proba(X))


def test_class_weight_may_be_a_dict_or_an_array_in_the_order_of_the_classes(binary):
    X, y = binary
    labels = np.array(["no", "yes"])[y]
    by_dict = full_batch(class_weight={"yes": 5}, epochs=3).fit(X, labels)
    assert by_dict.class_weight_ == {"no": 1.0, "yes": 5.0}
    by_array = full_batch(class_weight=[1, 5], epochs=3).fit(X, labels)
    assert_array_equal(by_dict.predict_proba(X), by_array.predict_proba(X))


def test_stronger_weight_finds_more_of_the_class(binary):
    X, y = binary
    means = [
        full_batch(class_weight={1: w}).fit(X, y).predict_proba(X)[:, 1].mean() for w in (1, 5, 25)
    ]
    assert means == sorted(means)


def test_weights_do_not_change_the_statistics_of_the_features_but_sample_weights_do(binary):
    X, y = binary
    weight = np.random.default_rng(0).random(len(y)) + 0.1
    clf = full_batch(epochs=1).fit(X, y, sample_weight=weight)
    layer = clf.model_.get_layer("standardize")
    mean = np.average(X, axis=0, weights=weight)
    assert_allclose(layer.moving_mean.numpy(), mean, rtol=1e-9)
    variance = np.average((X - mean) ** 2, axis=0, weights=weight)
    assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-9)


def test_loss_of_an_epoch_is_the_weighted_mean_over_its_rows(binary):
    """(1/|B|) sum of w_i l_i, with weights of mean 1, recomputed in NumPy without any learning."""
    X, y = binary
    clf = full_batch(
        model="mlp", epochs=1, batch_size=64, optimizer="sgd", optimizer__learning_rate=1e-300
    ).fit(X, y)
    z = clf.decision_function(X)
    loss = np.logaddexp(0, np.where(y == 1, -z, z))
    weight = (len(y) / (2 * np.bincount(y)))[y]
    assert clf.loss_ == pytest.approx(np.mean(weight * loss), rel=1e-9)


def test_callers_arrays_are_untouched(binary):
    X, y = binary
    weight = np.random.default_rng(0).random(len(y))
    before = X.copy(), y.copy(), weight.copy()
    for array in (X, y, weight):
        array.setflags(write=False)
    try:
        full_batch(epochs=1).fit(X, y, sample_weight=weight).predict(X)
    finally:
        for array in (X, y, weight):
            array.setflags(write=True)
    for array, expected in zip((X, y, weight), before, strict=True):
        assert_array_equal(array, expected)
