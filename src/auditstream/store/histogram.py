"""How many events there are, by time, in steps that are round and not too many."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from auditstream.store.connection import SettingValue, Store
from auditstream.store.event_filter import EventFilter
from auditstream.store.tokens import EPOCH

MAX_STEPS: Final = 72
_DAY: Final = 86_400
_STEPS: Final = (
    *(1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200),
    *(_DAY * days for days in (1, 2, 7, 14, 28, 91, 364)),
)
_READ: Final[Mapping[str, SettingValue]] = {"readonly": 2}


@dataclass(frozen=True)
class Step:
    """Events from `since` on and before `until`; `grave` of them are of high severity or above."""

    since: datetime
    until: datetime
    events: int
    grave: int


@dataclass(frozen=True)
class Histogram:
    """Steps that follow each other without gaps, each `seconds` long; empty without any event."""

    seconds: int
    steps: tuple[Step, ...]

    @property
    def events(self) -> int:
        """All events."""
        return sum(step.events for step in self.steps)


@dataclass(frozen=True)
class Scale:
    """Steps of `seconds` from second `start` on, of which the last begins at or before `last`."""

    seconds: int
    start: int
    last: int

    def step_of(self, column: str) -> str:
        """Return the SQL of the second at which the step of a time begins."""
        return f"toInt64(intDiv(toUnixTimestamp({column}), {self.seconds})) * {self.seconds}"

    def histogram(self, counts: Mapping[int, tuple[int, int]]) -> Histogram:
        """Return the histogram of events, and of grave ones among them, by step; empty if none."""
        if not counts:
            return Histogram(self.seconds, ())
        return Histogram(
            self.seconds,
            tuple(
                Step(_at(second), _at(second + self.seconds), *counts.get(second, (0, 0)))
                for second in range(self.start, self.last + 1, self.seconds)
            ),
        )


def read_histogram(store: Store, wanted: EventFilter) -> Histogram:
    """Return the events that a filter leaves, by the filter's time.

    Steps lie within the bounds of the filter; where it has none, all events of the workspace do, so
    that filters leave the picture's times as they are. Blocks for some milliseconds to seconds, by
    what the filter leaves to read.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    scale = read_scale(store, wanted)
    if scale is None:
        return Histogram(1, ())
    counted = store.query_frame(
        f"SELECT {scale.step_of(f'e.{wanted.time}')} AS since, count(), "
        f"countIf(e.severity >= 'high') FROM {store.database}.events AS e "
        f"WHERE {wanted.where()} GROUP BY since",
        settings=_READ,
    )
    return scale.histogram({since: (events, grave) for since, events, grave in counted.rows()})


def read_scale(store: Store, wanted: EventFilter) -> Scale | None:
    """Return the steps of a filter's histogram, None where there is no time. Blocks shortly."""
    since = wanted.since or _end(store, wanted, "ASC")
    until = wanted.until or _end(store, wanted, "DESC")
    if since is None or until is None or until < since:
        return None
    first, last = _seconds(since), max(_seconds(since), -(-_micros(until) // 1_000_000) - 1)
    if wanted.until is None:
        last = _seconds(until)
    length = step_seconds(last - first)
    return Scale(length, first - first % length, last)


def step_seconds(span: int) -> int:
    """Return the length of a step, in seconds, for a range of `span` seconds."""
    for length in _STEPS:
        if span // length + 2 <= MAX_STEPS:
            return length
    return -(-span // (MAX_STEPS - 2) // _DAY) * _DAY + _DAY


def _end(store: Store, wanted: EventFilter, direction: str) -> datetime | None:
    """Return the time of the workspace's first or last event."""
    found = store.query_frame(
        f"SELECT e.{wanted.time} FROM {store.database}.events AS e "
        f"WHERE {EventFilter(wanted.workspace_id).where()} "
        f"ORDER BY e.{wanted.time} {direction} LIMIT 1",
        settings=_READ,
    )
    at: datetime | None = found.item() if found.height else None
    return at


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _seconds(moment: datetime) -> int:
    return _micros(moment) // 1_000_000


def _at(second: int) -> datetime:
    return EPOCH + timedelta(seconds=second)
