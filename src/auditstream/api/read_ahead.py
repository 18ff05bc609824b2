"""Pages read ahead of a client that walks.

To read thousands of events costs ClickHouse twice as much as to read 100, so that who asks for a
second page gets the next ones from here. A page is what follows a place in a snapshot, which
nothing that arrives can change: it is the same whether it was read now or a moment ago.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from auditstream.api.cursors import Cursors, Place
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import Page, Shape, position

KEPT_SECONDS: Final = 30.0
KEPT_BYTES: Final = 96 * 1024 * 1024

Read = Callable[[Place, int], Page]
"""From a place and a number to the page of so many events that follows."""


@dataclass(frozen=True)
class Step:
    """A page, and the token of the one after it; None when it is the last."""

    page: Page
    following: str | None


@dataclass(frozen=True)
class Walk:
    """What all pages of a walk have in common; `ahead` is how many events are read at once."""

    purpose: str
    wanted: EventFilter
    shape: Shape
    limit: int
    read: Read
    ahead: int


class ReadAhead:
    """Keeps pages for half a minute, 96 MiB of them at most; for many threads."""

    def __init__(self, cursors: Cursors, clock: Callable[[], float] = time.monotonic) -> None:
        self._cursors = cursors
        self._clock = clock
        self._kept: OrderedDict[tuple[str, int], tuple[float, int, Step]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def begin(self, walk: Walk, place: Place) -> Step:
        """Return the first page of a walk; blocks, and raises what `walk.read` raises."""
        page = walk.read(place, walk.limit)
        return Step(page, self._following(walk, place, page))

    def go_on(self, walk: Walk, place: Place, token: str) -> Step:
        """Return the page at a place, whose token it is; blocks and raises as `begin`."""
        kept = self._take(token, walk.limit)
        if kept is not None:
            return kept
        first, *others = self._steps(
            walk, place, walk.read(place, max(1, walk.ahead // walk.limit) * walk.limit)
        )
        name = first.following
        for step in others:
            if name is not None:
                self._keep(name, walk.limit, step)
            name = step.following
        return first

    def _steps(self, walk: Walk, place: Place, read: Page) -> list[Step]:
        steps = []
        for start in range(0, max(1, len(read.lines)), walk.limit):
            lines = read.lines[start : start + walk.limit]
            more = read.more or start + walk.limit < len(read.lines)
            last = position(walk.shape, walk.wanted.time, lines[-1]) if lines else None
            page = Page(lines, last, more)
            steps.append(Step(page, self._following(walk, place, page)))
        return steps

    def _following(self, walk: Walk, place: Place, page: Page) -> str | None:
        if not page.more:
            return None
        return self._cursors.seal(walk.purpose, walk.wanted, Place(place.snapshot, page.last))

    def _take(self, token: str, limit: int) -> Step | None:
        with self._lock:
            found = self._kept.get((token, limit))
            return found[2] if found is not None and found[0] > self._clock() else None

    def _keep(self, token: str, limit: int, step: Step) -> None:
        size = sum(map(len, step.page.lines))
        with self._lock:
            if (token, limit) in self._kept:
                return
            self._kept[token, limit] = self._clock() + KEPT_SECONDS, size, step
            self._bytes += size
            now = self._clock()
            while self._kept:
                oldest = next(iter(self._kept.values()))
                if self._bytes <= KEPT_BYTES and oldest[0] > now:
                    break
                self._kept.popitem(last=False)
                self._bytes -= oldest[1]
