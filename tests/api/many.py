"""Many events in little time: a few generated ones, repeated under other ids and times."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from auditstream.store.columns import EVENT_SCHEMA
from tests.store.rows import START, event_rows

PATTERN = 2_000


def many_rows(
    count: int,
    *,
    partition: int = 0,
    first: int = 0,
    start: datetime = START,
    step: timedelta = timedelta(milliseconds=20),
    workspaces: int = 1,
) -> pl.DataFrame:
    """Return `count` events of one partition from offset `first` on, each `step` after the last.

    Ids are made of partition and offset; the low bits of times and ids come in no order.
    """
    pattern = event_rows(PATTERN, seed=partition, workspaces=workspaces)
    number = pl.int_range(first, first + count, dtype=pl.Int64)
    scattered = (number * 7_919) % 10_007
    occurred_at = (
        pl.lit(start, pl.Datetime("us", "UTC"))
        + number * step
        + (scattered.cast(pl.Duration("us")))
    )
    rows = pl.concat([pattern] * (count // PATTERN + 1)).head(count)
    return rows.with_columns(
        kafka_partition=pl.lit(partition, pl.Int32),
        kafka_offset=number,
        occurred_at=occurred_at,
        event_id=pl.format(
            "{}-7000-8000-{}",
            (scattered.cast(pl.String).str.zfill(8) + pl.lit("-0000")),
            (partition * 10**9 + number).cast(pl.String).str.zfill(12),
        ),
        ingested_at=pl.lit(start + count * step, pl.Datetime("us", "UTC")),
    ).cast(pl.Schema(EVENT_SCHEMA))
