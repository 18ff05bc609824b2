"""Silences: made, listed, ended, and what they hid."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from auditstream.alerts.payload import alert_from_json
from auditstream.contract.alert import Alert
from auditstream.errors import AuditStreamError
from auditstream.store.alert_deliveries import list_held
from auditstream.store.alert_silences import (
    MATCHED,
    Silence,
    add_silence,
    cancel_silence,
    list_silences,
)
from auditstream.store.connection import Store

LONGEST: Final = timedelta(days=90)
REPORT_ROWS: Final = 100_000


class SilenceError(AuditStreamError):
    """A silence is not well formed, or there is none with this id."""


@dataclass(frozen=True)
class Hidden:
    """What a silence has hidden: how many alerts by level, and the newest of them."""

    silence: Silence
    alerts: int
    levels: dict[str, int]
    newest: tuple[Alert, ...]


def silence(
    store: Store,
    *,
    until: datetime,
    author: str,
    reason: str,
    rule_id: str | None = None,
    level: str | None = None,
    actor: str | None = None,
    workspace_id: str | None = None,
    entity: str | None = None,
) -> Silence:
    """Silence the alerts that agree with all that is given, from now until a time.

    Blocks; raises what `Store` raises, and more.

    Raises:
        SilenceError: nothing to match is given, no author or reason, or the time has passed or is
            more than 90 days away.
    """
    now = datetime.now(UTC)
    made = Silence(
        str(uuid4()), now, until, author, reason, rule_id, level, actor, workspace_id, entity
    )
    if all(getattr(made, name) is None for name in MATCHED):
        raise SilenceError("a silence names a rule, level, actor, workspace or entity")
    if not author.strip() or not reason.strip():
        raise SilenceError("a silence has an author and a reason")
    if not now < until <= now + LONGEST:
        raise SilenceError("a silence ends in the future, within 90 days")
    add_silence(store, made)
    return made


def unsilence(store: Store, silence_id: str, by: str, reason: str = "") -> Silence:
    """End a silence that is in force. Blocks; raises what `Store` raises, and more.

    Raises:
        SilenceError: there is none with this id, or it has ended.
    """
    now = datetime.now(UTC)
    for known in list_silences(store, now):
        if known.silence_id == silence_id and known.in_force(now):
            cancel_silence(store, known, now, by, reason)
            return known
    raise SilenceError(f"no silence {silence_id} is in force")


def report(store: Store, since: datetime, newest: int = 5) -> list[Hidden]:
    """Return what each silence has hidden since a time. Blocks; raises what `Store` raises."""
    held = list_held(store, since, REPORT_ROWS, ["silenced"])
    found = []
    for known in list_silences(store):
        rows = [row for row in held if row.held_by == known.silence_id]
        alerts = tuple(alert_from_json(row.alert) for row in rows[:newest])
        found.append(Hidden(known, len(rows), dict(Counter(row.level for row in rows)), alerts))
    return found
