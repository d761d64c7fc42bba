"""Warnings that point at the user's line, whatever calls lie between it and the library."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

_LIBRARIES = ("skimb", "sklearn", "imblearn", "joblib", "keras", "tensorflow", "scikeras")


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first frame that is outside of the library and of what calls it.

    Parameters
    ----------
    message : str
    category : type of Warning, default=UserWarning
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_library(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


_package = str(Path(__file__).parent) + os.sep


def _is_library(filename: str) -> bool:
    if filename.startswith((_package, "<frozen", "<__array_function__")):
        return True
    parts = Path(filename).parts
    folder = next((name for name in ("site-packages", "dist-packages") if name in parts), None)
    return folder is not None and parts[parts.index(folder) + 1] in _LIBRARIES
