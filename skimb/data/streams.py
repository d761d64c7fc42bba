"""Streams: batches of samples that are gone through once a pass and never held as a whole."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import keras
import numpy as np
import scipy.sparse as sp
import tensorflow as tf

from skimb._types import Features, Labels, SampleWeight, Stream
from skimb.data.foreign import converted
from skimb.data.inputs import Inputs
from skimb.data.samples import Samples, Schema

Item = TypeVar("Item")

#: of the features of a block, which is read, shuffled and trained on together
STREAM_BLOCK_BYTES = 2**24

_ONE_PASS = (
    "X is a {kind}, which can be gone through once, but a fit goes through its samples several "
    "times. Pass the function that returns it (fit(batches) in the place of fit(batches())), a "
    "tf.data.Dataset, a keras.utils.PyDataset or another object that begins anew with every "
    "iter(X); or train on a part at a time with partial_fit:\n"
    "for X_part, y_part in data: clf.partial_fit(X_part, y_part, classes=all_classes)"
)


class Batch(NamedTuple):
    """A part of a stream: features, and labels and weights if there are any."""

    X: Features
    y: Labels = None
    sample_weight: SampleWeight = None


@dataclass(frozen=True)
class SampleStream:
    """Samples that are read, block by block, in every pass through them.

    Attributes
    ----------
    source : object
        As :func:`is_stream` accepts it.
    read : callable
        ``read(X, y, sample_weight, schema)`` checks a block, and returns its samples.
    reader : ThreadPoolExecutor
        Of one thread, which reads the next block while the last one is trained on. It is one for
        all passes: memory that a thread has freed is not given to the next one.
    schema : Schema or None, default=None
        The columns that X has to have; None where the first block decides on them.
    """

    source: Stream
    read: Callable[[Features, Labels, SampleWeight, Schema | None], Samples]
    reader: ThreadPoolExecutor
    schema: Schema | None = None

    def blocks(self, n_rows: int | None = None) -> Iterator[Samples]:
        """Yield the samples of a pass in blocks of a number of rows, the last one of fewer.

        Parameters
        ----------
        n_rows : int or None, default=None
            None is what fits into a block by its bytes.

        Raises
        ------
        ValueError, TypeError
            If the stream does not yield samples with labels.
        """
        schema = self.schema
        blocks = gathered(labelled(passed_through(self.source)), n_rows)
        for X, y, sample_weight in read_ahead(blocks, self.reader):
            if sample_weight is not None and not np.any(sample_weight):
                continue  # of which nothing counts, where `read` expects something that does
            samples = self.read(X, y, sample_weight, schema)
            schema = samples.schema if schema is None else schema
            yield samples


def is_stream(X: Features | Stream) -> bool:
    """Whether X yields batches of samples, and holds none itself.

    Parameters
    ----------
    X : object
        Streams are :class:`tf.data.Dataset`, :class:`keras.utils.PyDataset`, functions that return
        an iterator, and objects that can be gone through and are no container of samples, as a
        ``DataLoader`` of PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.data.streams import is_stream
    >>> is_stream(lambda: iter([(np.zeros((5, 2)), np.zeros(5))])), is_stream(np.zeros((5, 2)))
    (True, False)
    """
    if isinstance(X, (tf.data.Dataset, keras.utils.PyDataset, Iterator)):
        return True
    if isinstance(X, (list, tuple, range, set, frozenset, Mapping)) or np.isscalar(X) or X is None:
        return False
    known = ("shape", "__array__", "__array_interface__", "__dataframe__", "dtypes", "ndim")
    if isinstance(X, type) or type(X).__name__ == "LazyFrame" or keras.ops.is_tensor(X):
        return False
    if any(hasattr(X, name) for name in known):
        return False
    return _is_iterable(X) or _is_function(X)


def _is_function(X: object) -> bool:
    return inspect.isroutine(X) or isinstance(X, partial)


def check_passes(stream: Stream) -> None:
    """Raise a TypeError or a ValueError if a stream can be gone through once only, or never ends.

    Parameters
    ----------
    stream : object
        As :func:`is_stream` accepts it.
    """
    if isinstance(stream, Iterator):
        raise TypeError(_ONE_PASS.format(kind=type(stream).__name__))
    if isinstance(stream, tf.data.Dataset):
        endless = int(stream.cardinality()) == tf.data.INFINITE_CARDINALITY
    else:
        endless = isinstance(stream, keras.utils.PyDataset) and stream.num_batches is None
    if endless:
        raise ValueError(
            f"X is a {type(stream).__name__} without an end, but an epoch is a pass through all "
            "samples. Leave out repeat(), or pass a part that ends, such as X.take(1000)."
        )


def passed_through(stream: Stream) -> Iterator[Any]:
    """Yield the elements of a stream, from its beginning to its end."""
    if isinstance(stream, tf.data.Dataset):
        yield from stream.as_numpy_iterator()
    elif isinstance(stream, keras.utils.PyDataset):
        stream.on_epoch_begin()
        for index in range(len(stream)):
            yield stream[index]
        stream.on_epoch_end()
    else:
        yield from _returned(stream) if _is_function(stream) else stream


def _returned(function: Callable[[], Any]) -> Iterator[Any]:
    """Return the iterator that a function makes.

    Raises
    ------
    TypeError
        If it returns samples, or nothing, in the place of an iterator of batches.
    """
    found = function()
    if isinstance(found, (tf.data.Dataset, keras.utils.PyDataset)):
        return passed_through(found)
    samples = found[0] if isinstance(found, tuple) and found else found
    if isinstance(found, (str, bytes)) or hasattr(samples, "shape") or not _is_iterable(found):
        raise TypeError(
            f"X is a function that returns a {type(found).__name__}, but a function is a stream if "
            "it returns an iterator of batches. Let it yield them, as yield X_part, y_part, or "
            "pass all samples, as fit(X, y)."
        )
    return iter(found)


def _is_iterable(values: object) -> bool:
    return isinstance(values, Iterable) or hasattr(values, "__getitem__")


def labelled(elements: Iterable[Any]) -> Iterator[Batch]:
    """Yield the batches of a stream of samples with labels.

    Raises
    ------
    ValueError, TypeError
        If an element is no batch ``(X, y)`` or ``(X, y, sample_weight)``.
    """
    for element in elements:
        if not isinstance(element, (tuple, list)) or len(element) not in (2, 3):
            kind = type(element).__name__
            of = f" of {len(element)} elements" if isinstance(element, (tuple, list)) else ""
            raise TypeError(
                f"X yields a {kind}{of}, but a stream to train on, or to score, yields batches "
                "(X, y) or (X, y, sample_weight). Make such tuples of it, with map for instance."
            )
        yield _checked(*element)


def features(elements: Iterable[Any]) -> Iterator[Batch]:
    """Yield the batches of a stream of samples, whose labels and weights are left out."""
    for element in elements:
        with_labels = isinstance(element, (tuple, list)) and 0 < len(element) < 4
        if with_labels and len(getattr(element[0], "shape", ())) > 1:
            element = element[0]
        yield _checked(element)


def _checked(X: Features, y: Labels = None, sample_weight: SampleWeight = None) -> Batch:
    """Return a batch of arrays or data frames.

    Raises
    ------
    ValueError, TypeError
        If these are no batches, but single samples, or inputs by name.
    """
    if isinstance(X, Inputs) or (isinstance(X, Mapping) and not hasattr(X, "shape")):
        labels = X.labels if isinstance(X, Inputs) else map(repr, X)
        raise TypeError(
            f"X yields the inputs {', '.join(labels)}, but a stream has one input. Make a table of "
            "them, as dataset.map(lambda X, y: (tf.stack(list(X.values()), axis=1), y))."
        )
    X, y, sample_weight = (_kept(_as_array(part)) for part in (X, y, sample_weight))
    if not hasattr(X, "shape"):
        _check_values("X", X)
    if len(getattr(X, "shape", (0, 0))) < 2:
        raise ValueError(
            f"X yields features of shape {X.shape}, single samples or values, but a stream yields "
            "batches of samples, of shape (n, ...). Call dataset.batch(256), or pass "
            "torch.utils.data.DataLoader(dataset, batch_size=256)."
        )
    for name, part in (("y", y), ("sample_weight", sample_weight)):
        if part is not None:
            _check_values(name, part)
    if hasattr(y, "shape") and len(y.shape) == 2 and y.shape[1] == 1 and not hasattr(y, "columns"):
        y = y[:, 0]  # as Keras's loaders of images have it
    return Batch(X, y, sample_weight)


def _check_values(name: str, values: Any) -> None:
    """Raise a TypeError if a part of a batch has no values for samples."""
    shape = getattr(values, "shape", None)
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__len__") or shape == ():
        raise TypeError(
            f"X yields batches whose {name} is a {type(values).__name__}, but each part of a batch "
            "is an array, a data frame or a list with a value for each sample."
        )


def _as_array(values: Any) -> Any:
    """Return tensors as arrays, tables of arrow as data frames, and TensorFlow's texts as text."""
    values = converted(values)
    objects = isinstance(values, np.ndarray) and values.dtype == object and values.size
    if objects and isinstance(values.flat[0], bytes):
        return np.array([text.decode() for text in values.flat], object).reshape(values.shape)
    return values


def _kept(values: Any) -> Any:
    """Return values that stay as they are where a stream fills its arrays anew for each batch."""
    if isinstance(values, (list, tuple)):
        return [_kept(value) for value in values]
    return values.copy() if hasattr(values, "copy") else values


def gathered(batches: Iterable[Batch], n_rows: int | None = None) -> Iterator[Batch]:
    """Yield the samples of batches of any size in blocks of one size, the last one smaller.

    Parameters
    ----------
    batches : iterable of Batch
    n_rows : int or None, default=None
        Of a block. None is what fits into `STREAM_BLOCK_BYTES`.

    Raises
    ------
    ValueError
        If X, y and the weights of a batch differ in length, or batches do not go together, see
        :func:`joined`.
    """
    parts: list[Batch] = []
    waiting = 0
    for batch in batches:
        length = _length(batch)
        if not length:
            continue
        n_rows = rows_of_block(batch.X) if n_rows is None else n_rows
        start = 0
        while start < length:
            rows = slice(start, min(length, start + n_rows - waiting))
            parts.append(_rows(batch, rows))
            waiting += rows.stop - start
            start = rows.stop
            if waiting == n_rows:
                yield joined(parts)
                parts, waiting = [], 0
    if parts:
        yield joined(parts)


def rows_of_block(X: Features) -> int:
    """Return how many samples such as these make a block."""
    itemsize = getattr(getattr(X, "dtype", None), "itemsize", 8)
    shape = X.shape if hasattr(X, "shape") else (len(X), np.size(X[0]))
    return max(1, STREAM_BLOCK_BYTES // max(1, int(np.prod(shape[1:])) * itemsize))


def joined(parts: list[Batch]) -> Batch:
    """Return batches as one.

    Raises
    ------
    ValueError
        If the samples of the batches differ in shape or in columns, the labels in kind, or some
        have weights.
    """
    if len(parts) == 1:
        return parts[0]
    parts = [
        part._replace(X=X, y=y)
        for part, X, y in zip(
            parts,
            _with_columns_of_first("X", [part.X for part in parts]),
            _with_columns_of_first("y", [part.y for part in parts]),
            strict=True,
        )
    ]
    shapes = {getattr(part.X, "shape", (0,))[1:] for part in parts}
    if len(shapes) > 1:
        raise ValueError(
            f"X yields batches with samples of different shapes, {sorted(shapes)}. All samples "
            "need one shape: cut or pad them."
        )
    if len({_holds_text(part.y) for part in parts}) > 1:
        raise ValueError(
            "X yields some batches whose labels are text, and some whose labels are numbers. Make "
            "them one kind."
        )
    given = [part.sample_weight is not None for part in parts]
    if any(given) and not all(given):
        raise ValueError(
            "X yields some batches with sample weights, (X, y, sample_weight), and some without. "
            "Pass weights of 1 where there are no others."
        )
    return Batch(
        *(None if c[0] is None else concatenated(list(c)) for c in zip(*parts, strict=True))
    )


def _with_columns_of_first(name: str, tables: list[Any]) -> list[Any]:
    """Return data frames with their columns in one order; anything else is unchanged.

    Raises
    ------
    ValueError, TypeError
        If they have different columns, or some are no data frames.
    """
    columns = [list(table.columns) if hasattr(table, "columns") else None for table in tables]
    first = columns[0]
    for found in columns:
        if (found is None) != (first is None):
            raise TypeError(
                f"X yields some batches whose {name} is a data frame, and some whose {name} is an "
                "array. Make them one kind, by pd.DataFrame or by to_numpy()."
            )
        if found is not None and (len(found), set(found)) != (len(first or ()), set(first or ())):
            differ = sorted(map(str, set(found) ^ set(first or ())))
            raise ValueError(
                f"X yields batches with different columns of {name}: not all have {differ}. "
                "Give each batch the same columns, for instance by frame.reindex(columns=...)."
            )
    return [
        table if found == first else table[first]
        for table, found in zip(tables, columns, strict=True)
    ]


def _holds_text(y: Labels) -> bool:
    return getattr(getattr(y, "dtype", None), "kind", "i") not in "biuf"


def concatenated(parts: list[Any]) -> Any:
    """Return arrays, sparse matrices, lists, or data frames of one library as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if sp.issparse(first):
        return sp.vstack(parts, format="csr")
    if hasattr(first, "columns"):
        library = sys.modules[type(first).__module__.partition(".")[0]]  # pandas or polars
        options = {"ignore_index": True} if hasattr(first, "iloc") else {}
        return library.concat(parts, **options)
    if isinstance(first, (list, tuple)):
        return [row for part in parts for row in part]
    return np.concatenate([np.asarray(part) for part in parts])


def _length(batch: Batch) -> int:
    """Return the number of samples of a batch, in which X, y and weights agree."""
    lengths = {
        name: part.shape[0] if hasattr(part, "shape") else len(part)
        for name, part in batch._asdict().items()
        if part is not None
    }
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"X yields a batch with parts of different lengths, {lengths}. Each sample needs one "
            "label, and one weight if there are any."
        )
    return int(lengths["X"])


def _rows(batch: Batch, rows: slice) -> Batch:
    def of(part: Any) -> Any:
        return None if part is None else getattr(part, "iloc", part)[rows]

    return Batch(*map(of, batch))


def whole(stream: Stream) -> Batch:
    """Return all samples of a stream with their labels, as one batch."""
    found = list(gathered(labelled(passed_through(stream))))
    if not found:
        raise ValueError("X_val yields no batches. Pass samples to validate on, or leave it out.")
    return joined(found)


def read_ahead(items: Iterator[Item], reader: ThreadPoolExecutor) -> Iterator[Item]:
    """Yield the items of an iterator, of which the next is read while the last one is used.

    Parameters
    ----------
    items : iterator
        An error in it is raised where the item would be used. It is closed with this one.
    reader : ThreadPoolExecutor
        Of one thread.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from skimb.data.streams import read_ahead
    >>> with ThreadPoolExecutor(1) as reader:
    ...     print(list(read_ahead(iter([1, 2, 3]), reader)))
    [1, 2, 3]
    """
    over = object()
    following = reader.submit(next, items, over)
    try:
        while (item := following.result()) is not over:
            following = reader.submit(next, items, over)
            yield item  # type: ignore[misc]
    finally:
        wait([following])
        close = getattr(items, "close", None)
        if close is not None:
            close()
