"""The newest events, looked for near where the page begins before everywhere.

A table of years has hundreds of parts, and a page from all of them begins with reading a little of
each. How much time a page of a workspace takes up is known from the pages before: a range of some
times that is asked first, and has the whole page unless the log has grown much quieter.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from auditstream.store.connection import Store
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import Page, Position, Shape, read_page
from auditstream.store.snapshot import Snapshot
from auditstream.store.tokens import EPOCH, microseconds

ROOM: Final = 4.0
"""How many times the time that a page is expected to take up is asked for."""

WEIGHT: Final = 0.3
MAX_KEYS: Final = 10_000
SECOND: Final = 1_000_000

_Key = tuple[str, str]


class Paces:
    """Microseconds between two events of a workspace, as pages showed it lately; many threads."""

    def __init__(self) -> None:
        self._paces: dict[_Key, float] = {}
        self._lock = threading.Lock()

    def get(self, wanted: EventFilter) -> float | None:
        """Return the pace of the filter's workspace and time, None before the first page."""
        return self._paces.get((wanted.workspace_id, wanted.time))

    def learn(self, wanted: EventFilter, pace: float) -> None:
        """Take in what a page showed: at once if it was slower, bit by bit if it was faster."""
        key = (wanted.workspace_id, wanted.time)
        with self._lock:
            known = self._paces.get(key)
            if known is None and len(self._paces) >= MAX_KEYS:
                self._paces.clear()
            if known is not None and pace < known:
                pace = known + (pace - known) * WEIGHT
            self._paces[key] = pace


def read_near(
    store: Store,
    paces: Paces,
    shape: Shape,
    wanted: EventFilter,
    *,
    snapshot: Snapshot,
    after: Position | None,
    limit: int,
    now: Callable[[], float] = time.time,
) -> Page:
    """Return what `read_page` returns of the newest events; blocks and raises as it does."""

    def read(wanted: EventFilter) -> Page:
        return read_page(store, shape, wanted, snapshot=snapshot, after=after, limit=limit)

    if wanted.wanted:
        return read(wanted)  # what its conditions leave comes at another pace
    start = after.at if after is not None else _start(wanted, round(now() * SECOND))
    pace = paces.get(wanted)
    page = None
    if pace is not None:
        since = EPOCH + timedelta(microseconds=max(0.0, start - ROOM * pace * (limit + 1)))
        if wanted.since is None or since > wanted.since:
            page = read(replace(wanted, since=since))
    if page is None or not page.more:
        page = read(wanted)
    if page.last is not None and page.more:
        paces.learn(wanted, max(1, start - page.last.at) / len(page.lines))
    return page


def _start(wanted: EventFilter, now: int) -> int:
    return now if wanted.until is None else min(now, microseconds(wanted.until))
