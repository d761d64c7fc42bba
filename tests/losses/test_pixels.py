"""Weights of classes, pixels and images in a loss of masks, against NumPy."""

import numpy as np
import pytest
from keras import losses as keras_losses
from keras import ops
from numpy.testing import assert_allclose
from scipy.special import expit, log_softmax

from skimb import losses
from skimb.losses.pixels import PixelLoss

RNG = np.random.default_rng(0)
Y = (RNG.random((4, 5, 6)) < 0.3).astype("float64")
Y[0] = 0
Z = RNG.normal(size=(4, 5, 6, 1))
CODES = RNG.integers(0, 3, (4, 5, 6)).astype("int32")
Z3 = RNG.normal(size=(4, 5, 6, 3))
OF_IMAGE = np.array([1.0, 0.0, 2.0, 0.5])
OF_PIXEL = RNG.uniform(0, 2, (4, 5, 6))
TABLE = np.array([0.5, 4.0])


def binary_terms(y, z):
    p = expit(z[..., 0])
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def dice_of_images(y, z, weight):
    p = expit(z[..., 0])
    both, predicted, true = (np.sum(weight * v, axis=(1, 2)) for v in (p * y, p, y))
    return 1 - (2 * both + 1e-5) / (predicted + true + 1e-5)


def bound(loss, table=(1.0, 1.0), link="sigmoid", **params):
    given = losses.get(loss) if isinstance(loss, str) else loss
    return PixelLoss(
        given, class_weight=np.array(table), link=link, target="pixels", dtype="float64", **params
    )


@pytest.mark.parametrize(
    "loss", ["cross_entropy", keras_losses.BinaryCrossentropy(),
             lambda y, p: keras_losses.binary_crossentropy(y, p, from_logits=True)]
)  # fmt: skip
@pytest.mark.parametrize("weight", [None, OF_IMAGE, OF_PIXEL], ids=["none", "image", "pixel"])
def test_terms_of_pixels_are_multiplied(loss, weight):
    of_pixel = (
        np.ones((4, 1, 1)) if weight is None else weight.reshape(4, *weight.shape[1:] or (1, 1))
    )
    expected = np.mean(binary_terms(Y, Z) * of_pixel * TABLE[Y.astype(int)])
    value = bound(loss, TABLE)(Y[..., None], Z, sample_weight=weight)
    assert_allclose(float(value), expected, rtol=1e-5)


@pytest.mark.parametrize("weight", [None, OF_IMAGE, OF_PIXEL], ids=["none", "image", "pixel"])
@pytest.mark.parametrize("dice_weight", [0.0, 0.3, 1.0])
def test_pixels_are_weighted_inside_the_sums_of_overlap_and_images_outside(weight, dice_weight):
    classes = TABLE[Y.astype(int)]
    inside = classes * OF_PIXEL if weight is OF_PIXEL else classes
    outside = OF_IMAGE if weight is OF_IMAGE else np.ones(4)
    dice = np.mean(outside * dice_of_images(Y, Z, inside))
    entropy = np.mean(outside * (binary_terms(Y, Z) * inside).mean(axis=(1, 2)))
    loss = losses.DiceCrossEntropy(dice_weight=dice_weight)
    value = bound(loss, TABLE)(Y[..., None], Z, sample_weight=weight)
    assert_allclose(float(value), dice_weight * dice + (1 - dice_weight) * entropy, rtol=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", keras_losses.CategoricalCrossentropy(),
                                  keras_losses.SparseCategoricalCrossentropy()])  # fmt: skip
def test_several_classes(loss):
    table = np.array([0.2, 1.0, 3.0])
    terms = -np.take_along_axis(log_softmax(Z3, axis=-1), CODES[..., None], axis=-1)[..., 0]
    of_classes = bound(loss, table, link="softmax")
    y = np.eye(3)[CODES] if of_classes.one_hot else CODES
    value = of_classes(y, Z3, sample_weight=OF_IMAGE)
    expected = np.mean(terms * table[CODES] * OF_IMAGE[:, None, None])
    assert_allclose(float(value), expected, rtol=1e-5)


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
@pytest.mark.parametrize("weight", [None, OF_IMAGE, OF_PIXEL], ids=["none", "image", "pixel"])
def test_void_pixels_have_no_weight(link, weight):
    void = RNG.random(Y.shape) < 0.2
    z, codes = (Z, Y) if link == "sigmoid" else (Z3, CODES)
    marked = np.where(void, -1, codes)
    marked, codes = (m[..., None] if link == "sigmoid" else m for m in (marked, codes))
    value = bound("cross_entropy", link=link, void=True)(marked, z, sample_weight=weight)
    ones = np.ones(4) if weight is None else weight
    by_hand = np.where(void, 0.0, ones if ones.ndim > 1 else ones[:, None, None])
    expected = bound("cross_entropy", link=link)(codes, z, sample_weight=by_hand)
    assert_allclose(float(value), float(expected), rtol=1e-6)


@pytest.mark.parametrize(
    "loss", [n for n, kinds in losses.available().items() if "pixels" in kinds]
)
def test_rarer_first_class_is_the_foreground(loss):
    turned = bound(loss, positive_first=True)
    assert_allclose(float(turned(1 - Y[..., None], -Z)), float(bound(loss)(Y[..., None], Z)))


def test_another_reduction_is_refused():
    with pytest.raises(ValueError, match="losses of images are averaged"):
        bound(keras_losses.BinaryCrossentropy(reduction="sum"))


def test_terms_of_each_output_are_averaged():
    def terms(y, p):
        return (y - p) ** 2

    y = np.eye(3)[CODES]
    table = np.array([0.2, 1.0, 3.0])
    value = bound(terms, table, link="softmax")(y, Z3)
    expected = np.mean(((y - Z3) ** 2).mean(axis=-1) * table[CODES])
    assert_allclose(float(value), expected, rtol=1e-5)


def test_numbers_are_values_that_programs_share():
    one, other = bound("cross_entropy", TABLE), bound("cross_entropy", 2 * TABLE)
    assert one.signature() == other.signature() != bound("cross_entropy").signature()
    changed = one.with_values({"pixel_class_weight": ops.convert_to_tensor(2 * TABLE)})
    assert_allclose(float(changed(Y[..., None], Z)), float(other(Y[..., None], Z)))
    assert_allclose(one.class_weight, TABLE)
