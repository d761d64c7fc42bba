"""Predictions of fitted classifiers, for one label a sample, several, or one a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skimb._types import Features
from skimb.estimators.arguments import explained
from skimb.estimators.base import FittedAttribute, NetworkEstimator
from skimb.estimators.reading import read_features
from skimb.fitting.state import FittedState


def _minority_class(state: FittedState) -> Any:
    return state.target.classes_[state.target.minority(state.counts.weighted)]


class NetworkClassifier(NetworkEstimator):
    """Logits, probabilities and labels."""

    classes_ = FittedAttribute(lambda state: state.target.classes_)
    class_counts_ = FittedAttribute(lambda state: state.counts.weighted)
    class_weight_ = FittedAttribute(lambda state: state.weights.by_label(state.target.classes_))
    minority_class_ = FittedAttribute(_minority_class)
    threshold_ = FittedAttribute(lambda state: state.decision.threshold)
    best_iter_ = FittedAttribute(lambda state: state.record.best_epoch, optional=True)

    def _features(self, X: Features) -> Features:
        """Return features to predict for, held against the columns of those in `fit`."""
        check_is_fitted(self)
        return read_features(self, X, known=self._state.schema)[0]

    def decision_function(self, X: Features) -> np.ndarray:
        """Return the logits.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            Of a segmenter, (n_images, height, width[, n_classes]). Two classes have one column,
            positive for ``classes_[1]``; `threshold` and `prior_correction` do not change it.
        """
        logits = self._logits(X)
        return self._state.target.decision(logits)

    @explained
    def predict_proba(self, X: Features) -> np.ndarray:
        """Return the predicted probabilities of the classes.

        They are those under the class weights of the training unless ``prior_correction=True``:
        weights on rare classes raise them, as in ``LogisticRegression(class_weight=...)``.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels), float64
            Of a segmenter, (n_images, height, width, n_classes).
        """
        logits = self._logits(X)
        return self._state.decision.probabilities(logits)

    def predict_log_proba(self, X: Features) -> np.ndarray:
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
        return self._state.decision.log_probabilities(logits)

    @explained
    def predict(self, X: Features) -> np.ndarray:
        """Return the predicted class, by `threshold_`; by default the most probable one.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Of a segmenter, (n_images, height, width).
        """
        logits = self._logits(X)
        return self._state.decision.decode(logits)

    def _logits(self, X: Features) -> np.ndarray:
        X = self._features(X)
        return self._state.logits(X)
