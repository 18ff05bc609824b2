"""Walk over many Avro datums at once, to tell those that are well-formed beyond doubt.

Each step advances one cursor per datum over one field: the reader of whole containers is then
never given a datum that ends too early or too late, names a branch or a symbol that does not
exist, or claims a length beyond its end. Text is not looked into.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from auditstream.contract.fields import Field

Bytes: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

OVERRUN: Final = 16
"""Bytes that must follow the last datum: a cursor may run over its end by a branch and a length."""

LOST: Final = np.int64(2**62)
"""Where a cursor is put that found a number without an end."""

CONTINUED: Final = 0x80
LONG_BYTES: Final = 10

MAX_STEPS: Final = 128
"""Items and blocks of an array that are walked over; a longer one is left in doubt."""

PRESENT: Final = 2
"""First byte of an optional field that is present: branch 1 of the union with null."""


class Datums(NamedTuple):
    """Datums within one buffer: datum i is `data[starts[i]:ends[i]]`."""

    data: Bytes
    starts: Places
    ends: Places

    def at(self, places: Places) -> Datums:
        """Return the datums at these places."""
        return Datums(self.data, self.starts[places], self.ends[places])


def doubtful(datums: Datums, fields: tuple[Field, ...]) -> Mask:
    """Return which datums are not, beyond doubt, well-formed datums of a record of `fields`."""
    doubt = np.zeros(len(datums.starts), np.bool_)
    cursor = datums.starts.copy()
    np.minimum(cursor, datums.ends, out=cursor)
    _walk_record(datums.data, fields, cursor, datums.ends, doubt)
    doubt |= cursor != datums.ends
    return doubt


def _walk_record(
    data: Bytes, fields: tuple[Field, ...], cursor: Places, ends: Places, doubt: Mask
) -> None:
    for field in fields:
        if field.nullable:
            branch = data[cursor]
            cursor += 1
            present = branch == PRESENT
            doubt |= (branch != 0) & ~present
            rows = np.flatnonzero(present)
            if rows.size:
                _walk_some(data, field, rows, cursor, ends, doubt)
        else:
            _walk_field(data, field, cursor, ends, doubt)
        over = cursor > ends
        if over.any():
            doubt |= over
            np.minimum(cursor, ends, out=cursor)


def _walk_some(
    data: Bytes, field: Field, rows: Places, cursor: Places, ends: Places, doubt: Mask
) -> None:
    places, unsure = cursor[rows], doubt[rows]
    _walk_field(data, field, places, ends[rows], unsure)
    cursor[rows], doubt[rows] = places, unsure


def _walk_field(data: Bytes, field: Field, cursor: Places, ends: Places, doubt: Mask) -> None:
    if field.kind == "record":
        _walk_record(data, field.children, cursor, ends, doubt)
    elif field.kind == "array":
        _walk_array(data, field, cursor, ends, doubt)
    elif field.kind == "string":
        length = _read_long(data, cursor)
        wrong = (length < 0) | (length > ends - cursor)
        if wrong.any():
            doubt |= wrong
            length[wrong] = 0
        cursor += length
    elif field.kind == "enum":
        symbol = _read_long(data, cursor)
        doubt |= (symbol < 0) | (symbol >= len(field.symbols))
    else:
        _skip_long(data, cursor)


def _walk_array(data: Bytes, field: Field, cursor: Places, ends: Places, doubt: Mask) -> None:
    rows = np.flatnonzero(data[cursor])
    cursor += 1
    cursor[rows] -= 1
    left = np.zeros(rows.size, np.int64)
    for _ in range(MAX_STEPS):
        if not rows.size:
            return
        items = left > 0
        blocks = rows[~items]
        if blocks.size:
            left[~items] = _read_block_count(data, blocks, cursor)
        going = (left > 0) & ~doubt[rows] & (cursor[rows] <= ends[rows])
        doubt[rows[(left < 0) | ((left > 0) & ~going)]] = True
        rows, left = rows[going], left[going] - 1
        if rows.size:
            places, unsure = cursor[rows], doubt[rows]
            _walk_record(data, field.children, places, ends[rows], unsure)
            cursor[rows], doubt[rows] = places, unsure
    doubt[rows] = True


def _read_block_count(data: Bytes, rows: Places, cursor: Places) -> Places:
    places = cursor[rows]
    count = _read_long(data, places)
    cursor[rows] = places
    return count


def _read_long(data: Bytes, cursor: Places) -> Places:
    """Read a zigzag varint at each cursor and move the cursors behind it."""
    first = data[cursor]
    cursor += 1
    if not (first & 0x81).any():
        return (first >> 1).astype(np.int64)
    value = first.astype(np.int64)
    rows = np.flatnonzero(first & CONTINUED)
    if rows.size:
        value[rows] &= 0x7F
        for shift in range(7, 7 * LONG_BYTES, 7):
            byte = data[cursor[rows]]
            cursor[rows] += 1
            value[rows] |= (byte & 0x7F).astype(np.int64) << shift
            rows = rows[byte >= CONTINUED]
            if not rows.size:
                break
        cursor[rows] = LOST
    zigzag: Places = (value >> 1) & np.int64(2**63 - 1) ^ -(value & 1)
    return zigzag


def _skip_long(data: Bytes, cursor: Places) -> None:
    going = np.ones(len(cursor), np.bool_)
    for _ in range(LONG_BYTES):
        more = going & (data[cursor] >= CONTINUED)
        cursor += going
        going = more
        if not going.any():
            return
    cursor[going] = LOST
