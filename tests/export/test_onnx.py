"""Exported models answer in ONNX Runtime as the estimator does."""

import subprocess
import sys

import export_cases
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

DTYPES = {"tensor(double)": "float64", "tensor(float)": "float32", "tensor(string)": object}


@pytest.fixture(autouse=True)
def _needs_onnx():
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")


def assert_answers(path, estimator, X, inputs):
    """Run a file, and compare probabilities and positions of classes with the estimator."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    if not isinstance(inputs, dict):
        inputs = {session.get_inputs()[0].name: inputs}
    else:
        inputs = {name: column[:, np.newaxis] for name, column in inputs.items()}
    feed = {i.name: inputs[i.name].astype(DTYPES[i.type]) for i in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, feed), strict=True))
    assert_allclose(found["probabilities"], estimator.predict_proba(X), atol=1e-5)
    labels = found["class"]
    labels = labels if labels.ndim == 2 and X.ndim == 2 else estimator.classes_[labels]
    assert_array_equal(labels, estimator.predict(X))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "name",
    [
        "binary", "gaps", "costs", "threshold of each class", "indicators", "focal, multiclass",
        "cosines", "softmax", "images", "masks",
    ],
)  # fmt: skip
def test_tables_of_numbers_and_images_in_onnx(name, tmp_path):
    estimator, X, inputs = export_cases.cases()[name]()
    path = str(tmp_path / "model.onnx")
    estimator.to_keras(labels=False).export(path, format="onnx", verbose=False)
    assert_answers(path, estimator, X, inputs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_columns_of_text_in_onnx_by_way_of_a_saved_model(tmp_path):
    estimator, X, inputs = export_cases.cases()["text and gaps"]()
    estimator.to_keras(labels=False).export(tmp_path / "saved", verbose=False)
    path = str(tmp_path / "model.onnx")
    command = [sys.executable, "-m", "tf2onnx.convert", "--opset", "18"]
    subprocess.run(
        [*command, "--saved-model", str(tmp_path / "saved"), "--output", path], check=True
    )
    assert_answers(path, estimator, X, inputs)
