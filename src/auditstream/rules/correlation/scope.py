"""What part of the table an evaluation looks at, and values in ClickHouse's SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Span: TypeAlias = tuple[int, int]
"""First and last moment, microseconds since 1970-01-01; both belong to it."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SPANS: Final = 32
"""Stretches of time that one query asks for; the nearest ones are taken together."""

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Dense:
    """Pieces of time, `width` microseconds long and counted from 1970-01-01, and groups in them.

    `keys` are hashes of group and piece. `places` are their workspaces, empty where a group may be
    of several, with the number of the piece; None if these are too many to name.
    """

    width: int
    keys: tuple[int, ...]
    places: tuple[tuple[str, int], ...] | None


@dataclass(frozen=True)
class Scope:
    """Events of the times `read`, in search of hits at the times `hits`.

    `read` reaches far enough around `hits` for every window. With `groups`, values of the rule's
    group, and `workspaces`, other events are left out. With `new`, a predicate over `e`, only
    windows that hold such an event are wanted; these are of the workspaces `homes`, and about the
    groups `touched`, each with the time of the newest of them. `dense` tells of correlations,
    by name, where all events lie that may matter to them.
    """

    database: str
    hits: Span
    read: tuple[Span, ...]
    groups: tuple[tuple[str, ...], ...] | None = None
    workspaces: tuple[str, ...] | None = None
    new: str | None = None
    homes: tuple[str, ...] | None = None
    touched: Mapping[str, int] | None = None
    dense: Mapping[str, Dense] = field(default_factory=dict)


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970-01-01."""
    return (moment - EPOCH) // _MICROSECOND


def length(span: timedelta) -> int:
    """Return a length of time in microseconds."""
    return span // _MICROSECOND


def moment(number: int) -> datetime:
    """Return microseconds since 1970-01-01 as a moment."""
    return EPOCH + timedelta(microseconds=number)


def stretches(
    moments: Sequence[int] | npt.NDArray[np.int64], before: int, after: int
) -> tuple[Span, ...]:
    """Return the times from `before` each moment to `after` it, those that meet taken together."""
    at = np.unique(np.asarray(moments, np.int64))
    if not at.size:
        return ()
    gaps = at[1:] - before - (at[:-1] + after)
    apart = np.flatnonzero(gaps > 0)
    widest = np.sort(apart[np.argsort(gaps[apart], kind="stable")[-(MAX_SPANS - 1) :]])
    firsts = at[[0, *(widest + 1)]] - before
    lasts = at[[*widest, -1]] + after
    return tuple(zip(firsts.tolist(), lasts.tolist(), strict=True))


def moment_sql(number: int) -> str:
    """Return microseconds since 1970-01-01 as a value of the type of occurred_at."""
    return f"fromUnixTimestamp64Micro({number}, 'UTC')"
