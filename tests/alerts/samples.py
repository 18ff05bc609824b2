"""Alerts for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from auditstream.contract.alert import Alert, Evidence

OCCURRED: Final = datetime(2026, 3, 14, 2, 13, 41, 250_000, tzinfo=UTC)

ESCALATION: Final = Alert(
    alert_id="0f6f4a8e-8a52-5f0c-9d3e-1d2b6f1f2a01",
    rule_id="role_escalation",
    rule_title="Role raised to admin",
    rule_hash="9c1185a5c5e9fc54",
    level="high",
    sentence="ada.khan changed the role of leo.park in workspace harbour from member to admin",
    reason="An admin can read everything and give access to anyone.",
    runbook="https://runbooks.example/role-escalation",
    group_key="ws-1/u-1",
    workspace_id="ws-1",
    workspace_username="harbour",
    actor="ada.khan",
    entity="harbour",
    action="org_user_role_changed",
    occurred_at=OCCURRED,
    detected_at=OCCURRED + timedelta(seconds=1),
    whom="leo.park",
    evidence=(Evidence("0195f0a2-1111-7abc-8def-0123456789ab", "audit.events", 3, 42),),
)


def alert(number: int = 0, **fields: Any) -> Alert:
    """Return the sample alert under another id, with other fields."""
    return replace(ESCALATION, alert_id=f"0f6f4a8e-8a52-5f0c-9d3e-{number:012x}", **fields)


GRANT: Final = replace(
    ESCALATION,
    alert_id="0f6f4a8e-8a52-5f0c-9d3e-1d2b6f1f2a02",
    rule_id="connection_manage_granted_to_group",
    rule_title="Manage on a connection given to a group",
    level="critical",
    sentence=(
        "Zoë Müller gave group contractors (240 members) the role manage on connection "
        "Warehouse Production"
    ),
    reason="Whoever is in the group can now change or delete the connection and share its data.",
    runbook="auditstream/rules/runbooks/connection_manage_granted.md",
    actor="Zoë Müller",
    whom="contractors",
    entity="Warehouse Production",
    action="connection_group_added_with_role",
    occurred_at=OCCURRED - timedelta(hours=3),
    late=True,
    event_count=12,
    link="https://audit.example/alerts/0f6f4a8e-8a52-5f0c-9d3e-1d2b6f1f2a02",
)

SILENT_PRODUCER: Final = replace(
    ESCALATION,
    alert_id="0f6f4a8e-8a52-5f0c-9d3e-1d2b6f1f2a03",
    rule_id="health_no_events",
    rule_title="No events",
    level="medium",
    sentence="No audit event has been stored for 15 min",
    reason="Nothing that happens in the workspaces is seen, and no rule can fire.",
    runbook=None,
    workspace_id="auditstream",
    workspace_username="",
    actor="auditstream",
    whom="",
    entity="topic audit.events",
    action="",
    evidence=(),
)
