"""What a fitted classifier says of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skimb.base import BaseNetworkEstimator
from skimb.training import outputs


class Predictions(BaseNetworkEstimator):
    """Logits, probabilities and labels."""

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self._logits_of(self._checked_X(X, reset=False))

    def _logits_of(self, X: Any) -> np.ndarray:
        network, ends = self._fitted.network, self._fitted.ends
        return ends.logits(outputs(network, X, ends.input_dtype))

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            Of a segmenter, (n_images, height, width[, n_classes]). Two classes have one column, in
            which above 0 is ``classes_[1]`` as far as neither `threshold` nor `prior_correction`
            say otherwise.
        """
        logits = self._logits(X)
        return self._fitted.target.decision(logits)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes.

        They are those under the weights of the training unless ``prior_correction=True``: weights
        on rare classes raise them, as in ``LogisticRegression(class_weight=...)``.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels), float64
            Of a segmenter, (n_images, height, width, n_classes).
        """
        logits = self._logits(X)
        return self._fitted.decision.probabilities(logits)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`, finite also where that rounds to 0.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels), float64
            Of a segmenter, (n_images, height, width, n_classes).
        """
        logits = self._logits(X)
        return self._fitted.decision.log_probabilities(logits)

    def predict(self, X: Any) -> np.ndarray:
        """Return the class that the threshold decides for, by default the most probable one.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Of a segmenter, (n_images, height, width).
        """
        logits = self._logits(X)
        return self._fitted.decision.decode(logits)
