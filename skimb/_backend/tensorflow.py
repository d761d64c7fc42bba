"""Starts TensorFlow: without the messages it prints, and with no more threads than its share."""

import multiprocessing
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
    try:
        saved = os.dup(2)
    except OSError:  # there is no standard error stream, so nothing to keep clean
        yield
        return
    _flush_stderr()
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        os.environ[name] = "3"
        try:
            yield
        finally:
            del os.environ[name]
            _flush_stderr()
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            for line in caught:
                if not _START_UP_MESSAGE.match(line):
                    os.write(2, line)


def _flush_stderr() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


def _limit_threads() -> None:
    """Keep the workers of a process pool from taking all cores each.

    joblib tells its workers their share of the cores in OMP_NUM_THREADS, which TensorFlow's own
    thread pools do not obey.
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
    # Looking for devices is the last thing that TensorFlow comments on.
    tf.config.list_physical_devices()


_forked_at_work = False


def _note_fork() -> None:
    """Note whether this process was forked off one in which TensorFlow was at work already."""
    from tensorflow.python.eager import context

    global _forked_at_work
    _forked_at_work = _forked_at_work or context.context()._context_handle is not None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def check_usable() -> None:
    """Raise an error where TensorFlow would wait for ever for threads that it no longer has.

    A fork copies none of the threads of its parent, and TensorFlow has some from its first
    operation on.
    """
    if _forked_at_work:
        raise RuntimeError(
            "This process was forked from one that had used TensorFlow, which does not work in the "
            "copy. Use joblib's default backend 'loky', or multiprocessing's 'spawn' or "
            "'forkserver', or fork before the first network is built."
        )
