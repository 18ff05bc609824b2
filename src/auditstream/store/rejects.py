"""Rejected records: stored once by their place in Kafka, listed, and taken out for a replay."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

import polars as pl

from auditstream.store.columns import REJECT_SCHEMA, REJECTS
from auditstream.store.connection import Store
from auditstream.store.once import Shelf, add_once
from auditstream.store.sql import literal

INSERT_BYTES: Final = 32 * 1024 * 1024
"""Raw bytes of records that one INSERT carries at most, except for a single larger record."""

# The bytes of a record need not be text.
_AS_BYTES: Final = {"output_format_arrow_string_as_string": 0}


def append_rejects(store: Store, frame: pl.DataFrame, abandoned: threading.Event) -> None:
    """Store rejected records, each once by stream, partition and offset.

    `frame` has the columns of `REJECT_SCHEMA`, of any number of partitions. A record that is
    already there is left as it is, so that a batch can be repeated, by several writers at once and
    cut in other ways. Blocks until every record was seen in the table, where it is fsynced; a
    server that is away is waited for. An append of events that moves the watermark past the
    records may follow.

    Raises:
        AbandonedError: `abandoned` was set; some records may have landed, or may land yet.
        StoreError: the server refused; some records may have landed, the call can be repeated.
        ValueError: the frame is not of the table's types.
    """
    for part in frame.partition_by("stream", "kafka_partition", maintain_order=True):
        stream, partition = part["stream"][0], part["kafka_partition"][0]
        shelf = _shelf(store, stream, partition)
        for piece in _pieces(part.unique("kafka_offset", keep="first").sort("kafka_offset")):
            add_once(store, shelf, piece, abandoned)


def list_rejects(
    store: Store, *, reason: str | None = None, limit: int = 100, offset: int = 0
) -> pl.DataFrame:
    """Return rejected records, the newest first: columns of `REJECT_SCHEMA`.

    `reason` is a code of `auditstream.contract.reasons`, None for all; `offset` is how many to
    skip. Blocks, and raises what `Store` raises.
    """
    condition = "1" if reason is None else f"reason = {literal(reason)}"
    return _select(
        store,
        f"{condition} ORDER BY rejected_at DESC, stream, kafka_partition, kafka_offset DESC "
        f"LIMIT {limit} OFFSET {offset}",
    )


def get_reject(store: Store, topic: str, partition: int, offset: int) -> pl.DataFrame:
    """Return the rejected record at a place in Kafka: columns of `REJECT_SCHEMA`.

    No row when there is none; several, the newest first, when a topic of that name was made anew.
    Blocks, and raises what `Store` raises.
    """
    return _select(
        store,
        f"kafka_topic = {literal(topic)} AND kafka_partition = {partition} "
        f"AND kafka_offset = {offset} ORDER BY rejected_at DESC",
    )


def _shelf(store: Store, stream: str, partition: int) -> Shelf:
    condition = f"stream = {literal(stream)} AND kafka_partition = {partition}"
    table = f"{store.database}.rejected_events"

    def missing(frame: pl.DataFrame) -> pl.DataFrame:
        offsets = frame["kafka_offset"]
        found = store.query_frame(
            f"SELECT kafka_offset FROM {table} WHERE {condition} "
            f"AND kafka_offset BETWEEN {offsets[0]} AND {offsets[-1]}"
        )
        return frame.join(found, on="kafka_offset", how="anti", maintain_order="left")

    return Shelf(f"rejects:{stream}:{partition}", table, condition, REJECTS, missing)


def _pieces(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    sizes = (pl.col(name).bin.size().fill_null(0) for name in ("key", "value"))
    number = pl.sum_horizontal(sizes).cast(pl.Int64).cum_sum() // INSERT_BYTES
    yield from frame.with_columns(piece=number).partition_by("piece", include_key=False)


def _select(store: Store, rest: str) -> pl.DataFrame:
    columns = ", ".join(REJECTS)
    found = store.query_frame(
        f"SELECT {columns} FROM {store.database}.rejected_events WHERE {rest}", settings=_AS_BYTES
    )
    return found.cast(pl.Schema(REJECT_SCHEMA))
