"""Thresholds by rule against brute force over all cuts, and promises against known populations."""

import pickle
from math import comb

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom, norm
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from skimb.probability import apply_threshold, best_threshold
from skimb.probability.rule_cuts import choose_cut
from skimb.probability.rules import Rule, check_support, checked_rule, needed


def figures(y, scores, threshold, weight=None):
    """Recall, precision, fpr and alerts by scikit-learn's confusion matrix."""
    predicted = scores >= threshold
    tn, fp, fn, tp = confusion_matrix(y, predicted, labels=[0, 1], sample_weight=weight).ravel()
    flagged = tp + fp
    return {
        "recall": tp / (tp + fn),
        "precision": tp / flagged if flagged else np.nan,
        "fpr": fp / (fp + tn),
        "alerts": flagged / (tn + fp + fn + tp),
    }


def by_brute_force(rule, y, scores, weight=None):
    """Figures of the best cut, the strictest if tied."""
    (promise, value), *_ = rule.items()
    aim, best = ("precision" if promise == "recall" else "recall"), None
    for cut in np.unique(scores)[::-1]:
        found = figures(y, scores, cut, weight)
        floor = promise in ("recall", "precision")
        kept = found[promise] >= value - 1e-12 if floor else found[promise] <= value + 1e-12
        if kept and found["recall"] > 0 and (best is None or found[aim] > best[aim] + 1e-12):
            best = found
    return best


def tables(n=120):
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.25).astype(int)
    scores = rng.normal(size=n) + 1.5 * y
    return {
        "distinct": (y, scores),
        "ties": (y, scores.round(0)),
        "tied less": (y, scores.round(1)),
    }


RULES = [
    {"recall": 0.9},
    {"recall": 0.35},
    {"recall": 1.0},
    {"precision": 0.6},
    {"precision": 0.4},
    {"fpr": 0.1},
    {"fpr": 0.02},
    {"alerts": 0.1},
    {"alerts": 0.4},
]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("y", "scores"), tables().values(), ids=tables())
def test_no_cut_keeps_the_rule_better(rule, weighted, y, scores):
    weight = np.random.default_rng(2).exponential(size=len(y)) if weighted else None
    expected = by_brute_force(rule, y, scores, weight)
    if expected is None:
        with pytest.raises(ValueError, match="rule"):
            best_threshold(y, scores, rule, sample_weight=weight)
        return
    threshold = best_threshold(y, scores, rule, sample_weight=weight)
    found = figures(y, scores, threshold, weight)
    assert_allclose([*found.values()], [*expected.values()], rtol=1e-12)
    choice = choose_cut(checked_rule(rule), y, scores, weight)
    assert choice.threshold == threshold
    for name, value in found.items():
        interval = getattr(choice, name)
        assert_allclose(interval.score, value, rtol=1e-12)
        assert 0 <= interval.low <= interval.score <= interval.high <= 1


def test_agrees_with_the_curves_of_scikit_learn():
    y, scores = tables(500)["distinct"]
    precision, recall, _ = precision_recall_curve(y, scores)
    best = precision[:-1][recall[:-1] >= 0.8].max()
    found = figures(y, scores, best_threshold(y, scores, {"recall": 0.8}))
    assert found["precision"] == pytest.approx(best)
    fpr, tpr, _ = roc_curve(y, scores, drop_intermediate=False)
    found = figures(y, scores, best_threshold(y, scores, {"fpr": 0.05}))
    assert found["recall"] == pytest.approx(tpr[fpr <= 0.05].max())


def test_lies_midway_between_the_scores_next_to_the_cut():
    y, scores = [0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.4, 0.5, 0.6, 0.9]
    assert best_threshold(y, scores, {"recall": 0.6}) == pytest.approx(0.55)
    assert best_threshold(y, scores, {"recall": 1.0}) == pytest.approx(0.3)
    assert best_threshold(y, scores, {"alerts": 0.2}) == pytest.approx(0.75)


def test_of_equal_cuts_the_highest_threshold():
    y, scores = [1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5]
    assert best_threshold(y, scores, {"fpr": 1.0}) == pytest.approx(0.65)
    assert best_threshold(y, scores, {"precision": 0.4}) == pytest.approx(0.65)
    # precision 1/2 with all three and with one of two
    y, scores = [1, 0, 1, 0], [0.9, 0.9, 0.5, 0.5]
    assert best_threshold(y, scores, {"recall": 0.5}) == pytest.approx(0.7)


@pytest.mark.parametrize("rule", [{"recall": 0.8}, {"precision": 0.5}, {"fpr": 0.1}], ids=str)
def test_integer_weights_equal_repeated_rows_and_zeros_left_out_rows(rule):
    y, scores = tables()["tied less"]
    repeats = np.random.default_rng(0).integers(0, 4, len(y))
    repeated = best_threshold(np.repeat(y, repeats), np.repeat(scores, repeats), rule)
    assert best_threshold(y, scores, rule, sample_weight=repeats) == repeated


def test_confidence_comes_from_samples_and_not_from_the_sum_of_their_weights():
    y, scores = np.repeat([1, 0], [20, 80]), np.linspace(1, 0, 100)
    rule = {"recall": 0.9, "confidence": 0.95}
    with pytest.raises(ValueError, match="at least 29 positive samples, and there are 20"):
        best_threshold(y, scores, rule, sample_weight=np.full(100, 10))
    y, scores = tables(600)["distinct"]
    equal = best_threshold(y, scores, rule, sample_weight=np.full(600, 0.3))
    assert equal == best_threshold(y, scores, rule)
    unequal = np.random.default_rng(0).exponential(size=600)
    choice = choose_cut(checked_rule(rule), y, scores, unequal)
    assert choice.n_positive == pytest.approx(
        unequal[y == 1].sum() ** 2 / (unequal[y == 1] ** 2).sum()
    )
    assert choice.recall.score > 0.9
    assert choice.bound == 0.9


@pytest.mark.parametrize("pos_label", ["fraud", "ok"])
def test_text_labels_whichever_sorts_first(pos_label):
    y, scores = tables()["distinct"]
    rule, other = {"precision": 0.6}, "ok" if pos_label == "fraud" else "fraud"
    names = np.where(y == 1, pos_label, other)
    expected = best_threshold(y, scores, rule)
    assert best_threshold(names, scores, rule, pos_label=pos_label) == expected
    both = np.column_stack([scores, -scores])[:, :: 1 if pos_label == "fraud" else -1]
    assert best_threshold(names, both, rule, pos_label=pos_label) == expected


class TestLabels:
    def test_each_label_has_its_own_cut(self):
        (y, a), (_, b) = (tables()[name] for name in ("distinct", "ties"))
        rule = {"recall": 0.7}
        found = best_threshold(np.column_stack([y, 1 - y]), np.column_stack([a, -b]), rule)
        assert [*found] == [best_threshold(y, a, rule), best_threshold(1 - y, -b, rule)]

    def test_a_label_without_positives_has_one_half_and_a_warning(self):
        y, scores = tables()["distinct"]
        with pytest.warns(UserWarning, match="label at position 1 is 0 in all samples"):
            found = best_threshold(
                np.column_stack([y, 0 * y]), np.column_stack([scores] * 2), {"alerts": 0.2}
            )
        assert found[1] == 0.5

    def test_an_error_names_the_label(self):
        y, scores = tables()["distinct"]
        Y, S = np.column_stack([y, np.arange(120) < 3]), np.column_stack([scores] * 2)
        with pytest.raises(ValueError, match=r"label at position 1: .* at least 11 positive"):
            best_threshold(Y, S, {"recall": 0.8, "confidence": 0.9})


class TestConstantScores:
    y, scores = np.repeat([0, 1], [90, 30]), np.full(120, 0.4)

    @pytest.mark.parametrize(
        "rule", [{"recall": 0.9}, {"recall": 0.9, "confidence": 0.95}, {"precision": 0.2}], ids=str
    )
    def test_floors_flag_all(self, rule):
        threshold = best_threshold(self.y, self.scores, rule)
        assert apply_threshold(self.scores, threshold).all()

    @pytest.mark.parametrize("rule", [{"fpr": 0.1}, {"alerts": 0.2}], ids=str)
    def test_ceilings_are_an_error_that_says_what_a_cut_flags(self, rule):
        with pytest.raises(ValueError, match="flags 120 samples, with fpr 1 and alerts 1"):
            best_threshold(self.y, self.scores, rule)

    def test_precision_above_the_share_of_positives_is_an_error(self):
        with pytest.raises(ValueError, match=r"no cut: the best has precision 0\.25"):
            best_threshold(self.y, self.scores, {"precision": 0.3})


class TestNumbersNeeded:
    @pytest.mark.parametrize(
        ("rule", "n"),
        [
            (Rule("recall", 0.9, 0.95), 29),
            (Rule("recall", 0.8, 0.9), 11),
            (Rule("fpr", 0.001, 0.95), 2995),
            (Rule("precision", 0.8, 0.9), 11),
            (Rule("alerts", 0.01), 100),
            (Rule("recall", 0.9), 1),
        ],
    )
    def test_known_numbers(self, rule, n):
        assert needed(rule) == n

    def test_one_alert_in_the_number_needed_and_none_in_one_less(self):
        n = needed(Rule("alerts", 0.01, 0.95))
        assert binom.cdf(1, n, 0.01) <= 0.05 < binom.cdf(1, n - 1, 0.01)

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ({"recall": 0.9, "confidence": 0.95}, "29 positive samples, .* 20.* recall 0.86 can"),
            ({"fpr": 0.001, "confidence": 0.95}, "2995 negative samples, .* 80.* fpr 0.03"),
            ({"alerts": 0.01, "confidence": 0.95}, "473 labelled samples, .* 100"),
            ({"alerts": 0.005}, "200 labelled samples"),
            ({"precision": 0.95, "confidence": 0.95}, "59 positive samples"),
        ],
    )
    def test_too_few_samples_are_an_error_with_the_number(self, rule, message):
        y, scores = np.repeat([1, 0], [20, 80]), np.linspace(1, 0, 100)
        with pytest.raises(ValueError, match=message):
            best_threshold(y, scores, rule)
        with pytest.raises(ValueError, match=message):
            check_support(checked_rule(rule), 20, 80)

    def test_as_many_as_needed_are_enough(self):
        scores = np.linspace(1, 0, 3029)
        y = np.repeat([1, 0], [29, 3000])
        recall = choose_cut(Rule("recall", 0.9, 0.95), y, scores)
        assert recall.recall.score == 1
        assert recall.bound == pytest.approx(0.05 ** (1 / 29))
        fpr = choose_cut(Rule("fpr", 0.001, 0.95), y, scores)
        assert (fpr.fpr.score, fpr.recall.score) == (0, 1)
        assert fpr.bound == pytest.approx(1 - 0.05 ** (1 / 3000))


class TestConfidence:
    @pytest.mark.slow
    def test_recall_cut_is_the_order_statistic_of_the_binomial_tail(self):
        n, recall, confidence = 60, 0.8, 0.9
        rng = np.random.default_rng(0)
        y, scores = np.repeat([1, 0], [n, 400]), np.r_[rng.normal(2, 1, n), rng.normal(0, 1, 400)]
        rule = {"recall": recall, "confidence": confidence}
        # fewest hits that a population with less recall would reach with probability .1 at most
        tail = [
            sum(comb(n, j) * recall**j * (1 - recall) ** (n - j) for j in range(k, n + 1))
            for k in range(n + 1)
        ]
        fewest = next(k for k, p in enumerate(tail) if p <= 1 - confidence)
        hits = np.sum(scores[:n] >= best_threshold(y, scores, rule))
        expected = by_brute_force({"recall": fewest / n}, y, scores)
        assert hits == round(expected["recall"] * n) >= fewest

    @pytest.mark.slow
    def test_fpr_and_alerts_are_no_more_than_the_binomial_tail_allows(self):
        rng = np.random.default_rng(1)
        y, scores = (
            np.repeat([1, 0], [100, 900]),
            np.r_[rng.normal(1, 1, 100), rng.normal(size=900)],
        )
        for rule, pool in (({"fpr": 0.05}, scores[100:]), ({"alerts": 0.05}, scores)):
            (share,), n = rule.values(), len(pool)
            most = max(k for k in range(n) if binom.cdf(k, n, share) <= 0.05)
            threshold = best_threshold(y, scores, {**rule, "confidence": 0.95})
            # the cut with one positive less or one negative more would not be better
            allowed = {k: v for k, v in zip(rule, [most / n], strict=True)}
            expected = by_brute_force(allowed, y, scores)
            assert figures(y, scores, threshold)["recall"] == expected["recall"]
            assert np.sum(pool >= threshold) <= most

    def test_precision_cut_passes_the_exact_test_at_every_cut_before(self):
        rng = np.random.default_rng(3)
        y, scores = (
            np.repeat([1, 0], [200, 1800]),
            np.r_[rng.normal(3, 1, 200), rng.normal(size=1800)],
        )
        threshold = best_threshold(y, scores, {"precision": 0.8, "confidence": 0.9})
        truth = y[np.argsort(-scores)]
        m, hits = np.arange(1, 2001), np.cumsum(truth)
        significant = binom.sf(hits - 1, m, 0.8) <= 0.1
        first = 20  # a tenth of the number of positives
        last = first + np.argmin(significant[first - 1 :]) - 1
        assert significant[first - 1]
        assert np.sum((scores >= threshold) & (y == 1)) == hits[last - 1]

    def test_confidence_is_stricter_than_none(self):
        y, scores = tables(800)["distinct"]
        for rule in ({"recall": 0.8}, {"precision": 0.6}, {"fpr": 0.1}, {"alerts": 0.2}):
            (name,) = rule
            plain = figures(y, scores, best_threshold(y, scores, rule))
            sure = figures(y, scores, best_threshold(y, scores, {**rule, "confidence": 0.95}))
            stricter = sure["recall"] > plain["recall"]
            assert stricter == (name == "recall")

    @pytest.mark.slow
    @pytest.mark.parametrize("ties", [False, True])
    def test_promises_hold_in_the_population(self, ties):
        """Gaussian scores, rounded down to a grid where there are ties."""
        step, shift, share, draws = (0.25 if ties else 0.0), 2.0, 0.1, 400
        rng = np.random.default_rng(5)
        rules = {
            "recall": Rule("recall", 0.8, 0.9),
            "precision": Rule("precision", 0.6, 0.9),
            "fpr": Rule("fpr", 0.02, 0.9),
            "alerts": Rule("alerts", 0.05, 0.9),
        }
        violated = dict.fromkeys(rules, 0)
        for _ in range(draws):
            y = (rng.random(1000) < share).astype(int)
            scores = rng.normal(size=1000) + shift * y
            scores = np.floor(scores / step) * step if ties else scores
            for name, rule in rules.items():
                try:
                    t = choose_cut(rule, y, scores).threshold
                except ValueError:
                    continue
                t = np.ceil(t / step) * step if ties else t
                recall, fpr = norm.sf(t - shift), norm.sf(t)
                alerts = share * recall + (1 - share) * fpr
                precision = share * recall / alerts
                violated[name] += {
                    "recall": recall < rule.value,
                    "precision": precision < rule.value,
                    "fpr": fpr > rule.value,
                    "alerts": alerts > rule.value,
                }[name]
        # three standard errors above one in ten
        assert max(violated.values()) <= draws * 0.1 + 3 * np.sqrt(draws * 0.1 * 0.9)
        assert min(violated.values()) > 0


class TestCheckedRule:
    def test_numbers_of_numpy_and_extremes(self):
        assert checked_rule({"recall": np.float32(0.5)}) == Rule("recall", 0.5)
        assert checked_rule({"recall": 1}) == Rule("recall", 1.0)
        assert checked_rule({"fpr": 0}) == Rule("fpr", 0.0)

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ({"recal": 0.9}, "unknown key 'recal'. Did you mean 'recall'"),
            ({"sensitivity": 0.9}, "Did you mean 'recall'"),
            ({"recall": 0.9, "alpha": 0.05}, "Did you mean 'confidence'"),
            ({3: 0.9}, "unknown key 3"),
            ({}, "makes 0 promises"),
            ({"confidence": 0.9}, "makes 0 promises"),
            ({"recall": 0.9, "precision": 0.8}, "makes 2 promises"),
            ({"recall": 90}, r"recall must be a number .* Did you mean 0\.9"),
            ({"recall": 0}, "above 0 and at most 1"),
            ({"recall": True}, "recall must be a number"),
            ({"recall": "0.9"}, "recall must be a number"),
            ({"recall": np.nan}, "recall must be a number"),
            ({"fpr": -0.1}, "fpr must be a number from 0 to 1"),
            ({"recall": 1, "confidence": 0.9}, "between 0 and 1, and neither with a confidence"),
            ({"fpr": 0, "confidence": 0.9}, "between 0 and 1, and neither with a confidence"),
            ({"recall": 0.9, "confidence": 0.05}, r"is a confidence of 0\.95"),
            ({"recall": 0.9, "confidence": 1}, "up to but not including 1"),
        ],
    )
    def test_errors(self, rule, message):
        with pytest.raises(ValueError, match=message):
            checked_rule(rule)
        with pytest.raises(ValueError, match="metric"):
            best_threshold([0, 1], [0.2, 0.8], rule)

    def test_none_as_confidence_is_no_confidence(self):
        assert checked_rule({"recall": 0.9, "confidence": None}) == Rule("recall", 0.9)


def test_more_than_two_classes_are_an_error_that_names_the_way():
    with pytest.raises(ValueError, match=r"3 classes.*costs="):
        best_threshold([0, 1, 2], np.eye(3), {"recall": 0.9})


def test_one_class_is_an_error():
    with pytest.raises(ValueError, match="one class"):
        best_threshold([1, 1], [0.2, 0.4], {"recall": 0.9}, classes=[0, 1])
    with pytest.raises(ValueError, match="both classes, got 2 positive and 0 negative"):
        choose_cut(Rule("recall", 0.9), np.array([1, 1]), np.array([0.2, 0.4]))


def test_choices_are_pickled_and_written_as_they_were_given():
    y, scores = tables()["distinct"]
    choice = choose_cut(Rule("recall", 0.7, 0.9), y, scores)
    assert pickle.loads(pickle.dumps(choice)) == choice
    assert str(choice.rule) == "{'recall': 0.7, 'confidence': 0.9}"
