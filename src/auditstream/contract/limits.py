"""Bounds that an event must keep: lengths in characters, size in bytes, time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

MAX_EVENT_BYTES: Final = 1_048_576
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
MAX_FUTURE_SECONDS: Final = 86_400.0

MAX_IDENTIFIER: Final = 256
MAX_NAME: Final = 1_024
MAX_TEXT: Final = 4_096
MAX_VALUE: Final = 65_536
MAX_ITEMS: Final = 1_000

MAX_LENGTH: Final[dict[str, int]] = {
    "event_id": 36,
    "action": 64,
    "workspace_id": MAX_IDENTIFIER,
    "workspace_username": MAX_NAME,
    "actor.id": MAX_IDENTIFIER,
    "actor.username": MAX_NAME,
    "actor.email": MAX_NAME,
    "actor.role": MAX_IDENTIFIER,
    "actor.ip": 45,
    "actor.user_agent": MAX_TEXT,
    "actor.session_id": MAX_IDENTIFIER,
    "actor.on_behalf_of": MAX_IDENTIFIER,
    "entity.type": 64,
    "entity.id": MAX_IDENTIFIER,
    "entity.name": MAX_NAME,
    "member.id": MAX_IDENTIFIER,
    "member.username": MAX_NAME,
    "member.email": MAX_NAME,
    "group.id": MAX_IDENTIFIER,
    "group.name": MAX_NAME,
    "role": 64,
    "previous_role": 64,
    "outcome_reason": MAX_TEXT,
    "correlation_id": MAX_IDENTIFIER,
    "causation_id": MAX_IDENTIFIER,
    "request_id": MAX_IDENTIFIER,
    "source.service": MAX_IDENTIFIER,
    "source.version": MAX_IDENTIFIER,
    "source.instance": MAX_IDENTIFIER,
}
"""Longest value of each string by its path. A string that is present is never empty, except
those of `MAY_BE_EMPTY`."""

MAY_BE_EMPTY: Final = frozenset({"workspace_username"})

ITEM_LENGTH: Final[dict[str, int]] = {
    "changes.field": MAX_IDENTIFIER,
    "changes.old": MAX_VALUE,
    "changes.new": MAX_VALUE,
    "metadata.key": MAX_IDENTIFIER,
    "metadata.value": MAX_VALUE,
}
"""Longest value of each string within an array; `changes.field` and `metadata.key` are not empty.
An array has at most `MAX_ITEMS` items."""
