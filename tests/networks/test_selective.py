"""The layer of members that drops inputs in training and has factors for them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare

from skimb.networks import SelectiveDense, mlp_ensemble
from skimb.networks.selective import uniform_numbers


def layer_of(n_inputs=6, **params):
    layer = SelectiveDense(3, 2, seed=0, **params)
    layer.build((None, n_inputs))
    rng = np.random.default_rng(0)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return layer


def test_it_predicts_with_the_product_of_kernel_and_factors():
    layer = layer_of(input_dropout=0.5, input_factors=True)
    X = np.random.default_rng(1).normal(size=(5, 6)).astype("float32")
    kernel, factors, bias = (np.asarray(v) for v in (layer.kernel, layer.factors, layer.bias))
    expected = np.stack([X * factors[k] @ kernel[k] + bias[k] for k in range(3)], axis=1)
    assert_allclose(np.asarray(layer(X)), expected, rtol=1e-5, atol=1e-6)


def test_a_step_drops_the_same_inputs_of_every_sample_and_scales_up_the_others():
    layer = layer_of(n_inputs=1000, input_dropout=0.2)
    layer.bias.assign(np.zeros((3, 2)))
    layer.kernel.assign(np.ones((3, 1000, 2)))
    # what samples with one input tell: whether it is dropped
    seen = np.asarray(layer(np.eye(1000, dtype="float32"), training=True))
    assert_allclose(np.unique(seen), [0, 1.25])
    assert (seen == seen[:, :1, :1]).all()  # for all members and units
    assert np.mean(seen == 0) == pytest.approx(0.2, abs=0.04)
    again = np.asarray(layer(np.eye(1000, dtype="float32"), training=True))
    assert (again != seen).any()  # other inputs in the next step
    twice = np.asarray(layer(np.ones((2, 1000), "float32"), training=True))
    assert_array_equal(twice[0], twice[1])


def test_the_same_inputs_are_dropped_whatever_the_dtype():
    of_dtype = {}
    for dtype in ("float32", "float64"):
        layer = SelectiveDense(1, 1, input_dropout=0.5, seed=3, dtype=dtype)
        seen = np.asarray(layer(np.eye(50, dtype=dtype), training=True))
        of_dtype[dtype] = seen.ravel() != 0
    assert_array_equal(*of_dtype.values())


def test_members_drop_inputs_at_rates_of_their_own():
    layer = SelectiveDense(2, 1, input_dropout=[0.0, 0.5], kernel_initializer="ones", seed=0)
    seen = np.asarray(layer(np.eye(1000, dtype="float32"), training=True))[..., 0]
    assert (seen[:, 0] == 1).all()
    assert_allclose(np.unique(seen[:, 1]), [0, 2])
    assert np.mean(seen[:, 1] == 0) == pytest.approx(0.5, abs=0.05)


def test_its_random_numbers_are_uniform_and_independent():
    drawn = np.array([uniform_numbers(np.array([5, step]), 400) for step in range(500)])
    assert ((drawn >= 0) & (drawn < 1)).all()
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
    assert chisquare(counts).pvalue > 0.01
    # of one number and the next, of one step and the next, and of one seed and the next
    other = np.array([uniform_numbers(np.array([6, step]), 400) for step in range(500)])
    for one, two in ((drawn[:, 1:], drawn[:, :-1]), (drawn[1:], drawn[:-1]), (drawn, other)):
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 4 / one.size**0.5


def test_compilers_agree_on_its_random_numbers():
    state = tf.constant([2**31 - 1, 12345], "int64")
    eager = np.asarray(uniform_numbers(state, 100))
    for xla in (False, True):
        compiled = tf.function(lambda s: uniform_numbers(s, 100), jit_compile=xla)
        assert_array_equal(np.asarray(compiled(state)), eager)


@pytest.mark.parametrize("rate", [1.0, -0.1, "some", [0.1, 0.2], np.nan])
def test_fractions_that_cannot_be_dropped_are_errors(rate):
    with pytest.raises(ValueError, match="input_dropout"):
        SelectiveDense(3, 1, input_dropout=rate)
    with pytest.raises(ValueError, match="input_dropout"):
        mlp_ensemble((4,), 1, n_members=6, n_piecewise=3, input_dropout=rate)


@pytest.mark.parametrize("params", [{"input_dropout": 0.2}, {"input_factors": True}])
def test_what_is_about_encoded_inputs_needs_some(params):
    with pytest.raises(ValueError, match="Set model__n_piecewise"):
        mlp_ensemble((4,), 1, **params)


def test_a_saved_network_with_it_predicts_the_same(tmp_path):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layer_of(input_dropout=0.2, input_factors=True)(inputs))
    X = np.random.default_rng(1).normal(size=(5, 6)).astype("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_allclose(np.asarray(loaded(X)), np.asarray(model(X)), rtol=1e-6)
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


def test_a_penalty_and_an_activation_are_those_of_a_dense_layer():
    layer = layer_of(activation="tanh", kernel_regularizer=keras.regularizers.L2(0.1))
    X = np.random.default_rng(1).normal(size=(5, 6)).astype("float32")
    dense = keras.layers.EinsumDense("bi,kio->bko", (3, 2), "tanh", bias_axes="ko")
    dense.build((None, 6))
    dense.set_weights([layer.kernel, layer.bias])
    assert_allclose(np.asarray(layer(X)), np.asarray(dense(X)), rtol=1e-5, atol=1e-6)
    assert_allclose(layer.losses[0], 0.1 * np.sum(np.square(layer.kernel)), rtol=1e-5)
