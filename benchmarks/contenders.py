"""The same network in each library: layers, batch size, epochs, optimizer and data are equal."""

from __future__ import annotations

import importlib.util
import itertools
import warnings
from typing import Any

import keras
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from skimb import ImbalancedNNClassifier

warnings.simplefilter("ignore", ConvergenceWarning)


def table(n_rows: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a float32 table with about 10 % positives."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features)).astype("float32")
    y = (X[:, 0] + 0.5 * X[:, 1] ** 2 + 0.3 * rng.normal(size=n_rows) > 1.9).astype("int64")
    return X, y


def sparse_labels(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 30 labels, each positive in 1/30 of the samples, with one binary feature each."""
    rng = np.random.default_rng(0)
    Y = (rng.random((n_rows, 30)) < 1 / 30).astype("int64")
    X = rng.random((n_rows, 30)) < np.where(Y, 0.60, 0.05)
    return X.astype("float32"), Y


def images(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noise of 28x28 pixels, with a brighter patch in a tenth of the images."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 28, 28, 1)).astype("float32")
    y = (np.arange(n_rows) % 10 == 0).astype("int64")
    X[y == 1, 8:16, 8:16] += 0.7
    return X, y


def dense_network(
    n_features: int, layers: tuple[int, ...], activation: str, n_outputs: int = 1
) -> keras.Model:
    """Return an uncompiled dense network."""
    hidden = [keras.layers.Dense(units, activation="relu") for units in layers]
    end = keras.layers.Dense(n_outputs, activation=activation)
    return keras.Sequential([keras.Input((n_features,)), *hidden, end])


def small_cnn() -> keras.Model:
    """Return an uncompiled convolutional network for 28x28 pixels with one output logit."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )


def skimb_estimator(
    layers: tuple[int, ...], batch_size: int, epochs: int, **params: Any
) -> ImbalancedNNClassifier:
    """Return this library's estimator."""
    return ImbalancedNNClassifier(
        model="mlp",
        model__hidden_layer_sizes=layers,
        model__normalize=False,
        batch_size=batch_size,
        epochs=epochs,
        early_stopping=False,  # trained on all samples, as the others
        random_state=0,
        **params,
    )


def scikeras_estimator(
    n_features: int, layers: tuple[int, ...], batch_size: int, epochs: int, **params: Any
) -> Any:
    """Return scikeras's estimator."""
    from scikeras.wrappers import KerasClassifier

    return KerasClassifier(
        model=dense_network,
        model__n_features=n_features,
        model__layers=layers,
        model__activation="sigmoid",
        loss="binary_crossentropy",
        optimizer="adam",
        batch_size=batch_size,
        epochs=epochs,
        verbose=0,
        **params,
    )


def mlp_estimator(
    layers: tuple[int, ...], batch_size: int, epochs: int, **params: Any
) -> MLPClassifier:
    """Return scikit-learn's estimator, without early stopping."""
    return MLPClassifier(
        layers,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=0,
        **params,
    )


def skorch_estimator(
    n_features: int, layers: tuple[int, ...], batch_size: int, epochs: int
) -> Any | None:
    """Return skorch's estimator, or None where skorch is not installed."""
    if importlib.util.find_spec("skorch") is None or importlib.util.find_spec("torch") is None:
        return None
    import torch
    from skorch import NeuralNetBinaryClassifier

    sizes = (n_features, *layers)
    parts: list[Any] = []
    for before, after in itertools.pairwise(sizes):
        parts += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    network = torch.nn.Sequential(*parts, torch.nn.Linear(sizes[-1], 1))
    return NeuralNetBinaryClassifier(
        network,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=batch_size,
        max_epochs=epochs,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )


class PlainKeras:
    """``compile`` and ``Model.fit``, as a Keras user writes them."""

    def __init__(self, model: keras.Model, batch_size: int, epochs: int) -> None:
        self.model = model
        self.batch_size = batch_size
        self.epochs = epochs
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(optimizer="adam", loss=loss)

    def fit(self, X: np.ndarray, y: np.ndarray) -> PlainKeras:
        """Continue the training."""
        self.model.fit(X, y, batch_size=self.batch_size, epochs=self.epochs, verbose=0)
        return self
