"""Tensors of other libraries as arrays, and tables of arrow as data frames."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def converted(values: Any) -> Any:
    """Return a tensor of TensorFlow, Keras or PyTorch as an array, an arrow table as a data frame.

    Parameters
    ----------
    values : object
        Anything else is returned as it is.

    Examples
    --------
    >>> import keras
    >>> from skimb.data.foreign import converted
    >>> converted(keras.ops.ones((1, 2))), converted("text")
    (array([[1., 1.]], dtype=float32), 'text')
    """
    if type(values).__module__.partition(".")[0] == "pyarrow" and hasattr(values, "to_pandas"):
        return values.to_pandas()
    if hasattr(values, "detach"):  # of PyTorch
        return np.asarray(values.detach().cpu())
    return keras.ops.convert_to_numpy(values) if keras.ops.is_tensor(values) else values
