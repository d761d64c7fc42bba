"""
Your own Keras network
======================

A custom network can be a build function or a ``keras.Model``. This example sets callbacks and
optimizer parameters, saves the network as a ``.keras`` file and loads it with Keras alone.
"""

from skimb import ImbalancedNNClassifier

# isort: split
# skimb before Keras, to silence TensorFlow's startup messages

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import train_test_split

# %%
# The data
# --------
# The task is to detect malignant tumours, with 20 of them in the training set. ``--small`` trains
# for two epochs.

small = "--small" in sys.argv
X, benign = load_breast_cancer(return_X_y=True)
y = np.where(benign == 1, "benign", "malignant")
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
kept = np.concatenate([np.flatnonzero(y == "benign"), np.flatnonzero(y == "malignant")[:20]])
X, y = X[kept], y[kept]
print(f"{len(y)} tumours to learn from, {np.sum(y == 'malignant')} of them malignant.")

# %%
# A build function
# ----------------
# ``meta`` describes the data, and every other argument is a parameter that a search can set:
# ``model__units``. The outputs of the network may be logits, a sigmoid or a softmax.


def build(meta, units=32):
    inputs = keras.Input((meta["n_features_in_"],))
    x = layers.BatchNormalization()(inputs)
    x = layers.Dense(units, activation="relu")(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(meta["n_outputs_"], activation="sigmoid")(x))


# %%
# Keras callbacks receive the training loss. With callbacks that have batch-level hooks, such as
# ``TerminateOnNaN``, training uses Keras's own ``fit``, see ``trainer_`` in the table. Parameters
# of the optimizer are those of its class.

shared = {
    "optimizer__learning_rate": 0.003,
    "epochs": 2 if small else 60,
    "batch_size": 32,
    "random_state": 0,
}
from_function = ImbalancedNNClassifier(
    build,
    model__units=64,
    optimizer="adamw",
    optimizer__weight_decay=0.01,
    optimizer__clipnorm=1.0,
    callbacks=[
        keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=5),
        keras.callbacks.TerminateOnNaN(),
    ],
    **shared,
)

# %%
# A model
# -------
# The model is copied for every fit, so your own is never changed. Its weights are the initial
# weights, also in every fold of a cross-validation, so a pretrained network is fine-tuned. How it
# was compiled does not matter.

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((X.shape[1],)),
        layers.BatchNormalization(),
        layers.Dense(64, activation="relu"),
        layers.Dense(2, activation="softmax"),
    ]
)
from_model = ImbalancedNNClassifier(model, loss="focal", **shared)

# %%
# Saved, and loaded with Keras alone
# ----------------------------------
# ``model_`` is a plain Keras network. With one output for two classes, the output refers to
# ``classes_[1]``. It does not include the threshold, the correction of probabilities and the class
# names: for those, pickle the estimator. The built-in networks for tables and images load without
# skimb too, and output logits.

built_in = ImbalancedNNClassifier(**shared)
without_callbacks = clone(from_function).set_params(callbacks=None)
networks = {
    "built-in": built_in,
    "function": from_function,
    "model": from_model,
    "no callbacks": without_callbacks,
}
print(f"\n{'':12}{'F1':>6}{'av. precision':>15}{'loaded - fitted':>17}  trainer")
for name, network in networks.items():
    predicted = network.fit(X, y).predict(X_test)
    malignant = network.predict_proba(X_test)[:, 1]
    with tempfile.TemporaryDirectory() as folder:
        network.model_.save(Path(folder) / "network.keras")
        loaded = keras.models.load_model(Path(folder) / "network.keras")
    f1 = f1_score(y_test, predicted, pos_label="malignant")
    precision = average_precision_score(y_test == "malignant", malignant)
    difference = np.abs(np.subtract(loaded(X_test), network.model_(X_test))).max()
    print(f"{name:12}{f1:6.2f}{precision:15.2f}{difference:17}  {network.trainer_}")

# %%
# The callback of the build function matters: dropout makes the loss fluctuate, so the learning
# rate is reduced early, and the network overfits less. The last line is the build function without
# the callback.
