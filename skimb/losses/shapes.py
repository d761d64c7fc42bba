"""Brings the targets and the outputs of a network to one shape, for losses and metrics alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from skimb._types import Tensor


def one_shape(
    y_true: Tensor, y_pred: Tensor, kind_of: Callable[[Any], str], owner: str
) -> tuple[Any, Any, bool]:
    """Return targets and outputs with a column per output.

    Parameters
    ----------
    y_true, y_pred : tensors
        Class codes or columns of targets, and the outputs of a network; neither needs a last axis
        for a single column.
    kind_of : callable
        Returns the kind of target for outputs that have their columns.
    owner : str
        Who asks, for the message of the error.

    Returns
    -------
    y, z : tensors of the same shape (..., L) or (..., K)
        Both of the dtype of `y_pred`.
    exclusive : bool
        Whether the columns are classes that exclude each other.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    z = y_pred if y_pred.ndim > 1 else ops.expand_dims(y_pred, -1)
    n_outputs, kind = z.shape[-1], kind_of(z)
    exclusive = kind in ("multiclass", "candidates") or (kind == "pixels" and n_outputs > 1)
    y = y_true
    if y.ndim == z.ndim and y.shape[-1] == 1 and n_outputs > 1:
        y = ops.squeeze(y, axis=-1)
    if y.ndim == z.ndim - 1:
        # class codes where there are classes to choose from, the only column elsewhere; without
        # the new axis, (n,) against (n, 1) would broadcast to (n, n)
        y = _one_hot(y, z, kind) if exclusive else ops.expand_dims(y, -1)
    if y.ndim != z.ndim or any(
        rows != others and None not in (rows, others)
        for rows, others in zip(y.shape, z.shape, strict=True)
    ):
        codes_will_do = exclusive or n_outputs == 1
        accepted = "class codes of shape (n,) or (n, 1), or " if codes_will_do else ""
        raise ValueError(
            f"{owner} got y_true of shape {tuple(y_true.shape)} for y_pred of shape "
            f"{tuple(y_pred.shape)}, a {kind} target. Accepted are {accepted}one column per output."
        )
    return ops.cast(y, z.dtype), z, exclusive


def _one_hot(codes: Tensor, z: Tensor, kind: str) -> Any:
    codes = ops.cast(codes, "int32")
    y = ops.one_hot(codes, z.shape[-1], dtype=z.dtype)
    if kind == "pixels":  # a pixel of weight 0 may have any label
        return y
    # no row of zeros, whose loss would be 0
    known = ops.expand_dims(ops.logical_and(codes >= 0, codes < z.shape[-1]), -1)
    return ops.where(known, y, float("nan"))
