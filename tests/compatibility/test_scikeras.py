"""What scikeras's users rely on, and where an estimator differs from its `KerasClassifier`."""

import os
import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype("float32")
Y = (X[:, 0] > 0.7).astype(int)
Y3 = Y + (X[:, 1] > 0.9)
LABELS = np.stack([Y, Y3 > 1], axis=1).astype(int)


def network(meta, units=4):
    """Build a network in the way of scikeras's guide: from `meta` and arguments of its own."""
    binary = meta["target_type_"] == "binary"
    exclusive = meta["target_type_"] == "multiclass"
    n_outputs = 1 if binary else meta["n_classes_"]
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(n_outputs, activation="softmax" if exclusive else "sigmoid"),
        ]
    )


def logits(n_outputs=1):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(n_outputs)])


def quick(model=network, **params):
    return ImbalancedNNClassifier(model, **{"epochs": 1, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return quick(metrics=["accuracy"]).fit(X, Y)


def weights_of(clf):
    return np.concatenate([w.ravel() for w in clf.model_.get_weights()])


# ---- the estimator by itself, and inside others


@pytest.mark.parametrize("y", [Y, Y3, LABELS], ids=["binary", "multiclass", "labels"])
def test_a_build_function_that_takes_meta_fits_every_kind_of_target(y):
    clf = quick().fit(X, y)
    assert clf.predict(X).shape == y.shape
    assert clf.predict_proba(X).shape == (96, 3 if y is Y3 else 2)
    assert 0 <= clf.score(X, y) <= 1


def test_a_pipeline_scales_before_the_network():
    pipe = make_pipeline(StandardScaler(), quick()).fit(X, Y)
    assert_array_equal(
        pipe.predict(X), quick().fit(pipe[0].transform(X), Y).predict(pipe[0].transform(X))
    )


@pytest.mark.slow
def test_searches_set_parameters_of_the_build_function_and_the_optimizer():
    grid = {"model__units": [4], "epochs": [1, 2]}
    search = GridSearchCV(quick(), grid, cv=2, refit=False).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    drawn = {"epochs": [1, 2, 3], "optimizer__learning_rate": [0.1, 0.01]}
    search = RandomizedSearchCV(quick(), drawn, n_iter=2, cv=2, random_state=0).fit(X, Y)
    assert search.best_estimator_.n_iter_ == search.best_params_["epochs"]


@pytest.mark.parametrize(
    "ensemble", [BaggingClassifier, AdaBoostClassifier, CalibratedClassifierCV]
)
def test_ensembles_and_calibration_take_it_as_their_estimator(ensemble):
    size = {"cv": 2} if ensemble is CalibratedClassifierCV else {"n_estimators": 2}
    inner = quick(epochs=20, optimizer__learning_rate=0.1)  # boosting wants better than chance
    outer = ensemble(inner, **size).fit(X, Y)
    assert outer.predict_proba(X).shape == (96, 2)


def test_a_prebuilt_network_is_copied_so_that_fits_do_not_share_it():
    given = network({"target_type_": "binary", "n_features_in_": 4})
    before = given.get_weights()
    clf = quick(given).fit(X, Y)
    assert clf.model_ is not given  # scikeras trains the one that it is given
    for now, then in zip(given.get_weights(), before, strict=True):
        assert_array_equal(now, then)
    first = weights_of(clf)
    assert_array_equal(weights_of(clf.fit(X, Y)), first)


def test_arguments_of_a_prebuilt_network_have_nowhere_to_go():
    with pytest.raises(TypeError, match="model__units"):
        quick(logits(), model__units=3).fit(X, Y)


# ---- training on


def test_warm_start_goes_on_and_counts_the_epochs_of_all_fits():
    clf = quick(epochs=2, warm_start=True).fit(X, Y)
    before = clf.model_.get_weights()
    clf.set_params(optimizer="sgd", optimizer__learning_rate=1e-9).fit(X, Y)
    for now, then in zip(clf.model_.get_weights(), before, strict=True):
        assert_allclose(now, then, atol=1e-5)
    assert clf.n_iter_ == len(clf.history_["loss"]) == 4  # scikeras's current_epoch restarts
    clf.set_params(warm_start=False).fit(X, Y)
    assert clf.n_iter_ == 2


def test_the_model_attribute_is_another_object_after_each_fit():
    clf = quick(warm_start=True).fit(X, Y)
    model = clf.model_
    values = model.get_weights()
    clf.fit(X, Y)
    assert clf.model_ is not model  # scikeras keeps the object in a warm start
    for now, then in zip(model.get_weights(), values, strict=True):
        assert_array_equal(now, then)


def test_partial_fit_is_one_epoch_whatever_epochs_says():
    clf = quick(epochs=3).fit(X, Y)
    for n_epochs in (4, 5):
        clf.partial_fit(X, Y)
        assert clf.n_iter_ == len(clf.history_["loss"]) == n_epochs


def test_partial_fit_needs_the_classes_at_first_and_keeps_them():
    clf = quick()
    with pytest.raises(ValueError, match=r"classes=np.unique"):  # scikeras takes the chunk's
        clf.partial_fit(X, Y3)
    clf.partial_fit(X, Y3, classes=[0, 1, 2]).partial_fit(X[Y3 == 0], Y3[Y3 == 0])
    assert_array_equal(clf.classes_, [0, 1, 2])
    with pytest.raises(ValueError, match=r"labels \[10\]"):
        clf.partial_fit(X, np.full(96, 10))


def test_partial_fit_takes_no_number_of_epochs():
    with pytest.raises(TypeError, match="epochs"):
        quick().partial_fit(X, Y, classes=[0, 1], epochs=2)


def test_metric_names_in_the_history_survive_files_and_partial_fits(fitted):
    clf = pickle.loads(pickle.dumps(fitted))
    for _ in range(2):
        clf = pickle.loads(pickle.dumps(clf.partial_fit(X, Y)))
        assert {"loss", "accuracy"} <= set(clf.history_)
    assert len(clf.history_["accuracy"]) == 3


def test_initialize_predicts_without_training():
    clf = quick().initialize(X, Y)
    assert clf.predict_proba(X).shape == (96, 2)
    assert clf.n_iter_ == 0


# ---- callbacks


class Counter(keras.callbacks.Callback):
    """Counts the trainings and predictions that it saw."""

    def __init__(self, trainings=0, step=1):
        super().__init__()
        self.trainings, self.step, self.predictions = trainings, step, 0

    def on_train_begin(self, logs=None):
        self.trainings += self.step

    def on_predict_begin(self, logs=None):
        self.predictions += 1


def test_instances_of_callbacks_are_called_in_fit_and_pickled():
    clf = quick(callbacks=(Counter(),)).fit(X, Y)
    assert clf.callbacks[0].trainings == 1
    loaded = pickle.loads(pickle.dumps(clf))
    loaded.fit(X, Y)
    loaded.predict(X)
    assert loaded.callbacks[0].trainings == 2
    assert loaded.callbacks[0].predictions == 0  # scikeras passes them to predict too


def test_arguments_of_callbacks_are_routed_to_all_and_by_name():
    seen = {}

    class Noting(Counter):
        def on_train_begin(self, logs=None):
            seen[self.trainings] = self.step

    quick(
        callbacks={"first": Noting, "second": Noting}, callbacks__step=7,
        callbacks__first__trainings=1, callbacks__second__trainings=2, callbacks__second__step=8,
    ).fit(X, Y)  # fmt: skip
    assert seen == {1: 7, 2: 8}


# ---- optimizer, loss and metrics


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD, "SGD", "sgd"])
def test_names_and_classes_of_optimizers_take_arguments(optimizer):
    still = quick(optimizer=optimizer, optimizer__learning_rate=1e-9).fit(X, Y)
    assert_allclose(weights_of(still), weights_of(quick().initialize(X, Y)), atol=1e-6)
    steps = {"optimizer": optimizer, "optimizer__learning_rate": 0.1, "batch_size": 32}
    plain, fast = quick(**steps).fit(X, Y), quick(optimizer__momentum=0.9, **steps).fit(X, Y)
    assert not np.allclose(weights_of(plain), weights_of(fast))
    with pytest.raises(TypeError, match=r"optimizer__this__further"):  # scikeras drops it
        quick(optimizer=optimizer, optimizer__this__further=1).fit(X, Y)


@pytest.mark.parametrize(
    "loss", [keras.losses.BinaryCrossentropy, "BinaryCrossentropy", "binary_crossentropy"]
)
def test_names_and_classes_of_losses_take_arguments(loss):
    clf = quick(loss=loss, loss__label_smoothing=1.0, epochs=3, optimizer__learning_rate=0.1)
    assert np.ptp(clf.fit(X, Y).predict_proba(X)[:, 1]) < 0.5


@pytest.mark.parametrize("loss", [["mse"], {"out": "mse"}, None])
def test_there_is_one_loss(loss):
    with pytest.raises((TypeError, ValueError), match="loss"):
        quick(loss=loss).fit(X, Y)


def test_metrics_are_names_of_scorers(fitted):
    assert_allclose(fitted.history_["accuracy"], accuracy_score(Y, fitted.predict(X)))
    with pytest.raises(TypeError, match="scorers"):
        quick(metrics=[keras.metrics.AUC()]).fit(X, Y)
    with pytest.raises(TypeError, match="no parameters"):
        quick(metrics=["accuracy"], metrics__0__name="mine")


# ---- what build functions are told


def test_build_functions_are_told_of_the_data_and_the_parameters():
    told = {}

    def build(units, meta, params, compile_kwargs):
        told.update(meta=meta, params=params)
        model = network(meta, units)
        model.compile(**compile_kwargs)
        return model

    clf = quick(build, model__units=4).fit(X, Y3)
    assert told["meta"]["X_shape_"] == (96, 4)
    assert told["meta"]["X_dtype_"] == "float32"
    assert told["meta"]["y_dtype_"] == Y3.dtype
    assert told["meta"]["y_ndim_"] == told["meta"]["n_outputs_expected_"] == 1
    assert told["meta"]["n_classes_"] == told["meta"]["n_outputs_"] == 3
    assert_array_equal(told["meta"]["classes_"], [0, 1, 2])
    assert told["params"].keys() == clf.get_params().keys()


def test_build_functions_of_open_ended_arguments_get_them_by_name():
    def build(*args, **kwargs):
        assert not args
        return network(kwargs["meta"], kwargs["units"])

    assert quick(build, model__units=4).fit(X, Y).predict(X).shape == (96,)


def test_arguments_of_the_build_function_need_the_prefix():
    with pytest.raises(TypeError, match="units"):  # scikeras takes units=4 too
        quick(units=4)
    with pytest.raises(TypeError, match="'epochs'"):
        quick(fit__epochs=4)
    with pytest.raises(TypeError, match="'model'"):
        quick(build_fn=network)
    with pytest.raises(TypeError, match="model__bar"):
        quick(model__bar=42).fit(X, Y)


def test_arguments_of_keras_do_not_go_to_fit_and_predict(fitted):
    with pytest.raises((TypeError, ValueError), match="epochs"):
        quick().fit(X, Y, epochs=3)
    with pytest.raises((TypeError, ValueError), match="batch_size"):
        fitted.predict(X, batch_size=3)
    with pytest.raises(ValueError, match="batch_size"):
        quick(batch_size=-1).fit(X, Y)


# ---- inputs and outputs


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool", "<U1"])
def test_predictions_have_the_shape_and_the_dtype_of_the_labels(dtype):
    y = Y.astype(dtype)
    predicted = quick().fit(X, y).predict(X)
    assert predicted.dtype == y.dtype
    assert predicted.shape == y.shape


def test_indicator_labels_are_predicted_as_a_matrix():
    predicted = quick().fit(X, LABELS).predict(X)
    assert predicted.shape == LABELS.shape
    assert set(np.unique(predicted)) <= {0, 1}


def test_one_hot_labels_are_labels_that_are_independent_with_a_warning():
    with pytest.warns(UserWarning, match="one-hot"):  # scikeras takes them for classes
        clf = quick().fit(X, np.eye(3, dtype=int)[Y3])
    assert clf.predict(X).shape == (96, 3)


def test_several_outputs_and_several_inputs_are_errors():
    with pytest.raises(ValueError, match="multiclass-multioutput"):
        quick().fit(X, np.stack([Y3, Y], axis=1))

    def two_outputs():
        inputs = keras.Input((4,))
        return keras.Model(inputs, [keras.layers.Dense(1)(inputs), keras.layers.Dense(1)(inputs)])

    with pytest.raises(ValueError, match="one output"):
        quick(two_outputs).fit(X, Y)

    def two_inputs():
        inputs = [keras.Input((2,)), keras.Input((2,))]
        return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(inputs)))

    with pytest.raises(ValueError, match="one input"):
        quick(two_inputs).fit(X, Y)


def test_sparse_features_are_those_of_the_dense_ones(fitted):
    assert_allclose(fitted.predict_proba(csr_matrix(X)), fitted.predict_proba(X), rtol=1e-5)


@pytest.mark.slow
def test_the_loss_follows_from_what_the_network_ends_in():
    assert quick(logits).fit(X, Y).predict_proba(X).shape == (96, 2)
    assert quick(logits, model__n_outputs=3).fit(X, Y3).predict_proba(X).shape == (96, 3)
    assert quick(logits, model__n_outputs=2).fit(X, Y).predict_proba(X).shape == (96, 2)
    with pytest.raises(ValueError, match="1 output"):
        quick(logits).fit(X, Y3)


def test_one_class_teaches_nothing():
    with pytest.raises(ValueError, match="one class"):  # scikeras trains on it
        quick().fit(X, np.zeros(96))


def test_later_chunks_may_have_another_dtype_but_no_other_shape(fitted):
    clf = clone(fitted).fit(X, Y)
    clf.partial_fit(X.astype("float64"), Y.astype("uint8"))  # scikeras refuses both
    with pytest.raises(ValueError, match="shape"):
        clf.partial_fit(X[:, :, None], Y)
    with pytest.raises(ValueError, match="features"):
        clf.partial_fit(X[:, :3], Y)
    with pytest.raises(ValueError, match=r"y|label"):
        clf.partial_fit(X, LABELS)


def test_what_is_not_fitted_does_not_predict():
    for method in (quick().predict, quick().predict_proba):
        with pytest.raises(NotFittedError):
            method(X)


@pytest.mark.parametrize("params", [{"model": object()}, {"optimizer": None}])
def test_what_is_no_network_and_no_optimizer_is_named(params):
    with pytest.raises((TypeError, ValueError), match=next(iter(params))):
        quick(**params).fit(X, Y)


def test_a_parameter_that_does_not_exist_is_not_set():
    with pytest.raises(ValueError, match="'test'"):
        quick().set_params(test=1)


# ---- weights, scores and random numbers


def test_sample_weights_tilt_the_predictions_and_equal_ones_do_not():
    params = {"class_weight": None, "epochs": 3, "optimizer__learning_rate": 0.1}
    plain = quick(**params).fit(X, Y).predict_proba(X)[:, 1]
    tilted = quick(**params).fit(X, Y, sample_weight=np.where(Y, 9.0, 0.1)).predict_proba(X)[:, 1]
    assert tilted.mean() > plain.mean()
    equal = quick(**params).fit(X, Y, sample_weight=np.full(96, 0.5)).predict_proba(X)[:, 1]
    assert_allclose(equal, plain, rtol=1e-4)
    with pytest.raises(ValueError, match=r"[Ss]ample.?weight"):
        quick().fit(X, Y, sample_weight=np.zeros(96))


def test_class_weights_are_a_scheme_or_a_dict():
    counts = np.bincount(Y)
    balanced = quick(class_weight="balanced").fit(X, Y)
    given = quick(class_weight=dict(enumerate(96 / (2 * counts)))).fit(X, Y)
    assert_allclose(given.predict_proba(X), balanced.predict_proba(X), rtol=1e-4)


def test_score_is_the_f1_of_the_rare_class_and_accuracy_on_request(fitted):
    assert fitted.score(X, Y) == f1_score(Y, fitted.predict(X), zero_division=0)
    accurate = clone(fitted).set_params(scoring="accuracy").fit(X, Y)
    assert accurate.score(X, Y) == accuracy_score(Y, accurate.predict(X))
    weight = np.where(Y, 10.0, 1.0)
    expected = accuracy_score(Y, accurate.predict(X), sample_weight=weight)
    assert_allclose(accurate.score(X, Y, sample_weight=weight), expected)


@pytest.mark.parametrize("state", [0, 123, np.random.RandomState(0)], ids=str)
def test_a_seed_repeats_a_fit_and_a_generator_that_of_its_clones(state):
    clf = quick(random_state=state)
    assert_array_equal(clone(clf).fit(X, Y).predict(X), clone(clf).fit(X, Y).predict(X))


@pytest.mark.slow
def test_seeds_of_the_process_are_neither_used_nor_changed(fitted):
    environment = dict(os.environ)
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    keras.utils.set_random_seed(0)  # what scikeras's users call for networks
    first = quick(random_state=None).fit(X, Y)
    assert np.random.random() == expected
    keras.utils.set_random_seed(0)
    assert not np.array_equal(weights_of(first), weights_of(first.fit(X, Y)))
    assert dict(os.environ) == environment


@pytest.mark.slow
def test_probabilities_of_a_segmenter_come_from_fits_of_ones_own():
    masks = (RNG.random((6, 4, 4)) < 0.3).astype(int)
    images = (masks + RNG.normal(size=masks.shape))[..., None]

    def pixelwise(meta):
        return keras.Sequential([keras.Input(meta["X_shape_"][1:]), keras.layers.Dense(1)])

    seg = ImbalancedNNSegmenter(pixelwise, epochs=1, random_state=0)
    assert cross_val_predict(seg, images, masks, cv=2).shape == masks.shape
    assert seg.fit(images, masks).predict_proba(images).shape == (6, 4, 4, 2)


# ---- files


@keras.saving.register_keras_serializable("skimb_compatibility")
class Registered(keras.Model):
    """A subclassed network that Keras can save."""

    def __init__(self, **config):
        super().__init__(**config)
        self.out = keras.layers.Dense(1)

    def call(self, inputs):
        return self.out(inputs)


@pytest.mark.parametrize("model", [network, Registered])
def test_networks_are_pickled_with_their_estimator(model):
    clf = quick(model).fit(X, Y)
    assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(X), clf.predict_proba(X))


@pytest.mark.parametrize("optimizer", ["adam", "sgd", keras.optimizers.Adam])
def test_files_between_chunks_change_nothing(optimizer):
    through = quick(optimizer=optimizer)
    stayed = clone(through)
    for _ in range(3):
        stayed.partial_fit(X, Y, classes=[0, 1])
        through = pickle.loads(pickle.dumps(through)).partial_fit(X, Y, classes=[0, 1])
        assert_allclose(weights_of(through), weights_of(stayed), rtol=1e-5)
