"""Several networks trained as one, and what "auto" makes of a table."""

import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from skimb import ImbalancedNNClassifier, losses
from skimb.fitting.defaults import learning_rates, table_epochs, weight_decay
from skimb.losses.binding import BoundLoss
from skimb.networks import initial_values, members_of, mlp, mlp_ensemble, with_members
from skimb.training.optimizers import MemberDecay

ROWS = np.random.default_rng(0).normal(size=(7, 5))
CLF = ImbalancedNNClassifier(epochs=5, cv=None, random_state=0)


def ensemble(**params):
    return mlp_ensemble((5,), 2, hidden_layer_sizes=(6, 4), dtype="float64", **params)


def by_hand(model, member):
    """The logits of one member from its slices of the weights, in NumPy."""
    values = {v.path: np.asarray(v.value) for v in model.variables}
    names = [name.removesuffix("/kernel") for name in values if name.endswith("/kernel")]
    names = names[:-1]  # the last holds the weights of the members in the mean
    mean, variance = values["standardize/moving_mean"], values["standardize/moving_variance"]
    x = (ROWS - mean) / np.sqrt(variance)
    x = 3 * np.tanh(x / 3)
    for i, name in enumerate(names):
        x = x @ values[f"{name}/kernel"][member] + values[f"{name}/bias"][member]
        x = np.maximum(x, 0) if i < len(names) - 1 else x
    return x


def test_each_member_is_a_network_of_its_own_and_their_mean_is_predicted():
    model = ensemble(n_members=3)
    members = [by_hand(model, i) for i in range(3)]
    assert_allclose(with_members(model)(ROWS), np.stack(members, axis=1), rtol=1e-6)
    assert_allclose(model(ROWS), np.mean(members, axis=0), rtol=1e-6)
    assert members_of(model) == 3
    assert members_of(mlp((5,), 2)) == 1


def test_start_values_of_each_member_are_drawn_as_for_a_dense_layer():
    model = mlp_ensemble((50,), 1, hidden_layer_sizes=(200,), n_members=6)
    kernel = next(v for v in initial_values(model, np.random.RandomState(0)) if v.ndim == 3)
    limit = np.sqrt(6 / (50 + 200))
    assert_allclose(np.abs(kernel).max(axis=(1, 2)), limit, rtol=0.01)
    assert not np.allclose(kernel[0], kernel[1])


def test_loss_of_members_is_the_mean_of_their_losses():
    rng = np.random.default_rng(0)
    y, weight = rng.integers(0, 2, 7).astype(float), rng.uniform(0.5, 2, 7)
    outputs = rng.normal(size=(7, 3, 1))
    for name in ("cross_entropy", "focal", "soft_f_beta", "pairwise_auc"):
        loss = BoundLoss(losses.get(name), link="sigmoid", dtype="float64")
        each = [loss(y, outputs[:, i], sample_weight=weight) for i in range(3)]
        found = loss.of_members(3)(y, outputs, sample_weight=weight)
        assert_allclose(found, np.mean(each), rtol=1e-9)
    of_keras = BoundLoss(keras.losses.BinaryCrossentropy(), link="sigmoid", dtype="float64")
    each = [of_keras(y[:, None], outputs[:, i], sample_weight=weight) for i in range(3)]
    assert_allclose(
        of_keras.of_members(3)(y[:, None], outputs, sample_weight=weight), np.mean(each), rtol=1e-6
    )


@pytest.mark.slow
def test_a_member_is_trained_as_if_it_were_alone(binary):
    """By the same start values and batches as of a plain network, in float64."""
    X, y = binary
    params = {"optimizer": "sgd", "class_weight": "balanced", "batch_size": 400, "epochs": 4}
    clf = clone(CLF).set_params(model__n_members=2, model__hidden_layer_sizes=(4,), **params)
    both = clf.set_params(dtype="float64").fit(X, y)
    statistics, starts = np.split(
        np.array(clone(clf).initialize(X, y).model_.get_weights(), dtype=object), [2]
    )
    alone = clone(clf).set_params(model__n_members=1).initialize(X, y)
    for member in (0, 1):
        half = [*(v[member : member + 1] for v in starts[:-1]), np.ones(1)]
        alone.model_.set_weights([*statistics, *half])
        # a loss that is the mean over two has half the gradient
        model = keras.models.clone_model(alone.model_)
        model.set_weights(alone.model_.get_weights())
        rate = {"optimizer__learning_rate": 0.005}
        trained = ImbalancedNNClassifier(model, dtype="float64", **params, **rate).fit(X, y)
        kernels = [v for v in both.model_.get_weights() if v.ndim == 3]
        expected = [v for v in trained.model_.get_weights() if v.ndim == 3]
        for found, wanted in zip(kernels, expected, strict=True):
            assert_allclose(found[member : member + 1], wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["binary", "multiclass", "multilabel"])
def test_both_trainers_agree(data, request):
    X, y = request.getfixturevalue(data)
    compiled = clone(CLF).fit(X, y)
    by_keras = clone(CLF).set_params(trainer="keras").fit(X, y)
    assert_allclose(compiled.predict_proba(X), by_keras.predict_proba(X), atol=1e-6)
    assert list(compiled.history_) == list(by_keras.history_)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["ldam", "class_rectification"])
def test_losses_with_demands_on_the_network_get_what_they_ask_for(loss, multiclass):
    X, y = multiclass
    level = {"loss__level": "instance"} if loss == "class_rectification" else {}
    clf = clone(CLF).set_params(loss=loss, class_weight=None, **level).fit(X, y)
    assert np.isfinite(clf.decision_function(X)).all()
    assert members_of(clf.model_) == (4 if loss == "ldam" else 1)


def test_fitted_ensemble_survives_pickling_and_saving(binary, tmp_path):
    X, y = binary
    clf = clone(CLF).fit(X, y)
    loaded = pickle.loads(pickle.dumps(clf))
    assert_allclose(loaded.decision_function(X), clf.decision_function(X), rtol=1e-12)
    clf.model_.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert_allclose(np.asarray(model(X))[:, 0], clf.decision_function(X), rtol=1e-5)


def test_outlier_in_a_feature_is_clipped_softly(binary):
    X, y = binary
    clf = clone(CLF).fit(X, y)
    far, farther = X[:1].copy(), X[:1].copy()
    far[0, 0], farther[0, 0] = 1e6, 1e9
    assert_allclose(clf.decision_function(far), clf.decision_function(farther), rtol=1e-5)


def test_learning_rate_and_decay_may_be_given(binary):
    X, y = binary
    clf = clone(CLF).set_params(optimizer__learning_rate=1e-6, optimizer__weight_decay=0.0)
    trained = clf.fit(X, y).model_.get_weights()
    untrained = clone(CLF).initialize(X, y).model_.get_weights()
    for found, expected in zip(trained, untrained, strict=True):
        if found.ndim == 3:
            assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("data", ["binary", "multiclass", "multilabel"])
def test_training_begins_at_the_frequencies_of_the_classes(data, request):
    X, y = request.getfixturevalue(data)
    clf = clone(CLF).set_params(class_weight=None, optimizer__learning_rate=1e-9)
    # of a row in the middle of all, whose features are 0
    p = clf.fit(X, y).predict_proba(X.mean(axis=0, keepdims=True))[0]
    share = y.mean(axis=0) if y.ndim > 1 else np.bincount(y) / len(y)
    assert_allclose(p, share, rtol=1e-4)


def test_decay_leaves_biases_alone():
    optimizer = MemberDecay(learning_rate=0.1, weight_decay=1.0)
    kernel, bias = keras.Variable(np.ones((2, 3, 1))), keras.Variable(np.ones((2, 1)))
    optimizer.build([kernel, bias])
    optimizer.apply([np.zeros((2, 3, 1)), np.zeros((2, 1))], [kernel, bias])
    assert_allclose(np.asarray(kernel.value), 0.9, rtol=1e-6)
    assert_allclose(np.asarray(bias.value), 1.0)


@pytest.mark.parametrize("params", [{}, {"beta_1": 0.5, "clipnorm": 0.1}, {"amsgrad": True}])
@pytest.mark.parametrize("dtypes", ["float32", "float64", ("float32", "float64")])
def test_without_decay_all_variables_are_updated_as_by_adam(params, dtypes):
    rng = np.random.default_rng(0)
    shapes = [(2, 3, 4), (2, 4), (5,), (2, 2)]
    starts = [rng.normal(size=shape) for shape in shapes]
    dtypes = [dtypes] * 4 if isinstance(dtypes, str) else [*dtypes, *dtypes]
    found, expected = (
        [keras.Variable(v, dtype=dtype) for v, dtype in zip(starts, dtypes, strict=True)]
        for _ in range(2)
    )
    ours = MemberDecay(0.01, weight_decay=0.0, **params)
    ours.build(found)
    adam = keras.optimizers.Adam(0.01, **params)
    adam.build(expected)
    together = isinstance(dtypes, list) and len({*dtypes}) == 1 and "amsgrad" not in params
    assert (len(ours.variables) < len(adam.variables)) == together
    for step in range(6):
        n = 4 if step < 3 else 3  # the last variable is frozen
        gradients = [rng.normal(size=v.shape).astype(v.dtype) for v in found[:n]]
        ours.apply(gradients, found[:n])
        adam.apply(gradients, expected[:n])
    for one, other in zip(found, expected, strict=True):
        assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-5)


def test_defaults_follow_the_size_of_the_table():
    assert table_epochs(1) > table_epochs(5) > table_epochs(50) > 10
    assert weight_decay(np.array([300, 20])) > weight_decay(np.array([300, 100]))
    # of several labels by the mean, and as much for a first class that is rare
    assert weight_decay(np.array([[90, 10], [90, 10]])) == weight_decay(np.array([10, 90]))
    rates = learning_rates(100, peak=1.0)
    assert max(rates) > 0.95
    assert rates[0] < 0.2
    assert rates[-1] < 0.01


def test_bad_number_of_members_is_named(binary):
    with pytest.raises(ValueError, match="model__n_members=0"):
        clone(CLF).set_params(model__n_members=0).fit(*binary)
