"""What is known of the results of the operations of ``keras.ops``, from what they are called with.

Where only a number or the shape of an argument counts, weights and all that is computed from them
are of an unknown range, since training changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import keras
import numpy as np

from skimb._backend.keras_internals import SymbolicCall
from skimb.networks.ranges import (
    LINEAR,
    RISING,
    SOFTMAX,
    Range,
    absolute,
    added,
    clipped,
    constant,
    extremes,
    joined,
    multiplied,
    negative,
    of_activation,
    padded,
    powered,
    rearranged,
    reciprocal,
    scaled,
    summed,
)


@dataclass(frozen=True)
class Call:
    """A call of an operation, with the ranges of what it was called with.

    Attributes
    ----------
    call : SymbolicCall
    find : callable
        Returns the range of a symbolic tensor, None where it is unknown.
    """

    call: SymbolicCall
    find: Callable[[Any], Range | None]

    @property
    def operation(self) -> Any:
        """The layer or operation."""
        return self.call.operation

    @property
    def argument(self) -> Any:
        """The first symbolic tensor."""
        return self.call.tensors[0]

    @property
    def values(self) -> list[Any]:
        """All that it was called with, without None."""
        values = keras.tree.flatten((self.call.args, self.call.kwargs))
        return [value for value in values if value is not None]

    @cached_property
    def parts(self) -> list[Range | None]:
        """The ranges of the symbolic tensors it was called with."""
        return [self.find(tensor) for tensor in self.call.tensors]

    @cached_property
    def operands(self) -> list[Range | None]:
        """The ranges of all that it was called with; numbers have one too."""
        return [self.range_of(value) for value in self.values]

    @property
    def first(self) -> Range | None:
        """The range of the first symbolic tensor."""
        return self.parts[0] if self.parts else None

    @property
    def only_logits(self) -> Range | None:
        """The range of the only symbolic tensor, if it has no bounds."""
        alone = self.first if len(self.call.tensors) == 1 else None
        return alone if alone is not None and alone.is_unbounded else None

    def range_of(self, value: Any) -> Range | None:
        """Return the range of an argument."""
        if isinstance(value, keras.KerasTensor):
            return self.find(value)
        if isinstance(value, (int, float, np.ndarray, np.number)):
            return constant(value)
        return None

    @property
    def rank(self) -> int:
        """Number of axes of the first symbolic tensor."""
        return len(self.argument.shape)

    @property
    def rows_stay(self) -> bool:
        """Whether a change of shape leaves the last axis alone, as far as lengths tell."""
        before, after = self.argument.shape, self.call.output.shape
        if not before or not after or before[-1] is None or before[-1] in before[:-1]:
            return False
        return before[-1] == after[-1]

    def axes(self, axis: Any) -> list[int]:
        """Return the axes that an operation goes over, of 0 and above."""
        if axis is None:
            return list(range(self.rank))
        return [a % self.rank for a in (axis if isinstance(axis, Iterable) else (axis,))]

    def spares_rows(self, axis: Any) -> bool:
        """Whether an operation over some axes leaves the last one alone."""
        return self.rank - 1 not in self.axes(axis)


def of_operation(call: Call) -> Range | None:
    """Return the range of the result of an operation, None where it is unknown."""
    kind = type(call.operation).__name__
    if kind in RISING:
        return RISING[kind](call.first)
    if kind in _ACTIVATIONS:
        return of_activation(_ACTIVATIONS[kind], call.first)
    return _OPERATIONS[kind](call) if kind in _OPERATIONS else None


def softmax(call: Call) -> Range | None:
    """Return the range of a softmax over some axis, which need not be that of the classes."""
    over_rows = call.axes(call.operation.axis) == [call.rank - 1]
    return SOFTMAX if over_rows else replace(SOFTMAX, total=None)


def same(call: Call) -> Range | None:
    """Return the range of what it was called with."""
    return call.first


def reshaped(call: Call) -> Range | None:
    """Return the range after a change of shape."""
    return rearranged(call.first, rows_stay=call.rows_stay)


def without_rows(call: Call) -> Range | None:
    """Return the range of some of the values, whatever row they are of."""
    return rearranged(call.first, rows_stay=False)


def concatenated(call: Call) -> Range | None:
    """Return the range of tensors side by side."""
    rows_stay = call.spares_rows(getattr(call.operation, "axis", None))
    return rearranged(joined(call.operands), rows_stay=rows_stay)


def _stacked(call: Call) -> Range | None:
    rows_stay = call.operation.axis % (call.rank + 1) != call.rank
    return rearranged(joined(call.operands), rows_stay=rows_stay)


def total(call: Call) -> Range | None:
    """Return the range of a sum of what it was called with."""
    if call.only_logits is not None:
        return call.only_logits
    first, *others = call.operands
    for part in others:
        first = added(first, part)
    return first


def product(call: Call) -> Range | None:
    """Return the range of a product of what it was called with."""
    if call.only_logits is not None:
        return call.only_logits
    first, *others = call.operands
    for part in others:
        first = multiplied(first, part)
    return first


def difference(call: Call) -> Range | None:
    """Return the range of a difference."""
    if call.only_logits is not None:
        return call.only_logits
    return added(call.operands[0], negative(call.operands[1]))


def _quotient(call: Call) -> Range | None:
    x, y = call.values[:2]
    if call.only_logits is not None and x is call.argument:
        return call.only_logits
    if isinstance(y, (int, float)) and y:
        return scaled(call.first, 1 / y)
    return multiplied(call.range_of(x), reciprocal(call.range_of(y)))


def _matrix_product(call: Call) -> Range | None:
    """Return LINEAR for a product with weights, which is a layer of the user's own."""
    if any(part is not None and part.is_unbounded for part in call.parts):
        return LINEAR
    return LINEAR if any(isinstance(v, keras.Variable) for v in call.values) else None


def _item(call: Call) -> Range | None:
    key = call.values[1] if len(call.values) == 2 else call.call.args[1]
    keys = key if isinstance(key, tuple) else (key,)
    known = [k for k in keys if k is not None]
    reaches_last = len(known) >= call.rank or any(k is Ellipsis for k in keys)
    last = keys[-1]
    if not reaches_last or (isinstance(last, slice) and last == slice(None)):
        return call.first
    x = rearranged(call.first, rows_stay=False)
    one = isinstance(last, (int, np.integer)) or call.call.output.shape[-1] == 1
    if x is not None and last is not None and one:
        return replace(x, exclusive=False)  # one of several classes, or not
    return x


def _power(call: Call) -> Range | None:
    exponent = call.values[1]
    return powered(call.first, exponent) if isinstance(exponent, (int, float)) else None


def _clip(call: Call) -> Range | None:
    low, high = call.operation.x_min, call.operation.x_max
    numbers = isinstance(low, (int, float)) and isinstance(high, (int, float))
    return clipped(call.first, low, high) if numbers else None


def _mean(call: Call) -> Range | None:
    return rearranged(call.first, rows_stay=call.spares_rows(call.operation.axis))


def _sum(call: Call) -> Range | None:
    axes, x = call.axes(call.operation.axis), call.first
    if x is not None and x.total is not None and axes == [call.rank - 1]:
        return constant(x.total)
    lengths = [call.argument.shape[a] for a in axes]
    n = None if None in lengths else int(np.prod(lengths))
    return summed(x, n, rows_stay=call.rank - 1 not in axes)


_ACTIVATIONS = {
    "Sigmoid": "sigmoid", "LogSoftmax": "log_softmax", "Relu": "relu", "ReLU": "relu",
    "Relu6": "relu6", "Softplus": "softplus", "Softsign": "softsign", "Silu": "silu",
    "LogSigmoid": "log_sigmoid", "LeakyRelu": "leaky_relu", "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu", "Elu": "elu", "Selu": "selu", "Gelu": "gelu", "Celu": "celu",
    "Glu": "glu", "HardTanh": "hard_tanh", "Tanh": "tanh", "Mish": "mish",
}  # fmt: skip

_Rule = Callable[[Call], Range | None]


def _each(rule: _Rule, *names: str) -> dict[str, _Rule]:
    return dict.fromkeys(names, rule)


_OPERATIONS: dict[str, _Rule] = {
    **_each(same, "Cast", "SaturateCast", "StopGradient", "Copy", "ConvertToTensor"),
    **_each(
        reshaped, "Reshape", "Transpose", "Squeeze", "ExpandDims", "Moveaxis", "Swapaxes", "Ravel",
        "Repeat", "Tile", "BroadcastTo", "Flip", "Roll",
    ),
    **_each(
        without_rows, "Take", "Slice", "Split", "Unstack", "Max", "Min", "Amax", "Amin", "Median",
        "MaxPool",
    ),
    **_each(_mean, "Mean", "Average"),
    **_each(concatenated, "Concatenate", "Hstack", "Vstack"),
    **_each(_quotient, "Divide", "TrueDivide"),
    **_each(_matrix_product, "Matmul", "Dot", "Einsum"),
    **_each(lambda call: absolute(call.first), "Abs", "Absolute"),
    "Softmax": softmax,
    "Stack": _stacked,
    "Sum": _sum,
    "GetItem": _item,
    "Maximum": lambda call: extremes(call.operands, largest=True),
    "Minimum": lambda call: extremes(call.operands, largest=False),
    "Add": total,
    "Subtract": difference,
    "Multiply": product,
    "Negative": lambda call: negative(call.first),
    "Reciprocal": lambda call: reciprocal(call.first),
    "Square": lambda call: powered(call.first, 2),
    "Power": _power,
    "Clip": _clip,
    "Pad": lambda call: padded(call.first),
    "Where": lambda call: joined([call.range_of(value) for value in call.values[1:]]),
}  # fmt: skip
