"""Keeps TensorFlow from commenting on every float64 network that it optimises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.eager import context


@contextmanager
def without_remarks(network: keras.Model) -> Iterator[None]:
    """Run the compiled functions of a float64 network without TensorFlow's remarks on them.

    TensorFlow looks for operations that oneDNN computes together, and writes "Not handling type
    DT_DOUBLE" to the standard error stream for each that it finds in float64. Whoever imports skimb
    before TensorFlow does not see its messages, whoever imports keras first does. The search is
    turned off for the calls of this thread within the block.
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
