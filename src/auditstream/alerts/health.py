"""Alerts about auditstream itself: silence is not safety.

Each function turns measured facts into alerts, and does nothing else; `HealthMonitor` measures
again and again and publishes what they find. The ids are those of a window, so that what goes on
is one alert an hour, not one a minute, whoever measures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from auditstream.alerts.message import span
from auditstream.contract.alert import Alert, Evidence, alert_id
from auditstream.contract.catalogue import Severity
from auditstream.errors import ServiceUnavailableError, StoreError
from auditstream.store.alert_deliveries import count_failures
from auditstream.store.connection import Store
from auditstream.store.health import (
    Gap,
    Silence,
    Skew,
    last_arrival,
    producer_skews,
    reject_counts,
    sequence_gaps_of,
    silent_producers,
)

WORKSPACE: Final = "auditstream"
WINDOW: Final = timedelta(hours=1)
RUNBOOK: Final = "health"
CANARY: Final = "auditstream-canary"
"""Service, and workspace, of canary events."""

SLOW: Final = timedelta(minutes=15)
"""How often what takes long is measured."""

GAP_SETTLE: Final = timedelta(minutes=2)
"""How old events are when their numbers are looked at: others may still be on their way."""

Publish = Callable[[Sequence[Alert]], None]


@dataclass(frozen=True)
class Bounds:
    """Where health ends. Times in seconds, rates between 0 and 1."""

    silent_seconds: float = 900.0
    lag_records: int = 100_000
    skew_seconds: float = 60.0
    reject_rate: float = 0.05
    reject_least: int = 20
    interval_seconds: float = 60.0


def health_alert(
    rule_id: str,
    level: Severity,
    key: str,
    sentence: str,
    reason: str,
    now: datetime,
    *,
    entity: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Alert:
    """Return an alert about auditstream itself; `key` is what it is about within the rule."""
    return Alert(
        alert_id=alert_id(rule_id, key, now, WINDOW),
        rule_id=rule_id,
        rule_title=rule_id.removeprefix("health_").replace("_", " ").capitalize(),
        rule_hash="",
        level=level,
        sentence=sentence,
        reason=reason,
        runbook=RUNBOOK,
        group_key=key,
        workspace_id=WORKSPACE,
        workspace_username="",
        actor="auditstream",
        entity=entity or key,
        action="",
        occurred_at=now,
        detected_at=now,
        evidence=evidence,
        window_seconds=int(WINDOW.total_seconds()),
    )


def rule_errors(errors: Mapping[str, str], now: datetime) -> list[Alert]:
    """Return an alert for each rule that does not work: its id or file, and what is wrong."""
    return [
        health_alert(
            "health_rule_error",
            "high",
            rule,
            f"Rule {rule} does not work: {error}",
            "What this rule watches for is not noticed until it is mended.",
            now,
        )
        for rule, error in sorted(errors.items())
    ]


def delivery_failures(
    failures: Mapping[str, tuple[int, int, str]], since: timedelta, now: datetime
) -> list[Alert]:
    """Return an alert for each destination with failed attempts and dead letters, last error."""
    return [
        health_alert(
            "health_delivery_failures",
            "critical" if dead else "high",
            name,
            f"Destination {name} has refused {failed + dead} deliveries in {span(since)}, "
            f"{dead} were given up; the last answer: {error}",
            "People who rely on this destination are not told of alerts. "
            "Dead letters: auditstream alerts dead-letters.",
            now,
            entity=f"destination {name}",
        )
        for name, (failed, dead, error) in sorted(failures.items())
        if dead or failed >= 3
    ]


def consumer_lag(lag: Mapping[str, int], bound: int, now: datetime) -> list[Alert]:
    """Return an alert for each topic whose records not yet read exceed the bound."""
    return [
        health_alert(
            "health_consumer_lag",
            "high",
            topic,
            f"{records:,} records of topic {topic} are not read yet, more than {bound:,}",
            "Alerts come late by as much as the worker is behind.",
            now,
            entity=f"topic {topic}",
        )
        for topic, records in sorted(lag.items())
        if records > bound
    ]


def no_events(last: datetime | None, started: datetime, bound: float, now: datetime) -> list[Alert]:
    """Return an alert when nothing has been stored for `bound` seconds.

    `last` is the newest arrival, None for an empty table; silence counts from `started` at the
    earliest, so that a new installation is not silent at once.
    """
    silent = now - max(last or started, started)
    if silent.total_seconds() < bound:
        return []
    return [
        health_alert(
            "health_no_events",
            "high",
            "events",
            f"No audit event has been stored for {span(silent)}",
            "Nothing that happens in the workspaces is seen, and no rule can fire.",
            now,
            entity="table events",
        )
    ]


def clock_skew(skews: Sequence[Skew], bound: float, now: datetime) -> list[Alert]:
    """Return an alert for each producer whose clock is ahead of Kafka's by more than `bound` s."""
    return [
        health_alert(
            "health_clock_skew",
            "medium",
            f"{skew.service}/{skew.instance}" if skew.instance else skew.service,
            f"The clock of producer {skew.service} {skew.instance} is ahead by "
            f"{span(timedelta(seconds=skew.seconds))}".replace("  ", " "),
            "The times of its events are wrong, so windows and sequences of rules miss them.",
            now,
        )
        for skew in skews
        if skew.seconds > bound
    ]


def reject_rate(
    counts: Mapping[str, int], stored: int, bounds: Bounds, since: timedelta, now: datetime
) -> list[Alert]:
    """Return an alert when too many of the last records were rejected; `counts` is by reason."""
    rejected = sum(counts.values())
    total = rejected + stored
    if rejected < bounds.reject_least or rejected / total <= bounds.reject_rate:
        return []
    reasons = ", ".join(
        f"{count:,} {reason}" for reason, count in sorted(counts.items(), key=lambda c: -c[1])[:3]
    )
    return [
        health_alert(
            "health_reject_rate",
            "high",
            "rejects",
            f"{rejected:,} of {total:,} records were rejected in {span(since)}: {reasons}",
            "A producer sends what is no event; its actions are not seen until they are replayed.",
            now,
            entity="topic of events",
        )
    ]


def producer_silent(silences: Sequence[Silence], now: datetime) -> list[Alert]:
    """Return an alert for each service that used to send events and does no more."""
    return [
        health_alert(
            "health_producer_silent",
            "medium",
            silence.service,
            f"Producer {silence.service} has sent no event for {span(now - silence.last)}; "
            f"its longest pause in the week before was {span(silence.longest)}",
            "What happens in this service is not seen, and no rule about it can fire.",
            now,
            entity=f"producer {silence.service}",
        )
        for silence in silences
    ]


def sequence_gaps(gaps: Sequence[Gap], now: datetime) -> list[Alert]:
    """Return an alert for each source of which numbered events have not arrived."""
    return [
        health_alert(
            "health_sequence_gap",
            "high",
            f"{gap.service}/{gap.instance}/{gap.epoch}",
            f"{gap.missing:,} of the events {gap.first:,} to {gap.last:,} of producer "
            f"{' '.join(filter(None, (gap.service, gap.instance)))} have not arrived",
            "They are lost, or still in a spool; what they tell is not in the log.",
            now,
            entity=f"producer {gap.service}",
        )
        for gap in gaps
    ]


def id_conflicts(conflicts: int, since: timedelta, now: datetime) -> list[Alert]:
    """Return an alert when event ids were used again for other events."""
    if not conflicts:
        return []
    return [
        health_alert(
            "health_id_conflict",
            "medium",
            "event ids",
            f"{conflicts:,} records came under the id of another event in {span(since)}",
            "A producer reuses ids, or somebody tries to overwrite an event; both were kept.",
            now,
            entity="topic of events",
        )
    ]


def canary_missing(event_id: str, published: datetime, now: datetime) -> Alert:
    """Return the alert that a canary event has not come out of the table in time."""
    return health_alert(
        "health_canary_missing",
        "critical",
        "canary",
        f"A canary event of {span(now - published)} ago has not come out of the table",
        "Events are not stored, or late: alerts may be missing.",
        now,
        entity=f"event {event_id}",
    )


class HealthMonitor:
    """Measures again and again, and publishes alerts about what is not well.

    `publish` takes alerts to the topic and the table. `lag` returns by topic how many records are
    not read; `errors` by rule what is wrong with it. Both may be left out where they are not known.
    """

    def __init__(
        self,
        store: Store,
        publish: Publish,
        bounds: Bounds | None = None,
        lag: Callable[[], Mapping[str, int]] = dict,
        errors: Callable[[], Mapping[str, str]] = dict,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._store = store
        self._publish = publish
        self._bounds = bounds or Bounds()
        self._lag, self._errors, self._say = lag, errors, say
        self._started = datetime.now(UTC)
        self._measured: datetime | None = None

    def check(self, now: datetime) -> list[Alert]:
        """Measure once; blocks for some statements, and raises what `Store` and `lag` raise."""
        bounds = self._bounds
        recent = timedelta(seconds=5 * bounds.interval_seconds)
        counts, stored = reject_counts(self._store, now - recent)
        return [
            *rule_errors(self._errors(), now),
            *consumer_lag(self._lag(), bounds.lag_records, now),
            *no_events(
                last_arrival(self._store, CANARY), self._started, bounds.silent_seconds, now
            ),
            *clock_skew(producer_skews(self._store, now - recent), bounds.skew_seconds, now),
            *reject_rate(counts, stored, bounds, recent, now),
            *id_conflicts(counts.get("event_id_conflict", 0), recent, now),
            *self._silent_producers(now),
            *sequence_gaps(
                sequence_gaps_of(self._store, now - recent - GAP_SETTLE, now - GAP_SETTLE), now
            ),
            *delivery_failures(count_failures(self._store, now - recent), recent, now),
        ]

    def _silent_producers(self, now: datetime) -> list[Alert]:
        # A week of arrivals is read for it.
        if self._measured and now - self._measured < SLOW:
            return []
        self._measured = now
        return producer_silent(silent_producers(self._store, CANARY, now), now)

    def run(self, stop: threading.Event) -> None:
        """Measure until `stop` is set. Blocks; a measurement that fails is told and tried again."""
        while not stop.wait(self._bounds.interval_seconds):
            try:
                found = self.check(datetime.now(UTC))
                if found:
                    self._publish(found)
            except (ServiceUnavailableError, StoreError) as error:
                self._say(f"health is not known: {error}")
