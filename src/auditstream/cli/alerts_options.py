"""Options that several commands about alerts share."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import typer

_SPAN: Final = re.compile(r"(\d+)(m|h|d)")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


class StateChoice(StrEnum):
    """States of an alert."""

    open = "open"
    acknowledged = "acknowledged"
    resolved = "resolved"
    reopened = "reopened"


StateOption: TypeAlias = Annotated[
    list[StateChoice] | None,
    typer.Option("--state", "-s", help="Only in this state; may be given more than once."),
]
ByOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--by", help="Who you are. Without it: the user of this machine."),
]


def who(by: str | None) -> str:
    """Return who acts: what was given, else the user of this machine."""
    return by or getpass.getuser()


def span_of(text: str) -> timedelta | None:
    """Return the duration that a text like 30m, 12h or 7d means, None for another text."""
    match = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


def moment_before(text: str, now: datetime) -> datetime:
    """Return a time: a duration before `now`, or one in ISO 8601; without an offset it is UTC."""
    span = span_of(text)
    return now - span if span is not None else _moment(text)


def moment_after(text: str, now: datetime) -> datetime:
    """Return a time: a duration after `now`, or one in ISO 8601; without an offset it is UTC."""
    span = span_of(text)
    return now + span if span is not None else _moment(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither like 30m, 12h or 7d nor a time like 2026-03-14T02:00"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
