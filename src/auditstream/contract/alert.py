"""An alert: what `schemas/alert.avsc` describes, and its deterministic id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from auditstream.contract.catalogue import Severity

ALERT_NAMESPACE: Final = UUID("0d4f6d5e-9a43-5c57-8a43-2f3f0b6c5a10")
"""Namespace of alert ids (version 5 UUIDs, RFC 9562)."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Evidence:
    """Where an event that made a rule fire stands in the topic."""

    event_id: str
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Alert:
    """One alert; the fields are those of the Avro schema, times are aware datetimes in UTC.

    Who: `actor`; what: `sentence`; whom: `whom`; on what: `entity`; where: the workspace; when:
    `occurred_at`, `detected_at`; why it matters: `reason`.
    """

    alert_id: str
    rule_id: str
    rule_title: str
    rule_hash: str
    level: Severity
    sentence: str
    reason: str
    runbook: str | None
    group_key: str
    workspace_id: str
    workspace_username: str
    actor: str
    entity: str
    action: str
    occurred_at: datetime
    detected_at: datetime
    evidence: tuple[Evidence, ...]
    event_count: int = 1
    whom: str = ""
    late: bool = False
    retroactive: bool = False
    window_seconds: int = 3600
    link: str | None = None
    first_event: str | None = None

    def to_record(self) -> dict[str, Any]:
        """Return the alert as a datum of the Avro schema."""
        # Not asdict, which copies every value deeply.
        return vars(self) | {"evidence": [vars(item) for item in self.evidence]}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Alert:
        """Build an alert from a datum of the Avro schema."""
        evidence = tuple(Evidence(**item) for item in record["evidence"])
        return cls(**record | {"evidence": evidence})


def alert_link(explorer_url: str | None, number: str) -> str | None:
    """Return the page of an alert in the explorer at `explorer_url`, None without one."""
    return f"{explorer_url.rstrip('/')}/alerts/{number}" if explorer_url else None


def runbook_link(explorer_url: str | None, runbook: str | None) -> str | None:
    """Return the page of a runbook: a web address as it is, a shipped one in the explorer.

    Without an explorer the name stays: `auditstream rules runbook NAME` shows it.
    """
    if runbook is None or explorer_url is None or runbook.startswith(("http://", "https://")):
        return runbook
    return f"{explorer_url.rstrip('/')}/runbooks/{runbook}"


def alert_id(rule_id: str, group_key: str, occurred_at: datetime, window: timedelta) -> str:
    """Return the id of the alert of a rule and group key in the window that holds `occurred_at`.

    Windows are counted from 1970-01-01, so that every replay computes the same id whatever its
    batches were. A window of zero gives each group key a single alert.
    """
    number = (occurred_at - EPOCH) // window if window else 0
    return str(uuid5(ALERT_NAMESPACE, f"{rule_id}\n{group_key}\n{number}"))
