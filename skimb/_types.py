"""Names for what is passed around, where the type itself says little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from numpy.typing import ArrayLike, DTypeLike

#: a tensor of the Keras backend in use, symbolic or not, or an array
Tensor: TypeAlias = Any

#: an array of any number of axes, a sparse matrix, or a data frame of pandas or polars; of several
#: inputs a dict, a list or `skimb.data.Inputs` of these
Features: TypeAlias = Any

#: labels of any type of shape (n_samples,), an indicator matrix, or masks (n_images, H, W)
Labels: TypeAlias = Any

#: a class label, of any type that sorts
Label: TypeAlias = Any

#: weights of samples or pixels, or None
SampleWeight: TypeAlias = ArrayLike | None

#: a fitted estimator of scikit-learn's interface
Estimator: TypeAlias = Any

#: a number, or an array with one for each class or label
PerClass: TypeAlias = Any

#: a name, or a function
Activation: TypeAlias = str | Callable[[Any], Any] | None

#: a dtype, or a dtype policy of Keras
DType: TypeAlias = DTypeLike | Any
