"""JSON lines as events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from auditstream import AuditLog, capture_events
from auditstream.embedded.broker import Broker
from auditstream.publish.lines import publish_lines
from tests.publish.conftest import NewAuditLog
from tests.publish.topic import read_until

SHORT = {
    "action": "connection_group_added_with_role",
    "workspace": {"id": "w-1", "username": "acme"},
    "actor": "u-1",
    "connection": {"id": "c-1", "name": "warehouse"},
    "group": "g-1",
    "role": "manage",
    "occurred_at": "2025-02-18T10:47:37Z",
    "metadata": {"ticket": "T-9"},
}
LONG = {
    "event_id": "0190163d-8694-739b-aea5-966c26f8ad91",
    "action": "connection_group_added_with_role",
    "occurred_at": 1_739_875_657_000_000,
    "workspace_id": "w-1",
    "workspace_username": "acme",
    "actor": {"type": "user", "id": "u-1"},
    "entity": {"type": "workspace_connection", "id": "c-1", "name": "warehouse"},
    "group": {"id": "g-1", "name": None},
    "role": "manage",
    "metadata": [{"key": "ticket", "value": "T-9"}],
    "source": {"service": "other", "epoch": 1, "sequence": 1},
}


def publish(*lines: Any) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """Return the events that lines become, and the refusals by line."""
    texts = [line if isinstance(line, str | bytes) else json.dumps(line) for line in lines]
    with capture_events() as events:
        refused = list(publish_lines(texts, AuditLog(service="billing")))
    return events, {refusal.line: refusal.message for refusal in refused}


def test_both_forms() -> None:
    """The short form and the envelope give the same event."""
    events, refused = publish(SHORT, LONG)
    assert refused == {}
    short, long = events
    for field in ("action", "workspace_id", "workspace_username", "role", "metadata"):
        assert short[field] == long[field], field
    assert short["entity"] == long["entity"]
    assert short["occurred_at"] == long["occurred_at"]
    assert short["occurred_at"] == datetime(2025, 2, 18, 10, 47, 37, tzinfo=UTC)
    assert (short["actor"]["id"], short["actor"]["type"]) == ("u-1", "user")
    assert long["source"]["service"] == "billing"


def test_entity_is_the_workspace_or_a_group() -> None:
    """What was acted on stands under the catalogue's name for it."""
    events, refused = publish(
        {"action": "org_user_invited", "workspace": "w-1", "actor": "u-1", "member": "m-1"},
        {"action": "group_created", "workspace": "w-1", "actor": "u-1", "group": "g-1"},
    )
    assert refused == {}
    assert [event["entity"]["id"] for event in events] == ["w-1", "g-1"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is not JSON"),
        (b'{"action": "\xff"}', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a JSON object"),
        ({}, "action: is missing"),
        ({**SHORT, "action": ["x"]}, "action: is list"),
        ({**SHORT, "colour": "red"}, "colour: is not a field"),
        ({**SHORT, "workspace": 5}, "workspace_id: is int"),
        ({**SHORT, "workspace": None}, "workspace_id: is missing"),
        ({**SHORT, "connection": 5}, "entity: is int"),
        ({**SHORT, "occurred_at": "yesterday"}, "occurred_at: is str"),
        ({**SHORT, "occurred_at": "2025-02-18T10:47:37"}, "occurred_at: is a time without"),
        ({**SHORT, "role": "owner"}, "role: 'owner' is not a role here"),
        ({**SHORT, "metadata": {"ticket": 9}}, "metadata[0].value: is int"),
        ({**LONG, "entity": {"type": "workspace", "id": "w"}}, "entity.type: 'workspace' is wrong"),
        ({**LONG, "actor": None}, "actor: is missing"),
    ],
)
def test_refused_lines(line: Any, message: str) -> None:
    """A line that is no event is refused with its number and the reason; the others go through."""
    events, refused = publish(SHORT, "", line, SHORT)
    assert len(events) == 2
    assert list(refused) == [3]
    assert message in refused[3]


def test_full_spool_waits(broker: Broker, new_audit_log: NewAuditLog) -> None:
    """More lines than the spool holds go through at the broker's pace."""
    audit = new_audit_log(broker.bootstrap, max_spool_events=20)
    assert list(publish_lines([json.dumps(SHORT)] * 200, audit)) == []
    read_until(broker.bootstrap, lambda records: len(records) >= 200)
