"""What becomes of an alert: told to whom, at once or in a digest, or held back, and by what.

In this order: an alert that is known is counted; a silence or a maintenance window hides it; a
streak of which it is only the next holds it back; else it goes where the routes say.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from auditstream.alerts.payload import alert_to_json
from auditstream.alerts.streaks import Streaks
from auditstream.contract.alert import Alert
from auditstream.notifier_settings import NotifierSettings
from auditstream.store.alert_deliveries import Decided, DeliveryRow, Held, HitRow, Kind
from auditstream.store.alert_silences import Silence

DELIVERY_NAMESPACE: Final = UUID("6c8f2f0e-6d0c-5b55-9d43-0f7b3f9c2d11")
REMEMBERED: Final = 100_000
"""Alerts whose id, and whose events while they are few, are kept in memory."""
COUNTED: Final = 1_000
"""Events of an alert that are told apart by their ids; beyond, they are added up."""


@dataclass(frozen=True)
class Plan:
    """Rows for the ledger; those in state `planned` are to be delivered."""

    rows: tuple[DeliveryRow, ...]
    hit: HitRow


class _Count:
    """How many events an alert stands for: those with an id once each, and others."""

    def __init__(self) -> None:
        self.told = False
        self._ids: set[str] = set()
        self._more = 0

    def add(self, ids: Iterable[str], more: int) -> None:
        for event_id in ids:
            if len(self._ids) < COUNTED:
                self._ids.add(event_id)
            elif event_id not in self._ids:
                self._more += 1
        self._more += max(more, 0)

    @property
    def total(self) -> int:
        return max(len(self._ids) + self._more, 1)


class Planner:
    """Decides for one alert after the other. One thread at a time; no I/O.

    `silences` and `settled` (ids of alerts that are acknowledged or resolved) are set from outside
    as they change.
    """

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        self._longest = timedelta(hours=settings.backoff_hours)
        self._streaks = Streaks(self._longest)
        self._known: OrderedDict[str, _Count] = OrderedDict()
        self.silences: tuple[Silence, ...] = ()
        self.settled: frozenset[str] = frozenset()

    def restore(
        self, decisions: Iterable[Decided], hits: Mapping[str, tuple[set[str], int]]
    ) -> None:
        """Take up what an earlier notifier decided; it is as if this one had."""
        for past in decisions:
            if past.alert_id in self._known:
                continue
            count = self._remember(past.alert_id)
            count.add(*hits.get(past.alert_id, (set(), 0)))
            count.told = past.state == "planned"
            if past.state in ("planned", "suppressed"):
                window = timedelta(seconds=past.window_seconds)
                self._streaks.held_back_by(
                    past.rule_id, past.group_key, past.alert_id, past.occurred_at, window
                )

    def plan(self, alert: Alert, partition: int, offset: int, now: datetime) -> Plan:
        """Decide for an alert read from a place of the topic at `now`."""
        ids = tuple(item.event_id for item in alert.evidence)
        hit = HitRow(alert.alert_id, now, alert.event_count, ids, partition, offset)
        known = self._known.get(alert.alert_id)
        count = known or self._remember(alert.alert_id)
        before = count.total
        count.add(ids, alert.event_count - len(ids))
        if known is not None:
            self._streaks.goes_on(alert)
            return Plan(tuple(self._repeat(alert, partition, now, before, count)), hit)
        rows = tuple(self._first(alert, partition, now, count.total))
        count.told = all(row.state == "planned" for row in rows)
        return Plan(rows, hit)

    def tidy(self, now: datetime) -> None:
        """Forget streaks that are long over."""
        self._streaks.forget_before(now - 2 * self._longest)

    def _remember(self, alert_id: str) -> _Count:
        count = self._known[alert_id] = _Count()
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return count

    def _hidden(self, alert: Alert, now: datetime) -> tuple[Held, str] | None:
        """Return state and name of what hides the alert, a silence or a maintenance window."""
        for silence in self.silences:
            if silence.in_force(now) and silence.matches(alert):
                return "silenced", silence.silence_id
        for window in self._settings.maintenance:
            if window.hours.holds(alert.occurred_at) and window.matches(
                alert.level, alert.rule_id, alert.workspace_id
            ):
                return "maintenance", window.name
        return None

    def _first(
        self, alert: Alert, partition: int, now: datetime, count: int
    ) -> Iterator[DeliveryRow]:
        hidden = self._hidden(alert, now)
        if hidden is not None:
            yield held_row(alert, partition, now, *hidden, count)
            return
        window = timedelta(seconds=alert.window_seconds)
        leader = self._streaks.held_back_by(
            alert.rule_id, alert.group_key, alert.alert_id, alert.occurred_at, window
        )
        if leader is not None:
            yield held_row(alert, partition, now, "suppressed", leader, count)
        for name, minutes in self._destinations(alert, now).items():
            if leader is None or self._settings.destinations[name].every:
                kind: Kind = "digest" if minutes else "alert"
                due = next_digest(now, minutes) if minutes else now
                yield planned_row(alert, partition, now, kind, name, due, count)

    def _repeat(
        self, alert: Alert, partition: int, now: datetime, before: int, count: _Count
    ) -> Iterator[DeliveryRow]:
        """Tell again that an alert goes on, when its count comes to 10, 100, 1,000, …."""
        step = int(math.log10(count.total))
        if (
            not count.told
            or step <= int(math.log10(before))
            or alert.alert_id in self.settled
            or self._hidden(alert, now) is not None
        ):
            return
        for name, minutes in self._destinations(alert, now).items():
            if not minutes:
                yield planned_row(alert, partition, now, "repeat", name, now, count.total, step)

    def _destinations(self, alert: Alert, now: datetime) -> dict[str, float | None]:
        """Return where an alert goes, and in the digest of how many minutes, None: at once."""
        found: dict[str, float | None] = {}
        for route in self._settings.routes:
            if not route.matches(alert.level, alert.rule_id, alert.workspace_id):
                continue
            if route.hours is not None and not route.hours.holds(now):
                continue
            for name in route.to:
                at_once = name in found and found[name] is None
                found[name] = None if at_once else route.digest_minutes
            if route.last:
                break
        if not found:
            names = self._settings.default or tuple(self._settings.destinations)
            return dict.fromkeys(names)
        return found


def planned_row(
    alert: Alert,
    partition: int,
    now: datetime,
    kind: Kind,
    destination: str,
    due: datetime,
    count: int,
    number: int = 0,
) -> DeliveryRow:
    """Return the row that plans a delivery; its id is the same for every notifier that plans it."""
    name = f"{alert.alert_id}\n{destination}\n{kind}\n{number}"
    return DeliveryRow(
        delivery_id=str(uuid5(DELIVERY_NAMESPACE, name)),
        alert_id=alert.alert_id,
        at=now,
        state="planned",
        kind=kind,
        destination=destination,
        due=due,
        rule_id=alert.rule_id,
        level=alert.level,
        group_key=alert.group_key,
        occurred_at=alert.occurred_at,
        partition=partition,
        count=count,
        alert=alert_to_json(alert),
    )


def held_row(
    alert: Alert, partition: int, now: datetime, state: Held, held_by: str, count: int
) -> DeliveryRow:
    """Return the row that notes an alert that was held back."""
    row = planned_row(alert, partition, now, "alert", "", now, count)
    return replace(row, state=state, held_by=held_by)


def next_digest(now: datetime, minutes: float) -> datetime:
    """Return when the digest that gathers at `now` is sent: whole intervals since 1970-01-01."""
    seconds = minutes * 60
    return datetime.fromtimestamp(math.floor(now.timestamp() / seconds + 1) * seconds, UTC)
