"""Subclasses of the estimators: their parameters, and what of scikeras they cannot override."""

import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skimb import AutoencoderOutlierDetector, ImbalancedNNClassifier, ImbalancedNNSegmenter

L = keras.layers


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4)).astype("float32")
    return X, (X[:, 0] + rng.normal(size=80) > 1).astype(int)


def build(meta, params):
    return keras.Sequential(
        [keras.Input((meta["n_features_in_"],)), L.Dense(params["width"], "relu"), L.Dense(1)]
    )


class Ordinary(ImbalancedNNClassifier):
    """Positional-or-keyword parameters, read by the build function."""

    def __init__(self, width=8, epochs=2, random_state=0):
        super().__init__(model=build, epochs=epochs, random_state=random_state)
        self.width = width


class Open(ImbalancedNNClassifier):
    """A parameter beside those of the estimator."""

    def __init__(self, width=8, **kwargs):
        super().__init__(model=build, **kwargs)
        self.width = width


class Derived(ImbalancedNNClassifier):
    """Parameters that the constructor passes on under other names."""

    def __init__(self, width=4, lr=0.001, **kwargs):
        super().__init__(
            model="mlp", model__hidden_layer_sizes=(width,), optimizer__learning_rate=lr, **kwargs
        )
        self.width, self.lr = width, lr


def units(clf):
    return next(layer.units for layer in clf.model_.layers if isinstance(layer, L.Dense))


def test_ordinary_parameters_are_parameters(table):
    clf = Ordinary(5)
    assert clf.get_params() == {"width": 5, "epochs": 2, "random_state": 0}
    assert clone(clf).width == 5
    assert units(clone(clf).fit(*table)) == 5
    assert units(clf.set_params(width=3).fit(*table)) == 3
    assert pickle.loads(pickle.dumps(clf)).get_params()["width"] == 3


def test_parameters_behind_kwargs_are_those_of_the_estimator_too(table):
    clf = Open(5, epochs=2, class_weight="balanced", random_state=0)
    params = clf.get_params()
    assert (params["width"], params["epochs"], params["class_weight"]) == (5, 2, "balanced")
    twin = clone(clf.set_params(optimizer__learning_rate=0.1))
    assert twin.get_params() == clf.get_params()
    assert len(twin.fit(*table).history_["loss"]) == 2


@pytest.mark.slow
def test_what_a_constructor_derives_follows_its_parameters(table):
    clf = Derived(epochs=2, random_state=0)
    twin = clone(clf).set_params(width=3)
    assert twin.get_params()["model__hidden_layer_sizes"] == (3,)
    assert units(clone(twin).fit(*table)) == 3
    assert clf.get_params()["model__hidden_layer_sizes"] == (4,)
    assert clone(clf).set_params(lr=0.5, optimizer__learning_rate=0.25).get_params()[
        "optimizer__learning_rate"
    ] == 0.25  # fmt: skip
    search = GridSearchCV(
        Derived(epochs=2, random_state=0, scoring="average_precision"), {"lr": [1e-9, 0.5]}, cv=2
    ).fit(*table)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] != scores[1]


def test_setting_a_parameter_keeps_what_was_set_before():
    clf = Derived().set_params(model__dropout=0.1, epochs=7)
    clf.class_weight = {0: 1, 1: 2}
    clf.set_params(width=6)
    params = clf.get_params()
    assert (params["epochs"], params["model__dropout"], params["class_weight"]) == (
        7, 0.1, {0: 1, 1: 2}
    )  # fmt: skip


def test_a_parameter_named_like_something_internal_reaches_the_build_function_alone(table):
    class Named(ImbalancedNNClassifier):
        def __init__(self, contamination=3, normalize=4, target_rate=0.1):
            super().__init__(build_named, epochs=1, random_state=0)
            self.contamination, self.normalize = contamination, normalize
            self.target_rate = target_rate

    def build_named(params):
        sizes = params["contamination"], params["normalize"]
        return keras.Sequential([keras.Input((4,)), *(L.Dense(n) for n in sizes), L.Dense(1)])

    clf = Named().fit(*table)
    assert [layer.units for layer in clf.model_.layers] == [3, 4, 1]


@pytest.mark.parametrize("base", [AutoencoderOutlierDetector, ImbalancedNNSegmenter])
def test_every_estimator_has_parameters_of_its_subclasses(base):
    class Mine(base):
        def __init__(self, depth=1, epochs=1):
            super().__init__(epochs=epochs)
            self.depth = depth

    assert clone(Mine(depth=2)).get_params() == {"depth": 2, "epochs": 1}


def test_parameters_without_names_are_refused():
    class Positional(ImbalancedNNClassifier):
        def __init__(self, *sizes):
            super().__init__()
            self.sizes = sizes

    with pytest.raises(TypeError, match=r"\*args.*name them"):
        Positional(3, 4).get_params()


def test_a_constructor_that_does_not_call_the_one_above_is_named(table):
    class Forgetful(ImbalancedNNClassifier):
        def __init__(self, width=3):
            self.width = width

    with pytest.raises(TypeError, match=r"Forgetful has no .*super\(\).__init__"):
        Forgetful().fit(*table)


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("_keras_build_fn", "as `model`"),
        ("target_encoder", "transform y before fit"),
        ("feature_encoder", "make_pipeline"),
        ("dataset_transformer", "make_pipeline"),
        ("scorer", "set `scoring`"),
        ("_get_compile_kwargs", "set `optimizer` and `loss`"),
    ],
)
def test_extension_points_of_scikeras_are_refused_with_what_to_do_instead(table, name, cure):
    kind = type("Mine", (ImbalancedNNClassifier,), {name: lambda self: None})
    with pytest.raises(TypeError, match=f"Mine overrides {name} of scikeras.*{cure}"):
        kind(epochs=1).fit(*table)


@pytest.mark.parametrize(
    "estimator", [ImbalancedNNClassifier, AutoencoderOutlierDetector, ImbalancedNNSegmenter]
)
def test_no_model_is_an_error_that_says_so(table, estimator):
    with pytest.raises(ValueError, match=r"model=None is no network\. Leave model out"):
        estimator(model=None).fit(*table)
