"""When things happen: office hours of the last week, and now and then at night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final

DAYS: Final = 7
HOURS: Final = DAYS * 24
BUSY: Final = {8: 3, 9: 8, 10: 10, 11: 9, 12: 4, 13: 7, 14: 9, 15: 9, 16: 8, 17: 5, 18: 2}
QUIET: Final = 0.15
WEEKEND: Final = 0.1
LAST: Final = timedelta(minutes=20)


def moments(rng: Random, count: int, now: datetime) -> list[datetime]:
    """Return `count` moments of the week before `now`, in order, the last at least 20 min ago."""
    end = now.astimezone(UTC) - LAST
    start = end - timedelta(hours=HOURS)
    hours = [start + timedelta(hours=number) for number in range(HOURS)]
    weights = list(accumulate(_weight(hour) for hour in hours))
    chosen = rng.choices(range(HOURS), cum_weights=weights, k=count)
    seconds = sorted(hour * 3600 + rng.random() * 3600 for hour in chosen)
    return [start + timedelta(microseconds=int(second * 1e6)) for second in seconds]


def _weight(hour: datetime) -> float:
    factor = WEEKEND if hour.weekday() >= 5 else 1.0
    return factor * BUSY.get(hour.hour, QUIET)
