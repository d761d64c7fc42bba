"""One label a pixel: what is refused, with an error that names it."""

import keras
import numpy as np
import pytest
from mask_cases import drawn

from skimb import ImbalancedNNSegmenter


@pytest.fixture(scope="module")
def data():
    return *drawn(48, 0), *drawn(24, 1)


def bad(**changes):
    X, y = drawn(6, 0)
    return {"X": X, "y": y, **changes}


X6, Y6 = drawn(6, 0)


@pytest.mark.parametrize(
    ("params", "arguments", "message"),
    [
        ({}, {"y": Y6.any(axis=(1, 2))}, r"y has the shape \(6,\)"),
        ({}, {"y": np.eye(2)[Y6.astype(int)]}, "one-hot"),
        ({}, {"y": Y6[:, :8]}, "masks of shape"),
        ({}, {"y": Y6[:4]}, "inconsistent numbers of samples"),
        ({}, {"y": Y6 * 0.5}, "fractions"),
        ({}, {"y": np.where(Y6, np.nan, 0)}, "NaN"),
        ({}, {"y": np.zeros_like(Y6)}, "one class"),
        ({}, {"y": np.where(Y6, 1, None)}, "mixes labels"),
        ({}, {"y": np.where(Y6, 1.0, np.nan).astype(object)}, "y has NaN"),
        ({}, {"X": X6[:, 0]}, r"X has the shape \(6, 16\)"),
        ({}, {"X": [X6[0], X6[1][:9]], "y": [Y6[0], Y6[1]]}, "X\\[1\\] is an image of shape"),
        ({}, {"X": np.ones((6, 3, 16, 16))}, "Channels come last"),
        ({}, {"y": Y6[:, None]}, r"Pass y\[:, 0\]"),
        ({}, {"X": np.ones((6, 4, 16, 16)), "y": np.ones((6, 4, 16, 16))}, "Volumes are not taken"),
        ({}, {"X": np.ones((6, 4, 16, 16, 1))}, "Volumes are not taken"),
        ({"monitor": "val_dice", "early_stopping": True}, {}, "Did you mean 'dice'"),
        ({"augmentation": lambda images: images}, {}, "a batch of images and masks"),
        ({}, {"X": np.where(X6 > 1, np.nan, X6)}, "NaN"),
        ({}, {"sample_weight": np.ones((6, 16))}, "sample_weight has the shape"),
        ({}, {"sample_weight": -np.ones(6)}, "at least 0"),
        ({}, {"sample_weight": np.zeros(6)}, "nothing but zero weights"),
        ({"background": 7}, {}, "background=7"),
        ({"loss": "ldam"}, {}, "Losses for pixels targets"),
        ({"class_weight": "most"}, {}, "median_frequency"),
        ({"prior_correction": True}, {}, "no closed form"),
        ({"model": keras.Sequential([keras.Input((16, 16)), keras.layers.Flatten()])}, {},
         "outputs of shape"),
        ({"model": "mlp"}, {}, "'model' parameter"),
        ({"model__depth": -1}, {}, "model__depth=-1"),
        ({"model__width": 2.5}, {}, "model__width=2.5"),
        ({"scoring": "dise"}, {}, "not a score"),
        ({"threshold": "dise"}, {}, "threshold='dise'"),
        ({"loss": lambda y, p: keras.ops.mean(p), "class_weight": "balanced"}, {},
         "one number for a whole batch"),
        ({"augmentation": keras.layers.Rescaling(2.0)}, {}, "whose effect on masks is not known"),
        ({"augmentation": lambda images, masks: images}, {}, "must return a pair"),
        ({"augmentation": lambda images, masks: (images, masks[:, 1:])}, {}, "masks of shape"),
        ({"augmentation": keras.layers.RandomFlip}, {}, "is a class"),
        ({"augmentation": keras.layers.Lambda(lambda x: x)}, {}, "the layer Lambda"),
    ],
)  # fmt: skip
def test_what_is_not_accepted_is_named_and_nothing_is_fitted(params, arguments, message):
    seg = ImbalancedNNSegmenter(epochs=1, model__width=2, random_state=0)
    if callable(params.get("model")) or params.get("model") == "mlp":
        seg = ImbalancedNNSegmenter(epochs=1, random_state=0)
    seg.set_params(**params)
    with pytest.raises((ValueError, TypeError), match=message):
        seg.fit(**bad(**arguments))
    assert not hasattr(seg, "classes_")
    assert not hasattr(seg, "background_")


def test_a_network_of_fixed_size_refuses_others(data):
    X, y, *_ = data
    inputs = keras.Input((16, 16))
    outputs = keras.layers.Conv2D(1, 1)(keras.layers.Reshape((16, 16, 1))(inputs))
    seg = ImbalancedNNSegmenter(keras.Model(inputs, outputs), epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"samples of shape \(20, 20\)"):
        seg.predict(drawn(2, 0, size=20)[0])
