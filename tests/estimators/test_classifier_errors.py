"""Bad input gets an error that names the parameter, the value and the cure, and leaves no trace."""

import keras
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from skimb import ImbalancedNNClassifier


def network(units, activation=None, n_features=8):
    def build():
        return keras.Sequential(
            [keras.Input((n_features,)), keras.layers.Dense(units, activation=activation)]
        )

    return build


def two_outputs():
    inputs = keras.Input((8,))
    ends = [keras.layers.Dense(1)(inputs), keras.layers.Dense(1)(inputs)]
    return keras.Model(inputs, ends)


PARAMETERS = {
    "unknown scheme": ({"class_weight": "balancd"}, ValueError, "class_weight.*'balanced'"),
    "unknown class": ({"class_weight": {7: 2.0}}, ValueError, "class_weight.*7"),
    "negative weight": ({"class_weight": {0: -1.0}}, ValueError, "class_weight.*-1"),
    "infinite weight": ({"class_weight": {1: np.inf}}, ValueError, "class_weight.*inf"),
    "too many weights": ({"class_weight": [1, 2, 3]}, ValueError, "class_weight"),
    "both weights": (
        {"pos_weight": "balanced", "class_weight": "balanced"}, ValueError, "class_weight=None"
    ),
    "both weights as numbers": (
        {"pos_weight": 3.0, "class_weight": {1: 2.0}}, ValueError, "class_weight=None"
    ),
    "negative pos_weight": (
        {"class_weight": None, "pos_weight": -2.0}, ValueError, "pos_weight.*-2"
    ),
    "pos_weight per label": (
        {"class_weight": None, "pos_weight": [1.0, 2.0]}, ValueError, "pos_weight"
    ),
    "negative power": ({"weight_power": -1}, ValueError, "weight_power.*-1"),
    "unknown loss": ({"loss": "focall"}, ValueError, "focall.*'focal'"),
    "unknown loss parameter": ({"loss": "focal", "loss__gama": 1}, TypeError, "loss__gama.*gamma"),
    "bad loss parameter": ({"loss": "focal", "loss__gamma": -1}, ValueError, "gamma.*-1"),
    "loss of another kind": ({"loss": 3}, (ValueError, TypeError), "loss.*3"),
    "unknown optimizer": ({"optimizer": "adamm"}, ValueError, "adamm.*Did you mean 'adam'"),
    "unknown optimizer parameter": (
        {"optimizer__momentun": 1}, TypeError, "optimizer__momentun.*optimizer__learning_rate"
    ),
    "Keras's old name": (
        {"optimizer__lr": 1}, TypeError, r"Did you mean optimizer__learning_rate\?"
    ),
    "learning rate": ({"optimizer__learning_rate": -0.1}, ValueError, "learning_rate.*-0.1"),
    "no epochs": ({"epochs": 0}, ValueError, "epochs.*0"),
    "fractional batch": ({"batch_size": 2.5}, ValueError, "batch_size.*2.5"),
    "unknown model": ({"model": "transformer"}, ValueError, "model.*transformer"),
    "unknown model parameter": (
        {"model__layers": 3}, TypeError, "model__layers.*model__hidden_layer_sizes"
    ),
    "empty layer": ({"model__hidden_layer_sizes": (8, 0)}, ValueError, "hidden_layer_sizes"),
    "dropout": ({"model__dropout": 1.5}, ValueError, "model__dropout=1.5"),
    "parameter of a built model": (
        {"model": network(1)(), "model__units": 3}, TypeError, "model__units"
    ),
    "three outputs": ({"model": network(3)}, ValueError, "3 outputs.*Expected 1 output"),
    "softmax of one": ({"model": network(1, "softmax")}, ValueError, "softmax.*Expected 1 output"),
    "two sigmoids": ({"model": network(2, "sigmoid")}, ValueError, "sigmoid.*Expected 1 output"),
    "relu at the end": ({"model": network(1, "relu")}, ValueError, "'relu'.*'sigmoid'"),
    "several outputs": ({"model": two_outputs}, ValueError, "one output"),
    "other rows": ({"model": network(1, n_features=5)}, ValueError, r"\(5,\).*\(8,\)"),
    "no network": ({"model": lambda: 7}, TypeError, "keras.Model"),
    "binary loss with two outputs": (
        {"model": network(2, "softmax"), "loss": "binary_crossentropy"}, ValueError,
        "loss.*end in one output, or leave loss out",
    ),
    "categorical loss with one output": (
        {"model": network(1), "loss": "categorical_crossentropy"}, ValueError, "loss"
    ),
    "no callback": ({"callbacks": [3]}, TypeError, "callbacks.*3"),
    "unknown metric": ({"metrics": ["f1", "f3"]}, ValueError, "f3"),
    "metric that is no name": ({"metrics": [len]}, TypeError, "metrics.*names"),
    "unknown scoring": ({"scoring": "f3"}, ValueError, "'f3' in scoring.*'f1'"),
    "unknown dtype": ({"dtype": "float12"}, ValueError, "dtype.*float12"),
    "unknown trainer": ({"trainer": "fast"}, ValueError, "trainer.*fast"),
    "routed as a name": ({"routed": 1}, TypeError, "routed"),
}  # fmt: skip


@pytest.mark.parametrize("case", PARAMETERS)
def test_bad_parameter_is_named_with_what_is_accepted(binary, case):
    params, error, message = PARAMETERS[case]
    X, y = binary
    clf = ImbalancedNNClassifier(epochs=1).set_params(
        **{k: v for k, v in params.items() if k != "routed"}
    )
    if case == "routed as a name":
        clf = ImbalancedNNClassifier(**params)
    with pytest.raises(error, match=f"(?s){message}"):
        clf.fit(X, y)
    assert not hasattr(clf, "classes_")
    assert not hasattr(clf, "n_features_in_")
    with pytest.raises(NotFittedError):
        clf.predict(X)


def with_nan(X, y):
    return np.where(np.arange(X.size).reshape(X.shape) == 5, np.nan, X), y, None


INPUTS = {
    "nan among sparse": (lambda X, y: (sp.csr_array(with_nan(X, y)[0]), y, None), "NaN"),
    "inf": (lambda X, y: (np.where(X > 2, np.inf, X), y, None), "infinity"),
    "one class": (lambda X, y: (X, np.zeros(len(y)), None), "one class"),
    "one class of weight": (lambda X, y: (X, y, (y == 0).astype(float)), "one class"),
    "lengths": (lambda X, y: (X, y[:-1], None), "inconsistent numbers of samples"),
    "measured target": (lambda X, y: (X, y + 0.5 * X[:, 0], None), "regression target"),
    "signed indicators": (lambda X, y: (X, np.c_[y, 1 - y] * 2 - 1, None), "indicator matrix"),
    "several classes a row": (lambda X, y: (X, np.c_[y, y + 1, y], None), "Unknown label type"),
    "nan in y": (lambda X, y: (X, np.where(y == 1, np.nan, 0.0), None), "NaN"),
    "negative weight": (lambda X, y: (X, y, y - 0.5), "[Nn]egative"),
    "nan weight": (lambda X, y: (X, y, np.where(y == 1, np.nan, 1.0)), "NaN"),
    "zero weights": (lambda X, y: (X, y, 0.0 * y), "zero"),
    "length of the weights": (lambda X, y: (X, y, np.ones(3)), "sample_weight"),
    "text": (lambda X, y: (X.astype(str) + "x", y, None), "could not convert|string"),
    "no rows": (lambda X, y: (X[:0], y[:0], None), "0 sample"),
    "no features": (lambda X, y: (X[:, :0], y, None), "0 feature"),
    "no y": (lambda X, y: (X, None, None), "requires y"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", INPUTS)
def test_bad_input_is_an_error_and_leaves_the_estimator_as_it_was(binary, case):
    spoil, message = INPUTS[case]
    X, y = binary
    clf = ImbalancedNNClassifier(epochs=2, random_state=0).fit(X, y)
    before, state = clf.predict_proba(X), dict(vars(clf))
    spoiled_X, spoiled_y, weight = spoil(X, y)
    with pytest.raises(ValueError, match=message):
        clf.fit(spoiled_X, spoiled_y, sample_weight=weight)
    assert vars(clf) == state
    np.testing.assert_array_equal(clf.predict_proba(X), before)


def test_partial_fit_with_an_unseen_class_names_it(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(random_state=0).partial_fit(X, y, classes=[0, 1])
    before = clf.predict_proba(X)
    with pytest.raises(ValueError, match=r"labels \[2\].*classes \[0, 1\].*partial_fit"):
        clf.partial_fit(X, y + 1)
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    assert clf.n_iter_ == 1


def test_partial_fit_asks_for_the_classes_first(binary):
    X, y = binary
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        ImbalancedNNClassifier().partial_fit(X, y)
    clf = ImbalancedNNClassifier().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes=\[0, 1, 2\]"):
        clf.partial_fit(X, y, classes=[0, 1, 2])


@pytest.mark.slow
def test_partial_fit_with_another_kind_of_target_is_an_error(binary, multilabel):
    X, y = binary
    clf = ImbalancedNNClassifier().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="seen before"):
        clf.partial_fit(X, np.column_stack([y, y]))
    X, Y = multilabel
    clf = ImbalancedNNClassifier().partial_fit(X, Y)
    with pytest.raises(ValueError, match="4 labels"):
        clf.partial_fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="4 labels"):
        clf.partial_fit(X, Y[:, :3])


def test_warm_start_with_other_classes_is_an_error(binary, multiclass):
    clf = ImbalancedNNClassifier(epochs=1, warm_start=True).fit(*binary)
    with pytest.raises(ValueError, match="warm_start"):
        clf.fit(multiclass[0], multiclass[1])


def test_pos_weight_for_three_classes_is_an_error(multiclass):
    X, y = multiclass
    clf = ImbalancedNNClassifier(class_weight=None, pos_weight="balanced")
    with pytest.raises(ValueError, match=r"Only binary classification.*class_weight"):
        clf.fit(X, y)


@pytest.mark.parametrize(
    ("data", "params", "message"),
    [
        ("multiclass", {"model": network(3, "sigmoid")}, "Expected 3 outputs.*softmax"),
        ("multiclass", {"model": network(1)}, "Expected 3 outputs"),
        ("multiclass", {"loss": "binary_crossentropy"}, "loss.*multiclass"),
        ("multilabel", {"loss": "categorical_crossentropy"}, "loss.*multilabel"),
        ("multilabel", {"model": network(4, "softmax", 10)}, "Expected 4 outputs.*sigmoid"),
    ],
)
def test_network_or_loss_that_does_not_fit_the_target(data, params, message, request):
    X, y = request.getfixturevalue(data)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        ImbalancedNNClassifier(epochs=1, **params).fit(X, y)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("learning_rate", "optimizer__learning_rate"),
        ("hidden_layer_sizes", "model__hidden_layer_sizes"),
        ("epoch", "epochs"),
    ],
)
def test_parameter_of_another_place_is_suggested(given, meant):
    with pytest.raises(TypeError, match=f"Did you mean '{meant}'"):
        ImbalancedNNClassifier(**{given: 1})


def test_misspelt_parameter_is_refused_at_once():
    with pytest.raises(TypeError, match=r"class_wieght.*class_weight"):
        ImbalancedNNClassifier(class_wieght="balanced")
    with pytest.raises(ValueError, match="class_wieght"):
        ImbalancedNNClassifier().set_params(class_wieght="balanced")
    with pytest.raises(TypeError, match="fit__epochs"):
        ImbalancedNNClassifier(fit__epochs=3)


def test_diverging_loss_is_an_error_that_names_the_epoch(binary):
    X, y = binary
    clf = ImbalancedNNClassifier(
        loss="mse", model=network(1), optimizer="sgd", optimizer__learning_rate=1e300, epochs=50,
        dtype="float32",
    )  # fmt: skip
    clf.set_params(loss=lambda y_true, y_pred: keras.ops.mean((y_pred - y_true) ** 2, axis=-1))
    with pytest.raises(ValueError, match=r"(inf|nan) in epoch \d+.*learning_rate"):
        clf.fit(X, y)
    assert not hasattr(clf, "classes_")


@pytest.mark.slow
def test_callback_that_raises_leaves_no_half_fitted_estimator(binary):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("from the callback")

    X, y = binary
    clf = ImbalancedNNClassifier(epochs=2, callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="from the callback"):
        clf.fit(X, y)
    assert not hasattr(clf, "classes_")
    clf.set_params(callbacks=None).fit(X, y)


@pytest.mark.slow
def test_images_with_channels_first_are_warned_of():
    X = np.random.default_rng(0).normal(size=(20, 3, 16, 16)).astype("float32")
    with pytest.warns(UserWarning, match=r"Channels come last: pass np.moveaxis\(X, 1, -1\)"):
        ImbalancedNNClassifier(epochs=1, random_state=0).fit(X, np.arange(20) % 4 == 0)
