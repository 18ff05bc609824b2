"""Pages read ahead of a client that walks.

To plan a query costs ClickHouse more than to read 100 events, and to read thousands twice as much.
So a first page is read with a few more, and who asks for those after them gets many. A page is what
follows a place in a snapshot, which nothing that arrives can change: it is the same whether it was
read now or a moment ago.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from auditstream.api.cursors import Cursors, Place
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import Page, Shape, position
from auditstream.store.snapshot import Snapshot

FIRST_PAGES: Final = 5
"""Pages read when the first is asked for: a fifth of it is what those four cost more."""

KEPT_SECONDS: Final = 30.0
KEPT_BYTES: Final = 96 * 1024 * 1024

_Key = tuple[tuple[str, bytes, int], str]

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

    @cached_property
    def name(self) -> tuple[str, bytes, int]:
        """What tells its pages from those of others."""
        return self.purpose, self.wanted.canonical(), self.limit


class ReadAhead:
    """Keeps pages for half a minute, 96 MiB of them at most; for many threads."""

    def __init__(self, cursors: Cursors, clock: Callable[[], float] = time.monotonic) -> None:
        self._cursors = cursors
        self._clock = clock
        self._kept: OrderedDict[_Key, tuple[float, int, Step]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, walk: Walk, token: str) -> Step | None:
        """Return the page of a token if it is kept; None says nothing. Does not block.

        A page is kept under all that its token is bound to: who finds it need not open the token.
        """
        with self._lock:
            key = (walk.name, token)
            found = self._kept.get(key)
            if found is None or found[0] <= self._clock():
                return None
            self._kept.move_to_end(key, last=False)  # a walk seldom comes this way again
            return found[2]

    def begin(self, walk: Walk, snapshot: Snapshot) -> Step:
        """Return the first page of a walk; blocks, and raises what `walk.read` raises."""
        place = Place(snapshot)
        token = self._cursors.seal(walk.purpose, walk.wanted, place)
        return self.find(walk, token) or self._read(walk, place, token, FIRST_PAGES)

    def go_on(self, walk: Walk, place: Place, token: str) -> Step:
        """Return the page at a place, whose token it is; blocks and raises as `begin`."""
        return self._read(walk, place, token, walk.ahead)

    def _read(self, walk: Walk, place: Place, token: str, pages: int) -> Step:
        pages = max(1, min(pages, walk.ahead // walk.limit))
        steps = self._steps(walk, place, walk.read(place, pages * walk.limit))
        name: str | None = token
        for step in steps:
            if name is not None:
                self._keep((walk.name, name), step)
            name = step.following
        return steps[0]

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

    def _keep(self, key: _Key, step: Step) -> None:
        size = sum(map(len, step.page.lines))
        with self._lock:
            now = self._clock()
            before = self._kept.pop(key, None)
            self._kept[key] = now + KEPT_SECONDS, size, step
            self._bytes += size - (before[1] if before else 0)
            while self._kept:
                oldest = next(iter(self._kept.values()))
                if self._bytes <= KEPT_BYTES and oldest[0] > now:
                    break
                self._kept.popitem(last=False)
                self._bytes -= oldest[1]
