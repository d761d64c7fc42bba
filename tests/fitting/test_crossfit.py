"""Cross-fitting: members that each hold out a fold, and what their held-out scores are."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import (
    GroupKFold,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_validate,
)

from skimb import ImbalancedNNClassifier
from skimb.data.folds import folds_of
from skimb.data.samples import Samples, Schema
from skimb.data.targets import BinaryTarget
from skimb.networks import members_of, with_members
from skimb.probability import best_threshold

QUICK = {"model__hidden_layer_sizes": (8,), "epochs": 15, "random_state": 0}


def noisy(n, seed=0, share=0.2):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    return rng.normal(size=(n, 3)) + 1.2 * y[:, None], y


def samples_of(y, groups=None):
    n = len(y)
    schema = Schema(1, None, (1,))
    return Samples(np.zeros((n, 1)), y, np.ones(n), schema, np.arange(n), n, groups=groups)


@pytest.fixture(scope="module")
def fitted():
    X, y = noisy(300)
    return X, y, ImbalancedNNClassifier(**QUICK, threshold="f1").fit(X, y)


def test_every_sample_has_a_probability_of_a_member_that_held_it_out(fitted):
    X, _, clf = fitted
    assert clf.oof_predict_proba_.shape == (len(X), 2)
    assert_allclose(clf.oof_predict_proba_.sum(axis=1), 1.0)
    # a mean of all members, most of which have seen the sample, says something else
    assert np.abs(clf.oof_predict_proba_ - clf.predict_proba(X)).max() > 1e-3


@pytest.mark.slow
def test_labels_that_are_noise_are_not_found_among_held_out_samples():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 30)), (rng.random(150) < 0.3).astype(int)
    clf = ImbalancedNNClassifier(
        epochs=150, optimizer__weight_decay=0.01, random_state=0, cv=5
    ).fit(X, y)
    seen = average_precision_score(y, clf.predict_proba(X)[:, 1])
    held_out = average_precision_score(y, clf.oof_predict_proba_[:, 1])
    assert seen > 0.95
    assert held_out < 0.5


def test_repeated_folds_give_the_mean_of_the_members_that_held_a_sample_out():
    X, y = noisy(60)
    splits = list(RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0).split(X, y))

    def linear(meta):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

    clf = ImbalancedNNClassifier(linear, epochs=3, cv=splits, random_state=0).fit(X, y)
    members = [layer for layer in clf.model_.layers if isinstance(layer, keras.Model)]
    logits = np.zeros(len(X))
    for (_, held_out), member in zip(splits, members, strict=True):
        logits[held_out] += np.asarray(member(X[held_out].astype("float32"))).ravel() / 2
    assert_allclose(clf.oof_predict_proba_[:, 1], expit(logits), atol=1e-6)


@pytest.mark.slow
def test_threshold_is_the_best_for_the_held_out_probabilities(fitted):
    _, y, clf = fitted
    p = clf.oof_predict_proba_[:, 1]
    best = max(f1_score(y, p >= cut) for cut in np.unique(p))
    assert f1_score(y, p >= clf.threshold_) == pytest.approx(best)
    assert clf.oof_score_ <= best


@pytest.mark.slow
def test_held_out_score_is_at_thresholds_that_were_chosen_on_the_other_folds():
    X, y = noisy(200)
    pairs = list(StratifiedKFold(4).split(X, y))
    clf = ImbalancedNNClassifier(**{**QUICK, "cv": pairs}, threshold="f1").fit(X, y)
    p, predicted = clf.oof_predict_proba_[:, 1], np.empty(len(y), int)
    for others, judged in pairs:
        predicted[judged] = p[judged] >= best_threshold(y[others], p[others])
    assert clf.oof_score_ == pytest.approx(f1_score(y, predicted))
    # F1 is 2 J / (1 + J) of the Jaccard index J, which is a proportion
    either = (predicted == 1) | (y == 1)
    hits = int(np.sum(predicted[either] == y[either]))
    bounds = binomtest(hits, int(either.sum())).proportion_ci(0.95, "wilson")
    low, high = (2 * bound / (1 + bound) for bound in bounds)
    assert_allclose(clf.oof_score_interval_, [f1_score(y, predicted), low, high])
    with_others = clone(clf).fit(X, y, X_val=X[:80] + 0.1, y_val=y[:80])
    at_its_threshold = with_others.oof_predict_proba_[:, 1] >= with_others.threshold_
    assert with_others.oof_score_ == pytest.approx(f1_score(y, at_its_threshold))
    at_half = clone(clf).set_params(threshold=0.5).fit(X, y)
    assert at_half.oof_score_ == pytest.approx(f1_score(y, at_half.oof_predict_proba_[:, 1] >= 0.5))


def test_held_out_score_is_near_that_of_fresh_samples(fitted):
    _, _, clf = fitted
    X_new, y_new = noisy(4000, seed=1)
    assert abs(clf.oof_score_ - clf.score(X_new, y_new)) < 0.1
    _, y, _ = fitted
    held_out = average_precision_score(y, clf.oof_predict_proba_[:, 1])
    fresh = average_precision_score(y_new, clf.predict_proba(X_new)[:, 1])
    assert abs(held_out - fresh) < 0.1


def test_interval_of_held_out_score_counts_weights_and_is_the_same_after_pickling():
    X, y = noisy(200)
    weight = np.where(np.arange(200) % 4 == 0, 6.0, 1.0)
    params = {**QUICK, "epochs": 3, "scoring": "average_precision"}
    clf = ImbalancedNNClassifier(**params).fit(X, y, sample_weight=weight)
    again = pickle.loads(pickle.dumps(clf))
    before = np.random.get_state()[1].copy()
    interval = clf.oof_score_interval_
    assert_array_equal(np.random.get_state()[1], before)
    assert clf.oof_score_interval_ is interval
    assert again.oof_score_interval_ == interval
    assert pickle.loads(pickle.dumps(clf)).oof_score_interval_ == interval
    p = clf.oof_predict_proba_[:, 1]
    score = average_precision_score(y, p, sample_weight=weight)
    assert interval.score == clf.oof_score_ == pytest.approx(score)
    rng, resampled = np.random.default_rng(0), []
    for _ in range(400):  # by hand, and with the width of the normal distribution
        at = np.concatenate(
            [rng.choice(rows, len(rows)) for rows in map(np.flatnonzero, (y, 1 - y))]
        )
        resampled.append(average_precision_score(y[at], p[at], sample_weight=weight[at]))
    width = 2 * 1.96 * np.std(resampled)
    assert interval.high - interval.low == pytest.approx(width, rel=0.2)
    assert interval.low < score < interval.high


def one_of_the_rare_class_is_held_out(y):
    rare, rest = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    folds = [np.concatenate([rare[:1], rest[:20]]), rest[20:40]]
    return [(np.setdiff1d(np.arange(len(y)), judged), judged) for judged in folds]


@pytest.mark.parametrize(
    ("params", "absent", "message"),
    [
        ({"cv": None}, ("oof_score_", "oof_score_interval_"), "fitted without.*Fit with cv=5"),
        (
            {"scoring": lambda clf, X, y: 1.0},
            ("oof_score_", "oof_score_interval_"),
            "scoring is a function.*skimb.metrics.score_interval",
        ),
        (
            {"cv": one_of_the_rare_class_is_held_out(noisy(90)[1])},
            ("oof_score_interval_",),
            r"samples \{0: 40, 1: 1\} by class.*two samples of each",
        ),
    ],
)
def test_held_out_score_or_its_interval_that_is_not_defined_says_why(params, absent, message):
    clf = ImbalancedNNClassifier(**{**QUICK, "epochs": 1, **params}).fit(*noisy(90))
    for name in absent:
        assert not hasattr(clf, name)
        with pytest.raises(AttributeError, match=message):
            getattr(clf, name)


def test_settings_are_compared_as_in_the_results_of_a_search(fitted):
    results = fitted[2].cv_results_
    frame = pd.DataFrame(results)
    assert {"params", "param_view", "param_weight_decay", "split4_test_neg_log_loss"} <= {*frame}
    assert frame["weight"].sum() == pytest.approx(1.0)
    best = frame["rank_test_neg_log_loss"].idxmin()
    assert frame["mean_test_neg_log_loss"].idxmax() == best
    assert frame["weight"].idxmax() == best


def test_two_fits_with_one_random_state_are_identical(fitted):
    X, y, clf = fitted
    again = clone(clf).fit(X, y)
    assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert_array_equal(again.oof_predict_proba_, clf.oof_predict_proba_)


@pytest.mark.slow
def test_integer_weight_is_the_same_as_repeating_the_row_in_its_fold():
    rng = np.random.default_rng(0)
    X, y = noisy(30)
    weight, fold = rng.integers(0, 4, 30), np.arange(30) % 3
    rows = np.repeat(np.arange(30), weight)

    def splits(fold):
        return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]

    clf = ImbalancedNNClassifier(epochs=30, random_state=0)
    weighted = clone(clf).set_params(cv=splits(fold)).fit(X, y, sample_weight=weight)
    repeated = clone(clf).set_params(cv=splits(fold[rows])).fit(X[rows], y[rows])
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)
    known = np.isfinite(weighted.oof_predict_proba_[:, 0])
    assert_array_equal(known, weight > 0)


def test_no_group_is_on_both_sides_of_a_member():
    _, y = noisy(60)
    groups = np.arange(60) // 4
    for splitter in (GroupKFold(3), StratifiedGroupKFold(3)):
        folds = folds_of(splitter, BinaryTarget(np.arange(2)), samples_of(y, groups), 0)
        for trained, held_out in zip(folds.trained.T, folds.held_out.T, strict=True):
            assert not set(groups[trained]) & set(groups[held_out])
        assert_array_equal(folds.held_out.sum(axis=1), 1)


@pytest.mark.slow
def test_groups_are_routed_through_a_cross_validation():
    import sklearn

    X, y = noisy(120)
    groups = np.arange(120) // 4
    with sklearn.config_context(enable_metadata_routing=True):
        clf = ImbalancedNNClassifier(**{**QUICK, "epochs": 3}, cv=GroupKFold(3))
        clf.set_fit_request(groups=True)
        scores = cross_validate(
            clf, X, y, cv=GroupKFold(2), params={"groups": groups}, error_score="raise"
        )
    assert np.isfinite(scores["test_score"]).all()
    with pytest.raises(ValueError, match="groups"):
        clone(clf).fit(X, y)


@pytest.mark.slow
def test_samples_that_a_time_series_split_never_holds_out_have_no_probability():
    X, y = noisy(120)
    clf = ImbalancedNNClassifier(**QUICK, cv=TimeSeriesSplit(3), threshold="f1").fit(X, y)
    known = np.isfinite(clf.oof_predict_proba_[:, 0])
    assert_array_equal(np.flatnonzero(~known), np.arange(30))
    p, y_known = clf.oof_predict_proba_[known, 1], y[known]
    best = max(f1_score(y_known, p >= cut) for cut in np.unique(p))
    assert f1_score(y_known, p >= clf.threshold_) == pytest.approx(best)


@pytest.mark.slow
def test_auto_makes_as_many_folds_as_the_rarest_class_allows():
    X, y = noisy(40)
    for n_rare, n_folds in ((1, None), (3, 3), (12, 5)):
        y = (np.arange(40) < n_rare).astype(int)
        clf = ImbalancedNNClassifier(**{**QUICK, "epochs": 2}).fit(X, y)
        if n_folds is None:
            assert not hasattr(clf, "oof_predict_proba_")
        else:
            assert f"split{n_folds - 1}_test_neg_log_loss" in clf.cv_results_
            assert f"split{n_folds}_test_neg_log_loss" not in clf.cv_results_


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "candidates"])
def test_other_targets_are_cross_fitted_too(kind):
    X, y = noisy(90)
    second = np.random.default_rng(1).integers(0, 2, 90)
    params = dict(QUICK)
    if kind == "multiclass":
        Y = np.where(y == 1, 2, second)
    elif kind == "multilabel":
        Y = np.column_stack([y, second])
    else:
        Y = np.eye(3, dtype=int)[np.where(y == 1, 2, second)]
        Y[:20, 0] = 1
        params |= {"target": "candidates", "loss": "partial_label"}
    clf = ImbalancedNNClassifier(**params).fit(X, Y)
    assert clf.oof_predict_proba_.shape == clf.predict_proba(X).shape
    score, low, high = clf.oof_score_interval_
    assert 0 <= low <= score == clf.oof_score_ <= high <= 1
    assert clf.predict(X[:3]).shape == Y[:3].shape if kind == "multilabel" else (3,)


def network(meta):
    return keras.Sequential(
        [
            keras.Input(meta["X_shape_"][1:]),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )


@pytest.mark.slow
def test_network_of_the_user_is_fitted_fold_by_fold_and_is_one_model(tmp_path):
    X, labels = load_digits(return_X_y=True)
    X, y = X.reshape(-1, 8, 8)[:400] / 16, (labels[:400] == 3).astype(int)
    clf = ImbalancedNNClassifier(
        network, epochs=20, optimizer__learning_rate=0.01, cv=3, threshold="f1", random_state=0
    ).fit(X, y)
    p = clf.oof_predict_proba_[:, 1]
    assert average_precision_score(y, p) > 0.6
    assert f1_score(y, p >= clf.threshold_) >= clf.oof_score_ > 0.6
    members = [layer for layer in clf.model_.layers if isinstance(layer, keras.Model)]
    assert len(members) == 3
    inputs = clf.model_inputs(X[:20]).astype("float32")
    outputs = np.mean([np.asarray(member(inputs)) for member in members], axis=0)
    assert_allclose(np.asarray(clf.model_(inputs)), outputs, rtol=1e-5)
    clf.model_.save(tmp_path / "mean.keras")
    loaded = keras.models.load_model(tmp_path / "mean.keras")
    assert_allclose(np.asarray(loaded(inputs)), outputs, rtol=1e-5)


class EntryOfItsOwn(keras.callbacks.Callback):
    """Adds an entry to the logs, a different one in each training."""

    n_trainings = 0

    def on_train_begin(self, logs=None):
        self.n_trainings += 1

    def on_epoch_end(self, epoch, logs=None):
        logs["of_all"] = self.n_trainings
        logs[f"of_{self.n_trainings}"] = epoch


def test_entries_that_a_callback_adds_in_some_folds_are_means_of_those():
    X, y = noisy(60)
    params = {**QUICK, "epochs": 2, "cv": 2}
    clf = ImbalancedNNClassifier("mlp", callbacks=[EntryOfItsOwn()], **params).fit(X, y)
    history = {name: clf.history_[name] for name in ("of_all", "of_1", "of_2")}
    assert history == {"of_all": [1.5, 1.5], "of_1": [0.0, 1.0], "of_2": [0.0, 1.0]}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"warm_start": True}, "warm_start=True cannot be used with cv=3"),
        ({"early_stopping": True}, "early_stopping=True cannot be used with cv=3"),
        ({"cv": [(np.arange(60), np.arange(60, 90))]}, "has 1 split"),
        ({"cv": [(np.arange(60), np.arange(50, 90))] * 2}, "trains on samples that it holds out"),
        ({"cv": [(np.arange(60), np.arange(60, 95))] * 2}, "position 94, but X has 90 rows"),
        ({"cv": GroupKFold(2)}, "groups"),
    ],
)
def test_what_does_not_go_with_folds_is_an_error_with_its_cure(params, said):
    X, y = noisy(90)
    clf = ImbalancedNNClassifier(**{**QUICK, "cv": 3, **params})
    with pytest.raises(ValueError, match=said):
        clf.fit(X, y)
    assert not hasattr(clf, "model_")


def test_stream_is_not_cross_fitted():
    X, y = noisy(60)
    clf = ImbalancedNNClassifier(**{**QUICK, "epochs": 1}).partial_fit(X, y, classes=[0, 1])
    assert not hasattr(clf, "oof_predict_proba_")


def test_folds_of_a_number_are_stratified():
    _, y = noisy(100)
    folds = folds_of(5, BinaryTarget(np.arange(2)), samples_of(y), 0)
    shares = [y[held_out].mean() for held_out in folds.held_out.T]
    assert np.ptp(shares) < 0.06
    given = folds_of(StratifiedKFold(5), BinaryTarget(np.arange(2)), samples_of(y), 0)
    assert_array_equal(given.held_out.sum(axis=1), 1)


class NoConfig(keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.dense = keras.layers.Dense(units)

    def call(self, inputs):
        return self.dense(inputs)


def test_network_that_cannot_be_copied_is_refused():
    X, y = noisy(60)

    def build():
        return keras.Sequential([keras.Input((3,)), NoConfig(1)])

    with pytest.raises(ValueError, match="cv=3 needs a copy of the network"):
        ImbalancedNNClassifier(build, epochs=1, cv=3).fit(X, y)


@pytest.mark.slow
def test_both_trainers_train_the_same_members():
    X, y = noisy(90)
    clf = ImbalancedNNClassifier(**{**QUICK, "epochs": 4})
    compiled, by_keras = clf.fit(X, y), clone(clf).set_params(trainer="keras").fit(X, y)
    assert_allclose(compiled.predict_proba(X), by_keras.predict_proba(X), atol=1e-5)


def test_text_and_gaps_are_cross_fitted_and_the_model_takes_the_encoded_columns():
    X, y = noisy(120)
    frame = pd.DataFrame(X, columns=list("abc"))
    frame["city"] = np.where(y == 1, "Oslo", np.where(X[:, 0] > 0, "Rome", "Bern"))
    frame.loc[::3, "a"] = np.nan
    clf = ImbalancedNNClassifier(**{**QUICK, "epochs": 80}, threshold="f1").fit(frame, y)
    assert clf.score(frame, y) > 0.9
    found = np.asarray(clf.model_(clf.model_inputs(frame).astype("float32")))[:, 0]
    assert_allclose(found, clf.decision_function(frame), rtol=1e-4, atol=1e-4)


def test_piecewise_view_has_positions_in_intervals_beside_the_standardized_features():
    from skimb.fitting.network import quantiles
    from skimb.networks import initial_values, mlp_ensemble, with_intervals
    from skimb.networks.ensemble import PIECEWISE_MEMBERS

    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=200), rng.integers(0, 2, 200)])
    edges = quantiles(X, np.ones(200), 4)
    assert_allclose(edges[:, 0], np.quantile(X[:, 0], np.linspace(0, 1, 5), method="inverted_cdf"))
    assert_array_equal(edges[:, 1], [0, 1, 1, 1, 1])
    model = mlp_ensemble((2,), 1, n_members=2, n_piecewise=1, n_bins=4, dtype="float64")
    start = initial_values(model, np.random.RandomState(0))
    for variable, value in zip(model.variables, with_intervals(model, start, edges), strict=True):
        variable.assign(value)
    view = keras.Model(model.inputs[0], model.get_layer(PIECEWISE_MEMBERS).input)
    positions, standardized = np.split(np.asarray(view(X)), [8], axis=1)
    assert_allclose(standardized, 3 * np.tanh(X / 3))
    found = positions.reshape(200, 4, 2) * 2.0
    low, high = edges[:-1], edges[1:]
    width = np.where(high > low, high - low, 1.0)
    expected = np.clip(2 * (X[:, None] - low) / width - 1, -1, 1)
    expected = np.where(high > low, expected, 0.0)
    assert_allclose(found, expected, atol=1e-6)


@pytest.mark.slow
def test_labels_that_hardly_occur_are_folded_without_a_warning(recwarn):
    rng = np.random.default_rng(0)
    Y = (rng.random((120, 6)) < [0.5, 0.3, 0.1, 0.05, 0.02, 0.01]).astype(int)
    clf = ImbalancedNNClassifier(**{**QUICK, "epochs": 2}).fit(rng.normal(size=(120, 3)), Y)
    assert clf.oof_predict_proba_.shape == (120, 6)
    assert not [w for w in recwarn if "populated" in str(w.message)]


@pytest.mark.parametrize("kept", [[0], [4], [8], [1, 3, 4, 7, 9, 10]])
def test_members_of_some_views_predict_what_they_did_among_all(kept):
    """Also where columns of zeros and ones are standardised in the view of the other.

    Factors of inputs and shares of splits are part of the kernels then, and nothing is dropped.
    """
    from skimb.fitting.crossfit import _compact
    from skimb.networks import initial_values
    from skimb.training import Blueprint, Network

    arguments = {
        "input_shape": (4,), "n_outputs": 1, "hidden_layer_sizes": (3,), "n_members": 11,
        "n_piecewise": 4, "n_tree_members": 3, "n_bins": 4, "n_numeric": 2, "input_dropout": 0.2,
        "input_factors": True,
    }  # fmt: skip
    blueprint = Blueprint.built_in("mlp_ensemble", arguments)
    values = initial_values(blueprint.example, np.random.RandomState(0))
    names = [variable.name for variable in blueprint.example.variables]
    rng = np.random.default_rng(1)
    values = [
        rng.normal(size=value.shape).astype(value.dtype) if name in ("factors", "bias") else value
        for name, value in zip(names, values, strict=True)
    ]
    network = Network(blueprint, values)
    weights = np.where(np.isin(np.arange(11), kept), rng.uniform(0.1, 1, 11), 0.0)
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    members = np.asarray(with_members(network.model)(rows))
    compact = _compact(network, weights, n_folds=1)
    assert not compact.blueprint.layer_types & {"SelectiveDense", "SoftTrees"}
    expected = np.einsum("nko,k->no", members, weights)
    assert_allclose(np.asarray(compact.model(rows)), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_both_compilers_train_the_default_ensemble_alike(binary, monkeypatch):
    """Also what is drawn at random: a fit that is long enough for XLA is no other fit."""
    X, y = binary
    found = {}
    for trainer, least in (("xla", 0.0), ("graph", 1e9)):
        monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", least)
        clf = ImbalancedNNClassifier(epochs=10, random_state=0).fit(X[:150].astype(float), y[:150])
        assert clf.trainer_ == trainer
        found[trainer] = clf.predict_proba(X)
    assert_allclose(found["xla"], found["graph"], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("params", [{"n_members": 2}, {"n_piecewise": 1}, {"n_bins": 3}])
def test_members_of_the_users_own_are_not_compared_but_trained_for_each_fold(binary, params):
    X, y = binary
    model = {f"model__{name}": value for name, value in params.items()}
    model |= {"model__hidden_layer_sizes": (4,), "epochs": 1, "random_state": 0}
    assert not hasattr(ImbalancedNNClassifier(**model).fit(X, y), "cv_results_")
    folded = ImbalancedNNClassifier(cv=2, **model).fit(X, y)
    inner = [layer for layer in folded.model_.layers if isinstance(layer, keras.Model)]
    assert [members_of(member) for member in inner] == [params.get("n_members", 4)] * 2
    assert np.isfinite(folded.oof_predict_proba_).all()


def test_a_table_without_numbers_to_encode_has_one_view(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(epochs=1, random_state=0).fit(sp.csr_array(X > 0), y)
    assert {setting["view"] for setting in clf.cv_results_["params"]} == {"standardized"}
    assert clf.predict_proba(sp.csr_array(X[:2] > 0)).shape == (2, 2)
