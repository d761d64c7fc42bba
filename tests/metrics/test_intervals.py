"""Intervals of scores against scikit-learn, SciPy, brute force and known populations."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import binomtest, norm
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    fbeta_score,
    get_scorer,
    jaccard_score,
    make_scorer,
    precision_score,
    recall_score,
    roc_auc_score,
)

from skimb.metrics import score_interval
from skimb.metrics.resampled_counts import count_statistic
from skimb.metrics.resampled_ranking import ranking_statistic


def samples(n=300, share=0.1, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    return y, np.clip(rng.normal(0.3 + 0.3 * y, 0.15), 0, 1)


@pytest.mark.parametrize("scoring", ["recall", "precision", "accuracy"])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_proportions_have_the_interval_of_wilson(scoring, confidence):
    y, p = samples()
    predicted = p >= 0.5
    among = {"recall": y == 1, "precision": predicted, "accuracy": y >= 0}[scoring]
    hits, n = np.sum(among & (predicted == y)), among.sum()
    expected = binomtest(hits, n).proportion_ci(confidence, "wilson")
    found = score_interval(y, p, scoring, confidence=confidence)
    assert_allclose(found, [hits / n, expected.low, expected.high])
    assert score_interval(y, predicted.astype(int), scoring, confidence=confidence) == found


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        ("f1", f1_score),
        ("jaccard", jaccard_score),
        ("recall", recall_score),
        ("precision", precision_score),
        ("balanced_accuracy", None),
        ("matthews_corrcoef", None),
        ("f1_macro", None),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_predictions_equal_those_of_scikit_learn(scoring, metric, weighted):
    y, p = samples()
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else None
    predicted = (p >= 0.4).astype(int)
    metric = metric or get_scorer(scoring)._score_func
    kwargs = {"average": "macro"} if scoring.endswith("macro") else {}
    found = score_interval(
        y, p, scoring, threshold=0.4, sample_weight=weight, n_resamples=50, random_state=0
    )
    assert_allclose(found.score, metric(y, predicted, sample_weight=weight, **kwargs))
    assert found.low < found.score < found.high


@pytest.mark.parametrize("scoring", ["average_precision", "roc_auc", "neg_brier_score"])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_probabilities_equal_those_of_scikit_learn(scoring, weighted):
    y, p = samples()
    p = p.round(1)
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else None
    metric = {
        "average_precision": average_precision_score,
        "roc_auc": roc_auc_score,
        "neg_brier_score": lambda *a, **k: -brier_score_loss(*a, **k),
    }[scoring]
    found = score_interval(y, p, scoring, sample_weight=weight, n_resamples=50, random_state=0)
    assert_allclose(found.score, metric(y, p, sample_weight=weight))
    assert found.low < found.score < found.high


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [("average_precision", average_precision_score), ("roc_auc", roc_auc_score)],
)
def test_every_resample_scores_as_scikit_learn_scores_it(scoring, metric):
    rng = np.random.default_rng(0)
    y, p = samples()
    p = p.round(1)
    weight = rng.exponential(size=len(y))
    negatives, positives = (rng.choice(np.flatnonzero(y == k), (2, 5, 40)) for k in (0, 1))
    found = ranking_statistic(scoring, p, weight)(negatives, positives, axis=-1)
    assert found.shape == (2, 5)
    for i, j in np.ndindex(2, 5):
        at = np.concatenate([negatives[i, j], positives[i, j]])
        assert_allclose(found[i, j], metric(y[at], p[at], sample_weight=weight[at]))


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        ("f1", f1_score),
        ("precision", precision_score),
        ("recall", recall_score),
        ("jaccard", jaccard_score),
        ("balanced_accuracy", balanced_accuracy_score),
    ],
)
def test_every_resample_of_predictions_scores_as_scikit_learn_scores_it(scoring, metric):
    rng = np.random.default_rng(0)
    # the class 3 occurs among the predictions alone, and only in some of the resamples
    y, predicted = rng.integers(0, 3, 40), rng.integers(0, 3, 40)
    predicted[0] = 3
    weight = rng.exponential(size=40)
    given = {} if scoring == "balanced_accuracy" else {"average": "macro", "zero_division": 0.0}
    strata = [rng.choice(np.flatnonzero(y == k), (2, 4, 12)) for k in range(3)]
    one_vs_rest = [values[:, None] == np.arange(4) for values in (y, predicted)]
    found = count_statistic(scoring, *one_vs_rest, weight, every_label=False)(*strata, axis=-1)
    for i, j in np.ndindex(2, 4):
        at = np.concatenate([stratum[i, j] for stratum in strata])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = metric(y[at], predicted[at], sample_weight=weight[at], **given)
        assert_allclose(found[i, j], expected)
    if given:
        Y, P = rng.random((2, 40, 3)) < 0.1
        at = rng.integers(0, 40, (5, 20))
        found = count_statistic(scoring, Y, P, weight, every_label=True)(at, axis=-1)
        expected = [metric(Y[i], P[i], sample_weight=weight[i], **given) for i in at]
        assert_allclose(found, expected)


def test_samples_of_weight_zero_are_left_out():
    y, p = samples()
    weight = (np.arange(len(y)) % 3 > 0).astype(float)
    kept = weight > 0
    for scoring in ("f1", "average_precision"):
        found = score_interval(y, p, scoring, sample_weight=weight, random_state=0)
        assert found == score_interval(y[kept], p[kept], scoring, random_state=0)


def test_a_seed_gives_the_same_interval_again_and_leaves_the_global_state():
    y, p = samples()
    before = np.random.get_state()[1].copy()
    first, again = (score_interval(y, p, random_state=3) for _ in range(2))
    assert first == again
    assert score_interval(y, p, random_state=4) != first
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("rare", ["a rare one", "the rare one"])
@pytest.mark.parametrize("scoring", ["f1", "average_precision", "roc_auc"])
def test_text_labels_whichever_sorts_first(rare, scoring):
    y, p = samples()
    names = np.where(y == 1, rare, "most")
    expected = score_interval(y, p, scoring, random_state=0)
    assert score_interval(names, p, scoring, pos_label=rare, random_state=0) == expected
    both = np.column_stack([1 - p, p])[:, :: -1 if rare < "most" else 1]
    assert score_interval(names, both, scoring, pos_label=rare, random_state=0) == expected


def test_several_classes_and_indicator_matrices():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [80, 30, 15])
    p = np.eye(3)[y] + 2 * rng.random((125, 3))
    p /= p.sum(axis=1, keepdims=True)
    found = score_interval(y, p, "f1", n_resamples=100, random_state=0)
    assert_allclose(found.score, f1_score(y, p.argmax(axis=1), average="macro"))
    assert found.low < found.score < found.high
    Y, P = np.eye(3, dtype=int)[y], np.clip(p * 2, 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score_interval(Y, P, n_resamples=100, random_state=0)
        assert_allclose(found.score, average_precision_score(Y, P))
        found = score_interval(Y, P >= 0.5, "f1", n_resamples=100, random_state=0)
        assert_allclose(found.score, f1_score(Y, P >= 0.5, average="macro"))


@pytest.mark.parametrize("scoring", ["average_precision", "roc_auc"])
def test_rare_label_that_some_resamples_lack_is_left_out_of_their_mean(scoring):
    rng = np.random.default_rng(0)
    Y = np.column_stack([np.arange(200) < 2, rng.random((200, 2)) < 0.3]).astype(int)
    P = np.clip(rng.normal(0.4 + 0.2 * Y, 0.2), 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score_interval(Y, P, scoring, n_resamples=50, random_state=0)
    metric = {"average_precision": average_precision_score, "roc_auc": roc_auc_score}[scoring]
    assert_allclose(found.score, metric(Y, P))
    assert found.low < found.score < found.high


def test_scorers_and_functions():
    y, p = samples()
    f2 = make_scorer(fbeta_score, beta=2)
    found = score_interval(y, p, f2, n_resamples=100, random_state=0)
    assert_allclose(found.score, fbeta_score(y, p >= 0.5, beta=2))
    brier = score_interval(y, p, brier_score_loss, n_resamples=100, random_state=0)
    named = score_interval(y, p, "neg_brier_score", n_resamples=100, random_state=0)
    assert_allclose(brier, [-named.score, -named.high, -named.low])


def test_a_perfect_score_is_not_certain():
    y, p = np.repeat([0, 1], [300, 30]), np.repeat([0.1, 0.9], [300, 30])
    expected = binomtest(30, 30).proportion_ci(0.95, "wilson").low
    for scoring in ("average_precision", "roc_auc", "balanced_accuracy", "recall"):
        found = score_interval(y, p, scoring, n_resamples=20, random_state=0)
        assert_allclose(found, [1, expected, 1])


def test_precision_without_predicted_positives_is_not_defined():
    y, _ = samples()
    assert np.isnan(score_interval(y, 0 * y, "precision")).all()
    assert score_interval(y, 0 * y, "f1").score == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confidence": 95}, "confidence must be a number between 0 and 1"),
        ({"n_resamples": 1}, "n_resamples must be an int of at least 2"),
        ({"y": [0, 0, 0, 0]}, "requires two classes"),
        ({"y": [0, 0, 0, 1]}, "two samples of each"),
        ({"p_or_labels": [0, 1, 0, 1]}, "holds predicted labels"),
        ({"p_or_labels": [0.1, 2.0, 0.3, 0.1]}, r"p must be in \[0, 1\]"),
        ({"p_or_labels": [0.1, 0.2]}, "inconsistent numbers of samples"),
        ({"scoring": "f1score"}, "Did you mean 'f1'"),
        ({"y": np.eye(4, dtype=int)}, "shape of|for each label"),
    ],
)
def test_errors(arguments, message):
    valid = {"y": [0, 1, 0, 1], "p_or_labels": [0.1, 0.2, 0.3, 0.4]}
    with pytest.raises(ValueError, match=message):
        score_interval(**valid | arguments)


@pytest.mark.slow
@pytest.mark.parametrize("scoring", ["average_precision", "f1", "recall"])
def test_covers_the_score_of_the_population(scoring):
    """Gaussian scores with 30 positives of 300 on average."""
    shift, share, cut = 2.5, 0.1, 1.5
    recall, fpr = norm.sf(cut - shift), norm.sf(cut)

    def precision(x):
        hits = share * norm.sf(x - shift)
        return hits / (hits + (1 - share) * norm.sf(x))

    true = {
        "average_precision": quad(lambda x: norm.pdf(x - shift) * precision(x), -6, 10)[0],
        "recall": recall,
        "f1": 2 * share * recall / (share + share * recall + (1 - share) * fpr),
    }[scoring]
    rng, covered = np.random.default_rng(0), []
    for seed in range(300):
        y = (rng.random(300) < share).astype(int)
        scores = norm.cdf(rng.normal(size=300) + shift * y, cut)
        found = score_interval(y, scores, scoring, n_resamples=300, random_state=seed)
        covered.append(found.low <= true <= found.high)
    assert 0.92 <= np.mean(covered) <= 0.98
