"""What values the parameters take that several estimators have."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import keras
import tensorflow as tf
from sklearn.utils._param_validation import Interval, StrOptions

AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
AUTO = StrOptions({"auto"})

#: of every estimator
OF_ALL: dict[str, Any] = {
    "loss": [str, callable],
    "optimizer": [str, keras.optimizers.Optimizer, callable],
    "batch_size": [AUTO, AT_LEAST_1],
    "callbacks": [list, tuple, dict, keras.callbacks.Callback, callable, None],
    "trainer": [StrOptions({"auto", "compiled", "keras"})],
    "distribution": [StrOptions({"mirrored"}), tf.distribute.Strategy, callable, None],
    "dtype": [str],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

#: of classifiers of samples and of pixels
OF_CLASSIFIERS: dict[str, Any] = {
    **OF_ALL,
    "model_outputs": [StrOptions({"auto", "logits", "probabilities"})],
    "batching": [StrOptions({"shuffled", "stratified", "balanced"})],
    "augmentation": [callable, None],
    "early_stopping": ["boolean", AUTO],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "monitor": [str],
    "patience": [AT_LEAST_1],
    "threshold": [Interval(Real, 0, 1, closed="both"), "array-like", dict, str],
    "prior_correction": ["boolean"],
    "metrics": [list, tuple, None],
    "scoring": [str, callable],
    "warm_start": ["boolean"],
}
