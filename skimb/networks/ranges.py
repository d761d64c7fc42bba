"""What is known of the values of a tensor from the operations that it is computed with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

_ROUNDING = 1e-6  # of weights such as 1 / 3 that add up to 1
_MARGIN = 1e-3  # by which probabilities are kept away from 0 and 1


@dataclass(frozen=True)
class Range:
    """Bounds of the values of a tensor, and what else is known of them.

    Attributes
    ----------
    low, high : float
        Both infinite only where the values are known to have no bound, as those of a layer with
        weights and no activation.
    total : float or None, default=None
        The sum over the last axis, where it is known.
    exclusive : bool, default=False
        Whether the values are probabilities of classes that exclude each other, or made of them.
    name : str or None, default=None
        The activation that they come from, where a network may not end in that.
    """

    low: float
    high: float
    total: float | None = None
    exclusive: bool = False
    name: str | None = None

    @property
    def is_unbounded(self) -> bool:
        """Whether there is no bound on either side."""
        return self.low == -math.inf and self.high == math.inf

    def link(self, units: int) -> str | None:
        """Return what a network with these outputs ends in, None where it cannot be known.

        Parameters
        ----------
        units : int
            Length of the last axis.

        Returns
        -------
        {"linear", "sigmoid", "softmax"}, the name of another activation, or None
        """
        if self.name is not None:
            return self.name
        if self.is_unbounded:
            return "linear"
        if self.low < 0 or self.high > 1 + _ROUNDING:
            return None
        if self.total is not None and abs(self.total - 1) < _ROUNDING:
            return "softmax"
        return None if self.exclusive and units > 1 else "sigmoid"


LINEAR = Range(-math.inf, math.inf)
SIGMOID = Range(0.0, 1.0)
SOFTMAX = Range(0.0, 1.0, total=1.0, exclusive=True)

# the bounds of activations that a network may not end in
_BOUNDS = {
    "relu": (0.0, math.inf), "relu6": (0.0, 6.0), "softplus": (0.0, math.inf),
    "hard_sigmoid": (0.0, 1.0), "sparse_sigmoid": (0.0, 1.0), "sparsemax": (0.0, 1.0),
    "tanh": (-1.0, 1.0), "hard_tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0),
    "log_sigmoid": (-math.inf, 0.0), "exponential": (0.0, math.inf),
    "sparse_plus": (0.0, math.inf), "squareplus": (0.0, math.inf),
}  # fmt: skip


def of_activation(name: str, before: Range | None) -> Range | None:
    """Return the range of an activation of Keras, by its name."""
    known = {"linear": before, "sigmoid": SIGMOID, "softmax": SOFTMAX, "log_softmax": LINEAR}
    if name in known:
        return known[name]
    return Range(*_BOUNDS.get(name, (-math.inf, math.inf)), name=name)


def padded(x: Range | None) -> Range | None:
    """Return the range of values with zeros around them."""
    if x is None or x.is_unbounded:
        return x
    return _bounded(min(x.low, 0.0), max(x.high, 0.0), (x,))


def constant(value: Any) -> Range:
    """Return the range of numbers."""
    return Range(float(np.min(value)), float(np.max(value)))


def rearranged(x: Range | None, *, rows_stay: bool = True) -> Range | None:
    """Return the range after a change of shape, which rows along the last axis may not survive."""
    return x if x is None or rows_stay else replace(x, total=None)


def joined(parts: Sequence[Range | None]) -> Range | None:
    """Return the range of values each of which is one of some tensors, or a mean of them."""
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    if any(part != known[0] for part in known) and any(part.is_unbounded for part in known):
        return None  # logits and probabilities side by side are neither
    totals, names = {part.total for part in known}, {part.name for part in known}
    return Range(
        min(part.low for part in known),
        max(part.high for part in known),
        total=totals.pop() if len(totals) == 1 else None,
        exclusive=any(part.exclusive for part in known),
        name=names.pop() if len(names) == 1 else None,
    )


def extremes(parts: Sequence[Range | None], *, largest: bool) -> Range | None:
    """Return the range of the largest, or smallest, of several values."""
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    if all(part == known[0] for part in known):
        return replace(known[0], total=None)
    choose = max if largest else min
    return _bounded(choose(part.low for part in known), choose(part.high for part in known), known)


def negative(x: Range | None) -> Range | None:
    """Return the range of -x."""
    if x is None:
        return None
    return Range(-x.high, -x.low, None if x.total is None else -x.total, x.exclusive)


def added(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x + y."""
    if x is None or y is None:
        return None
    if x.is_unbounded or y.is_unbounded:
        return LINEAR
    total = None if x.total is None or y.total is None else x.total + y.total
    return _bounded(x.low + y.low, x.high + y.high, (x, y), total)


def scaled(x: Range | None, factor: float) -> Range | None:
    """Return the range of x times a number."""
    if x is None or x.is_unbounded:
        return x
    total = None if x.total is None else x.total * factor
    ends = _times(x.low, factor), _times(x.high, factor)
    return _bounded(min(ends), max(ends), (x,), total)


def multiplied(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x * y."""
    if x is None or y is None:
        return None
    for one, other in ((x, y), (y, x)):
        if one.low == one.high:
            return scaled(other, one.low)
    if x.is_unbounded or y.is_unbounded:
        return None  # x / (1 + |x|) has bounds
    corners = [_times(a, b) for a in (x.low, x.high) for b in (y.low, y.high)]
    return _bounded(min(corners), max(corners), (x, y))


def reciprocal(x: Range | None) -> Range | None:
    """Return the range of 1 / x."""
    if x is None or x.is_unbounded or x.low < 0 < x.high:
        return None
    if x.high <= 0:
        return negative(reciprocal(negative(x)))
    return Range(1 / x.high if x.high else math.inf, 1 / x.low if x.low else math.inf)


def summed(x: Range | None, n: int | None, *, rows_stay: bool) -> Range | None:
    """Return the range of the sum over an axis of length n."""
    if x is None or x.is_unbounded:
        return x
    if n is None:
        return None
    return rearranged(scaled(x, float(n)), rows_stay=rows_stay)


def clipped(x: Range | None, low: float, high: float) -> Range | None:
    """Return the range of x cut at two bounds."""
    if x is None:
        return _bounded(low, high, ())
    if x.is_unbounded and low < 0 and high > 1:
        return Range(low, high, name="linear")  # logits without extremes
    keeps = low <= _MARGIN and high >= 1 - _MARGIN  # probabilities away from 0 and 1
    total = x.total if keeps else None
    return Range(max(x.low, low), min(x.high, high), total, x.exclusive, x.name)


def powered(x: Range | None, exponent: float) -> Range | None:
    """Return the range of x to a positive power."""
    if x is None or x.low < 0 or exponent <= 0:
        return Range(0.0, math.inf) if exponent == 2 else None
    return _bounded(x.low**exponent, x.high**exponent, (x,))


def absolute(x: Range | None) -> Range | None:
    """Return the range of |x|."""
    if x is None:
        return Range(0.0, math.inf)
    if x.low >= 0:
        return x
    return _bounded(max(0.0, -x.high), max(-x.low, x.high), (x,))


def rising(function: Callable[[float], float]) -> Callable[[Range | None], Range | None]:
    """Return the map of ranges by a function that never falls."""

    def mapped(x: Range | None) -> Range | None:
        x = Range(-math.inf, math.inf) if x is None else x
        return _bounded(function(x.low), function(x.high), (x,))

    return mapped


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


RISING = {
    "Exp": rising(_exp),
    "Expm1": rising(lambda x: _exp(x) - 1),
    "Log": rising(_log),
    "Log1p": rising(lambda x: _log(1 + x)),
    "Sqrt": rising(lambda x: math.sqrt(max(x, 0.0))),
    "Erf": rising(math.erf),
    "Arctan": rising(math.atan),
}


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def _bounded(
    low: float, high: float, parts: Sequence[Range], total: float | None = None
) -> Range | None:
    """Return a range, None where bounds are infinite without values that are known to be so."""
    if low == -math.inf and high == math.inf:
        return None
    return Range(low, high, total, any(part.exclusive for part in parts))
