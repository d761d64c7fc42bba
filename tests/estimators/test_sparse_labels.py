"""Thirty rare labels, where the best answers are known from the probabilities of the data."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import f1_score, precision_score, recall_score

from skimb import ImbalancedNNClassifier

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sparse_labels.py"

N_LABELS, PRIOR, ON_IF_POSITIVE, ON_IF_NEGATIVE = 30, 1 / 30, 0.60, 0.05
WEIGHTED = {"pos_weight": "balanced"}


def make_rows(seed, n=30_000):
    """Labels with a feature each, on for 60 % of the positives and 5 % of the negatives."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, N_LABELS)) < PRIOR).astype(int)
    X = rng.random((n, N_LABELS)) < np.where(Y, ON_IF_POSITIVE, ON_IF_NEGATIVE)
    return X.astype("float32"), Y


def posterior(prior=PRIOR):
    """Bayes' theorem: the probability of a label where its feature is off, and where it is on."""
    if_positive = np.array([1 - ON_IF_POSITIVE, ON_IF_POSITIVE])
    if_negative = np.array([1 - ON_IF_NEGATIVE, ON_IF_NEGATIVE])
    return prior * if_positive / (prior * if_positive + (1 - prior) * if_negative)


def test_posterior_is_the_frequency_in_the_rows():
    X, Y = make_rows(1)
    assert_allclose([Y[X == 0].mean(), Y[X == 1].mean()], posterior(), rtol=0.03)
    assert_allclose(posterior(), [0.0143, 0.2927], atol=5e-5)


@pytest.fixture(scope="module")
def fitted():
    """Return what fits the same network on 30,000 rows, once for the same parameters."""
    X, Y = make_rows(0)
    network = ImbalancedNNClassifier(
        class_weight=None,
        model__hidden_layer_sizes=(64,),
        model__normalize=False,
        monitor="loss",
        random_state=0,
    )
    done = {}

    def fit(**params):
        key = tuple(sorted(params.items()))
        if key not in done:
            done[key] = clone(network).set_params(**params).fit(X, Y)
        return done[key]

    return fit


@pytest.fixture(scope="module")
def new_rows():
    return make_rows(1)


@pytest.mark.slow
def test_network_without_weights_predicts_next_to_nothing(fitted, new_rows):
    X, Y = new_rows
    assert recall_score(Y, fitted().predict(X), average="micro") < 0.05


@pytest.mark.slow
def test_balanced_pos_weight_finds_what_the_features_show(fitted, new_rows):
    X, Y = new_rows
    predicted = fitted(**WEIGHTED).predict(X)
    recall = recall_score(Y, predicted, average="micro")
    precision = precision_score(Y, predicted, average="micro")
    assert_allclose(recall, ON_IF_POSITIVE, atol=0.05)
    assert_allclose(precision, posterior()[1], atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, WEIGHTED, WEIGHTED | {"prior_correction": True}])
def test_f1_threshold_of_each_label_is_as_good_as_the_bayes_rule(fitted, new_rows, params):
    X, Y = new_rows
    clf = fitted(threshold="f1", **params)
    assert clf.threshold_.shape == (N_LABELS,)
    rule = 2 / (1 / posterior()[1] + 1 / ON_IF_POSITIVE)  # positive where the feature is on
    assert_allclose(rule, 0.393, atol=5e-4)
    assert f1_score(Y, clf.predict(X), average="macro") > rule - 0.03


@pytest.mark.slow
def test_prior_correction_returns_the_posterior(fitted, new_rows):
    X, _ = new_rows
    corrected = fitted(threshold="f1", prior_correction=True, **WEIGHTED).predict_proba(X)
    weighted = fitted(**WEIGHTED).predict_proba(X)
    for on, where in enumerate((X == 0, X == 1)):
        assert_allclose(weighted[where].mean(), posterior(0.5)[on], rtol=0.2)
        assert_allclose(corrected[where].mean(), posterior()[on], rtol=0.2)
        # nor is the mean right only because labels that are too likely make up for others
        of_labels = np.mean(corrected, axis=0, where=where)
        near = np.abs(of_labels / posterior()[on] - 1) <= 0.2
        assert near.mean() >= 0.9


@pytest.mark.slow
def test_example_prints_a_row_for_each_variant(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--small"])
    runpy.run_path(str(EXAMPLE))
    table = capsys.readouterr().out
    for variant in ("unweighted", "weighted", "thresholds", "all three", "best possible"):
        assert f"\n{variant} " in table
