"""Exact Euclidean distances to the boundary of a mask, on any backend and inside a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from skimb._types import Tensor


def signed_distances(inside: Tensor, counted: Tensor, dtype: str) -> Any:
    """Return the distance of each pixel to the boundary of its mask, negative inside.

    The boundary runs between pixels, half a pixel from the centres of those on either side of it:
    distances are those to the nearest pixel on the other side, as of
    `scipy.ndimage.distance_transform_edt`, less one half.

    Parameters
    ----------
    inside, counted : boolean tensors of shape (n, ..., K)
        The masks, and which pixels are known; a pixel that is not is on neither side.
    dtype : str

    Returns
    -------
    tensor of shape (n, ..., K)
        0 where a mask has one side only, and so no boundary.

    Raises
    ------
    ValueError
        If the size of the images is not known.

    Notes
    -----
    The squared distance separates into axes: along each it is the lower envelope of one parabola a
    pixel. Along the last axis distances alone will do, in logarithmically many steps; the others
    take a step a row. In the last step only the distance to the other side is needed.
    """
    size = tuple(inside.shape[1:-1])
    if None in size:
        raise ValueError(
            "The boundary loss needs images of a known size, got masks of shape "
            f"{tuple(inside.shape)}. Give the network's input the size of the images."
        )
    # further than any pixel; infinity would make NaN of the gradient of a square root
    far = float(2 * max(size))
    others = ops.logical_not(inside)
    sides = ops.stack([ops.logical_and(side, counted) for side in (inside, others)])
    squared = _to_nearest(sides, far, dtype) ** 2
    for axis in range(inside.ndim - 3, 1, -1):
        squared = _envelope(squared, axis + 1, lambda row: row)
    if inside.ndim > 3:
        squared = _envelope(squared, 2, lambda row: ops.where(inside, row[1], row[0]))
    else:
        squared = ops.where(inside, squared[1], squared[0])
    distances = ops.sqrt(squared) - 0.5
    spatial = tuple(range(2, sides.ndim - 1))
    has_both = ops.all(ops.any(sides, axis=spatial, keepdims=True), axis=0)
    return ops.where(has_both, ops.where(inside, -distances, distances), 0.0)


def _to_nearest(sides: Tensor, far: float, dtype: str) -> Any:
    """Return the distance to the nearest True along the last axis but one, `far` without any."""
    axis, n = sides.ndim - 2, sides.shape[-2]
    distance = ops.where(sides, ops.zeros((), dtype), ops.full((), far, dtype))
    step = 1
    while step < n:
        unchanged = [(0, 0)] * axis
        before = ops.pad(
            distance[..., :-step, :], [*unchanged, (step, 0), (0, 0)], constant_values=far
        )
        after = ops.pad(
            distance[..., step:, :], [*unchanged, (0, step), (0, 0)], constant_values=far
        )
        distance = ops.minimum(distance, ops.minimum(before, after) + float(step))
        step *= 2
    return ops.minimum(distance, far)


def _envelope(squared: Tensor, axis: int, choose: Callable[[Any], Any]) -> Any:
    """Return min over k of what is chosen of row k, plus the square of the distance to it."""
    n, dtype = squared.shape[axis], squared.dtype
    chosen = choose(squared)
    shape = [1] * chosen.ndim
    shape[axis - squared.ndim] = n
    places = ops.reshape(ops.arange(n, dtype=dtype), shape)

    def lowered(k: Tensor, best: Tensor) -> Any:
        row = ops.expand_dims(ops.take(squared, k, axis=axis), axis)
        return ops.minimum(best, choose(row) + (places - ops.cast(k, dtype)) ** 2)

    return ops.fori_loop(0, n, lowered, chosen)
