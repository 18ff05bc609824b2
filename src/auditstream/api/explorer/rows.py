"""An event as the log tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from auditstream.contract.catalogue import Catalogue
from auditstream.store.read_events import EVENT_SHAPE, Shape

_TOLD: Final = (
    *("event_id", "occurred_at", "ingested_at", "action", "category", "description", "severity"),
    *("sentence", "outcome", "outcome_reason", "is_late", "role_change"),
    *("actor_type", "actor_id", "actor_username", "actor_ip"),
    *("entity_type", "entity_id", "entity_name"),
)
LOG_SHAPE: Final = Shape(
    {name: EVENT_SHAPE.columns[name] for name in _TOLD},
    EVENT_SHAPE.id_name,
    EVENT_SHAPE.time_name,
)
"""What the log shows of an event."""


@dataclass(frozen=True)
class Row:
    """An event under the names of the table's columns, and how it looks."""

    event: dict[str, Any]
    at: datetime
    icon: str
    category: str

    @property
    def day(self) -> str:
        """The day of the event, in UTC."""
        return f"{self.at:%Y-%m-%d}"

    @property
    def day_title(self) -> str:
        """The day in words."""
        return f"{self.at:%A}, {self.at.day} {self.at:%B %Y}"

    @property
    def actor(self) -> str | None:
        """What the log is filtered by to see what else the actor did."""
        name: str | None = self.event["actor_id"] or self.event["actor_username"]
        return name

    @property
    def actor_name(self) -> str | None:
        """How the actor is called."""
        name: str | None = self.event["actor_username"] or self.event["actor_id"]
        return name


def row_of(line: bytes, catalogue: Catalogue) -> Row:
    """Return the row of an event, which is JSON under the names of columns."""
    return row_from(json.loads(line), catalogue)


def row_from(event: dict[str, Any], catalogue: Catalogue) -> Row:
    """Return the row of an event under the names of columns."""
    category = catalogue.categories.get(event["category"])
    return Row(
        event,
        datetime.fromisoformat(event["occurred_at"]),
        category.icon if category else "question",
        category.title if category else event["category"],
    )
