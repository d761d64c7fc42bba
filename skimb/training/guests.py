"""The callbacks of a user: which of them need ``Model.fit``, and which network they end with."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras.callbacks import BackupAndRestore, Callback, TensorBoard

from skimb._backend.keras_internals import profiles_batches

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


def _is_per_epoch(callback: Callback) -> bool:
    return callback.update_freq == "epoch" and not profiles_batches(callback)


def _saves_per_epoch(callback: Callback) -> bool:
    return callback.save_freq == "epoch"


def _logs_per_epoch(callback: Callback) -> bool:
    return callback.log_every_n_steps is None


def _raises_nothing(callback: Callback) -> bool:
    # Training ends at a loss that is not finite anyway. Keras 3.12 has no raise_error.
    return not getattr(callback, "raise_error", False)


# By library and class, whether its batch-level hooks do nothing that is seen. MLflow, which may not
# be installed, has two classes of one name.
_IDLE: dict[tuple[str, str], Callable[[Callback], bool]] = {
    ("keras", "ModelCheckpoint"): _saves_per_epoch,
    ("keras", "TensorBoard"): _is_per_epoch,
    ("keras", "TerminateOnNaN"): _raises_nothing,
    ("mlflow", "MlflowCallback"): _logs_per_epoch,
    ("mlflow", "MlflowModelCheckpointCallback"): _saves_per_epoch,
}


def has_batch_hooks(callback: Callback) -> bool:
    """Whether a callback must be called for every batch.

    A hook that a class inherits counts as that of the class that defines it.
    """
    if isinstance(callback, BackupAndRestore):
        return True  # it sets the initial epoch of Model.fit
    return any(_has_work(callback, hook) for hook in _BATCH_HOOKS)


def _has_work(callback: Callback, hook: str) -> bool:
    if hook in vars(callback):  # as in a LambdaCallback
        return True
    owner = next(kind for kind in type(callback).__mro__ if hook in vars(kind))
    if owner is Callback:
        return False
    is_idle = _IDLE.get((owner.__module__.split(".")[0], owner.__name__))
    return is_idle is None or not is_idle(callback)


def leave_with(callback: Callback, model: keras.Model) -> None:
    """Set the network of a callback after the training, in which it saw that of the program.

    Other fits reuse the program and its network.
    """
    if isinstance(callback, TensorBoard):  # whose set_model opens another file
        Callback.set_model(callback, model)
    else:
        callback.set_model(model)
