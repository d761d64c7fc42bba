"""Benchmarks: ``python -m benchmarks.speed`` and ``python -m benchmarks.memory``."""

import skimb  # noqa: F401  (before Keras, so that TensorFlow starts without a word)
