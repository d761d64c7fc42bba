"""Losses before they are built, and how often they are built."""

import copy
import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb import losses
from skimb.losses.binding import BoundLoss, is_categorical, takes_codes
from skimb.losses.traits import TARGETS, LossTraits, traits_of

Y, Z = np.array([[0.0], [1.0], [1.0]], "float32"), np.array([[0.3], [-1.0], [2.0]], "float32")


class OwnCrossEntropy(keras.losses.BinaryCrossentropy):
    """Passes all of its arguments on, so that its signature does not show them."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)


@pytest.fixture
def built(monkeypatch):
    """Count the losses that are constructed."""
    found, original = [], keras.losses.Loss.__init__

    def counted(self, *args, **kwargs):
        if not isinstance(self, BoundLoss):
            found.append(type(self).__name__)
        original(self, *args, **kwargs)

    monkeypatch.setattr(keras.losses.Loss, "__init__", counted)
    return found


def test_a_loss_by_name_is_built_once_for_the_outputs_of_the_network(built):
    spec = losses.specification("focal", gamma=1.5)
    assert built == []
    bound = BoundLoss(spec, link="sigmoid", outputs="probabilities", data={"class_counts": [3, 1]})
    assert built == ["Focal"]
    assert (bound.loss.gamma, bound.loss.from_logits, bound.loss.target) == (1.5, False, "binary")


def test_what_there_is_to_know_of_a_class_needs_no_instance(built):
    spec = losses.specification("ldam")
    assert spec.traits.takes_cosines
    assert takes_codes(spec)
    assert is_categorical(losses.specification("categorical_crossentropy"))
    assert built == []


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
@pytest.mark.parametrize(
    "loss", ["binary_crossentropy", keras.losses.BinaryCrossentropy, OwnCrossEntropy]
)
def test_a_loss_of_keras_is_told_what_the_outputs_are(loss, outputs):
    bound = BoundLoss(losses.specification(loss), link="sigmoid", outputs=outputs)
    given = Z if outputs == "logits" else 1 / (1 + np.exp(-Z))
    p = 1 / (1 + np.exp(-Z.astype("float64")))
    expected = -np.mean(Y * np.log(p) + (1 - Y) * np.log1p(-p))
    assert_allclose(float(bound(Y, given)), expected, rtol=1e-5)


def test_traits_follow_the_hyperparameters():
    assert not losses.CrossEntropy().traits.corrects_frequencies
    assert losses.CrossEntropy(pos_weight=3.0).traits.corrects_frequencies
    assert losses.ClassRectification(level="instance").traits.takes_features
    assert losses.LDAM(scale=7.0).traits.logit_scale == 7.0
    assert losses.Dice().traits.batch_level
    assert traits_of(keras.losses.Huber()) == LossTraits(targets=TARGETS)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_losses_keep_all_of_their_state(duplicate):
    loss = losses.Focal(gamma=1.5, alpha=[1.0, 2.0])
    loss.note = "not in the configuration"
    twin = duplicate(loss)
    assert twin.note == loss.note
    assert twin.get_config() == loss.get_config()
    assert float(twin(Y, Z)) == float(loss(Y, Z))
