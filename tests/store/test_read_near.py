from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta

import polars as pl

from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import EVENT_SHAPE, Position, read_page
from auditstream.store.read_near import Paces, read_near
from auditstream.store.snapshot import read_snapshot
from tests.store.rows import STREAM, event_rows

START = datetime(2025, 3, 1, tzinfo=UTC)
WORKSPACE = f"{0:016x}"


def test_pages_are_those_of_the_whole_log(store: Store) -> None:
    """In bursts and in quiet, at any place, page after page, from the future and from the past."""
    draw = random.Random(9)
    rows = event_rows(1_500, workspaces=1)
    at, times = START, []
    for _ in range(rows.height):
        at += timedelta(microseconds=draw.choice((0, 1, 500, 10**6, 10**9)) * draw.randrange(3))
        times.append(at)
    rows = rows.with_columns(pl.Series("occurred_at", times, pl.Datetime("us", "UTC")))
    append_events(store, STREAM, 0, None, rows, threading.Event())
    snapshot, paces = read_snapshot(store), Paces()
    asked = 0
    for _ in range(25):
        until = draw.choice((None, draw.choice(times), at + timedelta(days=800)))
        since = draw.choice((None, START + (at - START) * draw.random()))
        wanted = EventFilter(WORKSPACE, since, until)
        after: Position | None = None
        limit = draw.choice((1, 20, 200))
        for _ in range(4):
            near = read_near(
                store, paces, EVENT_SHAPE, wanted, snapshot=snapshot, after=after, limit=limit
            )
            whole = read_page(
                store, EVENT_SHAPE, wanted, snapshot=snapshot, after=after, limit=limit
            )
            assert near == whole
            asked += 1
            after = near.last
            if not near.more:
                break
    assert asked > 40


def test_a_page_reads_what_is_near(store: Store) -> None:
    """Once the pace is known, a first page is asked of a part of the log alone."""
    rows = event_rows(2_000, workspaces=1)
    append_events(store, STREAM, 0, None, rows, threading.Event())
    asked: list[EventFilter] = []

    class Noting(EventFilter):
        def where(self) -> str:
            asked.append(self)
            return super().where()

    last = rows["occurred_at"].max()
    assert isinstance(last, datetime)
    wanted = Noting(WORKSPACE, None, last)
    snapshot, paces = read_snapshot(store), Paces()
    for _ in range(3):
        page = read_near(store, paces, EVENT_SHAPE, wanted, snapshot=snapshot, after=None, limit=50)
        assert len(page.lines) == 50
    everywhere, *near = asked
    assert everywhere.since is None
    # Events follow each other by 20 ms.
    assert [one.since is not None and last - one.since < timedelta(seconds=10) for one in near] == [
        True,
        True,
    ]
