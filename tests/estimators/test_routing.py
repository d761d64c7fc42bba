"""Where parameters with a prefix go, and what is said of the names of other libraries."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skimb import AutoencoderOutlierDetector, ImbalancedNNClassifier, ImbalancedNNSegmenter

X = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
Y = (X[:, 0] > 0.7).astype(int)


def network():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])


def quick(model=network, **params):
    return ImbalancedNNClassifier(model, **{"epochs": 1, "random_state": 0, **params})


def weights_of(clf):
    return np.concatenate([w.ravel() for w in clf.model_.get_weights()])


# ---- callbacks


class Counter(keras.callbacks.Callback):
    """A callback that takes an argument."""

    def __init__(self, step=1):
        super().__init__()
        self.step = step


class Rate:
    """A learning rate as a function of the epoch."""

    def __init__(self, rate=0.0):
        self.rate = rate

    def __call__(self, epoch, lr):
        return self.rate


@pytest.mark.parametrize(
    "params",
    [
        {"callbacks": keras.callbacks.LearningRateScheduler, "callbacks__schedule": Rate,
         "callbacks__schedule__rate": 1e-9},
        {"callbacks": [keras.callbacks.LearningRateScheduler], "callbacks__0__schedule": Rate,
         "callbacks__0__schedule__rate": 1e-9},
        {"callbacks": [keras.callbacks.LearningRateScheduler], "callbacks__0__0": Rate,
         "callbacks__0__0__rate": 1e-9},
        {"callbacks": {"rate": keras.callbacks.LearningRateScheduler}, "callbacks__schedule": Rate,
         "callbacks__rate__schedule": Rate(1e-9)},
    ],
    ids=["one", "list", "positional", "dict"],
)  # fmt: skip
def test_arguments_of_callbacks_are_routed_and_built(params):
    trained = quick(optimizer="sgd", **params).fit(X, Y)
    assert_allclose(weights_of(trained), weights_of(quick().initialize(X, Y)), atol=1e-6)
    assert clone(trained).get_params().keys() == trained.get_params().keys()


@pytest.mark.slow
def test_a_search_goes_over_an_argument_of_a_named_callback():
    stop = {"stop": keras.callbacks.EarlyStopping}
    clf = quick(epochs=3, callbacks=stop, callbacks__monitor="loss", callbacks__stop__mode="max")
    search = GridSearchCV(clf, {"callbacks__stop__patience": [1, 5]}, cv=2, refit=False)
    fits = search.fit(X, Y).cv_results_["params"]
    n_iter = [clone(clf).set_params(**params).fit(X, Y).n_iter_ for params in fits]
    assert n_iter[0] < n_iter[1] == 3


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"callbacks": [Counter], "callbacks__3__step": 1}, "callbacks__3__step"),
        ({"callbacks": {"a": Counter}, "callbacks__b__step": 1}, "callbacks__b__step .* 'b'.* a"),
        ({"callbacks": [Counter], "callbacks__b__step": 1}, r"callbacks__0__\*"),
        ({"callbacks": [Counter()], "callbacks__0__step": 1}, "step"),
        ({"callbacks": {"a": "stop"}}, "callbacks holds 'stop'"),
    ],
    ids=["position", "name", "no names", "instance", "no callback"],
)
def test_arguments_of_callbacks_that_are_not_there_are_errors(params, said):
    with pytest.raises((TypeError, ValueError), match=said):
        quick(**params).fit(X, Y)


# ---- arguments of optimizers and losses


def test_an_argument_of_the_optimizer_is_built_from_its_class():
    schedule = keras.optimizers.schedules.ExponentialDecay
    decay = {"initial_learning_rate": 0.1, "decay_steps": 1, "decay_rate": 0.5}
    routed = {f"optimizer__learning_rate__{name}": value for name, value in decay.items()}
    built = quick(optimizer="sgd", optimizer__learning_rate=schedule, **routed)
    given = quick(optimizer="sgd", optimizer__learning_rate=schedule(**decay))
    assert_allclose(weights_of(built.fit(X, Y)), weights_of(given.fit(X, Y)))
    with pytest.raises(TypeError, match="optimizer__learning_rate__decay_steps"):
        quick(optimizer__learning_rate=0.1, optimizer__learning_rate__decay_steps=5).fit(X, Y)


class Part:
    """Something that a loss is made of."""

    def __init__(self, factor=1.0):
        self.factor = factor


class Weighted(keras.losses.Loss):
    """Cross-entropy times the factors of its parts."""

    built = ()

    def __init__(self, parts, from_logits=False):
        super().__init__()
        self.parts = type(self).built = parts
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        factor = float(np.prod([part.factor for part in self.parts]))
        return factor * keras.losses.binary_crossentropy(y_true, y_pred)


@pytest.mark.slow
def test_arguments_of_a_loss_are_built_one_by_one_and_for_all():
    quick(
        loss=Weighted, loss__parts=[Part, Part], loss__parts__factor=2.0,
        loss__parts__0__factor=3.0, class_weight=None,
    ).fit(X, Y)  # fmt: skip
    assert [part.factor for part in Weighted.built] == [3.0, 2.0]
    with pytest.raises(ValueError, match="loss__parts__2__factor"):
        quick(loss=Weighted, loss__parts=[Part, Part], loss__parts__2__factor=1.0).fit(X, Y)


def test_a_class_without_arguments_of_its_own_stays_a_class():
    parts = [Part(), Part()]
    clf = quick(loss=Weighted, loss__parts=parts, class_weight=None).fit(X, Y)
    assert Weighted.built is parts
    assert clf.get_params()["loss__parts"] is parts


# ---- names of other libraries


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("build_fn", "'model'"),
        ("fit__epochs", "'epochs'"),
        ("fit__validation_split", "'validation_fraction'"),
        ("predict__batch_size", "'batch_size'"),
        ("compile__loss", "'loss'"),
        ("fit__callbacks__0__patience", "'callbacks__0__patience'"),
        ("run_eagerly", "Leave it out"),
        ("shuffle", "shuffled in every epoch"),
        ("loss_weights", "one loss"),
        ("solver", "'optimizer'"),
        ("n_iter_no_change", "'patience'"),
        ("max_iter", "'epochs'"),
        ("tol", "early_stopping"),
        ("module__units", "'model__units'"),
        ("model_kwargs", "model__units=16"),
        ("weighted_metrics", "Use metrics"),
        ("fit__validation_data", "X_val and y_val"),
    ],
)
def test_parameters_of_other_libraries_are_errors_that_say_what_to_write(name, cure):
    with pytest.raises(TypeError, match=cure):
        quick(**{name: 1})


@pytest.mark.parametrize("estimator", [ImbalancedNNSegmenter, AutoencoderOutlierDetector])
def test_no_estimator_recommends_a_parameter_that_it_lacks(estimator):
    accepted = estimator().get_params()
    for name in ("n_iter_no_change", "tol", "weighted_metrics", "shuffle", "max_iter"):
        with pytest.raises(TypeError) as error:
            estimator(**{name: 1})
        said = str(error.value).partition("Accepted are")[0]
        for parameter in ("patience", "early_stopping", "metrics", "batching"):
            assert parameter in accepted or parameter not in said.replace(name, "")
