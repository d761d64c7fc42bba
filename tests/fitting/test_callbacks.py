"""scikit-learn's own callbacks on the estimators."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter

callback = pytest.importorskip("sklearn.callback", reason="this scikit-learn has no callbacks")


class Journal:
    """Writes down what it is told, and stops after some epochs."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.told = []
        self.scores = []
        self.metadata = []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"begin {context.task_name}")

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.told.append(f"end {context.task_name}")
        if context.task_name != "epoch":
            return False
        self.metadata.append(metadata)
        predicted = fitted_estimator.predict(X)
        self.scores.append(f1_score(np.ravel(y), np.ravel(predicted), pos_label=1))
        return self.stop_after is not None and len(self.scores) >= self.stop_after


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_every_epoch_is_a_task_with_an_estimator_that_predicts(binary, trainer):
    X, y = binary
    journal = Journal()
    clf = ImbalancedNNClassifier(cv=None, epochs=4, metrics=["f1"], trainer=trainer, random_state=0)
    clf.set_callbacks(journal).fit(X, y)
    epochs = ["begin epoch", "end epoch"] * 4
    assert journal.told == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert_allclose(journal.scores, clf.history_["f1"])
    plain = clone(clf).set_callbacks().fit(X, y)
    assert_allclose(clf.predict_proba(X), plain.predict_proba(X))


def test_a_callback_can_stop_the_training(binary):
    clf = ImbalancedNNClassifier(cv=None, epochs=10, random_state=0).set_callbacks(
        Journal(stop_after=3)
    )
    assert clf.fit(*binary).n_iter_ == 3


def test_a_fit_fold_by_fold_begins_and_ends_once(binary):
    X, y = binary
    journal = Journal()
    clf = ImbalancedNNClassifier("mlp", cv=2, epochs=3, random_state=0).set_callbacks(journal)
    clf.fit(X, y)
    epochs = ["begin epoch", "end epoch"] * 3 * 2
    assert journal.told == ["setup", "begin fit", *epochs, "end fit", "teardown"]


def test_weights_of_the_rows_are_told(binary):
    X, y = binary
    weight = np.linspace(1, 2, len(X))
    journal = Journal()
    clf = ImbalancedNNClassifier(cv=None, epochs=1, random_state=0).set_callbacks(journal)
    clf.fit(X, y, sample_weight=weight)
    assert_allclose(journal.metadata[0]["sample_weight"], weight)


def test_a_fit_that_raises_tells_that_it_is_over(binary):
    X, y = binary
    journal = Journal()
    clf = ImbalancedNNClassifier(cv=None, epochs=2).set_callbacks(journal)
    with pytest.raises(ValueError, match="inconsistent"):
        clf.fit(X, y[:10])
    with pytest.raises(ValueError, match="epochs"):
        clone(clf).set_params(epochs="many").fit(X, y)
    assert journal.told[-1] == "teardown"
    assert not hasattr(clf, "_callback_fit_ctx")
    clf.fit(X, y)


def test_a_search_passes_its_callbacks_on(binary):
    journal = Journal()
    clf = ImbalancedNNClassifier(cv=None, epochs=2, random_state=0)
    search = GridSearchCV(clf, {"weight_power": [0.0, 1.0]}, cv=2).set_callbacks(journal)
    search.fit(*binary)
    assert journal.told.count("end epoch") == 2 * (2 * 2 + 1)


@pytest.mark.slow
def test_images_with_masks_are_told_too():
    rng = np.random.default_rng(0)
    y = (rng.random((6, 8, 8)) < 0.2).astype(int)
    journal = Journal()
    seg = ImbalancedNNSegmenter(model__depth=1, model__width=2, epochs=2, metrics=["dice"])
    seg.set_callbacks(journal).fit(y + rng.normal(size=y.shape), y)
    assert_allclose(journal.scores, seg.history_["dice"])


def test_scikit_learns_monitor_logs_the_score_of_each_epoch(binary):
    X, y = binary
    monitor = callback.ScoringMonitor(scoring="f1")
    clf = ImbalancedNNClassifier(cv=None, epochs=3, metrics=["f1"], random_state=0)
    clf.set_callbacks(monitor).fit(X, y)
    logged = [row["f1"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert_allclose(logged, clf.history_["f1"])
