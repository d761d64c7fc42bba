"""Losses by name, class, instance and function."""

import functools

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb import losses
from skimb.losses import CrossEntropy, Focal

Y, Z = np.array([[1.0], [0.0]]), np.array([[0.4], [2.0]])
P = 1 / (1 + np.exp(-Z))
KERAS_NAMES = [
    (name, loss)
    for name, loss in vars(keras.losses).items()
    if isinstance(loss, type) and loss is not keras.losses.Loss
]


class Own(keras.losses.Loss):
    def __init__(self, height=1.0):
        super().__init__()
        self.height = height

    def call(self, y_true, y_pred):
        return self.height * abs(y_true - y_pred)


class OwnFocal(Focal):
    def __init__(self, **params):
        super().__init__(**params)


def own_function(y_true, y_pred):
    return (y_true - y_pred) ** 2


@pytest.mark.parametrize(("name", "loss"), [("cross_entropy", CrossEntropy), ("focal", Focal)])
def test_every_loss_of_the_library_is_reached_by_name(name, loss):
    assert type(losses.get(name)) is loss


@pytest.mark.parametrize("name", losses.available())
def test_available_names_the_targets_that_the_loss_accepts(name):
    targets = losses.available()[name]
    assert [losses.get(name, target=target).target for target in targets] == list(targets)


def test_available_has_the_losses_that_the_package_exports():
    exported = {
        value
        for value in vars(losses).values()
        if isinstance(value, type) and issubclass(value, keras.losses.Loss)
    }
    of_terms = {losses.WeightedSum}
    assert {type(losses.get(name)) for name in losses.available()} | of_terms == exported


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("mse", keras.losses.MeanSquaredError),
        ("mean_squared_error", keras.losses.MeanSquaredError),
        ("bce", keras.losses.BinaryCrossentropy),
        ("binary_crossentropy", keras.losses.BinaryCrossentropy),
        (keras.losses.binary_crossentropy, keras.losses.BinaryCrossentropy),
        (keras.losses.mean_squared_error, keras.losses.MeanSquaredError),
        ("KLD", keras.losses.KLDivergence),
        ("log_cosh", keras.losses.LogCosh),
        *KERAS_NAMES,
    ],
)
def test_losses_of_keras_are_found_by_every_name_they_have(identifier, expected):
    assert type(losses.get(identifier)) is expected


@pytest.mark.parametrize("loss", [loss for _, loss in KERAS_NAMES])
def test_instances_of_keras_come_back_as_they_are(loss):
    instance = loss()
    assert losses.get(instance) is instance


@pytest.mark.parametrize(
    "identifier",
    [
        CrossEntropy(label_smoothing=0.1),
        Own(),
        own_function,
        functools.partial(own_function),
        lambda y_true, y_pred: y_pred,
        np.subtract,
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_instances_and_own_functions_come_back_as_they_are(identifier):
    assert losses.get(identifier) is identifier


@pytest.mark.parametrize("identifier", ["focal", Focal, OwnFocal])
def test_hyperparameters_reach_the_constructor(identifier):
    loss = losses.get(identifier, gamma=0.0, alpha=0.25)
    assert_allclose(loss(Y, Z), np.mean([-0.25 * np.log(P[0]), -0.75 * np.log(1 - P[1])]), 1e-6)


@pytest.mark.parametrize("identifier", [Own, "bce", keras.losses.BinaryCrossentropy])
def test_classes_without_hyperparameters_have_their_defaults(identifier):
    expected = np.mean(abs(Y - P)) if identifier is Own else np.mean(-np.log([P[0], 1 - P[1]]))
    assert_allclose(losses.get(identifier)(Y, P), expected, rtol=1e-5)


def test_hyperparameters_reach_the_losses_of_keras_and_own_classes():
    assert losses.get("bce", label_smoothing=0.2).label_smoothing == 0.2
    assert losses.get(Own, height=3.0).height == 3.0


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("focl", "focal"),
        ("Focall", "focal"),
        ("cross_entrpy", "cross_entropy"),
        ("mean_squared_eror", "MeanSquaredError"),
        ("binary_crosentropy", "BinaryCrossentropy"),
    ],
)
def test_misspelt_name_raises_with_a_name_that_works(typed, meant):
    with pytest.raises(ValueError, match=f"'{typed}' is unknown. Did you mean '{meant}'"):
        losses.get(typed)
    assert isinstance(losses.get(meant), keras.losses.Loss)


def test_name_like_no_other_raises_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"'xyzzy' is unknown\. The library has 'cross_entropy'"):
        losses.get("xyzzy")


@pytest.mark.parametrize(
    ("identifier", "param", "taken"),
    [
        ("focal", "gama", "loss__gamma"),
        (CrossEntropy, "gamma", "loss__pos_weight"),
        ("bce", "smoothing", "loss__label_smoothing"),
        (Own, "width", "loss__height"),
    ],
)
def test_unknown_hyperparameter_raises_with_those_there_are(identifier, param, taken):
    with pytest.raises(TypeError, match=f"no parameter loss__{param}.*{taken}"):
        losses.get(identifier, **{param: 1.0})


@pytest.mark.parametrize(
    "identifier",
    [Focal(), keras.losses.MeanSquaredError(), own_function],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_hyperparameters_for_what_is_already_built_raise(identifier):
    with pytest.raises(TypeError, match="already built, so loss__gamma cannot reach it"):
        losses.get(identifier, gamma=1.0)


@pytest.mark.parametrize(
    "identifier",
    [None, 3, ["focal"], dict, keras.layers.Dense, keras.metrics.MeanSquaredError],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_what_is_no_loss_raises(identifier):
    with pytest.raises(TypeError, match=r"neither a name, a keras\.losses\.Loss, nor a function"):
        losses.get(identifier)


def test_invalid_hyperparameter_raises_as_from_the_constructor():
    with pytest.raises(ValueError, match="gamma=-1"):
        losses.get("focal", gamma=-1)


def test_a_loss_shows_what_it_was_made_with():
    assert repr(losses.get("focal", gamma=1.5)) == "Focal(gamma=1.5)"
    assert repr(losses.get("dice")) == "Dice()"
    weighted = losses.get("cross_entropy", pos_weight=[1.0, 2.0])
    assert repr(weighted) == "CrossEntropy(pos_weight=[1.0, 2.0])"


@pytest.mark.parametrize("name", ["log_loss", "CE", "nll"])
def test_names_of_other_libraries_are_understood_as_suggestions(name):
    with pytest.raises(ValueError, match="Did you mean 'cross_entropy'"):
        losses.get(name)
