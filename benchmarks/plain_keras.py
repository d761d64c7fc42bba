"""What an experienced user of Keras writes by hand: the baselines for images and masks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops


class StopAfter(keras.callbacks.Callback):
    """End the training when a time is over.

    Parameters
    ----------
    seconds : float
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._end = time.perf_counter() + self._seconds

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if time.perf_counter() > self._end:
            self.model.stop_training = True


def u_net(X: np.ndarray, depth: int = 3, width: int = 16) -> keras.Model:
    """Return a U-Net with a sigmoid for images of any size, standardised."""

    def block(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.Activation("relu")(layers.BatchNormalization()(x))
        return x

    inputs = keras.Input((None, None, 1))
    x = layers.Normalization(mean=float(X.mean()), variance=float(X.var()), axis=None)(inputs)
    maps = []
    for level in range(depth):
        x = block(x, width * 2**level)
        maps.append(x)
        x = layers.MaxPooling2D()(x)
    x = block(x, width * 2**depth)
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(width * 2**level, 2, strides=2)(x)
        x = block(layers.Concatenate()([maps[level], x]), width * 2**level)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


def cross_entropy_and_dice(y_true: Any, y_pred: Any) -> Any:
    """Return binary cross-entropy plus Dice over the batch, as segmentation libraries sum them."""
    y = ops.cast(y_true, y_pred.dtype)
    overlap = 2.0 * ops.sum(y * y_pred) + 1.0
    dice = 1.0 - overlap / (ops.sum(y) + ops.sum(y_pred) + 1.0)
    return ops.mean(keras.losses.binary_crossentropy(y, y_pred)) + dice


def fitted_u_net(
    X: np.ndarray, y: np.ndarray, loss: Any, seconds: float, seed: int, batch_size: int = 8
) -> Callable[[np.ndarray], np.ndarray]:
    """Train a U-Net with ``Model.fit`` for a time, and return a function from images to masks."""
    keras.utils.set_random_seed(seed)
    model = u_net(X)
    model.compile("adam", loss)
    model.fit(
        X[..., np.newaxis].astype("float32"), y[..., np.newaxis].astype("float32"),
        batch_size=batch_size, epochs=10_000, verbose=0, callbacks=[StopAfter(seconds)],
    )  # fmt: skip

    def predict(images: np.ndarray) -> np.ndarray:
        whole = images[..., np.newaxis].astype("float32")
        return model.predict(whole, batch_size=4, verbose=0)[..., 0] >= 0.5

    return predict


def fitted_cnn(
    X: np.ndarray, y: np.ndarray, seconds: float, seed: int, *, weighted: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Train the CNN of Keras's introduction to image classification, and return probabilities."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((*X.shape[1:], 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    share = y.mean()
    weights = {0: 0.5 / (1 - share), 1: 0.5 / share} if weighted else None
    model.fit(
        X[..., np.newaxis], y, batch_size=128, epochs=10_000, verbose=0, class_weight=weights,
        callbacks=[StopAfter(seconds)],
    )  # fmt: skip
    return lambda images: model.predict(images[..., np.newaxis], verbose=0)[:, 0]
