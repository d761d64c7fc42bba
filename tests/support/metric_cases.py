"""Rows of every kind for the metrics, and what their tests do with a metric."""

import keras
import numpy as np

RNG = np.random.default_rng(7)
WEIGHT = RNG.uniform(0.1, 3.0, 90)
# target, y, logits: 90 rows, the last class or label rare
ROWS = {
    "binary": ("auto", (RNG.uniform(size=90) < 0.2).astype(int), RNG.normal(size=(90, 1))),
    "multiclass": ("auto", RNG.choice(4, 90, p=[0.6, 0.2, 0.15, 0.05]), RNG.normal(size=(90, 4))),
    "multilabel": (
        "multilabel",
        (RNG.uniform(size=(90, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(int),
        RNG.normal(size=(90, 4)),
    ),
}


def value(metric, y, z, weight=None, batches=1):
    for rows in np.array_split(np.arange(len(z)), batches):
        metric.update_state(y[rows], z[rows], None if weight is None else weight[rows])
    return float(metric.result())


def linear_model(units, shape=(3,)):
    start = keras.initializers.GlorotUniform(seed=0)
    dense = keras.layers.Dense(units, kernel_initializer=start)
    return keras.Sequential([keras.Input(shape), dense])


X = np.random.default_rng(3).normal(size=(90, 3)).astype("float32")
