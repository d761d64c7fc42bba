"""What a user passes, checked: features, labels and weights as samples, and the columns of X."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import _check_sample_weight, _check_y, validate_data

from skimb._backend.tensorflow import check_usable
from skimb._types import Features, Labels, SampleWeight
from skimb.data.columns import (
    check_magnitude,
    check_names,
    check_order,
    column_name,
    is_data_frame,
    numbered_columns,
    warn_of_other_order,
    warn_of_other_rows,
)
from skimb.data.foreign import converted
from skimb.data.inputs import Inputs
from skimb.data.label_checks import warn_of_unlabelled
from skimb.data.labels import checked_labels, checked_masks, in_order_of_columns
from skimb.data.pixel_targets import weight_of_pixels
from skimb.data.samples import Samples, Schema
from skimb.data.tables import categorical_columns, read_table
from skimb.estimators.containers import check_container, check_label_container, inputs_of
from skimb.estimators.image_lists import differ_in_size, padded
from skimb.estimators.shapes import check_axes, check_inputs, check_labels_of, check_numbers

_FLOATS = (np.float64, np.float32)


def read_features(
    estimator: BaseEstimator,
    X: Features,
    y: Labels = "no_validation",
    known: Schema | None = None,
) -> tuple[Features, Any, Schema]:
    """Check X, and y if it is passed, as scikit-learn's ``validate_data`` does.

    Parameters
    ----------
    estimator : estimator
        Whose name and tags the messages and checks follow. Not changed.
    X : array-like, data frame, sparse matrix or tensor, or a dict or list of them
    y : array-like or "no_validation", default="no_validation"
    known : Schema or None, default=None
        The columns that X has to have; None where X decides on them.

    Returns
    -------
    X : ndarray of float32 or float64, CSR matrix, a data frame with categories, or Inputs of these
    y : ndarray or None
    schema : Schema
        Of X.
    """
    check_usable()
    several = inputs_of(X, y, known)
    if several is not None or (known is not None and known.inputs is not None):
        check_label_container(y)
        return _read_inputs(estimator, X if several is None else several, y, known)
    check_container(X, y)
    X = _as_array(X)
    check_names(X)
    numbered = numbered_columns(X)
    if known is not None:
        check_order(X, known.numbered)
        check_axes(estimator, X, known)
    if known is not None and len(getattr(X, "shape", ())) > 2:
        return _read_images(estimator, X, known), _read_y(estimator, X, y), known
    holder = copy.copy(estimator)  # scikit-learn writes what it learns on an estimator
    vars(holder).pop("_state", None)
    if known is not None:
        holder.n_features_in_ = known.n_features
        if known.names is not None:
            holder.feature_names_in_ = known.names
    kind = getattr(getattr(X, "dtype", None), "kind", "")
    if isinstance(X, (list, tuple)) or is_data_frame(X) or kind in tuple("OUSMm"):
        X = read_table(X, training=known is None)
    categories = tuple(categorical_columns(X)) if known is None else known.categories
    if known is not None:
        check_numbers(X, known)
    if categories and not estimator.__sklearn_tags__().input_tags.allow_nan:
        columns = ", ".join(column_name(X, i) for i in categories)
        raise ValueError(
            f"X has categories or text in the columns {columns}, which {type(estimator).__name__} "
            "does not take: could not convert string to float. Encode them, with "
            "sklearn.preprocessing.OneHotEncoder for instance."
        )
    if categories and isinstance(X, (list, tuple)):  # of arrays, each a sample
        X = np.array(X, dtype=object)
    if categories:
        X = _read_frame(holder, X, reset=known is None)
        y = _read_y(estimator, X, y)
    else:
        X, y = _read_numbers(holder, X, y, reset=known is None)
    names = getattr(holder, "feature_names_in_", None)
    row_shape = tuple(X.shape[1:])
    return X, y, Schema(holder.n_features_in_, names, row_shape, categories, numbered=numbered)


def read_samples(
    estimator: BaseEstimator,
    X: Features,
    y: Labels,
    sample_weight: SampleWeight = None,
    known: Schema | None = None,
) -> Samples:
    """Check features, labels and weights, and leave samples of weight 0 out.

    Parameters
    ----------
    estimator, X, known
        As in :func:`read_features`.
    y : array-like of shape (n_samples,) or (n_samples, n_labels), or "no_validation"
        The latter where nothing is labelled.
    sample_weight : array-like of shape (n_samples,) or None, default=None
    """
    warn_of_other_rows(X, y=y, sample_weight=sample_weight)
    names = None if known is None else known.label_names
    y = in_order_of_columns(y, names)
    names = list(y.columns) if names is None and hasattr(y, "columns") else names
    X, y, schema = read_features(estimator, X, y, known)
    labels = np.zeros(X.shape[0], np.int32) if y is None else checked_labels(y)
    weight = np.ones(X.shape[0])
    if sample_weight is not None:
        weight = checked_sample_weight(sample_weight, X.shape[0])
    schema = replace(schema, y_dtype=labels.dtype.str, label_names=names)
    return _weighted(Samples(X, labels, weight, schema, np.arange(X.shape[0]), X.shape[0]))


@contextmanager
def of_validation_set() -> Iterator[None]:
    """Let errors about X, y and weights say that they are those of the validation set."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"In the validation set, X_val and y_val: {error}") from error
    except TypeError as error:
        raise TypeError(f"In the validation set, X_val and y_val: {error}") from error


def read_masks(
    estimator: BaseEstimator,
    X: Features,
    y: Labels,
    sample_weight: SampleWeight = None,
    known: Schema | None = None,
) -> Samples:
    """Check images, masks and weights, and leave images of weight 0 out.

    Parameters
    ----------
    estimator, X, known
        As in :func:`read_features`.
    y : array-like of shape (n_images, height, width)
    sample_weight : array-like of shape (n_images,) or (n_images, height, width), default=None
    """
    if differ_in_size(X):
        X, y, sample_weight = padded(X, y, sample_weight)  # type: ignore[arg-type]
    check_images(X)
    y = checked_masks(y)
    X, _, schema = read_features(estimator, X, known=known)
    check_consistent_length(X, y)
    if y.shape != X.shape[:3]:
        first = X.ndim == 4 and y.shape[1:] == X.shape[2:]
        hint = " Channels come last: pass np.moveaxis(X, 1, -1)." if first else ""
        raise ValueError(
            f"y has masks of shape {y.shape[1:]}, but X images of shape {X.shape[1:3]}. There "
            f"has to be a label for each pixel.{hint}"
        )
    weight = _weights_of_masks(sample_weight, y.shape)
    if estimator.ignore_label is not None:
        weight = weight_of_pixels(weight, y.shape) * (y != estimator.ignore_label)
        if not weight.any():
            raise ValueError(
                "y has no pixel of weight besides those of "
                f"ignore_label={estimator.ignore_label!r}, the label of pixels of unknown class. "
                "Set it to None if their class is known."
            )
    else:
        warn_of_unlabelled(y)
    schema = replace(schema, y_dtype=y.dtype.str)
    samples = _weighted(Samples(X, y, weight, schema, np.arange(len(X)), len(X)))
    if weight.ndim == 1:
        return samples
    masks = _with_known_labels(samples.y, samples.weight)
    return replace(samples, y=masks)


def checked_sample_weight(sample_weight: SampleWeight, n_samples: int) -> np.ndarray:
    """Return a weight for each sample, float64.

    Raises
    ------
    TypeError, ValueError
        If these are no weights of samples.
    """
    if isinstance(sample_weight, (str, Mapping)):
        raise TypeError(
            f"sample_weight={sample_weight!r} is not a number for each sample. Weights by label, "
            "and names such as 'balanced', are the parameter class_weight of the estimator."
        )
    if isinstance(sample_weight, (list, tuple)):
        sample_weight = np.asarray(sample_weight)
    shape = tuple(getattr(sample_weight, "shape", ()))
    if len(shape) > 1:
        column = shape == (n_samples, 1)
        cure = "np.ravel(sample_weight)" if column else "sample_weight.mean(axis=1), for instance"
        raise ValueError(
            f"sample_weight has the shape {shape}, but Sample weights must be 1D array or scalar: "
            f"a number for each of {n_samples} samples. Pass {cure}. Weights of labels are the "
            "parameters class_weight and pos_weight of the estimator."
        )
    try:
        # a copy, as a fitted estimator keeps the weights of held-out samples
        weight = np.array(np.ma.filled(np.ma.asarray(sample_weight, dtype=np.float64), np.nan))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"sample_weight has to be a number for each of {n_samples} samples: {error}. A sample "
            "without a weight of its own has the weight 1."
        ) from error
    if not weight.ndim:
        weight = np.full(n_samples, weight)
    shape = weight.shape
    if shape[0] != n_samples:
        raise ValueError(
            f"sample_weight.shape == {shape}, expected {(n_samples,)}: a weight for each sample of "
            "X. Cut it as X was cut, by the same indices."
        )
    if np.isnan(weight).any():
        raise ValueError(
            f"Input sample_weight contains NaN, {int(np.isnan(weight).sum())} times. Fill it in, "
            "with 1 for instance, or with 0 to leave these samples out."
        )
    if (weight < 0).any():
        raise ValueError(
            f"Negative values in data passed to `sample_weight`, {int((weight < 0).sum())} times. "
            "A weight says how often a sample counts: 0 leaves it out."
        )
    return _check_sample_weight(weight, np.empty(n_samples), dtype=np.float64)


def weight_argument(
    sample_weight: SampleWeight, X: Features, known: Schema
) -> dict[str, np.ndarray]:
    """Return weights as an argument of a score, none where there are none."""
    if sample_weight is None:
        return {}
    several = inputs_of(X, known=known)
    X = X if several is None else several
    n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
    return {"sample_weight": checked_sample_weight(sample_weight, n_samples)}


def check_images(X: Features) -> None:
    """Raise a ValueError if X is not an array of images."""
    check_container(X)
    shape = np.shape(X) if hasattr(X, "shape") else (0, 0, 0)
    if len(shape) not in (3, 4):
        cure = "Give a single image as X[np.newaxis]."
        if len(shape) > 4:
            cure = "Volumes are not taken: pass slices, with their neighbours as channels."
        raise ValueError(
            f"X has the shape {shape}. Accepted are images of shape (n, height, width) or "
            f"(n, height, width, channels). {cure}"
        )


def _read_inputs(
    estimator: BaseEstimator, X: Inputs | Features, y: Labels, known: Schema | None
) -> tuple[Inputs, Any, Schema]:
    """Check several inputs, each as it would be checked alone, and y if it is passed."""
    check_inputs(X, known)
    names = X.names if known is None or known.names is None else tuple(known.names)
    X = Inputs(list(X.parts) if names is None else {name: X[name] for name in names})
    warn_of_other_order(X)
    schemas = (None if known is None else known.inputs) or [None] * len(X.parts)
    found = [_read_input(estimator, *each) for each in zip(X.labels, X.parts, schemas, strict=True)]
    y = _read_y(estimator, X, y)
    schema = Schema(
        n_features=len(found),
        names=None if names is None else np.array(names, dtype=object),
        row_shape=(len(found),),
        inputs=tuple(schema for _, schema in found),
    )
    return X.with_parts([part for part, _ in found]), y, schema


def _read_input(
    estimator: BaseEstimator, label: str, part: Features, known: Schema | None
) -> tuple[Features, Schema]:
    try:
        part, _, schema = read_features(estimator, part, known=known)
    except ValueError as error:
        raise ValueError(f"The input {label} of X: {error}") from error
    except TypeError as error:
        raise TypeError(f"The input {label} of X: {error}") from error
    return part, schema


def _as_array(X: Features) -> Any:
    """Return tensors, masked arrays and lists of images as arrays, arrow tables as data frames."""
    X = converted(X)
    if isinstance(X, np.ma.MaskedArray):  # whose mask np.asarray drops
        kind = X.dtype.kind
        filled = X.dtype if kind == "f" else np.float64 if kind in "biu" else object
        return np.ma.filled(X.astype(filled), np.nan)
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        X = list(X) if len(X) and np.ndim(X[0]) > 1 else X  # of images, as a column of a frame is
    if isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) > 1:
        try:
            return np.asarray(X)
        except ValueError as error:
            shapes = sorted({np.shape(image) for image in X})[:3]
            raise ValueError(
                f"X is a list of images of different shapes, {', '.join(map(str, shapes))}. All "
                "images of a call need one shape: cut or pad them, or go through them one by one. "
                "Of a segmenter only height and width may differ."
            ) from error
    return X


def _read_y(estimator: BaseEstimator, X: Features, y: Labels) -> np.ndarray | None:
    if isinstance(y, str):
        return None
    check_labels_of(X, y)
    return _check_y(y, multi_output=True, estimator=estimator)


def _read_images(estimator: BaseEstimator, X: Features, known: Schema) -> np.ndarray:
    dtype = np.float64 if X.dtype == np.float64 else np.float32
    return check_array(X, allow_nd=True, dtype=dtype, estimator=estimator, input_name="X")


def _read_frame(holder: BaseEstimator, X: Features, *, reset: bool) -> Features:
    if len(getattr(X, "shape", ())) != 2:
        raise ValueError(
            f"X is expected to be a 2-dimensional table, as in fit; got {type(X).__name__}."
        )
    validate_data(holder, X, reset=reset, skip_check_array=True)
    return X


def _read_numbers(holder: BaseEstimator, X: Features, y: Labels, *, reset: bool) -> tuple[Any, Any]:
    shape = getattr(X, "shape", ())
    image = len(shape) > 2
    dense_table = not image and not sp.issparse(X) and not hasattr(X, "sparse")
    if not isinstance(y, str) and y is not None:
        check_labels_of(X, y)
    takes_gaps = dense_table and holder.__sklearn_tags__().input_tags.allow_nan
    try:
        checked = validate_data(
            holder,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            allow_nd=True,
            dtype=np.float32 if image and X.dtype != np.float64 else _FLOATS,
            ensure_all_finite="allow-nan" if takes_gaps else True,
            **({} if isinstance(y, str) else {"multi_output": True}),
        )
    except ValueError as error:
        if "infinity" in str(error) and dense_table:
            check_magnitude(X, X)
        if "Input X contains NaN" not in str(error):
            raise
        raise ValueError(
            "X has missing values (NaN). Only ImbalancedNNClassifier accepts them, and only in "
            "dense tables: fill them in, with sklearn.impute.SimpleImputer for instance."
        ) from error
    found, y = (checked, None) if isinstance(y, str) else checked
    if dense_table:
        check_magnitude(found, X)
    return found, y


def _weighted(samples: Samples) -> Samples:
    """Return the samples that have a weight."""
    weight = samples.weight
    kept = weight.reshape(len(weight), -1).any(axis=1)
    if not kept.any():
        unit = "image" if weight.ndim > 1 else "sample"
        raise ValueError(f"sample_weight has nothing but zero weights, so no {unit} is left.")
    return samples if kept.all() else samples.take(np.flatnonzero(kept))


def _weights_of_masks(sample_weight: SampleWeight, shape: tuple[int, ...]) -> np.ndarray:
    if sample_weight is None:
        return np.ones(shape[0])
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape == ():
        weight = np.full(shape[0], weight)
    if weight.shape == shape and np.ptp(weight) == 0:
        weight = weight[:, 0, 0]
    if weight.shape not in (shape[:1], shape):
        raise ValueError(
            f"sample_weight has the shape {weight.shape}. Accepted are a weight an image, "
            f"{shape[:1]}, or a weight a pixel, {shape}."
        )
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError("sample_weight has to be finite and at least 0.")
    return weight


def _with_known_labels(y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return masks in which pixels of weight 0 have a label that others have too."""
    void = weight == 0
    if not void.any():
        return y
    labels, counts = np.unique(y[~void], return_counts=True)
    return np.where(void, labels[np.argmax(counts)], y)
