"""What users of Keras's own `SKLearnClassifier` rely on, and where an estimator differs from it."""

import copy

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks as checks

from skimb import ImbalancedNNClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype("float32")
Y = (X[:, 0] > 0.7).astype(int)
Y3 = Y + (X[:, 1] > 0.9)
NAMES = np.array(["common", "rare", "rarest"])


def network(meta, layers=(4,)):
    """Build what the wrapper's guide builds from X and y: one softmax unit for each class."""
    model = keras.Sequential([keras.Input((meta["n_features_in_"],))])
    for units in layers:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(meta["n_classes_"], activation="softmax"))
    return model


def sigmoid():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])


def quick(model=network, **params):
    return ImbalancedNNClassifier(model, **{"epochs": 1, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return quick().fit(X, NAMES[Y3])


# some of scikit-learn's checks that the wrapper expects to fail
@pytest.mark.slow
@pytest.mark.parametrize(
    "check",
    [
        checks.check_classifiers_one_label_sample_weights,
        checks.check_classifier_data_not_an_array,
        checks.check_fit_idempotent,
    ],
    ids=lambda check: check.__name__,
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of samples without structure
def test_a_network_of_ones_own_passes_the_checks_that_the_wrapper_fails(check):
    check("ImbalancedNNClassifier", quick(epochs=20, optimizer__learning_rate=0.1))


@pytest.mark.slow
def test_labels_of_any_type_come_back_as_they_were(fitted):
    assert_array_equal(fitted.classes_, NAMES)
    predicted = fitted.predict(X)
    assert predicted.dtype == NAMES.dtype
    assert set(predicted) <= set(NAMES)


def test_a_column_of_labels_is_taken_with_a_warning(fitted):
    with pytest.warns(UserWarning, match="column-vector"):
        clf = clone(fitted).fit(X, NAMES[Y3][:, None])
    assert_allclose(clf.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.slow
def test_arguments_of_the_build_function_are_parameters_to_search_over():
    clf = quick(model__layers=(4, 3)).fit(X, Y3)  # model_kwargs={"layers": ...} there
    assert [layer.units for layer in clf.model_.layers] == [4, 3, 3]
    assert clone(clf).get_params()["model__layers"] == (4, 3)


@pytest.mark.parametrize(
    ("name", "cure"), [("model_kwargs", "model__units=16"), ("fit_kwargs", "epochs=10")]
)
def test_dicts_of_arguments_are_refused_with_what_to_write(name, cure):
    with pytest.raises(TypeError, match=cure):
        quick(**{name: {"layers": (4,)}})


def test_a_build_function_is_told_of_the_data_by_meta_and_not_by_the_data():
    def build(X, y):
        return sigmoid()

    with pytest.raises(TypeError, match="X"):
        quick(build).fit(X, Y)


def test_the_number_of_epochs_is_a_parameter_of_the_estimator():
    with pytest.raises((TypeError, ValueError), match="epochs"):
        quick().fit(X, Y3, epochs=5)
    assert quick(epochs=2).fit(X, Y3).n_iter_ == 2


def test_a_given_network_is_copied_with_its_values_for_every_fit():
    given = sigmoid()
    clf = quick(given, optimizer="sgd", optimizer__learning_rate=1e-9).fit(X, Y)
    assert clf.model_ is not given
    for ours, theirs in zip(clf.model_.get_weights(), given.get_weights(), strict=True):
        assert_allclose(ours, theirs, atol=1e-6)  # the wrapper draws new ones


def test_clones_keep_every_parameter_and_nothing_that_was_learnt(fitted):
    clf = quick(sigmoid(), epochs=2).fit(X, Y)
    twin = clone(clf)
    assert twin.get_params().keys() == clf.get_params().keys()
    assert twin.epochs == 2  # the wrapper's clone has forgotten fit_kwargs
    with pytest.raises(NotFittedError):
        twin.predict(X)
    assert_allclose(twin.fit(X, Y).predict_proba(X), clf.predict_proba(X))
    assert_array_equal(copy.deepcopy(fitted).predict(X), fitted.predict(X))


def test_fits_do_not_add_to_the_parameters_that_they_were_given():
    before = quick(epochs=2, model__layers=(4,)).get_params()
    clf = quick(epochs=2, model__layers=(4,)).fit(X, Y3)
    assert clf.get_params().keys() == before.keys()
    assert clf.epochs == 2


def test_warm_start_goes_on_with_the_values_of_the_last_fit():
    clf = quick(warm_start=True, optimizer__learning_rate=0.1).fit(X, Y3)
    first = clf.history_["loss"][0]
    for _ in range(3):
        clf.fit(X, Y3)
    assert clf.history_["loss"][0] == first
    assert clf.history_["loss"][-1] < first
    assert clf.n_iter_ == 4


def test_the_history_is_a_dict_of_lists(fitted):
    assert len(fitted.history_["loss"]) == 1
    assert isinstance(fitted.history_["loss"][0], float)


def test_decision_values_are_logits_and_probabilities_the_outputs_of_the_network(fitted):
    outputs = np.asarray(fitted.model_(X))
    assert_allclose(fitted.predict_proba(X), outputs, atol=1e-5)
    values = fitted.decision_function(X)  # the wrapper's are the outputs
    shifted = np.exp(values - values.max(axis=1, keepdims=True))
    assert_allclose(shifted / shifted.sum(axis=1, keepdims=True), outputs, atol=1e-5)


def test_a_fit_without_weights_is_that_of_keras():
    given = sigmoid()
    params = {"optimizer": "sgd", "optimizer__learning_rate": 0.1, "batch_size": len(X)}
    clf = quick(given, class_weight=None, epochs=3, **params).fit(X, Y)
    given.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    given.fit(X, Y[:, None], batch_size=len(X), epochs=3, verbose=0)
    for ours, theirs in zip(clf.model_.get_weights(), given.get_weights(), strict=True):
        assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_targets_that_are_not_classes_are_refused():
    with pytest.raises(ValueError, match="continuous"):
        quick().fit(X, RNG.normal(size=96))
    with pytest.raises(ValueError, match="one class"):
        quick().fit(X, np.ones(96, int))
    with pytest.raises(ValueError, match="multioutput"):
        quick().fit(X, np.stack([Y3, Y3], axis=1))


def test_indicator_labels_which_the_wrapper_refuses_are_learnt():
    def labels(meta):
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(meta["n_outputs_"])])

    Z = np.stack([Y, Y3 > 1], axis=1).astype(int)
    assert quick(labels).fit(X, Z).predict(X).shape == Z.shape


def test_pipelines_and_cross_validation_take_it():
    pipe = make_pipeline(StandardScaler(), quick())
    scores = cross_val_score(pipe, X, Y3, cv=2)
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_the_default_precision_of_keras_is_neither_used_nor_changed(fitted):
    before = keras.config.floatx()
    keras.config.set_floatx("float16")
    try:
        twin = clone(fitted).fit(X, NAMES[Y3])
        assert keras.config.floatx() == "float16"
    finally:
        keras.config.set_floatx(before)
    assert_allclose(twin.predict_proba(X), fitted.predict_proba(X))
