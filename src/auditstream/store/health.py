"""Facts of the tables about how auditstream itself is doing."""
# ruff: noqa: S608 - names come from checked settings, values are parameters

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from auditstream.store.alert_states import microseconds
from auditstream.store.connection import Store

_SINCE = "fromUnixTimestamp64Micro({since:Int64})"
_UNTIL = "fromUnixTimestamp64Micro({until:Int64})"


def _recent(months: int) -> str:
    # The first append of a partition follows nothing: it is in the month of 1970.
    month = f"toStartOfMonth(now() - INTERVAL {months} MONTH)"
    return f"(partition_month >= {month} OR partition_month = toDate('1970-01-01'))"


@dataclass(frozen=True)
class Skew:
    """How many seconds a producer's clock is ahead of Kafka's, at least; `instance` may be ''."""

    service: str
    instance: str
    seconds: float


@dataclass(frozen=True)
class Silence:
    """A service without events since `last`, far longer than its `longest` pause of a week."""

    service: str
    last: datetime
    longest: timedelta


@dataclass(frozen=True)
class Gap:
    """How many of the events `first` to `last` of a source are missing."""

    service: str
    instance: str
    epoch: int
    first: int
    last: int
    missing: int


def silent_producers(store: Store, canary: str, now: datetime) -> list[Silence]:
    """Return services that sent events on most hours of the week before, and are silent now.

    Silent is one without an event for an hour, and for three times its longest pause in that week;
    one with fewer than 50 hours with events has no habit. Blocks; raises what `Store` raises.
    """
    found = store.query_frame(
        "WITH arraySort(groupUniqArray(toStartOfHour(ingested_at))) AS hours "
        "SELECT source_service, max(ingested_at) AS last, "
        "arrayMax(arrayDifference(arrayMap(hour -> toUnixTimestamp(hour), hours))) AS longest "
        f"FROM {store.database}.events WHERE source_service != {{canary:String}} "
        f"AND ingested_at BETWEEN {_SINCE} AND {_UNTIL} "
        f"AND {_recent(2)} "
        "GROUP BY source_service HAVING length(hours) >= 50 "
        f"AND date_diff('second', last, {_UNTIL}) > greatest(3600, 3 * longest) "
        "ORDER BY source_service LIMIT 100",
        {
            "canary": canary,
            "since": microseconds(now - timedelta(days=7)),
            "until": microseconds(now),
        },
    )
    return [
        Silence(str(service), last.astimezone(UTC), timedelta(seconds=int(longest)))
        for service, last, longest in found.rows()
    ]


def sequence_gaps_of(store: Store, since: datetime, until: datetime) -> list[Gap]:
    """Return sources of which numbers are missing among those that arrived between two times.

    Numbers arrive in some disorder, since a source writes to several partitions: those that came
    up to a minute before `since`, or after `until`, fill a gap as well. Blocks; raises what
    `Store` raises.
    """
    source = "source_service, coalesce(source_instance, '') AS instance, source_epoch"
    events = (
        f"SELECT {source}, source_sequence AS number, ingested_at FROM {store.database}.events "
        f"WHERE ingested_at >= {_SINCE} - INTERVAL 1 MINUTE "
        f"AND {_recent(1)}"
    )
    found = store.query_frame(
        f"WITH events AS ({events}), sources AS (SELECT source_service, instance, source_epoch, "
        f"min(number) AS low, max(number) AS high FROM events "
        f"WHERE ingested_at BETWEEN {_SINCE} AND {_UNTIL} GROUP BY ALL) "
        "SELECT source_service, instance, source_epoch, any(low) AS first, any(high) AS last, "
        "last - first + 1 - toInt64(countIf(number BETWEEN low AND high)) AS missing "
        "FROM events INNER JOIN sources USING (source_service, instance, source_epoch) "
        "GROUP BY ALL HAVING missing > 0 ORDER BY ALL LIMIT 100",
        {"since": microseconds(since), "until": microseconds(until)},
    )
    return [
        Gap(str(service), str(instance), int(epoch), int(first), int(last), int(missing))
        for service, instance, epoch, first, last, missing in found.rows()
    ]


def last_arrival(store: Store, canary: str) -> datetime | None:
    """Return when the newest event was stored, None when there is none.

    Events of the service `canary` do not count: they come as long as anything works. Blocks for
    milliseconds, since it reads the parts' newest months only. Raises what `Store` raises.
    """
    found = store.query_frame(
        f"SELECT max(ingested_at), count() FROM {store.database}.events "
        "WHERE source_service != {canary:String} "
        f"AND {_recent(1)}",
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
        f"AND kafka_timestamp IS NOT NULL AND {_recent(1)} "
        "GROUP BY source_service, instance HAVING ahead > 0 ORDER BY ahead DESC LIMIT 100",
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
        f"AND {_recent(1)}",
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
