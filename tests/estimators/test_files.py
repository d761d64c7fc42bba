"""Files of networks: checkpoints, exports, and pickles of networks that Keras cannot rebuild."""

import copy
import pickle
import subprocess
import sys

import cloudpickle
import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from skimb import ImbalancedNNClassifier

L = keras.layers


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4)).astype("float32")
    return X, (X[:, 0] + rng.normal(size=80) > 1).astype(int)


def quick(model="mlp", **params):
    return ImbalancedNNClassifier(model, **{"epochs": 2, "random_state": 0, **params})


# ---- checkpoints

WITHOUT = """
import sys
sys.modules["skimb"] = None  # as where it is not installed
import keras, numpy as np
X = np.load(sys.argv[1])
for path in sys.argv[2:]:
    np.save(path + ".npy", np.asarray(keras.models.load_model(path)(X)))
"""


class Saving(keras.callbacks.Callback):
    """What many people write themselves."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        keras.saving.save_model(self.model, self.path)
        assert keras.models.clone_model(self.model).count_params()


@pytest.mark.slow
def test_checkpoints_load_where_the_library_is_not(table, tmp_path):
    X, y = table
    np.save(tmp_path / "X.npy", X)
    cases = {
        "own optimizer.keras": {"model": "auto", "cv": None, "model__hidden_layer_sizes": (4,)},
        "own optimizer.h5": {"model": "auto", "cv": None, "model__hidden_layer_sizes": (4,)},
        "compiled.keras": {"model__hidden_layer_sizes": (4,), "loss": "focal"},
        "keras.keras": {"model__hidden_layer_sizes": (4,), "trainer": "keras"},
        "ensemble.keras": {
            "model": "auto",
            "cv": None,
            "model__hidden_layer_sizes": (4,),
            "trainer": "keras",
        },
        "saved.keras": {"model": lambda: keras.Sequential([L.Dense(1)]), "loss": "tversky"},
    }
    fitted = {}
    for name, params in cases.items():
        path = str(tmp_path / name)
        callback = Saving(path) if name == "saved.keras" else keras.callbacks.ModelCheckpoint(path)
        fitted[path] = quick(**params, callbacks=[callback]).fit(X, y)
    subprocess.run(
        [sys.executable, "-c", WITHOUT, tmp_path / "X.npy", *fitted], check=True, timeout=300
    )
    for path, clf in fitted.items():
        found = np.load(path + ".npy").ravel()
        assert_allclose(found, clf.decision_function(X), rtol=1e-4, atol=1e-5, err_msg=path)


@pytest.mark.slow
def test_the_network_in_training_can_be_evaluated_by_a_callback(table):
    X, y = table

    class Evaluating(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.loss = self.model.evaluate(X, y[:, None].astype("float32"), verbose=0)

    seen = Evaluating()
    clf = quick(class_weight=None, callbacks=[seen]).fit(X, y)
    assert seen.loss == pytest.approx(clf.history_["loss"][-1], rel=0.2)


@pytest.mark.slow
def test_callbacks_stop_the_training_of_an_ensemble_in_keras(table):
    class Stopping(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert self.model.outputs[0].shape == (None, 1)
            self.model.stop_training = epoch == 1

    params = {"model__hidden_layer_sizes": (4,), "trainer": "keras", "epochs": 5}
    assert quick("auto", **params, callbacks=[Stopping()]).fit(*table).n_iter_ == 2


# ---- history


@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_the_history_has_what_callbacks_add(table, trainer):
    class Notes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["twice"] = 2 * logs["loss"]
            logs["note"] = "no number"
            if epoch == 1:
                logs["late"] = 1.0

    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    clf = quick(
        model__hidden_layer_sizes=(4,), trainer=trainer, callbacks=[schedule, Notes()]
    ).fit(*table)  # fmt: skip
    assert_allclose(clf.history_["learning_rate"], [0.1, 0.05], rtol=1e-6)
    assert_allclose(clf.history_["twice"], 2 * np.array(clf.history_["loss"]))
    assert_array_equal(clf.history_["late"], [np.nan, 1.0])
    assert set(clf.history_) == {"loss", "learning_rate", "twice", "late"}


@pytest.mark.parametrize("params", [{}, {"cv": None}, {"cv": None, "trainer": "keras"}])
def test_the_history_has_the_learning_rates_of_the_default_schedule(table, params):
    clf = quick("auto", model__hidden_layer_sizes=(4,), **params).set_params(epochs=5).fit(*table)
    cosine = [0.00976, 0.00794, 0.005, 0.00206, 0.00024]
    assert_allclose(clf.history_["learning_rate"], cosine, atol=1e-5)
    assert len(clf.history_["loss"]) == 5


def test_the_history_has_the_learning_rate_that_a_plateau_lowers(table):
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10.0)
    clf = quick(epochs=4, model__hidden_layer_sizes=(4,), callbacks=[plateau]).fit(*table)
    assert clf.history_["learning_rate"][-1] < clf.history_["learning_rate"][0]
    assert len(clf.history_["learning_rate"]) == 4


# ---- exports


class Subclassed(keras.Model):
    """A subclassed network that can be copied."""

    def __init__(self, **config):
        super().__init__(**config)
        self.end = L.Dense(1)

    def call(self, x):
        return self.end(x)


class Bare(keras.Model):
    """A subclassed network that Keras cannot rebuild: no ``**kwargs``."""

    def __init__(self, units=3):
        super().__init__()
        self.hidden, self.end = L.Dense(units), L.Dense(1)

    def call(self, x):
        return self.end(self.hidden(x))


def sequential():
    return keras.Sequential([L.Dense(3, "relu"), L.Dense(1)])


@pytest.mark.parametrize(
    "model",
    [pytest.param("auto", marks=pytest.mark.slow), "mlp", sequential, Subclassed, Bare],
)
def test_the_fitted_network_is_exported_without_a_call_before(table, model, tmp_path):
    X, y = table
    clf = quick(model).fit(X, y)
    if model not in (Subclassed, Bare):
        assert clf.model_.inputs[0].shape == (None, 4)
        assert clf.model_.outputs[0].shape == (None, 1)
    clf.model_.export(tmp_path / "exported", format="tf_saved_model", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    assert_allclose(np.ravel(exported.serve(X)), clf.decision_function(X), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # of the exporter
@pytest.mark.parametrize("model", ["mlp", sequential, Subclassed])
def test_onnx_files_predict_what_the_fitted_network_does(table, model, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    X, y = table
    clf = quick(model).fit(X.astype("float32"), y)
    clf.model_.export(tmp_path / "network.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(str(tmp_path / "network.onnx"))
    outputs = session.run(None, {session.get_inputs()[0].name: X.astype("float32")})[0]
    assert_allclose(np.ravel(outputs), clf.decision_function(X), rtol=1e-4, atol=1e-5)


# ---- pickles


class NoConfig(L.Layer):
    """A layer without get_config."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return self.factor * x


def with_no_config(meta, factor=2.0):
    return keras.Sequential(
        [keras.Input((meta["n_features_in_"],)), NoConfig(factor), L.Dense(1)]
    )  # fmt: skip


def with_registered_class(compile_kwargs, params):
    @keras.saving.register_keras_serializable("skimb_test_files")
    class Inside(L.Layer):
        def call(self, x):
            return 3 * x

    assert "optimizer" in compile_kwargs
    assert params["epochs"] == 2
    return keras.Sequential([keras.Input((4,)), Inside(), L.Dense(1)])


def with_registered_function():
    @keras.saving.register_keras_serializable("skimb_test_files")
    def squared(x):
        return x * x

    return keras.Sequential([keras.Input((4,)), L.Dense(3, squared), L.Dense(1)])


@keras.saving.register_keras_serializable("skimb_test_files")
class Constant(keras.initializers.Initializer):
    """A registered class that is no layer."""

    def __call__(self, shape, dtype=None):
        return keras.ops.ones(shape, dtype)


def with_registered_initializer():
    return keras.Sequential([keras.Input((4,)), L.Dense(1, kernel_initializer=Constant())])


BUILDS = [
    Bare, with_no_config, with_registered_class, with_registered_function,
    with_registered_initializer,
]  # fmt: skip


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("module", [pickle, pytest.param(cloudpickle, marks=pytest.mark.slow)])
def test_what_is_pickled_is_loaded(table, build, module):
    X, y = table
    clf = quick(build).fit(X, y)
    p = clf.predict_proba(X)
    twin = module.loads(module.dumps(clf))
    assert_array_equal(twin.predict_proba(X), p)
    assert_array_equal(copy.deepcopy(clf).predict_proba(X), p)
    twin.partial_fit(X, y)
    assert np.abs(twin.predict_proba(X) - p).max() > 0
    assert_array_equal(clf.predict_proba(X), p)
    assert_array_equal(pickle.loads(pickle.dumps(twin)).predict_proba(X), twin.predict_proba(X))


@pytest.mark.slow
def test_pickles_are_loaded_by_a_process_that_has_built_nothing(table, tmp_path):
    X, y = table
    program = """
import sys, pickle, numpy as np
X, *paths = np.load(sys.argv[1]), *sys.argv[2:]
for path in paths:
    with open(path, "rb") as file:
        np.save(path + ".npy", pickle.load(file).decision_function(X))
"""
    np.save(tmp_path / "X.npy", X)
    expected = {}
    for build in BUILDS:
        clf = quick(build).fit(X, y)
        path = str(tmp_path / build.__name__)
        with open(path, "wb") as file:
            pickle.dump(clf, file)
        expected[path] = clf.decision_function(X)
    folder = str(__import__("pathlib").Path(__file__).parent)
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r})\n" + program,
         tmp_path / "X.npy", *expected],
        check=True, timeout=300,
    )  # fmt: skip
    for path, values in expected.items():
        assert_array_equal(np.load(path + ".npy"), values)


_WIDTHS = [3]


def another_every_time():
    return Bare(_WIDTHS[0])


def test_a_function_that_builds_another_network_by_now_is_refused_when_saving(table):
    clf = quick(another_every_time).fit(*table)
    _WIDTHS[0] += 1
    with pytest.raises(TypeError, match=r"cannot be saved.*depend on its arguments alone"):
        pickle.dumps(clf)


def test_a_given_network_that_cannot_be_rebuilt_is_refused_with_the_cure(table):
    with pytest.raises(TypeError, match="Give a function that builds it"):
        quick(Bare()).fit(*table)
    built = Bare()
    built(table[0])
    with pytest.raises(TypeError, match="Give a function that builds it"):
        quick(built).fit(*table)


# ---- start weights and what build functions are told


@pytest.mark.parametrize("model", ["auto", "mlp"])
def test_the_dtype_of_the_features_does_not_decide_the_start_weights(table, model):
    y = table[1]
    X = (table[0] * 10).astype("int64")
    starts = [
        quick(model).initialize(X.astype(dtype), y).model_.trainable_weights
        for dtype in ("float32", "float64", "int64", "int8")
    ]
    for others in starts[1:]:
        for a, b in zip(starts[0], others, strict=True):
            assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["auto", "mlp"])
def test_the_dtype_of_the_features_does_not_decide_the_predictions(table, model):
    X, y = table
    p = [
        quick(model, epochs=20).fit(X.astype(dtype), y).predict_proba(X)
        for dtype in ("float32", "float64")
    ]
    assert_allclose(p[0], p[1], atol=2e-3)


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow", "object"])
def test_every_backend_of_pandas_reads_a_table_to_the_same_prediction(table, backend):
    pd = pytest.importorskip("pandas")
    if backend == "pyarrow":
        pytest.importorskip("pyarrow")
    X, y = table
    member = [None if i % 9 == 0 else bool(x > 0) for i, x in enumerate(X[:, 0])]
    data = {"member": member, "city": np.where(X[:, 1] > 0, "Oslo", "Rome"), "size": X[:, 2]}
    plain = pd.DataFrame(data | {"member": np.array(member, dtype=float)})
    frame = pd.DataFrame(data)
    frame = (
        frame.astype(object) if backend == "object" else frame.convert_dtypes(dtype_backend=backend)
    )
    expected = quick(model__hidden_layer_sizes=(4,)).fit(plain, y).predict_proba(plain)
    clf = quick(model__hidden_layer_sizes=(4,)).fit(frame, y)
    assert_allclose(clf.predict_proba(frame), expected, rtol=1e-4)


def test_build_functions_are_told_of_both_kinds_of_columns(table):
    pd = pytest.importorskip("pandas")
    told = {}

    def build(meta):
        told.update(meta)
        return keras.Sequential([keras.Input((meta["n_features_in_"],)), L.Dense(1)])

    X, y = table
    frame = pd.DataFrame(X, columns=list("abcd"))
    clf = quick(build).fit(frame.assign(e=np.where(X[:, 1] > 0, "x", "z")), y)
    assert told["n_columns_"] == clf.n_features_in_ == 5
    assert list(told["column_names_"]) == list(clf.feature_names_in_) == list("abcde")
    assert told["n_features_in_"] == told["X_shape_"][1] > 5
    told.clear()
    quick(build).fit(frame, y)
    assert told["n_columns_"] == told["n_features_in_"] == 4
    assert list(told["feature_names_in_"]) == list("abcd")
