"""Autoencoders: the detector of outliers, and the classifier that goes by them."""

import copy
import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimb import AutoencoderClassifier, AutoencoderOutlierDetector

QUICK = {"epochs": 40, "model__hidden_layer_sizes": (16,), "random_state": 0}


@pytest.fixture(scope="module")
def plane():
    """300 rows near a plane in five dimensions, and 20 rows off it."""
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(2, 5))
    normal = rng.normal(size=(300, 2)) @ basis + 0.05 * rng.normal(size=(300, 5))
    odd = rng.normal(size=(20, 2)) @ basis + 1.5 * rng.normal(size=(20, 5))
    return np.vstack([normal, odd]), np.repeat([0, 1], [300, 20])


@pytest.fixture(scope="module")
def detector(plane):
    X, y = plane
    return AutoencoderOutlierDetector(random_state=0).fit(X[y == 0])


@pytest.fixture(scope="module")
def classifier(plane):
    return AutoencoderClassifier(random_state=0).fit(*plane)


def squared_errors(estimator, X, of):
    """The reconstruction error in NumPy, features standardised by the rows `of`."""
    z = (X - of.mean(axis=0)) / of.std(axis=0)
    far = np.maximum(np.abs(z) - 3, 0)
    z = np.sign(z) * (np.minimum(np.abs(z), 3) + np.log1p(far))
    back = np.asarray(estimator.model_(z.astype(estimator.model_.input.dtype)))
    return np.mean((z - back) ** 2, axis=1)


def test_rows_off_the_plane_are_found(detector, plane):
    X, y = plane
    assert roc_auc_score(y, -detector.score_samples(X)) > 0.95
    assert np.mean(detector.predict(X[y == 1]) == -1) > 0.6
    assert np.mean(detector.predict(X[y == 0]) == 1) > 0.85


def test_scores_are_the_squared_errors_of_the_reconstruction(detector, plane):
    X, y = plane
    expected = squared_errors(detector, X, X[y == 0])
    assert_allclose(-detector.score_samples(X), expected, rtol=1e-3, atol=1e-6)


def test_decision_and_prediction_follow_from_scores_and_offset(detector, plane):
    X, _ = plane
    scores = detector.score_samples(X)
    assert_allclose(detector.decision_function(X), scores - detector.offset_)
    assert_array_equal(detector.predict(X), np.where(scores < detector.offset_, -1, 1))


def test_offset_by_default_is_the_outer_fence_of_a_box_plot(detector, plane):
    X, y = plane
    errors = -detector.score_samples(X[y == 0])
    low, high = np.quantile(errors, [0.25, 0.75])
    assert_allclose(-detector.offset_, high + 3 * (high - low), rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("contamination", [0.05, 0.2, 0.5])
def test_contamination_is_the_share_of_outliers_among_the_training_rows(plane, contamination):
    X, _ = plane
    detector = AutoencoderOutlierDetector(contamination=contamination, **QUICK)
    assert_allclose(np.mean(detector.fit_predict(X) == -1), contamination, atol=1.01 / len(X))


def test_classifier_learns_from_the_common_class_alone(plane):
    X, y = plane
    other = X.copy()
    other[y == 1] = np.random.default_rng(5).normal(0, 30, size=(20, 5))
    clf = AutoencoderClassifier(**QUICK)
    weights = [clone(clf).fit(rows, y).model_.get_weights() for rows in (X, other)]
    for one, two in zip(*weights, strict=True):
        assert_array_equal(one, two)


def test_threshold_is_the_best_cut_of_the_errors_of_all_training_rows(classifier, plane):
    X, y = plane
    errors = classifier.decision_function(X) + classifier.threshold_
    assert_allclose(errors, squared_errors(classifier, X, X[y == 0]), rtol=1e-3, atol=1e-6)
    best = max(f1_score(y, errors >= cut) for cut in errors)
    assert_allclose(f1_score(y, classifier.predict(X)), best)
    assert_allclose(classifier.score(X, y), best)


@pytest.mark.parametrize("labels", [["a rare", "common"], ["common", "rare"], [True, False]])
def test_the_rarer_class_is_what_is_not_given_back(plane, classifier, labels):
    X, y = plane
    first = labels[0] == "common"
    named = np.array(labels)[y if first else 1 - y]
    clf = AutoencoderClassifier(random_state=0).fit(X, named)
    rare = np.array(labels)[1 if first else 0]
    assert clf.minority_class_ == rare
    assert_array_equal(clf.predict(X) == rare, classifier.predict(X) == 1)
    # above 0 is classes_[1], as everywhere
    decided = clf.classes_[(clf.decision_function(X) > 0).astype(int)]
    assert_array_equal(decided, clf.predict(X))


@pytest.mark.parametrize("estimator", [AutoencoderOutlierDetector, AutoencoderClassifier])
def test_a_row_of_weight_two_is_the_row_twice(plane, estimator):
    X, y = plane
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    weight[y == 1] = 1
    settings = {**QUICK, "batch_size": 1000, "dtype": "float64", "optimizer": "sgd"}
    given = {} if estimator is AutoencoderOutlierDetector else {"y": y}
    repeated = {name: np.repeat(value, weight) for name, value in given.items()}
    weighted = estimator(**settings).fit(X, **given, sample_weight=weight)
    twice = estimator(**settings).fit(np.repeat(X, weight, axis=0), **repeated)
    assert_allclose(weighted.decision_function(X), twice.decision_function(X), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("estimator", [AutoencoderOutlierDetector, AutoencoderClassifier])
def test_seeds_copies_and_pickles_agree(plane, estimator):
    X, y = plane
    state = np.random.get_state()[1].copy()
    one, two = (estimator(**QUICK).fit(X, y) for _ in range(2))
    assert_array_equal(np.random.get_state()[1], state)
    expected = one.decision_function(X)
    for other in (two, copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert_array_equal(other.decision_function(X), expected)
    different = estimator(**{**QUICK, "random_state": 1}).fit(X, y)
    assert not np.array_equal(different.decision_function(X), expected)


@pytest.mark.slow
def test_both_trainers_agree(plane):
    X, _ = plane
    settings = {**QUICK, "epochs": 3, "model__noise": 0.0}
    one, two = (
        AutoencoderOutlierDetector(trainer=trainer, **settings).fit(X)
        for trainer in ("compiled", "keras")
    )
    assert_allclose(one.score_samples(X), two.score_samples(X), rtol=1e-3)


@pytest.mark.slow
def test_stands_in_searches_and_pipelines(plane):
    X, y = plane
    clf = make_pipeline(StandardScaler(), AutoencoderClassifier(**QUICK))
    grid = {"autoencoderclassifier__threshold": ["f1", "recall"]}
    for scoring in (None, "average_precision", "roc_auc", "f1"):
        search = GridSearchCV(clf, grid, scoring=scoring, cv=2, error_score="raise").fit(X, y)
        assert 0 < search.best_score_ <= 1


def test_a_network_of_images_of_ones_own(plane):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8, 8, 1)).astype("float32")
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(1, 3, padding="same"),
        ]
    )
    detector = AutoencoderOutlierDetector(network, epochs=2, random_state=0).fit(X)
    back = np.asarray(detector.model_(X))
    expected = np.mean((X - back) ** 2, axis=(1, 2, 3))
    assert_allclose(-detector.score_samples(X), expected, rtol=1e-4)


def test_constant_and_hardly_changing_columns_do_not_decide():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(200, 3)), np.ones(200), rng.random(200) < 0.005])
    scores = AutoencoderOutlierDetector(**QUICK).fit(X).score_samples(X)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("estimator", "params", "message"),
    [
        (AutoencoderOutlierDetector, {"contamination": 0.7}, "contamination"),
        (AutoencoderOutlierDetector, {"loss": "focal"}, "compares labels with predictions"),
        (AutoencoderOutlierDetector, {"loss": "binary_crossentropy"}, "values between 0 and 1"),
        (AutoencoderOutlierDetector, {"model__noise": (3.0, 0.1)}, "model__noise"),
        (AutoencoderOutlierDetector, {"model": "mlp"}, "'model' parameter"),
        (AutoencoderClassifier, {"threshold": "best"}, "threshold='best'"),
        (AutoencoderClassifier, {"scoring": "best"}, "not a score"),
        (AutoencoderClassifier, {"epochs": 0}, "epochs"),
    ],
)
def test_what_is_not_accepted_is_named_and_nothing_is_fitted(plane, estimator, params, message):
    X, y = plane
    unfitted = estimator(random_state=0).set_params(**params)
    with pytest.raises((ValueError, TypeError), match=message):
        unfitted.fit(X, y)
    assert not hasattr(unfitted, "n_iter_")
    assert not hasattr(unfitted, "offset_")


def test_three_classes_are_refused(plane):
    X, y = plane
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        AutoencoderClassifier().fit(X, np.arange(len(y)) % 3)


def auc(X, y, seed):
    """Train on 70 % of the normal rows, test on the others and the anomalies."""
    rng = np.random.default_rng(seed)
    normal = rng.permutation(np.flatnonzero(y == 0))
    n_train = int(0.7 * len(normal))
    test = np.concatenate([normal[n_train:], np.flatnonzero(y == 1)])
    detector = AutoencoderOutlierDetector(random_state=seed).fit(X[normal[:n_train]])
    return roc_auc_score(y[test], -detector.score_samples(X[test]))


@pytest.mark.slow
def test_microcalcifications_are_found_without_labels(mammography):
    assert auc(*mammography, seed=0) >= 0.86


@pytest.mark.slow
@pytest.mark.parametrize(("one_is_normal", "wanted"), [(False, 0.86), (True, 0.98)])
def test_digits_unlike_the_others_are_found(one_is_normal, wanted):
    X, digits = load_digits(return_X_y=True)
    found = [auc(X, (digits == d) != one_is_normal, seed=0) for d in range(0, 10, 2)]
    assert np.mean(found) >= wanted
