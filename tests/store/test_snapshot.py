"""Snapshots for many who ask, read anew only where something was stored."""

from __future__ import annotations

import threading

import polars as pl

from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.store.snapshot import TRUSTED_SECONDS, Snapshot, Snapshots, read_snapshot
from tests.store.rows import STREAM, event_rows

NEVER = threading.Event()


def test_what_was_stored_before_is_in_it(store: Store) -> None:
    """After each append, in whichever partition, however soon."""
    snapshots = Snapshots(store, clock=lambda: 0.0)
    assert snapshots.read().offsets == {}
    last: dict[int, int | None] = {0: None, 1: None}
    for partition in (0, 1, 0, 1):
        expected = last[partition]
        first = 0 if expected is None else expected + 1
        frame = event_rows(10, first=first, partition=partition, seed=partition)
        append_events(store, STREAM, partition, expected, frame, NEVER)
        last[partition] = first + 9
        assert snapshots.read() == read_snapshot(store)
        assert snapshots.read() is snapshots.read()


def test_number_of_rows_is_not_trusted_for_long(store: Store) -> None:
    """As many rows come as retention drops: after a second the new ones are in it."""
    now = [0.0]
    snapshots = Snapshots(store, clock=lambda: now[0])
    append_events(store, STREAM, 0, None, event_rows(10), NEVER)
    before = snapshots.read()
    month = store.query_frame(f"SELECT any(partition_month) FROM {store.database}.events").item()
    store.command(f"ALTER TABLE {store.database}.events DROP PARTITION '{month}'")
    append_events(store, STREAM, 1, None, event_rows(10, partition=1, seed=1), NEVER)
    now[0] = TRUSTED_SECONDS + 0.1
    assert snapshots.read() != before
    assert snapshots.read() == read_snapshot(store)


def test_conditions_tell_what_was_stored(store: Store) -> None:
    """Of several streams and partitions, also of those that came later, and of none."""
    for stream, partition in (("a", 0), ("a", 3), ("b", 1), ("b", 2)):
        frame = event_rows(5, stream=stream, partition=partition, seed=len(stream) + partition)
        ids = [f"{stream}{partition}-{offset}" for offset in frame["kafka_offset"]]
        frame = frame.with_columns(sentence=pl.Series(ids))
        append_events(store, stream, partition, None, frame, NEVER)
    for offsets in (
        {"a": {0: 4, 3: 4}, "b": {1: 4, 2: 4}},
        {"a": {0: 1}, "b": {2: 0}},
        {"a": {3: 2}},
        {"a": {}, "b": {1: -1}},
        {},
    ):
        snapshot = Snapshot(offsets)
        found = store.query_frame(
            f"SELECT e.sentence, {snapshot.includes()} AS before, {snapshot.excludes()} AS later "
            f"FROM {store.database}.events AS e"
        )
        told = {
            f"{stream}{partition}-{offset}"
            for stream, bounds in offsets.items()
            for partition, bound in bounds.items()
            for offset in range(bound + 1)
        }
        assert set(found.filter(pl.col("before") != 0)["sentence"]) == told
        assert set(found.filter(pl.col("later") == 0)["sentence"]) == told
