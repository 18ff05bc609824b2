"""Events for which a rule fires become alerts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditstream.contract.alert import Alert, Evidence
from auditstream.contract.catalogue import shipped_catalogue
from auditstream.pipeline.pipeline import Pipeline
from auditstream.rules.load import parse_rule
from tests.pipeline.batches import pipeline
from tests.pipeline.events import NOW, encode, event, micros, records, uuid7
from tests.pipeline.past import NoPast

HOUR = 3_600_000_000


def alerts(*events: dict[str, Any], offset: int = 100) -> tuple[Alert, ...]:
    offsets = range(offset, offset + len(events))
    given = records([encode(item) for item in events], offsets=list(offsets))
    return pipeline().process(given, NoPast()).alerts


def escalation(number: int = 1, **fields: Any) -> dict[str, Any]:
    return event(
        "org_user_role_changed", number, **{"role": "admin", "previous_role": "viewer"} | fields
    )


def test_alert() -> None:
    """An alert says all that a person on call wants to know first."""
    (alert,) = alerts(event("group_created", 7), escalation())
    assert alert == Alert(
        alert_id=alert.alert_id,
        rule_id="role_escalation_to_admin",
        rule_title="Member made an admin",
        rule_hash=alert.rule_hash,
        level="high",
        sentence="ana raised bob from viewer to admin in workspace acme",
        reason=alert.reason,
        runbook="role_escalation",
        group_key='{"workspace_id":"w1","actor_id":"u1","member_id":"u2","role":"admin"}',
        workspace_id="w1",
        workspace_username="acme",
        actor="ana",
        entity="Sales",
        action="org_user_role_changed",
        occurred_at=alert.occurred_at,
        detected_at=NOW,
        evidence=(Evidence(uuid7(1), "audit.events", 0, 101),),
        event_count=1,
        whom="bob",
        first_event=alert.first_event,
    )
    first = json.loads(alert.first_event or "")
    assert (first["event_id"], first["role"], first["kafka_offset"]) == (uuid7(1), "admin", 101)
    assert micros(alert.occurred_at) == micros(NOW) - 1_000_000
    assert len(alert.rule_hash) == 64
    assert Alert.from_record(alert.to_record()) == alert


def test_replay_repeats_the_id() -> None:
    """The same events in other batches, at other offsets, give alerts with the same ids."""
    other = escalation(2, member={"id": "u3"})
    first, second = alerts(escalation(), other)
    assert first.alert_id != second.alert_id
    assert [alert.alert_id for alert in alerts(escalation(), offset=7)] == [first.alert_id]
    assert [alert.alert_id for alert in alerts(other)] == [second.alert_id]


@pytest.mark.parametrize(
    "change",
    [
        {"workspace_id": "w2"},
        {"actor": {"id": "u9"}},
        {"actor": {}},
        {"member": {"id": "u9"}},
        {"role": "member"},
        {"occurred_at": micros(NOW) - 2 * HOUR},
    ],
    ids=str,
)
def test_another_escalation_is_another_alert(change: dict[str, Any]) -> None:
    """Another workspace, actor, member, role or hour is another alert."""
    assert len({alert.alert_id for alert in alerts(escalation(), escalation(2, **change))}) == 2


def test_one_alert_for_a_group_and_window() -> None:
    """Hits of one group within one window are one alert that begins with the earliest."""
    late, early = micros(NOW) - 1_000, micros(NOW) - 2_000
    found = alerts(
        escalation(1, occurred_at=late, previous_role="member"), escalation(2, occurred_at=early)
    )
    (alert,) = found
    assert alert.event_count == 2
    assert [item.event_id for item in alert.evidence] == [uuid7(2), uuid7(1)]
    assert micros(alert.occurred_at) == early
    assert "from viewer" in alert.sentence


def test_evidence_is_bounded() -> None:
    """An alert names some events and counts all."""
    found = alerts(*(escalation(number) for number in range(150)))
    assert [(alert.event_count, len(alert.evidence)) for alert in found] == [(150, 100)]


def test_hostile_names() -> None:
    """Names cannot break the line of an alert."""
    (alert,) = alerts(escalation(actor={"username": "a\nb"}, member={"id": "u\r2"}))
    shown = (alert.sentence, alert.actor, alert.group_key)
    assert all(text.isprintable() for text in shown)


def test_outcome_is_told() -> None:
    """A rule that looks at failures says that it was one."""
    rule = parse_rule(
        """
title: Denied
id: 00000000-0000-4000-8000-000000000001
name: denied
status: test
description: Denied.
level: low
logsource: {product: analyst_studio, service: audit}
detection: {selection: {outcome: denied}, condition: selection}
auditstream:
  sentence: "{actor} was stopped"
  reason: It was denied.
  group_by: [workspace_id]
  window: 1h
""",
        "test",
    )
    given = records([encode(escalation(outcome="denied", outcome_reason="no"))])
    steps = Pipeline(shipped_catalogue(), [rule], clock=lambda: NOW)
    (alert,) = steps.process(given, NoPast()).alerts
    assert alert.sentence == "Denied: ana was stopped (no)"
    assert Pipeline(shipped_catalogue(), []).process(given, NoPast()).alerts == ()


def test_hits_of_watched_rules() -> None:
    """Hits of rules that are watched are told beside the alerts, and raise none."""
    part = parse_rule(
        """\
title: A group is made
name: any_group_made
logsource: {product: analyst_studio, service: audit}
detection:
  selection: {action: group_created}
  condition: selection
level: low
auditstream: {part: true}
""",
        "parts.yml",
    )
    given = records([encode(event("group_created", 1)), encode(escalation(2))], offsets=[4, 5])
    silent = pipeline().with_rules([part], watched=["any_group_made"]).process(given, NoPast())
    assert silent.met is not None
    assert {name: rows.tolist() for name, rows in silent.met.items()} == {"any_group_made": [0]}
    assert silent.alerts == ()
    assert pipeline().with_rules([part]).process(given, NoPast()).met == {}
