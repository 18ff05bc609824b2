"""Where accepted events wait until the broker has acknowledged them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from auditstream.publish.record import Accepted


@dataclass(frozen=True)
class Destination:
    """What all events of a spool have in common.

    `schema` is the writer schema of their datums as JSON, `service` the service that sent them.
    """

    topic: str
    service: str
    schema: str


class Spool(Protocol):
    """Accepted events in the order of their positions. Safe to use from several threads."""

    @property
    def name(self) -> str:
        """What to call the spool in messages: its path, if it has one."""

    @property
    def destination(self) -> Destination:
        """Where the events go."""

    @property
    def count(self) -> int:
        """How many events wait."""

    @property
    def size(self) -> int:
        """How many bytes the waiting events count for."""

    @property
    def handed(self) -> int:
        """Highest position that was ever handed to a producer."""

    def put(self, event: Accepted) -> None:
        """Add an event, whose position is the highest so far."""

    def read(self, after: int, limit: int, max_bytes: int) -> list[Accepted]:
        """Return the events that follow position `after`.

        At most `limit`, and no more than `max_bytes` but for the first.
        """

    def mark_handed(self, position: int) -> None:
        """Note that events up to `position` may from now on be in the topic."""

    def remove(self, sizes: Mapping[int, int]) -> None:
        """Forget events that the broker has acknowledged: their sizes by position.

        All of them or none; `put` waits meanwhile, so give a few hundred at most.
        """

    def refuse(self, position: int, size: int, reason: str) -> None:
        """Put an event aside that the broker will never take."""

    def tidy(self) -> None:
        """Keep the spool's files small; `put` is not held up meanwhile, but for moments."""

    def close(self) -> None:
        """Give the spool up. Another process takes over what still waits, if it is on disk."""

    def hold(self) -> None:
        """Keep all other threads out until `let_go`."""

    def let_go(self) -> None:
        """End a `hold`."""

    def disown(self) -> None:
        """Leave the spool to the parent: this process is a fork of its owner."""


class MemorySpool:
    """A spool in memory: gone with the process."""

    name = "memory"

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.size = 0
        self.handed = 0
        self._events: dict[int, Accepted] = {}
        self._last = 0
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many events wait."""
        return len(self._events)

    def put(self, event: Accepted) -> None:
        """Add an event."""
        with self._lock:
            self._events[event.position] = event
            self._last = event.position
            self.size += event.size

    def read(self, after: int, limit: int, max_bytes: int) -> list[Accepted]:
        """Return the events that follow position `after`."""
        events: list[Accepted] = []
        with self._lock:
            for position in range(after + 1, self._last + 1):
                event = self._events.get(position)
                if event is None:
                    continue
                max_bytes -= event.size
                if len(events) == limit or (max_bytes < 0 and events):
                    break
                events.append(event)
        return events

    def mark_handed(self, position: int) -> None:
        """Note that events up to `position` may from now on be in the topic."""
        self.handed = max(self.handed, position)

    def remove(self, sizes: Mapping[int, int]) -> None:
        """Forget acknowledged events."""
        with self._lock:
            for position, size in sizes.items():
                del self._events[position]
                self.size -= size

    def refuse(self, position: int, size: int, reason: str) -> None:
        """Forget an event that the broker will never take."""
        del reason
        self.remove({position: size})

    def tidy(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def hold(self) -> None:
        """Nothing to do: the lock is not used after a fork."""

    def let_go(self) -> None:
        """Nothing to do."""

    def disown(self) -> None:
        """Nothing to do."""
