"""The versions of the libraries, for bug reports."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import keras
import tensorflow as tf

_DISTRIBUTIONS = (
    "skimb", "numpy", "scipy", "scikit-learn", "imbalanced-learn", "scikeras", "keras",
    "tensorflow", "pandas", "matplotlib",
)  # fmt: skip


def show_versions() -> None:
    """Print what a bug report needs: the versions of Python and of the libraries, and the machine.

    Examples
    --------
    >>> import skimb
    >>> skimb.show_versions()  # doctest: +ELLIPSIS
    python            3...
    """
    rows = {"python": sys.version.split()[0]}
    for name in _DISTRIBUTIONS:
        try:
            rows[name] = version(name)
        except PackageNotFoundError:
            rows[name] = "not installed"
    rows["Keras backend"] = keras.backend.backend()
    rows["devices"] = ", ".join(device.name for device in tf.config.list_logical_devices())
    rows["platform"] = platform.platform()
    for name, value in rows.items():
        print(f"{name:<18}{value}")
