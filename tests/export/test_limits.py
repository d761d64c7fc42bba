"""Exports: a copy, its names and dtypes, and errors for what has no counterpart in Keras."""

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.export import input_names
from skimb.networks import AddChannel, PadToMultiple

Y = np.arange(60) % 5 == 0
X = np.random.default_rng(0).normal(size=(60, 3)) + Y[:, np.newaxis]


def classifier(X, y=Y, **params):
    return ImbalancedNNClassifier(model="mlp", epochs=1, random_state=0, **params).initialize(X, y)


def test_an_exported_model_is_a_copy():
    clf = ImbalancedNNClassifier(model="mlp", epochs=1, random_state=0, warm_start=True).fit(X, Y)
    model = clf.to_keras()
    before = np.asarray(model(X)["probabilities"])
    clf.fit(X, Y)
    assert_array_equal(model(X)["probabilities"], before)
    assert np.abs(clf.predict_proba(X) - before).max() > 1e-4


def test_positions_of_classes_take_the_place_of_labels():
    clf = classifier(X, np.where(Y, "rare", "usual"))
    found = clf.to_keras(labels=False)(X)["class"]
    assert_array_equal(clf.classes_[np.asarray(found)], clf.predict(X))


@pytest.mark.slow
def test_a_segmenter_is_exported_for_images_of_any_size():
    images, masks = np.random.default_rng(0).normal(size=(4, 9, 11)), np.zeros((4, 9, 11), int)
    masks[:, 2:4, 2:4] = 1
    seg = ImbalancedNNSegmenter(model__depth=2, model__width=4).initialize(images, masks)
    model = seg.to_keras()
    for shape in ((1, 1, 1), (2, 7, 16), (1, 30, 5)):
        others = np.random.default_rng(1).normal(size=shape)
        assert_array_equal(model(others)["class"], seg.predict(others))


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["age", "Ort", "x y"], ["age", "Ort", "x_y"]),
        (["age", "Age"], ["x0", "x1"]),
        (["x1", "€"], ["x0", "x1"]),
        (["a/b", "a b", "for", "1"], ["x0", "x1", "for_", "x_1"]),
    ],
)
def test_names_of_inputs_are_those_of_the_columns_where_they_can_be(columns, names):
    assert input_names(columns) == names


def test_inputs_are_in_the_order_of_the_columns_also_in_a_file(tmp_path):
    frame = pd.DataFrame({"z": ["a", "b"] * 30, "a": np.arange(60.0), "M": ["c", "d", "e"] * 20})
    model = classifier(frame).to_keras()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert list(model.input) == list(loaded.input) == ["z", "a", "M"]


def test_an_estimator_that_is_not_fitted_has_no_model_to_export():
    with pytest.raises(NotFittedError):
        ImbalancedNNClassifier().to_keras()


def test_text_and_numbers_in_a_column_are_not_exported():
    frame = pd.DataFrame({"size": pd.Series(["small", 3] * 30, dtype=object)})
    with pytest.raises(TypeError, match="'size' of X has both text and numbers as categories"):
        classifier(frame).to_keras()


def test_empty_text_beside_missing_values_is_not_exported():
    frame = pd.DataFrame({"city": pd.Series(["Rome", "", None] * 20, dtype=object)})
    with pytest.raises(ValueError, match="'city' of X has both missing values and empty text"):
        classifier(frame).to_keras()


def test_empty_text_is_a_category_where_no_value_is_missing():
    frame = pd.DataFrame({"city": ["Rome", ""] * 30})
    clf = classifier(frame)
    found = clf.to_keras()({"city": keras.ops.convert_to_tensor([["Rome"], [""]])})
    assert_array_equal(found["class"], clf.predict(frame[:2]))


def test_layers_of_the_package_are_replaced_in_networks_within_a_network():
    inner = keras.Input((None, None))
    block = keras.Model(inner, PadToMultiple(4)(AddChannel()(inner)))
    inputs = keras.Input((6, 6))
    x = keras.layers.GlobalMaxPooling2D()(block(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    images = np.random.default_rng(0).normal(size=(60, 6, 6)).astype("float32")
    clf = ImbalancedNNClassifier(model=model).initialize(images, Y)
    names = {type(layer).__module__.partition(".")[0] for layer in _layers(clf.to_keras())}
    assert names == {"keras"}
    assert_array_equal(clf.to_keras()(images)["class"], clf.predict(images))


def test_layers_of_the_package_within_a_wrapper_are_not_exported():
    inputs = keras.Input((4, 6, 6))
    x = keras.layers.TimeDistributed(AddChannel())(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    images = np.zeros((60, 4, 6, 6), "float32")
    clf = ImbalancedNNClassifier(model=model).initialize(images, Y)
    with pytest.raises(TypeError, match="layers AddChannel of skimb within a class, a wrapper"):
        clf.to_keras()


def _layers(model):
    return list(model._flatten_layers(include_self=False))
