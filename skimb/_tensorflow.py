"""Imports TensorFlow without the messages it prints while starting. Nothing else lives here."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_START_UP_MESSAGE = re.compile(
    rb"WARNING: All log messages before absl|[IWEF]\d{4} \d\d:\d\d|[IWE]0000 |"
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |To enable the following instructions"
)


@contextmanager
def _without_start_up_messages() -> Iterator[None]:
    """Keep TensorFlow's C++ log lines off the standard error stream, and let all others through.

    The lines written before TensorFlow's logger is set up obey no environment variable, hence
    the detour over the file descriptor.
    """
    name, level = "TF_CPP_MIN_LOG_LEVEL", os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    if level is not None:  # whoever sets the level wants to see it obeyed
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        os.environ[name] = "3"
        try:
            yield
        finally:
            del os.environ[name]
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            for line in caught:
                if not _START_UP_MESSAGE.match(line):
                    os.write(2, line)


if "tensorflow" not in sys.modules:
    with _without_start_up_messages():
        import tensorflow as tf

        # Looking for devices is the last thing that TensorFlow comments on.
        tf.config.list_physical_devices()
