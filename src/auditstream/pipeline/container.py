"""Read many datums at once: joined into one Avro object container file in memory.

Polars reads containers by column, but knows neither frames nor where a datum was meant to end. So
each row of the container's schema begins with the 5 bytes of the frame and ends with a guard, 16
random bytes that stand after each value: wherever all guards are read back, each datum was read
from its own first byte to its own last (https://avro.apache.org/docs/1.12.0/specification/).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from io import BytesIO
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.contract.fields import Field, event_fields
from auditstream.contract.schemas import FRAME, load_schema
from auditstream.pipeline.structure import Datums
from auditstream.store.columns import EVENT_SCHEMA

GUARD_BYTES: Final = 16
FEW: Final = 16
"""Values that are rather looked at one by one than halved."""

FAILURES: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


class Container(NamedTuple):
    """A container file: `datums` are within `body`, at least 32 bytes before its end."""

    body: bytes
    guard: bytes
    datums: Datums

    def only(self, places: NDArray[np.int64]) -> Container:
        """Return a container of the datums at these ascending places alone."""
        some = self.datums.at(places)
        starts, ends = some.starts - FRAME.size, some.ends + GUARD_BYTES
        last = np.flatnonzero(np.append(starts[1:] != ends[:-1], True)) if places.size else places
        first = np.append(0, last[:-1] + 1) if places.size else places
        sizes = some.ends - starts
        head = _layout().header + self.guard + _block_head(sizes)
        body = memoryview(self.body)
        runs = zip(starts[first].tolist(), ends[last].tolist(), strict=True)
        rows = (body[start:end] for start, end in runs)
        return _container(b"".join((head, *rows, self.guard)), len(head), sizes, self.guard)


def join(values: Sequence[bytes], sizes: NDArray[np.int64]) -> Container:
    """Join framed values; `sizes` are their sizes in bytes.

    A value shorter than a frame may be among them as long as it is not read.
    """
    guard = secrets.token_bytes(GUARD_BYTES)
    head = _layout().header + guard + _block_head(sizes)
    # One join and no copy: the guard is also what marks the end of the block.
    rows = (head + values[0], *values[1:], b"", b"") if values else (head, b"")
    return _container(guard.join(rows), len(head), sizes, guard)


def _block_head(sizes: NDArray[np.int64]) -> bytes:
    return _long(len(sizes)) + _long(int(sizes.sum()) + len(sizes) * GUARD_BYTES)


def _container(body: bytes, head: int, sizes: NDArray[np.int64], guard: bytes) -> Container:
    """Return a container with what is where; its first value begins after `head` bytes."""
    ends = head + np.cumsum(sizes + GUARD_BYTES) - GUARD_BYTES
    return Container(
        body, guard, Datums(np.frombuffer(body, np.uint8), ends - sizes + FRAME.size, ends)
    )


class Reading(NamedTuple):
    """Events, one row each, in order, but for those at `garbled`, where a text is not UTF-8."""

    events: pl.DataFrame
    garbled: list[int]


def read(container: Container) -> Reading | None:
    """Return the events of well-formed datums of the current schema.

    None when a datum is not well-formed after all.
    """
    try:
        frame = pl.read_avro(BytesIO(container.body))
        whole = (pl.col("guard") == pl.lit(container.guard, pl.Binary)).all()
        if frame.height != len(container.datums.ends) or not frame.select(whole).item():
            return None
    except FAILURES:
        return None
    return _as_text(frame.select(_layout().columns))


def _as_text(frame: pl.DataFrame) -> Reading:
    schema = pl.Schema({name: EVENT_SCHEMA[name] for name in frame.columns})
    try:
        return Reading(frame.cast(schema), [])
    except pl.exceptions.PolarsError:
        garbled = sorted({place for column in frame for place in _garbled(column)})
    kept = np.ones(frame.height, np.bool_)
    kept[garbled] = False
    return Reading(frame.filter(kept).cast(schema), garbled)


def _garbled(column: pl.Series, first: int = 0) -> Iterator[int]:
    """Yield the places of values that are no text, from `first`, by halving the column."""
    try:
        column.cast(EVENT_SCHEMA[column.name])
    except pl.exceptions.PolarsError:
        if len(column) <= FEW:
            values = enumerate(column.to_list(), first)
            yield from (place for place, value in values if not _is_text(value))
            return
        half = len(column) // 2
        yield from _garbled(column[:half], first)
        yield from _garbled(column[half:], first + half)


def _is_text(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_text, value))
    if isinstance(value, dict):
        return all(map(_is_text, value.values()))
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            value.decode()
            return True
        return False
    return True


class _Layout(NamedTuple):
    header: bytes
    columns: tuple[pl.Expr, ...]


@cache
def _layout() -> _Layout:
    schema = {
        "type": "record",
        "name": "Row",
        "fields": [
            {"name": "frame", "type": {"type": "fixed", "name": "Frame", "size": FRAME.size}},
            *_flat(load_schema("audit_event")["fields"], ""),
            {"name": "guard", "type": {"type": "fixed", "name": "Guard", "size": GUARD_BYTES}},
        ],
    }
    text = json.dumps(schema).encode()
    meta = (b"avro.schema", text, b"avro.codec", b"null")
    header = b"Obj\x01" + _long(2) + b"".join(_long(len(part)) + part for part in meta) + _long(0)
    return _Layout(header, tuple(_columns(event_fields())))


def _flat(fields: list[dict[str, Any]], prefix: str) -> Iterator[dict[str, Any]]:
    # The reader knows no records in records, unless they are optional.
    for field in fields:
        kind = field["type"]
        if isinstance(kind, dict) and kind["type"] == "record":
            yield from _flat(kind["fields"], f"{prefix}{field['name']}_")
        else:
            yield {"name": prefix + field["name"], "type": _plain(kind)}


def _plain(schema: Any) -> Any:
    """Strip what the reader does not know or need; a symbol is read as its number."""
    if isinstance(schema, list):
        return [_plain(branch) for branch in schema]
    if isinstance(schema, str):
        # The reader gives up on all when one text is not UTF-8.
        return "bytes" if schema == "string" else schema
    kind = schema["type"]
    if kind == "enum":
        return "int"
    if kind == "array":
        return {"type": "array", "items": _plain(schema["items"])}
    if kind == "record":
        fields = [{"name": item["name"], "type": _plain(item["type"])} for item in schema["fields"]]
        return {"type": "record", "name": schema["name"], "fields": fields}
    return kind


def _columns(fields: tuple[Field, ...]) -> Iterator[pl.Expr]:
    for field in fields:
        name = field.path.replace(".", "_")
        if field.kind == "record" and field.nullable:
            for child in field.children:
                value = pl.col(name).struct.field(child.name)
                yield value.alias(child.path.replace(".", "_"))
        elif field.kind == "record":
            yield from _columns(field.children)
        elif field.kind == "enum":
            yield pl.lit(pl.Series(field.symbols)).gather(pl.col(name)).alias(name)
        else:
            yield pl.col(name)


def _long(number: int) -> bytes:
    left, out = number << 1, bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)
