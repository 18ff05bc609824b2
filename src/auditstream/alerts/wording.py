"""Words about an alert that every form of message shares."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Final

from auditstream.alerts.message import span
from auditstream.contract.alert import Alert

NOTICED_LATE: Final = timedelta(minutes=5)


def told_sentence(alert: Alert, count: int) -> str:
    """Return the sentence without its full stop, with how many events it stands for."""
    times = f" ({count:,} times)" if count > 1 else ""
    return alert.sentence.removesuffix(".") + times


def told_when(alert: Alert) -> str:
    """Return when it happened, in UTC, and how much later it was noticed when that is long."""
    delay = alert.detected_at - alert.occurred_at
    marks = []
    if delay >= NOTICED_LATE:
        marks.append(f"noticed {span(delay)} later")
    if alert.late:
        marks.append("the event arrived late")
    if alert.retroactive:
        marks.append("found in history, not news")
    noted = f" ({', '.join(marks)})" if marks else ""
    return f"{alert.occurred_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC{noted}"
