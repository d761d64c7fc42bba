"""Benchmarks: ``python -m benchmarks.speed`` and ``python -m benchmarks.memory``."""

import skimb  # noqa: F401  (before Keras, to silence TensorFlow's startup messages)
