"""What the table of events held at a moment, so that a walk over many pages sees just that.

A Kafka partition is stored in the order of its offsets, each append after the one before. So all
that is stored of it at a moment are the rows up to its watermark, and what is stored later lies
above. A snapshot is the watermark of each partition; no clock has a part in it.
"""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from auditstream.store.connection import SettingValue, Store
from auditstream.store.shared import Shared
from auditstream.store.sql import literal

Offsets: TypeAlias = Mapping[str, Mapping[int, int]]
"""Offset by stream and partition."""

TRUSTED_SECONDS: Final = 1.0
"""For how long the number of rows tells that nothing was stored."""

_NARROW: Final[dict[str, SettingValue]] = {"max_threads": 1}
_BY_PROJECTION: Final[dict[str, SettingValue]] = {**_NARROW, "optimize_use_projections": 1}


@dataclass(frozen=True)
class Snapshot:
    """The highest stored offset of each partition of each stream."""

    offsets: Offsets = field(default_factory=dict)

    def includes(self) -> str:
        """Return an SQL condition on rows `e` of events: the row was stored by then."""
        # A look-up by partition: a condition for each costs a page a fifth of its time.
        conditions = [
            f"(e.stream = {literal(stream)} AND e.kafka_offset < [{_ends(bounds)}]"
            "[e.kafka_partition + 1])"
            for stream, bounds in self.offsets.items()
            if bounds
        ]
        return f"({' OR '.join(conditions)})" if conditions else "0"

    def excludes(self) -> str:
        """Return an SQL condition on rows `e` of events: the row was stored later."""
        known = _later(self.offsets)
        partitions = " OR ".join(
            f"(e.stream = {literal(stream)} AND e.kafka_partition IN ({_list(offsets)}))"
            for stream, offsets in self.offsets.items()
            if offsets
        )
        return f"({known} OR NOT ({partitions}))" if partitions else "1"

    def moved(self, stream: str, partition: int, offset: int) -> Snapshot:
        """Return the snapshot with the watermark of one partition at `offset`."""
        return Snapshot(
            {**self.offsets, stream: {**self.offsets.get(stream, {}), partition: offset}}
        )


def read_snapshot(store: Store) -> Snapshot:
    """Return what is stored now. Blocks for some milliseconds, whatever the size of the table.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    found = store.query_frame(
        "SELECT stream, kafka_partition, max(kafka_offset) AS watermark "
        f"FROM {store.database}.events GROUP BY stream, kafka_partition "
        "ORDER BY stream, kafka_partition",
        settings=_BY_PROJECTION,
    )
    offsets: dict[str, dict[int, int]] = {}
    for stream, partition, watermark in found.rows():
        offsets.setdefault(stream, {})[partition] = watermark
    return Snapshot(offsets)


class Snapshots:
    """Reads snapshots for many threads, one at a time, and less where nothing was stored since.

    How many rows there are is known to ClickHouse without reading. Rows come with appends and go
    with whole parts that retention drops; that as many go as come between two readings, and so hide
    each other, is nothing that `clock` (seconds, never back) allows for longer than a second.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._latest: tuple[int, float, Snapshot] | None = None
        self._shared = Shared(self._anew)

    def read(self) -> Snapshot:
        """Return what was stored at some moment since the call.

        Blocks for some milliseconds, and for who has asked before.

        Raises:
            ServiceUnavailableError, StoreError: see `Store`.
        """
        return self._shared.read()

    def _anew(self) -> Snapshot:
        # Before the watermarks: what is stored in between is counted another time.
        rows = _rows(self._store)
        now = self._clock()
        latest = self._latest
        if latest is not None and latest[0] == rows and now < latest[1]:
            return latest[2]
        snapshot = read_snapshot(self._store)
        self._latest = rows, now + TRUSTED_SECONDS, snapshot
        return snapshot


def _rows(store: Store) -> int:
    return int(store.query_raw(f"SELECT count() FROM {store.database}.events", "TSV", _NARROW))


def _ends(bounds: Mapping[int, int]) -> str:
    """Return the offset that follows the last one of each partition from 0 on, 0 if it has none.

    For a partition beyond the list, ClickHouse takes 0.
    """
    return ", ".join(str(bounds.get(number, -1) + 1) for number in range(max(bounds) + 1))


def _later(offsets: Offsets) -> str:
    """Return an SQL condition on rows `e`: stored in a known partition after the offset there.

    Bounds stand in it as they are, so that the index of offsets can be asked.
    """
    conditions = []
    for stream, bounds in offsets.items():
        by_bound: dict[int, list[int]] = {}
        for partition, bound in bounds.items():
            by_bound.setdefault(bound, []).append(partition)
        conditions += [
            f"(e.stream = {literal(stream)} AND e.kafka_partition IN ({_list(partitions)}) "
            f"AND e.kafka_offset > {bound})"
            for bound, partitions in by_bound.items()
        ]
    return f"({' OR '.join(conditions)})" if conditions else "0"


def _list(numbers: Mapping[int, int] | list[int]) -> str:
    return ", ".join(map(str, numbers))
