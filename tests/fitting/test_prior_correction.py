"""`prior_correction=True` against a model whose true posterior is known."""

import keras
import numpy as np
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from sklearn.base import clone

from skimb import ImbalancedNNClassifier
from skimb.probability import expected_calibration_error

SHIFT, PRIOR = 1.5, 0.03


def known_model(n, seed):
    """Two normal distributions, 3 % from the second: the log odds are linear in x."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < PRIOR).astype(int)
    X = rng.normal(size=(n, 3)).astype("float32")
    X[:, 0] += SHIFT * y
    return X, y


def posterior(X):
    return expit(SHIFT * X[:, 0] - SHIFT**2 / 2 + np.log(PRIOR / (1 - PRIOR)))


@pytest.fixture(scope="module")
def rows():
    return known_model(60_000, 0), known_model(30_000, 1)


WAYS = {
    "balanced weights": {},
    "sqrt weights": {"class_weight": "sqrt_balanced"},
    "positive weight": {"class_weight": None, "pos_weight": 20.0},
    "balanced batches": {"batching": "balanced"},
    "balanced batches, weights on top": {"batching": "balanced", "class_weight": {1: 2.0}},
    "under-sampling": {"sampler": RandomUnderSampler()},
    "over-sampling": {"sampler": RandomOverSampler()},
    "under-sampling every epoch": {"sampler": RandomUnderSampler(), "resample_every_epoch": True},
    "logit adjustment": {"loss": "logit_adjusted", "class_weight": None},
    "focal": {"loss": "focal", "class_weight": None, "loss__gamma": 2.0},
    "focal, balanced weights": {"loss": "focal"},
    "focal, alpha": {"loss": "focal", "class_weight": None, "loss__alpha": 0.9},
    "positive weight of the loss": {"class_weight": None, "loss__pos_weight": 15.0},
    "loss of Keras": {"loss": keras.losses.BinaryCrossentropy()},
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_corrected_probabilities_are_those_of_the_data(rows, way):
    (X, y), (X_new, y_new) = rows
    epochs = 120 if way.startswith("under") else 8
    clf = ImbalancedNNClassifier(cv=None,
        model__hidden_layer_sizes=(), optimizer__learning_rate=0.01, epochs=epochs,
        early_stopping=False, random_state=0, **WAYS[way],
    )  # fmt: skip
    raw = clone(clf).fit(X, y).predict_proba(X_new)
    corrected = clone(clf).set_params(prior_correction=True).fit(X, y).predict_proba(X_new)
    assert abs(corrected[:, 1].mean() / PRIOR - 1) < 0.1
    # the truth itself has an expected calibration error on a sample
    error = expected_calibration_error(y_new, corrected[:, 1])
    assert error <= expected_calibration_error(y_new, raw[:, 1]) / 3
    assert np.mean(np.abs(corrected[:, 1] - posterior(X_new))) < 0.006
    assert_allclose(corrected.sum(axis=1), 1.0)


def test_correction_leaves_the_network_and_the_scores_order_alone(rows):
    X, y = (part[:3000] for part in rows[0])
    clf = ImbalancedNNClassifier(cv=None, epochs=3, random_state=0)
    raw, corrected = clone(clf).fit(X, y), clone(clf).set_params(prior_correction=True).fit(X, y)
    assert_allclose(raw.decision_function(X), corrected.decision_function(X))
    weight = np.array(list(raw.class_weight_.values()))
    expected = raw.predict_proba(X) / weight
    expected /= expected.sum(axis=1, keepdims=True)
    assert_allclose(corrected.predict_proba(X), expected, rtol=1e-5)
    assert_allclose(np.exp(corrected.predict_log_proba(X)), expected, rtol=1e-5)
    assert np.all(corrected.predict(X) == (corrected.predict_proba(X)[:, 1] > 0.5))


@pytest.mark.slow
def test_several_classes_are_divided_by_their_weights(multiclass):
    X, y = multiclass
    clf = ImbalancedNNClassifier(cv=None, epochs=5, random_state=0)
    raw, corrected = clone(clf).fit(X, y), clone(clf).set_params(prior_correction=True).fit(X, y)
    expected = raw.predict_proba(X) / np.array(list(raw.class_weight_.values()))
    assert_allclose(
        corrected.predict_proba(X), expected / expected.sum(axis=1, keepdims=True), rtol=1e-6
    )


@pytest.mark.slow
def test_logit_adjusted_classes_get_their_prior_back(multiclass):
    X, y = multiclass
    clf = ImbalancedNNClassifier(
        cv=None,
        loss="logit_adjusted",
        class_weight=None,
        epochs=5,
        random_state=0,
        prior_correction=True,
    ).fit(X, y)
    prior = np.bincount(y) / len(y)
    expected = softmax(clf.decision_function(X) + np.log(prior), axis=1)
    assert_allclose(clf.predict_proba(X), expected, rtol=1e-6)


def test_every_label_is_corrected_by_itself(multilabel):
    X, Y = multilabel
    clf = ImbalancedNNClassifier(cv=None, epochs=5, random_state=0)
    raw, corrected = clone(clf).fit(X, Y), clone(clf).set_params(prior_correction=True).fit(X, Y)
    odds = raw.predict_proba(X) / (1 - raw.predict_proba(X))
    odds *= raw.class_weight_[:, 0] / raw.class_weight_[:, 1]
    assert_allclose(corrected.predict_proba(X), odds / (1 + odds), rtol=1e-5)


def test_known_prior_takes_the_place_of_the_counts(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(
        cv=None, epochs=5, random_state=0, class_weight=None, prior_correction=True
    )
    by_counts = clone(clf).fit(X, y).predict_proba(X)
    known = clone(clf).set_params(class_prior=[0.5, 0.5]).fit(X, y).predict_proba(X)
    share = np.bincount(y) / len(y)
    expected = by_counts / share
    assert_allclose(known, expected / expected.sum(axis=1, keepdims=True), rtol=1e-6)


def test_balanced_weights_follow_a_known_prior(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(
        cv=None, epochs=1, random_state=0, class_weight="balanced", class_prior=[0.8, 0.2]
    ).fit(X, y)
    assert_allclose(list(clf.class_weight_.values()), [1 / 1.6, 1 / 0.4])


@pytest.mark.parametrize("prior", [[0.5], [0.5, 0.6], [1.0, 0.0], "even", [[0.5, 0.5]]])
def test_priors_that_are_none_raise(binary, prior):
    with pytest.raises(ValueError, match="class_prior"):
        ImbalancedNNClassifier(cv=None, epochs=1, class_prior=prior).fit(*binary)


@pytest.mark.parametrize(
    ("kind", "loss", "params"),
    [
        ("binary", "asymmetric", {}), ("binary", "soft_f_beta", {}), ("multiclass", "ldam", {}),
        ("binary", "cross_entropy", {"loss__label_smoothing": 0.1}), ("binary", "hinge", {}),
        ("multilabel", "distribution_balanced", {}),
    ],
)  # fmt: skip
def test_losses_without_a_closed_form_raise_with_the_alternative(kind, loss, params, request):
    X, y = request.getfixturevalue(kind)
    clf = ImbalancedNNClassifier(
        cv=None, loss=loss, epochs=1, class_weight=None, prior_correction=True, **params
    )
    with pytest.raises(ValueError, match=r"no closed form .*CalibratedClassifierCV"):
        clf.fit(X, y)


@pytest.mark.slow
def test_vector_scaling_gets_its_prior_and_its_scale_back(multiclass):
    X, y = multiclass
    clf = ImbalancedNNClassifier(
        cv=None,
        loss="vector_scaling",
        class_weight=None,
        epochs=5,
        random_state=0,
        prior_correction=True,
    ).fit(X, y)
    counts = np.bincount(y)
    scale = (counts / counts.max()) ** 0.15
    z = clf.decision_function(X) * scale + np.log(counts / counts.sum())
    assert_allclose(clf.predict_proba(X), softmax(z, axis=1), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("rare", [0, 1])
@pytest.mark.parametrize(
    "params",
    [
        {"loss": "focal", "loss__alpha": 0.9, "loss__gamma": 1.0, "class_weight": None},
        {"batching": "balanced", "class_weight": None},
        {"batching": "balanced"},
        {},
    ],
    ids=str,
)
def test_weights_of_rows_and_of_the_loss_are_undone_whichever_class_is_rare(rows, rare, params):
    X, y = (part[:30_000] for part in rows[0])
    weight = np.where(y == 1, 4.0, 1.0)
    clf = ImbalancedNNClassifier(cv=None,
        model__hidden_layer_sizes=(), optimizer__learning_rate=0.01, epochs=10, random_state=0,
        early_stopping=False, prior_correction=True, **params,
    )  # fmt: skip
    clf.fit(X, y if rare else 1 - y, sample_weight=weight)
    p = clf.predict_proba(X)[:, rare]
    expected = np.average(y, weights=weight)
    assert abs(np.average(p, weights=weight) / expected - 1) < 0.1


@pytest.mark.slow
def test_stream_without_the_rare_class_keeps_its_probabilities():
    X, y = known_model(6000, 0)
    clf = ImbalancedNNClassifier(
        cv=None,
        random_state=0,
        prior_correction=True,
        batching="balanced",
        model__hidden_layer_sizes=(),
    )
    for rows in np.array_split(np.arange(5500), 11):
        clf.partial_fit(X[rows], y[rows], classes=[0, 1])
    before = clf.predict_proba(X)[:, 1].mean()
    usual = np.flatnonzero(y[5500:] == 0)[:50] + 5500
    clf.partial_fit(X[usual], y[usual])
    assert clf.predict_proba(X)[:, 1].mean() < 2 * before
