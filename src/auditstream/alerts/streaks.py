"""Alerts that go on: a rule that fires for the same group again and again is told ever more rarely.

Hits of a rule and group key that follow each other within the rule's window are one streak. Its
first alert is told; a further one only after the window, then after twice as long, and so on. Time
is that of the events, so a replay decides the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from auditstream.contract.alert import Alert

MAX_STEP: Final = 20


@dataclass
class _Streak:
    leader: str
    told: datetime
    last: datetime
    step: int = 0


class Streaks:
    """The streaks known so far; `longest` bounds the time between two alerts that are told."""

    def __init__(self, longest: timedelta) -> None:
        self._longest = longest
        self._streaks: dict[tuple[str, str], _Streak] = {}

    def held_back_by(
        self, rule_id: str, group_key: str, alert_id: str, at: datetime, window: timedelta
    ) -> str | None:
        """Note a new alert; return the alert whose streak it only goes on, None when it is told.

        Called with what was decided before, in its order, it comes to the same state again.
        """
        if not window:
            return None
        streak = self._streaks.get((rule_id, group_key))
        if streak is None or at - streak.last > window:
            self._streaks[rule_id, group_key] = _Streak(alert_id, at, at)
            return None
        if at < streak.told - window:
            return None  # late: about something before the streak
        streak.last = max(streak.last, at)
        if at < streak.told + min(window * 2**streak.step, self._longest):
            return streak.leader
        streak.told, streak.step = max(at, streak.told), min(streak.step + 1, MAX_STEP)
        return None

    def goes_on(self, alert: Alert) -> None:
        """Note further events of an alert that is known."""
        streak = self._streaks.get((alert.rule_id, alert.group_key))
        if streak is not None:
            streak.last = max(streak.last, alert.occurred_at)

    def forget_before(self, moment: datetime) -> None:
        """Drop streaks that ended before a time."""
        self._streaks = {key: item for key, item in self._streaks.items() if item.last >= moment}
