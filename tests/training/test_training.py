"""The compiled loop against ``Model.fit`` on the same batches, the cache, and the randomness."""

import random
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skimb import ImbalancedNNClassifier, training
from skimb.data.batching import ShuffledBatches
from skimb.losses.binding import BoundLoss
from skimb.losses.cross_entropy import CrossEntropy
from skimb.networks import mlp_ensemble, with_members
from skimb.training import Network, Rows, train
from skimb.training.cache import Pool, programs
from skimb.training.inference import outputs
from skimb.training.network import Forward


def table(n=237, dtype="float32"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)).astype(dtype)
    y = (X[:, :1] + 0.3 * rng.normal(size=(n, 1)) > 1).astype(dtype)
    return Rows(X, y, (1 + 3 * y[:, 0]).astype(dtype), dtype)


def network(*, l2=0.0, normalization=False, dropout=0.0, dtype="float32"):
    layers = keras.layers
    stack = [keras.Input((6,), dtype=dtype)]
    penalty = keras.regularizers.L2(l2) if l2 else None
    stack.append(
        layers.Dense(
            16, "relu", kernel_regularizer=penalty, dtype=dtype,
            kernel_initializer=keras.initializers.GlorotUniform(seed=1),
        )
    )  # fmt: skip
    if normalization:
        stack.append(layers.BatchNormalization(dtype=dtype))
    if dropout:
        stack.append(layers.Dropout(dropout, seed=3, dtype=dtype))
    stack.append(
        layers.Dense(1, dtype=dtype, kernel_initializer=keras.initializers.GlorotUniform(seed=2))
    )
    return keras.Sequential(stack)


def plain_keras_fit(model, rows, loss, optimizer, orders, batch_size):
    """Train a copy with ``Model.train_on_batch``-like calls of Keras on given batches."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    for order in orders:
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            copy.train_on_batch(rows.X[batch], rows.y[batch], sample_weight=rows.weight[batch])
    return copy


class FixedBatches(ShuffledBatches):
    """Batches whose order is known beforehand."""

    def epoch(self, rng):
        order = np.random.RandomState(len(self.seen)).permutation(self.n_rows).astype(np.int32)
        self.seen.append(order)
        return order

    @property
    def seen(self):
        return vars(self).setdefault("_seen", [])


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "momentum": lambda: keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.05),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
    "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 20)),
    "clipping": lambda: keras.optimizers.Adam(0.01, clipnorm=0.1),
    "average": lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.8),
}


def assert_same_weights(ours, theirs):
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_allclose(a, b, rtol=1e-4, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 10**9], ids=["xla", "graph"])
@pytest.mark.parametrize(
    ("name", "parts"),
    [(name, {"l2": 0.01, "normalization": True}) for name in OPTIMIZERS]
    + [("sgd", {}), ("adam", {})],
    ids=str,
)
def test_compiled_loop_ends_in_the_weights_of_keras(name, parts, seconds, monkeypatch):
    """Class weights, and a last batch of 13 rows, are part of every case."""
    monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", seconds)
    rows, model, loss = table(), network(**parts), BoundLoss(CrossEntropy(), link="sigmoid")
    object.__setattr__(batches := FixedBatches(237, 32), "_seen", [])
    trained = train(
        Network.copy_of(model), rows, loss, OPTIMIZERS[name](), batches, epochs=3,
        rng=np.random.RandomState(0),
    )  # fmt: skip
    assert trained.trainer == ("xla" if seconds == 0 else "graph")
    theirs = plain_keras_fit(
        model, rows, keras.losses.BinaryCrossentropy(from_logits=True), OPTIMIZERS[name](),
        batches.seen, 32,
    )  # fmt: skip
    if name == "average":
        theirs.optimizer.finalize_variable_values(theirs.trainable_variables)
    assert_same_weights(trained.network.model, theirs)


@pytest.mark.parametrize("name", [pytest.param("sgd", marks=pytest.mark.slow), "adam", "schedule"])
def test_model_fit_path_ends_in_the_weights_of_the_compiled_one(name):
    results = {}
    for trainer in ("compiled", "keras"):
        results[trainer] = train(
            Network.copy_of(network(l2=0.01, normalization=True)),
            table(),
            BoundLoss(CrossEntropy(), link="sigmoid"),
            OPTIMIZERS[name](),
            ShuffledBatches(237, 32),
            epochs=3,
            rng=np.random.RandomState(0),
            trainer=trainer,
        )
    assert_same_weights(results["compiled"].network.model, results["keras"].network.model)
    assert_allclose(
        results["compiled"].history["loss"], results["keras"].history["loss"], rtol=1e-3
    )


@pytest.mark.slow
def test_dropout_drops_as_much_as_it_says_in_both_paths(binary):
    """The loss while training, with the outputs' variance that dropout adds, is alike."""
    X, y = binary
    losses = {}
    for trainer in ("compiled", "keras"):
        clf = ImbalancedNNClassifier(
            cv=None, model__dropout=0.5, epochs=5, random_state=0, trainer=trainer
        ).fit(X, y)
        losses[trainer] = clf.loss_
    without = ImbalancedNNClassifier(cv=None, epochs=5, random_state=0).fit(X, y).loss_
    assert losses["compiled"] == pytest.approx(losses["keras"], rel=0.15)
    assert losses["compiled"] > 1.1 * without


def test_training_leaves_the_given_network_alone():
    given = Network.copy_of(network())
    before = [value.copy() for value in given.values]
    train(
        given, table(), BoundLoss(CrossEntropy(), link="sigmoid"), keras.optimizers.Adam(),
        ShuffledBatches(237, 32), epochs=1, rng=np.random.RandomState(0),
    )  # fmt: skip
    for value, expected in zip(given.values, before, strict=True):
        assert_array_equal(value, expected)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_other_precisions_learn_too(binary, policy):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None, dtype=policy, epochs=40, random_state=0).fit(X, y)
    assert clf.score(X, y) > 0.8
    assert clf.predict_proba(X).dtype == np.float64


# ---- the cache


@pytest.fixture
def empty_cache():
    training.clear_cache()
    yield
    training.clear_cache()


@pytest.mark.slow
def test_search_shares_one_program(binary, empty_cache):
    X, y = binary
    for n, seed, weight, rate, gamma in [
        (320, 0, None, 1e-3, 1.0), (321, 1, "balanced", 1e-2, 0.5), (400, 2, {1: 9}, 0.1, 3.0),
    ]:  # fmt: skip
        ImbalancedNNClassifier(cv=None,
            epochs=1, batch_size=32, random_state=seed, class_weight=weight, loss="focal",
            loss__gamma=gamma, optimizer__learning_rate=rate,
        ).fit(X[:n], y[:n])  # fmt: skip
    assert len(programs) == 1


@pytest.mark.slow
def test_what_a_program_is_made_of_tells_programs_apart(binary, empty_cache):
    X, y = binary
    for params in (
        {}, {"batch_size": 16}, {"model__hidden_layer_sizes": (8,)}, {"optimizer": "sgd"},
        {"optimizer": "adam", "optimizer__beta_1": 0.5}, {"loss": "focal"}, {"dtype": "float64"},
    ):  # fmt: skip
        ImbalancedNNClassifier(cv=None, epochs=1, **params).fit(X, y)
    assert len(programs) == 7


def test_networks_of_a_build_function_share_a_program(binary, empty_cache):
    def build(meta):
        return keras.Sequential([keras.Input((8,)), keras.layers.Dense(4), keras.layers.Dense(1)])

    X, y = binary
    for seed in (0, 1):
        ImbalancedNNClassifier(build, epochs=1, random_state=seed).fit(X, y)
    assert len(programs) == 1


def test_a_shared_program_carries_nothing_over(binary, empty_cache):
    X, y = binary
    first = ImbalancedNNClassifier(cv=None, epochs=3, random_state=0, class_weight=None)
    expected = first.fit(X, y).predict_proba(X)
    ImbalancedNNClassifier(cv=None, epochs=5, random_state=1, optimizer__learning_rate=0.5).fit(
        X, y
    )
    assert_array_equal(first.fit(X, y).predict_proba(X), expected)


def test_pool_keeps_no_more_than_its_capacity_and_drops_the_oldest():
    pool = Pool(capacity=2)
    for key in "abc":
        with pool.borrow(key, lambda key=key: key.upper()):
            pass
    assert len(pool) == 2
    made = []
    for key in "cab":
        with pool.borrow(key, lambda key=key: made.append(key)):
            pass
    assert made == ["a", "b"]


def test_pool_forgets_what_raised_and_lends_an_item_once():
    pool = Pool(capacity=4)
    with pytest.raises(KeyError), pool.borrow("a", object):
        raise KeyError
    assert len(pool) == 0
    with pool.borrow("a", object) as one, pool.borrow("a", object) as two:
        assert one is not two


@pytest.mark.slow
def test_threads_that_fit_the_same_at_once_get_the_same(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None, epochs=4, random_state=0)
    expected = clf.fit(X, y).predict_proba(X)
    results = {}

    def fit(name):
        twin = ImbalancedNNClassifier(cv=None, epochs=4, random_state=0).fit(X, y)
        results[name] = twin.predict_proba(X)

    threads = [threading.Thread(target=fit, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        assert_array_equal(results[i], expected)


# ---- callbacks


class Epochs(keras.callbacks.Callback):
    def __init__(self, stop_after=None):
        super().__init__()
        self.seen, self.stop_after = [], stop_after

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, logs["loss"], float(self.model.optimizer.learning_rate)))
        if epoch + 1 == self.stop_after:
            self.model.stop_training = True


class CountedBatches(keras.callbacks.Callback):
    n_batches = 0

    def on_train_batch_end(self, batch, logs=None):
        CountedBatches.n_batches += 1


def test_epoch_callbacks_run_in_the_compiled_path_and_may_stop(binary):
    X, y = binary
    epochs = Epochs(stop_after=3)
    clf = ImbalancedNNClassifier(cv=None, epochs=10, callbacks=[epochs]).fit(X, y)
    assert clf.trainer_ in ("graph", "xla")
    assert [loss for _, loss, _ in epochs.seen] == clf.history_["loss"]
    assert clf.n_iter_ == 3
    assert epochs.model is clf.model_


@pytest.mark.slow
def test_batch_callbacks_take_model_fit(binary):
    X, y = binary
    CountedBatches.n_batches = 0
    clf = ImbalancedNNClassifier(cv=None, epochs=2, batch_size=100, callbacks=[CountedBatches]).fit(
        X, y
    )
    assert clf.trainer_ == "keras"
    assert CountedBatches.n_batches == 8
    with pytest.raises(ValueError, match="CountedBatches"):
        clf.set_params(trainer="compiled").fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_callbacks_of_keras_see_the_followed_metrics(binary, trainer):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None,
        epochs=200, metrics=["f1"], trainer=trainer, random_state=0,
        optimizer__learning_rate=0.01, batch_size=100,
        callbacks=[keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau],
        callbacks__0__monitor="f1", callbacks__0__mode="max", callbacks__0__patience=5,
        callbacks__0__restore_best_weights=True, callbacks__1__monitor="loss",
    ).fit(X, y)  # fmt: skip
    assert clf.n_iter_ < 200
    assert clf.score(X, y) == pytest.approx(max(clf.history_["f1"]))


def test_learning_rate_scheduler_sets_the_rate(binary):
    X, y = binary
    epochs = Epochs()
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    ImbalancedNNClassifier(cv=None, epochs=3, callbacks=[schedule, epochs]).fit(X, y)
    assert_allclose([rate for *_, rate in epochs.seen], [0.1, 0.05, 0.1 / 3], rtol=1e-6)


class Untraceable(keras.Model):
    """A network that looks at the values of its tensors."""

    def __init__(self):
        super().__init__()
        self.end = keras.layers.Dense(1)

    def call(self, x):
        return self.end(x * float(np.abs(x.numpy()).max() < 1e9))


def test_network_that_cannot_be_traced_is_trained_by_keras(binary):
    X, y = binary
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    clf = ImbalancedNNClassifier(Untraceable, epochs=4, optimizer__learning_rate=0.1).fit(X, y)
    assert clf.trainer_ == "keras"
    assert clf.loss_ < clf.history_["loss"][0]
    assert clf.predict(X).shape == y.shape
    with pytest.raises(ValueError, match="cannot be traced"):
        clf.set_params(trainer="compiled").fit(X, y)


@pytest.mark.slow
def test_strategy_in_scope_takes_model_fit(binary):
    X, y = binary
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        assert ImbalancedNNClassifier(cv=None, epochs=1).fit(X, y).trainer_ == "keras"
        with pytest.raises(ValueError, match="strategy"):
            ImbalancedNNClassifier(cv=None, epochs=1, trainer="compiled").fit(X, y)


class Uncopied(keras.Model):
    """A network without a configuration, of which there is only one."""

    def __init__(self, units):
        super().__init__()
        self.end = keras.layers.Dense(units)

    def call(self, x):
        return self.end(x)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_failed_training_undoes_what_it_did_to_a_network_without_copy(binary, trainer):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError

    X, y = binary
    clf = ImbalancedNNClassifier(
        lambda: Uncopied(1), epochs=2, warm_start=True, trainer=trainer, random_state=0
    ).fit(X, y)
    before = clf.predict_proba(X)
    with pytest.raises(RuntimeError):
        clf.set_params(callbacks=[Failing()]).fit(X, y)
    assert_array_equal(clf.predict_proba(X), before)


# ---- randomness


def process_state():
    return (
        random.getstate(),
        [np.asarray(part).tolist() for part in np.random.get_state()],
        keras.config.floatx(),
        tf.config.experimental.is_op_determinism_enabled()
        if hasattr(tf.config.experimental, "is_op_determinism_enabled")
        else None,
    )


def noisy_network():
    return keras.Sequential(
        [keras.Input((8,)), keras.layers.GaussianNoise(0.5), keras.layers.Dense(1)]
    )


def seeding_network():
    keras.utils.set_random_seed(7)
    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["auto", noisy_network, seeding_network])
@pytest.mark.parametrize("trainer", ["compiled", "keras"])
def test_one_random_state_fixes_everything_and_touches_nothing(binary, trainer, model):
    X, y = binary
    clf = ImbalancedNNClassifier(model, epochs=3, random_state=3, trainer=trainer)
    if model == "auto":
        clf.set_params(model__dropout=0.3)
    before = process_state()
    first = clf.fit(X, y).predict_proba(X)
    assert process_state() == before
    random.seed(1), np.random.seed(1)
    assert_array_equal(clf.fit(X, y).predict_proba(X), first)


class TensorFlowNoise(keras.layers.Layer):
    def call(self, x, training=False):
        return x + tf.random.normal(tf.shape(x)) if training else x


def network_with_tensorflow_noise():
    scale = float(tf.random.uniform((), 0.5, 1.0))
    layers = [keras.layers.Rescaling(scale), TensorFlowNoise(), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((8,)), *layers])


@pytest.mark.slow
def test_tensorflows_own_random_operations_follow_random_state(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(network_with_tensorflow_noise, epochs=3, random_state=0)
    first = clf.fit(X, y).predict_proba(X)
    assert clf.trainer_ == "keras"
    assert_array_equal(clf.fit(X, y).predict_proba(X), first)
    other = clone(clf).set_params(random_state=1).fit(X, y).predict_proba(X)
    assert np.abs(other - first).max() > 1e-3
    with pytest.raises(ValueError, match=r"TensorFlow's own operations"):
        clone(clf).set_params(trainer="compiled").fit(X, y)


def test_process_state_is_restored_when_fit_raises(binary):
    def failing():
        keras.utils.set_random_seed(1)
        raise RuntimeError("from the build function")

    X, y = binary
    before = process_state()
    with pytest.raises(RuntimeError, match="build function"):
        ImbalancedNNClassifier(failing, random_state=0).fit(X, y)
    assert process_state() == before


def test_unseeded_keras_code_works_after_a_seeded_fit(binary):
    """scikeras's determinism switch makes this raise."""
    X, y = binary
    ImbalancedNNClassifier(cv=None, epochs=1, random_state=0).fit(X, y)
    assert np.isfinite(tf.random.normal((3,)).numpy()).all()
    assert np.isfinite(np.asarray(keras.random.normal((3,)))).all()


def test_different_seeds_give_different_networks_and_no_seed_too(binary):
    X, y = binary
    draws = [
        ImbalancedNNClassifier(cv=None, epochs=1, random_state=seed).fit(X, y).predict_proba(X)
        for seed in (0, 1, None, None)
    ]
    for i, a in enumerate(draws):
        for b in draws[:i]:
            assert np.abs(a - b).max() > 1e-6


# ---- inference


def test_predictions_do_not_depend_on_the_chunks(binary, monkeypatch):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None, epochs=2, random_state=0).fit(X, y)
    expected = clf.predict_proba(X)
    monkeypatch.setattr("skimb.training.inference.FORWARD_BYTES", 1000)
    assert_allclose(clf.predict_proba(X), expected, rtol=1e-12)
    assert_allclose(clf.predict_proba(X[:1]), expected[:1], rtol=1e-12)


@pytest.mark.parametrize("of_members", [False, True])
def test_no_layer_of_a_forward_pass_is_larger_than_a_chunk(monkeypatch, of_members):
    # 8 members of 64 units: 512 values of a sample, whose output and input are few
    network = Network.of(mlp_ensemble((3,), 1, hidden_layer_sizes=(64,), n_members=8))
    if of_members:
        network = Network.of(with_members(network.model))
    lengths = []
    passed = Forward.__call__

    def counted(self, values, rows):
        lengths.append(len(rows))
        return passed(self, values, rows)

    monkeypatch.setattr(Forward, "__call__", counted)
    monkeypatch.setattr("skimb.training.inference.FORWARD_BYTES", 10 * 512 * 4)
    found = outputs(network, np.zeros((25, 3), np.float32), "float32")
    assert lengths == [10, 10, 5]
    assert len(found) == 25


@pytest.mark.parametrize(
    ("params", "n_rows", "expected"),
    [
        ({"model": "mlp", "model__hidden_layer_sizes": (64,), "model__normalize": False,
          "batch_size": 32, "epochs": 10}, 4000, "xla"),
        ({"model": "mlp", "epochs": 10}, 400, "graph"),
        pytest.param({}, 1000, "xla", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_fits_of_many_steps_are_compiled_with_xla(params, n_rows, expected):
    X = np.random.default_rng(0).normal(size=(n_rows, 20)).astype("float32")
    clf = ImbalancedNNClassifier(cv=None, random_state=0, **params).fit(
        X, np.arange(n_rows) % 10 == 0
    )
    assert clf.trainer_ == expected
