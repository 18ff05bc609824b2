"""What has arrived since a moment, in the order of arrival."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from auditstream.store.connection import Store
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import JSON_SETTINGS, Shape, json_lines
from auditstream.store.snapshot import Snapshot

_STREAM: Final = "_stream"


@dataclass(frozen=True)
class Arrival:
    """An event as JSON, its action, and what has been seen once it is."""

    line: bytes
    action: str
    seen: Snapshot


def read_arrivals(
    store: Store, shape: Shape, wanted: EventFilter, seen: Snapshot, now: Snapshot, limit: int
) -> list[Arrival]:
    """Return the events stored between two snapshots, at most `limit`, the first to arrive first.

    Events of different Kafka partitions have no order; they come partition by partition. The shape
    has the table's columns. Blocks for some milliseconds.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    body = store.query_raw(
        f"SELECT {shape.select()}, e.stream AS {_STREAM} FROM {store.database}.events AS e "
        f"WHERE {wanted.where()} AND {now.includes()} AND {seen.excludes()} "
        f"ORDER BY e.stream, e.kafka_partition, e.kafka_offset LIMIT {limit}",
        "JSONEachRow",
        JSON_SETTINGS,
    )
    arrivals = []
    for line in json_lines(store, body):
        row = json.loads(line)
        seen = seen.moved(row.pop(_STREAM), row["kafka_partition"], row["kafka_offset"])
        told = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
        arrivals.append(Arrival(told, row["action"], seen))
    return arrivals
