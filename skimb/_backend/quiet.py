"""Suppression of TensorFlow's log messages about optimising float64 networks."""

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
