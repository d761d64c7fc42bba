"""What holds for every loss of the library, whatever its formula."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from loss_cases import EXTREMES, finite_differences, one_hot, value_and_gradient
from numpy.testing import assert_allclose

from skimb import losses
from skimb.networks import with_features

RNG = np.random.default_rng(3)
CODES = np.array([0, 0, 0, 0, 1, 1, 2, 2, 0, 1])
BINARY = np.array([0, 0, 0, 1, 0, 1, 0, 0, 1, 0])
LABELS = np.stack([BINARY, 1 - BINARY[::-1], RNG.integers(0, 2, 10)], axis=1)
CANDIDATES = np.maximum(one_hot(CODES), one_hot(RNG.integers(0, 3, 10)))
MASKS = RNG.integers(0, 2, (4, 3, 2))
CLASS_COUNTS = {"binary": [90, 10], "multiclass": [70, 20, 10]}
LABEL_COUNTS = [[90, 50, 20], [10, 50, 80]]

# targets as columns, and what has the shape of the logits
TARGETS = {
    "binary": (BINARY[:, None], RNG.normal(0, 2, (10, 1))),
    "multiclass": (one_hot(CODES), RNG.normal(0, 2, (10, 3))),
    "multilabel": (LABELS, RNG.normal(0, 2, (10, 3))),
    "candidates": (CANDIDATES, RNG.normal(0, 2, (10, 3))),
    "pixels": (MASKS[..., None], RNG.normal(0, 2, (4, 3, 2, 1))),
}
CASES = [(name, kind) for name, kinds in losses.available().items() for kind in kinds]
RECTIFICATION = [
    {"level": level, "comparison": comparison}
    for level in ("class", "instance")
    for comparison in ("relative", "absolute", "distribution")
]
VARIANTS = {"class_rectification": RECTIFICATION, "partial_label": [{}, {"variant": "max"}]}
EVERY = [
    pytest.param(name, kind, params, id="-".join([name, kind, *params.values()]))
    for name, kind in CASES
    for params in VARIANTS.get(name, [{}])
]
every_loss = pytest.mark.parametrize(("name", "kind", "params"), EVERY)
# where a case takes seconds: the others are compiled in the tests of the classifier
FEWER = [case for case in EVERY if case.values[2] not in RECTIFICATION[1::2]]
fewer_losses = pytest.mark.parametrize(("name", "kind", "params"), FEWER)

# rows are mined without their weights, and a repeated row changes which are mined
NOT_REPEATED = ("class_rectification",)


def build(name, kind, params=None, **more):
    """A loss of a kind of target, with the counts that the estimators would fill in."""
    params = {**(params or {}), **more, "target": kind}
    accepted = inspect.signature(type(losses.get(name))).parameters
    if "class_counts" in accepted:
        params["class_counts"] = LABEL_COUNTS if kind == "multilabel" else CLASS_COUNTS.get(kind)
    return losses.get(name, **params)


def outputs(params, z):
    """Logits, with features behind them for a loss that takes these."""
    if params.get("level") != "instance":
        return z
    features = np.random.default_rng(5).normal(0, 1, (len(z), 4))
    return np.concatenate([z, features.astype(z.dtype)], axis=1)


@pytest.mark.slow
@every_loss
def test_gradient_agrees_with_finite_differences(name, kind, params):
    y, z = TARGETS[kind]
    z, weight = outputs(params, z), np.linspace(0.5, 2.0, len(z))
    loss = build(name, kind, params, dtype="float64")
    expected = finite_differences(lambda z: np.asarray(loss(y, z, weight)), z.copy())
    _, gradient = value_and_gradient(loss, y, z, weight)
    assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.slow
@every_loss
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_extreme_logits_have_a_finite_value_and_gradient(name, kind, params, scale):
    y, z = TARGETS[kind]
    extremes = np.resize(np.concatenate([EXTREMES, [scale, -scale]]), z.shape).astype("float32")
    for logits in (extremes, np.full(z.shape, scale, "float32"), -extremes):
        value, gradient = value_and_gradient(build(name, kind, params), y, outputs(params, logits))
        assert np.isfinite(value).all()
        assert np.isfinite(gradient).all()


@every_loss
def test_probabilities_of_exactly_0_and_1_have_a_finite_value_and_gradient(name, kind, params):
    y, z = TARGETS[kind]
    p = np.resize(np.array([0.0, 1.0, 1.0, 0.0, 0.0], "float32"), z.shape)
    if kind in ("multiclass", "candidates"):
        p = np.eye(3, dtype="float32")[np.arange(len(z)) % 3]
    loss = build(name, kind, params, from_logits=False)
    value, gradient = value_and_gradient(loss, y, outputs(params, p))
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()


@every_loss
def test_probabilities_give_the_loss_of_their_logits(name, kind, params):
    y, z = TARGETS[kind]
    scale = build(name, kind, params).traits.logit_scale
    exclusive = kind in ("multiclass", "candidates")
    # of logits that a softmax leaves a constant free in, those that are log-probabilities
    z = np.asarray(ops.log_softmax(z)) / scale if exclusive else z
    p = np.exp(scale * z) if exclusive else np.asarray(ops.sigmoid(z))
    expected = build(name, kind, params, dtype="float64")(y, outputs(params, z))
    loss = build(name, kind, params, from_logits=False, dtype="float64")
    assert_allclose(loss(y, outputs(params, p)), expected, rtol=1e-8)


@every_loss
def test_order_of_the_rows_does_not_matter(name, kind, params):
    y, z = TARGETS[kind]
    z, weight = outputs(params, z), np.linspace(0.1, 2.0, len(z))
    order = np.random.default_rng(2).permutation(len(z))
    loss = build(name, kind, params, dtype="float64")
    assert_allclose(loss(y, z, weight), loss(y[order], z[order], weight[order]), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "kind", "params"), [case for case in EVERY if case.values[0] not in NOT_REPEATED]
)
def test_weighted_row_is_the_row_repeated(name, kind, params):
    y, z = TARGETS[kind]
    weight = np.arange(len(z)) % 4
    repeated = np.repeat(np.arange(len(z)), weight)
    loss = build(name, kind, params, reduction="mean_with_sample_weight", dtype="float64")
    value, gradient = value_and_gradient(loss, y, z, weight)
    expected, pieces = value_and_gradient(loss, y[repeated], z[repeated])
    summed = np.zeros_like(z)
    np.add.at(summed, repeated, pieces)
    assert_allclose(value, expected, rtol=1e-12)
    assert_allclose(gradient, summed, rtol=1e-9, atol=1e-15)


@every_loss
def test_batch_of_one_value_has_a_finite_value_and_gradient(name, kind, params):
    y, z = TARGETS[kind]
    for value in (0, 1):
        same = np.full_like(y, value)
        if kind in ("multiclass", "candidates"):
            same = one_hot(np.full(len(y), value))
        loss, gradient = value_and_gradient(build(name, kind, params), same, outputs(params, z))
        assert np.isfinite(loss).all()
        assert np.isfinite(gradient).all()


@every_loss
def test_every_form_of_y_has_the_same_loss(name, kind, params):
    Y, z = TARGETS[kind]
    z = outputs(params, z)
    if kind in ("multilabel", "candidates"):
        forms = [Y.astype(bool), Y.astype("float32")]
    else:
        codes = Y.argmax(axis=-1) if Y.shape[-1] > 1 else Y[..., 0]
        forms = [codes, codes[..., None], codes.astype("float64"), codes.astype("int8")]
    loss = build(name, kind, params, dtype="float64")
    expected = loss(Y, z)
    for y in forms:
        assert_allclose(loss(y, z), expected, rtol=1e-12)


@pytest.mark.slow
@fewer_losses
def test_compiled_by_xla_with_a_free_batch_size_is_the_same_as_eager(name, kind, params):
    y, z = TARGETS[kind]
    z, weight = outputs(params, z).astype("float32"), np.linspace(0.5, 2, len(z)).astype("float32")
    y = y.astype("float32")
    loss = build(name, kind, params)

    @tf.function(
        jit_compile=True,
        input_signature=[tf.TensorSpec((None, *a.shape[1:])) for a in (y, z, weight)],
    )
    def compiled(y, z, weight):
        return value_and_gradient_tensors(loss, y, z, weight)

    expected = value_and_gradient(loss, y, z, weight)
    found = compiled(y, z, weight)
    assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-6)
    assert_allclose(found[1], expected[1], rtol=1e-3, atol=1e-5)


def value_and_gradient_tensors(loss, y, z, weight):
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = loss(y, z, weight)
    return value, tape.gradient(value, z)


@pytest.mark.slow
@every_loss
def test_saved_model_comes_back_with_the_same_loss(name, kind, params, tmp_path):
    y, z = TARGETS[kind]
    z = outputs(params, z)
    shape = z.shape[1:]
    model = keras.Sequential([keras.Input(shape), keras.layers.Rescaling(1.0)])
    model.compile(loss=build(name, kind, params), optimizer="sgd")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == model.loss.get_config()
    assert type(loaded.loss) is type(model.loss)
    expected = build(name, kind, params)(y, z)
    assert_allclose(loaded.evaluate(z, y, batch_size=len(z), verbose=0), expected, rtol=1e-5)
    # one sample, in the same graph
    expected = build(name, kind, params)(y[:1], z[:1])
    assert_allclose(loaded.evaluate(z[:1], y[:1], verbose=0), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@fewer_losses
def test_trains_in_plain_keras_in_batches_of_two_sizes(name, kind, params):
    y, z = TARGETS[kind]
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(6, "tanh"), keras.layers.Dense(z.shape[-1])]
    model = keras.Sequential([keras.Input(z.shape[1:]), *layers])
    if params.get("level") == "instance":
        model = with_features(model)
    loss = build(name, kind, params)
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(0.01))
    before = loss(y, model(z))
    # the last batch is one sample, in the graph that was traced for the others
    history = model.fit(z, y, epochs=8, batch_size=len(z) - 1, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    assert loss(y, model(z)) < before


@every_loss
def test_wrong_shapes_raise_instead_of_broadcasting(name, kind, params):
    y, z = TARGETS[kind]
    with pytest.raises(ValueError, match=r"y_true of shape|columns"):
        build(name, kind, params)(y[:-1], outputs(params, z))
    weights = np.ones((len(z), *([7] * (z.ndim - 1))))
    with pytest.raises(ValueError, match="sample_weight has the shape"):
        build(name, kind, params)(y, outputs(params, z), weights)
