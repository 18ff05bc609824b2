"""How often each action is among the events that a filter leaves, and when it was seen."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from auditstream.store.connection import SettingValue, Store
from auditstream.store.event_filter import EventFilter

_READ: Final[Mapping[str, SettingValue]] = {"readonly": 2}


@dataclass(frozen=True)
class Seen:
    """An action, how many events have it, and the times of the first and the last, in UTC."""

    action: str
    description: str
    events: int
    first: datetime
    last: datetime


def actions_seen(store: Store, wanted: EventFilter) -> list[Seen]:
    """Return the actions of the events that a filter leaves, the most frequent first.

    Blocks for some milliseconds to seconds, by what the filter leaves to read; raises what `Store`
    raises.
    """
    found = store.query_frame(
        "SELECT e.action, any(e.description), count() AS events, min(e.occurred_at), "
        f"max(e.occurred_at) FROM {store.database}.events AS e WHERE {wanted.where()} "
        "GROUP BY e.action ORDER BY events DESC, e.action",
        settings=_READ,
    )
    return [Seen(*row) for row in found.rows()]
