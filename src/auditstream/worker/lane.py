"""What waits to be stored of one assigned partition."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass
from math import inf

from auditstream.worker.assignment import Assignment
from auditstream.worker.pending import Pending
from auditstream.worker.share import Share


@dataclass(frozen=True)
class Slice:
    """One fetch's share of one partition: what becomes of its records up to `next_offset`.

    `delivered` is done when the fetch's alerts and rejects are acknowledged; only then may an
    append move the watermark past them. `since` is when the fetch was taken, monotonic seconds.
    """

    share: Share
    next_offset: int
    delivered: asyncio.Future[None]
    due: float


class Lane:
    """The slices of one partition in offset order, from assignment to revocation."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.watermark = assignment.watermark
        self.settled = assignment.position
        self.abandoned = threading.Event()
        self.draining = False
        self.task: asyncio.Task[None] | None = None
        self._slices: deque[Slice] = deque()
        self._in_flight: list[Slice] = []
        self._changed = asyncio.Event()
        self._due = inf

    @property
    def rows(self) -> int:
        """Rows that are not yet in the table."""
        return sum(item.share.rows for item in (*self._in_flight, *self._slices))

    @property
    def queued(self) -> int:
        """Rows that wait to be taken; none while others are in flight."""
        return 0 if self._in_flight else sum(item.share.rows for item in self._slices)

    @property
    def in_flight(self) -> int:
        """Rows that are taken and not landed."""
        return sum(item.share.rows for item in self._in_flight)

    @property
    def size(self) -> int:
        """Bytes that are not yet in the table, about."""
        return sum(item.share.size for item in (*self._in_flight, *self._slices))

    def pending(self) -> list[Pending]:
        """Return what must be known of the events that are not yet in the table."""
        shares = (item.share for item in (*self._in_flight, *self._slices))
        return [share.pending for share in shares if share.pending is not None]

    def add(self, item: Slice) -> None:
        """Queue a slice; it follows those queued before."""
        self._slices.append(item)
        self._changed.set()

    def hurry_by(self, due: float) -> None:
        """Have what is queued taken at `due`, monotonic seconds, if not before."""
        if self._slices and due < min(self._due, self._slices[0].due):
            self._due = due
            self._changed.set()

    def drain(self) -> None:
        """Store what is queued without waiting for more, then end."""
        self.draining = True
        self._changed.set()

    def abandon(self) -> None:
        """End without storing what is queued; an append that waits for the store gives up."""
        self.abandoned.set()
        self.drain()

    async def take(self, rows: int) -> list[Slice]:
        """Wait until `rows` are queued, one is due or hurried, or the lane is to end.

        Returns slices of up to `rows` rows, at least one; none when the lane is to end. They
        count as in flight until `landed`.
        """
        while not self.draining:
            self._changed.clear()
            wait = None
            if self._slices:
                # The last one of a backlog is due before those that came in it.
                due = min(self._due, *(item.due for item in self._slices))
                wait = due - time.monotonic()
                if wait <= 0 or self.queued >= rows:
                    break
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                break
        self._due = inf
        if self.abandoned.is_set():
            return []
        taken: list[Slice] = []
        total = 0
        while self._slices and (not taken or total + self._slices[0].share.rows <= rows):
            taken.append(self._slices.popleft())
            total += taken[-1].share.rows
        self._in_flight = taken
        return taken

    def landed(self) -> None:
        """The slices taken last are settled."""
        self.settled = self._in_flight[-1].next_offset
        self._in_flight = []
