"""Check promises: ``python -m benchmarks.decisions [--draws N] [--only NAME ...]``.

Thresholds, costs, intervals and sets of ``skimb.probability`` and ``skimb.metrics`` on populations
whose posterior is known, so that what a threshold amounts to is computed rather than estimated.
Scores are Gaussian within the classes. For each cell samples are drawn 300 times; "violated" is the
share of the draws in which the population falls short of the promise, "none" the share in which
no cut keeps the rule, which is an error with the number of samples needed, and "beside best" the
precision (for a recall; otherwise the recall) minus that of the cut that keeps the promise exactly.

Sections: promises (on samples that no classifier was trained on, beside MAPIE), training (one set
of samples to train on and to choose the cut, beside a cut on the training scores and
``TunedThresholdClassifierCV``), costs, intervals, prior, sets. Results go to
``benchmarks/results/decisions.json``.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit, logit, softmax
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV, cross_val_predict

from skimb.metrics import score_interval
from skimb.probability import (
    best_threshold,
    estimate_prior,
    expected_cost,
    min_cost,
    prediction_sets,
    set_thresholds,
)

RESULTS = Path(__file__).parent / "results" / "decisions.json"
POSITIVES = (20, 50, 200, 500)
SHARE, SHIFT = 0.05, 3.0
PROMISES: tuple[dict[str, float], ...] = (
    {"recall": 0.9},
    {"recall": 0.9, "confidence": 0.95},
    {"precision": 0.8},
    {"precision": 0.8, "confidence": 0.9},
    {"fpr": 0.001},
    {"fpr": 0.001, "confidence": 0.95},
    {"alerts": 0.01},
    {"alerts": 0.01, "confidence": 0.95},
)
# columns of noise beside the informative one, where samples are trained on
NOISE, FOLDS = 15, 5

Figures = dict[str, float]


def drawn(n_positive: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, and the coordinate in which the classes differ."""
    y = (rng.random(round(n_positive / SHARE)) < SHARE).astype(int)
    return y, rng.normal(size=len(y)) + SHIFT * y


def posterior(x: np.ndarray, share: float = SHARE) -> np.ndarray:
    return expit(SHIFT * x - SHIFT**2 / 2 + logit(share))


def coordinate(p: float) -> float:
    """Return where the posterior has a value."""
    return float((logit(np.clip(p, 0, 1)) - logit(SHARE) + SHIFT**2 / 2) / SHIFT)


def population(x: float, mean: float = SHIFT, start: float = 0.0, std: float = 1.0) -> Figures:
    """Return the figures of the population for a cut on a Gaussian score."""
    recall, fpr = norm.sf((x - mean) / std), norm.sf((x - start) / std)
    alerts = SHARE * recall + (1 - SHARE) * fpr
    precision = SHARE * recall / alerts if alerts > 0 else 1.0
    return {"recall": recall, "precision": precision, "fpr": fpr, "alerts": alerts}


def best_possible(rule: dict[str, float], **of: float) -> Figures:
    """Return the figures of the cut that keeps a rule exactly in the population."""
    promise, value = next(iter(rule.items()))
    at = brentq(lambda x: population(x, **of)[promise] - value, -20, 20)
    return population(at, **of)


def violates(rule: dict[str, float], found: Figures) -> bool:
    promise, value = next(iter(rule.items()))
    short = value - found[promise]
    return bool(short > 1e-9 if promise in ("recall", "precision") else short < -1e-9)


def other(rule: dict[str, float]) -> str:
    """Return what the cut is chosen for beside the promise."""
    return "precision" if "recall" in rule else "recall"


def summary(
    rule: dict[str, float], found: list[Figures | None], best: list[Figures], seconds: float
) -> dict[str, Any]:
    promise = next(iter(rule))
    reached = [(f, b) for f, b in zip(found, best, strict=True) if f is not None]
    row: dict[str, Any] = {"none": 1 - len(reached) / len(found), "ms": 1000 * seconds / len(found)}
    if reached:
        row["mean"] = float(np.mean([f[promise] for f, _ in reached]))
        # an error keeps a promise as well: it is counted among all draws
        row["violated"] = sum(violates(rule, f) for f, _ in reached) / len(found)
        gaps = [f[other(rule)] - b[other(rule)] for f, b in reached]
        row["beside best"] = float(np.mean(gaps))
    return row


def show(name: str, n_positive: int, rule: dict[str, float], row: dict[str, Any]) -> None:
    keys = ("mean", "violated", "none", "beside best")
    figures = "".join(f"{row[key]:13.4f}" if key in row else f"{'-':>13}" for key in keys)
    print(f"{name:34}{rule!s:42}{n_positive:5}{figures}{row['ms']:10.1f}", flush=True)


def heading(text: str) -> None:
    columns = "".join(f"{name:>13}" for name in ("mean", "violated", "none", "beside best"))
    print(f"\n{text}\n{'':34}{'promise':42}{'pos.':>5}{columns}{'ms':>10}")


def promises(draws: int) -> list[dict[str, Any]]:
    """Rules chosen on samples that no classifier was trained on."""
    heading("promises, chosen on scores that are the posterior")
    choosers = {"skimb": rule_on_posterior} | mapie_choosers()
    rows = []
    for rule in PROMISES:
        best = best_possible(rule)
        for name, choose in choosers.items():
            if name == "MAPIE" and not {"recall", "precision"} & set(rule):
                continue
            if name == "MAPIE" and "confidence" not in rule:
                continue
            for n_positive in POSITIVES:
                rng, found, start = np.random.default_rng(0), [], time.perf_counter()
                for _ in range(draws):
                    y, x = drawn(n_positive, rng)
                    at = choose(y, posterior(x), rule)
                    found.append(None if at is None else population(coordinate(at)))
                seconds = time.perf_counter() - start
                row = summary(rule, found, [best] * draws, seconds)
                show(name, n_positive, rule, row)
                rows.append({"contender": name, "rule": rule, "positives": n_positive, **row})
    return rows


def rule_on_posterior(y: np.ndarray, p: np.ndarray, rule: dict[str, float]) -> float | None:
    try:
        return float(best_threshold(y, p, rule))
    except ValueError:
        return None


def mapie_choosers() -> dict[str, Any]:
    try:
        from mapie.risk_control import BinaryClassificationController
    except ImportError:
        print("MAPIE is not installed and left out.")
        return {}

    def choose(y: np.ndarray, p: np.ndarray, rule: dict[str, float]) -> float | None:
        promise, value = next(iter(rule.items()))
        controller = BinaryClassificationController(
            lambda X: np.column_stack([1 - X[:, 0], X[:, 0]]),
            risk=promise,
            target_level=value,
            confidence_level=rule["confidence"],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                controller.calibrate(p[:, np.newaxis], y)
            except ValueError:
                return None
        chosen = getattr(controller, "best_predict_param", None)
        return None if chosen is None else float(np.ravel(chosen)[0])

    return {"MAPIE": choose}


def training(draws: int) -> list[dict[str, Any]]:
    """Rules chosen with the samples that the classifier is trained on."""
    heading(f"training, logistic regression with {NOISE} columns of noise, one set of samples")
    rows = []
    recall, sure = {"recall": 0.9}, {"recall": 0.9, "confidence": 0.95}
    precision = {"precision": 0.8, "confidence": 0.9}
    plan: list[tuple[str, dict[str, float], Any]] = [
        ("cut on the training scores", recall, on_training_scores),
        ("TunedThresholdClassifierCV", recall, tuned_by_scikit_learn),
        ("skimb, out-of-fold scores", recall, on_out_of_fold_scores),
        ("skimb, out-of-fold scores", sure, on_out_of_fold_scores),
        ("cut on the training scores", {"precision": 0.8}, on_training_scores),
        ("TunedThresholdClassifierCV", {"precision": 0.8}, tuned_by_scikit_learn),
        ("skimb, out-of-fold scores", {"precision": 0.8}, on_out_of_fold_scores),
        ("skimb, out-of-fold scores", precision, on_out_of_fold_scores),
    ]
    for name, rule, choose in plan:
        for n_positive in POSITIVES:
            rng, seconds = np.random.default_rng(0), 0.0
            found: list[Figures | None] = []
            best: list[Figures] = []
            for _ in range(draws):
                y, x = drawn(n_positive, rng)
                X = np.column_stack([x, rng.normal(size=(len(y), NOISE))])
                clf = LogisticRegression(C=100.0, max_iter=1000).fit(X, y)
                weights, start = clf.coef_[0], float(clf.intercept_[0])
                of = {
                    "mean": start + SHIFT * float(weights[0]),
                    "start": start,
                    "std": float(np.linalg.norm(weights)),
                }
                started = time.perf_counter()
                at = choose(clf, X, y, rule)
                seconds += time.perf_counter() - started
                value = None if at is None else population(float(logit(min(max(at, 0), 1))), **of)
                found.append(value)
                best.append(best_possible_of(rule, of))
            row = summary(rule, found, best, seconds)
            show(name, n_positive, rule, row)
            rows.append({"contender": name, "rule": rule, "positives": n_positive, **row})
    return rows


def best_possible_of(rule: dict[str, float], of: dict[str, float]) -> Figures:
    """Return the best figures for the scores of a classifier, in units of their spread."""
    scaled = {"mean": (of["mean"] - of["start"]) / of["std"]}
    return best_possible(rule, **scaled)


def on_training_scores(clf: Any, X: np.ndarray, y: np.ndarray, rule: dict[str, float]) -> Any:
    return rule_on_posterior(y, clf.predict_proba(X)[:, 1], rule)


def on_out_of_fold_scores(clf: Any, X: np.ndarray, y: np.ndarray, rule: dict[str, float]) -> Any:
    p = cross_val_predict(clf, X, y, cv=FOLDS, method="predict_proba")[:, 1]
    return rule_on_posterior(y, p, rule)


def tuned_by_scikit_learn(clf: Any, X: np.ndarray, y: np.ndarray, rule: dict[str, float]) -> Any:
    """Tune with the scorer that people write for a floor: 0 below it."""
    promise, value = next(iter(rule.items()))

    def score(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        hits = np.sum(y_true & y_pred)
        found = {"recall": hits / y_true.sum(), "precision": hits / max(y_pred.sum(), 1)}
        return found[other(rule)] if found[promise] >= value else 0.0

    tuned = TunedThresholdClassifierCV(clf, scoring=make_scorer(score), cv=FOLDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(tuned.fit(X, y).best_threshold_)


def costs(draws: int) -> list[dict[str, Any]]:
    """Realised costs of several decisions, relative to the Bayes decision."""
    print(f"\ncosts, relative to the Bayes decision\n{'':34}{'positives':>10}", end="")
    print("".join(f"{name:>14}" for name in ("min_cost", "argmax", "class weights")))
    four = np.array([[0, 1, 1, 2], [4, 0, 2, 2], [10, 5, 0, 2], [40, 30, 20, 0.0]])
    two = np.array([[0, 1], [20, 0.0]])
    rows = []
    for name, matrix, means, share in (
        ("1 : 20", two, np.eye(2)[:, 1:] @ [[SHIFT, 0.0]], np.array([1 - SHARE, SHARE])),
        (
            "4 x 4",
            four,
            np.array([[0, 0], [2.5, 0], [0, 2.5], [2, 2.0]]),
            np.array([0.8, 0.1, 0.07, 0.03]),
        ),
    ):
        for n_positive in (200, 500):
            rng, ratios = np.random.default_rng(0), []
            n = round(n_positive / share[-1])
            y_test, X_test, p_test = mixture(100_000, means, share, rng)
            bayes = expected_cost(y_test, p_test, matrix)
            for _ in range(max(1, draws // 10)):
                y, X, _ = mixture(n, means, share, rng)
                plain = LogisticRegression(max_iter=1000).fit(X, y)
                weight = dict(enumerate(matrix.sum(axis=1)))
                weighted = LogisticRegression(max_iter=1000, class_weight=weight).fit(X, y)
                decisions = (
                    min_cost(plain.predict_proba(X_test), matrix),
                    plain.predict(X_test),
                    weighted.predict(X_test),
                )
                ratios.append([expected_cost(y_test, d, matrix) / bayes for d in decisions])
            mean = np.mean(ratios, axis=0)
            print(f"{name:34}{n_positive:10}" + "".join(f"{value:14.3f}" for value in mean))
            found = dict(zip(("min_cost", "argmax", "class weights"), mean.tolist(), strict=True))
            rows.append({"costs": name, "positives": n_positive, **found})
    rng = np.random.default_rng(0)
    p, each = softmax(rng.normal(size=(2000, 4)), axis=1), rng.exponential(size=(2000, 4, 4))
    brute = [int(np.argmin([p[i] @ each[i][:, j] for j in range(4)])) for i in range(2000)]
    differ = int(np.sum(min_cost(p, each) != brute))
    print(f"costs of each of 2,000 samples: {differ} decisions differ from brute force")
    return [*rows, {"costs": "of each sample", "differ": differ}]


def mixture(
    n: int, means: np.ndarray, share: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, features and posteriors of Gaussians of unit variance."""
    y = rng.choice(len(share), n, p=share)
    X = means[y] + rng.normal(size=(n, means.shape[1]))
    distances = ((X[:, np.newaxis] - means) ** 2).sum(axis=2)
    return y, X, softmax(np.log(share) - distances / 2, axis=1)


def intervals(draws: int) -> list[dict[str, Any]]:
    """Coverage of 95 % intervals with 30 positives among 600 samples on average."""
    print(
        f"\nintervals of 95 %, 30 positives\n{'':24}{'shift':>6}{'score':>8}{'covered':>9}", end=""
    )
    print(f"{'below':>8}{'above':>8}{'width':>8}{'ms':>8}")
    rows = []
    for shift in (1.5, 2.0, 3.0):
        cut = shift / 2 + np.log((1 - SHARE) / SHARE) / shift * 0.7
        found = population(cut, mean=shift)

        def density(x: float, shift: float = shift) -> float:
            return float(norm.pdf(x - shift) * population(x, mean=shift)["precision"])

        true = {
            "average_precision": quad(density, -8, 8 + shift, limit=200)[0],
            "f1": 2 * found["recall"] * SHARE / (SHARE + found["alerts"]),
            "recall": found["recall"],
        }
        for scoring, value in true.items():
            rng, ends, start = np.random.default_rng(0), [], time.perf_counter()
            for seed in range(draws):
                y = (rng.random(600) < SHARE).astype(int)
                scores = norm.cdf(rng.normal(size=600) + shift * y, cut)
                ends.append(score_interval(y, scores, scoring, random_state=seed)[1:])
            low, high = np.transpose(ends)
            row = {
                "shift": shift,
                "score": scoring,
                "covered": float(np.mean((low <= value) & (value <= high))),
                "below": float(np.mean(value < low)),
                "above": float(np.mean(value > high)),
                "width": float(np.mean(high - low)),
            }
            milliseconds = 1000 * (time.perf_counter() - start) / draws
            figures = f"{row['covered']:9.3f}{row['below']:8.3f}{row['above']:8.3f}"
            print(
                f"{scoring:24}{shift:6}{value:8.3f}{figures}{row['width']:8.3f}{milliseconds:8.1f}",
                flush=True,
            )
            rows.append(row)
    return rows


def prior(draws: int) -> list[dict[str, Any]]:
    """Relative error of the estimate of the share of positives among 5,000 samples."""
    print(f"\nprior of 2 %, shifted\n{'times':>10}{'mean error':>12}{'95 %':>8}{'beyond 15 %':>13}")
    rows = []
    for times in (0.5, 2, 5, 10, 20):
        rng, errors = np.random.default_rng(0), []
        for _ in range(draws):
            y = rng.random(5000) < 0.02 * times
            p = posterior(rng.normal(size=5000) + SHIFT * y, 0.02)
            errors.append(abs(estimate_prior(p, 0.02)[1] / y.mean() - 1))
        row = {
            "times": times,
            "mean error": float(np.mean(errors)),
            "95 %": float(np.quantile(errors, 0.95)),
            "beyond": float(np.mean(np.array(errors) > 0.15)),
        }
        print(f"{times:10}{row['mean error']:12.3f}{row['95 %']:8.3f}{row['beyond']:13.3f}")
        rows.append(row)
    return rows


def sets(draws: int) -> list[dict[str, Any]]:
    """Coverage of prediction sets at 0.9, by class."""
    print(f"\nsets of 0.9\n{'positives':>10}{'covered, by class':>36}{'mean size':>12}{'empty':>8}")
    means, share = np.array([[0, 0], [2.5, 0], [0, 2.5]]), np.array([0.85, 0.1, 0.05])
    rows = []
    for n_positive in POSITIVES:
        rng, covered, size, empty = np.random.default_rng(0), [], [], []
        for _ in range(draws):
            y_test, _, p_test = mixture(5_000, means, share, rng)
            y, _, p = mixture(round(n_positive / share[-1]), means, share, rng)
            found = prediction_sets(p_test, set_thresholds(y, p, 0.9))
            hit = found[np.arange(len(y_test)), y_test]
            covered.append([hit[y_test == k].mean() for k in range(3)])
            size.append(found.sum(axis=1).mean())
            empty.append((~found.any(axis=1)).mean())
        shown = [f"{value:.3f}" for value in np.mean(covered, axis=0)]
        sized = f"{np.mean(size):12.2f}{np.mean(empty):8.3f}"
        print(f"{n_positive:10}{'  '.join(shown):>36}{sized}", flush=True)
        rows.append({"positives": n_positive, "covered": shown, "size": float(np.mean(size))})
    return rows


SECTIONS: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "promises": promises,
    "training": training,
    "costs": costs,
    "intervals": lambda draws: intervals(10 * draws // 3),
    "prior": prior,
    "sets": sets,
}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    args = parser.parse_args()
    found = {name: SECTIONS[name](args.draws) for name in args.only}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
