"""What `emit` makes of its arguments, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from auditstream import (
    Actor,
    AuditLog,
    Change,
    Group,
    InvalidEventError,
    Member,
    Ref,
    Workspace,
    capture_events,
)
from auditstream.contract.catalogue import Action, parse_catalogue, shipped_catalogue
from auditstream.contract.resources import resource

NOW = datetime(2025, 2, 18, 10, 47, 37, 123456, tzinfo=UTC)
WORKSPACE = Workspace("w-1", "acme")
VALUES: dict[str, Any] = {
    "workspace": WORKSPACE,
    "member": Member("m-1", "mia", "mia@acme.test"),
    "group": Group("g-1", "analysts"),
}


@pytest.fixture
def audit() -> AuditLog:
    """A log whose clock stands still."""
    return AuditLog(service="billing", service_version="1.2", clock=lambda: NOW)


def arguments_of(action: Action) -> dict[str, Any]:
    """Return valid arguments, of every field the action has."""
    highest = action.roles[-1] if action.roles else None
    arguments: dict[str, Any] = {field: VALUES.get(field, highest) for field in action.fields}
    entity = action.entity_argument
    arguments[entity] = VALUES.get(entity, Ref("e-1", "thing"))
    return {"workspace": WORKSPACE} | arguments


@pytest.mark.parametrize("name", shipped_catalogue().actions)
def test_call_of_every_action(audit: AuditLog, name: str) -> None:
    """Each action's method makes an event that has what the catalogue says."""
    action = audit.catalogue[name]
    with capture_events() as events:
        event_id = getattr(audit, name)(**arguments_of(action))
    (event,) = events
    assert event["event_id"] == event_id
    assert event["action"] == name
    assert event["entity"]["type"] == action.entity_type
    for field in action.fields:
        assert event[field], field


def test_whole_envelope(audit: AuditLog) -> None:
    """Every argument finds its place."""
    with capture_events() as events:
        event_id = audit.org_user_role_changed(
            workspace=WORKSPACE,
            member=Member("m-1", "mia", "mia@acme.test"),
            role="admin",
            previous_role="viewer",
            actor=Actor("u-1", "api_token", "ana", "ana@acme.test", "admin", "192.0.2.7", "curl"),
            outcome="denied",
            outcome_reason="needs approval",
            changes=[Change("role", "viewer", "admin")],
            metadata={"ticket": "T-9"},
            correlation_id="cor-1",
            causation_id="cau-1",
            request_id="req-1",
        )
    (event,) = events
    source = event.pop("source")
    assert event == {
        "event_id": event_id,
        "action": "org_user_role_changed",
        "occurred_at": NOW,
        "workspace_id": "w-1",
        "workspace_username": "acme",
        "actor": {
            "type": "api_token",
            "id": "u-1",
            "username": "ana",
            "email": "ana@acme.test",
            "role": "admin",
            "ip": "192.0.2.7",
            "user_agent": "curl",
            "session_id": None,
            "on_behalf_of": None,
        },
        "entity": {"type": "workspace", "id": "w-1", "name": "acme"},
        "member": {"id": "m-1", "username": "mia", "email": "mia@acme.test"},
        "group": None,
        "role": "admin",
        "previous_role": "viewer",
        "outcome": "denied",
        "outcome_reason": "needs approval",
        "correlation_id": "cor-1",
        "causation_id": "cau-1",
        "request_id": "req-1",
        "changes": [{"field": "role", "old": "viewer", "new": "admin"}],
        "metadata": [{"key": "ticket", "value": "T-9"}],
    }
    assert (source["service"], source["version"], source["sequence"]) == ("billing", "1.2", 1)


def test_every_problem_at_once(audit: AuditLog) -> None:
    """One error names everything that is wrong, and nothing is accepted."""
    with capture_events() as events, pytest.raises(InvalidEventError) as caught:
        audit.emit(
            "connection_member_added_with_role",
            entity=Ref(""),
            group=Group("g-1"),
            role="owner",
            actor=Actor("u-1", ip="nowhere"),
            event_id="7",
            occurred_at=NOW + timedelta(days=3),
        )
    assert events == []
    found = {(problem.field, problem.reason) for problem in caught.value.problems}
    assert found == {
        ("event_id", "invalid_uuid"),
        ("occurred_at", "time_too_late"),
        ("workspace_id", "missing_field"),
        ("actor.ip", "invalid_ip"),
        ("entity.id", "empty_string"),
        ("member", "missing_field"),
        ("group", "extra_field"),
        ("role", "unknown_role"),
    }


def test_unknown_action(audit: AuditLog) -> None:
    """An action outside the catalogue is refused by its name."""
    with capture_events(), pytest.raises(InvalidEventError, match="no_such_action"):
        audit.emit("no_such_action", workspace=WORKSPACE, entity=Ref("e-1"))


def test_missing_entity(audit: AuditLog) -> None:
    """An action on something else than the workspace needs to be told what."""
    with capture_events(), pytest.raises(InvalidEventError, match="entity: is missing"):
        audit.emit("connection_created", workspace=WORKSPACE)


def test_new_action_needs_no_code() -> None:
    """An action added to the catalogue can be emitted, and is checked."""
    text = resource("actions.yaml").read_text(encoding="utf-8")
    text += """
  connection_renamed:
    category: workspace_connections
    description: connection renamed
    entity: {type: workspace_connection, argument: connection}
    optional: [member]
    severity: low
    sentence: "{actor} renamed connection {entity}"
    ocsf: {class_uid: 3004, activity_id: 3}
"""
    audit = AuditLog(service="billing", catalogue=parse_catalogue(text, "test"))
    with capture_events() as events:
        audit.emit("connection_renamed", workspace=WORKSPACE, entity=Ref("c-1", "new name"))
        with pytest.raises(InvalidEventError, match="connection_renamed has no role"):
            audit.emit("connection_renamed", workspace=WORKSPACE, entity=Ref("c-1"), role="view")
    assert [event["entity"]["type"] for event in events] == ["workspace_connection"]


def test_catalogue_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The catalogue may come from a file that the environment names."""
    text = resource("actions.yaml").read_text(encoding="utf-8")
    file = tmp_path / "actions.yaml"
    file.write_text(text.replace("  connection_created:", "  connection_opened:"))
    monkeypatch.setenv("AUDITSTREAM_CATALOGUE_FILE", str(file))
    audit = AuditLog(service="billing")
    with capture_events() as events:
        audit.emit("connection_opened", workspace=WORKSPACE, entity=Ref("c-1"))
    assert len(events) == 1


def test_event_id_and_times(audit: AuditLog) -> None:
    """Ids are new UUIDs of version 7 in ascending order; times are kept in UTC."""
    when = datetime(2025, 2, 18, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    with capture_events() as events:
        ids = [audit.group_created(workspace=WORKSPACE, group=Group("g-1")) for _ in range(100)]
        given = "0190163D-8694-739B-AEA5-966C26F8AD91"
        assert (
            audit.group_deleted(
                workspace=WORKSPACE, group=Group("g-1"), event_id=given, occurred_at=when
            )
            == given.lower()
        )
    assert ids == sorted(ids)
    assert {UUID(event_id).version for event_id in ids} == {7}
    assert events[-1]["event_id"] == given.lower()
    assert events[-1]["occurred_at"] == datetime(2025, 2, 18, 10, 0, tzinfo=UTC)


def test_envelope_as_it_is(audit: AuditLog) -> None:
    """A datum of the schema can be published too; its source is replaced, roles are lower case."""
    with capture_events() as events:
        audit.emit_envelope(
            {
                "event_id": "0190163d-8694-739b-aea5-966c26f8ad91",
                "action": "connection_group_access_changed",
                "occurred_at": 1_739_875_657_000_000,
                "workspace_id": "w-1",
                "actor": {"id": "u-1"},
                "entity": {"type": "workspace_connection", "id": "c-1"},
                "group": {"id": "g-1"},
                "role": "Manage",
                "source": {"service": "another", "epoch": 1, "sequence": 9},
            }
        )
    (event,) = events
    assert event["source"]["service"] == "billing"
    assert event["role"] == "manage"
    assert event["occurred_at"] == datetime(2025, 2, 18, 10, 47, 37, tzinfo=UTC)
