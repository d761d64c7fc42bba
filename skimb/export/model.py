"""A fitted state as one plain Keras model."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from skimb._backend.keras_internals import names_counted_anew
from skimb._types import Tensor
from skimb.export.decision import index_of, labels_of, logits_of, probabilities_of
from skimb.export.features import input_tensors, named_inputs
from skimb.export.network import plain_network
from skimb.fitting.state import FittedState

#: names of the outputs
PROBABILITIES, CLASS, ERROR = "probabilities", "class", "error"


def exported(state: FittedState, *, labels: bool = True) -> keras.Model:
    """Return a Keras model from the user's features to probabilities and decided classes.

    Parameters
    ----------
    state : FittedState
    labels : bool, default=True
        Whether the decided classes are labels, or their positions among the classes.

    Returns
    -------
    keras.Model
        Of layers and operations of Keras alone, with a copy of the variables.

    Raises
    ------
    TypeError, ValueError
        If something has no counterpart in Keras.
    """
    with names_counted_anew():
        network = plain_network(state.built.network)
        columns, features = input_tensors(state)
        values = network(features, training=False)
        if state.target.kind == "reconstruction":
            found = _of_errors(state, features, values, labels)
        else:
            found = _of_logits(state, values, labels)
        body = keras.Model(columns, found, name="estimator")
        # a network around it, in which names of columns are not those of operations
        inputs = named_inputs(state, columns)
        # in the order of the columns, where Keras would sort the names
        of_columns = list(inputs.values()) if isinstance(inputs, dict) else [inputs]
        model = keras.Model(inputs, body(of_columns))
        model(inputs)  # a network that was never called is not exported to ONNX
    return model


def _of_logits(state: FittedState, values: Tensor, labels: bool) -> dict[str, Any]:
    logits = logits_of(state.built.interface, values)
    index = index_of(state.decision, logits)
    if labels and state.target.kind != "multilabel":
        index = labels_of(state.target.classes_, index)
    return {PROBABILITIES: probabilities_of(state.decision, logits), CLASS: index}


def _of_errors(
    state: FittedState, features: Tensor, values: Tensor, labels: bool
) -> dict[str, Any]:
    """Return reconstruction errors, and what is decided by them."""
    dtype, target = state.built.interface.output_dtype, state.target
    wanted = ops.cast(features, dtype)
    given = ops.reshape(ops.cast(values, dtype), (-1, *wanted.shape[1:]))
    axes = tuple(range(1, len(wanted.shape)))
    error = ops.mean(ops.square(ops.cast(given - wanted, "float64")), axis=axes)
    limit = float(state.decision.threshold)
    if not len(target.classes_):  # of an outlier detector: 1, and -1 for outliers
        return {ERROR: error, CLASS: 1 - 2 * ops.cast(error > limit, "int64")}
    index = ops.cast(error > limit if target.rare == 1 else error < limit, "int64")
    return {ERROR: error, CLASS: labels_of(target.classes_, index) if labels else index}
