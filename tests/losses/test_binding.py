"""A loss bound to the outputs of a network, against Keras's losses and the formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from skimb.losses import LDAM, Asymmetric, CrossEntropy, Focal
from skimb.losses.binding import BoundLoss, check_target, is_categorical, takes_codes

RNG = np.random.default_rng(0)
N, K = 7, 3
CODES = np.array([0, 1, 2, 2, 0, 1, 1])
ONE_HOT = np.eye(K)[CODES]
BINARY = (CODES[:, None] == 2).astype("float64")
LABELS = RNG.integers(0, 2, (N, K)).astype("float64")
Z1, Z = RNG.normal(0, 2, (N, 1)), RNG.normal(0, 2, (N, K))
ROW_WEIGHT, LABEL_WEIGHT = RNG.uniform(0, 3, N), RNG.uniform(0, 3, (N, K))
# link, target, y for Keras, y for the library, logits
KINDS = {
    "binary": ("sigmoid", "binary", BINARY, BINARY, Z1),
    "multilabel": ("sigmoid", "multilabel", LABELS, LABELS, Z),
    "multiclass": ("softmax", "multiclass", ONE_HOT, CODES, Z),
}
KL = keras.losses


def probabilities(z, link):
    if link == "sigmoid":
        return 1 / (1 + np.exp(-z))
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def squared(y_true, y_pred):
    return (y_true - y_pred) ** 2


class OwnLoss(KL.Loss):
    """Without a get_config, as most people write it."""

    def __init__(self, height=1.0):
        super().__init__()
        self.height = height

    def call(self, y_true, y_pred):
        return self.height * squared(y_true, y_pred)[:, 0]


class OwnCrossentropy(KL.BinaryCrossentropy):
    """Its get_config, inherited, says nothing of the height."""

    def __init__(self, height=1.0, **params):
        super().__init__(**params)
        self.height = height


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(
    ("kind", "loss", "params"),
    [
        ("binary", KL.BinaryCrossentropy, {"label_smoothing": 0.1}),
        ("binary", KL.BinaryFocalCrossentropy, {"gamma": 1.5}),
        ("multilabel", KL.BinaryCrossentropy, {}),
        ("multiclass", KL.CategoricalCrossentropy, {"label_smoothing": 0.1}),
        ("multiclass", KL.CategoricalFocalCrossentropy, {"alpha": 0.5}),
        ("multiclass", KL.SparseCategoricalCrossentropy, {}),
    ],
)
def test_from_logits_of_a_keras_loss_follows_the_outputs(kind, loss, params, given, outputs):
    link, target, y, codes, z = KINDS[kind]
    y = codes if loss is KL.SparseCategoricalCrossentropy else y
    p = probabilities(z, link)
    bound = BoundLoss(
        loss(from_logits=given, **params), link=link, outputs=outputs, target=target,
        dtype="float64",
    )  # fmt: skip
    value = bound(y, z if outputs == "logits" else p, sample_weight=ROW_WEIGHT)
    expected = loss(from_logits=False, dtype="float64", **params)(y, p, sample_weight=ROW_WEIGHT)
    assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(
    ("kind", "loss", "theirs"),
    [
        ("binary", CrossEntropy, KL.BinaryCrossentropy),
        ("binary", Focal, KL.BinaryFocalCrossentropy),
        ("multilabel", CrossEntropy, KL.BinaryCrossentropy),
        ("multilabel", Focal, KL.BinaryFocalCrossentropy),
        ("multiclass", CrossEntropy, KL.CategoricalCrossentropy),
    ],
)
def test_from_logits_and_target_of_a_library_loss_follow_the_network(
    kind, loss, theirs, given, outputs
):
    link, target, y, codes, z = KINDS[kind]
    p = probabilities(z, link)
    bound = BoundLoss(
        loss(from_logits=given), link=link, outputs=outputs, target=target, dtype="float64"
    )
    value = bound(codes, z if outputs == "logits" else p, sample_weight=ROW_WEIGHT)
    assert_allclose(value, theirs(dtype="float64")(y, p, sample_weight=ROW_WEIGHT), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
@pytest.mark.parametrize(
    "loss",
    [
        KL.MeanSquaredError(),
        KL.MeanAbsoluteError(),
        KL.Huber(delta=0.1),
        KL.LogCosh(),
        KL.KLDivergence(),
        KL.Poisson(),
        KL.CosineSimilarity(axis=0),
        KL.Dice(),
        KL.Tversky(alpha=0.3, beta=0.7),
    ],
    ids=lambda loss: loss.name,
)
def test_keras_losses_on_probabilities_get_probabilities(loss, kind, outputs):
    link, target, y, _, z = KINDS[kind]
    p = probabilities(z, link)
    bound = BoundLoss(loss, link=link, outputs=outputs, target=target)
    assert_allclose(bound(y, z if outputs == "logits" else p), loss(y, p), rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("binary", KL.Hinge()),
        ("multilabel", KL.SquaredHinge()),
        ("multiclass", KL.CategoricalHinge()),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_hinge_losses_get_scores(loss, kind):
    link, target, y, _, z = KINDS[kind]
    assert_allclose(BoundLoss(loss, link=link, target=target)(y, z), loss(y, z), rtol=1e-6)


def test_own_functions_and_own_losses_get_the_outputs_as_they_are():
    for loss in (squared, OwnLoss()):
        value = BoundLoss(loss, link="sigmoid", dtype="float64")(BINARY, Z1)
        assert_allclose(value, np.mean((BINARY - Z1) ** 2), rtol=1e-6)


@pytest.mark.parametrize("per_row", [False, True], ids=["(n, 1)", "(n,)"])
def test_row_weights_multiply_the_rows_of_an_own_function(per_row):
    loss = (lambda y, z: squared(y, z)[:, 0]) if per_row else squared
    value = BoundLoss(loss, link="sigmoid")(BINARY, Z1, sample_weight=ROW_WEIGHT)
    assert_allclose(value, np.mean(ROW_WEIGHT * (BINARY - Z1)[:, 0] ** 2))


def test_own_loss_without_get_config_keeps_its_hyperparameters():
    value = BoundLoss(OwnLoss(height=5.0), link="sigmoid")(BINARY, Z1, sample_weight=ROW_WEIGHT)
    assert_allclose(value, 5 * np.mean(ROW_WEIGHT * (BINARY - Z1)[:, 0] ** 2), rtol=1e-5)


def test_own_loss_whose_hyperparameters_would_be_lost_raises():
    with pytest.raises(TypeError, match=r"OwnCrossentropy.*get_config leaves out height"):
        BoundLoss(OwnCrossentropy(height=5.0), link="sigmoid")


def binary_focal(Y, p):
    p_t = np.where(Y == 1, p, 1 - p)
    return -((1 - p_t) ** 2) * np.log(p_t)


@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        (CrossEntropy(), lambda Y, z, p: -np.log(np.where(Y == 1, p, 1 - p))),
        (Focal(), lambda Y, z, p: binary_focal(Y, p)),
        (KL.BinaryCrossentropy(), lambda Y, z, p: -np.log(np.where(Y == 1, p, 1 - p))),
        (KL.BinaryFocalCrossentropy(), lambda Y, z, p: binary_focal(Y, p)),
        (KL.MeanSquaredError(), lambda Y, z, p: (Y - p) ** 2),
        (KL.MeanAbsoluteError(), lambda Y, z, p: abs(Y - p)),
        (KL.Hinge(), lambda Y, z, p: np.maximum(0, 1 - (2 * Y - 1) * z)),
        (squared, lambda Y, z, p: (Y - z) ** 2),
        (lambda Y, z: tf.reduce_mean(squared(Y, z), axis=-1), lambda Y, z, p: (Y - z) ** 2),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_label_weights_multiply_the_term_of_their_label(loss, formula):
    bound = BoundLoss(loss, link="sigmoid", target="multilabel", dtype="float64")
    value = bound(LABELS, Z, sample_weight=LABEL_WEIGHT)
    expected = np.mean(LABEL_WEIGHT * formula(LABELS, Z, probabilities(Z, "sigmoid")))
    assert_allclose(value, expected, rtol=1e-6)


@pytest.mark.parametrize("loss", [CrossEntropy(), KL.MeanSquaredError()], ids=["ours", "theirs"])
def test_dtype_of_the_outputs_is_that_of_the_computation(loss):
    p = probabilities(Z1, "sigmoid")
    value = BoundLoss(loss, link="sigmoid", dtype="float64")(BINARY, Z1)
    exact = (BINARY - p) ** 2 if isinstance(loss, KL.MeanSquaredError) else np.logaddexp(
        0, Z1 * (1 - 2 * BINARY)
    )  # fmt: skip
    assert_allclose(value, exact.mean(), rtol=1e-13)


def test_the_loss_given_is_left_as_it_was():
    given = Focal(alpha="balanced", from_logits=False)
    before = given.get_config()
    bound = BoundLoss(given, link="softmax", target="multiclass", data={"class_counts": [5, 3, 1]})
    bound.with_values({"gamma": 0.0})
    assert given.get_config() == before


@pytest.mark.parametrize(
    "loss",
    [loss() for loss in vars(KL).values() if isinstance(loss, type) and loss is not KL.Loss]
    + [KL.Huber(delta=3.0), KL.CosineSimilarity(axis=0), KL.Tversky(alpha=0.9, beta=0.2)],
    ids=lambda loss: loss.name,
)
def test_hyperparameters_of_keras_losses_outlive_the_binding(loss):
    target = "multiclass" if is_categorical(loss) else "binary"
    bound = BoundLoss(loss, link="sigmoid", target=target, outputs="probabilities").loss
    # get_config leaves some of them out
    assert bound._fn_kwargs | {"from_logits": None} == loss._fn_kwargs | {"from_logits": None}
    assert bound.get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("kind", "counts"),
    [("binary", [5, 2]), ("multiclass", [5, 3, 1]), ("multilabel", [[5, 4, 6], [2, 3, 1]])],
)
def test_class_counts_left_at_none_come_from_the_data(kind, counts):
    link, target, _, codes, z = KINDS[kind]
    counts = np.array(counts)
    bound = BoundLoss(
        Focal(alpha="balanced"), link=link, target=target, data={"class_counts": counts},
        dtype="float64",
    )  # fmt: skip
    alpha = counts.sum(axis=0) / (len(counts) * counts)
    explicit = Focal(alpha=alpha, target=target, dtype="float64")
    assert_allclose(bound(codes, z), explicit(codes, z), rtol=1e-12)


def test_class_counts_that_were_given_stay():
    given = Focal(alpha="balanced", class_counts=[1, 1, 1])
    bound = BoundLoss(given, link="softmax", target="multiclass", data={"class_counts": [5, 3, 1]})
    assert_allclose(bound(CODES, Z), Focal()(CODES, Z), rtol=1e-6)


def test_data_that_the_loss_has_no_use_for_are_left_out():
    data = {"class_counts": [5, 3, 1], "minority_class": 2}
    bound = BoundLoss(CrossEntropy(), link="softmax", target="multiclass", data=data)
    expected = KL.CategoricalCrossentropy(from_logits=True)(ONE_HOT, Z)
    assert_allclose(bound(CODES, Z), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "values", "meant"),
    [
        (Focal(), {"gamma": 0.5}, Focal(gamma=0.5)),
        (Focal(alpha=0.2), {"gamma": 0.0, "alpha": 0.7}, Focal(gamma=0.0, alpha=0.7)),
        (Focal(alpha=[1.0, 2.0]), {"alpha": [3.0, 4.0]}, Focal(alpha=[3.0, 4.0])),
        (
            Focal(alpha="balanced", class_counts=[9, 1]),
            {"alpha": [3.0, 4.0]},
            Focal(alpha=[3.0, 4.0]),
        ),
        (CrossEntropy(pos_weight=2.0), {"pos_weight": 5.0}, CrossEntropy(pos_weight=5.0)),
        (CrossEntropy(), {"label_smoothing": 0.2}, CrossEntropy(label_smoothing=0.2)),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_with_values_computes_with_the_new_numbers(given, values, meant):
    bound = BoundLoss(given, link="sigmoid")
    before = float(bound(BINARY, Z1))
    swapped = bound.with_values({name: tf.constant(value) for name, value in values.items()})
    assert_allclose(swapped(BINARY, Z1), meant(BINARY, Z1), rtol=1e-6)
    assert float(bound(BINARY, Z1)) == before != float(swapped(BINARY, Z1))


def test_values_in_variables_change_a_compiled_loss():
    bound = BoundLoss(Focal(gamma=2.0, alpha=[1.0, 2.0]), link="sigmoid")
    variables = {name: tf.Variable(v, dtype="float32") for name, v in bound.values.items()}
    compiled = tf.function(bound.with_values(variables)).get_concrete_function(
        tf.TensorSpec([None, 1]), tf.TensorSpec([None, 1])
    )
    y, z = tf.constant(BINARY, "float32"), tf.constant(Z1, "float32")
    for gamma, alpha in ((2.0, [1.0, 2.0]), (0.5, [4.0, 1.0])):
        variables["gamma"].assign(gamma)
        variables["alpha"].assign(alpha)
        assert_allclose(compiled(y, z), Focal(gamma=gamma, alpha=alpha)(BINARY, Z1), rtol=1e-6)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Focal(gamma=1.0), Focal(gamma=3.0)),
        (Focal(alpha=[1.0, 2.0]), Focal(alpha=[3.0, 4.0])),
        (Focal(alpha="balanced", class_counts=[9, 1]), Focal(alpha=[3.0, 4.0])),
        (
            Focal(alpha="balanced", class_counts=[9, 1]),
            Focal(alpha="balanced", class_counts=[5, 5]),
        ),
        (CrossEntropy(pos_weight=1.0), CrossEntropy(pos_weight=9.0)),
        (CrossEntropy(label_smoothing=0.0), CrossEntropy(label_smoothing=0.3)),
        (KL.Huber(delta=2.0), KL.Huber(delta=2.0)),
        (squared, squared),
    ],
)
def test_signature_is_the_same_for_losses_that_can_share_a_program(a, b):
    assert len({BoundLoss(loss, link="sigmoid").signature() for loss in (a, b)}) == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Focal(), CrossEntropy()),
        (Focal(alpha=None), Focal(alpha=0.5)),
        (Focal(alpha=0.5), Focal(alpha=[0.5, 0.5])),
        (CrossEntropy(), CrossEntropy(pos_weight=2.0)),
        (CrossEntropy(), CrossEntropy(reduction="sum")),
        (KL.Huber(delta=1.0), KL.Huber(delta=2.0)),
        (KL.CosineSimilarity(axis=0), KL.CosineSimilarity(axis=1)),
        (KL.BinaryCrossentropy(), KL.BinaryCrossentropy(label_smoothing=0.1)),
        (OwnLoss(height=1.0), OwnLoss(height=2.0)),
        (squared, lambda y_true, y_pred: y_true - y_pred),
    ],
)
def test_signature_differs_between_losses_that_compute_otherwise(a, b):
    assert len({BoundLoss(loss, link="sigmoid").signature() for loss in (a, b)}) == 2


@pytest.mark.parametrize(
    "changed",
    [{"outputs": "probabilities"}, {"target": "multilabel"}, {"dtype": "float64"}],
    ids=str,
)
def test_signature_differs_between_networks(changed):
    bound = [BoundLoss(Focal(), link="sigmoid", **kwargs) for kwargs in ({}, changed)]
    assert bound[0].signature() != bound[1].signature()


def test_signature_differs_between_links_of_a_loss_on_probabilities():
    bound = [BoundLoss(KL.MeanSquaredError(), link=link) for link in ("sigmoid", "softmax")]
    assert bound[0].signature() != bound[1].signature()


@pytest.mark.parametrize(
    ("loss", "link", "one_hot"),
    [
        (CrossEntropy(), "softmax", False),
        (KL.SparseCategoricalCrossentropy(), "softmax", False),
        (KL.CategoricalCrossentropy(), "softmax", True),
        (KL.MeanSquaredError(), "softmax", True),
        (squared, "softmax", True),
        (KL.MeanSquaredError(), "sigmoid", False),
    ],
)
def test_one_hot_rows_are_for_losses_that_take_no_codes(loss, link, one_hot):
    target = "multiclass" if link == "softmax" else "binary"
    assert BoundLoss(loss, link=link, target=target).one_hot is one_hot
    assert link == "sigmoid" or takes_codes(loss) is not one_hot


@pytest.mark.parametrize(
    ("loss", "target", "message"),
    [
        (KL.CategoricalCrossentropy(), "multilabel", "is for classes that exclude each other"),
        (KL.SparseCategoricalCrossentropy(), "binary", "is for classes that exclude"),
        (KL.BinaryCrossentropy(), "multiclass", "is for binary and multilabel targets"),
        (KL.BinaryFocalCrossentropy(), "multiclass", "is for binary and multilabel targets"),
        (LDAM(), "binary", "takes multiclass targets"),
        (Asymmetric(), "multiclass", "takes binary, multilabel targets"),
    ],
)
def test_loss_for_another_target_raises_and_names_others(loss, target, message):
    expected = f"loss={type(loss).__name__} {message}.*target is {target}.*'cross_entropy'"
    with pytest.raises(ValueError, match=expected):
        check_target(loss, target)
    with pytest.raises(ValueError, match=expected):
        BoundLoss(loss, link="sigmoid", target=target)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (KL.CategoricalCrossentropy(), True),
        (KL.SparseCategoricalCrossentropy(), True),
        (KL.CategoricalHinge(), True),
        (KL.BinaryCrossentropy(), False),
        (CrossEntropy(), False),
        (squared, False),
    ],
)
def test_categorical_losses_of_keras_are_told_apart(loss, expected):
    assert is_categorical(loss) is expected
