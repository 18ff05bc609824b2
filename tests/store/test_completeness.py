"""Completeness as a workspace sees it tells nothing of other workspaces."""

from __future__ import annotations

import threading
from datetime import timedelta

import polars as pl

from auditstream.store.append import append_events
from auditstream.store.completeness import (
    Crossing,
    delays_of,
    last_crossing,
    reached_of,
    sources_of,
)
from auditstream.store.connection import Store
from tests.store.rows import START, STREAM, event_rows


def test_a_workspace_sees_its_part_of_a_source(store: Store) -> None:
    """How much is missing is told; where and when is not, since it may be another workspace's."""
    rows = event_rows(5).with_columns(
        workspace_id=pl.Series(["mine", "theirs", "theirs", "mine", "auditstream-canary"]),
        source_service=pl.lit("studio"),
        source_instance=pl.Series(["pod-1", "pod-1", "pod-1", None, None]),
        source_epoch=pl.Series([1, 1, 1, 1, 2]),
        source_sequence=pl.Series([3, 5, 9, 1, 1]),
        delay_seconds=pl.Series([0.5, 60.0, 60.0, 1.5, 0.25]),
    )
    append_events(store, STREAM, 0, None, rows, threading.Event())
    shared, whole = sorted(sources_of(store, "mine"), key=lambda source: -source.missing)
    assert (shared.service, shared.instance, shared.epoch) == ("studio", "pod-1", 1)
    assert shared.began_at.year == 1970
    # 4, 6, 7, 8 between its first and last event; 1 and 2 before.
    assert (shared.events, shared.missing, shared.before) == (1, 4, 2)
    # Numbers and times of others' events are not among what is told.
    assert (shared.first_number, shared.last_number) == (3, 3)
    assert shared.first == shared.last == rows["occurred_at"][0]
    assert (whole.instance, whole.missing, whole.before) == ("", 0, 0)
    assert [(item.offset, item.events) for item in reached_of(store, "mine")] == [(3, 2)]
    delays = delays_of(store, "mine")
    assert delays
    assert (delays.last, delays.slowest) == (rows["ingested_at"][0], 1.5)
    crossing = last_crossing(store, "auditstream-canary")
    assert crossing == Crossing(rows["occurred_at"][4], 0.25)
    assert crossing.published_at - START < timedelta(seconds=1)


def test_nothing_is_nothing(store: Store) -> None:
    """A workspace without events."""
    assert sources_of(store, "others") == []
    assert reached_of(store, "others") == []
    assert delays_of(store, "others") is None
    assert last_crossing(store, "auditstream-canary") is None
