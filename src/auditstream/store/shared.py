"""One reading for all who ask at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Calls `read` for many threads at once, one call at a time."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._reading = threading.Lock()
        self._begun = 0  # number of the last reading that was begun
        self._latest: tuple[int, T] | None = None  # what a reading found, and its number

    def read(self) -> T:
        """Return what a reading found that began after the call; blocks for two at most.

        Raises what `read` raises.
        """
        begun = self._begun
        with self._reading:
            # The one that was under way at the call may have missed something; the next has not.
            if self._latest is None or self._latest[0] <= begun:
                self._begun += 1
                self._latest = self._begun, self._read()
            return self._latest[1]
