"""Words about an alert that every form of message shares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from auditstream.alerts.message import span
from auditstream.contract.alert import Alert

NOTICED_LATE: Final = timedelta(minutes=5)


def told_sentence(alert: Alert, count: int) -> str:
    """Return the sentence without its full stop, with how many events it stands for.

    One of an alert that was raised over history says so.
    """
    times = f" ({count:,} times)" if count > 1 else ""
    mark = " (retroactive)" if alert.retroactive else ""
    return alert.sentence.removesuffix(".") + times + mark


def told_when(alert: Alert, now: datetime | None = None) -> str:
    """Return when it happened, in UTC, how long before `now`, and what is odd about the time."""
    delay = alert.detected_at - alert.occurred_at
    marks = []
    if delay >= NOTICED_LATE:
        marks.append(f"noticed {span(delay)} later")
    if alert.late:
        marks.append("the event arrived late")
    if alert.retroactive:
        marks.append("found in history, not news")
    ago = "" if now is None else f", {span(now - alert.occurred_at)} ago"
    noted = f" ({', '.join(marks)})" if marks else ""
    return f"{alert.occurred_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC{ago}{noted}"


def told_ids(alert: Alert) -> str:
    """Return what to look for elsewhere: rule, alert, and the first event with its place."""
    first = next(iter(alert.evidence), None)
    event = ""
    if first is not None:
        event = f", event {first.event_id} at {first.topic} {first.partition}:{first.offset}"
    return f"rule {alert.rule_id}, alert {alert.alert_id}{event}"
