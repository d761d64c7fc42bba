"""Keras metrics against scikit-learn's on the same decisions, and brute force."""

import numpy as np
import pytest
import tensorflow as tf
from loss_cases import PROBLEMS, SIGMOIDS, every_problem
from metric_cases import ROWS, WEIGHT, value
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    fbeta_score,
    precision_score,
    recall_score,
)

from skimb.metrics import (
    BalancedAccuracy,
    FBeta,
    MeanDice,
    MinorityScore,
    Precision,
    PrecisionAtK,
    Recall,
    minority_score,
)

SCORES = {
    "precision": (Precision, precision_score, {}),
    "recall": (Recall, recall_score, {}),
    "F1": (FBeta, fbeta_score, {"beta": 1.0}),
    "F2": (FBeta, fbeta_score, {"beta": 2.0}),
    "F half": (FBeta, fbeta_score, {"beta": 0.5}),
}
every_score = pytest.mark.parametrize("score", SCORES)
DECIDING = (Precision, Recall, FBeta, BalancedAccuracy, MinorityScore)
exclusive_problems = pytest.mark.parametrize("name", [n for n in PROBLEMS if n != "multilabel"])

every_kind = pytest.mark.parametrize("kind", ROWS)
every_kind_and_metric = pytest.mark.parametrize(
    ("kind", "metric"),
    [(kind, m) for kind in ROWS for m in DECIDING if (kind, m) != ("multilabel", BalancedAccuracy)],
)


def decided(kind, z):
    if kind == "multiclass":
        return z.argmax(axis=1)
    return (z > 0).astype(int) if kind == "multilabel" else (z[:, 0] > 0).astype(int)


def flat(name):
    """Truth and decisions of a problem as scikit-learn takes them."""
    _, _, z, Y = PROBLEMS[name]
    if name == "multilabel":
        return Y, (z > 0).astype(int)
    if name.startswith(SIGMOIDS):
        return Y.ravel(), (z.ravel() > 0).astype(int)
    return Y.argmax(axis=-1).ravel(), z.argmax(axis=-1).ravel()


def average_of(name, average):
    """The average that scikit-learn has for a problem: one column has one score."""
    return "binary" if name.startswith(("binary", "mask")) else average


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Precision(), 2 / 3),
        (Recall(), 2 / 4),
        (FBeta(), 4 / 7),
        (FBeta(beta=2.0), 10 / 19),
        (Precision(class_id=0), 3 / 5),
        (Recall(class_id=0), 3 / 4),
        (BalancedAccuracy(), 5 / 8),
        (MinorityScore(), 5 / 8),
        (MinorityScore(reward=1.0, penalty=5.0), -3 / 8),
        (MinorityScore(minority_class=0), 7 / 8),
        (MinorityScore(minority_class=[0, 1]), 12 / 8),
    ],
)
def test_hand_computed_value_of_two_hits_one_false_alarm_and_two_misses(metric, expected):
    y = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    z = np.array([2.0, 0.1, -0.1, -3.0, 4.0, -1.0, -2.0, -0.5])[:, None]
    assert_allclose(value(metric, y, z), expected, rtol=1e-6)


@every_problem
@every_score
@pytest.mark.parametrize("average", ["macro", "micro"])
def test_score_of_every_kind_of_input_is_that_of_scikit_learn(name, score, average):
    metric, reference, params = SCORES[score]
    target, y, z, _ = PROBLEMS[name]
    truth, decisions = flat(name)
    expected = reference(
        truth, decisions, average=average_of(name, average), zero_division=0, **params
    )
    assert_allclose(
        value(metric(target=target, average=average, **params), y, z), expected, rtol=1e-6
    )


@exclusive_problems
def test_balanced_accuracy_of_every_kind_of_input_is_that_of_scikit_learn(name):
    target, y, z, _ = PROBLEMS[name]
    expected = balanced_accuracy_score(*flat(name))
    assert_allclose(value(BalancedAccuracy(target=target), y, z), expected, rtol=1e-6)


@every_problem
def test_minority_score_of_every_kind_of_input_is_that_of_the_decisions(name):
    target, y, z, _ = PROBLEMS[name]
    pos_label = None if name == "multilabel" else 1
    expected = minority_score(*flat(name), pos_label=pos_label)
    assert_allclose(value(MinorityScore(target=target), y, z), expected, rtol=1e-6)


@every_kind
@every_score
@pytest.mark.parametrize("average", ["macro", "micro"])
@pytest.mark.parametrize("batches", [1, 7])
def test_weighted_score_over_batches_is_that_of_scikit_learn(kind, score, average, batches):
    metric, reference, params = SCORES[score]
    target, y, z = ROWS[kind]
    expected = reference(
        y, decided(kind, z), sample_weight=WEIGHT, average=average_of(kind, average), **params
    )
    metric = metric(target=target, average=average, **params)
    assert_allclose(value(metric, y, z, WEIGHT, batches), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("batches", [1, 7])
def test_weighted_balanced_accuracy_over_batches_is_that_of_scikit_learn(kind, batches):
    target, y, z = ROWS[kind]
    expected = balanced_accuracy_score(y, decided(kind, z), sample_weight=WEIGHT)
    metric = BalancedAccuracy(target=target)
    assert_allclose(value(metric, y, z, WEIGHT, batches), expected, rtol=1e-5)


@every_kind
@pytest.mark.parametrize("batches", [1, 7])
def test_weighted_minority_score_over_batches_is_that_of_the_decisions(kind, batches):
    target, y, z = ROWS[kind]
    position = {"binary": 1, "multiclass": 3, "multilabel": None}[kind]
    metric = MinorityScore(reward=5.0, penalty=0.5, minority_class=position, target=target)
    expected = minority_score(
        y, decided(kind, z), reward=5.0, penalty=0.5, pos_label=position, sample_weight=WEIGHT
    )
    assert_allclose(value(metric, y, z, WEIGHT, batches), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_minority_score_adds_the_points_of_the_classes_named(kind):
    target, y, z = ROWS[kind]
    d = decided(kind, z)
    if kind == "multilabel":
        expected = minority_score(y[:, [2, 3]], d[:, [2, 3]])
    else:
        expected = sum(minority_score(y, d, pos_label=label) for label in (2, 3))
    metric = MinorityScore(minority_class=[2, 3], target=target)
    assert_allclose(value(metric, y, z), expected, rtol=1e-5)


@every_kind
@every_score
def test_class_id_is_the_score_of_one_class(kind, score):
    metric, reference, params = SCORES[score]
    target, y, z = ROWS[kind]
    each = reference(y, decided(kind, z), average=None, **params)
    for position, expected in enumerate(each):
        chosen = metric(class_id=position, target=target, **params)
        assert_allclose(value(chosen, y, z), expected, rtol=1e-5)


def test_single_label_is_label_0():
    y, z = np.array([[1], [1], [0]]), np.array([[1.0], [-1.0], [2.0]])
    assert value(Recall(target="multilabel", class_id=0), y, z) == 0.5
    assert value(MinorityScore(target="multilabel", minority_class=0), y, z) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="class_id=1 must be"):
        value(Recall(target="multilabel", class_id=1), y, z)


@every_score
def test_classes_that_neither_occur_nor_are_decided_are_left_out_of_the_mean(score):
    metric, reference, params = SCORES[score]
    y, z = np.array([0, 0, 2, 2, 4]), np.eye(6)[[0, 2, 2, 0, 2]]
    expected = reference(y, z.argmax(axis=1), average="macro", zero_division=0, **params)
    assert_allclose(value(metric(**params), y, z), expected, rtol=1e-6)


@every_kind_and_metric
def test_probabilities_are_decided_like_their_logits(kind, metric):
    target, y, z = ROWS[kind]
    p = softmax(z, axis=1) if kind == "multiclass" else expit(z)
    expected = value(metric(target=target), y, z)
    assert value(metric(target=target, from_logits=False), y, p) == expected


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("from_logits", [True, False])
def test_threshold_is_one_of_the_probability(threshold, from_logits):
    _, y, z = ROWS["binary"]
    p = expit(z)
    expected = f1_score(y, p[:, 0] > threshold)
    metric = FBeta(threshold=threshold, from_logits=from_logits)
    assert_allclose(value(metric, y, z if from_logits else p), expected, rtol=1e-6)


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("from_logits", [True, False])
def test_thresholds_at_the_ends_find_everything_and_nothing(threshold, expected, from_logits):
    y, z = np.ones(4, int), np.array([[-50.0], [-1.0], [1.0], [20.0]])
    metric = Recall(threshold=threshold, from_logits=from_logits)
    assert value(metric, y, z if from_logits else expit(z)) == expected


@pytest.mark.parametrize("from_logits", [True, False])
def test_labels_have_thresholds_of_their_own(from_logits):
    target, Y, z = ROWS["multilabel"]
    thresholds, p = np.array([0.2, 0.4, 0.6, 0.8]), expit(z)
    expected = f1_score(Y, p > thresholds, average="macro")
    metric = FBeta(threshold=thresholds, target=target, from_logits=from_logits)
    assert_allclose(value(metric, Y, z if from_logits else p), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_smallest_positive_logit_is_decided_to_be_positive(dtype):
    tiny = np.finfo(dtype).tiny
    assert value(Recall(), np.ones(1), np.array([[tiny]], dtype)) == 1.0
    assert value(Recall(), np.ones(1), np.array([[-tiny]], dtype)) == 0.0


@pytest.mark.parametrize("metric", DECIDING)
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("shape", ["codes", "column", "one-hot"])
def test_two_columns_of_a_binary_problem_are_like_one(metric, from_logits, shape):
    _, y, z = ROWS["binary"]
    two = np.hstack([np.zeros_like(z), z]) + 0.7
    given = {"codes": y, "column": y[:, None], "one-hot": np.eye(2)[y]}[shape]
    metrics = (metric(target="binary", threshold=0.3, from_logits=from_logits) for _ in range(2))
    if not from_logits:
        two, z = softmax(two, axis=1), expit(z)
    assert value(next(metrics), given, two) == value(next(metrics), y, z)


@every_problem
@pytest.mark.parametrize("metric", [Precision, Recall, FBeta, MinorityScore])
def test_weighted_row_is_the_row_repeated(name, metric):
    target, y, z, _ = PROBLEMS[name]
    weight = np.arange(len(z)) % 4
    repeated = np.repeat(np.arange(len(z)), weight)
    expected = value(metric(target=target), y[repeated], z[repeated])
    assert_allclose(value(metric(target=target), y, z, weight), expected, rtol=1e-6)


def test_label_weights_are_those_of_each_label():
    target, Y, z = ROWS["multilabel"]
    W = np.random.default_rng(1).uniform(0, 3, Y.shape)
    each = [f1_score(Y[:, j], z[:, j] > 0, sample_weight=W[:, j]) for j in range(4)]
    assert_allclose(value(FBeta(target=target), Y, z, W), np.mean(each), rtol=1e-5)


@pytest.mark.parametrize("name", ["mask (n, h, w)", "segments (n, h, w)"])
@pytest.mark.parametrize("last_axis", [False, True])
def test_pixel_weights_are_those_of_each_pixel(name, last_axis):
    target, y, z, _ = PROBLEMS[name]
    W = np.random.default_rng(1).uniform(0, 3, z.shape[:3])
    expected = f1_score(
        *flat(name), sample_weight=W.ravel(), average=average_of(name, "macro"), zero_division=0
    )
    weight = W[..., None] if last_axis else W
    assert_allclose(value(FBeta(target=target), y, z, weight), expected, rtol=1e-5)


@pytest.mark.parametrize(("from_logits", "at_threshold"), [(True, 0.0), (False, 0.5)])
def test_output_at_the_threshold_is_negative_as_in_the_estimators(from_logits, at_threshold):
    assert value(Recall(from_logits=from_logits), np.ones(1), np.array([[at_threshold]])) == 0.0


@every_kind_and_metric
def test_reset_forgets_the_batches_before(kind, metric):
    target, y, z = ROWS[kind]
    metric = metric(target=target)
    expected = value(metric, y[:40], z[:40])
    value(metric, y[40:], z[40:])
    assert value(metric, y[:0], z[:0]) != expected
    metric.reset_state()
    assert value(metric, y[:40], z[:40]) == expected


EMPTY = [
    *((metric(), (5,), (5, 1)) for metric in DECIDING),
    *((metric(class_id=2), (5,), (5, 3)) for metric in (Precision, Recall, FBeta)),
    (FBeta(target="multilabel"), (5, 3), (5, 3)),
    (FBeta(target="multilabel", average="micro"), (5, 3), (5, 3)),
    (MinorityScore(minority_class=2), (5,), (5, 3)),
    (MinorityScore(target="multilabel"), (5, 3), (5, 3)),
    (PrecisionAtK(k=2), (5, 3), (5, 3)),
    (MeanDice(), (5, 2, 2), (5, 2, 2, 1)),
    (MeanDice(), (5, 2, 2), (5, 2, 2, 3)),
]


@pytest.mark.parametrize(("metric", "y_shape", "z_shape"), EMPTY)
def test_batch_without_positives_is_0_and_no_nan(metric, y_shape, z_shape):
    z = np.full(z_shape, -1.0)
    z[..., 0] = -0.5  # the background, where there is one
    # the balanced accuracy is the recall of the one class that there is
    expected = 1.0 if isinstance(metric, BalancedAccuracy) else 0.0
    assert value(metric, np.zeros(y_shape, int), z) == expected


@pytest.mark.parametrize("metric", [*DECIDING, PrecisionAtK, MeanDice])
def test_value_before_the_first_batch_is_0(metric):
    assert float(metric().result()) == 0.0


def test_counts_of_bfloat16_outputs_do_not_stop_at_256():
    y, z = np.arange(2000) % 2, tf.ones((2000, 1), "bfloat16")
    metric = Precision()
    metric.update_state(y, z)
    assert float(metric.result()) == 0.5


@pytest.mark.parametrize("dtype", [bool, "uint8", "int64", "float32"])
def test_dtype_of_y_does_not_matter(dtype):
    _, y, z = ROWS["binary"]
    assert_allclose(value(Recall(), y.astype(dtype), z), recall_score(y, z > 0), rtol=1e-6)


def test_hard_decisions_are_probabilities_of_0_and_1():
    _, y, z = ROWS["binary"]
    decisions = (z > 0).astype("int32")
    assert_allclose(
        value(FBeta(from_logits=False), y, decisions), f1_score(y, decisions), rtol=1e-6
    )
