"""Contenders, each untuned, with what it needs for text and missing values.

A contender is made from the columns of a table and a seed. Libraries are imported when they are
needed: those that are not installed are left out.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import numpy as np
from imblearn.ensemble import BalancedRandomForestClassifier, EasyEnsembleClassifier
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

#: from a table's features and a seed to an estimator
Make = Callable[[Any, int], Any]


@dataclass(frozen=True)
class Contender:
    """Something that is measured.

    Attributes
    ----------
    name : str
    package : str
        The distribution whose version the results belong to.
    make : callable
    prepare : callable
        From all features of a table to those that the estimator takes. It must not look at more
        than which values there are.
    module : str
        What is imported.
    """

    name: str
    package: str
    make: Make
    prepare: Callable[[Any], Any] = lambda X: X
    module: str = "sklearn"

    @property
    def installed(self) -> bool:
        """Return whether its library can be imported."""
        return importlib.util.find_spec(self.module) is not None

    @property
    def version(self) -> str:
        """Return the version that results belong to: for skimb, a digest of its source as well."""
        return installed_version(self.package) + (f"+{_digest()}" if self.module == "skimb" else "")


def text_columns(X: Any) -> list[str]:
    """Return the columns of a table that do not hold numbers."""
    if isinstance(X, np.ndarray):
        return []
    return [name for name in X.columns if X[name].dtype.kind not in "iuf"]


def _encoded(X: Any, estimator: Any, scaled: bool) -> Any:
    """Return an estimator after medians, one-hot encoding and, if wanted, standardisation."""
    names = text_columns(X)
    numbers = make_pipeline(SimpleImputer(strategy="median"), *[StandardScaler()] * scaled)
    if not names:
        return make_pipeline(numbers, estimator)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    others = [name for name in X.columns if name not in names]
    columns = make_column_transformer((numbers, others), (one_hot, names))
    return make_pipeline(columns, estimator)


def _with_categories(X: Any) -> Any:
    names = text_columns(X)
    return X.astype(dict.fromkeys(names, "category")) if names else X


def _with_named_gaps(X: Any) -> Any:
    names = text_columns(X)
    return X.assign(**{name: X[name].astype(object).fillna("missing") for name in names})


def _catboost(X: Any, seed: int) -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(
        cat_features=text_columns(X),
        random_seed=seed,
        thread_count=1,
        verbose=0,
        allow_writing_files=False,
    )


def _lightgbm(X: Any, seed: int) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1)


def _xgboost(X: Any, seed: int) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(random_state=seed, n_jobs=1, enable_categorical=True)


def _realmlp(X: Any, seed: int) -> Any:
    from pytabkit import RealMLP_TD_Classifier

    return RealMLP_TD_Classifier(random_state=seed, n_threads=1, device="cpu", verbosity=0)


_ALL_PEERS = (
    Contender(
        "CatBoost",
        "catboost",
        _catboost,
        lambda X: X if isinstance(X, np.ndarray) else _with_named_gaps(X),
        "catboost",
    ),
    Contender(
        "LogisticRegression",
        "scikit-learn",
        lambda X, seed: _encoded(X, LogisticRegression(max_iter=1000), scaled=True),
    ),
    Contender(
        "MLPClassifier",
        "scikit-learn",
        lambda X, seed: _encoded(X, MLPClassifier(random_state=seed), scaled=True),
    ),
    Contender(
        "ExtraTrees",
        "scikit-learn",
        lambda X, seed: _encoded(X, ExtraTreesClassifier(random_state=seed), scaled=False),
    ),
    Contender(
        "HistGradientBoosting",
        "scikit-learn",
        lambda X, seed: HistGradientBoostingClassifier(random_state=seed),
        _with_categories,
    ),
    Contender(
        "BalancedRandomForest",
        "imbalanced-learn",
        lambda X, seed: _encoded(X, BalancedRandomForestClassifier(random_state=seed), False),
    ),
    Contender("LightGBM", "lightgbm", _lightgbm, _with_categories, "lightgbm"),
    Contender("XGBoost", "xgboost", _xgboost, _with_categories, "xgboost"),
    Contender(
        "EasyEnsemble",
        "imbalanced-learn",
        lambda X, seed: _encoded(X, EasyEnsembleClassifier(random_state=seed), False),
    ),
    Contender("RealMLP-TD", "pytabkit", _realmlp, _with_categories, "pytabkit"),
)


#: by name, those that are installed
PEERS = {contender.name: contender for contender in _ALL_PEERS if contender.installed}

#: the parameters of skimb's own contenders
OURS: dict[str, dict[str, Any]] = {"skimb": {}, "skimb, threshold='f1'": {"threshold": "f1"}}

#: ablations: the defaults with one part removed
WITHOUT: dict[str, dict[str, Any]] = {
    "skimb, without folds": {"cv": None},
    "skimb, one weight decay": {"optimizer__weight_decay": 1.0},
    "skimb, plain Adam": {"optimizer": "adam"},
    "skimb, balanced weights": {"class_weight": "balanced"},
    "skimb, no weights": {"class_weight": None},
    "skimb, model='mlp'": {"model": "mlp"},
}


def own(name: str, params: dict[str, Any]) -> Contender:
    """Return skimb's classifier with some parameters as a contender."""

    def make(X: Any, seed: int) -> Any:
        from skimb import ImbalancedNNClassifier

        return ImbalancedNNClassifier(random_state=seed, **params)

    return Contender(name, "skimb", make, module="skimb")


def contender(name: str, params: dict[str, Any] | None) -> Contender:
    """Return a contender: a peer, or with parameters one of skimb."""
    return PEERS[name] if params is None else own(name, params)


def _digest() -> str:
    """Return a digest of the parts of skimb that a fit is made of."""
    spec = importlib.util.find_spec("skimb")
    root = Path(spec.origin).parent if spec and spec.origin else Path("skimb")
    paths = [p for p in sorted(root.rglob("*.py")) if "plotting" not in p.relative_to(root).parts]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:10]
