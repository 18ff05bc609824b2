"""JSON lines turned into events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from auditstream.contract.catalogue import Catalogue
from auditstream.contract.ids import uuid7
from auditstream.errors import InvalidEventError, SpoolFullError
from auditstream.publish.audit_log import AuditLog
from auditstream.publish.envelope import Envelope

_ROOM_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Refusal:
    """A line that did not become an event: its number, from 1, and everything wrong with it."""

    line: int
    message: str


def publish_lines(lines: Iterable[str | bytes], audit: AuditLog) -> Iterator[Refusal]:
    """Publish each line; yield what was refused, as it is found. Blank lines are passed over.

    A line is a JSON object, either a datum of `schemas/audit_event.avsc` or its short form:
    `workspace`, `actor`, `member`, `group` and what was acted on, under the name that the
    catalogue gives it (`connection`, for one), are an id or an object with an id. `occurred_at` is
    microseconds since 1970 or ISO 8601 with a time zone, now if it is missing; `event_id` is made
    up if it is missing. A `source` is replaced by that of `audit`.

    When the spool is full, blocks until the broker has taken what waits, up to 30 s. Raises as
    `AuditLog.emit` does, but for invalid events.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            read = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Refusal(number, f"is not JSON: {error}")
            continue
        if not isinstance(read, dict):
            yield Refusal(number, "is not a JSON object")
            continue
        try:
            _publish(envelope_of(read, audit.catalogue), audit)
        except InvalidEventError as error:
            yield Refusal(number, "; ".join(str(problem) for problem in error.problems))


def envelope_of(read: Mapping[str, Any], catalogue: Catalogue) -> Envelope:
    """Return the envelope that a line in either form stands for; it is not checked."""
    event = {"event_id": str(uuid7()), "occurred_at": datetime.now(UTC), **read}
    if "workspace" in event and "workspace_id" not in event:
        workspace = _record(event.pop("workspace"))
        fields = workspace if isinstance(workspace, dict) else {"id": workspace}
        event |= {f"workspace_{name}": value for name, value in fields.items()}
    action = event.get("action")
    known = catalogue.actions.get(action) if isinstance(action, str) else None
    if known is not None:
        if "entity" not in event and known.entity_argument == "workspace":
            name = event.get("workspace_username") or None
            event["entity"] = {"id": event.get("workspace_id"), "name": name}
        elif "entity" not in event and known.entity_argument in event:
            event["entity"] = _record(event.pop(known.entity_argument))
        if isinstance(event.get("entity"), dict):
            event["entity"] = {"type": known.entity_type, **event["entity"]}
    if isinstance(event.get("actor"), str):
        event["actor"] = {"type": "user", "id": event["actor"]}
    for name in ("member", "group"):
        if event.get(name) is not None:
            event[name] = _record(event[name])
    if isinstance(event.get("metadata"), dict):
        event["metadata"] = [
            {"key": key, "value": value} for key, value in event["metadata"].items()
        ]
    if isinstance(event["occurred_at"], str):
        event["occurred_at"] = _moment(event["occurred_at"])
    return event


def _publish(event: Envelope, audit: AuditLog) -> None:
    try:
        audit.emit_envelope(event)
    except SpoolFullError:
        if not audit.flush(_ROOM_SECONDS):
            raise
        audit.emit_envelope(event)


def _record(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


def _moment(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text
