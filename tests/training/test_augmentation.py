"""Augmentation of training batches in the classifier."""

import random

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skimb import ImbalancedNNClassifier, training
from skimb.training.augmentation import Augmentation
from skimb.training.cache import programs


def images(n=120, channels=True):
    """A bright column at the left of the rare class, at the right of the other."""
    rng = np.random.default_rng(0)
    y = (np.arange(n) % 6 == 0).astype(int)
    X = rng.normal(0, 0.1, size=(n, 6, 6)).astype("float32")
    X[y == 1, :, 0] += 1
    X[y == 0, :, 5] += 1
    return (X[..., None] if channels else X), y


CLF = ImbalancedNNClassifier("mlp", epochs=30, random_state=0, model__hidden_layer_sizes=(8,))


def mirrored(X):
    return X[:, :, ::-1]


def test_function_is_what_training_on_changed_rows_is():
    X, y = images()
    inside = clone(CLF).set_params(augmentation=mirrored, model__normalize=False).fit(X, y)
    outside = clone(CLF).set_params(model__normalize=False).fit(mirrored(X), y)
    assert_allclose(inside.predict_proba(X), outside.predict_proba(X), rtol=1e-6)
    assert inside.trainer_ == "graph"


@pytest.mark.slow
@pytest.mark.parametrize("labels", [[0, 1], [1, 0], ["a", "b"]])
@pytest.mark.parametrize("loss", ["cross_entropy", "categorical_crossentropy"])
def test_minority_alone_is_changed(labels, loss):
    X, y = images()
    y = np.array(labels)[y]
    rare = y == labels[1]
    changed = np.where(rare[:, None, None, None], mirrored(X), X)
    clf = clone(CLF).set_params(model__normalize=False, loss=loss, epochs=5)
    inside = clone(clf).set_params(augmentation=mirrored, augment_classes="minority").fit(X, y)
    assert_allclose(inside.predict_proba(X), clone(clf).fit(changed, y).predict_proba(X), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [True, False])
@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_layers_follow_random_state_and_stay_as_they_were(channels, trainer):
    X, y = images(channels=channels)
    layer = keras.layers.RandomFlip("horizontal", seed=5)
    state = [np.asarray(v) for v in layer.variables]
    clf = clone(CLF).set_params(augmentation=layer, trainer=trainer, epochs=5)
    first = clf.fit(X, y).predict_proba(X)
    assert_array_equal(clf.fit(X, y).predict_proba(X), first)
    for before, variable in zip(state, layer.variables, strict=True):
        assert_array_equal(before, np.asarray(variable))
    without = clone(clf).set_params(augmentation=None).fit(X, y).predict_proba(X)
    assert np.abs(without - first).max() > 1e-3


@pytest.mark.slow
def test_random_flips_make_the_side_of_no_importance():
    """Only the side tells the classes apart, so flipped half of the time there is nothing left."""
    X, y = images()
    clf = clone(CLF).set_params(epochs=300)
    plain = clone(clf).fit(X, y)
    flipped = clone(clf).set_params(augmentation=keras.layers.RandomFlip("horizontal")).fit(X, y)
    assert plain.loss_ < 0.1 < 0.5 < flipped.loss_


@pytest.mark.slow
def test_models_of_layers_and_random_operations_of_keras_train_compiled():
    X, y = images()
    model = keras.Sequential([keras.layers.RandomFlip(), keras.layers.RandomTranslation(0.1, 0.1)])

    def noisy(X):
        return X + keras.random.normal(ops.shape(X), stddev=0.1, dtype="float32")

    for augmentation in (model, noisy):
        clf = clone(CLF).set_params(augmentation=augmentation, epochs=3, trainer="compiled")
        first = clf.fit(X, y).predict_proba(X)
        assert_array_equal(clf.fit(X, y).predict_proba(X), first)


@pytest.mark.slow
def test_functions_of_numpy_train_through_keras_and_follow_random_state():
    X, y = images()

    def shuffled(X):
        X = np.asarray(X)
        return X[:, :, np.random.permutation(X.shape[2])]

    clf = clone(CLF).set_params(augmentation=shuffled, epochs=2)
    first = clf.fit(X, y).predict_proba(X)
    assert clf.trainer_ == "keras"
    assert_array_equal(clf.fit(X, y).predict_proba(X), first)


@pytest.mark.slow
def test_rows_held_out_are_not_changed():
    X, y = images()
    seen = []

    def spy(rows):
        seen.append(np.asarray(rows))
        return rows * 0

    clf = clone(CLF).set_params(augmentation=spy, epochs=2, trainer="keras", early_stopping=False)
    clf.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    rows = {row.tobytes() for batch in seen for row in batch}
    assert rows == {row.tobytes() for row in X[:60]}


def test_weights_stay_with_their_rows():
    X, y = images()
    weight = np.linspace(0.1, 3.0, len(X))
    clf = clone(CLF).set_params(model__normalize=False, epochs=5)
    inside = clone(clf).set_params(augmentation=mirrored).fit(X, y, sample_weight=weight)
    outside = clone(clf).fit(mirrored(X), y, sample_weight=weight)
    assert_allclose(inside.predict_proba(X), outside.predict_proba(X), rtol=1e-6)


@pytest.mark.slow
def test_search_over_augmentation_compiles_once_for_each():
    X, y = images()
    training.clear_cache()
    ways = [None, keras.layers.RandomFlip(), mirrored]
    grid = {"augmentation": ways, "class_weight": [None, {1: 3}]}
    clf = clone(CLF).set_params(epochs=1, batch_size=20)
    GridSearchCV(clf, grid, cv=2, error_score="raise").fit(X, y)
    assert len(programs) == 3
    training.clear_cache()


def test_rare_label_of_an_indicator_matrix_is_the_minority():
    X, y = images()
    Y = np.column_stack([np.ones_like(y), y])
    Y[0, 0] = 0
    clf = clone(CLF).set_params(model__normalize=False, epochs=3)
    inside = clone(clf).set_params(augmentation=mirrored, augment_classes="minority").fit(X, Y)
    changed = np.where((y == 1)[:, None, None, None], mirrored(X), X)
    assert_allclose(inside.predict_proba(X), clone(clf).fit(changed, Y).predict_proba(X), rtol=1e-6)


def test_another_shape_raises():
    X, y = images()
    clf = clone(CLF).set_params(augmentation=lambda X: X[:, :3])
    with pytest.raises(ValueError, match="must keep the shape"):
        clf.fit(X, y)
    assert not hasattr(clf, "classes_")
    with pytest.raises(ValueError, match="augment_classes"):
        clone(CLF).set_params(augment_classes="rare").fit(X, y)


def test_copies_have_seeds_of_their_own():
    layer = keras.layers.RandomFlip(seed=3)
    one = Augmentation(layer).copy()
    one.reseed(7)
    assert one.function is not layer
    X = np.random.default_rng(0).normal(size=(8, 4, 4, 1)).astype("float32")
    y, weight = np.zeros(8), np.ones(8)
    first = np.asarray(one(X, y, weight)[0])
    one.reseed(7)
    assert_array_equal(np.asarray(one(X, y, weight)[0]), first)


def test_layers_that_differ_in_a_long_array_do_not_share_a_program():
    class Scale(keras.layers.Layer):
        def __init__(self, factors, **kwargs):
            super().__init__(**kwargs)
            self.factors = np.asarray(factors)

        def call(self, x):
            return x * ops.cast(self.factors[: x.shape[1]][:, None, None], x.dtype)

        def get_config(self):
            return {**super().get_config(), "factors": self.factors}

    X, y = images()
    factors = np.ones(2000)
    clf = clone(CLF).set_params(model__normalize=False, epochs=2)
    one = clone(clf).set_params(augmentation=Scale(factors)).fit(X, y).predict_proba(X)
    factors = factors.copy()
    factors[3] = 100.0
    other = clone(clf).set_params(augmentation=Scale(factors)).fit(X, y).predict_proba(X)
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.slow
def test_state_of_an_object_and_draws_of_numpy_are_seen_in_every_fit():
    class Shift:
        by = 0.0

        def __call__(self, X):
            return X + self.by

    X, y = images()
    shift = Shift()
    clf = clone(CLF).set_params(augmentation=shift, model__normalize=False, epochs=3)
    first = clf.fit(X, y).predict_proba(X)
    clf.augmentation.by = 5.0
    assert np.abs(clf.fit(X, y).predict_proba(X) - first).max() > 1e-3
    noisy = clone(CLF).set_params(
        augmentation=lambda X: X + np.random.normal(size=X.shape).astype("float32"), epochs=2
    )
    assert noisy.fit(X, y).trainer_ == "keras"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_of_keras_has_the_dtype_of_the_samples(binary, dtype):
    X, y = binary  # float64
    clf = ImbalancedNNClassifier(
        cv=None, augmentation=lambda X: X + 0.1 * keras.random.normal(ops.shape(X)), epochs=2,
        dtype=dtype,
    )  # fmt: skip
    assert clf.fit(X, y).trainer_ == "graph"
    assert clf.fit(X.astype("float32"), y).trainer_ == "graph"
    assert keras.config.floatx() == "float32"


def test_whole_numbers_are_augmented_as_they_are():
    tokens = ops.convert_to_tensor(np.arange(6).reshape(2, 3), "int32")
    found, *_ = Augmentation(lambda X: X[:, ::-1])(tokens, np.zeros(2), np.ones(2))
    assert_array_equal(found, [[2, 1, 0], [5, 4, 3]])
    assert keras.backend.standardize_dtype(found.dtype) == "int32"


def test_lambda_layers_augment_and_classes_are_refused():
    X, y = images()
    layer = keras.layers.Lambda(mirrored)
    clf = clone(CLF).set_params(epochs=2, model__normalize=False)
    one = clone(clf).set_params(augmentation=layer).fit(X, y).predict_proba(X)
    other = clone(clf).set_params(augmentation=mirrored).fit(X, y).predict_proba(X)
    assert_allclose(one, other, rtol=1e-6)
    with pytest.raises(TypeError, match="is a class"):
        clone(clf).set_params(augmentation=keras.layers.RandomFlip).fit(X, y)


def count_calls(draw):
    calls = []

    def augmentation(X):
        calls.append(1)
        return X + float(draw())

    return augmentation, calls


@pytest.mark.slow
@pytest.mark.parametrize("source", ["generator", "legacy", "python"])
def test_random_numbers_of_a_function_are_drawn_for_every_batch(source):
    generator = np.random.default_rng(0)
    draw = {
        "generator": generator.normal, "legacy": np.random.normal, "python": random.random
    }[source]  # fmt: skip
    augmentation, calls = count_calls(draw)
    X, y = images()
    clf = clone(CLF).set_params(augmentation=augmentation, epochs=3, batch_size=40)
    clf.fit(X, y)
    assert clf.trainer_ == "keras"
    assert len(calls) >= 9


def test_function_of_another_number_of_arguments_is_refused():
    with pytest.raises(ValueError, match="a batch of samples"):
        clone(CLF).set_params(augmentation=lambda X, y: X).fit(*images())


def test_layer_that_keras_cannot_build_again_is_refused_with_a_way_out():
    shear = getattr(keras.layers, "RandomShear", None)
    if shear is None:
        pytest.skip("this Keras has no RandomShear")
    layer = shear(0.1, 0.1)
    try:
        type(layer).from_config(layer.get_config())
    except (TypeError, ValueError):
        with pytest.raises(ValueError, match="Give a function that calls it"):
            clone(CLF).set_params(augmentation=layer).fit(*images())
    else:
        assert clone(CLF).set_params(augmentation=layer, epochs=1).fit(*images()).history_
