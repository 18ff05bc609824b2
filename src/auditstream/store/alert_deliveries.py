"""The ledger of deliveries: what was planned, tried, delivered, given up or held back, and why.

A row is a state of a delivery. Rows are only added, and one that is added twice changes nothing:
a delivery's state is that of its newest row, except that what was delivered stays delivered.
"""
# ruff: noqa: S608 - names come from checked settings, values are parameters

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from auditstream.store.alert_states import microseconds
from auditstream.store.columns import DELIVERIES, HITS
from auditstream.store.connection import Store
from auditstream.store.rows import add_rows

Held: TypeAlias = Literal["silenced", "maintenance", "suppressed"]
DeliveryState: TypeAlias = Literal["planned", "failed", "retried", "delivered", "dead"] | Held
Kind: TypeAlias = Literal["alert", "repeat", "escalation", "digest"]

OPEN: Final[tuple[DeliveryState, ...]] = ("planned", "failed", "retried")
"""States of a delivery that is still to be made."""

LOOK_BACK: Final = timedelta(days=7)
"""How far back deliveries are looked for that are still to be made, or to be escalated."""

_STATE: Final = (
    "if(countIf(d.state = 'delivered') > 0, 'delivered', "
    "argMax(d.state, (d.at, indexOf(['planned', 'failed', 'dead', 'retried'], d.state))))"
)
_HELD: Final = "('silenced', 'maintenance', 'suppressed')"


@dataclass(frozen=True)
class DeliveryRow:
    """One state of one delivery; the comments of the table's columns say what the fields are."""

    delivery_id: str
    alert_id: str
    at: datetime
    state: DeliveryState
    kind: Kind
    destination: str
    due: datetime
    rule_id: str
    level: str
    group_key: str
    occurred_at: datetime
    partition: int
    attempt: int = 0
    held_by: str = ""
    message_id: str | None = None
    error: str = ""
    count: int = 1
    alert: str = ""


@dataclass(frozen=True)
class HitRow:
    """A record of the alerts topic: the events that an alert stood for in it."""

    alert_id: str
    at: datetime
    event_count: int
    event_ids: tuple[str, ...]
    partition: int
    offset: int


@dataclass(frozen=True)
class SilencedRow:
    """An alert that was held back: by what, and what it said."""

    held_by: str
    state: Held
    alert_id: str
    at: datetime
    rule_id: str
    level: str
    alert: str


def append_deliveries(store: Store, rows: Sequence[DeliveryRow]) -> None:
    """Add rows to the ledger; blocks and raises like `add_rows`."""
    add_rows(store, "alert_deliveries", DELIVERIES, [asdict(row) for row in rows])


def append_hits(store: Store, rows: Sequence[HitRow]) -> None:
    """Note the records that were read; blocks and raises like `add_rows`."""
    add_rows(store, "alert_hits", HITS, [asdict(row) for row in rows])


def list_open(
    store: Store,
    partitions: Sequence[int],
    now: datetime,
    limit: int,
    destination: str = "",
    states: Sequence[DeliveryState] = OPEN,
) -> list[DeliveryRow]:
    """Return deliveries that are still to be made, the oldest first, as they were planned.

    `state` and `attempt` are the newest ones. With `destination`, only those to it. Blocks, and
    raises what `Store` raises.
    """
    to = "AND d.destination = {destination:String}" if destination else ""
    return _latest(
        store,
        f"WHERE d.at >= fromUnixTimestamp64Micro({{since:Int64}}) AND d.state NOT IN {_HELD} "
        f"AND d.partition IN {{partitions:Array(Int32)}} {to}",
        "HAVING latest IN {states:Array(String)} AND alert != '' "
        f"ORDER BY at, delivery_id LIMIT {limit}",
        {
            "since": microseconds(now - LOOK_BACK),
            "partitions": list(partitions),
            "destination": destination,
            "states": list(states),
        },
    )


def list_dead(store: Store, limit: int, destination: str = "") -> list[DeliveryRow]:
    """Return dead letters, the newest first, `error` being the last answer.

    Blocks, and raises what `Store` raises.
    """
    to = "AND d.destination = {destination:String}" if destination else ""
    return _latest(
        store,
        f"WHERE d.state NOT IN {_HELD} {to}",
        f"HAVING latest = 'dead' ORDER BY last DESC, delivery_id LIMIT {limit}",
        {"destination": destination},
    )


def list_deliveries(store: Store, alert_id: str) -> list[DeliveryRow]:
    """Return every row of the ledger about an alert in the order of time, without the alert.

    Blocks, and raises what `Store` raises.
    """
    names = ", ".join(_select(name) for name in DELIVERIES if name != "alert")
    found = store.query_frame(
        f"SELECT DISTINCT {names} FROM {store.database}.alert_deliveries AS d "
        "WHERE d.alert_id = {alert_id:UUID} ORDER BY d.at",
        {"alert_id": alert_id},
    )
    return [DeliveryRow(**row) for row in found.to_dicts()]


@dataclass(frozen=True)
class Decided:
    """What was decided for an alert: to tell somebody, or what held it back."""

    alert_id: str
    at: datetime
    state: Literal["planned"] | Held
    rule_id: str
    group_key: str
    occurred_at: datetime
    window_seconds: int


def list_decisions(
    store: Store, partitions: Sequence[int], since: datetime, limit: int
) -> list[Decided]:
    """Return what was decided for alerts since a time, the oldest first, once for each alert.

    At most the newest `limit`. Blocks, and raises what `Store` raises.
    """
    found = store.query_frame(
        "SELECT * FROM (SELECT toString(d.alert_id) AS alert_id, min(d.at) AS at, "
        f"argMin(d.state, (d.at, d.state NOT IN {_HELD})) AS state, any(d.rule_id) AS rule_id, "
        "any(d.group_key) AS group_key, any(d.occurred_at) AS occurred_at, "
        "any(JSONExtractInt(d.alert, 'window_seconds')) AS window_seconds "
        f"FROM {store.database}.alert_deliveries AS d "
        "WHERE d.at >= fromUnixTimestamp64Micro({since:Int64}) "
        "AND d.partition IN {partitions:Array(Int32)} "
        f"AND ((d.state = 'planned' AND d.kind IN ('alert', 'digest')) OR d.state IN {_HELD}) "
        f"GROUP BY d.alert_id ORDER BY at DESC LIMIT {limit}) ORDER BY at, occurred_at",
        {"since": microseconds(since), "partitions": list(partitions)},
    )
    return [Decided(**row) for row in found.to_dicts()]


def list_hits(
    store: Store, partitions: Sequence[int], since: datetime
) -> dict[str, tuple[set[str], int]]:
    """Return for each alert read since a time its events, and how many more have no id.

    Blocks, and raises what `Store` raises.
    """
    found = store.query_frame(
        "SELECT toString(h.alert_id) AS alert_id, groupUniqArrayArray(event_ids) AS ids, "
        "max(event_count - toInt64(length(event_ids))) AS more "
        f"FROM {store.database}.alert_hits AS h "
        "WHERE at >= fromUnixTimestamp64Micro({since:Int64}) "
        "AND partition IN {partitions:Array(Int32)} GROUP BY h.alert_id",
        {"since": microseconds(since), "partitions": list(partitions)},
    )
    return {row[0]: (set(row[1]), int(row[2])) for row in found.rows()}


def list_unacknowledged(
    store: Store, partitions: Sequence[int], level: str, before: datetime, now: datetime
) -> list[tuple[DeliveryRow, int]]:
    """Return alerts of a level that nobody has acknowledged since before a time, and how often.

    Each is the row that planned its first delivery; the number counts how often the alert was
    reopened. Waiting begins with the delivery's plan, or with the last reopening. An alert whose
    escalation with that number is planned already is left out. Blocks; raises what `Store` raises.
    """
    database = store.database
    names = ", ".join(
        _select(name, f"argMin(d.{name}, (d.at, d.destination))")
        for name in DELIVERIES
        if name != "alert_id"
    )
    shown = ", ".join(f"f.{name} AS {name}" for name in DELIVERIES)
    found = store.query_frame(
        f"SELECT {shown}, t.reopened AS reopened FROM "
        f"(SELECT toString(d.alert_id) AS alert_id, {names} "
        f"FROM {database}.alert_deliveries AS d WHERE d.kind IN ('alert', 'digest') "
        "AND d.state = 'planned' AND d.level = {level:String} "
        "AND d.at >= fromUnixTimestamp64Micro({since:Int64}) "
        "AND d.partition IN {partitions:Array(Int32)} GROUP BY d.alert_id) AS f "
        "LEFT JOIN (SELECT toString(a.alert_id) AS alert_id, argMax(a.state, number) AS state, "
        "max(a.at) AS changed, countIf(a.state = 'reopened') AS reopened "
        f"FROM {database}.alert_transitions AS a GROUP BY a.alert_id) AS t "
        "ON t.alert_id = f.alert_id "
        "LEFT JOIN (SELECT toString(e.alert_id) AS alert_id, uniqExact(e.delivery_id) AS sent "
        f"FROM {database}.alert_deliveries AS e WHERE e.kind = 'escalation' "
        "AND e.at >= fromUnixTimestamp64Micro({since:Int64}) GROUP BY e.alert_id) AS x "
        "ON x.alert_id = f.alert_id "
        "WHERE t.state IN ('', 'reopened') AND x.sent <= t.reopened "
        "AND greatest(f.at, t.changed) <= fromUnixTimestamp64Micro({before:Int64}) "
        "ORDER BY f.at LIMIT 1000 SETTINGS join_use_nulls = 0",
        {
            "level": level,
            "since": microseconds(now - LOOK_BACK),
            "before": microseconds(before),
            "partitions": list(partitions),
        },
    )
    return [
        (DeliveryRow(**row), int(row_reopened)) for row, row_reopened in _apart(found.to_dicts())
    ]


def list_held(
    store: Store, since: datetime, limit: int, states: Sequence[Held]
) -> list[SilencedRow]:
    """Return alerts that were held back since a time, the newest first, each once for its cause.

    Blocks, and raises what `Store` raises.
    """
    found = store.query_frame(
        "SELECT d.held_by AS held_by, any(d.state) AS state, toString(d.alert_id) AS alert_id, "
        "min(d.at) AS at, any(d.rule_id) AS rule_id, any(d.level) AS level, any(d.alert) AS alert "
        f"FROM {store.database}.alert_deliveries AS d WHERE d.state IN {{states:Array(String)}} "
        "AND d.at >= fromUnixTimestamp64Micro({since:Int64}) "
        f"GROUP BY d.held_by, d.alert_id ORDER BY at DESC LIMIT {limit}",
        {"since": microseconds(since), "states": list(states)},
    )
    return [SilencedRow(**row) for row in found.to_dicts()]


def count_failures(store: Store, since: datetime) -> dict[str, tuple[int, int, str]]:
    """Return by destination failed attempts and dead letters since a time, and the last error.

    Blocks, and raises what `Store` raises.
    """
    found = store.query_frame(
        "SELECT d.destination AS destination, uniqExactIf((d.delivery_id, d.attempt), "
        "d.state = 'failed') AS failed, uniqExactIf(d.delivery_id, d.state = 'dead') AS dead, "
        f"argMax(d.error, d.at) AS error FROM {store.database}.alert_deliveries AS d "
        "WHERE d.state IN ('failed', 'dead') "
        "AND d.at >= fromUnixTimestamp64Micro({since:Int64}) GROUP BY destination",
        {"since": microseconds(since)},
    )
    return {row[0]: (int(row[1]), int(row[2]), str(row[3])) for row in found.rows()}


def _latest(store: Store, where: str, having: str, parameters: dict[str, Any]) -> list[DeliveryRow]:
    """Return deliveries as planned, with their last state, attempt and error."""
    first = {
        name: f"argMinIf(d.{name}, d.at, d.state = 'planned')"
        for name in DELIVERIES
        if name not in ("delivery_id", "state")
    }
    first |= {
        "attempt": "max(d.attempt)",
        "error": "argMax(d.error, (d.at, d.state != 'planned'))",
        "message_id": "argMax(tuple(d.message_id), d.at).1",
    }
    columns = ", ".join(_select(name, expression) for name, expression in first.items())
    found = store.query_frame(
        f"SELECT * EXCEPT (latest, last), latest AS state FROM (SELECT "
        f"toString(d.delivery_id) AS delivery_id, {columns}, {_STATE} AS latest, "
        f"max(d.at) AS last FROM {store.database}.alert_deliveries AS d {where} "
        f"GROUP BY d.delivery_id {having})",
        parameters,
    )
    return [DeliveryRow(**row) for row in found.to_dicts()]


def _select(name: str, expression: str | None = None) -> str:
    expression = expression or f"d.{name}"
    if name in ("delivery_id", "alert_id"):
        expression = f"toString({expression})"
    return f"{expression} AS {name}"


def _apart(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    return [(row, int(row.pop("reopened"))) for row in rows]
