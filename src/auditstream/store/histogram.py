"""How many events there are, by time, in steps that are round and not too many."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from auditstream.store.connection import SettingValue, Store
from auditstream.store.event_filter import EventFilter
from auditstream.store.snapshot import Snapshot
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


def read_histogram(store: Store, wanted: EventFilter, snapshot: Snapshot) -> Histogram:
    """Return the events of a snapshot that a filter leaves, by the filter's time.

    Steps lie within the bounds of the filter where it has both, else around the events. Blocks for
    some milliseconds to seconds, by what the filter leaves to read.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    where = f"{wanted.where()} AND {snapshot.includes()}"
    events = f"{store.database}.events AS e"
    column = f"toUnixTimestamp(e.{wanted.time})"
    since, until = wanted.since, wanted.until
    if since is not None and until is not None:
        first, last = _seconds(since), max(_seconds(since), -(-_micros(until) // 1_000_000) - 1)
    else:
        found = store.query_frame(
            f"SELECT count(), toInt64(min({column})), toInt64(max({column})) "
            f"FROM {events} WHERE {where}",
            settings=_READ,
        ).row(0)
        if not found[0]:
            return Histogram(1, ())
        _, first, last = found
    length = step_seconds(last - first)
    start = first - first % length
    counted = store.query_frame(
        f"SELECT toInt64(intDiv({column}, {length})) * {length} AS since, count(), "
        f"countIf(e.severity >= 'high') FROM {events} WHERE {where} GROUP BY since",
        settings=_READ,
    )
    counts = {since: (events, grave) for since, events, grave in counted.rows()}
    if not counts:
        return Histogram(length, ())
    return Histogram(
        length,
        tuple(
            Step(_at(second), _at(second + length), *counts.get(second, (0, 0)))
            for second in range(start, last + 1, length)
        ),
    )


def step_seconds(span: int) -> int:
    """Return the length of a step, in seconds, for a range of `span` seconds."""
    for length in _STEPS:
        if span // length + 2 <= MAX_STEPS:
            return length
    return -(-span // (MAX_STEPS - 2) // _DAY) * _DAY + _DAY


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _seconds(moment: datetime) -> int:
    return _micros(moment) // 1_000_000


def _at(second: int) -> datetime:
    return EPOCH + timedelta(seconds=second)
