"""A histogram as a picture: bars with their places, and the links that choose a range."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from auditstream.store.histogram import Histogram

WIDTH: Final = 1_000
HEIGHT: Final = 96
_DAY: Final = 86_400


@dataclass(frozen=True)
class Bar:
    """A bar; places and sizes are in units of the picture. `label` says it in words."""

    x: float
    width: float
    height: float
    grave_height: float
    since: str
    until: str
    label: str


@dataclass(frozen=True)
class Chart:
    """The picture, and what it says in words. `ticks` are the times below it."""

    bars: tuple[Bar, ...]
    ticks: tuple[str, ...]
    summary: str
    width: int = WIDTH
    height: int = HEIGHT


def draw(histogram: Histogram) -> Chart | None:
    """Return the picture of a histogram, None of an empty one."""
    steps = histogram.steps
    if not steps:
        return None
    highest = max(step.events for step in steps)
    room = WIDTH / len(steps)
    bars = []
    for number, step in enumerate(steps):
        height = _height(step.events, highest)
        label = f"{_moment(step.since, histogram.seconds)}: {_events(step.events)}"
        if step.grave:
            label += f", {step.grave:,} of high severity"
        grave = _height(step.grave, highest)
        bars.append(
            Bar(
                round(number * room, 2),
                round(max(room - 2, room * 0.7), 2),
                height,
                min(grave, height),
                stamp(step.since),
                stamp(step.until),
                label,
            )
        )
    places = sorted({round(part * (len(steps) - 1) / 4) for part in range(5)})
    busiest = max(steps, key=lambda step: step.events)
    summary = (
        f"{_events(histogram.events)} from {_moment(steps[0].since, histogram.seconds)} to "
        f"{_moment(steps[-1].until, histogram.seconds)} UTC; most of them, {busiest.events:,}, "
        f"at {_moment(busiest.since, histogram.seconds)}"
    )
    ticks = tuple(_moment(steps[place].since, histogram.seconds) for place in places)
    return Chart(tuple(bars), ticks, summary)


def stamp(moment: datetime) -> str:
    """Return a time as it stands in a link, and in a field of a form; it is in UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


def _height(events: int, highest: int) -> float:
    # What there is can be seen, however little of the whole it is.
    return round(max(2.0, HEIGHT * events / highest), 2) if events else 0.0


def _moment(moment: datetime, seconds: int) -> str:
    if seconds >= _DAY:
        return f"{moment.day} {moment:%b %Y}"
    return f"{moment.day} {moment:%b %H:%M}" if seconds >= 60 else f"{moment:%H:%M:%S}"


def _events(events: int) -> str:
    return "1 event" if events == 1 else f"{events:,} events"
