"""Lengths of time as Sigma writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sigma.correlations import SigmaCorrelationTimespan
from sigma.exceptions import SigmaTimespanError

LONGEST: Final = timedelta(days=400)


def parse_timespan(text: object) -> timedelta:
    """Return the length of time that Sigma writes as number and unit, `90m` for example.

    Units: s, m, h, d, w, M and y; a month is a twelfth of a year of 365.2425 days.

    Raises:
        ValueError: it is not written so, is zero, or is longer than 400 days.
    """
    if isinstance(text, timedelta):
        return text
    wanted = "a number and one of s, m, h, d, w, M, y is wanted, at most 400d"
    if not isinstance(text, str) or len(text) > 10:
        raise ValueError(f"{text!r} is no timespan: {wanted}")
    try:
        seconds = SigmaCorrelationTimespan(text).seconds
    except SigmaTimespanError as error:
        raise ValueError(f"{text!r} is no timespan: {wanted}") from error
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text} is longer than 400d")
    return timedelta(seconds=seconds)


def format_timespan(length: timedelta) -> str:
    """Return a length of time in the largest unit that divides it."""
    seconds = round(length.total_seconds())
    for unit, size in {"d": 86_400, "h": 3_600, "m": 60}.items():
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
