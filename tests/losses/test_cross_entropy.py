"""Cross-entropy against NumPy, Keras, finite differences and itself in other words."""

import keras
import numpy as np
import pytest
from keras import ops
from loss_cases import (
    EXTREMES,
    PROBLEMS,
    SIGMOIDS,
    every_problem,
    finite_differences,
    one_hot,
    rows,
    sigmoid_problems,
    value_and_gradient,
)
from numpy.testing import assert_allclose

from skimb.losses import CrossEntropy


def terms(name, Y, z, pos_weight=1.0, smoothing=0.0):
    """The formula, written with probabilities: a term a label or, for classes, a term a row."""
    z = np.asarray(z, "float64").reshape(Y.shape)
    if name.startswith(SIGMOIDS):
        p, t = 1 / (1 + np.exp(-z)), (1 - smoothing) * Y + smoothing / 2
        return -pos_weight * t * np.log(p) - (1 - t) * np.log(1 - p)
    p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    return -(((1 - smoothing) * Y + smoothing / Y.shape[-1]) * np.log(p)).sum(axis=-1)


@pytest.mark.parametrize(
    ("y", "p", "params", "expected"),
    [
        ([1], [[0.75]], {}, 0.2876821),
        ([0], [[0.75]], {}, 1.3862944),
        ([1, 0], [[0.75], [0.75]], {}, 0.8369882),
        ([1], [[0.75]], {"pos_weight": 3.0}, 0.8630462),
        ([0], [[0.75]], {"pos_weight": 3.0}, 1.3862944),
        ([1], [[0.75]], {"label_smoothing": 0.2}, 0.3975433),
        ([[1, 0]], [[0.75, 0.75]], {"target": "multilabel", "pos_weight": [2.0, 9.0]}, 0.9808293),
    ],
)
def test_hand_computed_value_of_sigmoid_outputs(y, p, params, expected):
    z = np.log(p) - np.log1p(-np.array(p))
    assert_allclose(CrossEntropy(**params)(np.array(y), z), expected, rtol=1e-6)


@pytest.mark.parametrize(("smoothing", "expected"), [(0.0, 0.4700036), (0.3, 0.7225765)])
def test_hand_computed_value_of_three_classes(smoothing, expected):
    loss = CrossEntropy(label_smoothing=smoothing)
    assert_allclose(loss(np.array([2]), np.log([[1.0, 2.0, 5.0]])), expected, rtol=1e-6)


@every_problem
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_each_row_agrees_with_the_formula(name, smoothing):
    target, y, z, Y = PROBLEMS[name]
    loss = CrossEntropy(target=target, label_smoothing=smoothing, reduction=None, dtype="float64")
    assert_allclose(loss(y, z), rows(terms(name, Y, z, smoothing=smoothing)), rtol=1e-12)


@sigmoid_problems
@pytest.mark.parametrize("pos_weight", [0.0, 5.0, "per label"])
def test_pos_weight_agrees_with_the_formula(name, pos_weight):
    target, y, z, Y = PROBLEMS[name]
    given = np.arange(2.0, 2.0 + Y.shape[-1]) if pos_weight == "per label" else pos_weight
    loss = CrossEntropy(target=target, pos_weight=given, reduction=None, dtype="float64")
    assert_allclose(loss(y, z), rows(terms(name, Y, z, given)), rtol=1e-12)


@every_problem
def test_gradient_agrees_with_finite_differences_of_the_formula(name):
    target, y, z, Y = PROBLEMS[name]
    pos_weight = 3.0 if name.startswith(SIGMOIDS) else None
    weight = np.linspace(0.5, 2.0, len(z))
    loss = CrossEntropy(target=target, pos_weight=pos_weight, label_smoothing=0.1, dtype="float64")
    expected = finite_differences(
        lambda z: np.mean(weight * rows(terms(name, Y, z, pos_weight or 1.0, 0.1))), z
    )
    _, gradient = value_and_gradient(loss, y, z, weight)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("y", [0, 1])
def test_extreme_logits_have_the_exact_value_and_gradient(y):
    z = EXTREMES[:, None]
    exact = np.logaddexp(0.0, np.where(y, -1.0, 1.0) * z.astype("float64"))
    value, gradient = value_and_gradient(CrossEntropy(reduction="none"), np.full(len(z), y), z)
    assert_allclose(value, exact[:, 0], rtol=1e-6, atol=1e-37)
    assert_allclose(gradient, np.exp(-np.logaddexp(0, -z.astype("float64"))) - y, atol=1e-6)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_extreme_logits_of_classes_have_the_exact_value_and_gradient(code):
    z = np.stack([EXTREMES, np.zeros_like(EXTREMES), -EXTREMES], axis=1)
    log_p = z.astype("float64") - np.logaddexp.reduce(z.astype("float64"), axis=1, keepdims=True)
    value, gradient = value_and_gradient(CrossEntropy(reduction="none"), np.full(len(z), code), z)
    assert_allclose(value, -log_p[:, code], rtol=1e-6, atol=1e-6)
    assert_allclose(gradient, np.exp(log_p) - one_hot(code), atol=1e-6)


@pytest.mark.parametrize("params", [{}, {"label_smoothing": 0.1}])
@pytest.mark.parametrize(
    ("theirs", "y", "p"),
    [
        (keras.losses.BinaryCrossentropy, [[1], [0], [1], [0]], [[0.0], [1.0], [1.0], [0.3]]),
        (keras.losses.CategoricalCrossentropy, np.eye(3), [[0, 1, 0], [0, 1, 0], [0.5, 0.5, 0]]),
    ],
)
def test_probabilities_of_exactly_0_and_1_are_clipped_as_in_keras(theirs, y, p, params):
    p = np.array(p, "float32")
    value, gradient = value_and_gradient(CrossEntropy(from_logits=False, **params), np.array(y), p)
    assert_allclose(value, theirs(**params)(np.array(y, "float32"), p), rtol=1e-5)
    assert np.isfinite(gradient).all()


@every_problem
def test_probabilities_give_the_loss_of_their_logits(name):
    target, y, z, Y = PROBLEMS[name]
    p = ops.sigmoid(z) if name.startswith(SIGMOIDS) else ops.softmax(z)
    loss = CrossEntropy(target=target, from_logits=False, dtype="float64")
    assert_allclose(loss(y, p), terms(name, Y, z).mean(), rtol=1e-9)


@every_problem
@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_weighted_row_is_the_row_repeated(name, reduction):
    target, y, z, _ = PROBLEMS[name]
    weight = np.arange(len(z)) % 4
    repeated = np.repeat(np.arange(len(z)), weight)
    loss = CrossEntropy(target=target, reduction=reduction, dtype="float64")
    value, gradient = value_and_gradient(loss, y, z, weight)
    expected, pieces = value_and_gradient(loss, y[repeated], z[repeated])
    summed = np.zeros_like(z)
    np.add.at(summed, repeated, pieces)
    assert_allclose(value, expected, rtol=1e-12)
    assert_allclose(gradient, summed, rtol=1e-9, atol=1e-15)


@every_problem
def test_row_weights_are_a_list_a_vector_or_a_column(name):
    target, y, z, Y = PROBLEMS[name]
    weight = np.arange(1.0, 1.0 + len(z))
    loss = CrossEntropy(target=target, dtype="float64")
    expected = (weight * rows(terms(name, Y, z))).mean()
    for given in (weight.tolist(), weight, weight[:, None]):
        assert_allclose(loss(y, z, given), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("sum_over_batch_size", lambda terms, W: (W * terms).mean()),
        ("mean_with_sample_weight", lambda terms, W: (W * terms).sum() / W.sum()),
        ("sum", lambda terms, W: (W * terms).mean(axis=1).sum()),
        ("none", lambda terms, W: (W * terms).mean(axis=1)),
    ],
)
def test_label_weights_multiply_the_term_of_their_label(reduction, expected):
    target, Y, z, _ = PROBLEMS["multilabel"]
    W = np.random.default_rng(1).uniform(0, 3, Y.shape)
    loss = CrossEntropy(target=target, pos_weight=2.0, reduction=reduction, dtype="float64")
    assert_allclose(loss(Y, z, W), expected(terms("multilabel", Y, z, 2.0), W), rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name.startswith(("mask", "segm"))])
def test_pixel_weights_multiply_the_term_of_their_pixel(name):
    target, y, z, Y = PROBLEMS[name]
    W = np.random.default_rng(1).uniform(0, 3, z.shape[:3])
    expected = (W * terms(name, Y, z).reshape(W.shape)).mean()
    assert_allclose(CrossEntropy(target=target, dtype="float64")(y, z, W), expected, rtol=1e-12)


def test_weights_per_class_of_a_row_raise():
    _, y, z, _ = PROBLEMS["multiclass (n,)"]
    with pytest.raises(ValueError, match=r"sample_weight has the shape \(6, 3\)"):
        CrossEntropy()(y, z, np.ones(z.shape))


@every_problem
def test_order_of_the_rows_does_not_matter(name):
    target, y, z, _ = PROBLEMS[name]
    order, weight = np.random.default_rng(2).permutation(len(z)), np.linspace(0.1, 2.0, len(z))
    loss = CrossEntropy(target=target, dtype="float64")
    assert_allclose(loss(y, z, weight), loss(y[order], z[order], weight[order]), rtol=1e-12)


@sigmoid_problems
def test_batch_without_positives_has_the_mean_of_the_negative_terms(name):
    target, y, z, Y = PROBLEMS[name]
    loss = CrossEntropy(target=target, pos_weight=7.0, dtype="float64")
    value, gradient = value_and_gradient(loss, np.zeros_like(y), z)
    assert_allclose(value, np.log1p(np.exp(z)).mean(), rtol=1e-12)
    assert_allclose(gradient, 1 / (1 + np.exp(-z)) / Y.size, rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("binary (n,)", keras.losses.BinaryCrossentropy),
        ("binary (n, 1)", keras.losses.BinaryCrossentropy),
        ("multilabel", keras.losses.BinaryCrossentropy),
        ("mask (n, h, w, 1)", keras.losses.BinaryCrossentropy),
        ("multiclass one-hot", keras.losses.CategoricalCrossentropy),
        ("segments one-hot", keras.losses.CategoricalCrossentropy),
    ],
)
def test_agrees_with_the_losses_of_keras(name, theirs, smoothing):
    target, y, z, _ = PROBLEMS[name]
    expected = theirs(from_logits=True, label_smoothing=smoothing, dtype="float64")(y, z)
    loss = CrossEntropy(target=target, label_smoothing=smoothing, dtype="float64")
    assert_allclose(loss(y, z), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("target", "y_shape", "z_shape"),
    [
        ("auto", (5,), (4, 1)),
        ("auto", (1,), (4, 1)),
        ("auto", (4, 2), (4, 1)),
        ("auto", (4, 2), (4, 3)),
        ("auto", (1, 3), (4, 3)),
        ("multilabel", (4,), (4, 3)),
        ("multilabel", (4, 1), (4, 3)),
        ("pixels", (2, 4, 4), (2, 3, 3, 1)),
        ("pixels", (2,), (2, 3, 3, 2)),
    ],
)
def test_shapes_that_do_not_fit_raise(target, y_shape, z_shape):
    with pytest.raises(ValueError, match="got y_true of shape"):
        CrossEntropy(target=target)(np.zeros(y_shape), np.zeros(z_shape))


@pytest.mark.parametrize(
    "params",
    [
        *({"label_smoothing": value} for value in (-0.1, 1.0, np.nan, None, "little")),
        *({"pos_weight": value} for value in (-1.0, [1.0, -1.0], np.nan, np.inf)),
        *({"pos_weight": value} for value in ("balanced", [1.0, [2.0, 3.0]])),
        {"target": "multi-label"},
        {"reduction": "average"},
    ],
    ids=str,
)
def test_invalid_hyperparameters_raise_with_their_name(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        CrossEntropy(**params)


def test_pos_weight_for_classes_raises():
    with pytest.raises(ValueError, match=r"pos_weight=2\.0 weights a positive label"):
        CrossEntropy(pos_weight=2.0)(np.array([0, 2]), np.zeros((2, 3)))


@pytest.mark.parametrize(("pos_weight", "n_labels"), [([1.0, 2.0], 1), ([1.0, 2.0], 3)])
def test_pos_weight_of_another_number_of_labels_raises(pos_weight, n_labels):
    loss = CrossEntropy(pos_weight=pos_weight, target="multilabel")
    with pytest.raises(ValueError, match="pos_weight has the shape"):
        loss(np.zeros((2, n_labels)), np.zeros((2, n_labels)))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("multilabel", {"pos_weight": np.array([1.0, 2.0, 3.0]), "label_smoothing": 0.1}),
        ("multiclass (n,)", {"label_smoothing": 0.2}),
    ],
)
def test_saved_model_comes_back_with_the_same_loss(name, params, tmp_path):
    target, y, z, Y = PROBLEMS[name]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(loss=CrossEntropy(target=target, **params))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    logits = z @ model.layers[0].get_weights()[0]
    expected = terms(
        name, Y, logits, params.get("pos_weight", 1.0), params["label_smoothing"]
    ).mean()
    assert loaded.loss.get_config() == model.loss.get_config()
    assert_allclose(loaded.evaluate(z, y, verbose=0), expected, rtol=1e-5)
