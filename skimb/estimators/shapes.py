"""Whether X goes with y, and with the X of `fit`: errors that say how to make it go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length

from skimb._types import Features, Labels
from skimb.data.columns import column_kinds, column_name, is_data_frame
from skimb.data.inputs import Inputs, refuse_several
from skimb.data.label_checks import check_entries
from skimb.data.samples import Schema
from skimb.networks.interface import shapes_agree


def check_labels_of(X: Features, y: Labels) -> None:
    """Raise a ValueError if y does not hold a label for each sample of X."""
    shape = _shape(X)
    n_samples = shape[0] if shape else None
    check_entries(y, n_samples)
    labels = _shape(y)
    if n_samples is None or not labels:
        return  # which scikit-learn looks at
    n_labels = labels[0]
    if n_labels == 1 < n_samples and len(shape) in (2, 3):
        raise ValueError(
            f"X has the shape {shape}, which is {n_samples} samples, but y has one label: "
            f"found input variables with inconsistent numbers of samples: {[n_samples, n_labels]}. "
            "Give a single image as X[np.newaxis]."
        )
    check_consistent_length(X, y)


def _shape(values: Any) -> tuple[int, ...]:
    """Return the shape of an array, and of a list its length; () of what is neither."""
    if isinstance(values, (list, tuple)):
        return (len(values),)
    return tuple(getattr(values, "shape", ()))


def check_axes(estimator: BaseEstimator, X: Features, known: Schema) -> None:
    """Raise a ValueError if samples do not have the shape of those in `fit`.

    How many columns a table has is left to scikit-learn, which knows their names.
    """
    wanted: Sequence[int | None] = known.image_shape or known.row_shape
    if len(wanted) > 1 and isinstance(X, (list, tuple)):
        X = np.asarray(X)
    shape = tuple(getattr(X, "shape", ()))
    if (len(wanted) < 2 and len(shape) < 3) or shapes_agree(wanted, shape[1:]):
        return
    unit = "table rows" if len(wanted) < 2 else "images"
    raise ValueError(
        f"X has samples of shape {shape[1:]}, but {type(estimator).__name__} was fitted on "
        f"samples of shape {tuple(wanted)}: {unit}.{_cure(shape, wanted)}"
    )


def _cure(shape: tuple[int, ...], wanted: Sequence[int | None]) -> str:
    """Return how X becomes what is wanted, as a sentence."""
    if shapes_agree(wanted, shape):
        return " Give a single image as X[np.newaxis]."
    if len(wanted) == 3 and shapes_agree(wanted[:2], shape) and wanted[2] == 1:
        return " Give a single image as X[np.newaxis, ..., np.newaxis]."
    if len(wanted) == 3 and shapes_agree(wanted, (*shape[1:], 1)):
        return " Pass X[..., np.newaxis]."
    if len(wanted) == 2 and shapes_agree((*wanted, 1), shape[1:]):
        return " Pass X[..., 0]."
    if len(wanted) == 3 and len(shape) == 4 and shapes_agree(wanted, (*shape[2:], shape[1])):
        return " Channels come last: pass np.moveaxis(X, 1, -1)."
    if len(wanted) == 3 and len(shape) == 3 and shapes_agree(wanted[:2], shape[1:]):
        return f" Pass images of {wanted[2]} channels, as np.stack([X] * {wanted[2]}, axis=-1)."
    sizes = [1 if size is None else size for size in wanted]
    if len(wanted) > 1 and len(shape) == 2 and shape[1] == int(np.prod(sizes)):
        return f" Pass X.reshape(-1, {', '.join(map(str, wanted))})."
    if len(wanted) == 1 and int(np.prod(shape[1:])) == wanted[0]:
        return " Pass X.reshape(len(X), -1)."
    return " Prepare X as in fit, to the same shape."


def check_inputs(X: Features, known: Schema | None) -> None:
    """Raise an error if X does not have the several inputs that the X of `fit` had."""
    if known is None:
        return
    if isinstance(X, Inputs) and known.inputs is None:
        refuse_several(X, "the network of the fitted estimator")
    names = None if known.names is None else list(known.names)
    n_inputs = len(known.inputs or ())
    fitted = f"a list of {n_inputs} arrays" if names is None else f"a dict with the keys {names}"
    if not isinstance(X, Inputs):
        raise TypeError(
            f"X is one {type(X).__name__}, but the estimator was fitted on several inputs. Pass "
            f"them as in fit, as {fitted}, or as skimb.data.Inputs of that."
        )
    given = None if X.names is None else list(X.names)
    same = (given is None) == (names is None) and sorted(given or ()) == sorted(names or ())
    if not same or len(X.parts) != n_inputs:
        shown = f"a list of {len(X.parts)} arrays" if given is None else f"the inputs {given}"
        raise ValueError(f"X has {shown}, but the estimator was fitted on {fitted}. Pass the same.")


def check_numbers(X: Features, known: Schema) -> None:
    """Raise a ValueError if X has text where `fit` had columns of numbers alone."""
    if known.categories or not (is_data_frame(X) or str(getattr(X, "dtype", "")) == "object"):
        return
    if is_data_frame(X) and known.names is not None and list(X.columns) != list(known.names):
        return  # which scikit-learn explains
    kinds = column_kinds(X) if len(X.shape) == 2 else []
    texts = [column_name(X, i) for i, kind in enumerate(kinds) if kind == "text"]
    if texts:
        raise ValueError(
            f"X has text in the columns {', '.join(texts[:10])}, which held numbers in fit: could "
            "not convert string to float. Make numbers of it, in pandas by pd.to_numeric(..., "
            'errors="coerce"), or fit with text in it.'
        )
