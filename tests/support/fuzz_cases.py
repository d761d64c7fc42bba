"""Draws data and parameters, sensible ones and others, and says what a fit may do with them."""

import signal
import traceback
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from skimb import losses

# An error that comes out of one of these is not ours to understand.
FOREIGN = ("/tensorflow/", "/keras/", "/scikeras/", "/numpy/linalg/", "/jax/")

LABELS = [
    lambda c: c,
    lambda c: c.astype(float),
    lambda c: -3 * c,
    lambda c: c.astype("int8"),
    lambda c: np.array(["a", "bb", "ccc", "d"])[c],
    lambda c: np.array(["a", "bb", "ccc", "d"], dtype=object)[c],
    lambda c: c % 2 == 1,
    lambda c: list(c),
    lambda c: c.reshape(-1, 1),
    lambda c: np.array([1e300, -1e300, 0.0, 7.0])[c],
]


@dataclass
class Case:
    """The arguments of one fit."""

    X: object
    y: object
    sample_weight: object
    params: dict = field(default_factory=dict)

    def __repr__(self):
        shape = getattr(self.X, "shape", None)
        kind = getattr(self.X, "dtype", type(self.X).__name__)
        return f"Case(X={shape} {kind}, y={self.y!r}, weight={self.sample_weight!r}, {self.params})"


#: two cases of three are of parts that are fine each, the third is of any
hostility = st.sampled_from([False, False, True])


@st.composite
def features(draw, n, hostile):
    """Return n rows of features, in one of many forms."""
    shape = (n, draw(st.sampled_from([1, 3])))
    rng = np.random.default_rng(draw(st.integers(0, 5)))
    X = rng.normal(size=shape)
    scales = [1.0, 0.0, 1e-3, 1e6]
    X = X * draw(st.sampled_from(scales + [1e-30, 1e20, 1e38, 1e200, 1e-300] * hostile))
    X = X + draw(st.sampled_from([0.0, 0.0, 1.0, 1e6] + [-1e30] * hostile))
    odd = draw(st.sampled_from([None, None, None, np.nan, np.inf, 1.7e308])) if hostile else None
    if odd is not None:
        X[draw(st.integers(0, n - 1)), 0] = odd
    forms = ["float64", "float32", "int64", "bool", "csr", "csc", "list", "object", "fortran"]
    form = draw(st.sampled_from([*forms, "read-only"] + ["float16", "text", "3d"] * hostile))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form in ("float64", "float32", "float16", "int64", "bool"):
            return X.astype(form)
        if form == "text":
            return X.astype(str)
        if form == "object":
            return X.astype(object)
        if form in ("csr", "csc"):
            return sp.csr_matrix(X).asformat(form)
        if form == "3d":
            return np.repeat(X[:, :, None], 4, axis=2)
        if form == "fortran":
            return np.asfortranarray(X)
        if form == "read-only":
            X.setflags(write=False)
        return X.tolist() if form == "list" else X


@st.composite
def weights(draw, n, hostile, shape=None):
    """Return weights of rows."""
    kinds = ["none", "none", "random", "large"] + ["zeros", "one", "bad"] * hostile
    kind = draw(st.sampled_from(kinds))
    rng = np.random.default_rng(draw(st.integers(0, 3)))
    if kind == "none":
        return None
    found = rng.uniform(0.1, 3, size=shape or n)
    if kind == "zeros":
        found[draw(st.integers(0, n - 1)) :] = 0
    elif kind == "one":
        found = (np.arange(n) == 0).astype(float) if shape is None else found
    elif kind == "large":
        found = found * draw(st.sampled_from([1e-300, 1e-20, 1e20, 1e300]))
    elif kind == "bad":
        found[0] = draw(st.sampled_from([np.nan, np.inf, -1.0]))
    return found


# sensible values, and those that are only drawn with hostility
PARAMETERS = {
    "batch_size": (["auto", 7, 500], [1, 2]),
    "batching": (["shuffled", "stratified", "balanced"], []),
    "weight_power": ([0.0, 0.5, 1.0], [30.0]),
    "class_weight_start": ([0.0, 0.5], []),
    "early_stopping": ([False, True], []),
    "validation_fraction": ([0.1, 0.5], [0.99]),
    "monitor": (["loss", "f1", "average_precision", "roc_auc", "minority_score"], ["nonsense"]),
    "threshold": ([0.3, "f1", "balanced_accuracy", "recall"], [0.0, 1.0, [0.2, 0.5], 7]),
    "prior_correction": ([False, True], []),
    "dtype": (["float32", "float64", "auto"], ["mixed_bfloat16", "float13"]),
    "sampler": ([RandomOverSampler(random_state=0), RandomUnderSampler(random_state=0)], []),
    "resample_every_epoch": ([False], [True]),
    "metrics": ([["f1"], ["roc_auc", "recall"]], [["precision_at_2"], "f1"]),
    "class_prior": ([None], [[0.9, 0.1], [0.5, 0.3, 0.2], [1.0, 0.0]]),
    "optimizer": (["adam", "sgd", "rmsprop"], ["nonsense"]),
    "optimizer__learning_rate": ([1e-3, 1.0], [1e10, 1e38, 0.0, -1.0]),
    "model__hidden_layer_sizes": ([(), (2,)], [(0,)]),
    "model__dropout": ([0.5], [1.0]),
    "trainer": (["compiled", "keras"], []),
    "warm_start": ([True], []),
}
CLASS_WEIGHTS = [None, "balanced", "sqrt_balanced", "effective"]
HOSTILE_WEIGHTS = [
    "median_frequency", {0: 1.0, 1: 5.0}, {0: 0.0, 1: 1.0}, {0: 1e-12, 1: 1e12}, {7: 1.0},
    {0: -1.0, 1: 1.0}, {0: np.nan, 1: 1.0}, [1.0, 2.0], [1.0, 2.0, 3.0],
]  # fmt: skip


@st.composite
def parameters(draw, target, hostile):
    """Return some parameters of a classifier for a kind of target, the rest by default."""
    names = draw(st.lists(st.sampled_from(sorted(PARAMETERS)), max_size=4, unique=True))
    params = {}
    for name in names:
        sensible, other = PARAMETERS[name]
        params[name] = draw(st.sampled_from(sensible + other * hostile))
    fits = [name for name, targets in losses.available().items() if target in targets or hostile]
    params["loss"] = draw(st.sampled_from([*fits, "binary_crossentropy"] if hostile else fits))
    params["class_weight"] = draw(st.sampled_from(CLASS_WEIGHTS + HOSTILE_WEIGHTS * hostile))
    if target != "multiclass" and draw(st.integers(0, 4)) == 0:
        params["class_weight"] = None
        params["pos_weight"] = draw(st.sampled_from(["balanced", 3.0] + [1e6, -1.0] * hostile))
    return params | {"epochs": draw(st.integers(1, 2))}


@st.composite
def row_cases(draw):
    """Return a fit with one label a row; the rarest class may have a single row."""
    hostile = draw(hostility)
    n_classes = draw(st.sampled_from([2, 2, 3, 4] + [1] * hostile))
    rare = draw(st.integers(1, 4))
    n = draw(st.integers(rare * n_classes, 40))
    codes = np.zeros(n, int)
    for label in range(1, n_classes):
        codes[(label - 1) * rare : label * rare] = label
    form = draw(st.sampled_from(LABELS))
    y = form(codes)
    if hostile and draw(st.integers(0, 5)) == 0:
        y = y[:-1]
    params = draw(parameters("binary" if n_classes == 2 else "multiclass", hostile))
    return Case(draw(features(n, hostile)), y, draw(weights(n, hostile)), params)


@st.composite
def label_cases(draw):
    """Return a fit with several labels a row, or several candidates."""
    hostile, candidates = draw(hostility), draw(st.booleans())
    n = draw(st.integers(2, 40))
    n_labels = draw(st.integers(1 if hostile else 3 if candidates else 2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    share = draw(st.sampled_from([0.05, 0.3] + [0.0, 1.0] * hostile))
    dtype = draw(st.sampled_from(["int64", "float32", "bool", "uint8"]))
    Y = (rng.random((n, n_labels)) < share).astype(dtype)
    params = draw(parameters("candidates" if candidates else "multilabel", hostile))
    if candidates:
        params["target"] = "candidates"
        if not hostile:
            Y[np.arange(n), np.arange(n) % n_labels] = 1
            params.pop("pos_weight", None)
    return Case(draw(features(n, hostile)), Y, draw(weights(n, hostile)), params)


@contextmanager
def in_time(seconds):
    """Raise a TimeoutError where the block takes longer."""

    def ring(*_):
        raise TimeoutError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(act):
    """Return what an action returns, or None for an error that says what is wrong."""
    with warnings.catch_warnings(), in_time(180):
        warnings.simplefilter("ignore")
        try:
            return act()
        except (ValueError, TypeError) as caught:
            error = caught
    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    assert not any(part in raised_in for part in FOREIGN), (raised_in, str(error))
    assert len(str(error)) > 10
    return None
