"""Silences: who wants to hear nothing of what, until when, and why."""
# ruff: noqa: S608 - names come from checked settings, values are parameters

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from auditstream.contract.alert import Alert
from auditstream.store.alert_states import microseconds
from auditstream.store.columns import SILENCES
from auditstream.store.connection import Store
from auditstream.store.rows import add_rows

MATCHED = ("rule_id", "level", "actor", "workspace_id", "entity")
"""Fields of an alert by which it is silenced."""


@dataclass(frozen=True)
class Silence:
    """A silence: alerts that agree with all of its fields that are given, until a time.

    `at` is when it was made, or cancelled if `cancelled`.
    """

    silence_id: str
    at: datetime
    until: datetime
    author: str
    reason: str
    rule_id: str | None = None
    level: str | None = None
    actor: str | None = None
    workspace_id: str | None = None
    entity: str | None = None
    cancelled: bool = False

    def matches(self, alert: Alert) -> bool:
        """Whether the alert agrees with every field that is given."""
        return all(getattr(self, name) in (None, getattr(alert, name)) for name in MATCHED)

    def in_force(self, now: datetime) -> bool:
        """Whether it silences at `now`."""
        return not self.cancelled and now < self.until


def add_silence(store: Store, silence: Silence) -> None:
    """Store a silence. Blocks until it is fsynced; raises what `add_rows` raises."""
    add_rows(store, "alert_silences", SILENCES, [asdict(silence)])


def cancel_silence(store: Store, silence: Silence, at: datetime, by: str, reason: str) -> None:
    """End a silence now. Blocks until that is fsynced; raises what `add_rows` raises."""
    add_silence(store, replace(silence, at=at, author=by, reason=reason, cancelled=True))


def list_silences(store: Store, ending_after: datetime | None = None) -> list[Silence]:
    """Return silences as they are now, the newest first; of those that end after a time, if given.

    A cancelled one is returned with who cancelled it. Blocks, and raises what `Store` raises.
    """
    ends = "until > fromUnixTimestamp64Micro({after:Int64})" if ending_after else "1"
    newest = ", ".join(
        f"argMax(tuple(s.{name}), (s.at, s.cancelled)).1 AS {name}"
        for name in SILENCES
        if name not in ("silence_id", "at")
    )
    found = store.query_frame(
        f"SELECT toString(silence_id) AS silence_id, max(s.at) AS at, {newest} "
        f"FROM {store.database}.alert_silences AS s GROUP BY silence_id "
        f"HAVING {ends} ORDER BY at DESC, silence_id",
        {"after": microseconds(ending_after)} if ending_after else None,
    )
    return [Silence(**row) for row in found.to_dicts()]
