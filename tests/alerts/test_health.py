"""Health: facts become alerts, once an hour each, and the tables tell the facts."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from auditstream.alerts import health
from auditstream.alerts.canary import Canary
from auditstream.alerts.health import Bounds, HealthMonitor
from auditstream.alerts.planner import planned_row
from auditstream.alerts.topic import decode_alert, encode_alert
from auditstream.contract.alert import Alert
from auditstream.contract.ids import uuid7
from auditstream.store.alert_deliveries import append_deliveries
from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.store.health import Skew
from auditstream.store.rejects import append_rejects
from tests.alerts.samples import alert
from tests.store.rows import STREAM, event_rows, reject_rows

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)


def told(alerts: Sequence[Alert]) -> list[tuple[str, str]]:
    return [(item.rule_id, item.sentence) for item in alerts]


def test_facts_become_sentences() -> None:
    """Each fact beyond its bound is one alert that says what and how much."""
    assert told(health.rule_errors({"a.yml": "line 3: no such field"}, NOW)) == [
        ("health_rule_error", "Rule a.yml does not work: line 3: no such field")
    ]
    assert told(health.consumer_lag({"audit.events": 5_000, "x": 10}, 4_000, NOW)) == [
        (
            "health_consumer_lag",
            "5,000 records of topic audit.events are not read yet, more than 4,000",
        )
    ]
    (silent,) = health.no_events(NOW - 20 * MINUTE, NOW - 60 * MINUTE, 900, NOW)
    assert silent.sentence == "No audit event has been stored for 20 min"
    assert told(health.clock_skew([Skew("billing", "pod-1", 300), Skew("x", "", 3)], 60, NOW)) == [
        ("health_clock_skew", "The clock of producer billing pod-1 is ahead by 5 min")
    ]
    failed = health.delivery_failures({"hook": (1, 2, "403"), "x": (1, 0, "")}, 5 * MINUTE, NOW)
    assert [(item.level, item.entity) for item in failed] == [("critical", "destination hook")]
    rates = health.reject_rate({"a": 30, "b": 10}, 160, Bounds(), 5 * MINUTE, NOW)
    assert told(rates) == [
        ("health_reject_rate", "40 of 200 records were rejected in 5 min: 30 a, 10 b")
    ]


def test_health_within_bounds_is_silent() -> None:
    """No alert for what is well, nor for a new installation without events."""
    assert health.no_events(None, NOW - MINUTE, 900, NOW) == []
    assert health.no_events(NOW - MINUTE, NOW - 60 * MINUTE, 900, NOW) == []
    assert health.reject_rate({"a": 19}, 0, Bounds(), MINUTE, NOW) == []
    assert health.reject_rate({"a": 30}, 3_000, Bounds(), MINUTE, NOW) == []
    assert health.reject_rate({}, 0, Bounds(), MINUTE, NOW) == []


def test_same_trouble_is_one_alert_an_hour() -> None:
    """Measured again within the hour, trouble has the same id; another topic has another."""
    hour = NOW.replace(minute=0, second=0, microsecond=0)

    def lag(topic: str, minutes: int) -> str:
        (item,) = health.consumer_lag({topic: 9}, 1, hour + minutes * MINUTE)
        return item.alert_id

    assert lag("a", 1) == lag("a", 58)
    assert lag("a", 1) != lag("a", 61)
    assert lag("a", 1) != lag("b", 1)


def test_monitor_measures_the_tables(store: Store) -> None:
    """Silence, skew, rejects and refused deliveries are found in the tables, and published."""
    late = NOW - 30 * MINUTE
    rows = event_rows(50, start=late).with_columns(
        ingested_at=pl.lit(late), kafka_timestamp=pl.col("occurred_at").dt.cast_time_unit("ms")
    )
    append_events(store, STREAM, 0, None, rows, threading.Event())
    monitor = HealthMonitor(store, lambda _: None, Bounds(silent_seconds=0.01))
    time.sleep(0.02)
    assert [item.rule_id for item in monitor.check(datetime.now(UTC))] == ["health_no_events"]

    ahead = event_rows(50, first=50, start=NOW, seed=2).with_columns(
        ingested_at=pl.lit(NOW), kafka_timestamp=pl.lit(NOW - 10 * MINUTE)
    )
    append_events(store, STREAM, 0, 49, ahead, threading.Event())
    rejects = reject_rows(list(range(100, 140))).with_columns(rejected_at=pl.lit(NOW))
    append_rejects(store, rejects, threading.Event())
    row = planned_row(alert(1), 0, NOW, "alert", "hook", NOW, 1)
    append_deliveries(store, [row, replace(row, state="dead", error="410")])
    bounds = Bounds(interval_seconds=60, silent_seconds=900)
    watch = HealthMonitor(
        store, lambda _: None, bounds, lambda: {"t": 10**6}, lambda: {"broken.yml": "line 1"}
    )
    found = {item.rule_id for item in watch.check(datetime.now(UTC))}
    assert found == {
        "health_rule_error",
        "health_consumer_lag",
        "health_clock_skew",
        "health_reject_rate",
        "health_delivery_failures",
    }


@pytest.mark.parametrize("stored", [True, False])
def test_canary(store: Store, stored: bool) -> None:
    """A canary that comes out gives its latency; one that does not is an alert."""
    published: list[Alert] = []

    def emit() -> str:
        event_id = str(uuid7())
        row = event_rows(1, start=datetime.now(UTC)).with_columns(
            event_id=pl.lit(event_id),
            event_id_minute=pl.lit(datetime.now(UTC)).dt.truncate("1m").dt.cast_time_unit("us"),
        )
        if stored:
            append_events(store, STREAM, 0, None, row, threading.Event())
        return event_id

    canary = Canary(store, emit, published.extend, late_seconds=1.0)
    latency = canary.send(threading.Event())
    if stored:
        assert latency is not None
        assert latency < 1.0
        assert published == []
    else:
        assert latency is None
        (missing,) = published
        assert (missing.rule_id, missing.level) == ("health_canary_missing", "critical")


def test_health_alerts_are_plain_alerts() -> None:
    """They travel like any other: the record can be encoded and read again."""
    (item,) = health.consumer_lag({"audit.events": 5_000}, 4_000, NOW)
    assert decode_alert(encode_alert(item).value) == item
