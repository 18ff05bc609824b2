"""How often each action is among the events that a filter leaves, when, and the newest of them."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from auditstream.store.connection import SettingValue, Store
from auditstream.store.event_filter import EventFilter
from auditstream.store.histogram import Histogram, read_scale
from auditstream.store.read_events import Shape, read_page

_READ: Final[Mapping[str, SettingValue]] = {"readonly": 2}


@dataclass(frozen=True)
class Seen:
    """An action, how many events have it, and the times of the first and the last, in UTC."""

    action: str
    events: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Activity:
    """What a filter leaves: actions, the most frequent first, and the newest events as JSON."""

    actions: tuple[Seen, ...]
    histogram: Histogram
    recent: tuple[bytes, ...]

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(seen.events for seen in self.actions)


_NONE: Final = Activity((), Histogram(1, ()), ())


def read_activity(store: Store, wanted: EventFilter, shape: Shape, recent: int) -> Activity:
    """Return the activity of a filter without bounds of time, with so many of the newest events.

    What the filter leaves is read once: its times tell where the newest events are. Blocks for
    milliseconds to seconds; raises what `Store` raises.
    """
    scale = read_scale(store, wanted)
    if scale is None:
        return _NONE
    counted = store.query_frame(
        f"SELECT e.action, {scale.step_of('e.occurred_at')} AS since, count(), "
        "countIf(e.severity >= 'high'), min(e.occurred_at), max(e.occurred_at) "
        f"FROM {store.database}.events AS e WHERE {wanted.where()} GROUP BY ALL",
        settings=_READ,
    ).rows()
    if not counted:
        return _NONE
    seen: dict[str, Seen] = {}
    steps: Counter[int] = Counter()
    grave: Counter[int] = Counter()
    since: dict[int, datetime] = {}
    for action, step, events, high, first, last in counted:
        before = seen.get(action, Seen(action, 0, first, last))
        seen[action] = Seen(
            action, before.events + events, min(before.first, first), max(before.last, last)
        )
        steps[step] += events
        grave[step] += high
        since[step] = min(since.get(step, first), first)
    found, start = 0, None
    for step in sorted(steps, reverse=True):
        found, start = found + steps[step], since[step]
        if found > recent:
            break
    near = replace(wanted, since=start)
    page = read_page(store, shape, near, snapshot=None, after=None, limit=recent)
    return Activity(
        tuple(sorted(seen.values(), key=lambda item: (-item.events, item.action))),
        scale.histogram({step: (events, grave[step]) for step, events in steps.items()}),
        page.lines,
    )
