"""Rows held out: drawn from every class, seen by nothing but monitoring and the threshold."""

import numpy as np
import pandas as pd
import pytest
from imblearn import FunctionSampler
from imblearn.over_sampling import RandomOverSampler
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import average_precision_score, f1_score, log_loss
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skimb import ImbalancedNNClassifier
from skimb.data.splitting import stratified_split
from skimb.fitting import validation


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.5, 0.9])
def test_every_class_is_held_out_in_its_share_and_left_in_training(fraction):
    codes = np.repeat([0, 1, 2, 3], [500, 60, 2, 1])
    train, held = stratified_split(codes, fraction, np.random.RandomState(0))
    assert_array_equal(np.sort(np.r_[train, held]), np.arange(len(codes)))
    counts = np.bincount(codes[held], minlength=4)
    assert_allclose(counts[:2], fraction * np.array([500, 60]), atol=0.5)
    assert counts[2] == 1
    assert counts[3] == 0


def test_rows_of_labels_are_drawn_by_their_rarest_label():
    Y = np.zeros((100, 3), int)
    Y[:, 0], Y[:20, 1], Y[:4, 2] = 1, 1, 1
    _, held = stratified_split(Y, 0.25, np.random.RandomState(0))
    assert np.sum(held < 4) == 1
    assert np.sum((held >= 4) & (held < 20)) == 4


def test_one_row_of_each_class_cannot_be_held_out():
    with pytest.raises(ValueError, match=r"validation_fraction=0\.5"):
        stratified_split(np.arange(3), 0.5, np.random.RandomState(0))


def marked(X):
    """X with a first column that says which row it is."""
    return np.column_stack([np.arange(len(X)), X])


@pytest.mark.slow
@pytest.mark.parametrize("batching", ["shuffled", "stratified", "balanced"])
@pytest.mark.parametrize("anew", [False, True])
def test_rows_held_out_reach_neither_sampler_nor_batches_nor_counts(
    binary, batching, anew, monkeypatch
):
    X, y = binary
    sampled, watched = [], []

    def keep(X, y):
        sampled.append(X[:, 0].astype(int))
        return RandomOverSampler(random_state=0).fit_resample(X, y)

    def watch(estimator, X, y, sample_weight=None):
        watched.append(X[:, 0].astype(int))
        return 0.5

    real = validation.stratified_split
    splits = []

    def spied(*args):
        splits.append(real(*args))
        return splits[-1]

    monkeypatch.setattr(validation, "stratified_split", spied)
    monkeypatch.setattr("skimb.fitting.monitoring.scorer_for", lambda *a, **k: watch)
    clf = ImbalancedNNClassifier(
        epochs=3, random_state=0, early_stopping=True, batching=batching,
        sampler=FunctionSampler(func=keep, validate=False), resample_every_epoch=anew,
    ).fit(marked(X), y)  # fmt: skip
    train, held = splits[0]
    assert len(sampled) == (3 if anew else 1)
    for rows in sampled:
        assert_array_equal(np.sort(rows), train)
    for rows in watched:
        assert_array_equal(rows, held)
    assert_array_equal(clf.class_counts_, np.bincount(y[train]))


@pytest.mark.slow
def test_standardisation_does_not_see_the_rows_held_out(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None, epochs=1, random_state=0)
    far = X + 1000.0
    clf.fit(X, y, X_val=far, y_val=y)
    alone = clone(clf).fit(X, y)
    assert_allclose(clf.predict_proba(X), alone.predict_proba(X), rtol=1e-12)


@pytest.mark.slow
def test_training_stops_when_the_score_no_longer_improves_and_goes_back(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None,
        epochs=300, patience=3, random_state=0, early_stopping=True, monitor="loss",
        optimizer__learning_rate=0.05,
    ).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])  # fmt: skip
    followed = clf.history_["val_loss"]
    assert clf.n_iter_ == len(followed) < 300
    assert clf.best_iter_ == 1 + int(np.argmin(followed)) == clf.n_iter_ - 3
    weights = np.array([clf.class_weight_[label] for label in y[300:]])
    p = clf.predict_proba(X[300:])
    expected = log_loss(y[300:], p, sample_weight=weights)
    assert_allclose(min(followed), expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_both_trainers_stop_at_the_same_epoch_with_the_same_network(binary, trainer):
    X, y = binary
    clf = ImbalancedNNClassifier(
        cv=None,
        epochs=40,
        patience=2,
        random_state=0,
        early_stopping=True,
        trainer=trainer,
        metrics=["f1"],
    ).fit(X, y)
    best = clf.history_["val_average_precision"]
    assert clf.best_iter_ == 1 + int(np.argmax(best))
    scores = {"f1", "val_average_precision", "val_f1"}
    assert set(clf.history_) == {"loss", "val_loss", "learning_rate", *scores}


@pytest.mark.slow
def test_scores_of_an_epoch_are_those_of_scikit_learn(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(
        cv=None, epochs=5, random_state=0, early_stopping=False, metrics=["f1"]
    )
    clf.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    p = clf.predict_proba(X[300:])[:, 1]
    expected = average_precision_score(y[300:], p)
    assert_allclose(clf.history_["val_average_precision"][-1], expected, rtol=1e-6)
    assert_allclose(clf.history_["val_f1"][-1], f1_score(y[300:], p > 0.5), rtol=1e-6)
    assert clf.n_iter_ == clf.best_iter_ == 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_other_targets_stop_early_too(kind, request):
    X, y = request.getfixturevalue(kind)
    clf = ImbalancedNNClassifier(
        cv=None, epochs=200, patience=2, random_state=0, early_stopping=True
    )
    clf.fit(X, y)
    assert clf.n_iter_ < 200
    assert np.isfinite(clf.history_["val_average_precision"]).all()


def test_early_stopping_is_off_for_small_data_and_on_with_rows_of_the_users_own(binary):
    X, y = binary
    clf = ImbalancedNNClassifier("mlp", epochs=200, patience=1, random_state=0)
    assert clf.fit(X, y).n_iter_ == 200
    assert "val_average_precision" not in clf.history_
    assert clf.fit(X, y, X_val=X[:100], y_val=y[:100]).n_iter_ < 200


@pytest.mark.slow
def test_a_learning_rate_that_falls_by_default_is_followed_to_its_end(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None, patience=1, random_state=0)
    clf.fit(X[100:], y[100:], X_val=X[:100], y_val=y[:100])
    assert clf.best_iter_ == clf.n_iter_ == len(clf.history_["val_average_precision"])
    assert (
        clf.n_iter_ == ImbalancedNNClassifier(cv=None, random_state=0).fit(X[100:], y[100:]).n_iter_
    )


def test_the_loss_of_rows_held_out_is_in_the_history_whatever_is_monitored(binary):
    X, y = binary
    clf = ImbalancedNNClassifier("mlp", epochs=3, class_weight=None, random_state=0)
    clf.fit(X[100:], y[100:], X_val=X[:100], y_val=y[:100])
    expected = log_loss(y[:100], clf.predict_proba(X[:100]))
    assert clf.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_early_stopping_is_on_above_ten_thousand_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_001, 3)).astype("float32")
    y = (X[:, 0] > 1.5).astype(int)
    clf = ImbalancedNNClassifier("mlp", epochs=2, random_state=0).fit(X, y)
    assert len(clf.history_["val_average_precision"]) == 2
    assert "val_average_precision" not in clf.fit(X[:-1], y[:-1]).history_
    # a learning rate that falls to 0 is best at its end
    assert "val_average_precision" not in clf.set_params(model="auto").fit(X, y).history_


def test_rows_of_the_users_own_pass_through_a_pipeline(binary):
    import sklearn

    X, y = binary
    with sklearn.config_context(enable_metadata_routing=True):
        clf = ImbalancedNNClassifier(cv=None, epochs=3, random_state=0, early_stopping=False)
        clf.set_fit_request(X_val=True, y_val=True)
        pipe = Pipeline([("scale", StandardScaler()), ("clf", clf)], transform_input=["X_val"])
        pipe.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    p = pipe.predict_proba(X[300:])[:, 1]
    expected = average_precision_score(y[300:], p)
    followed = pipe["clf"].history_["val_average_precision"]
    assert_allclose(followed[-1], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": np.zeros((3, 8))}, "X_val and y_val belong together"),
        ({"y_val": [0, 1]}, "X_val and y_val belong together"),
        ({"sample_weight_val": [1.0]}, "X_val and y_val belong together"),
        ({"X_val": np.zeros((2, 5)), "y_val": [0, 1]}, "X has 5 features"),
        ({"X_val": np.zeros((2, 8)), "y_val": [0, 7]}, "y_val does not go with y"),
    ],
)
def test_rows_to_validate_on_are_checked(binary, given, message):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None, epochs=1)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y, **given)
    assert not hasattr(clf, "classes_")


@pytest.mark.parametrize(
    "params",
    [
        {"validation_fraction": 0.0}, {"validation_fraction": 1.0}, {"patience": 0},
        {"early_stopping": "yes"}, {"monitor": "speed", "early_stopping": True},
        {"batching": "random"}, {"sampler": "SMOTE"}, {"resample_every_epoch": 2},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_parameters_raise_with_their_name_or_what_is_known(binary, params):
    with pytest.raises((ValueError, TypeError), match=f"{next(iter(params))}|is not a score"):
        ImbalancedNNClassifier(cv=None, epochs=1, **params).fit(*binary)


def test_one_class_held_out_is_refused_before_the_training(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None, epochs=1, early_stopping=True)
    with pytest.raises(ValueError, match="y_val has the one class"):
        clf.fit(X, y, X_val=X[y == 0], y_val=y[y == 0])
    one = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:1]]
    with pytest.raises(ValueError, match="held-out samples have the one class"):
        clf.fit(X[one], y[one])
    by_loss = clone(clf).set_params(monitor="loss").fit(X, y, X_val=X[y == 0], y_val=y[y == 0])
    assert np.isfinite(by_loss.history_["val_loss"]).all()


@pytest.mark.slow
def test_every_fit_of_a_warm_start_holds_out_the_same_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 5)), (rng.random(400) < 0.3).astype(int)  # nothing to learn
    clf = ImbalancedNNClassifier(cv=None,
        epochs=60, validation_fraction=0.3, early_stopping=True, warm_start=True, random_state=0,
        patience=60, model__hidden_layer_sizes=(100,),
    )  # fmt: skip
    first = clf.fit(X, y).history_["val_average_precision"][-1]
    assert clf.fit(X, y).history_["val_average_precision"][-1] < first + 0.15


def test_split_follows_random_state(binary):
    X, y = binary
    fits = [
        ImbalancedNNClassifier(cv=None, epochs=1, random_state=s, early_stopping=True).fit(X, y)
        for s in (0, 0, 1)
    ]
    scores = [clf.history_["val_average_precision"][0] for clf in fits]
    assert scores[0] == scores[1] != scores[2]


def test_the_best_epoch_is_one_with_the_weights_on(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None,
        epochs=40, class_weight_start=0.5, early_stopping=True, patience=2, monitor="neg_log_loss",
        random_state=0,
    ).fit(X, y)  # fmt: skip
    assert clf.best_iter_ > 20


FRAME = pd.DataFrame(np.random.default_rng(5).normal(size=(60, 3)), columns=list("abc"))
FEW = np.repeat([0, 1], [45, 15])
OF_VALIDATION_SET = {
    "columns": ({"X_val": FRAME[["a", "b"]]}, "feature names"),
    "order": ({"X_val": FRAME[["c", "b", "a"]]}, "same order"),
    "infinity": ({"X_val": FRAME.replace(FRAME.iloc[0, 0], np.inf)}, "infinity in the columns 'a'"),
    "lengths": ({"X_val": FRAME[:9]}, r"\[9, 60\]"),
    "missing labels": ({"y_val": np.where(np.arange(60) < 2, np.nan, FEW)}, "contains NaN"),
    "weights": ({"sample_weight_val": -np.ones(60)}, "Negative values"),
    "kind": ({"X_val": "rows.csv"}, "rows.csv"),
}


@pytest.mark.parametrize("case", OF_VALIDATION_SET)
def test_an_error_in_the_validation_set_says_where_it_is(case):
    given, pattern = OF_VALIDATION_SET[case]
    clf = ImbalancedNNClassifier("mlp", epochs=1)
    with pytest.raises(
        ValueError, match=f"(?s)^In the validation set, X_val and y_val: .*{pattern}"
    ):
        clf.fit(FRAME, FEW, **{"X_val": FRAME, "y_val": FEW, **given})
    assert not hasattr(clf, "classes_")


def test_an_error_in_a_validation_stream_says_where_it_is():
    def batches(columns):
        return lambda: iter([(FRAME[columns], FEW)])

    clf = ImbalancedNNClassifier("mlp", epochs=1)
    with pytest.raises(ValueError, match=r"(?s)^In the validation set.*feature names"):
        clf.fit(batches(["a", "b"]), X_val=batches(["a", "c"]))
    with pytest.raises(TypeError, match=r"^In the validation set.*yields a DataFrame"):
        clf.fit(batches(["a"]), X_val=lambda: iter([FRAME]))
