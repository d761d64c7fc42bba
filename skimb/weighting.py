"""Class, label and pixel weights computed from targets. Losses that use them are in `losses`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from numbers import Integral, Real
from reprlib import Repr
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils._encode import _encode, _unique
from sklearn.utils.validation import _check_sample_weight

from skimb._warnings import warn_user

Scheme = str | Mapping[Any, float] | ArrayLike | None
Floats = NDArray[np.float64]

__all__ = [
    "class_weights",
    "label_weights",
    "pixel_weights",
    "pos_weights",
    "weight_grid",
]

_SCHEMES = (None, "balanced", "sqrt_balanced", "effective")
_abbreviation = Repr()
_abbreviation.maxlist, _abbreviation.maxstring, _abbreviation.maxother = 10, 60, 100
_brief = _abbreviation.repr


def class_weights(
    y: ArrayLike,
    scheme: Scheme = "balanced",
    *,
    classes: ArrayLike | None = None,
    beta: float = 0.9999,
    sample_weight: ArrayLike | None = None,
    power: float = 1.0,
) -> dict[Any, float]:
    """Compute one weight per class.

    Let n_k be the summed `sample_weight` of class k, N their total and K the number of classes
    with n_k > 0. The schemes are

    - None: 1
    - "balanced": N / (K n_k)
    - "sqrt_balanced": c sqrt(N / (K n_k)), with c such that sum_k n_k w_k = N
    - "effective": (1 - beta) / (1 - beta ** n_k), by the effective number of samples [1]_
    - a dict {class: weight}: missing classes get 1 (a pandas Series is converted to a dict)
    - an array: the weight of each of the sorted classes, of those without samples as well.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels: ints, strings or bools.
    scheme : None, str, dict or array-like of shape (n_classes,), default="balanced"
        Weighting scheme. Computed schemes give weight 1 to a class with n_k = 0.
    classes : array-like of shape (n_classes,), default=None
        All classes, some of which may be absent from `y`. By default those in `y`.
    beta : float in [0, 1), default=0.9999
        Only for "effective": 0 is no weighting, and towards 1 it approaches inverse frequency.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sample in the counts.
    power : float >= 0, default=1.0
        Exponent applied to every weight of the scheme: 0 is no weighting.

    Returns
    -------
    dict
        {class: weight} of Python scalars, in the order of the sorted classes.

    Raises
    ------
    ValueError
        If `y`, the scheme or a key is not accepted, or the weights are not finite, >= 0 and at
        least one > 0.

    References
    ----------
    .. [1] Cui et al. "Class-Balanced Loss Based on Effective Number of Samples". CVPR 2019.

    Examples
    --------
    >>> class_weights(["ok"] * 6 + ["fraud"] * 2)
    {'fraud': 2.0, 'ok': 0.6666666666666666}
    """
    counts = _on_classes(_label_counts(y, sample_weight, "y"), classes, "y")
    return class_weights_from_counts([*counts], [*counts.values()], scheme, beta=beta, power=power)


def class_weights_from_counts(
    classes: ArrayLike,
    counts: ArrayLike,
    scheme: Scheme = "balanced",
    *,
    beta: float = 0.9999,
    power: float = 1.0,
) -> dict[Any, float]:
    """Compute `class_weights` from class counts, such as those accumulated over batches.

    `classes` are distinct labels in any order, and `counts` their summed sample weights, at least
    one > 0. Both have shape (n_classes,). Other parameters, result and errors: see
    `class_weights`.

    Examples
    --------
    >>> class_weights_from_counts(["ok", "fraud"], [6, 2])
    {'fraud': 2.0, 'ok': 0.6666666666666666}
    """
    labels, amounts = _as_array(classes, "classes", (1,)), _check_counts(counts, "counts")
    known = _count(labels, None, "classes")
    if amounts.shape != labels.shape or len(known) != labels.size or not amounts.any():
        raise ValueError(
            "classes must be distinct, and counts a number for each, at least one > 0; got "
            f"classes={_brief(classes)}, counts={_brief(counts)}."
        )
    ordered = np.array([*_count(labels, amounts, "classes").values()])
    weights = _weights(scheme, ordered, [*known], beta, power)
    return dict(zip(known, weights.tolist(), strict=True))


def pos_weights(Y: Any, *, sample_weight: ArrayLike | None = None) -> float | Floats:
    """Compute n_neg / n_pos, the weight of positives that balances positives and negatives.

    Parameters
    ----------
    Y : array-like of shape (n_samples,), or array-like or sparse of shape (n_samples, n_labels)
        Labels of two classes, of which the last in sorted order is positive, where estimators take
        their `pos_label`; or an indicator matrix of 0 and 1, or of bools.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sample in the counts.

    Returns
    -------
    float, or ndarray of shape (n_labels,), float64
        Positive weights; 1, with a UserWarning, for a column with one value only.

    Raises
    ------
    ValueError
        If a 1-D `Y` does not have exactly two labels, or a matrix has values other than 0 and 1.

    Examples
    --------
    >>> pos_weights(["no", "no", "no", "yes"])
    3.0
    """
    Y = _as_array(Y, "Y", (1, 2))
    if Y.ndim == 2:
        return pos_weights_from_counts(*_indicator_counts(Y, sample_weight))
    counts = _label_counts(Y, sample_weight, "Y")
    if len(counts) != 2:
        raise ValueError(
            f"1-D Y must hold two labels, got {_brief([*counts])}. class_weights takes any number."
        )
    return pos_weights_from_counts(*counts.values())


def pos_weights_from_counts(negatives: ArrayLike, positives: ArrayLike) -> float | Floats:
    """Compute `pos_weights` from counts: two numbers, or two arrays of shape (n_labels,).

    Returns 1, with a UserWarning, where a count is 0. Raises ValueError if the shapes differ, or a
    count is negative or not finite.

    Examples
    --------
    >>> pos_weights_from_counts(90, 10)
    9.0
    """
    pairs = _check_counts((negatives, positives), "negatives and positives").T
    pairs[_find_one_valued(pairs)] = 1.0
    ratio = pairs[..., 0] / pairs[..., 1]
    return ratio if pairs.ndim == 2 else float(ratio)


def label_weights(
    Y: Any,
    scheme: Scheme = "balanced",
    *,
    beta: float = 0.9999,
    sample_weight: ArrayLike | None = None,
    power: float = 1.0,
) -> Floats:
    """Compute the weights of 0 and 1 of every label.

    With weights w and y = Y[i, j], label j of sample i has weight y w[j, 1] + (1 - y) w[j, 0].

    Parameters
    ----------
    Y : array-like or sparse of shape (n_samples, n_labels)
        Indicator matrix of 0 and 1, or of bools.
    scheme : None, str, dict or array-like of shape (n_labels, 2), default="balanced"
        A scheme of `class_weights` (see there for the reference), applied to each column; a dict
        {0: a, 1: b} for all labels; or the weights themselves.
    beta, sample_weight, power
        See `class_weights`.

    Returns
    -------
    ndarray of shape (n_labels, 2), float64
        Weights of 0 and 1. If the scheme is computed, a column with one value only gets [1, 1],
        with a UserWarning.

    Raises
    ------
    ValueError
        If `Y` is not a matrix of 0 and 1, or the scheme or its weights are not accepted.

    Examples
    --------
    >>> label_weights([[0], [0], [0], [1]])
    array([[0.66666667, 2.        ]])
    """
    counts = _indicator_counts(_as_array(Y, "Y", (2,)), sample_weight)
    return label_weights_from_counts(*counts, scheme, beta=beta, power=power)


def label_weights_from_counts(
    negatives: ArrayLike,
    positives: ArrayLike,
    scheme: Scheme = "balanced",
    *,
    beta: float = 0.9999,
    power: float = 1.0,
) -> Floats:
    """Compute `label_weights` from the counts of 0s and 1s, each of shape (n_labels,).

    Other parameters, the result of shape (n_labels, 2) and errors: see `label_weights`.

    Examples
    --------
    >>> label_weights_from_counts([3], [1])
    array([[0.66666667, 2.        ]])
    """
    pairs = np.atleast_2d(_check_counts((negatives, positives), "negatives and positives").T)
    weights = _weights(scheme, pairs, [0, 1], beta, power)
    if isinstance(scheme, str):
        weights[_find_one_valued(pairs)] = 1.0
    return weights


def pixel_weights(
    masks: ArrayLike, scheme: Scheme = "balanced", *, classes: ArrayLike | None = None
) -> dict[Any, float]:
    """Compute one weight per class of pixels.

    "median_frequency" [1]_ is median(f) / f_k, where f_k is the proportion of class k in the
    pixels of the images that contain it. The other schemes are those of `class_weights`, with n_k
    the number of pixels.

    Parameters
    ----------
    masks : array-like of shape (n_images, ...)
        A label per pixel, usually (n_images, height, width); not one-hot.
    scheme : None, str, dict or array-like of shape (n_classes,), default="balanced"
        "median_frequency" or a scheme of `class_weights`.
    classes : array-like of shape (n_classes,), default=None
        All classes, some of which may be absent from `masks`.

    Returns
    -------
    dict
        {class: weight} of Python scalars, in the order of the sorted classes.

    Raises
    ------
    ValueError
        If `masks`, the scheme or its weights are not accepted.

    References
    ----------
    .. [1] Eigen, Fergus. "Predicting Depth, Surface Normals and Semantic Labels ...". ICCV 2015.

    Examples
    --------
    >>> pixel_weights([[[0, 0], [0, 1]], [[0, 0], [0, 0]]], "median_frequency")
    {0: 0.6428571428571429, 1: 2.25}
    """
    labels = _as_array(masks, "masks", range(1, 65))
    images = [_count(image, None, "masks") for image in labels.reshape(len(labels), -1)]
    pixels: Counter[Any] = sum(map(Counter, images), Counter())
    known = _on_classes(pixels, classes, "masks")
    if isinstance(scheme, str) and scheme == "median_frequency":
        table = np.array([[image.get(k, 0.0) for k in known] for image in images])
        scheme = median_frequency_from_counts(table)
    elif isinstance(scheme, str) and scheme not in _SCHEMES:
        raise _unknown("class_weight is", scheme, "schemes", (*_SCHEMES, "median_frequency"))
    return class_weights_from_counts([*known], [*known.values()], scheme)


def median_frequency_from_counts(counts: ArrayLike) -> Floats:
    """Compute the "median_frequency" weights of `pixel_weights` from pixel counts.

    Parameters
    ----------
    counts : array-like of shape (n_images, n_classes)
        Number of pixels of each class, or sums of their weights.

    Returns
    -------
    ndarray of shape (n_classes,), float64
        Class weights; 1 for a class that is in no image.
    """
    table = np.asarray(counts, dtype=np.float64)
    pixels = table.sum(axis=0)
    around = np.where(table > 0, table.sum(axis=1, keepdims=True), 0.0).sum(axis=0)
    present = pixels > 0
    share = np.where(present, pixels, 1.0) / np.where(present, around, 1.0)
    return np.where(present, np.median(share[present]) / share, 1.0)


def weight_grid(
    y: ArrayLike, num: int = 8, *, sample_weight: ArrayLike | None = None
) -> list[dict[Any, float]]:
    """Return class weights to search over: balanced ** p, p from 0 to 1, with sum_k n_k w_k = N.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    num : int >= 2, default=8
        Number of dicts: the first is no weighting, the last is "balanced".
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sample in the counts.

    Returns
    -------
    list of dict
        For ``GridSearchCV(estimator, {"class_weight": weight_grid(y)})``.

    Raises
    ------
    ValueError
        If `num` is not an int >= 2, or `y` is not accepted by `class_weights`.

    Examples
    --------
    >>> weight_grid([0, 0, 0, 1], 2)
    [{0: 1.0, 1: 1.0}, {0: 0.6666666666666666, 1: 2.0}]
    """
    if isinstance(num, bool) or not isinstance(num, Integral) or num < 2:
        raise ValueError(f"num must be an int >= 2, got {num!r}.")
    counts = _label_counts(y, sample_weight, "y")
    amounts = np.array([*counts.values()])
    grid = [_balanced(amounts, p).tolist() for p in np.linspace(0, 1, int(num))]
    return [dict(zip(counts, weights, strict=True)) for weights in grid]


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def _balanced(counts: Floats, exponent: float) -> Floats:
    present = counts > 0
    total = counts.sum(axis=-1, keepdims=True)
    weights = np.where(present, total / (present.sum(axis=-1, keepdims=True) * counts), 1.0)
    if exponent == 1:
        return weights
    weights **= exponent
    return np.where(present, weights * total / (counts * weights).sum(-1, keepdims=True), 1.0)


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def _weights(scheme: Any, counts: Floats, labels: list[Any], beta: float, power: float) -> Floats:
    beta, power = _check_number(beta, "beta", 1), _check_number(power, "power")
    # As a dict, since a pandas Series need not be in class order: value_counts() sorts by count.
    given = scheme.to_dict() if hasattr(scheme, "to_dict") else scheme
    if given is None:
        weights = np.ones_like(counts)
    elif isinstance(given, Mapping):
        if unknown := sorted(given.keys() - labels, key=str):
            raise _unknown("class_weight has the key", unknown[0], "classes", labels)
        row = [_check_number(given.get(k, 1.0), f"class_weight[{k!r}]") for k in labels]
        weights = np.tile(row, (*counts.shape[:-1], 1))
    elif not isinstance(given, str):
        items = np.asarray(given, dtype=object)
        if items.shape != counts.shape:
            raise ValueError(
                f"class_weight must be one of {_SCHEMES}, a dict, or numbers of shape "
                f"{counts.shape} in the order of {_brief(labels)}; got {_brief(given)}."
            )
        weights = np.reshape([_check_number(w, "class_weight") for w in items.flat], counts.shape)
    elif given == "effective":
        # expm1, since 1 - beta**n loses all precision where beta**n is near 1.
        weights = np.where(counts > 0, (beta - 1) / np.expm1(counts * np.log(beta)), 1.0)
    elif given in ("balanced", "sqrt_balanced"):
        weights = _balanced(counts, 1.0 if given == "balanced" else 0.5)
    else:
        raise _unknown("class_weight is", given, "schemes", _SCHEMES)
    weights = weights**power
    if not (np.isfinite(weights).all() and weights.any()):
        raise ValueError(f"class_weight must be finite, not all 0; got {_brief(weights.tolist())}.")
    return weights


def _check_number(value: Any, name: str, limit: float = np.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < limit:
        raise ValueError(f"{name} must be a number in [0, {limit}), got {value!r}.")
    return float(value)


def _as_array(values: Any, name: str, dimensions: Iterable[int]) -> Any:
    try:
        array = values.tocsr() if issparse(values) else np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array, got ragged rows.") from error
    if array.ndim not in dimensions or 0 in array.shape:
        raise ValueError(
            f"{name} has shape {array.shape}. class_weights takes 1-D labels, label_weights and "
            "pos_weights an indicator matrix, pixel_weights masks; none of them may be empty."
        )
    # NumPy converts lists such as [1, "a"] and ["a", nan] to strings.
    lossy = array.dtype.kind in "US" and not hasattr(values, "dtype")
    return np.asarray(values, dtype=object) if lossy else array


def _label_counts(y: Any, sample_weight: ArrayLike | None, name: str) -> dict[Any, float]:
    y = _as_array(y, name, (1,))
    weights = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    return _count(y, weights, name)


def _count(labels: NDArray[Any], weights: Floats | None, name: str) -> dict[Any, float]:
    try:
        found, counts = _unique(labels, return_counts=True)
        classes = [k.item() if isinstance(k, np.generic) else k for k in found.tolist()]
        bad = [k for k in classes if k is None or k != k]
        bad = bad or [k for k in classes if isinstance(k, float) and not k.is_integer()]
    except TypeError:
        bad = sorted({type(label).__name__ for label in labels.tolist()})
    if bad:
        raise ValueError(
            f"{name} must hold discrete labels of one type, none missing; got {_brief(bad)}. "
            "Drop those samples or cast the labels."
        )
    if weights is not None:
        codes = _encode(labels, uniques=found, check_unknown=False)
        counts = np.bincount(codes, weights, minlength=len(found))
    return dict(zip(classes, map(float, counts), strict=True))


def _on_classes(counts: Mapping[Any, float], classes: Any, name: str) -> dict[Any, float]:
    known = counts if classes is None else _label_counts(classes, None, "classes")
    if unknown := [label for label in counts if label not in known]:
        raise _unknown(f"{name} has the label", unknown[0], "classes", known)
    return {label: counts.get(label, 0.0) for label in known}


def _indicator_counts(Y: Any, sample_weight: ArrayLike | None) -> tuple[Floats, Floats]:
    data = Y.data if issparse(Y) else Y
    # Objects are compared in a set, since pandas.NA == 0 has no truth value.
    other = data.flat if data.dtype == object else data[(data != 0) & (data != 1)].tolist()
    if other := set(other) - {0, 1}:
        raise ValueError(f"Y must hold 0 and 1 only, got {_brief(sorted(other, key=str))}.")
    weights = _check_sample_weight(sample_weight, Y, dtype=np.float64, ensure_non_negative=True)
    Y, weights = Y[weights > 0].astype(bool), weights[weights > 0]
    rows = np.asarray(Y.sum(axis=0)).ravel()
    positives = rows if sample_weight is None else Y.T @ weights
    # Found by unweighted counts, since a difference of rounded sums is seldom exactly 0.
    negatives = np.where(rows == len(weights), 0.0, np.maximum(weights.sum() - positives, 0.0))
    return negatives, positives


def _check_counts(counts: Any, name: str) -> Floats:
    amounts = _as_array(counts, name, range(3)).astype(np.float64)
    if not (np.isfinite(amounts) & (amounts >= 0)).all():
        raise ValueError(f"{name} must be finite and >= 0, got {_brief(counts)}.")
    return amounts


def _find_one_valued(pairs: Floats) -> NDArray[np.bool_]:
    one_valued = (pairs == 0).any(axis=-1)
    if one_valued.any():
        columns = _brief(np.flatnonzero(one_valued).tolist())
        warn_user(f"Columns {columns} of Y hold one value only and get weight 1.")
    return one_valued


def _unknown(subject: str, value: Any, kind: str, known: Iterable[Any]) -> ValueError:
    by_text = {str(label): label for label in known}
    near = get_close_matches(str(value), by_text, n=1, cutoff=0.7)
    hint = f" Did you mean {by_text[near[0]]!r}?" if near else ""
    return ValueError(f"{subject} {value!r}; known {kind}: {_brief([*by_text.values()])}.{hint}")
