"""scikit-learn's own callbacks, such as its progress bar, where the installed one has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from skimb.training.network import values_of

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "EpochTasks", "FitTask", "with_callbacks"]


class FitTask:
    """The task "fit" of an estimator, of which the epochs are subtasks.

    Parameters
    ----------
    estimator : estimator
    epochs : int or None
        How many subtasks there can be; None where that is not known.
    """

    def __init__(self, estimator: Any, epochs: int | None) -> None:
        self._estimator = estimator
        self._context = None
        if getattr(estimator, "_skl_callbacks", None):
            self._context = estimator._init_callback_context(max_subtasks=epochs)

    def begin(self, X: Any, y: Any, metadata: dict[str, Any], taking: dict[str, Any]) -> None:
        """Say that the fit begins, with these rows, and what makes an estimator take them."""
        self._taking = taking
        self._given = {"X": X, "y": y, "metadata": metadata}
        if self._context is not None:
            self._context.call_on_fit_task_begin(estimator=self._estimator, **self._given)

    def end(self) -> None:
        """Say that the fit is over."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=self._taking, **self._given
            )

    def of_epochs(
        self, fitted_with: Callable[[list[np.ndarray]], dict[str, Any]]
    ) -> list[keras.callbacks.Callback]:
        """Return what tells callbacks of the epochs: one callback of Keras, or none.

        Parameters
        ----------
        fitted_with : callable
            Returns the attributes of an estimator that is fitted with these values of its network.
        """
        if self._context is None:
            return []
        return [
            EpochTasks(
                self._context,
                self._estimator,
                self._given,
                lambda values: self._taking | fitted_with(values),
            )
        ]


class EpochTasks(keras.callbacks.Callback):
    """Makes each epoch a task of scikit-learn's callbacks, and stops when one of them says so."""

    def __init__(
        self,
        context: Any,
        estimator: Any,
        given: dict[str, Any],
        fitted_with: Callable[[list[np.ndarray]], dict[str, Any]],
    ) -> None:
        super().__init__()
        self._context, self._estimator, self._given = context, estimator, given
        self._fitted_with = fitted_with

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._given)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        stop = self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=lambda: self._fitted_with(values_of(self.model.variables)),
            **self._given,
        )
        if stop:
            self.model.stop_training = True
