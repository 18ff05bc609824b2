"""Whether the log of a workspace is complete: sources, what is missing, places in Kafka, delays."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from auditstream.store.connection import SettingValue, Store
from auditstream.store.sql import literal
from auditstream.store.tokens import EPOCH

MOST: Final = 200
"""Rows of each part at most."""

LATEST: Final = 1_000
"""Events by which delays are told."""

_READ: Final[dict[str, SettingValue]] = {"readonly": 2}


@dataclass(frozen=True)
class Source:
    """An instance of a service since it began to count, as far as it told of the workspace.

    `first_number` and `last_number` are those of the workspace's events. A source counts over all
    workspaces: `missing` numbers between its first and its last did not arrive, and `before` are
    not there before its first, as they have expired or were lost. Which ones, and when, is not
    told: they may be events of another workspace.
    """

    service: str
    instance: str
    epoch: int
    events: int
    first_number: int
    last_number: int
    first: datetime
    last: datetime
    last_stored: datetime
    missing: int
    before: int

    @property
    def began_at(self) -> datetime:
        """When it began to count."""
        return EPOCH + timedelta(microseconds=self.epoch)


@dataclass(frozen=True)
class Reached:
    """The last place in Kafka from which an event of the workspace was stored."""

    topic: str
    partition: int
    offset: int
    stored_at: datetime
    events: int


@dataclass(frozen=True)
class Delays:
    """How long the newest events took from occurring to being read, in seconds; `last` was read."""

    last: datetime
    median: float
    slowest: float


@dataclass(frozen=True)
class Crossing:
    """A canary event: when it was published, and after how many seconds a worker had read it."""

    published_at: datetime
    seconds: float


def sources_of(store: Store, workspace_id: str) -> list[Source]:
    """Return the sources of a workspace, the one that was stored last first.

    Blocks for milliseconds to seconds, since what is missing is counted over all workspaces; raises
    what `Store` raises.
    """
    key = "e.source_service, ifNull(e.source_instance, '') AS instance, e.source_epoch"
    events = f"{store.database}.events AS e"
    own = _rows(
        store,
        f"SELECT {key}, count(), min(e.source_sequence), max(e.source_sequence), "
        f"min(e.occurred_at), max(e.occurred_at), max(e.ingested_at) AS stored FROM {events} "
        f"WHERE e.workspace_id = {literal(workspace_id)} GROUP BY ALL "
        f"ORDER BY stored DESC, source_service, instance, source_epoch LIMIT {MOST}",
    )
    if not own:
        return []
    keys = ", ".join(f"({literal(row[0])}, {literal(row[1])}, {row[2]})" for row in own)
    totals = _rows(
        store,
        f"SELECT {key}, count(), min(e.source_sequence), max(e.source_sequence) FROM {events} "
        f"GROUP BY ALL HAVING (source_service, instance, source_epoch) IN ({keys})",
    )
    missing: dict[tuple[Any, ...], tuple[int, int]] = {}
    for *source, count, first, last in totals:
        missing[tuple(source)] = (last - first + 1 - count, first - 1)
    return [Source(*(*row, *missing[row[:3]])) for row in own]


def reached_of(store: Store, workspace_id: str) -> list[Reached]:
    """Return how far the partitions of a workspace are stored. Blocks; raises what `Store` does."""
    rows = _rows(
        store,
        "SELECT e.kafka_topic, e.kafka_partition, max(e.kafka_offset), max(e.ingested_at), count() "
        f"FROM {store.database}.events AS e WHERE e.workspace_id = {literal(workspace_id)} "
        f"GROUP BY e.stream, 1, 2 ORDER BY 1, 2 LIMIT {MOST}",
    )
    return [Reached(*row) for row in rows]


def delays_of(store: Store, workspace_id: str) -> Delays | None:
    """Return the delays of a workspace's newest events by occurrence, None without any.

    `slowest` is that of which 99 in 100 are faster. Blocks for milliseconds; raises what `Store`
    raises.
    """
    (row,) = _rows(
        store,
        "SELECT max(at), quantileExact(0.5)(delay), quantileExact(0.99)(delay), count() FROM ("
        "SELECT e.ingested_at AS at, e.delay_seconds AS delay "
        f"FROM {store.database}.events AS e WHERE e.workspace_id = {literal(workspace_id)} "
        f"ORDER BY e.occurred_at DESC LIMIT {LATEST})",
    )
    last, median, slowest, count = row
    return Delays(last.astimezone(UTC), float(median), float(slowest)) if count else None


def last_crossing(store: Store, canary: str) -> Crossing | None:
    """Return the newest event of the workspace `canary`, None where none was sent.

    Blocks for milliseconds; raises what `Store` raises.
    """
    rows = _rows(
        store,
        f"SELECT e.occurred_at, e.delay_seconds FROM {store.database}.events AS e "
        f"WHERE e.workspace_id = {literal(canary)} ORDER BY e.occurred_at DESC LIMIT 1",
    )
    return Crossing(rows[0][0].astimezone(UTC), float(rows[0][1])) if rows else None


def _rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    return store.query_frame(sql, settings=_READ).rows()
