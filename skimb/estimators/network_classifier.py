"""What classifiers share, for one label a sample, several, or one a pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skimb._types import Classes, Features, Groups, Labels, SampleWeight
from skimb.data.columns import warn_of_other_rows
from skimb.data.samples import Samples, Schema
from skimb.data.streams import is_stream
from skimb.estimators.arguments import (
    check_classes,
    check_validation_arguments,
    check_without_fit,
    explained,
    with_groups,
)
from skimb.estimators.base import FittedAttribute, NetworkEstimator
from skimb.estimators.callbacks import FitTask
from skimb.estimators.reading import of_validation_set, read_features
from skimb.estimators.streams import predicted
from skimb.fitting.procedure import fit_network
from skimb.fitting.state import FittedState


def _minority_class(state: FittedState) -> Any:
    return state.target.classes_[state.target.minority(state.counts.unweighted)]


class NetworkClassifier(NetworkEstimator):
    """Fits of samples with labels, and logits, probabilities and labels that are predicted."""

    #: how X, y and weights are read, a method: `read_samples`, `read_masks` of the segmenter
    _read: ClassVar[Callable[..., Samples]]

    classes_ = FittedAttribute(lambda state: state.target.classes_)
    class_counts_ = FittedAttribute(lambda state: state.counts.weighted)
    class_weight_ = FittedAttribute(lambda state: state.weights.by_label(state.target.classes_))
    minority_class_ = FittedAttribute(_minority_class)
    threshold_ = FittedAttribute(lambda state: state.decision.threshold)
    decision_report_ = FittedAttribute(lambda state: state.report, optional=True)
    best_iter_ = FittedAttribute(lambda state: state.record.best_epoch, optional=True)

    @property
    def _previous(self) -> FittedState | None:
        """What `fit` goes on from, None where it starts anew."""
        return self._state if self.warm_start and self.__sklearn_is_fitted__() else None

    def _fit(
        self,
        X: Features,
        y: Labels,
        sample_weight: SampleWeight,
        X_val: Features,
        y_val: Labels,
        sample_weight_val: SampleWeight,
        groups: Groups = None,
    ) -> Self:
        params, previous = self._fit_parameters(), self._previous
        # of the user's own folds each has its epochs
        one_fit = params.cv is None or isinstance(params.cv, str)
        progress = FitTask(self, params.epochs if one_fit else None)
        samples = self._read(X, y, sample_weight, previous.schema if previous else None)
        warn_of_other_rows(X, groups=groups)
        samples = with_groups(samples, groups)
        check_validation_arguments(X_val, y_val, sample_weight_val)
        validation = None
        if X_val is not None:
            schema = self._schema_to_validate(samples)
            with of_validation_set():
                validation = self._read(X_val, y_val, sample_weight_val, schema)
        state = fit_network(params, samples, validation, previous, progress)
        progress.end(state)
        return self._adopt(state)

    def _fit_chunk(
        self, X: Features, y: Labels, classes: Classes, sample_weight: SampleWeight
    ) -> Self:
        params = self._fit_parameters("chunk")
        check_without_fit(params, "partial_fit")
        params = replace(params, classes=params.classes if classes is None else classes)
        previous = self._state if self.__sklearn_is_fitted__() else None
        samples = self._read(X, y, sample_weight, previous.schema if previous else None)
        check_classes(params.classes, samples, previous)
        return self._adopt(fit_network(params, samples, previous=previous))

    def _initialize(self, X: Features, y: Labels) -> Self:
        params = self._fit_parameters("initialize")
        check_without_fit(params, "initialize")
        return self._adopt(fit_network(params, self._read(X, y)))

    def _schema_to_validate(self, samples: Samples) -> Schema:
        return samples.schema

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
        if is_stream(X):
            return predicted(self._logits, X, with_labels=False).X
        X = self._features(X)
        return self._state.logits(X)
