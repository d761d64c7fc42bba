"""From the user's columns to the input of the network, as operations of Keras."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skimb._types import Tensor
from skimb.data.samples import Schema
from skimb.data.tables import FeatureEncoder
from skimb.fitting.encoding import (
    LINEAR_DEVIATIONS,
    ColumnMeans,
    Encoder,
    InputsEncoder,
    StandardScale,
)
from skimb.fitting.state import FittedState

#: text that stands for a missing value, as Keras has tensors of text without gaps
MISSING_TEXT = ""


def input_tensors(state: FittedState) -> tuple[list[Any], Any]:
    """Return inputs for the user's features, and the input of the network computed from them.

    Parameters
    ----------
    state : FittedState

    Returns
    -------
    inputs : list of KerasTensor
        One, or of a table with text or categories one of shape (n, 1) for each column; of several
        inputs those of each.
    features : KerasTensor

    Raises
    ------
    TypeError, ValueError
        If a column has no counterpart in Keras.
    """
    encoder, interface = state.encoder, state.built.interface
    if isinstance(encoder, InputsEncoder):
        return _of_several(encoder, state.schema)
    return _of_one(encoder, state.schema, interface.input_shape, interface.input_dtype)


def _of_one(
    encoder: Encoder | None, schema: Schema, shape: tuple[int | None, ...], dtype: str
) -> tuple[list[Any], Any]:
    if isinstance(encoder, FeatureEncoder):
        if encoder.categorical_:
            return _columns(encoder, dtype)
        x = keras.Input(schema.row_shape, dtype=dtype)
        return [x], _numbers(encoder, x)
    x = keras.Input(shape, dtype=dtype)
    if isinstance(encoder, StandardScale):
        return [x], ops.cast(_scaled(encoder, x), dtype)
    if isinstance(encoder, ColumnMeans) and "float" in dtype:
        return [x], _filled(x, encoder.mean)
    return [x], x


def named_inputs(state: FittedState, inputs: list[Any]) -> Any:
    """Return inputs of the same shapes for the user: one, or a dict by the names of the columns."""
    encoder = state.encoder
    if isinstance(encoder, InputsEncoder):
        of_inputs = encoder.layout.names or [f"input_{i}" for i in range(len(encoder.encoders))]
        names = [
            name
            for of_input, part in zip(of_inputs, encoder.encoders, strict=True)
            for name in _names_of_one(part, of_input)
        ]
    elif isinstance(encoder, FeatureEncoder) and encoder.categorical_:
        names = encoder.names_
    else:
        return keras.Input(inputs[0].shape[1:], dtype=inputs[0].dtype, name="features")
    return {
        name: keras.Input(x.shape[1:], dtype=x.dtype, name=name)
        for name, x in zip(input_names(names), inputs, strict=True)
    }


def _names_of_one(encoder: Encoder | None, name: str) -> list[str]:
    """Return the names of the columns where each is an input, and otherwise that of all."""
    if isinstance(encoder, FeatureEncoder) and encoder.categorical_:
        return [f"{name}_{column}" for column in encoder.names_]
    return [name]


def _of_several(encoder: InputsEncoder, schema: Schema) -> tuple[list[Any], Any]:
    """Return the inputs of all parts, and the row that they are joined to."""
    assert schema.inputs is not None
    inputs, rows = [], []
    parts = zip(encoder.encoders, schema.inputs, encoder.layout.shapes, strict=True)
    for part, of_part, shape in parts:
        tensors, features = _of_one(part, of_part, shape, "float32")
        inputs += tensors
        rows.append(ops.reshape(features, (-1, int(np.prod(shape)))))
    return inputs, rows[0] if len(rows) == 1 else ops.concatenate(rows, axis=-1)


def _columns(encoder: FeatureEncoder, dtype: str) -> tuple[list[Any], Any]:
    number = "float64" if dtype == "float64" else "float32"
    columns = [
        keras.Input((1,), dtype=number if i in encoder.numeric_ else _dtype_of(encoder, i))
        for i in range(len(encoder.names_))
    ]
    blocks = []
    if encoder.numeric_:
        parts = [columns[i] for i in encoder.numeric_]
        x = parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)
        blocks.append(_numbers(encoder, x))
    tables = zip(encoder.categorical_, encoder.categories_, encoder.one_hot_tables(), strict=True)
    for i, known, table in tables:
        of_text = columns[i].dtype == "string"
        encoded = _text_one_hot if of_text else _number_one_hot
        blocks.append(ops.cast(encoded(columns[i], known, table), number))
    features = blocks[0] if len(blocks) == 1 else ops.concatenate(blocks, axis=-1)
    return columns, ops.cast(features, dtype)


def input_names(columns: list[str]) -> list[str]:
    """Return names of inputs: those of the columns, as arguments of a function of TensorFlow.

    Characters other than ASCII letters, digits and underscores become underscores, a keyword of
    Python gets one at its end, and ``x_`` is put before a digit. Where that is not a name of its
    own, or differs from another in case alone, it is ``x`` and the position.

    Parameters
    ----------
    columns : list of str

    Returns
    -------
    list of str

    Examples
    --------
    >>> from skimb.export.features import input_names
    >>> input_names(["age", "monthly income", "class", "2nd", "€", "$"])
    ['age', 'monthly_income', 'class_', 'x_2nd', 'x4', 'x5']
    """
    names = [re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") for name in columns]
    names = [f"{name}_" if keyword.iskeyword(name) else name for name in names]
    names = [f"x_{name}" if name[:1].isdigit() else name for name in names]
    shared = Counter(name.lower() for name in names)
    names = [
        name if name and shared[name.lower()] == 1 else f"x{i}" for i, name in enumerate(names)
    ]
    distinct = len({name.lower() for name in names}) == len(names)
    return names if distinct else [f"x{i}" for i in range(len(names))]


def _dtype_of(encoder: FeatureEncoder, column: int) -> str:
    known = encoder.categories_[encoder.categorical_.index(column)]
    kinds = {isinstance(value, str) for value in known if value is not None}
    if len(kinds) > 1:
        raise TypeError(
            f"The column {encoder.names_[column]!r} of X has both text and numbers as categories, "
            "but a tensor has one dtype. Make text of the column before fit, in pandas by "
            'X[name].astype("string").'
        )
    if kinds == {True} and None in known and MISSING_TEXT in known:
        raise ValueError(
            f"The column {encoder.names_[column]!r} of X has both missing values and empty text, "
            "but in a tensor empty text stands for a missing value. Replace one of them before fit."
        )
    return "float64" if kinds == {False} else "string"


def _numbers(encoder: FeatureEncoder, x: Tensor) -> Any:
    """Return numbers without gaps, and indicators of the columns that had gaps in training."""
    filled = _filled(x, encoder.means_)
    indicated = np.asarray(encoder.indicator_.features_, np.int32)
    if not len(indicated):
        return filled
    indicators = ops.cast(ops.take(ops.isnan(x), indicated, axis=-1), x.dtype)
    return ops.concatenate([filled, indicators], axis=-1)


def _filled(x: Tensor, means: np.ndarray) -> Any:
    return ops.where(ops.isnan(x), means.astype(keras.backend.standardize_dtype(x.dtype)), x)


def _text_one_hot(x: Tensor, known: list[Any], table: np.ndarray) -> Any:
    """Return the one-hot columns of text, all zero where a text is not known."""
    vocabulary = [MISSING_TEXT if value is None else value for value in known]
    lookup = layers.StringLookup(
        # a token that is no text of a table: "[UNK]", the usual one, may be
        vocabulary=vocabulary, mask_token=None, oov_token="\x00unknown",
    )  # fmt: skip
    width = table.shape[1]
    # after those of the table, a column for texts that are not known, which is cut off
    place = np.append(width, np.argmax(table, axis=1)).astype(np.int32)
    position = ops.take(place, ops.reshape(lookup(x), (-1,)), axis=0)
    return ops.one_hot(position, width + 1)[:, :width]


def _number_one_hot(x: Tensor, known: list[Any], table: np.ndarray) -> Any:
    """Return the one-hot columns of numbers as categories, all zero where one is not known."""
    numbers = [i for i, value in enumerate(known) if value is not None]
    values = np.array([[float(known[i]) for i in numbers]])
    matches = ops.cast(ops.equal(x, values), "float32")
    encoded = ops.matmul(matches, table[numbers].astype(np.float32))
    if None in known:
        missing = ops.cast(ops.isnan(x), "float32")
        encoded = encoded + missing * table[[known.index(None)]].astype(np.float32)
    return encoded


def _scaled(scale: StandardScale, x: Tensor) -> Any:
    channels = len(scale.mean)
    z = ops.reshape(ops.cast(x, "float64"), (-1, channels))
    z = (z - scale.mean.astype(np.float64)) / scale.deviation.astype(np.float64)
    beyond = ops.maximum(ops.abs(z) - LINEAR_DEVIATIONS, 0.0)
    z = ops.clip(z, -LINEAR_DEVIATIONS, LINEAR_DEVIATIONS) + ops.sign(z) * ops.log(1.0 + beyond)
    return ops.reshape(z, (-1, *x.shape[1:]))
