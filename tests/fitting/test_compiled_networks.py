"""Networks that a user compiled: which optimizer and which loss they are trained with."""

import warnings

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV

from skimb import AutoencoderOutlierDetector, ImbalancedNNClassifier

L = keras.layers


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4)).astype("float32")
    return X, (X[:, 0] + rng.normal(size=80) > 1).astype(int)


def quick(model, **params):
    return ImbalancedNNClassifier(model, **{"epochs": 2, "random_state": 0, **params})


def network(end="sigmoid"):
    return keras.Sequential([keras.Input((4,)), L.Dense(1, activation=end)])


def compiled(lr=0.001, loss="binary_crossentropy", name="SGD"):
    model = network()
    model.compile(getattr(keras.optimizers, name)(lr), loss=loss)
    return model


def test_the_learning_rate_of_a_compiled_network_counts(table):
    still = quick(compiled, model__lr=1e-12).fit(*table).model_.get_weights()
    start = quick(compiled).initialize(*table).model_.get_weights()
    np.testing.assert_allclose(still[0], start[0], atol=1e-6)
    moved = quick(compiled, model__lr=0.5).fit(*table)
    assert np.abs(moved.model_.get_weights()[0] - start[0]).max() > 0.01
    own = quick(network, optimizer="sgd", optimizer__learning_rate=0.5).fit(*table)
    assert_array_equal(moved.predict_proba(table[0]), own.predict_proba(table[0]))


def test_a_search_over_the_learning_rate_compares_networks(table):
    search = GridSearchCV(
        quick(compiled, scoring="average_precision"), {"model__lr": [1e-9, 1.0]}, cv=2
    )
    scores = search.fit(*table).cv_results_["mean_test_score"]
    assert scores[0] != scores[1]


def test_another_loss_than_the_default_is_taken_from_the_network(table):
    with_loss = quick(compiled, model__loss="mse", class_weight=None).fit(*table)
    own = quick(compiled, loss="mse", class_weight=None).fit(*table)
    assert_array_equal(with_loss.predict_proba(table[0]), own.predict_proba(table[0]))
    plain = quick(compiled, class_weight=None).fit(*table)
    assert with_loss.loss_ != plain.loss_


def test_a_function_as_the_loss_is_taken_from_the_network(table):
    def constant(y_true, y_pred):
        return 3.0 + 0.0 * keras.ops.mean(y_pred, axis=-1)

    clf = quick(compiled, model__loss=constant, class_weight=None).fit(*table)
    assert clf.loss_ == pytest.approx(3.0)


def test_a_given_network_and_an_autoencoder_bring_theirs(table):
    X, y = table
    given = compiled(lr=0.5)
    fitted = quick(given).fit(X, y)
    assert np.abs(fitted.model_.get_weights()[0] - given.get_weights()[0]).max() > 0.01
    assert given.compiled  # and stays as it was
    assert not fitted.model_.compiled

    def build():
        model = keras.Sequential([keras.Input((4,)), L.Dense(4)])
        model.compile("sgd", loss="mae")
        return model

    theirs = AutoencoderOutlierDetector(build, epochs=1, random_state=0).fit(X)
    mae = AutoencoderOutlierDetector(build, epochs=1, random_state=0, loss="mae").fit(X)
    assert theirs.loss_ == mae.loss_


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"optimizer": "adam"}, "optimizer=SGD, which is not used"),
        ({"optimizer__learning_rate": 0.1}, "optimizer=SGD, which is not used"),
        ({"loss": "focal", "model__loss": "hinge"}, "loss=Hinge, which is not used"),
    ],
)
def test_what_is_not_taken_is_named(table, params, match):
    with pytest.warns(UserWarning, match=match):
        quick(compiled, model__lr=0.3, **params).fit(*table)


def test_an_estimator_of_its_own_means_is_quiet_about_the_usual_call_of_compile(table):
    def build():
        model = network()
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        return model

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(build, optimizer="sgd", loss="focal").fit(*table)
        quick(build).fit(*table)


def by_name(compile_kwargs):
    model = network()
    model.compile(**compile_kwargs)
    return model


def by_kwargs(meta, **kwargs):
    model = network()
    model.compile(
        kwargs["compile_kwargs"]["optimizer"],
        kwargs["compile_kwargs"]["loss"],
        metrics=kwargs["compile_kwargs"]["metrics"],
    )
    assert kwargs["params"]["epochs"] == 2
    return model


@pytest.mark.parametrize("build", [by_name, by_kwargs])
def test_compile_kwargs_are_those_of_compile_and_change_nothing(table, build):
    params = {"optimizer": "sgd", "optimizer__learning_rate": 0.1, "loss": "focal"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = quick(build, **params).fit(*table)
    expected = quick(network, **params).fit(*table)
    assert_array_equal(clf.predict_proba(table[0]), expected.predict_proba(table[0]))


def test_kwargs_may_be_passed_on_to_a_function_that_takes_less(table):
    def inner(n, units=2):
        return keras.Sequential([keras.Input((n,)), L.Dense(units, "relu"), L.Dense(1)])

    def build(meta, **kwargs):
        return inner(meta["n_features_in_"], **kwargs)

    assert quick(build, model__units=3).fit(*table).model_.layers[0].units == 3


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["compiled", "keras"])
@pytest.mark.parametrize("callbacks", [None, [keras.callbacks.EarlyStopping(monitor="loss")]])
def test_the_fitted_network_has_the_optimizer_and_the_loss_of_nobody(table, trainer, callbacks):
    def build(loss):
        model = network()
        model.compile("sgd", loss)
        return model

    for loss in ("mse", "mae"):
        clf = quick(build, model__loss=loss, trainer=trainer, callbacks=callbacks).fit(*table)
        assert not clf.model_.compiled
        assert clf.model_.loss is None
        assert getattr(clf.model_, "optimizer", None) is None
        assert not quick(build, model__loss=loss).initialize(*table).model_.compiled


class Watching(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.loss = self.model.loss.loss


@pytest.mark.slow
def test_callbacks_see_the_loss_of_their_own_fit(table):
    for gamma in (1.0, 3.0):
        seen = Watching()
        quick("mlp", loss="focal", loss__gamma=gamma, callbacks=[seen]).fit(*table)
        assert seen.loss.gamma == gamma


def test_a_chunk_goes_on_with_the_optimizer_of_the_network(table):
    import pickle

    X, y = table
    clf = quick(compiled, model__lr=0.5).partial_fit(X, y, classes=[0, 1])
    clf = pickle.loads(pickle.dumps(clf))
    before = clf.model_.get_weights()[0]
    clf.partial_fit(X, y)
    assert np.abs(clf.model_.get_weights()[0] - before).max() > 0.005
