"""What small fits come to: `behaviour.py store FILE.npz`, and after a change of the code
`behaviour.py compare FILE.npz`, which prints what differs and exits with 1 if anything does.
"""

import argparse
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from behaviour_cases import CONFIGURATIONS, Fitted

TOLERANCE = 1e-6  # relative, and absolute
METHODS = (
    "predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples",
)  # fmt: skip
ATTRIBUTES = (
    "classes_", "class_counts_", "class_weight_", "pos_weight_", "minority_class_", "threshold_",
    "offset_", "n_iter_", "best_iter_", "history_", "loss_", "trainer_", "n_features_in_",
    "feature_names_in_", "background_",
)  # fmt: skip

Quantities = dict[str, np.ndarray]


def flat(name: str, value: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield named arrays of numbers or of text, and their types, those in a dict one by one."""
    yield f"type of {name}", np.array(f"{type(value).__name__} {getattr(value, 'dtype', '')}")
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(f"{name}[{key}]", item)
        return
    array = np.asarray(value)
    yield name, array.astype(str) if array.dtype == object else array


def described(error: Exception) -> np.ndarray:
    message = f"{type(error).__name__}: {error}"
    return np.array(re.sub(r"0x[0-9a-f]+|(?<=_)\d+\b", "...", message))


def quantities(fit: Callable[[], Fitted]) -> Quantities:
    """Return what a configuration comes to, or its exception as the only quantity."""
    keras.utils.set_random_seed(0)  # for networks that were built outside of the estimator
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = dict(observed(fit()))
        except Exception as error:
            return {"exception": described(error)}
    own = sorted({str(w.message) for w in caught if w.category is UserWarning})
    return found | {"warnings": np.array(own, str)}


def observed(outcome: Fitted) -> Iterator[tuple[str, np.ndarray]]:
    """Yield predictions and the score, then fitted attributes."""
    estimator, data = outcome.estimator, outcome.data
    asked: dict[str, tuple[Any, ...]] = {name: (data.X_test,) for name in METHODS}
    for name, arguments in {**asked, "score": (data.X_test, data.y_test)}.items():
        if hasattr(estimator, name):
            try:
                value = getattr(estimator, name)(*arguments)
            except Exception as error:
                value = described(error)
            yield from flat(name, value)
    for name in ATTRIBUTES:
        if hasattr(estimator, name):
            yield from flat(name, getattr(estimator, name))


def difference(stored: np.ndarray, now: np.ndarray) -> str:
    """Return in which way two arrays differ, nothing if they do not."""
    if stored.dtype.kind == now.dtype.kind == "U":
        return "" if np.array_equal(stored, now) else f"{stored.tolist()!r} -> {now.tolist()!r}"
    if (stored.shape, stored.dtype) != (now.shape, now.dtype):
        return f"{stored.dtype}{stored.shape} -> {now.dtype}{now.shape}"
    same = np.isclose(now, stored, TOLERANCE, TOLERANCE, equal_nan=True)
    if same.all():
        return ""
    if not same.ndim:
        return f"{stored} -> {now}"
    gap = np.abs(now.astype(float) - stored.astype(float))[~same].max()
    return f"{(~same).sum()} of {same.size} values, by at most {gap:.2g}"


def differences(stored: Quantities, now: Quantities) -> Iterator[tuple[str, str]]:
    """Yield the quantities that differ, and how."""
    if "exception" in stored.keys() | now.keys():
        was, found = (str(given.get("exception", "fits")) for given in (stored, now))
        if was != found:
            yield "exception", f"{was!r} -> {found!r}"
        return
    for name in [*stored, *(name for name in now if name not in stored)]:
        if name not in now:
            yield name, "missing"
        elif name not in stored:
            yield name, "new"
        elif how := difference(stored[name], now[name]):
            yield name, how


def store(path: str, names: list[str] | None) -> int:
    """Write what the configurations come to, and print the time and the exception of each."""
    arrays = {}
    for name in names or CONFIGURATIONS:
        start = time.perf_counter()
        found = quantities(CONFIGURATIONS[name])
        arrays |= {f"{name}/{quantity}": value for quantity, value in found.items()}
        print(f"{time.perf_counter() - start:5.1f} s  {name}  {found.get('exception', '')}")
    np.savez_compressed(path, **arrays)
    return 0


def compare(path: str, names: list[str] | None) -> int:
    """Print what differs from a file, and return whether anything does."""
    stored: dict[str, Quantities] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            name, quantity = key.split("/", 1)
            stored.setdefault(name, {})[quantity] = arrays[key]
    names, wrong = names or [*(CONFIGURATIONS | stored)], 0
    for name in names:
        if name not in CONFIGURATIONS:
            found = [("all", "missing")]
        elif name in stored:
            found = [*differences(stored[name], quantities(CONFIGURATIONS[name]))]
        else:
            found = [("all", "new")]
        for quantity, how in found:
            print(f"{name}: {quantity}: {how}", flush=True)
        wrong += bool(found)
    print(f"{wrong} of {len(names)} configurations differ")
    return int(wrong > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["store", "compare"])
    parser.add_argument("file", help="an .npz file")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=CONFIGURATIONS)
    given = parser.parse_args()
    action = store if given.action == "store" else compare
    return action(given.file, given.only)


if __name__ == "__main__":
    sys.exit(main())
