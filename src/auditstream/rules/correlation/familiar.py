"""What is known not to be new, so that the table need not be asked of it."""

from __future__ import annotations

from typing import Final, TypeAlias

import polars as pl

from auditstream.rules.correlation.model import FirstSeen
from auditstream.rules.correlation.occurrences import text_expr
from auditstream.rules.correlation.scope import length

MAX_KEYS: Final = 200_000
"""Values that are kept for a rule; beyond that all are forgotten."""

Seen: TypeAlias = tuple[int, int]
"""Earliest and latest time at which a value was seen, microseconds since 1970-01-01."""


class Familiar:
    """Remembers of each rule `first_seen` when values were stored.

    An event is familiar when one with the same group and values, that is stored, lies at most the
    rule's `history` before it: it is no first. Of any other event nothing is known. One thread
    may ask while another one adds.
    """

    def __init__(self) -> None:
        self._seen: dict[str, dict[tuple[str, ...], Seen]] = {}

    def unknown(self, rule: FirstSeen, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of which some may be firsts, in their order."""
        return rows.filter(~self.familiar(rule, rows))

    def familiar(self, rule: FirstSeen, rows: pl.DataFrame) -> pl.Series:
        """Return for each row whether it is known to be no first; false where nothing is known."""
        seen = self._seen.get(rule.header.name)
        if not seen or rows.is_empty():
            return pl.repeat(value=False, n=rows.height, eager=True)
        history = length(rule.history)
        keys = _keys(rule, rows)
        known = [
            any(before <= first and last - before <= history for before in seen.get(tuple(key), ()))
            for *key, first, last in keys.drop("rows").iter_rows()
        ]
        places = keys.filter(pl.Series(known, dtype=pl.Boolean))["rows"].explode()
        return pl.int_range(rows.height, eager=True).is_in(places.implode())

    def learn(self, rule: FirstSeen, rows: pl.DataFrame) -> None:
        """Remember rows that are stored."""
        seen = self._seen.setdefault(rule.header.name, {})
        if len(seen) > MAX_KEYS:
            seen.clear()
        for *key, first, last in _keys(rule, rows).drop("rows").iter_rows():
            before = seen.get(tuple(key), (first, last))
            seen[tuple(key)] = (min(first, before[0]), max(last, before[1]))


def _keys(rule: FirstSeen, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the group and values of rows with their first and last time, and their places."""
    names = [*rule.group_by, *rule.values]
    at = rows["occurred_at"].dt.epoch("us")
    return (
        rows.select(map(text_expr, names))
        .with_columns(at=at, rows=pl.int_range(pl.len()))
        .group_by(names)
        .agg(first=pl.col("at").min(), last=pl.col("at").max(), rows="rows")
        .select(*names, "first", "last", "rows")
    )
