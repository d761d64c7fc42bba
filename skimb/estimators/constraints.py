"""What values the parameters take that several estimators have."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import keras
import tensorflow as tf
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
AUTO = StrOptions({"auto"})

#: of every estimator
OF_ALL: dict[str, Any] = {
    "loss": [str, dict, callable],
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
    "batching": [StrOptions({"shuffled", "stratified", "balanced"})],
    "augmentation": [AUTO, callable, None],
    "early_stopping": ["boolean", AUTO],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "monitor": [str],
    "patience": [AT_LEAST_1],
    "threshold": [Interval(Real, 0, 1, closed="both"), "array-like", dict, str],
    "prior_correction": ["boolean"],
    "model_outputs": [StrOptions({"auto", "logits", "probabilities"})],
    "metrics": [list, tuple, None],
    "scoring": [str, callable],
    "warm_start": ["boolean"],
}

#: of the classifier of samples
OF_SAMPLES: dict[str, Any] = {
    **OF_CLASSIFIERS,
    "model": [StrOptions({"auto", "mlp_ensemble", "mlp", "cnn"}), keras.Model, callable],
    "target": [StrOptions({"auto", "candidates"})],
    "class_weight": [str, dict, "array-like", None],
    "pos_weight": [StrOptions({"balanced"}), Interval(Real, 0, None, closed="neither"),
                   "array-like", dict, None],
    "weight_power": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
    "class_weight_start": [Interval(Real, 0, 1, closed="left")],
    "epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "sampler": [HasMethods(["fit_resample"]), None],
    "resample_every_epoch": ["boolean"],
    "augment_classes": [StrOptions({"all", "minority"})],
    "class_prior": ["array-like", dict, None],
    "cv": [StrOptions({"auto"}), "cv_object"],
    "costs": ["array-like", dict, None],
    "pos_label": "no_validation",
}  # fmt: skip
