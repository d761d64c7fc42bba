"""Compare anomaly detectors: ``python -m benchmarks.anomaly [--seeds N] [--table FILE]``.

Each is trained on 70 % of the normal samples. The ROC AUC is computed on the other normal samples
and the anomalies. The data are scikit-learn's digits, with one digit as the anomaly and with one
digit as the normal class, averaged over the ten digits. With ``--table`` they are a CSV without a
header whose last column is the target, the rarer value being the anomaly. PyOD's autoencoder is
included where PyOD is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from skimb import AutoencoderOutlierDetector

RESULTS = Path(__file__).parent / "results" / "anomaly.json"

#: from training samples and test samples to the anomaly scores of the latter
Detector = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def skimb_autoencoder(X: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    """Score with skimb's autoencoder and its defaults."""
    return -AutoencoderOutlierDetector(random_state=seed).fit(X).score_samples(others)


def isolation_forest(X: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    """Score with scikit-learn's isolation forest."""
    return -IsolationForest(random_state=seed).fit(X).score_samples(others)


def pca(X: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    """Score by the residual of the principal components that explain 90 %."""
    scaler = StandardScaler().fit(X)
    Z = scaler.transform(others)
    components = PCA(0.9, random_state=seed).fit(scaler.transform(X))
    return np.mean((Z - components.inverse_transform(components.transform(Z))) ** 2, axis=1)


def mlp_autoencoder(X: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    """Score by the reconstruction error of an MLPRegressor with a bottleneck."""
    scaler = StandardScaler().fit(X)
    Z = scaler.transform(X)
    narrow = max(2, X.shape[1] // 4)
    network = MLPRegressor((64, narrow, 64), max_iter=100, random_state=seed).fit(Z, Z)
    Z = scaler.transform(others)
    return np.mean((Z - network.predict(Z)) ** 2, axis=1)


def pyod_autoencoder(X: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    """Score with PyOD's autoencoder and its defaults."""
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(random_state=seed, verbose=0).fit(X).decision_function(others)


DETECTORS: dict[str, Detector] = {
    "skimb autoencoder": skimb_autoencoder,
    "IsolationForest": isolation_forest,
    "PCA": pca,
    "MLP autoencoder": mlp_autoencoder,
}
if importlib.util.find_spec("pyod"):
    DETECTORS["PyOD autoencoder"] = pyod_autoencoder


def problems(table: Path | None) -> Iterator[tuple[str, list[tuple[np.ndarray, np.ndarray]]]]:
    """Yield names, and samples with their labels, 1 for anomalies; one or several sets."""
    X, digits = load_digits(return_X_y=True)
    yield "digits, one is odd", [(X, digits == d) for d in range(10)]
    yield "digits, one is normal", [(X, digits != d) for d in range(10)]
    if table is not None:
        cells = np.char.strip(np.loadtxt(table, delimiter=",", dtype=str), "'")
        labels, codes = np.unique(cells[:, -1], return_inverse=True)
        rare = np.argmin(np.bincount(codes, minlength=len(labels)))
        yield table.stem, [(cells[:, :-1].astype(float), codes == rare)]


def auc(detect: Detector, X: np.ndarray, odd: np.ndarray, seed: int) -> float:
    """Return the ROC AUC on held-out normal samples and the anomalies."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(~odd))
    n_train = int(0.7 * len(normal))
    test = np.concatenate([normal[n_train:], np.flatnonzero(odd)])
    return float(roc_auc_score(odd[test], detect(X[normal[:n_train]], X[test], seed)))


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    results: dict[str, dict[str, Any]] = {}
    for problem, cases in problems(arguments.table):
        print(f"\n{problem}: ROC AUC, seconds a fit")
        for name, detect in DETECTORS.items():
            start = time.perf_counter()
            scores = [
                np.mean([auc(detect, X, odd, seed) for X, odd in cases])
                for seed in range(arguments.seeds)
            ]
            seconds = (time.perf_counter() - start) / (arguments.seeds * len(cases))
            results.setdefault(problem, {})[name] = {"auc": scores, "seconds": seconds}
            print(f"  {name:<20} {np.mean(scores):.3f} ± {np.std(scores):.3f}  {seconds:6.2f} s")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
