"""Whether the log of a workspace is complete: sources, gaps, places in Kafka, rejects."""
# ruff: noqa: S608 - names come from checked settings, values are parameters

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from auditstream.store.connection import SettingValue, Store

MOST: Final = 200
"""Rows of each part at most."""

_READ: Final[dict[str, SettingValue]] = {"readonly": 2}


@dataclass(frozen=True)
class Source:
    """A service that told of the workspace; `instances` are those that did."""

    service: str
    instances: int
    events: int
    first: datetime
    last: datetime
    last_stored: datetime


@dataclass(frozen=True)
class Missing:
    """How many numbers that a source counted did not arrive, in so many gaps.

    Which ones, and when, is not told: they may be events of another workspace.
    """

    service: str
    instance: str
    gaps: int
    missing: int


@dataclass(frozen=True)
class Reached:
    """The last place in Kafka from which an event of the workspace was stored."""

    topic: str
    partition: int
    offset: int
    stored_at: datetime
    events: int


@dataclass(frozen=True)
class Reject:
    """A record under the workspace's key that could not become an event."""

    rejected_at: datetime
    reason: str
    field: str
    message: str
    event_id: str | None
    kafka_topic: str
    position: str


def sources_of(store: Store, workspace_id: str) -> list[Source]:
    """Return the sources of a workspace, by name. Blocks; raises what `Store` raises."""
    rows = _rows(
        store,
        workspace_id,
        "SELECT e.source_service, uniqExact(ifNull(e.source_instance, '')), count(), "
        "min(e.occurred_at), max(e.occurred_at), max(e.ingested_at) "
        f"FROM {store.database}.events AS e "
        f"WHERE e.workspace_id = {{workspace:String}} GROUP BY 1 ORDER BY 1 LIMIT {MOST}",
    )
    return [Source(*row) for row in rows]


def missing_of(store: Store, workspace_id: str) -> list[Missing]:
    """Return what is missing from the sources of a workspace, by name.

    A source counts over all workspaces, so that a gap may be another one's. Blocks for
    milliseconds to seconds; raises what `Store` raises.
    """
    rows = _rows(
        store,
        workspace_id,
        "SELECT source_service, ifNull(source_instance, '') AS instance, count(), sum(missing) "
        f"FROM {store.database}.sequence_gaps WHERE (source_service, instance, source_epoch) IN "
        "(SELECT DISTINCT e.source_service, ifNull(e.source_instance, ''), e.source_epoch "
        f"FROM {store.database}.events AS e WHERE e.workspace_id = {{workspace:String}}) "
        f"GROUP BY ALL ORDER BY ALL LIMIT {MOST}",
    )
    return [Missing(*row) for row in rows]


def reached_of(store: Store, workspace_id: str) -> list[Reached]:
    """Return how far the partitions of a workspace are stored. Blocks; raises what `Store` does."""
    rows = _rows(
        store,
        workspace_id,
        "SELECT e.kafka_topic, e.kafka_partition, max(e.kafka_offset), max(e.ingested_at), count() "
        f"FROM {store.database}.events AS e WHERE e.workspace_id = {{workspace:String}} "
        f"GROUP BY e.stream, 1, 2 ORDER BY 1, 2 LIMIT {MOST}",
    )
    return [Reached(*row) for row in rows]


def rejects_of(store: Store, workspace_id: str) -> list[Reject]:
    """Return the rejected records under a workspace's key, the newest first.

    Blocks; raises what `Store` raises.
    """
    rows = _rows(
        store,
        workspace_id,
        "SELECT rejected_at, reason, field, message, event_id, kafka_topic, position "
        f"FROM {store.database}.rejects WHERE workspace_id = {{workspace:String}} "
        f"ORDER BY rejected_at DESC, position LIMIT {MOST}",
    )
    return [Reject(*row) for row in rows]


def _rows(store: Store, workspace_id: str, sql: str) -> list[tuple[Any, ...]]:
    return store.query_frame(sql, {"workspace": workspace_id}, _READ).rows()
