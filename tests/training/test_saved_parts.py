"""Estimators whose parameters hold objects of Keras are copied, saved and loaded."""

import functools
import io
import pickle
from pathlib import Path

import cloudpickle
import joblib
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from persisted_parts import (
    OwnActivation,
    OwnCallback,
    OwnOptimizer,
    own_activation,
    own_mean_square,
)
from sklearn.base import clone

from skimb import ImbalancedNNClassifier, losses

L = keras.layers


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)).astype("float32")
    return X, (X[:, 0] > 0.8).astype(int)


def quick(model="mlp", **params):
    return ImbalancedNNClassifier(model, **{"epochs": 2, "random_state": 0, **params})


def by_skops(estimator):
    skops_io = pytest.importorskip("skops.io")
    content = skops_io.dumps(estimator)
    found = skops_io.get_untrusted_types(data=content)
    return skops_io.loads(content, trusted=found)


def by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


WAYS = {
    "skops": by_skops,
    "joblib": by_joblib,
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "cloudpickle": lambda estimator: cloudpickle.loads(cloudpickle.dumps(estimator)),
    "clone": clone,
}


def network(*layers):
    return keras.Sequential([keras.Input((4,)), *layers, L.Dense(1)])


def compiled():
    model = network()
    model.compile(keras.optimizers.SGD(0.3), keras.losses.BinaryFocalCrossentropy())
    return model


PARAMETERS = {
    "optimizer": lambda: {"optimizer": keras.optimizers.SGD(0.05, momentum=0.9)},
    "optimizer with a schedule": lambda: {
        "optimizer": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9))
    },
    "optimizer of the user's": lambda: {"optimizer": OwnOptimizer(0.05)},
    "loss": lambda: {"loss": keras.losses.BinaryFocalCrossentropy(gamma=1.0)},
    "losses": lambda: {"loss": losses.WeightedSum({"focal": 1.0, "dice": 0.5})},
    "function as loss": lambda: {"loss": own_mean_square},
    "callbacks": lambda: {
        "callbacks": [keras.callbacks.EarlyStopping("loss", restore_best_weights=True)]
    },
    "callbacks by name": lambda: {"callbacks": {"own": OwnCallback(2)}},
    "network": lambda: {"model": network(L.Dense(3, "relu"))},
    "network of the user's layers": lambda: {"model": network(L.Dense(3), OwnActivation(0.5))},
    "compiled network": lambda: {"model": compiled()},
    "network without a shape": lambda: {"model": keras.Sequential([L.Dense(3), L.Dense(1)])},
    "adapted layer": lambda: {"model": network(L.Normalization(mean=1.0, variance=2.0))},
    "partial function": lambda: {
        "model": functools.partial(own_activation, units=5, activation=L.LeakyReLU(0.3))
    },
    "layer": lambda: {"model": own_activation, "model__activation": OwnActivation(0.7)},
    "augmentation": lambda: {"augmentation": L.GaussianNoise(0.1, seed=1)},
}


@pytest.mark.parametrize(
    "way",
    [pytest.param(w, marks=() if w in ("skops", "clone") else pytest.mark.slow) for w in WAYS],
)
@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
def test_objects_of_keras_as_parameters_come_back(parameters, way):
    clf = quick(**parameters())
    twin = WAYS[way](clf)
    for name, value in parameters().items():
        assert says(getattr(twin, name)) == says(value)
        assert getattr(twin, name) is not getattr(clf, name) or callable(value)


def says(value):
    """Return what two equal parameters have in common."""
    if isinstance(value, (list, tuple)):
        return [says(item) for item in value]
    if isinstance(value, dict):
        return {key: says(item) for key, item in value.items()}
    if isinstance(value, functools.partial):
        return says((value.func, value.args, value.keywords))
    if isinstance(value, keras.callbacks.Callback):
        return type(value), says({k: v for k, v in vars(value).items() if k != "monitor_op"})
    if isinstance(value, keras.Model):
        layers = [(type(x), x.get_config() | {"name": ""}) for x in value.layers]
        how = (says(value.optimizer), says(value.loss)) if value.compiled else ()
        return type(value), layers, how
    if isinstance(value, keras.losses.Loss):
        return type(value), repr(sorted(value.get_config().items()))
    if hasattr(value, "get_config"):
        return type(value), value.get_config() | {"name": ""}
    return value


@pytest.mark.slow
@pytest.mark.parametrize("way", ["skops", "pickle", "clone"])
@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
def test_fitted_and_fitted_again_after_loading_they_predict_the_same(table, parameters, way):
    X, y = table
    clf = quick(**parameters()).fit(X, y)
    p = clf.predict_proba(X)
    twin = WAYS[way](clf)
    if way != "clone":
        assert_array_equal(twin.predict_proba(X), p)
    assert_allclose(clone(twin).fit(X, y).predict_proba(X), p, atol=1e-6)


def test_a_callback_that_wrote_a_file_is_saved_after_the_fit(table, tmp_path):
    logger = keras.callbacks.CSVLogger(str(tmp_path / "epochs.csv"))
    clf = quick(callbacks=[logger]).fit(*table)
    for way in ("skops", "pickle", "clone"):
        again = WAYS[way](clf).fit(*table)
        assert len(Path(logger.filename).read_text().splitlines()) == 1 + again.n_iter_


def test_a_saved_callback_leaves_the_network_of_its_fit_behind(table):
    clf = quick(callbacks=[OwnCallback()]).fit(*table)
    assert clf.callbacks[0].model is not None
    assert pickle.loads(pickle.dumps(clf)).callbacks[0].model is None
    assert clf.callbacks[0].model is not None


class Failing(keras.optimizers.SGD):
    def __init__(self, rate):
        super().__init__(rate)


class Unsaved(L.Layer):
    """A layer without get_config."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor


CODE = {
    "loss=<function": {"loss": lambda y, p: own_mean_square(y, p)},
    "model=<function": {"model": lambda meta: own_activation(meta)},
    r"model\.function=<function": {"model": functools.partial(lambda meta, n: 0, n=3)},
    "augmentation=<function": {"augmentation": lambda x: x},
    r"callbacks\[0\]\.schedule=<function": {
        "callbacks": [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)]
    },
    r"callbacks\['a'\]\.on_epoch_end=<function": {
        "callbacks": {"a": keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: None)}
    },
}


@pytest.mark.parametrize(("named", "params"), CODE.items(), ids=CODE)
def test_code_is_refused_by_name_when_it_is_saved_without_code(named, params):
    skops_io = pytest.importorskip("skops.io")
    clf = quick(**params)
    with pytest.raises(TypeError, match=f"{named}.*top level of a module.*cloudpickle"):
        skops_io.dumps(clf)
    with pytest.raises((pickle.PicklingError, AttributeError), match="pickle"):
        pickle.dumps(clf)
    name = next(iter(params))
    assert type(getattr(cloudpickle.loads(cloudpickle.dumps(clf)), name)) is type(params[name])


@pytest.mark.parametrize(
    ("named", "params"),
    [
        ("optimizer=", {"optimizer": Failing(0.1)}),
        ("model__activation=", {"model__activation": Unsaved(2.0)}),
        ("model=", {"model": network(Unsaved(2.0))}),
    ],
)
@pytest.mark.parametrize("way", ["skops", "pickle", "cloudpickle"])
def test_what_cannot_be_rebuilt_is_refused_when_it_is_saved(named, params, way):
    with pytest.raises(TypeError, match=f"{named}.*cannot be .*saved.*get_config"):
        WAYS[way](quick(**params))


def test_a_lambda_layer_is_refused_by_name_in_a_format_without_code():
    skops_io = pytest.importorskip("skops.io")
    clf = quick(network(L.Lambda(lambda x: 2 * x)))
    with pytest.raises(TypeError, match=r"model=.*format without code.*Lambda"):
        skops_io.dumps(clf)
    assert isinstance(WAYS["pickle"](clf).model.layers[0], L.Lambda)


def test_other_objects_that_skops_cannot_save_are_named(tmp_path):
    skops_io = pytest.importorskip("skops.io")
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"(?s)class_weight=.*cannot be saved with skops.*joblib"):
        skops_io.dumps(quick(class_weight=pd.Series({0: 1.0, 1: 3.0})))
    callback = OwnCallback()
    with (tmp_path / "open").open("w") as callback.file:
        clf = quick(callbacks=[callback])
        with pytest.raises(TypeError, match=r"callbacks\[0\]\.file=.*skops"):
            skops_io.dumps(clf)


def test_an_optimizer_that_cannot_be_copied_is_refused_with_the_cure(table):
    with pytest.raises(TypeError, match=r"optimizer=.*get_config.*pass optimizer=Failing"):
        quick(optimizer=Failing(0.1)).fit(*table)
