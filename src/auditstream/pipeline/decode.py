"""Decode: from framed Avro values to a frame of events."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from auditstream.contract.fields import event_fields
from auditstream.errors import Problem
from auditstream.pipeline.container import Container, read
from auditstream.pipeline.datum import read_datum
from auditstream.pipeline.framing import NOT_FRAMED, Mask, Values, accept, not_framed, schema_ids
from auditstream.pipeline.records import Batch, Records
from auditstream.pipeline.rejects import Rejection, reject_frame
from auditstream.pipeline.structure import doubtful
from auditstream.pipeline.writers import Writer, Writers
from auditstream.store.columns import EVENT_SCHEMA, PAYLOAD_SCHEMA, POSITION_SCHEMA, Schema

DECODED_SCHEMA: Final = {
    name: dtype
    for name, dtype in EVENT_SCHEMA.items()
    if name in PAYLOAD_SCHEMA or name.startswith("source_")
}

SHARES: Final = 16
"""Shares into which unreadable datums are cut in search of the bad ones."""

FEW: Final = 16
"""Datums that are rather read one by one than searched."""


def decode(records: Records, writers: Writers, now: datetime, max_event_bytes: int) -> Batch:
    """Return the events of the records with their positions, and those that cannot be read.

    Values of the current schema are read by column. One of another writer schema, or one that is
    not well-formed beyond doubt, is read by itself, and rejected when that fails.

    Blocks where the source of schemas does, and raises what it raises.
    """
    rejections: list[Rejection] = []
    values, wrong = accept(records, max_event_bytes, rejections)
    frames = [frame for frame in _read(values, wrong, writers, rejections) if frame.height]
    events = pl.concat(frames) if frames else _frame_of([])
    if len(frames) > 1:
        events = events.sort("row")
    rejections.sort()
    return Batch(
        records, now, _with_position(events, records), reject_frame(records, rejections, now)
    )


def _read(
    values: Values, wrong: Mask, writers: Writers, rejections: list[Rejection]
) -> list[pl.DataFrame]:
    frames: list[pl.DataFrame] = []
    container = values.join()
    ids = schema_ids(container)
    for schema_id in np.unique(ids[~wrong]).tolist():
        places = np.flatnonzero((ids == schema_id) & ~wrong)
        writer = not_framed() if schema_id == NOT_FRAMED else writers.find(schema_id)
        if isinstance(writer, Problem):
            rejections += [_rejection(row, writer) for row in values.rows[places].tolist()]
        elif not writer.current:
            frames.append(_read_each(values.take(places), writer, rejections))
        else:
            doubt = doubtful(container.datums.at(places), event_fields())
            if doubt.any():
                frames.append(_read_each(values.take(places[doubt]), writer, rejections))
                places = places[~doubt]
            joined = container if len(places) == len(ids) else container.only(places)
            frames += _read_columns(values.take(places), joined, writer, rejections)
    return frames


def _read_columns(
    values: Values, container: Container, writer: Writer, rejections: list[Rejection]
) -> list[pl.DataFrame]:
    reading = read(container)
    if reading is not None:
        rows = pl.Series("row", np.delete(values.rows, reading.garbled), pl.UInt32)
        garbled = values.take(np.array(reading.garbled, np.int64))
        return [
            reading.events.insert_column(0, rows),
            _read_each(garbled, writer, rejections),
        ]
    if len(values.rows) <= FEW:
        return [_read_each(values, writer, rejections)]
    return [
        frame
        for share in values.shares(SHARES)
        for frame in _read_columns(share, share.join(), writer, rejections)
    ]


def _read_each(values: Values, writer: Writer, rejections: list[Rejection]) -> pl.DataFrame:
    events = []
    for row, value in zip(values.rows.tolist(), values.values, strict=True):
        event = read_datum(value, writer.schema)
        if isinstance(event, Problem):
            rejections.append(_rejection(row, event))
        else:
            events.append({"row": row} | event)
    return _frame_of(events)


def _frame_of(events: list[dict[str, object]]) -> pl.DataFrame:
    raw: Schema = {"row": pl.UInt32} | DECODED_SCHEMA | {"occurred_at": pl.Int64}
    frame = pl.DataFrame(events, schema=raw, orient="row")
    return frame.cast({"occurred_at": DECODED_SCHEMA["occurred_at"]})


def _rejection(row: int, problem: Problem) -> Rejection:
    return Rejection(row, problem.reason, problem.field, problem.message)


def _with_position(events: pl.DataFrame, records: Records) -> pl.DataFrame:
    columns = {
        "kafka_partition": records.partitions,
        "kafka_offset": records.offsets,
        "kafka_timestamp": records.timestamps,
    }
    position = pl.DataFrame(columns, schema={name: POSITION_SCHEMA[name] for name in columns})
    if events.height != len(records):
        position = position[events["row"]]
    return events.with_columns(
        position, stream=pl.lit(records.stream), kafka_topic=pl.lit(records.topic)
    )
