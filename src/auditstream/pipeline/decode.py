"""Decode: from framed Avro values to a frame of events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, TypeAlias, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.contract.fields import event_fields
from auditstream.contract.schemas import FRAME, MAGIC
from auditstream.errors import Problem
from auditstream.pipeline.container import Container, join, read
from auditstream.pipeline.datum import read_datum
from auditstream.pipeline.records import Batch, Records
from auditstream.pipeline.rejects import Rejection, reject_frame
from auditstream.pipeline.structure import doubtful
from auditstream.pipeline.writers import Writer, Writers
from auditstream.store.columns import EVENT_SCHEMA, PAYLOAD_SCHEMA, POSITION_SCHEMA, Schema

Rows: TypeAlias = NDArray[np.int64]

DECODED_SCHEMA: Final = {
    name: dtype
    for name, dtype in EVENT_SCHEMA.items()
    if name in PAYLOAD_SCHEMA or name.startswith("source_")
}
NOT_FRAMED: Final = -1

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
    frames: list[pl.DataFrame] = []
    rows = _acceptable(records, max_event_bytes, rejections)
    container = _join(records, rows)
    ids = _schema_ids(container)
    for schema_id in np.unique(ids).tolist():
        members = rows[ids == schema_id]
        writer = _find(writers, schema_id)
        if isinstance(writer, Problem):
            rejections += [_rejection(row, writer) for row in members.tolist()]
        elif writer.current:
            whole = container if len(members) == len(rows) else _join(records, members)
            frames += _read_current(records, members, whole, writer, rejections)
        else:
            frames.append(_read_each(records, members, writer, rejections))
    events = pl.concat(frames) if frames else _frame_of([])
    if len(frames) > 1:
        events = events.sort("row")
    rejections.sort()
    return Batch(
        records, now, _with_position(events, records), reject_frame(records, rejections, now)
    )


def _acceptable(records: Records, max_event_bytes: int, rejections: list[Rejection]) -> Rows:
    if None not in records.values and None not in records.keys:
        sizes = _sizes(cast("list[bytes]", records.values))
        if not ((sizes < FRAME.size) | (sizes > max_event_bytes)).any():
            return np.arange(len(records))
    rows = []
    for row, (key, value) in enumerate(zip(records.keys, records.values, strict=True)):
        problem = _outer_problem(key, value, max_event_bytes)
        if problem is None:
            rows.append(row)
        else:
            rejections.append(_rejection(row, problem))
    return np.array(rows, np.int64)


def _outer_problem(key: bytes | None, value: bytes | None, max_bytes: int) -> Problem | None:
    if value is None:
        return Problem("null_value", "", "the record has no value")
    if key is None:
        return Problem("null_key", "", "the record has no key; the key is the workspace id")
    if len(value) > max_bytes:
        return Problem("too_large", "", f"{len(value)} bytes, at most {max_bytes} are taken")
    return _not_framed() if len(value) < FRAME.size else None


def _not_framed() -> Problem:
    return Problem("not_framed", "", "the value does not start with a zero byte and a schema id")


def _join(records: Records, rows: Rows) -> Container:
    values = cast("list[bytes]", records.values)
    if len(rows) < len(records):
        values = [values[row] for row in rows.tolist()]
    return join(values, _sizes(values))


def _sizes(values: list[bytes]) -> Rows:
    return np.fromiter(map(len, values), np.int64, len(values))


def _schema_ids(container: Container) -> Rows:
    starts = container.datums.starts - FRAME.size
    frames = container.datums.data[starts[:, None] + np.arange(FRAME.size)]
    ids = np.ascontiguousarray(frames[:, 1:]).view(">u4")[:, 0].astype(np.int64)
    return np.where(frames[:, 0] == MAGIC, ids, NOT_FRAMED)


def _find(writers: Writers, schema_id: int) -> Writer | Problem:
    return _not_framed() if schema_id == NOT_FRAMED else writers.find(schema_id)


def _read_current(
    records: Records, rows: Rows, container: Container, writer: Writer, rejections: list[Rejection]
) -> Iterator[pl.DataFrame]:
    doubt = doubtful(container.datums, event_fields())
    if doubt.any():
        yield _read_each(records, rows[doubt], writer, rejections)
        rows = rows[~doubt]
        container = _join(records, rows)
    yield from _read_columns(records, rows, container, writer, rejections)


def _read_columns(
    records: Records, rows: Rows, container: Container, writer: Writer, rejections: list[Rejection]
) -> Iterator[pl.DataFrame]:
    frame = read(container)
    if frame is not None:
        yield frame.insert_column(0, pl.Series("row", rows, pl.UInt32))
    elif len(rows) <= FEW:
        yield _read_each(records, rows, writer, rejections)
    else:
        for share in np.array_split(rows, SHARES):
            yield from _read_columns(records, share, _join(records, share), writer, rejections)


def _read_each(
    records: Records, rows: Rows, writer: Writer, rejections: list[Rejection]
) -> pl.DataFrame:
    events = []
    for row in rows.tolist():
        value = records.values[row]
        event = read_datum(value or b"", writer.schema)
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
