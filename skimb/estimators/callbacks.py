"""scikit-learn's own callbacks, such as its progress bar, where the installed one has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from skimb._types import Estimator
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting.state import FittedState
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
    epochs : object
        The parameter; where it is a number there are as many subtasks at most.
    """

    def __init__(self, estimator: Estimator, epochs: Any) -> None:
        self._estimator = estimator
        self._context = None
        if getattr(estimator, "_skl_callbacks", None):
            most = epochs if isinstance(epochs, int) else None
            self._context = estimator._init_callback_context(max_subtasks=most)

    def begin(self, samples: Samples, target: Target) -> None:
        """Tell callbacks that the training on these samples, encoded, begins."""
        if self._context is None:
            return
        varies = np.ptp(samples.weight) > 0
        self._width = samples.X.shape[1]
        self._given = {
            "X": samples.X,
            "y": target.labels(samples.y),
            "metadata": {"sample_weight": samples.weight} if varies else {},
        }
        self._context.call_on_fit_task_begin(estimator=self._estimator, **self._given)

    def end(self, state: FittedState) -> None:
        """Tell callbacks that the fit is over."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                estimator=self._estimator,
                reconstruction_attributes=self._attributes(state),
                **self._given,
            )

    def of_epochs(
        self, state_with: Callable[[list[np.ndarray]], FittedState]
    ) -> list[keras.callbacks.Callback]:
        """Return what tells callbacks of the epochs: one callback of Keras, or none.

        Parameters
        ----------
        state_with : callable
            Returns the state of an estimator whose network has these values.
        """
        if self._context is None:
            return []
        return [
            EpochTasks(
                self._context,
                self._estimator,
                self._given,
                lambda values: self._attributes(state_with(values)),
            )
        ]

    def _attributes(self, state: FittedState) -> dict[str, Any]:
        """Return the attributes of a fitted estimator to which X is the input of the network."""
        return {"_state": state.on_inputs(self._width)}


class EpochTasks(keras.callbacks.Callback):
    """Makes each epoch a task of scikit-learn's callbacks, and stops when one of them says so."""

    def __init__(
        self,
        context: Any,
        estimator: Estimator,
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
