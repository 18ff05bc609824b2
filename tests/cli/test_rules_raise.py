"""Alerts of a rule over history, raised from the command line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import polars as pl
import pytest

from auditstream.alerts.records import read_topic
from auditstream.alerts.topic import decode_alert
from auditstream.contract.alert import Alert
from auditstream.pipeline.detect import Detector
from auditstream.rules.load import load_rules
from auditstream.settings import Settings
from auditstream.store.alerts import append_alerts, list_alerts
from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.worker.correlator import Correlator
from tests.cli.conftest import Command
from tests.store.rows import START, STREAM, event_rows

RULES = """\
title: Collection deleted quietly
name: own_quiet
logsource: {product: analyst_studio, service: audit}
detection:
  selection: {action: collection_deleted, outcome: success}
  condition: selection
auditstream: {part: true}
---
title: Collections deleted in a row
name: own_many
level: high
correlation:
  type: event_count
  rules: [own_quiet]
  group-by: [workspace_id, actor_id]
  timespan: 1h
  condition: {gte: 2}
auditstream:
  sentence: "{actor} deleted {count} collections"
---
title: Collection deleted
name: own_deleted
level: high
logsource: {product: analyst_studio, service: audit}
detection:
  selection: {action: collection_deleted, outcome: success}
  condition: selection
auditstream:
  sentence: "{actor} deleted collection {entity}"
  group_by: [workspace_id, actor_id]
"""
SPAN = ("--since", "2025-03-01", "--until", "2025-03-10")


@pytest.fixture
def events(services: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """Stored deletions: a in w1 at 0, 1 and 90 minutes, b in w2 at 0 and 1."""
    at = [0, 1, 90, 0, 1]
    rows = event_rows(5).with_columns(
        action=pl.lit("collection_deleted"),
        outcome=pl.lit("success"),
        workspace_id=pl.Series(["w1", "w1", "w1", "w2", "w2"]),
        actor_id=pl.Series(list("aaabb")),
        actor_on_behalf_of=pl.lit(None, pl.String),
        is_late=pl.Series([False, True, False, False, False]),
        occurred_at=pl.Series([START + timedelta(minutes=minutes) for minutes in at]),
    )
    append_events(store, STREAM, 0, None, rows, Event())
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_URL", services.clickhouse_url)
    monkeypatch.setenv("AUDITSTREAM_KAFKA_BROKERS", services.kafka_brokers)
    return rows


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with rules that are in force."""
    directory = tmp_path / "rules"
    directory.mkdir()
    (directory / "own.yml").write_text(RULES, encoding="utf-8")
    monkeypatch.setenv("AUDITSTREAM_RULES_DIR", str(directory))
    return directory


def live(store: Store, rules: Path, events: pl.DataFrame, name: str) -> dict[str, Alert]:
    """The alerts that the rule gives when the events are news, by id."""
    found = load_rules(rules)
    candidates = Correlator(store, found).candidates(events)
    assert candidates is not None
    alerts = Detector([rule for rule in found.rules if rule.name == name]).detect(events, START)
    alerts += Correlator(store, found).evaluate(candidates, START)
    return {alert.alert_id: alert for alert in alerts if alert.rule_id == name}


def sent(settings: Settings, name: str) -> list[str]:
    """The ids of a rule's alerts on the topic."""
    records = read_topic(settings, settings.alerts_topic)
    return [
        alert.alert_id
        for record in records
        if (alert := decode_alert(record.value)).rule_id == name
    ]


@pytest.mark.parametrize("name", ["own_deleted", "own_many"])
def test_raise(
    auditstream: Command,
    services: Settings,
    store: Store,
    events: pl.DataFrame,
    rules: Path,
    name: str,
) -> None:
    """Only what is confirmed and not raised yet is, as live but for the mark, and only once."""
    expected = live(store, rules, events, name)
    assert len(expected) == {"own_deleted": 3, "own_many": 2}[name]
    first = next(iter(expected.values()))
    append_alerts(store, [first], Event())
    rest = {number: alert for number, alert in expected.items() if alert != first}

    too_many = auditstream("rules", "raise", name, *SPAN, "--yes", "--limit", str(len(rest) - 1))
    if len(rest) > 1:
        assert too_many.code == 1
        assert f"more than {len(rest) - 1}" in too_many.err
        assert f"--limit {len(rest)}" in too_many.err
    refused = auditstream("rules", "raise", name, *SPAN, stdin="n\n")
    assert refused.code == 1
    assert f"{len(expected)} alerts, 1 of them raised already" in refused.err
    assert all(alert.sentence in refused.out for alert in rest.values())
    assert sent(services, name) == []
    assert len(list_alerts(store)) == 1

    raised = auditstream("rules", "raise", name, *SPAN, stdin="y\n")
    assert raised.code == 0, raised.err
    assert sorted(sent(services, name)) == sorted(rest)
    assert {
        alert.alert_id: replace(alert, detected_at=START, retroactive=False)
        for alert in list_alerts(store)
        if alert.retroactive
    } == rest

    again = auditstream("rules", "raise", name, *SPAN, "--yes")
    assert again.code == 1
    assert "nothing to raise" in again.err
    assert len(sent(services, name)) == len(rest)


def test_a_part_raises_nothing(auditstream: Command, events: pl.DataFrame, rules: Path) -> None:
    """What has no alerts of its own has none over history."""
    answer = auditstream("rules", "raise", "own_quiet", *SPAN, "--yes")
    assert answer.code == 2
    assert "part of others" in answer.err
