"""Estimators that are saved here and loaded elsewhere say the same there."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import cloudpickle
import joblib
import keras
import numpy as np
import pytest
from persisted_parts import OwnLoss, own_network
from sklearn.datasets import make_multilabel_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimb import (
    AutoencoderClassifier,
    AutoencoderOutlierDetector,
    ImbalancedNNClassifier,
    ImbalancedNNSegmenter,
    losses,
)

SUPPORT = Path(__file__).resolve().parents[1] / "support"

# what a process knows that fitted none of them; it prints nothing but what differs
LOADER = """
import sys
import joblib, numpy as np
for kind, (path, load, trusted, X, expected, method) in joblib.load(sys.argv[1]).items():
    found = getattr(eval(load), method)(X)
    if found.dtype != expected.dtype or not np.array_equal(found, expected):
        print(kind, "differs")
"""
LOAD = {
    "pickle": "__import__('pickle').load(open(path, 'rb'))",
    "cloudpickle": "__import__('cloudpickle').load(open(path, 'rb'))",
    "joblib": "joblib.load(path)",
    "joblib, compressed": "joblib.load(path)",
    "joblib, mapped": "joblib.load(path, mmap_mode='r')",
    "skops": "__import__('skops.io').io.load(path, trusted=trusted)",
}


def dump(estimator, path, way):
    if way in ("pickle", "cloudpickle"):
        module = {"pickle": pickle, "cloudpickle": cloudpickle}[way]
        path.write_bytes(module.dumps(estimator))
    elif way == "skops":
        import skops.io

        skops.io.dump(estimator, path)
    else:
        joblib.dump(estimator, path, compress=3 if way == "joblib, compressed" else 0)


def untrusted(path):
    import skops.io

    return skops.io.get_untrusted_types(file=path)


def quick(**params):
    return ImbalancedNNClassifier(cv=None, **{"epochs": 3, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted(binary, multiclass):
    """Return estimators of all kinds with rows to ask them about."""
    X, y = binary
    images = np.random.default_rng(0).normal(size=(8, 16, 16)).astype("float32")
    many = make_multilabel_classification(200, 6, n_classes=3, random_state=0)
    names = np.array(["no", "rare"], dtype=object)[y]
    return {
        "two classes": (quick().fit(X, y), X, "predict_proba"),
        "names of classes": (quick(threshold="f1").fit(X, names), X, "predict"),
        "three classes": (quick(loss="focal").fit(*multiclass), X, "predict_proba"),
        "labels": (quick().fit(*many), many[0], "predict_proba"),
        "own loss": (quick(loss=OwnLoss(2.0)).fit(X, y), X, "predict_proba"),
        "own network": (quick(model=own_network, model__units=3).fit(X, y), X, "predict_proba"),
        "pipeline": (make_pipeline(StandardScaler(), quick()).fit(X, y), X, "predict_proba"),
        "images": (
            quick(model="cnn", epochs=1).fit(images, np.arange(8) % 2), images, "predict_proba"
        ),
        "pixels": (
            ImbalancedNNSegmenter(epochs=1, random_state=0).fit(images, images > 1),
            images,
            "predict_proba",
        ),
        "outliers": (
            AutoencoderOutlierDetector(epochs=2, random_state=0).fit(X), X, "decision_function"
        ),
        "rare outliers": (
            AutoencoderClassifier(epochs=2, random_state=0).fit(X, y), X, "decision_function"
        ),
    }  # fmt: skip


KINDS = [
    "two classes", "names of classes", "three classes", "labels", "own loss", "own network",
    "pipeline", "images", "pixels", "outliers", "rare outliers",
]  # fmt: skip


# those that import least come first, as what they need is not imported for them then
SAVED_AS = {
    "two classes": "pickle",
    "own network": "cloudpickle",
    "own loss": "joblib",
    "pixels": "joblib, compressed",
    "pipeline": "joblib, mapped",
    "names of classes": "skops",
}


@pytest.mark.slow
def test_a_fresh_process_says_the_same_to_the_bit(fitted, tmp_path):
    cases = {}
    for kind, way in SAVED_AS.items():
        if way == "skops" and not find_spec("skops"):
            continue
        estimator, X, method = fitted[kind]
        path = tmp_path / kind
        dump(estimator, path, way)
        trusted = untrusted(path) if way == "skops" else None
        cases[kind] = (path, LOAD[way], trusted, X, getattr(estimator, method)(X), method)
    joblib.dump(cases, tmp_path / "cases")
    result = subprocess.run(
        [sys.executable, "-c", LOADER, str(tmp_path / "cases")],
        capture_output=True, text=True, timeout=300, env=os.environ | {"PYTHONPATH": str(SUPPORT)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["cloudpickle", "joblib, mapped", "skops"])
def test_every_kind_of_estimator_is_saved_and_loaded(fitted, kind, way, tmp_path):
    estimator, X, method = fitted[kind]
    path = tmp_path / "estimator"
    dump(estimator, path, way)
    if way == "skops":
        skops_io = pytest.importorskip("skops.io")
        loaded = skops_io.load(path, trusted=untrusted(path))
    else:
        loaded = (
            cloudpickle.loads(path.read_bytes())
            if way == "cloudpickle"
            else joblib.load(path, mmap_mode="r")
        )
    np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(estimator, method)(X))


@pytest.mark.slow
def test_a_loaded_estimator_goes_on_training_as_the_saved_one_would(binary):
    X, y = binary
    clf = quick(warm_start=True).fit(X, y)
    loaded = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(loaded.fit(X, y).predict_proba(X), clf.fit(X, y).predict_proba(X))
    stream = quick().partial_fit(X, y, classes=[0, 1])
    loaded = pickle.loads(pickle.dumps(stream))
    np.testing.assert_array_equal(
        loaded.partial_fit(X, y).predict_proba(X), stream.partial_fit(X, y).predict_proba(X)
    )


@pytest.mark.slow
def test_a_network_defined_in_the_main_program_is_saved_with_cloudpickle(tmp_path, binary):
    X, y = binary
    program = """
import sys, cloudpickle, keras, joblib
from skimb import ImbalancedNNClassifier

class Twice(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs

def build(meta):
    inputs = keras.Input((meta["n_features_in_"],))
    return keras.Model(inputs, keras.layers.Dense(1)(Twice()(inputs)))

X, y = joblib.load(sys.argv[1])
clf = ImbalancedNNClassifier(model=build, epochs=2, random_state=0).fit(X, y)
open(sys.argv[2], "wb").write(cloudpickle.dumps(clf))
joblib.dump(clf.predict_proba(X), sys.argv[3])
"""
    data, saved, said = (tmp_path / name for name in ("data", "saved", "said"))
    joblib.dump((X, y), data)
    subprocess.run([sys.executable, "-c", program, data, saved, said], check=True, timeout=300)
    loaded = cloudpickle.loads(saved.read_bytes())
    np.testing.assert_array_equal(loaded.predict_proba(X), joblib.load(said))


def rewritten(path, change):
    """Change the description inside a skops file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["schema.json"] = change(parts["schema.json"].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_a_skops_file_lists_nothing_but_what_is_in_the_estimator(fitted, tmp_path):
    pytest.importorskip("skops")
    dump(fitted["two classes"][0], tmp_path / "e", "skops")
    assert all(name.startswith(("skimb.", "keras.")) for name in untrusted(tmp_path / "e"))


def test_a_skops_file_with_another_type_in_it_is_refused(fitted, tmp_path):
    skops_io = pytest.importorskip("skops.io")
    path = tmp_path / "estimator"
    dump(fitted["two classes"][0], path, "skops")
    trusted = untrusted(path)
    rewritten(
        path,
        lambda text: text.replace('"NetworkInterface"', '"Popen"').replace(
            '"skimb.networks.interface"', '"subprocess"'
        ),
    )
    with pytest.raises(
        skops_io.exceptions.UntrustedTypesFoundException, match=r"subprocess\.Popen"
    ):
        skops_io.load(path, trusted=trusted)


def test_a_skops_file_with_code_in_its_network_is_refused(fitted, tmp_path):
    skops_io = pytest.importorskip("skops.io")
    path = tmp_path / "estimator"
    clf = fitted["own network"][0]
    dump(clf, path, "skops")
    inputs = keras.Input((8,))
    harmful = keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs))
    found, wanted = (
        json.dumps(json.dumps(json.dumps(keras.saving.serialize_keras_object(model))))[1:-1]
        for model in (clf.model_, harmful)
    )

    def change(text):
        assert found in text
        return text.replace(found, wanted)

    rewritten(path, change)
    with pytest.raises(ValueError, match="Lambda"):
        skops_io.load(path, trusted=untrusted(path))


def test_a_skops_file_with_another_function_for_its_network_is_refused(fitted, tmp_path):
    skops_io = pytest.importorskip("skops.io")
    path = tmp_path / "estimator"
    dump(fitted["two classes"][0], path, "skops")

    def change(text):
        assert r"\"mlp_ensemble\"" in text
        return text.replace(r"\"mlp_ensemble\"", r"\"start\"")

    rewritten(path, change)
    with pytest.raises(ValueError, match=r"skimb\.networks has no 'start'"):
        skops_io.load(path, trusted=untrusted(path))


def test_a_lambda_layer_is_pickled_but_not_loaded_from_a_safe_format(binary, tmp_path):
    X, y = binary
    skops_io = pytest.importorskip("skops.io")

    def build():
        return keras.Sequential(
            [keras.Input((8,)), keras.layers.Lambda(lambda x: 2 * x), keras.layers.Dense(1)]
        )

    clf = quick(model=build).fit(X, y)
    clf.model = clf._state.built.built_from["model"] = "mlp"  # functions in a test have no name
    loaded = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    skops_io.dump(clf, tmp_path / "estimator")
    with pytest.raises(ValueError, match="Lambda"):
        skops_io.load(tmp_path / "estimator", trusted=untrusted(tmp_path / "estimator"))


@pytest.mark.slow
def test_the_network_alone_is_loaded_with_keras_and_the_losses(binary, tmp_path):
    X, y = binary
    clf = quick(loss="focal").fit(X, y)
    clf.model_.compile(loss=losses.Focal(gamma=3.0))
    clf.model_.save(tmp_path / "network.keras")
    program = """
import sys, keras, numpy as np, skimb.losses
model = keras.models.load_model(sys.argv[1])
assert model.loss.gamma == 3.0
np.save(sys.argv[3], model(np.load(sys.argv[2])).numpy())
"""
    np.save(tmp_path / "X.npy", X)
    arguments = [tmp_path / name for name in ("network.keras", "X.npy", "said.npy")]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, timeout=300)
    said = np.load(tmp_path / "said.npy").ravel()
    np.testing.assert_allclose(said, clf.decision_function(X), rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_a_pickle_in_memory_takes_little_more_than_the_weights(binary):
    X, y = binary
    clf = quick(model__hidden_layer_sizes=(500, 500), dtype="float32").fit(X, y)
    buffer = io.BytesIO()
    joblib.dump(clf, buffer)
    weights = sum(value.nbytes for value in clf.model_.get_weights())
    assert buffer.tell() < 4 * weights  # Adam keeps two more of each
