"""Facts of the tables about how auditstream itself is doing."""
# ruff: noqa: S608 - names come from checked settings, values are parameters

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from auditstream.store.alert_states import microseconds
from auditstream.store.connection import Store

_SINCE = "fromUnixTimestamp64Micro({since:Int64})"


@dataclass(frozen=True)
class Skew:
    """How many seconds a producer's clock is ahead of Kafka's, at least; `instance` may be ''."""

    service: str
    instance: str
    seconds: float


def last_arrival(store: Store, canary: str) -> datetime | None:
    """Return when the newest event was stored, None when there is none.

    Events of the service `canary` do not count: they come as long as anything works. Blocks for
    milliseconds, since it reads the parts' newest months only. Raises what `Store` raises.
    """
    found = store.query_frame(
        f"SELECT max(ingested_at), count() FROM {store.database}.events "
        "WHERE source_service != {canary:String} "
        f"AND partition_month >= toStartOfMonth(now() - INTERVAL 1 MONTH)",
        {"canary": canary},
    )
    newest, count = found.row(0)
    return newest.astimezone(UTC) if count else None


def producer_skews(store: Store, since: datetime) -> list[Skew]:
    """Return producers whose events of the last time lie ahead of their Kafka timestamps.

    Only ahead can be told: an event may be published long after it occurred. The least difference
    of a producer counts, so that one event with a planned date is no skew. Blocks; raises what
    `Store` raises.
    """
    found = store.query_frame(
        "SELECT source_service, coalesce(source_instance, '') AS instance, "
        "min(date_diff('millisecond', kafka_timestamp, occurred_at)) / 1000 AS ahead "
        f"FROM {store.database}.events WHERE ingested_at >= {_SINCE} "
        "AND kafka_timestamp IS NOT NULL AND partition_month >= toStartOfMonth(now() - "
        "INTERVAL 1 MONTH) GROUP BY source_service, instance HAVING ahead > 0 ORDER BY ahead DESC "
        "LIMIT 100",
        {"since": microseconds(since)},
    )
    return [Skew(str(row[0]), str(row[1]), float(row[2])) for row in found.rows()]


def reject_counts(store: Store, since: datetime) -> tuple[dict[str, int], int]:
    """Return how many records were rejected since a time, by reason, and how many were stored.

    Blocks; raises what `Store` raises.
    """
    parameters = {"since": microseconds(since)}
    rejects = store.query_frame(
        f"SELECT reason, count() AS rows FROM {store.database}.rejected_events "
        f"WHERE rejected_at >= {_SINCE} GROUP BY reason",
        parameters,
    )
    stored = store.query_frame(
        f"SELECT count() FROM {store.database}.events WHERE ingested_at >= {_SINCE} "
        "AND partition_month >= toStartOfMonth(now() - INTERVAL 1 MONTH)",
        parameters,
    )
    return {str(row[0]): int(row[1]) for row in rejects.rows()}, int(stored.item())


def arrival_of(store: Store, event_id: str) -> datetime | None:
    """Return when an event was stored, None when it is not there (yet).

    The id is of version 7: its time narrows the search. Blocks; raises what `Store` raises.
    """
    found = store.query_frame(
        f"SELECT ingested_at FROM {store.database}.events "
        "WHERE event_id_minute = toStartOfMinute(UUIDv7ToDateTime({event_id:UUID}, 'UTC')) "
        "AND event_id = {event_id:UUID} LIMIT 1",
        {"event_id": event_id},
    )
    return found.item().astimezone(UTC) if found.height else None
