"""The classifier inside scikit-learn's and imbalanced-learn's tools."""

import numpy as np
import pytest
import sklearn
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline as ImblearnPipeline
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimb import ImbalancedNNClassifier
from skimb.weighting import weight_grid


@pytest.fixture
def clf():
    return ImbalancedNNClassifier(cv=None, epochs=25, random_state=0, optimizer__learning_rate=0.01)


@pytest.mark.slow
def test_grid_search_over_weights_is_scored_by_the_minority_f1(binary, clf):
    X, y = binary
    grid = {"class_weight": weight_grid(y, 3), "weight_power": [0.5, 1.0]}
    search = GridSearchCV(clf, grid, cv=3).fit(X, y)
    explicit = GridSearchCV(clf, grid, cv=3, scoring="f1").fit(X, y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], explicit.cv_results_["mean_test_score"]
    )
    assert search.best_score_ > 0.7
    assert search.best_params_ == explicit.best_params_


@pytest.mark.slow
def test_grid_search_over_routed_parameters_and_the_loss_itself(binary, clf):
    X, y = binary
    grid = [
        {"loss": ["cross_entropy"], "optimizer__learning_rate": [1e-4, 1e-2]},
        {"loss": ["focal"], "loss__gamma": [0.5, 2.0], "model__hidden_layer_sizes": [(8,), (16,)]},
    ]
    search = GridSearchCV(clf, grid, cv=2).fit(X, y)
    assert len(set(np.round(search.cv_results_["mean_test_score"], 12))) > 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
def test_folds_of_a_search_are_stratified(clf):
    # sorted labels: without stratification a fold would lack the positives, and fit would raise
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.repeat([0, 1], [48, 12])
    search = GridSearchCV(clf, {"weight_power": [0, 1]}, cv=4, error_score="raise").fit(X, y)
    assert search.n_splits_ == 4


@pytest.mark.slow
def test_randomized_search(binary, clf):
    X, y = binary
    search = RandomizedSearchCV(
        clf, {"weight_power": np.linspace(0, 1, 20)}, n_iter=3, cv=2, random_state=0
    )
    assert search.fit(X, y).best_score_ > 0.6


@pytest.mark.slow
def test_halving_search(binary, clf):
    X, y = binary
    search = HalvingGridSearchCV(
        clf, {"weight_power": [0.0, 0.5, 1.0]}, cv=2, min_resources=150, random_state=0
    )
    assert search.fit(X, y).best_score_ > 0.5


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.slow
def test_search_in_parallel_gives_the_scores_of_one_process(binary, clf, backend):
    import joblib

    X, y = binary
    grid = {"class_weight": [None, "balanced"], "weight_power": [0.5, 1.0]}
    alone = GridSearchCV(clf, grid, cv=2).fit(X, y)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        together = GridSearchCV(clf, grid, cv=2).fit(X, y)
    np.testing.assert_array_equal(
        together.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


def threads_of_a_worker():
    import tensorflow as tf

    import skimb  # noqa: F401

    return tf.config.threading.get_intra_op_parallelism_threads()


@pytest.mark.slow
def test_workers_share_the_cores():
    import joblib

    with joblib.parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=1):
        found = joblib.Parallel()(joblib.delayed(threads_of_a_worker)() for _ in range(2))
    assert found == [1, 1]


def test_cross_validate_with_several_scores(binary, clf):
    X, y = binary
    scores = cross_validate(clf, X, y, cv=3, scoring=["f1", "average_precision", "roc_auc"])
    assert scores["test_average_precision"].mean() > 0.7


def test_calibration_brings_the_mean_probability_to_the_prior(binary, clf):
    X, y = binary
    calibrated = CalibratedClassifierCV(clf, cv=3).fit(X, y)
    assert abs(calibrated.predict_proba(X)[:, 1].mean() - y.mean()) < 0.03


@pytest.mark.slow
def test_tuned_threshold(binary, clf):
    X, y = binary
    tuned = TunedThresholdClassifierCV(clf, scoring="f1", cv=3).fit(X, y)
    assert tuned.score(X, y) > 0.8
    assert f1_score(y, tuned.predict(X)) > 0.7


@pytest.mark.slow
def test_stacking_voting_and_bagging(binary, clf):
    X, y = binary
    for ensemble in (
        StackingClassifier([("net", clf), ("lr", LogisticRegression())], cv=2),
        VotingClassifier([("net", clf), ("lr", LogisticRegression())], voting="soft"),
        BaggingClassifier(clf, n_estimators=2, random_state=0),
    ):
        assert f1_score(y, ensemble.fit(X, y).predict(X)) > 0.6


def test_one_versus_rest(multiclass, clf):
    X, y = multiclass
    wrapped = OneVsRestClassifier(clf).fit(X, y)
    assert f1_score(y, wrapped.predict(X), average="macro") > 0.7


@pytest.mark.slow
def test_permutation_importance_finds_the_feature_that_decides(clf):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = (X[:, 2] > 1).astype(int)
    result = permutation_importance(clf.fit(X, y), X, y, n_repeats=3, random_state=0)
    assert result.importances_mean.argmax() == 2


def test_cross_val_predict_gives_probabilities(binary, clf):
    X, y = binary
    assert cross_val_predict(clf, X, y, cv=2, method="predict_proba").shape == (400, 2)


@pytest.mark.slow
def test_pipeline_of_scikit_learn(binary, clf):
    X, y = binary
    pipeline = make_pipeline(StandardScaler(), SelectFromModel(LogisticRegression()), clf)
    assert pipeline.fit(X, y).score(X, y) > 0.6


@pytest.mark.slow
def test_pipeline_of_imbalanced_learn_is_searched_over_sampler_and_network(binary, clf):
    X, y = binary
    pipeline = ImblearnPipeline(
        [("scale", StandardScaler()), ("sample", SMOTE(random_state=0)), ("net", clf)]
    )
    grid = {
        "sample": [SMOTE(random_state=0), RandomOverSampler(random_state=0)],
        "net__loss": ["focal"],
        "net__loss__gamma": [1.0, 2.0],
    }
    search = GridSearchCV(pipeline, grid, cv=3, scoring="f1").fit(X, y)
    assert search.best_score_ > 0.7


@pytest.mark.slow
def test_sample_weight_is_routed_through_meta_estimators(binary, clf):
    X, y = binary
    weight = np.where(y == 1, 3.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clf.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(routed, {"weight_power": [0.0]}, cv=StratifiedKFold(2))
        search.fit(X, y, sample_weight=weight)
        assert search.best_estimator_.class_counts_[1] == 3 * y.sum()
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, routed).fit(X, y, sample_weight=weight)
        assert pipeline[-1].class_counts_[1] == 3 * y.sum()
