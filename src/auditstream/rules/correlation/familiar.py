"""What is known not to be new, so that the table need not be asked of it."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import polars as pl

from auditstream.rules.correlation.model import FirstSeen
from auditstream.rules.correlation.scope import length

MAX_KEYS: Final = 200_000
"""Values that are kept for a rule; beyond that all are forgotten."""

Seen: TypeAlias = tuple[int, int]
"""Earliest and latest time at which a value was seen, microseconds since 1970-01-01."""


class Familiar:
    """Remembers of each rule `first_seen` when values were stored; one thread at a time.

    An event is familiar when one with the same group and values, that is stored, lies at most the
    rule's `history` before it: it is no first. Of any other event nothing is known.
    """

    def __init__(self) -> None:
        self._seen: dict[str, dict[tuple[str, ...], Seen]] = {}

    def unknown(self, rule: FirstSeen, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that are not familiar, in their order."""
        seen = self._seen.get(rule.header.name)
        if not seen or rows.is_empty():
            return rows
        history = length(rule.history)
        times = rows["occurred_at"].dt.epoch("us").to_list()
        kept = np.ones(rows.height, np.bool_)
        for place, (key, at) in enumerate(zip(_keys(rule, rows), times, strict=True)):
            if known := seen.get(key):
                kept[place] = not any(0 <= at - before <= history for before in known)
        return rows.filter(kept)

    def learn(self, rule: FirstSeen, rows: pl.DataFrame) -> None:
        """Remember rows that are stored."""
        seen = self._seen.setdefault(rule.header.name, {})
        if len(seen) > MAX_KEYS:
            seen.clear()
        times = rows["occurred_at"].dt.epoch("us").to_list()
        for key, at in zip(_keys(rule, rows), times, strict=True):
            first, last = seen.get(key, (at, at))
            seen[key] = (min(first, at), max(last, at))


def _keys(rule: FirstSeen, rows: pl.DataFrame) -> list[tuple[str, ...]]:
    return rows.select(pl.col(rule.group_by + rule.values).cast(pl.String)).rows()
