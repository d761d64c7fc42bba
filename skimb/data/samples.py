"""Samples on their way through a fit: features, labels and weights that stay together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from skimb._types import Features
from skimb.data.inputs import Layout


@dataclass(frozen=True)
class Schema:
    """What predictions are held against: the columns of X in `fit`.

    Attributes
    ----------
    n_features : int
        As scikit-learn counts; of images the height.
    names : ndarray of str or None
        As scikit-learn has them: None unless all are text.
    row_shape : tuple of int
        Shape of one sample of X.
    categories : tuple of int, default=()
        Positions of the columns of categories.
    image_shape : tuple or None, default=None
        Shapes of images that are accepted, None in it for any; None is `row_shape`.
    y_dtype : str or None, default=None
        Of the labels as they came.
    label_names : list or None, default=None
        Names of the columns of y.
    inputs : tuple of Schema or None, default=None
        Of each input, where X has several; their names are `names`.
    numbered : list or None, default=None
        Names of the columns of a data frame that are not all text, such as 0 to 4.
    """

    n_features: int
    names: np.ndarray | None
    row_shape: tuple[int, ...]
    categories: tuple[int, ...] = ()
    image_shape: tuple[int | None, ...] | None = None
    y_dtype: str | None = None
    label_names: list[Any] | None = None
    inputs: tuple[Schema, ...] | None = None
    numbered: list[Any] | None = None


@dataclass(frozen=True)
class Samples:
    """Samples as the estimators read them.

    Attributes
    ----------
    X : ndarray, CSR matrix, data frame or Inputs of shape (n_samples, ...)
        A data frame where columns are categories that are still to be encoded; several inputs where
        they are still to be joined.
    y : ndarray of shape (n_samples,), (n_samples, n_labels) or (n_images, height, width)
        Labels; within a fit their codes, see :meth:`skimb.data.targets.Target.codes`.
    weight : ndarray of shape (n_samples,) or (n_images, height, width), float64
        Above 0 for at least one pixel of every sample.
    schema : Schema
    positions : ndarray of int of shape (n_samples,)
        Where they are in the X that was passed.
    n_rows : int
        Rows of that X.
    supplied : bool, default=False
        Whether they are a validation set of the user's own.
    groups : ndarray of shape (n_samples,) or None, default=None
        What a splitter keeps together.
    are_patches : bool, default=False
        Whether they are cut out of larger images, and others in every epoch.
    n_numeric : int or None, default=None
        Of an encoded table, the number of columns at the beginning that are not zeros and ones;
        None is all.
    layout : Layout or None, default=None
        Of encoded samples, where the several inputs are in a row of X.
    """

    X: Features
    y: np.ndarray
    weight: np.ndarray
    schema: Schema
    positions: np.ndarray
    n_rows: int
    supplied: bool = False
    groups: np.ndarray | None = None
    n_numeric: int | None = None
    are_patches: bool = False
    layout: Layout | None = None

    def __len__(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_axes(self) -> int:
        """Axes of X: 2 of a table, 3 or 4 of images."""
        return len(self.X.shape)

    def take(self, indices: np.ndarray) -> Samples:
        """Return some of the samples, by position."""
        return replace(
            self,
            X=take(self.X, indices),
            y=self.y[indices],
            weight=self.weight[indices],
            positions=self.positions[indices],
            groups=None if self.groups is None else self.groups[indices],
        )


def take(X: Features, indices: np.ndarray) -> Features:
    """Return rows of an array, a sparse matrix or a data frame by position."""
    return _safe_indexing(X, indices) if hasattr(X, "columns") else X[indices]
