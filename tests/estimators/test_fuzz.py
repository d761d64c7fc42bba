"""Whatever the data and parameters: an estimator that works, or an error that says why not."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
from fuzz_cases import features, hostility, label_cases, outcome, row_cases, weights
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from skimb import (
    AutoencoderClassifier,
    AutoencoderOutlierDetector,
    ImbalancedNNClassifier,
    ImbalancedNNSegmenter,
)

RELAXED = settings(
    deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
ORDINARY = settings(RELAXED, derandomize=True)


def check_classifier(case):
    """Fit, and check what a fitted classifier says, or that one with an error is untouched."""
    clf = ImbalancedNNClassifier(cv=None, **case.params)
    X_before, y_before = copy.deepcopy(case.X), copy.deepcopy(case.y)
    fitted = outcome(lambda: clf.fit(case.X, case.y, case.sample_weight))
    assert same(case.X, X_before)
    assert same(case.y, y_before)
    if fitted is None:
        assert not clf.__sklearn_is_fitted__()
        assert not [name for name in vars(clf) if name.endswith("_")]
        return
    probabilities = clf.predict_proba(case.X)
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    assert (probabilities <= 1).all()
    n_rows = case.X.shape[0] if hasattr(case.X, "shape") else len(case.X)
    predicted = clf.predict(case.X)
    assert len(predicted) == len(probabilities) == n_rows
    if clf._state.target.kind == "multilabel":
        assert predicted.shape == probabilities.shape
        assert set(np.unique(predicted)) <= {0, 1}
    else:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
        assert set(np.unique(predicted)) <= set(clf.classes_)
    assert np.isfinite(clf.history_["loss"]).all()


def same(one, other):
    if sp.issparse(one):
        return (one != other).nnz == 0 or not np.isfinite(one.data).all()
    one, other = np.asarray(one), np.asarray(other)
    return one.tobytes() == other.tobytes() or (one == other).all()


@pytest.mark.slow
@settings(ORDINARY, max_examples=8)
@given(case=row_cases() | label_cases())
def test_a_few_of_all_tables(case):
    check_classifier(case)


@pytest.mark.slow
@settings(ORDINARY, max_examples=45)
@given(case=row_cases())
def test_one_label_a_row(case):
    check_classifier(case)


@pytest.mark.slow
@settings(ORDINARY, max_examples=35)
@given(case=label_cases())
def test_several_labels_or_candidates_a_row(case):
    check_classifier(case)


@st.composite
def mask_cases(draw):
    hostile = draw(hostility)
    n, size = draw(st.integers(1, 5)), draw(st.sampled_from([(8, 8), (5, 9), (1, 1)]))
    rng = np.random.default_rng(draw(st.integers(0, 5)))
    X = rng.normal(size=(n, *size)) * draw(st.sampled_from([1.0, 0.0] + [1e30] * hostile))
    share = draw(st.sampled_from([0.02, 0.5] + [0.0, 1.0] * hostile))
    codes = (rng.random(X.shape) < share).astype(int) * draw(st.integers(1, 2))
    codes[0, 0, 0] = draw(st.integers(0, 2))
    y = draw(
        st.sampled_from([lambda c: c, lambda c: c > 0, lambda c: np.array(["x", "y", "z"])[c]])
    )(codes)
    weight = draw(weights(n, hostile, draw(st.sampled_from([None, X.shape]))))
    params = {
        "loss": draw(
            st.sampled_from(["dice_cross_entropy", "dice", "focal", "tversky"] + ["ldam"] * hostile)
        ),
        "class_weight": draw(st.sampled_from([None, "balanced", "median_frequency", {0: 1.0}])),
        "threshold": draw(st.sampled_from([0.5, "f1"])),
        "early_stopping": draw(st.booleans()),
        "model__width": 2,
        "model__depth": draw(st.sampled_from([1, 2])),
        "epochs": 1,
    }
    return X.astype(draw(st.sampled_from(["float32", "float64"]))), y, weight, params


@pytest.mark.slow
@settings(ORDINARY, max_examples=10)
@given(case=mask_cases())
def test_one_label_a_pixel(case):
    check_segmenter(case)


def check_segmenter(case):
    X, y, weight, params = case
    segmenter = ImbalancedNNSegmenter(**params)
    if outcome(lambda: segmenter.fit(X, y, weight)) is None:
        assert not segmenter.__sklearn_is_fitted__()
        return
    probabilities = segmenter.predict_proba(X)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)
    assert segmenter.predict(X).shape == y.shape


@st.composite
def outlier_cases(draw):
    hostile = draw(hostility)
    n = draw(st.integers(2, 40))
    y = np.arange(n) < draw(st.integers(0 if hostile else 1, 3))
    return draw(features(n, hostile)), y, draw(weights(n, hostile))


@pytest.mark.slow
@settings(ORDINARY, max_examples=10)
@given(case=outlier_cases())
def test_outliers(case):
    check_autoencoders(case)


def check_autoencoders(case):
    X, y, weight = case
    for estimator, data in [
        (AutoencoderOutlierDetector(epochs=2), (X, None, weight)),
        (AutoencoderClassifier(epochs=2), (X, y, weight)),
    ]:
        if outcome(lambda e=estimator, d=data: e.fit(*d)) is None:
            assert not estimator.__sklearn_is_fitted__()
            continue
        assert np.isfinite(estimator.decision_function(X)).all()
        assert len(np.unique(estimator.predict(X))) <= 2


# ---- the long run, `pytest -m fuzz`: 2,080 cases that differ from run to run

LONG = {
    "rows": (row_cases(), check_classifier, 120),
    "labels": (label_cases(), check_classifier, 90),
    "pixels": (mask_cases(), check_segmenter, 25),
    "outliers": (outlier_cases(), check_autoencoders, 25),
}


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("kind", LONG)
def test_long_run(kind, part, request):
    cases, check, count = LONG[kind]
    base = int(request.config.getoption("--fuzz-seed"))
    seed(1000 * base + part)(settings(RELAXED, max_examples=count)(given(case=cases)(check)))()
