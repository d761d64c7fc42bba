"""Compiled programs kept from fit to fit: bounded, and each used by one fit at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Pool(Generic[Item]):
    """Idle items by key, the least recently used thrown away first.

    An item is taken out while it is in use, so two threads with the same key get one each.

    Parameters
    ----------
    capacity : int
        Idle items kept at most.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._idle: OrderedDict[int, tuple[Hashable, Item]] = OrderedDict()
        self._added = 0
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, key: Hashable, make: Callable[[], Item]) -> Iterator[Item]:
        """Lend the item of a key, made if none is idle.

        An item whose use raised is not kept: nothing is known about its state.
        """
        item = self._take(key)
        if item is None:
            item = make()
        yield item
        self._give_back(key, item)

    def clear(self) -> None:
        """Throw all idle items away."""
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


# TensorFlow does not give back all that a compiled function took (3 to 8 MB each), so a program
# that is thrown away and compiled again costs more memory in the end than one that is kept.
programs: Pool[Any] = Pool(capacity=64)
forward_passes: Pool[Any] = Pool(capacity=64)


def clear_cache() -> None:
    """Throw away all compiled programs, and with them the memory they hold.

    Examples
    --------
    >>> import skimb
    >>> skimb.training.clear_cache()
    """
    programs.clear()
    forward_passes.clear()
