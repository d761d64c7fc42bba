"""A fit as a function: each part is built once, and what is held out takes part in nothing."""

import functools
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification

from skimb import ImbalancedNNClassifier
from skimb.data import batching
from skimb.losses import CrossEntropy
from skimb.training.optimizers import MemberDecay


def table(n=200, seed=0):
    return make_classification(n, 6, weights=[0.8], random_state=seed)


def network(meta, units=4):
    return keras.Sequential(
        [
            keras.Input(meta["X_shape_"][1:]),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(meta["n_outputs_"]),
        ]
    )


@pytest.mark.slow
def test_loss_optimizer_and_batches_of_a_default_fit_are_built_once(monkeypatch):
    built = []

    def counting(kind):
        constructor = kind.__init__

        @functools.wraps(constructor)
        def count(self, *args, **kwargs):
            built.append(kind.__name__)
            constructor(self, *args, **kwargs)

        monkeypatch.setattr(kind, "__init__", count)

    X, y = table()
    clf = ImbalancedNNClassifier(cv=None, epochs=2, random_state=0).fit(
        X, y
    )  # compiles the program
    for kind in (CrossEntropy, MemberDecay, batching.ShuffledBatches):
        counting(kind)
    clf.fit(X, y)
    assert sorted(built) == ["CrossEntropy", "MemberDecay", "ShuffledBatches"]


@pytest.mark.slow
@pytest.mark.parametrize("column", ["gap", "number", "category"])
def test_held_out_samples_decide_on_no_statistic(column):
    """Whatever is in the held-out samples, the network and its inputs are the same."""
    X, y = table(300)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["color"] = np.where(frame["b"] > 0, "red", "blue")
    frame.loc[::7, "c"] = np.nan
    settings = {
        "model": "mlp", "epochs": 3, "early_stopping": True, "random_state": 0, "patience": 50,
        "model__hidden_layer_sizes": (4,),
    }  # fmt: skip
    first = ImbalancedNNClassifier(cv=None, **settings).fit(frame, y)
    held_out = _held_out_of(first, frame, y)
    changed = frame.copy()
    if column == "gap":
        changed.loc[held_out, "d"] = np.nan
    elif column == "number":
        changed.loc[held_out, "c"] = 1e3
    else:
        changed.loc[held_out, "color"] = "green"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of gaps and categories at prediction
        second = ImbalancedNNClassifier(cv=None, **settings).fit(changed, y)
    assert second.model_.input_shape == first.model_.input_shape
    kept = np.setdiff1d(np.arange(len(y)), held_out)
    assert_allclose(second.model_inputs(frame.iloc[kept]), first.model_inputs(frame.iloc[kept]))
    assert_allclose(second.history_["loss"], first.history_["loss"])


def _held_out_of(clf, X, y):
    """Return the positions of the held-out samples: those whose labels do not reach the counts."""
    held = []
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        assert clf.class_counts_[list(clf.classes_).index(label)] < len(rows)
        held.append(rows)
    # a sample with its own weight is held out if that weight is missing in the counts
    weight = 1.0 + np.arange(len(y)) / (100 * len(y))
    found = []
    base = ImbalancedNNClassifier(**clf.get_params()).fit(X, y, sample_weight=weight)
    for code, rows in enumerate(held):
        missing = weight[rows].sum() - base.class_counts_[code]
        n_held = round(missing)
        found.append((rows, n_held, missing))
    from skimb.data.splitting import stratified_split

    state = base._state
    _, positions = stratified_split(
        y.astype(int), clf.validation_fraction, np.random.RandomState(state.split_seed)
    )
    for rows, n_held, missing in found:
        mine = np.intersect1d(rows, positions)
        assert len(mine) == n_held
        assert_allclose(weight[mine].sum(), missing)
    return positions


def test_label_that_every_sample_has_gets_weight_one_whatever_the_sample_weights():
    X, _ = table(60)
    Y = np.column_stack([np.ones(60, int), np.arange(60) % 3 == 0]).astype(int)
    weight = np.full(60, 0.1)  # 60 of them do not add up to 6 exactly
    clf = ImbalancedNNClassifier(
        model="mlp", epochs=1, class_weight="balanced", random_state=0
    ).fit(X, Y, sample_weight=weight)
    assert_array_equal(clf.class_counts_[0, 0], 0.0)
    assert_allclose(clf.class_weight_[0], 1.0)


def test_prior_correction_refuses_balanced_batches_of_labels():
    X, _ = table(60)
    Y = np.column_stack([np.arange(60) % 3 == 0, np.arange(60) % 7 == 0]).astype(int)
    clf = ImbalancedNNClassifier(
        model="mlp", epochs=1, batching="balanced", prior_correction=True, class_weight=None
    )
    with pytest.raises(ValueError, match=r"no closed form for batching='balanced'.*stratified"):
        clf.fit(X, Y)


def test_warm_start_tells_models_of_one_name_apart():
    X, y = table()

    def model(units):
        layers = [keras.Input((6,)), keras.layers.Dense(units, name="a"), keras.layers.Dense(1)]
        return keras.Sequential(layers, name="mine")

    clf = ImbalancedNNClassifier(model(3), epochs=1, warm_start=True, random_state=0).fit(X, y)
    clf.set_params(model=model(3)).fit(X, y)
    assert clf.n_iter_ == 2
    with pytest.raises(ValueError, match="model changed since the network was built"):
        clf.set_params(model=model(5)).fit(X, y)


def test_monitor_leaves_out_labels_that_the_validation_set_lacks():
    X, _ = table(120)
    Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, np.arange(120) == 0]).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = ImbalancedNNClassifier(
            model="mlp", epochs=4, monitor="roc_auc", random_state=0, early_stopping=True
        ).fit(X[:80], Y[:80], X_val=X[80:], y_val=Y[80:])
    assert np.isfinite(clf.history_["val_roc_auc"]).all()
    assert clf.best_iter_ > 1


def test_monitor_that_is_undefined_for_all_labels_is_an_error_before_training():
    X, _ = table(120)
    Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(int)
    clf = ImbalancedNNClassifier(model="mlp", epochs=4, monitor="roc_auc", early_stopping=True)
    with pytest.raises(ValueError, match=r"monitor='roc_auc' is not defined on X_val.*each"):
        clf.fit(X[:80], Y[:80], X_val=X[80:], y_val=np.zeros((40, 2), int))
    assert not hasattr(clf, "classes_")


def test_class_that_the_validation_set_lacks_does_not_count_as_zero():
    X, y = make_classification(300, 6, n_classes=3, n_informative=4, random_state=0)
    seen = y != 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = ImbalancedNNClassifier(
            model="mlp", epochs=3, monitor="average_precision", early_stopping=True, random_state=0
        ).fit(X, y, X_val=X[seen], y_val=y[seen])
    from sklearn.metrics import average_precision_score

    p = clf.predict_proba(X[seen])
    expected = np.mean([average_precision_score(y[seen] == k, p[:, k]) for k in (0, 1)])
    assert_allclose(clf.history_["val_average_precision"][clf.best_iter_ - 1], expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_learning_rate_that_a_callback_sets_stays(trainer):
    class Halves(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.rates = []

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 3:
                self.model.optimizer.learning_rate = 1e-5
            self.rates.append(float(self.model.optimizer.learning_rate))

    X, y = table()
    callback = Halves()
    ImbalancedNNClassifier(
        cv=None, epochs=8, callbacks=[callback], trainer=trainer, model__n_members=1, random_state=0
    ).fit(X, y)
    assert_allclose(callback.rates[3:], 1e-5)
    assert callback.rates[2] > 1e-3


def test_probability_of_the_threshold_itself_is_positive_at_every_threshold():
    X, y = table()

    def constant(meta):
        zeros = {"kernel_initializer": "zeros", "bias_initializer": "zeros"}
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, **zeros)])

    clf = ImbalancedNNClassifier(constant).initialize(X, y)
    assert (clf.predict(X) == 1).all()  # 0.5 of 0.5, as 0.3 of 0.3


@pytest.mark.slow
def test_warnings_point_at_the_line_of_the_user():
    X, y = table()
    twice = {"loss": "logit_adjusted", "class_weight": "balanced"}
    with pytest.warns(UserWarning, match="the rare class is weighted twice") as found:
        ImbalancedNNClassifier(model="mlp", epochs=1, **twice).fit(X, y)
    assert [w.filename for w in found] == [__file__]
    with pytest.warns(UserWarning, match="exactly one 1 in every row") as found:
        ImbalancedNNClassifier(model="mlp", epochs=1).fit(X, np.eye(2, dtype=int)[y])
    assert [w.filename for w in found] == [__file__]
