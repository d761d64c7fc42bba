"""Losses of soft counts against counts of every class in NumPy, and hard counts of scikit-learn."""

import numpy as np
import pytest
from loss_cases import PROBLEMS, SIGMOIDS, finite_differences, value_and_gradient
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from sklearn.metrics import fbeta_score, multilabel_confusion_matrix, recall_score

from skimb.losses import MinorityScore, SoftFBeta, SoftRecall

ROWS = [name for name in PROBLEMS if not name.startswith(("mask", "segments"))]
MINORITIES = [None, 0, 1, [1, 0]]
HARD = 100.0  # a logit whose probability is 0 or 1


def of_class(Y, p, k):
    """Targets and probabilities of a class, the negatives of a single column being class 0."""
    if Y.shape[1] == 1:
        return np.abs(Y[:, 0] - (1 - k)), np.abs(p[:, 0] - (1 - k))
    return Y[:, k], p[:, k]


def counts(y, p, w):
    """True positives, false positives, false negatives and true negatives."""
    return [np.sum(w * c) for c in (p * y, p * (1 - y), (1 - p) * y, (1 - p) * (1 - y))]


def soft_f_beta(Y, p, W, beta=1.0, average="macro", epsilon=1e-7):
    table = [counts(Y[:, k], p[:, k], W[:, k]) for k in range(Y.shape[1])]
    table = [np.sum(table, axis=0)] if average == "micro" else table
    scores = [
        ((1 + beta**2) * tp + epsilon) / ((1 + beta**2) * tp + beta**2 * fn + fp + epsilon)
        for tp, fp, fn, _ in table
        if tp + fn > 0
    ]
    return 1 - np.mean(scores)


def soft_recall(Y, p, W, penalty=0.1, minority_class=None):
    losses = []
    for k in np.atleast_1d(1 if minority_class is None else minority_class):
        tp, fp, fn, tn = counts(*of_class(Y, p, k), W[:, 0])
        losses.append(1 - tp / (tp + fn) + penalty * fp / (fp + tn))
    return np.mean(losses)


def minority_score(Y, p, W, reward=3.0, penalty=1.0, minority_class=None):
    points = 0.0
    for k in np.atleast_1d(1 if minority_class is None else minority_class):
        tp, fp, _, _ = counts(*of_class(Y, p, k), W[:, 0])
        points += reward * tp - penalty * fp
    return -points / W[:, 0].sum()


FORMULAS = {SoftFBeta: soft_f_beta, SoftRecall: soft_recall, MinorityScore: minority_score}
PARAMS = [
    *((SoftFBeta, {"beta": beta}) for beta in (1.0, 2.0, 0.0)),
    (SoftFBeta, {"beta": 0.5, "average": "micro"}),
    (SoftFBeta, {"epsilon": 0.5}),
    *((SoftRecall, {"penalty": 0.4, "minority_class": k}) for k in MINORITIES),
    *((MinorityScore, {"reward": 2.5, "minority_class": k}) for k in MINORITIES),
]
WEIGHTS = {
    "no weights": lambda Y: np.ones((len(Y), 1)),
    "row weights": lambda Y: np.linspace(0.5, 3.0, len(Y))[:, None],
    "weights of zero": lambda Y: np.arange(len(Y))[:, None] % 3.0,
    "label weights": lambda Y: np.random.default_rng(1).uniform(0, 3, Y.shape),
}
CASES = [
    (loss, params, name, weights)
    for loss, params in PARAMS
    for name in ROWS
    for weights in WEIGHTS
    if (name == "multilabel" or weights != "label weights")
    and (name != "multilabel" or loss is SoftFBeta)
]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # p = 3/4, 3/4 and 1/4 for y = 1, 0 and 1: TP = 1, FP = 3/4, FN = 1
        (SoftFBeta(), 1 - 2 / 3.75),
        (SoftFBeta(beta=2.0), 1 - 5 / 9.75),
        (SoftFBeta(beta=0.0), 1 - 1 / 1.75),
        (SoftRecall(), 0.5 + 0.1 * 0.75),
        (SoftRecall(penalty=0.0), 0.5),
        (SoftRecall(minority_class=0), 0.75 + 0.1 * 0.5),
        (MinorityScore(), -(3 - 0.75) / 3),
        (MinorityScore(reward=1.0, penalty=2.0), -(1 - 1.5) / 3),
        (MinorityScore(minority_class=0), -(3 * 0.25 - 1) / 3),
    ],
)
def test_hand_computed_value(loss, expected):
    z = np.log([[3.0], [3.0], [1 / 3]])
    assert_allclose(loss(np.array([1, 0, 1]), z), expected, rtol=1e-6)


@pytest.mark.parametrize(("loss", "params", "name", "weights"), CASES, ids=str)
def test_value_and_gradient_agree_with_the_formula(loss, params, name, weights):
    target, y, z, Y = PROBLEMS[name]
    W = WEIGHTS[weights](Y)
    link = expit if name.startswith(SIGMOIDS) else lambda z: softmax(z, axis=-1)

    def formula(z):
        p = link(z.reshape(Y.shape))
        return FORMULAS[loss](Y, p, np.broadcast_to(W, Y.shape), **params)

    given = {"no weights": None, "label weights": W}.get(weights, W[:, 0])
    value, gradient = value_and_gradient(
        loss(target=target, dtype="float64", **params), y, z, given
    )
    assert_allclose(value, formula(z), rtol=1e-10)
    assert_allclose(gradient, finite_differences(formula, z), rtol=1e-5, atol=1e-9)


def hard_rows(kind, n=60):
    """Target, y, predictions and logits that say them beyond doubt; class 3 has no true row."""
    rng = np.random.default_rng(3)
    if kind == "multiclass":
        y, predicted = rng.choice(3, n, p=[0.7, 0.2, 0.1]), rng.integers(0, 4, n)
        return y, predicted, HARD * (predicted[:, None] == np.arange(4))
    shape = (n, 1) if kind == "binary" else (n, 3)
    y, predicted = rng.binomial(1, 0.2, shape), rng.binomial(1, 0.4, shape)
    return y, predicted, HARD * (2.0 * predicted - 1)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("average", ["macro", "micro"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_f_beta_of_hard_predictions_is_that_of_scikit_learn(kind, average, beta):
    y, predicted, z = hard_rows(kind)
    options = {"labels": np.unique(y) if average == "macro" else range(4), "average": average}
    if kind == "binary":
        options = {"average": "binary"}
    elif kind == "multilabel":
        options.pop("labels")
    expected = 1 - fbeta_score(y, predicted, beta=beta, **options)
    loss = SoftFBeta(beta=beta, average=average, target=kind, dtype="float64")
    assert_allclose(loss(y, z), expected, rtol=1e-6)


def test_f_beta_leaves_out_labels_without_a_positive_row():
    _, Y, z, _ = PROBLEMS["multilabel"]
    Y = Y * [1, 0, 1]
    loss = SoftFBeta(target="multilabel", dtype="float64")
    value, gradient = value_and_gradient(loss, Y, z)
    assert_allclose(value, loss(Y[:, [0, 2]], z[:, [0, 2]]), rtol=1e-12)
    assert (gradient[:, 1] == 0).all()
    weight = np.where(Y == 1, [1, 1, 0], 1)  # nor does a positive that has no weight count
    assert_allclose(loss(Y, z, weight), loss(Y[:, :1], z[:, :1]), rtol=1e-12)


@pytest.mark.parametrize("average", ["macro", "micro"])
@pytest.mark.parametrize("z", [-HARD, 0.0, HARD])
def test_f_beta_of_a_batch_without_positives_has_no_value_and_no_gradient(z, average):
    loss = SoftFBeta(average=average)
    value, gradient = value_and_gradient(loss, np.zeros(4), np.full((4, 1), z, "float32"))
    assert value == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(SoftRecall(penalty=0.0), 0.0), (SoftRecall(penalty=0.4), 0.3), (MinorityScore(), 0.75)],
)
def test_batch_without_the_minority_pays_for_false_alarms_alone(loss, expected):
    value, gradient = value_and_gradient(loss, np.zeros(4), np.full((4, 1), np.log(3.0)))
    assert_allclose(value, expected, rtol=1e-6)
    assert_allclose(gradient, np.full((4, 1), expected / 4 / 4), rtol=1e-5)  # p' = p / 4 here


@pytest.mark.parametrize("loss", [SoftFBeta(), SoftRecall(), MinorityScore()])
def test_batch_of_positives_alone_has_a_finite_value_and_gradient(loss):
    value, gradient = value_and_gradient(loss, np.ones(4), np.zeros((4, 1)))
    assert np.isfinite(value)
    assert (gradient < 0).all()


@pytest.mark.parametrize("minority_class", [0, 1, [0, 1]])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_recall_without_penalty_is_the_share_of_the_minority_that_is_missed(kind, minority_class):
    y, predicted, z = hard_rows(kind)
    labels = np.atleast_1d(minority_class)
    recall = recall_score(y.ravel(), predicted.ravel(), labels=labels, average="macro")
    loss = SoftRecall(penalty=0.0, minority_class=minority_class, target=kind)
    assert_allclose(loss(y, z), 1 - recall, rtol=1e-6)


def test_everything_positive_wins_recall_alone_but_not_with_a_penalty():
    y = np.repeat([1, 0], [20, 180])
    found = np.where(np.arange(200) < 19, HARD, -HARD)[:, None]  # one positive missed
    everything = np.full((200, 1), HARD)
    assert SoftRecall(penalty=0.0)(y, everything) == 0 < SoftRecall(penalty=0.0)(y, found)
    assert_allclose(SoftRecall()(y, everything), 0.1, rtol=1e-6)
    assert_allclose(SoftRecall()(y, found), 0.05, rtol=1e-6)


@pytest.mark.parametrize("minority_class", [0, 1, [1, 2]])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_score_of_hard_predictions_is_the_points_counted_a_row(kind, minority_class):
    y, predicted, z = hard_rows(kind)
    if kind == "binary" and minority_class == [1, 2]:
        minority_class = [0, 1]
    confusion = multilabel_confusion_matrix(
        y.ravel(), predicted.ravel(), labels=np.atleast_1d(minority_class)
    )
    points = 3 * confusion[:, 1, 1].sum() - confusion[:, 0, 1].sum()
    loss = MinorityScore(minority_class=minority_class, target=kind)
    assert_allclose(loss(y, z), -points / len(y), rtol=1e-6)


@pytest.mark.parametrize("loss", [SoftRecall, MinorityScore])
@pytest.mark.parametrize(("minority_class", "n_outputs"), [(2, 1), (3, 3), ([0, 3], 3)])
def test_minority_class_that_there_is_not_raises(loss, minority_class, n_outputs):
    with pytest.raises(ValueError, match="minority_class="):
        loss(minority_class=minority_class)(np.array([0, 1]), np.zeros((2, n_outputs)))


@pytest.mark.parametrize(
    ("loss", "params"),
    [
        *((SoftFBeta, {"beta": value}) for value in (-1.0, np.nan, np.inf, None, "2", [1.0], True)),
        *((SoftFBeta, {"average": value}) for value in ("weighted", None)),
        *((SoftFBeta, {"epsilon": value}) for value in (0.0, -1e-7)),
        *((SoftFBeta, {"target": value}) for value in ("pixels", "candidates")),
        *((SoftRecall, {"penalty": value}) for value in (-0.1, np.nan, None)),
        *((MinorityScore, {"reward": value}) for value in (-1.0, np.inf, "3")),
        *((MinorityScore, {"penalty": value}) for value in (-1.0, None)),
        *((SoftRecall, {"minority_class": k}) for k in (-1, 1.0, "1", True, [[1]], [])),
        (MinorityScore, {"target": "multilabel"}),
    ],
    ids=str,
)
def test_invalid_hyperparameters_raise_with_their_name(loss, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        loss(**params)
