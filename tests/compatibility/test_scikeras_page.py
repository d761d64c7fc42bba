"""The claims of the page "Coming from scikeras", row by row, with scikeras beside."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scikeras.wrappers import KerasClassifier
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from skimb import AutoencoderOutlierDetector, ImbalancedNNClassifier

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype("float32")
Y = (X[:, 0] > 0.8).astype(int)
Y3 = Y + (X[:, 1] > 0.9)


def build(meta, units=4):
    """Return the network of the page."""
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            L.BatchNormalization(),
            L.Dense(units, activation="relu"),
            L.Dense(1, activation="sigmoid"),
        ]
    )


def ours(model=build, **params):
    return ImbalancedNNClassifier(model, **{"epochs": 1, "random_state": 0, **params})


def theirs(model=build, **params):
    return KerasClassifier(
        model, **{"loss": "binary_crossentropy", "epochs": 1, "verbose": 0, **params}
    )


@pytest.fixture(scope="module")
def both():
    """Return a fitted estimator of each kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ours().fit(X, Y), theirs().fit(X, Y)


def units_of(clf):
    return [layer.units for layer in clf.model_.layers if isinstance(layer, L.Dense)]


# ---- parameters


@pytest.mark.slow
def test_arguments_of_the_build_function_have_the_prefix_in_both_and_need_it_here():
    assert units_of(ours(model__units=3).fit(X, Y)) == [3, 1]
    assert theirs(units=3).get_params()["units"] == 3
    with pytest.raises(TypeError, match=r"'units'.*Did you mean 'model__units'"):
        ours(units=3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_unprefixed_and_prefixed_arguments_reach_the_build_function_there():
    assert units_of(theirs(units=3).fit(X, Y)) == units_of(theirs(model__units=3).fit(X, Y))


@pytest.mark.slow
def test_build_fn_is_model():
    with pytest.raises(TypeError, match=r"'build_fn'.*Did you mean 'model'"):
        ImbalancedNNClassifier(build_fn=build)
    assert units_of(ImbalancedNNClassifier(epochs=1, model="mlp").fit(X, Y))[-1] == 1  # or omit it


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule with an argument."""

    def __init__(self, start=0.1):
        self.start = start

    def __call__(self, step):
        return self.start

    def get_config(self):
        return {"start": self.start}


@pytest.mark.slow
def test_arguments_of_an_argument_build_its_class():
    said = []

    class Seen(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            said.append(float(self.model.optimizer.learning_rate))

    parts = {"optimizer__learning_rate": Rate, "optimizer__learning_rate__start": 0.25}
    ours(optimizer="sgd", callbacks=[Seen()], **parts).fit(X, Y)
    assert said == [0.25]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_arguments_of_what_is_not_there_are_dropped_there_and_an_error_here():
    theirs(optimizer="sgd", optimizer__learning__rate=9.0).fit(X, Y)
    with pytest.raises(TypeError, match="optimizer__learning__rate"):
        ours(optimizer="sgd", optimizer__learning__rate=9.0).fit(X, Y)


class Counting(keras.callbacks.Callback):
    """Counts its calls."""

    def __init__(self, factor=1):
        super().__init__()
        self.factor, self.epochs, self.predictions = factor, 0, 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1

    def on_predict_begin(self, logs=None):
        self.predictions += 1


@pytest.mark.slow
def test_callbacks_are_named_have_arguments_and_are_not_called_when_predicting():
    named = ours(callbacks={"a": Counting, "b": Counting}, callbacks__b__factor=3)
    named.set_params(callbacks__factor=2).fit(X, Y)
    counter = Counting()
    clf = ours(callbacks=counter).fit(X, Y)
    clf.predict(X)
    assert (counter.epochs, counter.predictions) == (1, 0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_callbacks_are_called_when_predicting_there():
    counter = Counting()
    theirs(callbacks=[counter]).fit(X, Y).predict(X)
    assert (counter.epochs, counter.predictions) == (1, 1)


@pytest.mark.slow
def test_the_loss_follows_the_activation_where_it_is_omitted():
    logits = keras.Sequential([keras.Input((4,)), L.Dense(1, kernel_initializer="ones")])
    sigmoid = keras.Sequential([logits, L.Activation("sigmoid")])
    found = [ours(m, optimizer="sgd").fit(X, Y).predict_proba(X) for m in (logits, sigmoid)]
    assert_allclose(*found, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"loss": ["mse"]}, r"loss"),
        ({"loss": {"out": "mse"}}, "out"),
        ({"loss_weights": [1.0]}, "one output, and so one loss"),
        ({"metrics": ["AUC"]}, "Did you mean 'roc_auc'"),
        ({"metrics": [keras.metrics.AUC()]}, "metrics"),
        ({"weighted_metrics": ["acc"]}, "names of scikit-learn's scorers"),
        ({"metrics__num_thresholds": 9}, "have no parameters"),
        ({"batch_size": -1}, r"pass len\(X\)"),
        ({"fit__epochs": 3}, "Did you mean 'epochs'"),
        ({"predict__batch_size": 3}, "Did you mean 'batch_size'"),
        ({"compile__loss": "mse"}, "Did you mean 'loss'"),
        ({"other__x": 3}, "'other__x'"),
        ({"run_eagerly": True}, "Leave it out"),
        ({"shuffle": False}, "batching"),
        ({"validation_split": 0.1}, "Did you mean 'validation_fraction'"),
        ({"optimizer__lr": 0.1}, "Did you mean optimizer__learning_rate"),
    ],
)
def test_what_is_not_taken_is_an_error_that_says_what_to_write(params, error):
    with pytest.raises((TypeError, ValueError), match=error):
        ours(**params).fit(X, Y)


@pytest.mark.slow
def test_a_class_that_is_no_loss_of_keras_is_an_error():
    class Square:
        def __call__(self, y_true, y_pred):
            return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    with pytest.raises((TypeError, ValueError), match="loss"):
        ours(loss=Square).fit(X, Y)
    assert ours(loss=lambda y, p: Square()(y, p)).fit(X, Y).loss_ > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_score_is_accuracy_there_and_the_f1_of_the_rare_class_here(both):
    clf, other = both
    assert other.score(X, Y) == pytest.approx(accuracy_score(Y, other.predict(X)))
    assert clf.score(X, Y) == pytest.approx(f1_score(Y, clf.predict(X)))
    accuracy = ours(scoring="accuracy").fit(X, Y)
    assert accuracy.score(X, Y) == pytest.approx(accuracy_score(Y, accuracy.predict(X)))


@pytest.mark.slow
def test_the_defaults_differ_as_the_page_says():
    clf, other = ImbalancedNNClassifier(build), KerasClassifier(build)
    assert (other.optimizer, other.epochs, other.verbose) == ("rmsprop", 1, 1)
    assert (other.batch_size, other.class_weight, other.validation_split) == (None, None, 0.0)
    assert (clf.batch_size, clf.class_weight, clf.early_stopping) == ("auto", "auto", "auto")
    assert (clf.validation_fraction, clf.verbose) == (0.1, 0)
    seen = {}

    class Seen(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.update(self.params, optimizer=type(self.model.optimizer).__name__)

    many = np.concatenate([X, X, X])
    clf.set_params(callbacks=[Seen()]).fit(many, np.concatenate([Y, Y, Y]))
    assert (seen["optimizer"], seen["epochs"], seen["steps"]) == ("Adam", 100, 2)  # 240 samples


@pytest.mark.slow
def test_a_tenth_of_every_class_is_held_out():
    y = np.sort(np.repeat([0, 1], [60, 20]))  # the tail of which is of one class
    clf = ours(early_stopping=True, monitor="recall_macro", epochs=2).fit(X, y)
    held_out = [name for name in clf.history_ if name.startswith("val_")]
    assert held_out
    assert np.isfinite(clf.history_[held_out[0]]).all()


# ---- methods and attributes


@pytest.mark.filterwarnings("ignore")
def test_arguments_of_fit_and_predict_are_parameters_here(both):
    clf, other = both
    other.predict(X, batch_size=40)
    with pytest.raises(TypeError, match=r"parameter of the estimator.*set_params\(epochs=5\)"):
        ours().fit(X, Y, epochs=5)
    with pytest.raises(TypeError, match="parts that fit the memory"):
        clf.predict(X, batch_size=40)
    with pytest.raises(TypeError, match=r"X_val=..., y_val="):
        ours().fit(X, Y, validation_data=(X, Y))
    watched = ours(early_stopping=True).fit(X, Y, X_val=X, y_val=Y)
    assert any(name.startswith("val_") for name in watched.history_)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_partial_fit_knows_the_classes_of_later_chunks_here():
    other = theirs().partial_fit(X, Y)
    assert_array_equal(other.classes_, [0, 1])
    with pytest.raises(ValueError, match="dtype"):
        other.partial_fit(X.astype("float64"), Y)
    with pytest.raises(ValueError, match="classes"):
        ours().partial_fit(X, Y)
    clf = ours().partial_fit(X[Y == 0], Y[Y == 0], classes=[0, 1])
    clf.partial_fit(X.astype("float64"), Y.astype("int8"))
    assert_array_equal(clf.classes_, [0, 1])
    for chunk, said in (((X[:, :2], Y), "features"), ((X, Y + 5), "label")):
        with pytest.raises(ValueError, match=said):
            clf.partial_fit(*chunk)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_warm_start_counts_the_epochs_of_all_fits_here():
    other = theirs(warm_start=True, epochs=2).fit(X, Y)
    before = other.model_
    other.fit(X, Y)
    assert (other.current_epoch, len(other.history_["loss"])) == (2, 2)
    assert other.model_ is before
    clf = ours(warm_start=True, epochs=2).fit(X, Y)
    before, values = clf.model_, [v.copy() for v in clf.model_.get_weights()]
    clf.fit(X, Y)
    assert (clf.n_iter_, len(clf.history_["loss"])) == (4, 4)
    assert clf.model_ is not before
    for value, kept in zip(before.get_weights(), values, strict=True):
        assert_array_equal(value, kept)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_prebuilt_network_is_trained_itself_there_and_copied_here():
    for kind, is_itself in ((theirs, True), (ours, False)):
        network = build({"n_features_in_": 4})
        network.compile("adam", "binary_crossentropy")
        before = np.array(network.layers[-1].kernel)
        clf = kind(network).fit(X, Y)
        assert (clf.model_ is network) == is_itself
        assert (np.abs(np.array(network.layers[-1].kernel) - before).max() > 0) == is_itself


def test_attributes_have_these_names(both):
    clf, other = both
    check_is_fitted(clf)
    assert other.initialized_
    assert clf.n_iter_ == other.current_epoch == 1
    assert len(clf.classes_) == other.n_classes_
    assert clf.model_.output_shape[-1] == 1 == other.n_outputs_
    assert type_of_target(Y) == other.target_type_
    assert clf.n_features_in_ == other.n_features_in_
    for name in ("X_shape_", "X_dtype_", "y_dtype_", "y_ndim_", "n_outputs_expected_"):
        assert hasattr(other, name)
        assert not hasattr(clf, name)
    told = {}

    def tell(meta):
        told.update(meta)
        return build(meta)

    ours(tell).fit(X, Y)
    assert told["X_shape_"] == other.X_shape_
    assert told["X_dtype_"] == other.X_dtype_
    assert told["y_ndim_"] == other.y_ndim_
    assert told["n_outputs_expected_"] == other.n_outputs_expected_ == 1
    assert told["y_dtype_"] == Y.dtype
    assert hasattr(other, "feature_encoder_")
    assert_allclose(clf.model_inputs(X), X)
    assert other.model_.optimizer is not None
    assert not clf.model_.compiled


@pytest.mark.slow
def test_labels_of_any_type_are_decoded():
    names = np.array(["no", "yes"])[Y]
    assert set(ours().fit(X, names).predict(X)) <= {"no", "yes"}


def softmax(meta, units=3):
    return keras.Sequential([keras.Input((4,)), L.Dense(units, activation="softmax")])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_one_hot_targets_are_classes_there_and_labels_here():
    one_hot = np.eye(3, dtype=int)[Y3]
    other = theirs(softmax, loss="categorical_crossentropy").fit(X, one_hot)
    assert other.predict(X).shape == one_hot.shape
    with pytest.warns(UserWarning, match="argmax"):
        clf = ours("mlp").fit(X, one_hot)
    assert clf.model_.output_shape == (None, 3)
    assert ours(softmax).fit(X, one_hot.argmax(axis=1)).predict(X).shape == (len(X),)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_units_for_two_classes_are_a_softmax_here():
    def two(meta):
        return softmax(meta, 2)

    assert ours(two).fit(X, Y).predict_proba(X).shape == (len(X), 2)
    with pytest.raises(ValueError, match="output"):
        theirs(two).fit(X, Y)


@pytest.mark.filterwarnings("ignore")
def test_one_class_is_an_error_here():
    with pytest.raises(ValueError, match="class"):
        ours().fit(X, np.zeros(len(X), int))


@pytest.mark.slow
def test_a_network_may_split_its_one_input():
    def two_parts(meta):
        inputs = keras.Input((meta["n_features_in_"],))
        left, right = keras.ops.split(inputs, [1], axis=1)
        joined = L.Concatenate()([L.Dense(2)(left), L.Dense(2)(right)])
        return keras.Model(inputs, L.Dense(1, activation="sigmoid")(joined))

    assert ours(two_parts).fit(X, Y).predict_proba(X).shape == (len(X), 2)


@pytest.mark.slow
def test_reconstructions_have_estimators_of_their_own():
    scores = AutoencoderOutlierDetector(epochs=1, random_state=0).fit(X).decision_function(X)
    assert scores.shape == (len(X),)


# ---- differences in behaviour


def test_folds_are_stratified_here_and_not_there(both):
    clf, other = both
    assert is_classifier(clf)
    assert not is_classifier(other)
    assert isinstance(check_cv(3, Y, classifier=is_classifier(clf)), StratifiedKFold)
    assert not isinstance(check_cv(3, Y, classifier=is_classifier(other)), StratifiedKFold)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_array_of_weights_is_multiplied_there_and_left_alone_here():
    weights = {0: 1.0, 1: 5.0}
    changed, kept = np.ones(len(X)), np.ones(len(X))
    theirs(class_weight=weights).fit(X, Y, sample_weight=changed)
    ours(class_weight=weights).fit(X, Y, sample_weight=kept)
    assert set(changed) == {1.0, 5.0}
    assert set(kept) == {1.0}


RANDOM = """
import os, warnings
warnings.simplefilter("ignore")
import numpy as np, tensorflow as tf
from test_scikeras_page import X, Y, ours, theirs
kind = {"ours": ours, "theirs": theirs}[os.environ["KIND"]]
kind(random_state=0).fit(X, Y)
try:
    tf.random.uniform((2,))
    print("fine")
except RuntimeError as error:
    print("raises", "determinism" in str(error))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "said"), [("theirs", "raises True"), ("ours", "fine")])
def test_random_operations_elsewhere_raise_after_a_seeded_fit_there(kind, said):
    folder = str(Path(__file__).parent)
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r})\n" + RANDOM],
        capture_output=True, text=True, timeout=300, env=os.environ | {"KIND": kind},
    )  # fmt: skip
    assert found.stdout.strip().splitlines()[-1:] == [said], found.stderr


def test_misspelt_parameters_raise_early_with_the_likely_name():
    with pytest.raises(TypeError, match=r"Did you mean 'threshold'"):
        ours(treshold=0.3)
    with pytest.raises(TypeError, match=r"loss__gama.*loss__gamma"):
        ours(loss="focal", loss__gama=2.0).fit(X, Y)
