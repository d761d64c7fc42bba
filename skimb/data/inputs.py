"""Several inputs of one network: a container that scikit-learn indexes, and one row per sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NoReturn, Self

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing

from skimb._types import Features
from skimb.data.foreign import converted


class Inputs:
    """Several inputs of one network, to which scikit-learn can apply its folds.

    :class:`skimb.ImbalancedNNClassifier` with a network of your own takes a dict or a list of
    arrays as X, too. scikit-learn's searches, splits and scores index X by samples, which a dict
    and a list of arrays do not allow. This container does: ``X[rows]`` takes samples of every
    input, and ``X["table"]`` is one of them, as with the columns of a data frame. Pass it to `fit`,
    `predict` and ``cross_val_score(clf, X, y)`` as any other X.

    Parameters
    ----------
    parts : dict of str to array-like, or list of array-like
        Tables, sparse matrices, images or sequences with the same samples in the same order. A dict
        names the inputs, as ``keras.Input(..., name="table")`` does; a list has them in the order
        of the inputs of the network. Data frames and arrays are kept as they are, without a copy.

    Attributes
    ----------
    parts : tuple of {ndarray, data frame, sparse matrix}
    names : tuple of str or None
        None of a list.
    shape : tuple of int
        Number of samples, and number of inputs.

    Raises
    ------
    TypeError
        If the parts are no dict or list, or one of them is not an array.
    ValueError
        If there are no parts, or they differ in the number of samples.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skimb.data import Inputs
    >>> table = pd.DataFrame({"age": [30, 40, 50], "city": ["Rome", "Oslo", "Rome"]})
    >>> X = Inputs({"table": table, "image": np.zeros((3, 8, 8, 1))})
    >>> X.shape
    (3, 2)
    >>> X[[0, 2]]["image"].shape
    (2, 8, 8, 1)
    """

    def __init__(self, parts: Mapping[str, Features] | Sequence[Features]) -> None:
        if not isinstance(parts, (Mapping, list, tuple)):
            raise TypeError(
                f"Inputs got a {type(parts).__name__}. Accepted are a dict of arrays by the names "
                "of the inputs, and a list of arrays in their order."
            )
        named = isinstance(parts, Mapping)
        if named and not all(isinstance(name, str) for name in parts):
            raise TypeError(
                f"Inputs got the names {list(parts)}. Names are text, those of the inputs of the "
                'network: keras.Input(shape, name="table").'
            )
        self.names: tuple[str, ...] | None = tuple(parts) if named else None
        values = parts.values() if isinstance(parts, Mapping) else parts
        self.parts = tuple(map(_as_array, self.labels_of(len(parts)), values))
        if not self.parts:
            raise ValueError("Inputs got no arrays. Pass one for each input of the network.")
        lengths = [int(part.shape[0]) for part in self.parts]
        if len(set(lengths)) > 1:
            shown = ", ".join(
                f"{n} in {name}" for n, name in zip(lengths, self.labels, strict=True)
            )
            raise ValueError(
                f"The inputs of X have different numbers of samples, {shown}: found input "
                "variables with inconsistent numbers of samples. Every sample needs all inputs, in "
                "the same order."
            )

    @property
    def labels(self) -> list[str]:
        """Names of the inputs as messages show them, and positions where they have none."""
        return self.labels_of(len(self.parts))

    def labels_of(self, n_parts: int) -> list[str]:
        """Return the names of the first inputs as messages show them."""
        return [str(i) for i in range(n_parts)] if self.names is None else [*map(repr, self.names)]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples, and number of inputs."""
        return int(self.parts[0].shape[0]), len(self.parts)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Return samples by positions, a slice or a mask; or an input by its name."""
        if isinstance(key, str):
            named = dict(zip(self.names or self.labels, self.parts, strict=True))
            if key not in named:
                raise KeyError(f"X has no input {key!r}. Its inputs are {', '.join(self.labels)}.")
            return named[key]
        if isinstance(key, tuple):  # as scikit-learn indexes an array, X[positions, ...]
            key = key[0]
        if np.ndim(key) == 0 and not isinstance(key, slice):
            key = [key]
        return self.with_parts([_safe_indexing(part, key) for part in self.parts])

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"X has {len(self.parts)} inputs, {', '.join(self.labels)}, which are not one array. "
            "Scale, fill in or select columns of a table before it becomes an input: "
            'Inputs({"table": scaler.fit_transform(table), "image": images}).'
        )

    def __repr__(self) -> str:
        shapes = zip(self.labels, self.parts, strict=True)
        return f"Inputs({', '.join(f'{name}: {tuple(part.shape)}' for name, part in shapes)})"

    def with_parts(self, parts: Sequence[Features]) -> Self:
        """Return the container of other arrays with the same names."""
        return type(self)(
            parts if self.names is None else dict(zip(self.names, parts, strict=True))
        )


@dataclass(frozen=True)
class Layout:
    """Where each input is in the one row that stands for a sample of several inputs.

    Attributes
    ----------
    names : tuple of str or None
    shapes : tuple of tuple of int
        Of one sample of each input.
    """

    names: tuple[str, ...] | None
    shapes: tuple[tuple[int, ...], ...]

    @property
    def widths(self) -> list[int]:
        """Values that each input has in a row."""
        return [int(np.prod(shape)) for shape in self.shapes]

    @property
    def width(self) -> int:
        """Values of a row."""
        return sum(self.widths)

    @property
    def borders(self) -> list[int]:
        """Where one input ends in a row and the next begins."""
        return list(accumulate(self.widths))[:-1]

    def joined(self, parts: Sequence[Features]) -> np.ndarray:
        """Return inputs as rows, float32 of shape (n_samples, width)."""
        row = np.empty((parts[0].shape[0], self.width), dtype=np.float32)
        for part, into in zip(parts, np.split(row, self.borders, axis=1), strict=True):
            into[:] = part.toarray() if sp.issparse(part) else part.reshape(len(part), -1)
        return row

    def apart(self, row: np.ndarray) -> list[np.ndarray]:
        """Return the inputs that rows were joined from, float32."""
        parts = np.split(row, self.borders, axis=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def by_name(self, values: Sequence[Any]) -> Any:
        """Return a value for each input as X has them, as a dict or a list."""
        return list(values) if self.names is None else dict(zip(self.names, values, strict=True))


def refuse_several(X: Inputs, receiver: str) -> NoReturn:
    """Raise the error about several inputs where there can be but one.

    Parameters
    ----------
    X : Inputs
    receiver : str
        What has one input.
    """
    shapes = ", ".join(str(tuple(part.shape)) for part in X.parts)
    kind = "list" if X.names is None else "dict"
    raise ValueError(
        f"X is a {kind} of {len(X.parts)} inputs, of the shapes {shapes}, but {receiver} has one "
        "input. Join tables to one: np.hstack([...]), or pd.concat([...], axis=1) of data frames. "
        "Or give ImbalancedNNClassifier a network of your own with as many inputs: model=keras."
        "Model([input_1, input_2], output), or a function that builds it."
    )


def _as_array(label: str, part: Any) -> Features:
    """Return an input as an array, a data frame or a sparse matrix, which have a shape."""
    part = converted(part)
    if isinstance(part, (list, tuple)):
        try:
            part = np.asarray(part)
        except ValueError as error:
            raise ValueError(
                f"The input {label} of X is a {type(part).__name__} whose elements differ in "
                "shape. Cut or pad them, and pass an array."
            ) from error
    if not getattr(part, "shape", ()):
        raise TypeError(
            f"The input {label} of X is a {type(part).__name__}. Each input is an array, a data "
            "frame or a sparse matrix that holds all samples."
        )
    return part
