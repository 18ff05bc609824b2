"""The time within an event id."""

from __future__ import annotations

from typing import Final

import polars as pl

MINUTE: Final = 60_000_000
PLAUSIBLE: Final = (946_684_800_000_000, 4_102_444_800_000_000)
"""From 2000 to 2100, in microseconds since 1970."""


def event_id_minute() -> pl.Expr:
    """Return the minute in which an event id was made, for ids of version 7 (RFC 9562).

    For other ids, and where that time lies outside of 2000 to 2100, the minute of `occurred_at`.
    Equal ids of version 7 have equal minutes, so a repeat is searched for in few of them.
    """
    event_id, occurred_at = pl.col("event_id"), pl.col("occurred_at").to_physical()
    milliseconds = _hexadecimal(event_id, 0, 8) * 2**16 + _hexadecimal(event_id, 9, 4)
    within = milliseconds * 1000
    timed = (event_id.str.slice(14, 1) == "7") & within.is_between(*PLAUSIBLE)
    microseconds = pl.when(timed).then(within).otherwise(occurred_at)
    return (microseconds - microseconds % MINUTE).cast(pl.Datetime("us", "UTC"))


def _hexadecimal(text: pl.Expr, offset: int, length: int) -> pl.Expr:
    return text.str.slice(offset, length).str.to_integer(base=16, dtype=pl.Int64, strict=False)
