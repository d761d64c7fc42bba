"""Lock of process-wide state, which a thread passes that works for the one that holds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# The generators and the default dtype are process-wide: without a lock, two threads that build
# networks at the same time would use each other's seeds.
_lock = threading.Lock()
_holder: int | None = None
_thread = threading.local()

# between two looks at who holds the lock, for a thread that waits for it
_SECONDS = 0.05


@contextmanager
def locked() -> Iterator[None]:
    """Hold the lock, unless this thread or one that waits for what it does holds it already."""
    global _holder
    while _holder not in served():
        if _lock.acquire(timeout=_SECONDS):
            break
    else:  # held already
        yield
        return
    _holder = threading.get_ident()
    try:
        yield
    finally:
        _holder = None
        _lock.release()


def served() -> frozenset[int]:
    """Return the threads that this one works for, and itself."""
    return getattr(_thread, "served", frozenset()) | {threading.get_ident()}


def serve(threads: frozenset[int]) -> None:
    """Let this thread work for others until it ends, as a thread of a pool that a fit made."""
    _thread.served = threads


@contextmanager
def serving(threads: frozenset[int]) -> Iterator[None]:
    """Let this thread work for others inside the block.

    A fit that holds the lock may wait for code of the user in a thread that reads batches. That
    code may use another estimator, whose network needs the lock: it would wait for ever.
    """
    before: frozenset[int] = getattr(_thread, "served", frozenset())
    _thread.served = threads
    try:
        yield
    finally:
        _thread.served = before
