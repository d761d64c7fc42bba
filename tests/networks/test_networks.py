"""The built-in networks."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb.networks import cnn, initial_values, mlp, standardizes, unet, with_statistics


def test_mlp_has_the_layers_it_is_asked_for_and_ends_in_logits():
    model = mlp((5,), 3, hidden_layer_sizes=(7, 4), activation="tanh", dropout=0.1, l2=0.01)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [7, 4, 3]
    assert [layer.activation.__name__ for layer in dense] == ["tanh", "tanh", "linear"]
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in model.layers) == 2
    assert not model.compiled
    assert len(model.losses) == 3


def test_mlp_without_hidden_layers_is_linear():
    model = mlp((3,), 1, hidden_layer_sizes=(), normalize=False)
    kernel, bias = model.get_weights()
    X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    assert_allclose(np.asarray(model(X)), X @ kernel + bias, rtol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (1, 1), (3, 50, 1)])
def test_cnn_takes_images_of_any_size(shape):
    model = cnn(shape, 2)
    assert model(np.zeros((5, *shape), "float32")).shape == (5, 2)


def test_cnn_sees_a_small_bright_spot_wherever_it_is():
    """The maximum over the map makes the logit nearly independent of the place."""
    model = cnn((32, 32), 1, hidden_layer_sizes=(8,), normalize=False)
    images = np.zeros((2, 32, 32), "float32")
    images[0, 6:10, 6:10] = images[1, 20:24, 14:18] = 1
    one, other = np.asarray(model(images))[:, 0]
    assert one == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("build", [mlp, cnn])
def test_standardised_input_has_mean_zero_and_variance_one(build):
    shape = (6,) if build is mlp else (6, 6, 2)
    X = 100 + 5 * np.random.default_rng(0).normal(size=(50, *shape))
    axes = tuple(range(X.ndim - 1))
    model = build(shape, 1, input_dtype="float64")
    values = with_statistics(
        model, [v.numpy() for v in model.variables], X.mean(axis=axes), X.var(axis=axes)
    )
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    layer = model.get_layer("standardize")
    out = np.asarray(keras.Model(model.inputs, layer.output)(X))
    assert_allclose(out.mean(axis=axes), 0, atol=1e-9)
    assert_allclose(out.var(axis=axes), 1, rtol=1e-9)
    assert standardizes(model)
    assert not standardizes(build(shape, 1, normalize=False))


def test_float64_input_keeps_small_differences_of_large_features():
    """1.7e9 + seconds: float32 alone would round them to steps of 128."""
    model = mlp((1,), 1, hidden_layer_sizes=(), input_dtype="float64")
    values = with_statistics(
        model, [v.numpy() for v in model.variables], np.array([1.7e9]), np.array([100.0])
    )
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    z = np.asarray(model(np.array([[1.7e9 + 10], [1.7e9 - 10]])))
    kernel = model.get_layer("logits").get_weights()[0][0, 0]
    assert_allclose(z[:, 0], [kernel, -kernel], rtol=1e-5)


def test_initial_values_are_drawn_by_the_layers_own_initialisers():
    model = mlp((200,), 1, hidden_layer_sizes=(300,), dropout=0.5)
    values = initial_values(model, np.random.RandomState(0))
    by_name = {v.path: value for v, value in zip(model.variables, values, strict=True)}
    kernel = next(v for k, v in by_name.items() if v.shape == (200, 300))
    limit = np.sqrt(6 / (200 + 300))  # Glorot and Bengio 2010
    assert np.abs(kernel).max() <= limit
    assert kernel.var() == pytest.approx(limit**2 / 3, rel=0.02)
    again = initial_values(model, np.random.RandomState(0))
    other = initial_values(model, np.random.RandomState(1))
    assert all(np.array_equal(a, b) for a, b in zip(values, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(values, other, strict=True))


def test_a_saved_network_loads_with_keras_alone(tmp_path):
    model = mlp((4,), 2, dropout=0.1)
    model.save(tmp_path / "model.keras")
    X = np.ones((3, 4), "float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_allclose(np.asarray(loaded(X)), np.asarray(model(X)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (2.5,)}, "hidden_layer_sizes"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"l2": -1.0}, "l2=-1.0"),
    ],
)
def test_impossible_parameters_are_errors(params, message):
    for build, shape in ((mlp, (4,)), (cnn, (4, 4))):
        with pytest.raises(ValueError, match=message):
            build(shape, 1, **params)


def test_cnn_of_a_table_points_to_the_mlp():
    with pytest.raises(ValueError, match="model='mlp'"):
        cnn((4,), 1)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (5, 12), (16, 16), (17, 3)])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_unet_has_logits_for_every_pixel_of_images_of_any_size(size, depth):
    for channels in ((), (1,), (3,)):
        model = unet((8, 8, *channels), 2, depth=depth, width=2)
        assert model(np.ones((3, *size, *channels), "float32")).shape == (3, *size, 2)


def test_unet_sees_no_further_than_its_depth_allows():
    model = unet((64, 64), 1, depth=1, width=2)
    for variable in model.trainable_variables:  # no unit is off for all pixels
        variable.assign(np.abs(variable))
    X = np.random.default_rng(0).normal(size=(1, 64, 64)).astype("float32")
    changed = X.copy()
    changed[0, 0, 0] += 100
    differs = np.abs(np.asarray(model(X) - model(changed)))[0, ..., 0] > 1e-6
    rows, columns = np.nonzero(differs)
    assert differs[0, 0]
    assert max(rows.max(), columns.max()) < 20


def test_padding_of_an_image_does_not_change_what_is_far_from_its_edge():
    model = unet((64, 64), 1, depth=2, width=2)
    X = np.random.default_rng(0).normal(size=(1, 66, 71)).astype("float32")
    whole, part = np.asarray(model(X)), np.asarray(model(X[:, :64, :68]))
    assert_allclose(whole[:, :32, :32], part[:, :32, :32], atol=1e-5)


def test_a_saved_unet_takes_images_of_any_size(tmp_path):
    model = unet((8, 8, 3), 1, depth=2, width=2)
    model.save(tmp_path / "model.keras")
    X = np.random.default_rng(0).normal(size=(2, 11, 6, 3)).astype("float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_allclose(np.asarray(loaded(X)), np.asarray(model(X)), rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "params", "message"),
    [
        ((8,), {}, "requires images of shape"),
        ((8, 8), {"depth": -1}, "model__depth=-1"),
        ((8, 8), {"width": 0}, "model__width=0"),
        ((8, 8), {"dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_impossible_unets_are_errors(shape, params, message):
    with pytest.raises(ValueError, match=message):
        unet(shape, 1, **params)
