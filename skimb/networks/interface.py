"""Interface of a network: shapes, dtypes, number of outputs and output activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import scipy.sparse as sp
from scipy.special import logit

from skimb._backend.keras_internals import structure_of_outputs
from skimb._backend.randomness import process_state
from skimb._types import DType, Features
from skimb.networks.outputs import LOGITS, PROBABILITIES, SIGMOID, SOFTMAX, UNKNOWN, output_link

# of samples whose outputs are looked at where the operations of a network cannot be followed
_N_PROBED = 256
_VALUES_PROBED = 2**22


@dataclass(frozen=True)
class NetworkInterface:
    """Inputs and outputs of a network.

    Attributes
    ----------
    input_shape : tuple
        Shape of one sample, with None for axes of any size.
    input_dtype, output_dtype : str
    units : int
        Number of outputs per sample, or per pixel.
    activation : {"linear", "sigmoid", "softmax"}
        Output activation.
    scale : float
        Factor by which the loss multiplies logits before the softmax.
    """

    input_shape: tuple[int | None, ...]
    input_dtype: str
    output_dtype: str
    units: int
    activation: str
    scale: float = 1.0

    @classmethod
    def of(
        cls,
        model: keras.Model,
        X: Features,
        *,
        per_pixel: bool = False,
        independent: bool = False,
        model_outputs: str = "auto",
        from_logits: bool | None = None,
        with_values: Callable[[], keras.Model] | None = None,
    ) -> NetworkInterface:
        """Return the interface of a network for samples such as those of X.

        Parameters
        ----------
        model : keras.Model
        X : ndarray or sparse matrix
        per_pixel : bool, default=False
            Whether the network must output logits for every pixel.
        independent : bool, default=False
            Whether the outputs are of independent labels.
        model_outputs : {"auto", "logits", "probabilities"}, default="auto"
            What the network ends in, or "auto" to find out.
        from_logits : bool or None, default=None
            What the user's loss says of it, if anything.
        with_values : callable or None, default=None
            Returns the network with its own values, where `model` shows its structure only. It is
            called where the structure does not tell what the network ends in.

        Raises
        ------
        ValueError
            If the network has several inputs or outputs, or requires samples of another shape, or
            it cannot be found out what it ends in.
        """
        inputs, ends = _tensors(model, X.shape[1:])
        wanted = (*X.shape[1:3], None) if per_pixel else (None,)
        if len(inputs) != 1 or len(ends) != 1 or not shapes_agree(ends[0].shape[1:], wanted):
            shape = ", ".join(map(str, (None, *wanted[:-1], "n_outputs")))
            raise ValueError(
                f"model has inputs of shape {[tuple(i.shape) for i in inputs]} and outputs of "
                f"shape {[tuple(o.shape) for o in ends]}. Expected are one input, and one output "
                f"of shape ({shape}). To a network of several inputs pass X as a dict or a list of "
                "arrays, see skimb.data.Inputs."
            )
        expected = tuple(inputs[0].shape)[1:]
        if not shapes_agree(expected, X.shape[1:]):
            raise ValueError(
                f"model takes samples of shape {expected}, but X has samples of shape "
                f"{X.shape[1:]}."
            )
        units = _units(ends[0].shape)
        as_probabilities = SIGMOID if units == 1 or independent else SOFTMAX
        if model_outputs == "auto":
            read = partial(_outputs_for_some, with_values or (lambda: model), X)
            activation = _activation(
                output_link(model, X.shape[1:]), read, units, as_probabilities, from_logits
            )
        else:
            activation = LOGITS if model_outputs == "logits" else as_probabilities
        if from_logits and activation in PROBABILITIES:
            raise ValueError(
                f"model ends in {activation!r}, but the loss was given from_logits=True. Leave "
                "from_logits out, which is filled in, or the activation."
            )
        return cls(
            input_shape=tuple(inputs[0].shape[1:]),
            input_dtype=keras.backend.standardize_dtype(inputs[0].dtype),
            output_dtype=_at_least_float32(ends[0].dtype),
            units=units,
            activation=activation,
        )

    @classmethod
    def of_autoencoder(cls, model: keras.Model, X: Features) -> NetworkInterface:
        """Return the interface of an autoencoder, whose outputs have the shape of its inputs.

        Raises
        ------
        ValueError
            If the shapes differ, or samples of X have another shape.
        """
        row_shape = tuple(X.shape[1:])
        inputs, outputs = _tensors(model, row_shape)
        shapes = [tuple(part.shape)[1:] for part in (*inputs, *outputs)]
        last = shapes[-1]
        # for images of shape (H, W), a channel axis in the output is accepted
        last = last[:-1] if len(last) == len(row_shape) + 1 and last[-1] == 1 else last
        fit = [shapes_agree(shape, row_shape) for shape in (shapes[0], last)]
        if len(shapes) != 2 or not all(fit):
            raise ValueError(
                f"model maps samples of shape {shapes[: len(inputs)]} to {shapes[len(inputs) :]}. "
                f"An autoencoder for X must map samples of shape {row_shape} to the same shape."
            )
        return cls(
            input_shape=tuple(inputs[0].shape[1:]),
            input_dtype=keras.backend.standardize_dtype(inputs[0].dtype),
            output_dtype=_at_least_float32(outputs[0].dtype),
            units=int(np.prod(row_shape)),
            activation="linear",
        )

    def logits(self, values: np.ndarray) -> np.ndarray:
        """Return the network's outputs as logits."""
        if values.dtype.itemsize < 4:  # NumPy has little support for bfloat16
            values = values.astype(np.float32)
        if self.activation == "linear":
            return values if self.scale == 1.0 else values * values.dtype.type(self.scale)
        # the values nearest to 0 and 1 that the dtype can represent, so that logits are finite
        limits = np.finfo(values.dtype)
        p = np.clip(values, limits.tiny, 1.0 - limits.epsneg).astype(np.float64)
        return np.log(p) if self.activation == "softmax" else logit(p)


def _tensors(model: keras.Model, row_shape: Sequence[int]) -> tuple[Any, Any]:
    """Return the input and output tensors of a network, symbolic or not."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:  # a subclassed model has known shapes only after a call
        inputs = [np.zeros((1, *row_shape), dtype=keras.config.floatx())]
        with process_state(seed=0):
            given = model(inputs[0])
        outputs = list(given) if isinstance(given, (list, tuple)) else [given]
    else:
        given = structure_of_outputs(model)
    if isinstance(given, Mapping):
        raise ValueError(
            f"model returns a dict with {', '.join(map(repr, given))}. Expected is one output: let "
            "it return that value of the dict alone."
        )
    return inputs, outputs


def _at_least_float32(dtype: DType) -> str:
    name = keras.backend.standardize_dtype(dtype)
    return "float32" if name in ("float16", "bfloat16") else name


def shapes_agree(shape: Sequence[int | None], other: Sequence[int | None]) -> bool:
    """Whether two shapes are equal in all axes that are known."""
    return len(shape) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(shape, other, strict=True)
    )


def _units(shape: Sequence[int | None]) -> int:
    if shape[-1] is None:
        raise ValueError(
            f"model has an output of shape {tuple(shape)}. The number of outputs must be known."
        )
    return int(shape[-1])


def _activation(
    found: str,
    outputs_for_some: Callable[[], np.ndarray],
    units: int,
    as_probabilities: str,
    from_logits: bool | None,
) -> str:
    """Return what a network ends in: by its operations, the loss, or its outputs."""
    # several sigmoids may be the probabilities 1 - p and p of two classes
    as_classes = found == SIGMOID and as_probabilities == SOFTMAX
    if found in (LOGITS, *PROBABILITIES) and not as_classes:
        return found
    if found not in (UNKNOWN, SIGMOID):
        raise ValueError(
            f"model ends in the activation {found!r}. Accepted are 'linear' (logits), 'sigmoid' "
            "and 'softmax'. Where it is meant, say what the outputs are: model_outputs='logits' or "
            "'probabilities'."
        )
    if from_logits and found == UNKNOWN:
        return LOGITS
    values = outputs_for_some()
    if found == UNKNOWN and ((values < 0) | (values > 1 + 1e-3)).any():
        return LOGITS
    if units > 1 and np.allclose(values.sum(axis=-1), 1.0, atol=1e-3):
        return SOFTMAX
    if found == SIGMOID:
        return found
    if from_logits is False and np.isfinite(values).all():  # perhaps by default, so asked last
        return as_probabilities
    raise ValueError(
        "It cannot be found out whether model ends in logits or in probabilities: its operations "
        "do not tell, and its outputs for some of the samples are between 0 and 1. Set "
        "model_outputs='logits' or model_outputs='probabilities'."
    )


def _outputs_for_some(model: Callable[[], keras.Model], X: Features) -> np.ndarray:
    """Return the outputs of a network for some samples, spread over all of them."""
    per_sample = max(1, int(np.prod(X.shape[1:])))
    n = min(X.shape[0], _N_PROBED, max(8, _VALUES_PROBED // per_sample))
    some = X[np.unique(np.linspace(0, X.shape[0] - 1, n).astype(int))]
    some = some.toarray() if sp.issparse(some) else np.asarray(some)
    network = model()
    with process_state(seed=0), keras.StatelessScope():  # which leaves no trace
        values = keras.tree.flatten(network(some, training=False))[0]
    return keras.ops.convert_to_numpy(keras.ops.cast(values, "float32")).astype(np.float64)
