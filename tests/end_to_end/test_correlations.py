"""A rule over several events raises its alert through the whole system, and again after a crash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditstream import Actor, Group, Workspace
from auditstream.alerts.records import read_topic
from auditstream.alerts.topic import decode_alert
from auditstream.rules.load import load_rules
from auditstream.worker.retroactive import alerts_of, raise_alerts, survey
from tests.end_to_end.conftest import NewSystem
from tests.end_to_end.test_main_job import audit_log
from tests.harness.system import System
from tests.stack.poll import eventually

pytestmark = pytest.mark.timeout(240)

RULES = """\
title: Group deleted
name: group_deleted_quietly
logsource: {product: analyst_studio, service: audit}
detection:
  selection: {action: group_deleted}
  condition: selection
level: low
---
title: Many groups deleted
name: many_groups_deleted
level: high
correlation:
  type: event_count
  rules: [group_deleted_quietly]
  group-by: [workspace_id, actor_id]
  timespan: 10m
  condition: {gte: 3}
auditstream:
  sentence: "{actor} deleted {count} groups within {timespan}"
  reason: Somebody may be locking others out.
  window: 1h
"""


def delete(system: System, *groups: str) -> None:
    """Publish that groups were deleted, all by one person."""
    with audit_log(system) as log:
        for group in groups:
            log.group_deleted(
                workspace=Workspace(id="w-1", username="acme"),
                actor=Actor(type="user", id="u-1", username="ada"),
                group=Group(id=group),
            )


def test_count(new_system: NewSystem, tmp_path: Path) -> None:
    """The events are counted over appends and over the death of a worker; the alert is one.

    Raised over history where it is missing, it is the same, marked.
    """
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "groups.yml").write_text(RULES)
    system = new_system(rules_dir=rules)
    worker = system.worker()
    delete(system, "g-1", "g-2")
    eventually(lambda: system.count() == 2, within=60, what="two events")
    assert system.count("alerts") == 0
    worker.kill()
    heir = system.worker()
    delete(system, "g-3")
    eventually(lambda: system.count("alerts") == 1, within=60, what="the alert")
    ((rule, sentence, count),) = system.ask("SELECT rule_id, sentence, event_count FROM alerts")
    assert (rule, sentence) == ("many_groups_deleted", "ada deleted 3 groups within 10m")
    assert count == 3
    assert heir.stop(within=30) == 0

    ((live,),) = system.ask("SELECT toString(alert_id) FROM alerts")
    found = load_rules(rules)
    now = datetime.now(UTC)
    arguments = (system.store, found, "many_groups_deleted", now - timedelta(hours=1), now)
    assert (survey(*arguments).stored, survey(*arguments).fresh) == (1, frozenset())
    system.store.command(f"TRUNCATE TABLE {system.settings.clickhouse_database}.alerts")
    raise_alerts(
        system.settings, system.store, alerts_of(system.store, found, survey(*arguments), now)
    )
    told = system.ask("SELECT toString(alert_id), retroactive, event_count FROM alerts")
    assert [tuple(row) for row in told] == [(live, True, 3)]
    records = list(read_topic(system.settings, system.settings.alerts_topic))
    assert [decode_alert(record.value).retroactive for record in records] == [False, True]
    assert {decode_alert(record.value).alert_id for record in records} == {live}
