"""Rows and columns by name: what has another order than in `fit`, or than X, is not silent."""

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold

from skimb import AutoencoderClassifier, ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.data import Inputs

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] > 0.7).astype(int)
FRAME = pd.DataFrame(X, columns=list("abc"), index=np.arange(60) + 5)
SHUFFLED = RNG.permutation(FRAME.index)
IMAGES = RNG.normal(size=(8, 8, 8)).astype("float32")
MASKS = (IMAGES > 1).astype(int)


def quick(**params):
    return ImbalancedNNClassifier("mlp", **{"epochs": 1, "random_state": 0, **params})


def two_inputs(**params):
    def add(meta):
        shapes = meta["input_shapes_"]
        named = shapes.items() if isinstance(shapes, dict) else zip("ab", shapes, strict=True)
        inputs = [keras.Input(shape, name=name) for name, shape in named]
        return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(inputs)))

    return ImbalancedNNClassifier(add, **{"epochs": 1, "random_state": 0, **params})


PAIR = {"a": FRAME[["a", "b"]], "b": FRAME[["c"]]}
TURNED = {"a": PAIR["a"], "b": PAIR["b"].loc[SHUFFLED]}


def series(values, index=SHUFFLED):
    return pd.Series(values, index=index)


MISALIGNED = {
    "y": lambda: quick().fit(FRAME, series(Y)),
    "y of labels": lambda: quick().fit(FRAME, pd.DataFrame({"p": Y, "q": Y}, index=SHUFFLED)),
    "sample_weight": lambda: quick().fit(FRAME, Y, sample_weight=series(np.ones(60))),
    "groups": lambda: quick(cv=GroupKFold(2)).fit(FRAME, Y, groups=series(np.arange(60) // 2)),
    "y of a score": lambda: quick().fit(FRAME, Y).score(FRAME, series(Y)),
    "y of a chunk": lambda: quick().partial_fit(FRAME, series(Y), classes=[0, 1]),
    "y_val": lambda: quick(early_stopping=True).fit(FRAME, Y, X_val=FRAME, y_val=series(Y)),
    "y beside several inputs": lambda: two_inputs().fit(PAIR, series(Y)),
    "sample_weight beside several inputs": lambda: two_inputs().fit(
        list(PAIR.values()), Y, sample_weight=series(np.ones(60))
    ),
    "groups beside several inputs": lambda: two_inputs(cv=GroupKFold(2)).fit(
        Inputs(PAIR), Y, groups=series(np.arange(60) // 2)
    ),
    "y of an autoencoder": lambda: AutoencoderClassifier(epochs=1).fit(FRAME, series(Y)),
}


@pytest.mark.parametrize("case", MISALIGNED)
def test_an_index_in_another_order_than_that_of_the_features_is_a_warning(case):
    name = case.split()[0].removesuffix("_val")
    with pytest.warns(UserWarning, match=rf"{name} has the same index.*loc\[X\.index\].*to_numpy"):
        MISALIGNED[case]()


@pytest.mark.parametrize("part", [dict, Inputs, lambda X: list(X.values())])
def test_inputs_whose_rows_have_another_order_than_each_other_are_a_warning(part):
    with pytest.warns(UserWarning, match=r"input .+ has the same index as the input .+reset_index"):
        two_inputs().fit(part(TURNED), Y)
    clf = two_inputs().fit(part(PAIR), Y)
    with pytest.warns(UserWarning, match="same index as the input"):
        clf.predict(part(TURNED))


def test_inputs_in_one_order_say_nothing():
    anew = {"a": PAIR["a"], "b": PAIR["b"].reset_index(drop=True)}
    arrays = {"a": PAIR["a"].to_numpy(), "b": PAIR["b"].loc[SHUFFLED]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in (PAIR, anew, arrays, Inputs(PAIR)[::2]):
            two_inputs().fit(given, Y[: len(given["a"])]).predict(given)


def test_values_go_by_position_whatever_the_index():
    with pytest.warns(UserWarning, match="same index"):
        found = quick().fit(FRAME, series(Y)).predict_proba(FRAME)
    assert_array_equal(found, quick().fit(FRAME, Y).predict_proba(FRAME))


@pytest.mark.parametrize(
    "index",
    [FRAME.index, np.arange(60), np.zeros(60, int), np.arange(60) + 500],
    ids=["same", "anew", "one value", "others"],
)
def test_other_indices_say_nothing(index):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick().fit(FRAME, series(Y, index), sample_weight=series(np.ones(60), index))


@pytest.mark.parametrize(
    "names", [[0, 1, 2], [2020, 2021, 2022], [0.5, 1.5, 2.5], [("a", 1), 5, 6]]
)
def test_columns_with_numbers_as_names_keep_their_order(names):
    frame = FRAME.set_axis(pd.Index(names, tupleize_cols=False), axis=1)
    clf = quick().fit(frame, Y)
    turned = frame.iloc[:, ::-1]
    with pytest.raises(ValueError, match=r"in fit their order was"):
        clf.predict(turned)
    with pytest.raises(ValueError, match=r"in fit their order was"):
        clf.partial_fit(turned, Y)
    assert_array_equal(clf.predict(turned[list(frame.columns)]), clf.predict(frame))
    assert clf.predict(FRAME.to_numpy()).shape == (60,)
    assert clf.predict(frame.set_axis([7, 8, 9], axis=1)).shape == (60,)  # as scikit-learn has it


def test_text_beside_columns_with_numbers_as_names_keeps_its_place():
    frame = pd.DataFrame({0: X[:, 0], 1: np.where(X[:, 1] > 0, "x", "y"), 2: X[:, 2]})
    clf = quick().fit(frame, Y)
    with pytest.raises(ValueError, match=r"X\[\[0, 1, 2\]\]"):
        clf.predict_proba(frame[[2, 1, 0]])


# ---- others of the kinds


def test_an_array_of_objects_that_are_images_is_an_array_of_images():
    objects = np.empty(8, object)
    objects[:] = list(IMAGES)
    y = np.arange(8) % 2
    layers = [keras.layers.Flatten(), keras.layers.Dense(1)]
    clf = ImbalancedNNClassifier(keras.Sequential(layers), epochs=1, random_state=0)
    found, expected = (clf.fit(given, y).predict_proba(IMAGES) for given in (objects, IMAGES))
    assert_array_equal(found, expected)
    objects[0] = IMAGES[0][:4]
    with pytest.raises(ValueError, match=r"different shapes, \(4, 8\), \(8, 8\)"):
        clf.fit(objects, y)


@pytest.mark.parametrize("subclassed", [False, True])
def test_a_network_that_returns_a_dict_is_refused(subclassed):
    class Named(keras.Model):
        def __init__(self, **config):
            super().__init__(**config)
            self.end = keras.layers.Dense(1)

        def call(self, x):
            return {"fraud": self.end(x)}

    inputs = keras.Input((3,))
    functional = keras.Model(inputs, {"fraud": keras.layers.Dense(1)(inputs)})
    clf = ImbalancedNNClassifier(Named if subclassed else functional, epochs=1)
    with pytest.raises(ValueError, match="returns a dict with 'fraud'"):
        clf.fit(X, Y)


def test_a_vocabulary_is_never_lost_in_a_copy():
    def network(lookup):
        inputs = keras.Input((1,))
        codes = lookup(keras.ops.cast(inputs, "int64"))
        return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(codes)))

    codes = RNG.choice([3.0, 5.0, 7.0], size=(60, 1))
    y = (codes[:, 0] == 7).astype(int)
    adapted = keras.layers.IntegerLookup(output_mode="one_hot")
    adapted.adapt([3, 5, 7])
    with pytest.raises(TypeError, match="adapted to a vocabulary"):
        ImbalancedNNClassifier(network(adapted), epochs=1).fit(codes, y)
    given = keras.layers.IntegerLookup(vocabulary=[3, 5, 7], output_mode="one_hot")
    clf = ImbalancedNNClassifier(network(given), epochs=60, optimizer__learning_rate=0.1)
    assert clf.set_params(random_state=0).fit(codes, y).score(codes, y) == 1


@pytest.mark.slow
def test_masks_with_255_beside_the_classes_are_a_warning_and_none_but_ignored_pixels_an_error():
    seg, masks = ImbalancedNNSegmenter(epochs=1, random_state=0), MASKS.copy()
    masks[:, 0] = 255
    with pytest.warns(UserWarning, match=r"label 255 in 64 pixels.*ignore_label=255"):
        seg.fit(IMAGES, masks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seg.set_params(ignore_label=255).fit(IMAGES, masks)
        seg.set_params(ignore_label=None).fit(IMAGES, 255 * MASKS)  # black and white
    with pytest.raises(ValueError, match=r"besides those of ignore_label=255"):
        seg.set_params(ignore_label=255).fit(IMAGES, np.full_like(masks, 255))
