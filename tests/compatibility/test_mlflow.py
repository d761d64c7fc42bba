"""MLflow's autologging and callback. It brings twenty packages, so that no extra installs it."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skimb import ImbalancedNNClassifier

mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install mlflow-skinny")
pytest.importorskip("mlflow.sklearn")
MlflowCallback = pytest.importorskip("mlflow.keras").MlflowCallback

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MLflow's own
]


@pytest.fixture(autouse=True)
def _records_of_a_test(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield
    mlflow.sklearn.autolog(disable=True)
    mlflow.keras.autolog(disable=True)


def quick(**params):
    return ImbalancedNNClassifier("mlp", **{"epochs": 3, "random_state": 0} | params)


def logged(fit):
    """Return the run in which a fit was logged."""
    with mlflow.start_run() as run:
        fit()
    return mlflow.get_run(run.info.run_id)


def values_of(run, name):
    return [m.value for m in mlflow.MlflowClient().get_metric_history(run.info.run_id, name)]


def test_autolog_has_parameters_metrics_and_a_model_that_predicts_the_same(binary):
    X, y = binary
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    frame["side"] = np.where(X[:, 0] > 0, "left", "right")
    clf = make_pipeline(quick(class_weight={0: 1, 1: 9}, model__hidden_layer_sizes=(8,)))
    mlflow.sklearn.autolog()
    run = logged(lambda: clf.fit(frame, y))
    name = "imbalancednnclassifier__"
    assert run.data.params[f"{name}class_weight"] == "{0: 1, 1: 9}"
    assert run.data.params[f"{name}model__hidden_layer_sizes"] == "(8,)"
    assert run.data.metrics["training_accuracy_score"] == accuracy_score(y, clf.predict(frame))
    assert run.data.metrics["training_score"] == clf.score(frame, y)
    loaded = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert_array_equal(loaded.predict(frame), clf.predict(frame))


def test_autolog_of_a_search_has_a_run_for_each_setting(binary):
    search = GridSearchCV(quick(), {"weight_power": [0.0, 1.0]}, cv=2, scoring="f1")
    mlflow.sklearn.autolog(log_models=False)
    run = logged(lambda: search.fit(*binary))
    assert_allclose(run.data.metrics["best_cv_score"], search.best_score_)
    children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    assert sorted(children["params.weight_power"]) == ["0.0", "1.0"]


@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_callback_logs_the_epochs(binary, trainer):
    clf = quick(callbacks=[MlflowCallback], metrics=["f1"], early_stopping=True, trainer=trainer)
    run = logged(lambda: clf.fit(*binary))
    assert clf.trainer_ == ("graph" if trainer == "compiled" else "keras")
    assert {"loss", "f1", "val_loss", "val_average_precision"} <= set(clf.history_)
    for name, values in clf.history_.items():
        assert_allclose(values_of(run, name), values, rtol=1e-6)
    assert run.data.params["optimizer_name"] == "adam"


def test_callback_per_step_takes_model_fit(binary):
    clf = quick(
        epochs=1, batch_size=100, callbacks=[MlflowCallback],
        callbacks__0__log_every_epoch=False, callbacks__0__log_every_n_steps=1,
    )  # fmt: skip
    run = logged(lambda: clf.fit(*binary))
    assert clf.trainer_ == "keras"
    assert len(values_of(run, "loss")) == 4


def test_autolog_of_keras_logs_what_model_fit_trains(binary):
    mlflow.keras.autolog(log_models=False)
    clf = quick(trainer="keras")
    run = logged(lambda: clf.fit(*binary))
    assert_allclose(values_of(run, "loss"), clf.history_["loss"], rtol=1e-6)


def test_skops_file_of_a_fitted_estimator_is_a_model_of_mlflow(binary):
    skops = pytest.importorskip("skops.io")
    X, y = binary
    clf = quick().fit(X, y)
    trusted = skops.get_untrusted_types(data=skops.dumps(clf))
    info = mlflow.sklearn.log_model(
        clf, name="model", serialization_format="skops", skops_trusted_types=trusted,
        pip_requirements=["skimb"],
    )  # fmt: skip
    loaded = mlflow.sklearn.load_model(info.model_uri)
    assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
