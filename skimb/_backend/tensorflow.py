"""Import of TensorFlow without start-up messages and with a limited number of threads."""

import multiprocessing
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# by the level that TF_CPP_MIN_LOG_LEVEL names, the severities that are left out from it on
_SEVERITIES = {"1": "I", "2": "IW", "3": "IWE"}
_WITHOUT_ERRORS = "WARNING: All log messages before absl|To enable the following instructions"


def _start_up_message(severities: str) -> re.Pattern[bytes]:
    """Return what the messages of these severities begin with."""
    begins = (
        _WITHOUT_ERRORS,
        rf"[{severities}]\d{{4}} \d\d:\d\d",
        rf"[{severities}]0000 ",
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [{severities}] ",
    )
    return re.compile("|".join(begins).encode())


@contextmanager
def _without_start_up_messages() -> Iterator[None]:
    """Suppress TensorFlow's C++ log messages on stderr and pass on all other output.

    Messages logged before TensorFlow's logger is set up ignore environment variables, so the file
    descriptor is redirected.
    """
    name, level = "TF_CPP_MIN_LOG_LEVEL", os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    if level is not None and level.strip() not in _SEVERITIES:  # "0" is the user who wants them
        yield
        return
    # a level of the user's own hides what it says, also before TensorFlow knows of it
    message = _start_up_message(_SEVERITIES["3" if level is None else level.strip()])
    try:
        saved = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    _flush_stderr()
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        os.environ.setdefault(name, "3")
        try:
            yield
        finally:
            if level is None:
                del os.environ[name]
            _flush_stderr()
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            for line in caught:
                if not message.match(line):
                    os.write(2, line)


def _flush_stderr() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


def _limit_threads() -> None:
    """Limit the threads of TensorFlow in workers of a process pool, to avoid oversubscription.

    joblib sets OMP_NUM_THREADS to the number of cores per worker, which TensorFlow's thread pools
    ignore.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    if multiprocessing.parent_process() is None or not share.isdigit():
        return
    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() == 0:
        threading.set_intra_op_parallelism_threads(int(share))
        threading.set_inter_op_parallelism_threads(int(share))


_starts_here = "tensorflow" not in sys.modules

with _without_start_up_messages():
    import tensorflow as tf

    if _starts_here:
        _limit_threads()
    # Listing devices triggers the last of the start-up messages.
    tf.config.list_physical_devices()


_forked_at_work = False


def _note_fork() -> None:
    """Record whether this process was forked from one that had initialised TensorFlow."""
    from tensorflow.python.eager import context

    global _forked_at_work
    _forked_at_work = _forked_at_work or context.context()._context_handle is not None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def check_usable() -> None:
    """Raise a RuntimeError in forked processes where TensorFlow would deadlock.

    A fork does not copy the threads of its parent, and TensorFlow has threads from its first
    operation on.
    """
    if _forked_at_work:
        raise RuntimeError(
            "This process was forked from one that had used TensorFlow, which does not work after "
            "a fork. Use joblib's default backend 'loky', or multiprocessing's 'spawn' or "
            "'forkserver', or fork before the first network is built."
        )
