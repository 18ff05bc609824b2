"""What is sent to a destination in one go: one alert, or several that were gathered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from auditstream.alerts.payload import alert_from_json
from auditstream.contract.alert import Alert, alert_link, runbook_link
from auditstream.contract.catalogue import SEVERITIES
from auditstream.store.alert_deliveries import DeliveryRow

MessageKind: TypeAlias = Literal["alert", "repeat", "escalation", "digest", "folded", "test"]


@dataclass(frozen=True)
class Letter:
    """One alert of a message, with the events it stands for so far."""

    alert: Alert
    count: int


@dataclass(frozen=True)
class Message:
    """What is sent: `message_id` is the idempotency key, the same each time it is sent.

    `letters` hold the most severe alerts first. `now` is when it was made.
    """

    message_id: str
    kind: MessageKind
    letters: tuple[Letter, ...]
    now: datetime

    @property
    def level(self) -> str:
        """The highest level among its alerts."""
        return max((letter.alert.level for letter in self.letters), key=SEVERITIES.index)


def letter_of(row: DeliveryRow, explorer_url: str | None) -> Letter:
    """Return the alert of a planned delivery, with its links."""
    alert = alert_from_json(row.alert)
    link = alert.link or alert_link(explorer_url, alert.alert_id)
    runbook = runbook_link(explorer_url, alert.runbook)
    return Letter(replace(alert, link=link, runbook=runbook), row.count)


def by_severity(letters: list[Letter]) -> tuple[Letter, ...]:
    """Return letters with the most severe first, else in their order."""
    return tuple(sorted(letters, key=lambda letter: -SEVERITIES.index(letter.alert.level)))


def span(delay: timedelta) -> str:
    """Return a duration in the unit that suits it: `40 s`, `5 min`, `3 h`, `4 days`."""
    seconds = max(int(delay.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 120 * 60:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 48 * 3600 else f"{seconds // 86_400} days"
