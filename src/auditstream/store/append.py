"""Compare-and-append: events land after the watermark they were made for, once, or not at all."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl

from auditstream.errors import WatermarkMovedError
from auditstream.store.advance import Clock, advance
from auditstream.store.arrow import arrow_input, join_bodies, one_block
from auditstream.store.connection import Store
from auditstream.store.sealed import SENT, Sealed, seal
from auditstream.store.sql import literal, moment
from auditstream.store.watermark import read_watermark

LATER: Final = "actors,things,role_keys,sentence_words,metadata_words,times,kinds"
"""Indexes that merges make: in a fresh part, which is small, they cost more than they save."""

NONE: Final = -1
"""What the guard takes for the watermark of a partition of which nothing is stored."""


def append_events(
    store: Store,
    stream: str,
    partition: int,
    expected: int | None,
    frame: pl.DataFrame,
    abandoned: threading.Event,
    *,
    clock: Clock = time.monotonic,
) -> None:
    """Seal and append the events of a frame; see `seal` and `append_sealed`, which raise."""
    append_sealed(store, stream, partition, expected, [seal(frame)], abandoned, clock=clock)


def append_sealed(
    store: Store,
    stream: str,
    partition: int,
    expected: int | None,
    events: Sequence[Sealed],
    abandoned: threading.Event,
    *,
    clock: Clock = time.monotonic,
) -> None:
    """Append events of one Kafka partition, provided that its watermark is `expected`.

    Offsets ascend from above `expected`, holes allowed; `expected` is None when nothing of the
    partition is stored. All rows get the newest `ingested_at` among them. All land at once, after
    which the watermark is the last offset of the events; of several writers that append after the
    same watermark, one succeeds.

    Blocks until that is decided. `Store.append_seconds` bounds one statement, but a server that
    is away is waited for.

    Raises:
        WatermarkMovedError: the watermark is another one; nothing of the events was stored by this
            call. Read the partition again from the watermark.
        AbandonedError: `abandoned` was set; the events may have landed, or may land yet. Whoever
            appends next to the partition finds out by the watermark.
        StoreError: the server refused; nothing is known to be stored, the call can be repeated.
        ValueError: the events are not of the partition, or not in order.
    """
    _check(events, stream, partition, expected)
    body = join_bodies([part.body for part in events])
    arrived = max(part.arrived for part in events)
    statement = _statement(store.database, stream, partition, expected, arrived)

    def send(attempt: int) -> None:
        token = f"{stream}:{partition}:{NONE if expected is None else expected}:{attempt}"
        settings = one_block(token, store.append_seconds)
        settings["exclude_materialize_skip_indexes_on_insert"] = LATER
        store.insert_arrow(statement, body, settings)

    watermark = advance(
        expected,
        lambda: read_watermark(store, stream, partition),
        send,
        bound=store.append_seconds,
        abandoned=abandoned,
        clock=clock,
    )
    if watermark != events[-1].last:
        raise WatermarkMovedError(
            f"{stream}, partition {partition}: an append after offset {expected} found the "
            f"watermark at {watermark}"
        )


def _statement(
    database: str, stream: str, partition: int, expected: int | None, arrived: datetime
) -> str:
    # One scalar subquery, so that guard and ClickHouse partition come from one and the same state
    # of the table. The partition is the month of the append before, not that of this one: writers
    # that follow the same watermark then aim at the same partition even when a month begins
    # between them, or their tokens would not meet.
    return f"""\
INSERT INTO {database}.events ({", ".join(SENT)}, ingested_at, partition_month)
SELECT *, {moment(arrived)}, (
    SELECT toStartOfMonth(max(ingested_at)) FROM {database}.events
    WHERE stream = {literal(stream)} AND kafka_partition = {partition}
    HAVING throwIf(
        if(count() = 0, {NONE}, max(kafka_offset)) != {NONE if expected is None else expected},
        'the watermark has moved'
    ) = 0
)
FROM {arrow_input(SENT)}
ORDER BY kafka_offset
FORMAT ArrowStream"""


def _check(events: Sequence[Sealed], stream: str, partition: int, expected: int | None) -> None:
    where = f"an append to {stream}, partition {partition}"
    after = NONE if expected is None else expected
    if not events:
        raise ValueError(f"{where} needs at least one event")
    for part in events:
        if part.stream != stream:
            raise ValueError(f"{where} has events of another stream")
        if part.partition != partition:
            raise ValueError(f"{where} has events of another partition")
        if part.first <= after:
            raise ValueError(f"{where} begins at offset {part.first}, not after {after}")
        after = part.last
