"""Many fits at once: in threads, in processes, and in processes within processes."""

import subprocess
import sys
import threading

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate

from skimb import (
    AutoencoderClassifier,
    AutoencoderOutlierDetector,
    ImbalancedNNClassifier,
    ImbalancedNNSegmenter,
)


def quick(**params):
    return ImbalancedNNClassifier(cv=None, **{"epochs": 3, "random_state": 0, **params})


def in_threads(tasks):
    """Run functions at the same time, and return what they return."""
    results, start = [None] * len(tasks), threading.Barrier(len(tasks))

    def run(i):
        start.wait()
        results[i] = tasks[i]()

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
        assert not thread.is_alive(), "a thread waits for ever"
    return results


@pytest.mark.slow
def test_eight_threads_with_different_estimators_get_what_one_thread_gets(binary, multiclass):
    X, y = binary
    images = np.random.default_rng(0).normal(size=(8, 16, 16)).astype("float32")
    cases = [
        (quick(), X, y),
        (quick(random_state=1), X, y),
        (quick(loss="focal", class_weight=None), X, y),
        (quick(model__dropout=0.3), X, y),
        (quick(trainer="keras", dtype="float32"), X, y),
        (quick(early_stopping=True, threshold="f1"), *multiclass),
        (ImbalancedNNSegmenter(epochs=1, random_state=0), images, images > 1),
        (AutoencoderClassifier(epochs=2, random_state=0), X, y),
    ]

    def said(estimator, X, y):
        fitted = clone(estimator).fit(X, y)
        ask = getattr(fitted, "predict_proba", None) or fitted.decision_function
        return ask(X)

    expected = [said(*case) for case in cases]
    found = in_threads([lambda case=case: said(*case) for case in cases])
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_one_fitted_estimator_answers_many_threads(binary):
    X, y = binary
    clf = quick().fit(X, y)
    detector = AutoencoderOutlierDetector(epochs=2, random_state=0).fit(X)
    expected = clf.predict_proba(X), detector.score_samples(X)
    parts = np.array_split(np.arange(len(X)), 8)
    found = in_threads([lambda rows=rows: clf.predict_proba(X[rows]) for rows in parts])
    np.testing.assert_allclose(np.concatenate(found), expected[0], rtol=1e-12)
    found = in_threads([lambda rows=rows: detector.score_samples(X[rows]) for rows in parts])
    np.testing.assert_allclose(np.concatenate(found), expected[1], rtol=1e-12)


class OnBatch(keras.callbacks.Callback):
    """Hooks of batches, for which a fit goes through Keras's own trainer."""

    def on_train_batch_end(self, batch, logs=None):
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "trainer"), [("stream", "graph"), ("stream", "keras"), ("augmentation", "keras")]
)
def test_code_that_yields_batches_of_a_fit_may_use_other_estimators(binary, place, trainer):
    X, y = binary[0].astype("float32"), binary[1]
    seeds = iter(range(1000))

    def another():
        # whose network is built, traced and trained in the thread that reads batches
        return quick(model="mlp", epochs=1, random_state=next(seeds)).fit(X, y).predict_proba(X[:1])

    def batches():
        for rows in np.array_split(np.arange(len(X)), 4):
            assert another().shape == (1, 2)
            yield X[rows], y[rows]

    def shifted(X):
        return np.asarray(X) + another()[:, :1]  # which differs in every batch

    clf = quick(model="mlp", callbacks=[OnBatch()] if trainer == "keras" else None)
    data = (X, y)
    if place == "stream":
        data = (batches,)
    else:
        clf.set_params(augmentation=shifted)
    (fitted,) = in_threads([lambda: clf.fit(*data)])
    assert fitted.trainer_ == trainer


@pytest.mark.slow
@pytest.mark.parametrize("inner", [1, 2])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_search_within_a_cross_validation_gives_the_scores_of_one_process(binary, backend, inner):
    X, y = binary
    search = GridSearchCV(quick(), {"weight_power": [0.0, 1.0]}, cv=2, n_jobs=inner)
    alone = cross_validate(clone(search).set_params(n_jobs=1), X, y, cv=2)["test_score"]
    with joblib.parallel_config(backend=backend):
        together = cross_validate(search, X, y, cv=2, n_jobs=2)["test_score"]
    np.testing.assert_array_equal(together, alone)


FORK = """
import multiprocessing, sys
from sklearn.datasets import make_classification
from skimb import ImbalancedNNClassifier

X, y = make_classification(200, weights=[0.9], random_state=0)
clf = ImbalancedNNClassifier(epochs=2, random_state=0)

def total(i):
    return float(clf.fit(X, y).predict_proba(X)[:, 1].sum())

def found_in_a_fork():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map_async(total, range(2)).get(timeout=240)

in_forks = found_in_a_fork()
assert in_forks == [total(0)] * 2, in_forks
try:
    found_in_a_fork()
except RuntimeError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_fork_after_the_import_fits_and_one_after_a_fit_says_why_it_cannot():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "forked from one that had used TensorFlow" in done.stdout
    assert "loky" in done.stdout
