"""Sums of losses: their values, their terms and what cannot be summed."""

import pickle

import keras
import numpy as np
import pytest
from loss_cases import value_and_gradient
from numpy.testing import assert_allclose

from skimb import losses
from skimb.losses import WeightedSum
from skimb.losses.binding import BoundLoss
from skimb.losses.pixels import PixelLoss

RNG = np.random.default_rng(0)
MASKS, Z = RNG.integers(0, 2, (3, 4, 5)), RNG.normal(0, 2, (3, 4, 5, 1)).astype("float32")
SEGMENTS, Z3 = RNG.integers(0, 3, (3, 4, 5)), RNG.normal(0, 2, (3, 4, 5, 3)).astype("float32")
Y, ROWS = RNG.integers(0, 2, 8), RNG.normal(0, 2, (8, 1)).astype("float32")
TERMS = {"dice_cross_entropy": 1, "boundary": 0.1}
WEIGHTS = [None, np.array([1.0, 2.0, 0.5]), RNG.uniform(0, 2, MASKS.shape)]


@pytest.mark.slow
@pytest.mark.parametrize("weight", WEIGHTS, ids=["none", "images", "pixels"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
@pytest.mark.parametrize(("y", "z"), [(MASKS, Z), (SEGMENTS, Z3)], ids=["one", "several"])
def test_value_and_gradient_are_those_of_the_terms_added_up(y, z, reduction, weight):
    terms = {"dice": 2, "focal": 0.5, "cl_dice": 0.25}
    loss = losses.get(terms, cl_dice__alpha=1.0, focal__gamma=1.5, reduction=reduction)
    parts = [
        (2.0, losses.Dice(target="pixels", reduction=reduction)),
        (0.5, losses.Focal(gamma=1.5, target="pixels", reduction=reduction)),
        (0.25, losses.ClDice(alpha=1.0, reduction=reduction)),
    ]
    if weight is not None and weight.ndim == 1 and reduction is None:
        weight = weight[:, None, None] * np.ones(y.shape)
    expected = sum(w * np.asarray(part(y, z, weight)) for w, part in parts)
    assert_allclose(loss(y, z, weight), expected, rtol=1e-5)
    gradients = [w * value_and_gradient(part, y, z, weight)[1] for w, part in parts]
    assert_allclose(value_and_gradient(loss, y, z, weight)[1], sum(gradients), rtol=1e-3, atol=1e-6)


def test_rows_have_sums_too():
    loss = losses.get({"cross_entropy": 1, "soft_f_beta": 0.5}, soft_f_beta__beta=2.0)
    expected = losses.CrossEntropy()(Y, ROWS) + 0.5 * losses.SoftFBeta(beta=2.0)(Y, ROWS)
    assert_allclose(loss(Y, ROWS), expected, rtol=1e-6)
    assert loss.traits.targets == ("binary", "multiclass", "multilabel")
    assert loss.traits.batch_level


def test_counts_reach_the_terms_that_take_them():
    terms = {"logit_adjusted": 1, "soft_recall": 0.5}
    bound = BoundLoss(
        losses.specification(terms), link="sigmoid",
        data={"class_counts": [90, 10], "minority_class": 1},
    )  # fmt: skip
    expected = losses.LogitAdjusted(class_counts=[90, 10])(Y, ROWS)
    expected += 0.5 * losses.SoftRecall(minority_class=1)(Y, ROWS)
    assert_allclose(bound(Y[:, None], ROWS), expected, rtol=1e-6)
    assert bound.corrects_frequencies


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
def test_rarer_first_class_is_the_foreground_of_every_term(outputs):
    spec = losses.specification({"dice": 1, "focal": 1}, focal__alpha=[1.0, 5.0])
    z = Z if outputs == "logits" else 1 / (1 + np.exp(-Z))
    options = {"class_weight": np.ones(2), "link": "sigmoid", "target": "pixels"}
    bound = PixelLoss(spec, positive_first=True, outputs=outputs, **options)
    # weights of both classes are in the order of the classes
    expected = losses.Dice(target="pixels")(1 - MASKS, -Z)
    expected += losses.Focal(alpha=[1.0, 5.0], target="pixels")(MASKS, Z)
    assert_allclose(bound(MASKS[..., None], z), expected, rtol=1e-5)


def test_numbers_are_values_that_programs_share():
    def bound(terms, **params):
        spec = losses.specification(terms, **params)
        return PixelLoss(spec, class_weight=np.ones(2), link="sigmoid", target="pixels")

    one = bound({"dice": 1, "focal": 1}, focal__gamma=1.0)
    other = bound({"dice": 2, "focal": 0.1}, focal__gamma=3.0)
    assert one.signature() == other.signature()
    assert one.signature() != bound({"focal": 1, "dice": 1}).signature()
    assert one.signature() != bound({"dice": 1, "lovasz": 1}).signature()
    changed = one.with_values({k: keras.ops.cast(v, "float32") for k, v in other.values.items()})
    y = MASKS[..., None]
    assert_allclose(changed(y, Z), other(y, Z), rtol=1e-6)
    assert float(one(y, Z)) != float(other(y, Z))


@pytest.mark.slow
def test_saved_model_comes_back_with_the_same_loss(tmp_path):
    loss = losses.get({"focal": 1, "boundary": 0.1}, focal__alpha=np.array([1.0, 2.0]))
    model = keras.Sequential([keras.Input(Z.shape[1:]), keras.layers.Rescaling(1.0)])
    model.compile(loss=loss, optimizer="sgd")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").loss
    assert loaded.get_config() == loss.get_config()
    assert_allclose(loaded(MASKS, Z), loss(MASKS, Z))


def test_pickled_sum_is_the_same():
    loss = losses.get(TERMS, dice_cross_entropy__dice_weight=0.2)
    again = pickle.loads(pickle.dumps(loss))
    assert again.get_config() == loss.get_config()
    assert_allclose(again(MASKS, Z), loss(MASKS, Z))


def test_shows_its_terms():
    shown = repr(losses.get({"dice": 1, "focal": 2}, focal__gamma=1.0))
    assert shown == (
        "WeightedSum(terms={'dice': 1.0, 'focal': 2.0}, parameters={'focal': {'gamma': 1.0}})"
    )


@pytest.mark.parametrize(
    ("terms", "params", "error", "message"),
    [
        ({}, {}, ValueError, "has no terms"),
        ({"boundry": 1}, {}, ValueError, "unknown term 'boundry'. Did you mean 'boundary'"),
        ({"binary_crossentropy": 1}, {}, ValueError, "a loss of the library: 'cross_entropy'"),
        ({3: 1}, {}, ValueError, "unknown term 3"),
        *(({"dice": weight}, {}, ValueError, "weight .* for the term 'dice'.*leave a term out")
          for weight in (0, -1, np.nan, np.inf, "1", True, None)),
        ({"dice": 1, "focal": 1}, {"gamma": 1.0}, TypeError, "loss__focal__gamma"),
        ({"dice": 1}, {"focal__gamma": 1.0}, TypeError, "for the term 'focal', but .* 'dice'"),
        ({"focal": 1}, {"focal__gama": 1.0}, TypeError, "no parameter loss__focal__gama.*gamma"),
        ({"focal": 1}, {"focal__target": "binary"}, TypeError, "no parameter loss__focal__target"),
        ({"focal": 1}, {"focal__gamma": -1.0}, ValueError, "gamma=-1"),
        ({"boundary": 1, "pairwise_auc": 1}, {}, ValueError, "no kind of target in common"),
        ({"ldam": 1, "focal": 1}, {}, ValueError, "'ldam' takes other outputs"),
    ],
)  # fmt: skip
def test_what_cannot_be_summed_raises(terms, params, error, message):
    with pytest.raises(error, match=message):
        losses.get(terms, **params)


def test_term_that_does_not_fit_the_target_is_named():
    with pytest.raises(ValueError, match="loss=Boundary takes pixels targets"):
        BoundLoss(losses.specification({"boundary": 1}), link="sigmoid", target="binary")
    with pytest.raises(ValueError, match="not a kind of target that Dice takes"):
        WeightedSum({"dice": 1, "cross_entropy": 1}, target="multiclass")
