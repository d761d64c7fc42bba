"""Exported models answer as the estimator does, in a process without skimb."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import export_cases
import numpy as np
import pytest

PROGRAM = Path(export_cases.__file__)


def expected(estimator, X):
    """Return the answers of an estimator by the names of the outputs."""
    found = {"class": estimator.predict(X)}
    if hasattr(estimator, "predict_proba"):
        return {**found, "probabilities": estimator.predict_proba(X)}
    return {**found, "error": estimator._errors(X)}


def differences(found, wanted, tolerance=1e-5):
    """Return what is not equal."""
    labels = found.pop("class")
    if labels.dtype == object:
        labels = np.array([text.decode() for text in labels.ravel()]).reshape(labels.shape)
    wrong = {name: np.abs(values - wanted[name]).max() for name, values in found.items()}
    wrong = {name: most for name, most in wrong.items() if not most <= tolerance}
    if not np.array_equal(labels, wanted["class"]) or found.keys() != wanted.keys() - {"class"}:
        wrong["class"] = np.mean(labels != wanted["class"])
    return wrong


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # gaps and texts that fit did not see
def test_answers_without_skimb_are_those_of_the_estimator(tmp_path):
    made = export_cases.cases()
    wanted = {}
    for name in made:
        estimator, X, inputs = made[name]()
        model = estimator.to_keras()
        model.save(tmp_path / f"{name}.keras")
        model.export(tmp_path / name, verbose=False)
        (tmp_path / f"{name}.inputs").write_bytes(pickle.dumps(inputs))
        wanted[name] = expected(estimator, X)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, str(PROGRAM), str(tmp_path)], check=True, env=environment)
    found = pickle.loads((tmp_path / "answers").read_bytes())
    # graphs are rounded to bfloat16 in other places than layers, where processors compute in it
    tolerances = {"mixed precision": 2.0**-8}
    wrong = {
        key: differences(answer, wanted[key[0]], tolerances.get(key[0], 1e-5))
        for key, answer in found.items()
    }
    assert len(found) == 2 * len(made)
    assert {key: difference for key, difference in wrong.items() if difference} == {}
