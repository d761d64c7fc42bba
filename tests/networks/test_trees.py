"""Members of an ensemble that are sums of soft decision trees."""

import re
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.metrics import average_precision_score

from skimb import ImbalancedNNClassifier
from skimb.export.network import plain_network
from skimb.fitting.optimizer import optimizer_of
from skimb.networks import (
    SoftTrees,
    initial_values,
    members_of,
    mlp_ensemble,
    with_last_bias,
    with_members,
)
from skimb.networks.trees import TREE_MEMBERS
from skimb.training import Network
from skimb.training.optimizers import MemberDecay

ROWS = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")


def layer_of(n_inputs=5, depth=2, **params):
    layer = SoftTrees(2, 3, 3, depth, seed=0, **params)
    layer.build((None, n_inputs))
    rng = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) / 8)
    return layer


def sums_of(layer, rows):
    """Return the sums of trees by a loop over members, trees and leaves."""
    selection, thresholds, steepness, kernel, bias = layer.get_weights()[:5]
    sums = np.tile(bias, (len(rows), 1, 1))
    n_members, _, n_trees, depth = selection.shape
    for member, tree in product(range(n_members), range(n_trees)):
        sides = []
        for split in range(depth):
            share = softmax(24 * selection[member, :, tree, split])
            at = depth * tree + split
            threshold = 8 * thresholds[member, at] * np.linalg.norm(share)
            first = expit(2 * np.exp(steepness[member, at]) * (rows @ share - threshold))
            sides.append((first, 1 - first))
        for leaf, ways in enumerate(product(range(2), repeat=depth)):
            of_leaf = np.prod([side[way] for side, way in zip(sides, ways, strict=True)], axis=0)
            response = 8 * kernel[member, 2**depth * tree + leaf]
            sums[:, member] += of_leaf[:, None] * response
    return sums


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_sums_weigh_the_responses_by_the_product_of_the_shares_of_the_sides(depth):
    layer = layer_of(depth=depth, input_dropout=0.5)
    found = np.asarray(layer(ROWS))
    assert found.shape == (6, 2, 3)
    assert_allclose(found, sums_of(layer, ROWS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_gradient_is_what_the_sums_change_by(depth, units):
    layer = SoftTrees(2, units, 3, depth, dtype="float64", seed=0)
    layer.build((None, 5))
    rng = np.random.default_rng(1)
    start = [rng.normal(size=variable.shape) / 8 for variable in layer.trainable_variables]
    rows, counted = ROWS.astype(float), rng.normal(size=(6, 2, units))

    def total(values):
        layer.set_weights(values)
        return (counted * sums_of(layer, rows)).sum()

    layer.set_weights(start)
    x = tf.constant(rows)
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = tf.reduce_sum(counted * layer(x))
    variables = [variable.value for variable in layer.trainable_variables]
    *gradients, of_rows = tape.gradient(found, [*variables, x])
    for way in range(5):  # along random directions, by central differences
        direction = [rng.normal(size=value.shape) for value in start]
        step = 2e-6
        ahead, behind = (
            total([v + sign * step * d for v, d in zip(start, direction, strict=True)])
            for sign in (1, -1)
        )
        slope = sum((np.asarray(g) * d).sum() for g, d in zip(gradients, direction, strict=True))
        assert_allclose(
            slope, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-6, err_msg=str(way)
        )
    layer.set_weights(start)
    moved = rng.normal(size=rows.shape)
    ahead, behind = (
        (counted * sums_of(layer, rows + sign * 1e-5 * moved)).sum() for sign in (1, -1)
    )
    slope = (np.asarray(of_rows) * moved).sum()
    assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-6)


def test_a_step_takes_no_dropped_input_and_the_others_in_the_same_proportions():
    layer = layer_of(input_dropout=[0.0, 0.5])
    state = layer.seed_generator.state
    for step in range(20):
        state.assign([3, step])
        x = tf.constant(ROWS)
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = layer(x, training=True)[:, 1, :1]  # of the member that drops
        taken = (np.abs(np.asarray(tape.gradient(output, x))) > 1e-12).any(axis=0)
        state.assign([3, step])
        train = np.asarray(layer(ROWS, training=True))
        assert_allclose(train[:, 0], np.asarray(layer(ROWS))[:, 0], rtol=1e-5, atol=1e-6)
        # what is left is what a layer without the other inputs would have
        fewer = SoftTrees(2, 3, 3, 2)
        fewer.build((None, int(taken.sum())))
        selection, *others = (np.asarray(v) for v in layer.trainable_variables)
        fewer.set_weights([selection[:, taken], *others])
        assert_allclose(train[:, 1], np.asarray(fewer(ROWS[:, taken]))[:, 1], rtol=1e-4, atol=1e-5)
    # where all would be dropped, none is
    one = layer_of(n_inputs=1, input_dropout=0.99)
    assert_allclose(np.asarray(one(ROWS[:, :1], training=True)), np.asarray(one(ROWS[:, :1])))


def test_members_and_seeds_begin_with_different_trees():
    model = mlp_ensemble((5,), 1, n_members=3, n_tree_members=2)
    starts = [initial_values(model, np.random.RandomState(seed)) for seed in (0, 0, 1)]
    names = [variable.name for variable in model.variables]
    for name, deviation in (("selection", 3 / 24), ("thresholds", 1 / 8)):
        first, again, other = (start[names.index(name)] for start in starts)
        assert_array_equal(first, again)
        assert (first != other).all()
        assert (first[0] != first[1]).all()
        assert first.std() == pytest.approx(deviation, rel=0.3)


@pytest.mark.parametrize("sizes", [(), (4,)])
def test_prior_is_the_bias_of_all_members(sizes):
    members = {"n_members": 5, "n_piecewise": 2, "n_tree_members": 2}
    model = mlp_ensemble((5,), 2, hidden_layer_sizes=sizes, **members)
    start = initial_values(model, np.random.RandomState(0))
    moved = with_last_bias(model, start, np.array([1.0, -2.0]))
    members = with_members(model)
    found = []
    for values in (start, moved):
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
        found.append(np.asarray(members(ROWS)))
    assert found[0].shape == (6, 5, 2)
    expected = np.broadcast_to([1.0, -2.0], found[0].shape)
    assert_allclose(found[1] - found[0], expected, rtol=1e-4, atol=1e-5)


def test_each_kernel_has_the_weight_decay_of_its_members_and_never_turns_round():
    model = mlp_ensemble(
        (5,), 1, hidden_layer_sizes=(), n_members=5, n_piecewise=2, n_tree_members=2
    )
    optimizer = MemberDecay(learning_rate=0.1, weight_decay=[1.0, 2.0, 3.0, 0.1, 20.0])
    left = {"standardized": [0.9], "piecewise": [0.8, 0.7], "trees": [0.92, 0.0]}
    before = [np.asarray(variable) for variable in model.trainable_variables]
    zeros = [tf.zeros_like(variable) for variable in before]
    optimizer.apply(zeros, model.trainable_variables)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        kernel = variable.name == "kernel"
        factor = left[re.split("[_/]", variable.path)[0]] if kernel else [1.0]
        factor = np.reshape(factor, (-1, *[1] * (old.ndim - 1)))
        assert_allclose(np.asarray(variable), factor * old, rtol=1e-5)
    scalar = MemberDecay(learning_rate=0.1, weight_decay=0.1)
    model = mlp_ensemble((5,), 1, n_members=2, n_tree_members=2)
    kernel = model.get_layer(TREE_MEMBERS).kernel
    before = np.asarray(kernel)
    scalar.apply([tf.zeros_like(v) for v in model.trainable_variables], model.trainable_variables)
    assert_allclose(np.asarray(kernel), 0.92 * before, rtol=1e-5)


@pytest.mark.parametrize("plain", [False, True])
def test_responses_of_trees_have_the_penalty_of_the_kernels(plain):
    model = mlp_ensemble((5,), 1, n_members=2, n_tree_members=2, l2=0.1, plain=plain)
    name = "trees_responses" if plain else "trees"
    kernel = np.asarray(model.get_layer(name).kernel)
    assert kernel.std() == pytest.approx(0.1 / 8, rel=0.2)
    assert float(sum(model.losses)) == pytest.approx(0.1 * np.square(kernel).sum(), rel=1e-5)
    layer = SoftTrees(2, 1, 3, 2, kernel_regularizer="l1")
    again = SoftTrees.from_config(layer.get_config())
    assert isinstance(again.kernel_regularizer, keras.regularizers.L1)


def test_decay_of_a_network_that_predicts_leaves_its_splits_alone():
    model = mlp_ensemble((5,), 1, n_members=2, n_tree_members=2, plain=True)
    before = [np.asarray(v) for v in model.trainable_variables]
    optimizer = MemberDecay(learning_rate=0.1, weight_decay=0.1)
    optimizer.apply([tf.zeros_like(v) for v in before], model.trainable_variables)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        left = 0.92 if variable.path.startswith("trees_responses/kernel") else 1.0
        assert_allclose(np.asarray(variable), left * old, rtol=1e-5)


def test_networks_of_layers_of_the_same_names_are_made_plain():
    inputs = keras.Input((5,))
    x = keras.layers.Rescaling(0.5, name="rescaling")(inputs)
    x = keras.layers.Reshape((5,), name="reshape")(x)
    sums = SoftTrees(2, 3, 3, 2)(x), SoftTrees(2, 3, 3, 1)(x)
    model = keras.Model(inputs, keras.layers.Multiply(name="multiply")(sums))
    found = plain_network(Network.of(model))
    assert not [layer for layer in found.layers if isinstance(layer, SoftTrees)]
    assert_allclose(np.asarray(found(ROWS)), np.asarray(model(ROWS)), rtol=1e-4, atol=1e-6)


def test_trees_are_of_rows():
    with pytest.raises(ValueError, match="expected ndim=2"):
        SoftTrees(2, 1, 3, 2)(np.ones((3, 4, 4), "float32"))


def test_a_saved_network_with_trees_predicts_the_same(tmp_path):
    model = mlp_ensemble((5,), 1, n_members=3, n_tree_members=2, input_dropout=0.2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_allclose(np.asarray(loaded(ROWS)), np.asarray(model(ROWS)), rtol=1e-6)
    assert members_of(loaded) == 3
    layer = model.get_layer(TREE_MEMBERS)
    assert SoftTrees.from_config(layer.get_config()).get_config() == layer.get_config()


def test_an_ensemble_can_be_of_trees_alone():
    model = mlp_ensemble((5,), 3, n_members=2, n_tree_members=2)
    assert model(ROWS).shape == (6, 3)
    mean = np.asarray(with_members(model)(ROWS)).mean(axis=1)
    assert_allclose(np.asarray(model(ROWS)), mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"n_members": 3, "n_piecewise": 2, "n_tree_members": 2}, "n_members to at least 4"),
        ({"n_tree_members": -1}, "n_tree_members=-1 must be an integer of at least 0"),
        ({"n_tree_members": 1, "normalized_output": True}, "trees have no cosines"),
        ({"input_factors": True, "n_tree_members": 1}, "Set model__n_piecewise"),
        ({"input_dropout": 0.1, "n_tree_members": 1, "plain": True}, "Leave it at False"),
    ],
)
def test_members_of_trees_that_cannot_be_are_errors(params, said):
    with pytest.raises(ValueError, match=said):
        mlp_ensemble((4,), 1, **params)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_trees_need_twenty_samples_outside_the_largest_class(n_classes):
    X = np.random.default_rng(0).normal(size=(400, 3))
    y = np.zeros(400, dtype=int)
    y[:20] = 1 + np.arange(20) % (n_classes - 1)
    views = []
    for rows, of_rare in ((slice(None), 1.0), (slice(None), 0.99), (np.r_[:20, :20, :400], 1 / 3)):
        clf = ImbalancedNNClassifier(epochs=1, random_state=0)
        clf.fit(X[rows], y[rows], sample_weight=np.where(y[rows] == 0, 1.0, of_rare))
        views.append({setting["view"] for setting in clf.cv_results_["params"]})
    assert views[0] - views[1] == {"trees"}
    assert views[2] == views[0]


def test_decay_of_detail_falls_with_the_weight_of_the_rare_samples(monkeypatch):
    trained_with = []

    def kept(*args, **kwargs):
        optimizer, rates = optimizer_of(*args, **kwargs)
        trained_with.append(optimizer.weight_decay)
        return optimizer, rates

    monkeypatch.setattr("skimb.fitting.plan.optimizer_of", kept)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1500, 3)), np.repeat([0, 1], [1100, 400])
    params = {"epochs": 1, "cv": 2, "random_state": 0, "model__hidden_layer_sizes": (4,)}
    found = []
    for weight in (1.0, 0.2, 4.0):  # 400, 80 and 1,600 rare samples
        clf = ImbalancedNNClassifier(**params)
        clf.fit(X, y, sample_weight=np.where(y == 1, weight, 3.0))
        found.append([setting["weight_decay"] for setting in clf.cv_results_["params"]])
    assert_allclose(trained_with, np.repeat(found, 2, axis=1))  # a member for each fold
    of_standardized, strong = [0.3, 1.5, 5.0], [5.0, 2.0]
    assert_allclose(found[0], [*of_standardized, 0.3, strong[0], 0.125, strong[1]])
    assert_allclose(found[1], [*of_standardized, 0.3, strong[0], 0.5, strong[1]])
    assert_allclose(found[2], [*of_standardized, 0.075, strong[0], 0.03125, strong[1]])
    clf.set_params(optimizer__weight_decay=None).fit(X, y)  # None is none in Keras
    assert {setting["weight_decay"] for setting in clf.cv_results_["params"]} == {0.0}
    clf.set_params(cv=None).fit(X, y)
    assert trained_with[-2:] == [[0.0] * 6, 0.0]  # one setting of each view


def test_trees_have_no_splits_below_one():
    with pytest.raises(ValueError, match="depth=0 must be at least 1"):
        SoftTrees(2, 1, 3, 0)


@pytest.mark.parametrize(
    ("params", "shape"),
    [({"loss": "ldam"}, (1200, 3)), ({"model": "mlp_ensemble"}, (1000, 2, 200))],
)
def test_losses_of_cosines_and_many_columns_go_without_trees(params, shape):
    X = np.random.default_rng(0).normal(size=shape).astype("float32")
    y = np.arange(len(X)) % 3
    params = {"cv": 2, "epochs": 1, "random_state": 0, "model__hidden_layer_sizes": (4,), **params}
    clf = ImbalancedNNClassifier(**params).fit(X, y)
    assert "trees" not in {setting["view"] for setting in clf.cv_results_["params"]}


@pytest.mark.slow
def test_two_thresholds_at_once_are_learned_from_few_positives():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 10)).astype("float32")
    y = ((X[:, 3] > 1.1) & (X[:, 7] < -0.7)).astype(int)
    assert 25 < y[:1200].sum() < 55
    clf = ImbalancedNNClassifier(random_state=0).fit(X[:1200], y[:1200])
    of_view = dict.fromkeys(("standardized", "piecewise_linear", "trees"), 0.0)
    for setting, weight in zip(clf.cv_results_["params"], clf.cv_results_["weight"], strict=True):
        of_view[setting["view"]] += weight
    assert of_view["trees"] > 0.8
    # and what is left of the network is of layers of Keras
    assert not [layer for layer in clf.model_.layers if type(layer).__module__.startswith("skimb")]
    rows = X[1200:]
    found = np.asarray(clf.model_(rows))[:, 0]
    assert_allclose(found, clf.decision_function(rows), rtol=1e-4, atol=1e-4)
    assert average_precision_score(y[1200:], found) > 0.9
