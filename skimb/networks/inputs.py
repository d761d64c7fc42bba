"""Networks of several inputs as a layer of a network to which a sample is one row of values.

So batches, compiled epochs and forward passes have one array, whatever the network takes. The
network of the user shares its variables with the one around it, which is of operations of Keras
alone, so that it loads without skimb.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from skimb._backend.keras_internals import call_behind, input_structure, names_counted_anew
from skimb._types import Tensor
from skimb.data.inputs import Layout
from skimb.networks.interface import shapes_agree

# float32 has all whole numbers up to here
_MOST_WHOLE = 2**24


def on_rows(model: keras.Model, layout: Layout) -> keras.Model:
    """Return a network that takes rows apart for the inputs of another network.

    Parameters
    ----------
    model : keras.Model
        Becomes a layer of the new network.
    layout : Layout
        Of the rows.

    Returns
    -------
    keras.Model
        Its input has the shape (n, layout.width), float32.

    Raises
    ------
    ValueError, TypeError
        If the network takes other inputs.

    Examples
    --------
    >>> import keras
    >>> from skimb.data.inputs import Layout
    >>> from skimb.networks.inputs import on_rows
    >>> table, grey = keras.Input((3,), name="table"), keras.Input((2, 2), name="grey")
    >>> both = keras.layers.Concatenate()([table, keras.layers.Flatten()(grey)])
    >>> model = keras.Model([table, grey], keras.layers.Dense(1)(both))
    >>> on_rows(model, Layout(("table", "grey"), ((3,), (2, 2)))).input_shape
    (None, 7)
    """
    with names_counted_anew():  # the same names in every build, whatever the user's network has
        row = keras.Input((layout.width,), dtype="float32")
        parts = ops.split(row, layout.borders, axis=1) if layout.borders else [row]
        parts = [
            part if len(shape) == 1 else ops.reshape(part, (-1, *shape))
            for part, shape in zip(parts, layout.shapes, strict=True)
        ]
        inputs = arranged(model, layout, parts)
        wanted = input_structure(model)
        if wanted is not None:
            labels = arranged(model, layout, _labels(layout))
            inputs = keras.tree.map_structure(_as_wanted, wanted, inputs, labels)
        return keras.Model(row, model(inputs), name="of_rows")


def own_network(model: keras.Model, layout: Layout | None) -> keras.Model:
    """Return the network of the user within that of `on_rows`; itself if there is no layout."""
    return model if layout is None else model.layers[-1]


def check_whole_numbers(model: keras.Model, layout: Layout, rows: np.ndarray) -> None:
    """Raise a ValueError if an input of integers has numbers that float32 may have rounded.

    Parameters
    ----------
    model : keras.Model
        The network of the user.
    layout : Layout
    rows : ndarray of shape (n, layout.width), float32
    """
    wanted = input_structure(model)
    if wanted is None:  # which is given float32
        return
    parts, labels = np.split(rows, layout.borders, axis=1), _labels(layout)
    tensors = keras.tree.flatten(wanted)
    positions = keras.tree.flatten(arranged(model, layout, range(len(parts))))
    for tensor, position in zip(tensors, positions, strict=True):
        part = parts[position]
        if "float" in keras.backend.standardize_dtype(tensor.dtype) or not part.size:
            continue
        if np.abs(part).max() >= _MOST_WHOLE:
            raise ValueError(
                f"X has whole numbers of {_MOST_WHOLE} or more in the input {labels[position]}, "
                "which float32, in which a network of several inputs gets them, would round to "
                "other numbers. Number the values from 0, with sklearn.preprocessing."
                "OrdinalEncoder for instance."
            )


def inputs_like(model: keras.Model, layout: Layout) -> Any:
    """Return new symbolic inputs such as those of a network, a dict or a list."""
    wanted = input_structure(model)
    if wanted is None:
        names = layout.names or [None] * len(layout.shapes)
        shapes = zip(layout.shapes, names, strict=True)
        return layout.by_name([keras.Input(shape, name=name) for shape, name in shapes])
    return keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name), wanted
    )


def arranged(model: keras.Model, layout: Layout, values: Sequence[Any]) -> Any:
    """Return a value for each input as a network takes them: by name, or by position.

    Parameters
    ----------
    model : keras.Model
    layout : Layout
    values : sequence
        In the order of the layout.

    Returns
    -------
    dict, list or a single value
        In the structure of the network's inputs; as X has them where the network is a class of the
        user's own with a `call`, which says nothing of its inputs.

    Raises
    ------
    ValueError
        If the network has other inputs.
    """
    wanted = input_structure(model)
    if wanted is None:
        return layout.by_name(values)
    single = not isinstance(wanted, (dict, list, tuple))
    tensors = [wanted] if single else list(wanted.values() if isinstance(wanted, dict) else wanted)
    if len(tensors) != len(values):
        raise ValueError(
            f"model has {len(tensors)} inputs, of shape {[tuple(x.shape) for x in tensors]}, but X "
            f"has {len(values)}: {', '.join(_labels(layout))}. Pass one array for each input."
        )
    names = list(wanted) if isinstance(wanted, dict) else [_name(x) for x in tensors]
    if layout.names is None:
        if isinstance(wanted, dict):
            raise ValueError(
                f"model takes its inputs by the names {names}, but X is a list. Pass a dict, "
                f"X={{{names[0]!r}: ..., ...}}."
            )
        ordered = list(values)
    elif set(layout.names) != set(names):
        raise ValueError(
            f"model has inputs of the names {names}, but X has {list(layout.names)}. Give both the "
            "same names, as keras.Input(shape, name=...) in the network, or pass X as a list in "
            "the order of the inputs of the network."
        )
    else:
        by_name = dict(zip(layout.names, values, strict=True))
        ordered = [by_name[name] for name in names]
    if isinstance(wanted, dict):
        return dict(zip(names, ordered, strict=True))
    return ordered[0] if single else ordered


def _name(tensor: Tensor) -> str:
    """Return the name of the layer that a symbolic input belongs to, which an unnamed one has."""
    call = call_behind(tensor)
    return tensor.name if call is None else call.operation.name


def _labels(layout: Layout) -> list[str]:
    """Return the inputs as messages show them."""
    names = layout.names or range(len(layout.shapes))
    return [f"{name!r} {shape}" for name, shape in zip(names, layout.shapes, strict=True)]


def _as_wanted(wanted: Tensor, given: Tensor, label: str) -> Any:
    """Return an input in the dtype that a network takes, once its shape is checked."""
    name = _name(wanted)
    if not shapes_agree(wanted.shape[1:], given.shape[1:]):
        raise ValueError(
            f"model takes samples of shape {tuple(wanted.shape[1:])} for the input {name!r}, but X "
            f"has {label}. Give X that shape, or the network: meta['input_shapes_'] tells a "
            "build function the shapes, where categories and missing values of a table are columns "
            "of their own."
        )
    dtype = keras.backend.standardize_dtype(wanted.dtype)
    if dtype == "string":
        raise TypeError(
            f"model takes text for the input {name!r}, but an estimator gives numbers to a "
            "network: text in a data frame as columns of zeros and ones. Encode text before, with "
            "keras.layers.TextVectorization for instance."
        )
    return given if "float" in dtype else ops.cast(given, dtype)
