"""How compiled functions are called: without log messages, and in the thread of the caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.eager import context


@contextmanager
def without_remarks(network: keras.Model) -> Iterator[None]:
    """Run the compiled functions of a float64 network without TensorFlow's log messages.

    TensorFlow's graph optimiser searches for operations that oneDNN can fuse, and logs "Not
    handling type DT_DOUBLE" to stderr for each one in float64. The messages are visible if keras is
    imported before skimb. This context disables the search (remapping) for calls of this thread.
    """
    if not any(variable.dtype == "float64" for variable in network.variables):
        yield
        return
    eager = context.context()
    eager.ensure_initialized()
    before = eager.function_call_options
    config = eager.config
    config.graph_options.rewrite_options.remapping = RewriterConfig.OFF
    eager.function_call_options = context.FunctionCallOptions(before.executor_type, config)
    try:
        yield
    finally:
        eager.function_call_options = before


@contextmanager
def in_one_thread(applies: bool) -> Iterator[None]:
    """Run the operations of compiled functions one after the other in the thread that calls.

    For a few samples, passing operations between threads takes several times as long as computing
    them, and more where other requests have the cores.

    Parameters
    ----------
    applies : bool
        Whether to, or to leave everything as it is.
    """
    if not applies:
        yield
        return
    eager = context.context()
    eager.ensure_initialized()
    options = eager.function_call_options  # those of this thread
    before = options.executor_type
    options.executor_type = "SINGLE_THREADED_EXECUTOR"
    try:
        yield
    finally:
        options.executor_type = before
