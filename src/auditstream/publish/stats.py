"""What became of the events of an AuditLog."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of one process, of events.

    Attributes:
        accepted: events whose `emit` returned.
        acknowledged: events the broker has acknowledged, those of adopted spools included.
        spooled: events that wait for the broker's acknowledgement now.
        spooled_bytes: bytes for which they count against the bounds.
        repeated: events sent again because the outcome of the first time is unknown: each may
            stand in the topic twice, under one event id.
        refused: events put aside because the broker will never take them.
        last_error: why events could not be delivered most recently; None if they always could.
    """

    accepted: int = 0
    acknowledged: int = 0
    spooled: int = 0
    spooled_bytes: int = 0
    repeated: int = 0
    refused: int = 0
    last_error: str | None = None


@dataclass(slots=True)
class Counters:
    """Counts in the making; `accepted` is kept by the session, the others by the sender."""

    accepted: int = 0
    acknowledged: int = 0
    repeated: int = 0
    refused: int = 0
    last_error: str | None = None
