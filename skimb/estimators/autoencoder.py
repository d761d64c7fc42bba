"""What both estimators of anomalies share: parameters, and reconstruction errors."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skimb._types import Features
from skimb.estimators.base import NetworkEstimator
from skimb.estimators.constraints import OF_ALL
from skimb.estimators.reading import read_features


class Autoencoder(NetworkEstimator):
    """Base class of the estimators that detect anomalies by reconstruction error."""

    _usual_network = "autoencoder"
    _fixed: ClassVar[dict[str, Any]] = {"target": "reconstruction"}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **OF_ALL,
        "model": [StrOptions({"auto", "autoencoder"}), keras.Model, callable],
        "normalize": ["boolean", StrOptions({"auto"})],
        "epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }

    def _errors(self, X: Features) -> np.ndarray:
        """Return the reconstruction errors of samples that a user passes."""
        check_is_fitted(self)
        X, _, _ = read_features(self, X, known=self._state.schema)
        return self._state.errors(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags
