"""A sample alert, to try a destination with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from auditstream.alerts.message import Letter, Message
from auditstream.contract.alert import Alert, alert_link


def sample_message(explorer_url: str | None) -> Message:
    """Return a message that says it is a test; each has an id of its own."""
    now = datetime.now(UTC)
    number = str(uuid4())
    alert = Alert(
        alert_id=number,
        rule_id="test",
        rule_title="Test of a destination",
        rule_hash="",
        level="informational",
        sentence="auditstream tried whether this destination takes its alerts",
        reason="Nothing has happened. If you can read this, alerts arrive here.",
        runbook=None,
        group_key="",
        workspace_id="auditstream",
        workspace_username="",
        actor="auditstream",
        entity="this destination",
        action="",
        occurred_at=now - timedelta(seconds=1),
        detected_at=now,
        evidence=(),
        link=alert_link(explorer_url, number),
    )
    return Message(str(uuid4()), "test", (Letter(alert, 1),), now)
