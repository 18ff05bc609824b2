"""Health: facts become alerts, once an hour each, and the tables tell the facts."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

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

    now = datetime.now(UTC)
    settled = now - 3 * MINUTE
    ahead = event_rows(50, first=50, start=now, seed=2).with_columns(
        ingested_at=pl.lit(settled), kafka_timestamp=pl.lit(now - 10 * MINUTE)
    )
    append_events(store, STREAM, 0, 49, ahead, threading.Event())
    rejects = reject_rows(list(range(100, 140))).with_columns(rejected_at=pl.lit(now))
    append_rejects(store, rejects, threading.Event())
    row = planned_row(alert(1), 0, now, "alert", "hook", now, 1)
    append_deliveries(store, [row, replace(row, state="dead", error="410")])
    bounds = Bounds(interval_seconds=60, silent_seconds=900)
    watch = HealthMonitor(
        store, lambda _: None, bounds, lambda: {"t": 10**6}, lambda: {"broken.yml": "line 1"}
    )
    found = {item.rule_id for item in watch.check(now)}
    assert found == {
        "health_rule_error",
        "health_consumer_lag",
        "health_clock_skew",
        "health_reject_rate",
        "health_delivery_failures",
        "health_sequence_gap",
    }


def test_missing_numbers(store: Store) -> None:
    """A source of which numbers did not arrive is told; what came late or in disorder is not."""
    rows = event_rows(100).with_columns(
        source_service=pl.lit("billing"), source_instance=pl.lit("a"), source_epoch=pl.lit(7)
    )
    disorder = rows.with_columns(source_sequence=pl.Series([*range(2, 101), 1], dtype=pl.Int64))
    monitor = HealthMonitor(store, lambda _: None, Bounds(silent_seconds=1e9))
    arrived = NOW - 4 * MINUTE
    append_events(
        store, STREAM, 0, None, disorder.with_columns(ingested_at=pl.lit(arrived)), Event()
    )
    assert monitor.check(NOW) == []
    gap = rows.with_columns(
        kafka_offset=pl.col("kafka_offset") + 100, source_sequence=pl.col("source_sequence") + 103
    )
    append_events(store, STREAM, 0, 99, gap.with_columns(ingested_at=pl.lit(arrived)), Event())
    (found,) = monitor.check(NOW)
    assert (found.rule_id, found.runbook) == ("health_sequence_gap", "health")
    assert found.sentence == "3 of the events 1 to 203 of producer billing a have not arrived"


def test_conflicts_of_ids(store: Store) -> None:
    """Records under the id of another event are told, however few they are."""
    rejects = reject_rows([1, 2]).with_columns(
        rejected_at=pl.lit(NOW), reason=pl.lit("event_id_conflict")
    )
    append_rejects(store, rejects, Event())
    monitor = HealthMonitor(store, lambda _: None, Bounds(silent_seconds=1e9))
    (found,) = monitor.check(NOW + MINUTE)
    assert found.rule_id == "health_id_conflict"
    assert found.sentence.startswith("2 records came under the id of another event")


def test_a_producer_falls_silent(store: Store) -> None:
    """A service that sent something every hour and does no more is told, one of few hours not."""
    hours = [NOW - (5 + number) * 60 * MINUTE for number in range(60)]
    for number, (service, times) in enumerate({"steady": hours, "rare": hours[::10]}.items()):
        rows = event_rows(len(times), partition=number).with_columns(
            source_service=pl.lit(service), source_sequence=pl.lit(1)
        )
        for offset, moment in enumerate(reversed(times)):
            append_events(
                store,
                STREAM,
                number,
                offset - 1 if offset else None,
                rows[offset].with_columns(ingested_at=pl.lit(moment)),
                Event(),
            )
    monitor = HealthMonitor(store, lambda _: None, Bounds(silent_seconds=1e9))
    (found,) = monitor.check(NOW)
    assert (found.rule_id, found.entity) == ("health_producer_silent", "producer steady")
    assert "has sent no event for 5 h; its longest pause in the week before was" in found.sentence
    assert monitor.check(NOW + MINUTE) == []


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
