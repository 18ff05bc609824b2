"""Alerts that a rule would have raised over the stored history, to be raised after all.

They are those of a live rule but for the mark `retroactive`: the ids are the same, so that none
is raised a second time.
"""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import polars as pl

from auditstream.alerts.records import Record, send_records
from auditstream.alerts.topic import encode_alert
from auditstream.contract.alert import Alert, Evidence, alert_id
from auditstream.pipeline.detect import MAX_EVIDENCE, Detector
from auditstream.rules.correlation.compile import Compiler
from auditstream.rules.correlation.scope import moment_sql
from auditstream.rules.correlation.search import Question, search
from auditstream.rules.rule import Rule, RuleSet
from auditstream.settings import Settings
from auditstream.store.alerts import append_alerts, stored_ids
from auditstream.store.columns import EVENT_SCHEMA
from auditstream.store.connection import Store
from auditstream.store.correlate import asker
from auditstream.store.sql import LONG_QUERY
from auditstream.worker.backtest import MAX_SECONDS, asked_for, backtest, grouped_hits, identity
from auditstream.worker.correlator import alert_of

FIRSTS_AT_ONCE: Final = 500
"""Alerts whose first events one query asks for."""

_NAMED: Final = (
    f"groupArraySorted({MAX_EVIDENCE})(CAST((toUnixTimestamp64Micro(e.occurred_at), "
    "e.kafka_partition, e.kafka_offset, toString(e.event_id), toString(e.kafka_topic)), "
    "'Tuple(t Int64, part Int32, off Int64, id String, topic String)')) AS named"
)
_LATE: Final = "max(e.is_late) AS late"


@dataclass(frozen=True)
class Survey:
    """What there is to raise of a rule's hits from `since` until before `until`.

    `fresh` are the ids of alerts that are not stored; `stored` is the number of the others.
    """

    rule: str
    since: datetime
    until: datetime
    fresh: frozenset[str]
    stored: int


def survey(store: Store, rules: RuleSet, name: str, since: datetime, until: datetime) -> Survey:
    """Look which alerts a rule gives over history, and which of them were raised before.

    Blocks; see `backtest` for what it raises.
    """
    names, window = identity(rules, name)
    found = backtest(store, rules, name, since, until)
    ids = frozenset(
        alert_id(name, _key(names, group), first, window)
        for group, first in found.select("group", "first").iter_rows()
    )
    stored = stored_ids(store, ids) if ids else frozenset()
    return Survey(name, since, until, ids - stored, len(stored))


def alerts_of(store: Store, rules: RuleSet, wanted: Survey, now: datetime) -> tuple[Alert, ...]:
    """Return the fresh alerts of a survey with their evidence, the earliest first, marked.

    Blocks, and raises what `Store` raises.
    """
    single = next((rule for rule in rules.rules if rule.name == wanted.rule), None)
    found = (
        _compound(store, rules, wanted, now)
        if single is None
        else _single(store, single, wanted, now)
    )
    alerts = (replace(alert, retroactive=True) for alert in found)
    fresh = {alert.alert_id: alert for alert in alerts if alert.alert_id in wanted.fresh}
    return tuple(sorted(fresh.values(), key=lambda alert: (alert.occurred_at, alert.alert_id)))


def raise_alerts(settings: Settings, store: Store, alerts: Sequence[Alert]) -> None:
    """Send alerts to their topic, then store them; blocks until both are done.

    What is stored was sent; what was sent may be sent again by a repeat, under the same id.

    Raises:
        ServiceUnavailableError: Kafka did not take an alert, or ClickHouse is away.
        StoreError: ClickHouse refused.
    """
    encoded = (encode_alert(alert) for alert in alerts)
    records = (Record(item.key, item.value, tuple(item.headers)) for item in encoded)
    send_records(settings, settings.alerts_topic, records)
    append_alerts(store, alerts, threading.Event())


def _key(names: Sequence[str], group: Sequence[str | None]) -> str:
    return json.dumps(dict(zip(names, group, strict=True)), separators=(",", ":"))


def _compound(store: Store, rules: RuleSet, wanted: Survey, now: datetime) -> list[Alert]:
    (version,) = asked_for(store, [rules], wanted.rule, wanted.since, wanted.until)
    compiler = Compiler(version.linked, version.predicates)
    question = Question(version.rule, version.scope)
    found = search(compiler, asker(store, max_seconds=MAX_SECONDS), [question])
    return [alert_of(match, now) for match in found]


def _single(store: Store, rule: Rule, wanted: Survey, now: datetime) -> list[Alert]:
    sql = grouped_hits(store.database, rule, wanted.since, wanted.until, _LATE, _NAMED)
    fresh = {
        row["named"][0]["id"]: row
        for row in asker(store, max_seconds=MAX_SECONDS)(sql).to_dicts()
        if alert_id(rule.name, _key(rule.group_by, row["group"]), row["first"], rule.window)
        in wanted.fresh
    }
    detector = Detector([replace(rule, alerts=True)])
    firsts = list(fresh)
    alerts: list[Alert] = []
    for start in range(0, len(firsts), FIRSTS_AT_ONCE):
        some = [fresh[event_id]["named"][0] for event_id in firsts[start : start + FIRSTS_AT_ONCE]]
        for alert in detector.detect(_events(store, some), now):
            row = fresh[alert.evidence[0].event_id]
            alerts.append(
                replace(
                    alert,
                    event_count=row["hits"],
                    late=bool(row["late"]),
                    evidence=tuple(
                        Evidence(item["id"], item["topic"], item["part"], item["off"])
                        for item in row["named"]
                    ),
                )
            )
    return alerts


def _events(store: Store, named: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    keys = ", ".join(f"({moment_sql(item['t'])}, toUUID('{item['id']}'))" for item in named)
    times = [item["t"] for item in named]
    found = store.query_frame(
        "SELECT * REPLACE (toString(event_id) AS event_id, toString(severity) AS severity) "
        f"FROM {store.database}.events AS e WHERE e.occurred_at BETWEEN {moment_sql(min(times))} "
        f"AND {moment_sql(max(times))} AND (e.occurred_at, e.event_id) IN ({keys})",
        settings=LONG_QUERY,
    )
    return found.select(list(EVENT_SCHEMA)).cast(pl.Schema(EVENT_SCHEMA))
