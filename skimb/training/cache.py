"""Thread-safe, bounded cache of compiled programs, reused across fits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Pool(Generic[Item]):
    """Pool of idle items by key that evicts the least recently used first.

    An item is removed while it is in use, so two threads with the same key get separate items.

    Parameters
    ----------
    capacity : int
        Maximum number of idle items.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._idle: OrderedDict[int, tuple[Hashable, Item]] = OrderedDict()
        self._added = 0
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, key: Hashable, make: Callable[[], Item]) -> Iterator[Item]:
        """Lend the item of a key, created if none is idle.

        An item is discarded if its use raised an exception, because its state is unknown.
        """
        item = self._take(key)
        if item is None:
            item = make()
        yield item
        self._give_back(key, item)

    def clear(self) -> None:
        """Discard all idle items."""
        with self._lock:
            self._idle.clear()

    def __len__(self) -> int:
        return len(self._idle)

    def _take(self, key: Hashable) -> Item | None:
        with self._lock:
            for position in reversed(self._idle):
                if self._idle[position][0] == key:
                    return self._idle.pop(position)[1]
        return None

    def _give_back(self, key: Hashable, item: Item) -> None:
        with self._lock:
            self._added += 1
            self._idle[self._added] = (key, item)
            while len(self._idle) > self.capacity:
                self._idle.popitem(last=False)


# TensorFlow does not release all memory of a compiled function (3 to 8 MB each). So a program that
# is discarded and compiled again costs more memory in the end than one that is kept.
programs: Pool[Any] = Pool(capacity=64)
forward_passes: Pool[Any] = Pool(capacity=64)


def clear_cache() -> None:
    """Discard all compiled programs and release the memory they hold.

    Examples
    --------
    >>> import skimb
    >>> skimb.training.clear_cache()
    """
    programs.clear()
    forward_passes.clear()
