"""Alerts: stored once by their id, and listed."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import polars as pl

from auditstream.contract.alert import Alert
from auditstream.store.columns import ALERT_SCHEMA, ALERTS
from auditstream.store.connection import Store
from auditstream.store.once import Shelf, add_once
from auditstream.store.sql import LONG_QUERY, literal, uuids

_SELECTED: Final = {
    "alert_id": "toString(a.alert_id)",
    "level": "toString(a.level)",
    "evidence": (
        "arrayMap(item -> CAST((toString(item.1), item.2, item.3, item.4), "
        "'Tuple(event_id String, topic String, partition Int32, offset Int64)'), a.evidence)"
    ),
}


def append_alerts(store: Store, alerts: Sequence[Alert], abandoned: threading.Event) -> None:
    """Store alerts, each once by its id; one that is already there is left as it is.

    Blocks until every alert was seen in the table, where it is fsynced; a server that is away is
    waited for. Writers that store alerts at the same time take turns.

    Raises:
        AbandonedError: `abandoned` was set; the alerts may have landed, or may land yet.
        StoreError: the server refused; the call can be repeated.
    """
    rows = [alert.to_record() for alert in alerts]
    frame = pl.DataFrame(rows, schema=ALERT_SCHEMA).unique("alert_id", keep="first")
    table = f"{store.database}.alerts"

    def missing(frame: pl.DataFrame) -> pl.DataFrame:
        stored = stored_ids(store, frame["alert_id"])
        return frame.filter([number not in stored for number in frame["alert_id"]])

    add_once(store, Shelf("alerts", table, "1", ALERTS, missing), frame, abandoned)


def stored_ids(store: Store, alert_ids: Iterable[str]) -> frozenset[str]:
    """Return those ids, canonical UUID texts, of which there is an alert.

    Blocks, and raises what `Store` raises.
    """
    found = store.query_frame(
        f"SELECT toString(a.alert_id) AS alert_id FROM {store.database}.alerts AS a "
        f"WHERE a.alert_id IN ({uuids(alert_ids)})",
        settings=LONG_QUERY,
    )
    return frozenset(found["alert_id"])


def list_alerts(
    store: Store, *, since: datetime | None = None, rule_id: str | None = None, limit: int = 100
) -> list[Alert]:
    """Return alerts, the newest first by detection; those detected at or after `since`, if given.

    Blocks, and raises what `Store` raises.
    """
    conditions = ["1"]
    if since is not None:
        conditions.append(f"a.detected_at >= fromUnixTimestamp64Micro({_microseconds(since)})")
    if rule_id is not None:
        conditions.append(f"a.rule_id = {literal(rule_id)}")
    return _select(store, " AND ".join(conditions), limit)


def find_alert(store: Store, alert_id: str) -> Alert | None:
    """Return an alert by its id, a canonical UUID text; None when there is none.

    Blocks, and raises what `Store` raises.
    """
    return next(iter(_select(store, f"a.alert_id = {literal(alert_id)}", 1)), None)


def _select(store: Store, condition: str, limit: int) -> list[Alert]:
    columns = ", ".join(f"{_SELECTED.get(name, f'a.{name}')} AS {name}" for name in ALERTS)
    found = store.query_frame(
        f"SELECT {columns} FROM {store.database}.alerts AS a WHERE {condition} "
        f"ORDER BY a.detected_at DESC, a.alert_id LIMIT {limit}"
    )
    return [Alert.from_record(row) for row in found.cast(pl.Schema(ALERT_SCHEMA)).to_dicts()]


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
