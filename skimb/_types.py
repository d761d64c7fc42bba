"""Names for what is passed around, where the type itself says little."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.model_selection import BaseCrossValidator

#: a tensor of the Keras backend in use, symbolic or not, or an array
Tensor: TypeAlias = Any

#: an array of any number of axes, a sparse matrix, or a data frame of pandas or polars; of several
#: inputs a dict, a list or `skimb.data.Inputs` of these
Features: TypeAlias = Any

#: what yields batches of samples, see `skimb.data.streams.is_stream`
Stream: TypeAlias = Any

#: labels of any type of shape (n_samples,), an indicator matrix, or masks (n_images, H, W)
Labels: TypeAlias = Any

#: a class label, of any type that sorts
Label: TypeAlias = Any

#: weights of samples or pixels, or None
SampleWeight: TypeAlias = ArrayLike | None

#: a fitted estimator of scikit-learn's interface
Estimator: TypeAlias = Any

#: the group of each sample, of any type, or None
Groups: TypeAlias = ArrayLike | None

#: all labels there may be, or None
Classes: TypeAlias = ArrayLike | None

#: folds as scikit-learn takes them: a number, a splitter, or pairs of positions; "auto" or None
CV: TypeAlias = int | BaseCrossValidator | Iterable[tuple[ArrayLike, ArrayLike]] | str | None

#: of scikit-learn's interface
RandomState: TypeAlias = int | np.random.RandomState | None

#: what Keras tells callbacks of an epoch or batch
Logs: TypeAlias = dict[str, Any] | None

#: a number, or an array with one for each class or label
PerClass: TypeAlias = Any

#: a name, or a function
Activation: TypeAlias = str | Callable[[Any], Any] | None

#: a dtype, or a dtype policy of Keras
DType: TypeAlias = DTypeLike | Any
