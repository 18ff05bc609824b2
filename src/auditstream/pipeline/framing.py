"""The outside of records: what has no key, no value, no frame, or is too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from auditstream.contract.schemas import FRAME, MAGIC
from auditstream.errors import Problem
from auditstream.pipeline.container import Container, join
from auditstream.pipeline.records import Records
from auditstream.pipeline.rejects import Rejection

Rows: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

NOT_FRAMED: Final = -1
"""Stands for the schema id of a value that has no frame."""


class Values(NamedTuple):
    """Values of records: their rows in the batch and their sizes in bytes.

    `source` has the values of all rows. Taking some of many does not touch them: each is somewhere
    else in memory.
    """

    rows: Rows
    source: Sequence[bytes]
    sizes: Rows

    @property
    def values(self) -> list[bytes]:
        """The values themselves."""
        return [self.source[row] for row in self.rows.tolist()]

    def take(self, places: Rows) -> Values:
        """Return the values at these places."""
        return Values(self.rows[places], self.source, self.sizes[places])

    def shares(self, count: int) -> Iterator[Values]:
        """Yield the values in so many shares of equal size."""
        for places in np.array_split(np.arange(len(self.rows)), count):
            yield self.take(places)

    def join(self) -> Container:
        """Join the values into a container."""
        every = len(self.rows) == len(self.source)
        return join(self.source if every else self.values, self.sizes)


def accept(
    records: Records, max_event_bytes: int, rejections: list[Rejection]
) -> tuple[Values, Mask]:
    """Return all values, and which of them cannot have a frame; these are added to the rejections.

    They are empty in what is returned.
    """
    source = [value or b"" for value in records.values]
    sizes = np.fromiter(map(len, source), np.int64, len(source))
    wrong = (sizes < FRAME.size) | (sizes > max_event_bytes)
    if not all(records.keys):
        wrong |= np.fromiter((key is None for key in records.keys), np.bool_, len(source))
    for row in np.flatnonzero(wrong).tolist():
        problem = _problem(records.keys[row], records.values[row], max_event_bytes)
        rejections.append(Rejection(row, problem.reason, problem.field, problem.message))
        source[row] = b""
    sizes[wrong] = 0
    return Values(np.arange(len(source)), source, sizes), wrong


def schema_ids(container: Container) -> Rows:
    """Return the schema id of each value, `NOT_FRAMED` where there is none."""
    starts = container.datums.starts - FRAME.size
    frames = container.datums.data[starts[:, None] + np.arange(FRAME.size)]
    ids = np.ascontiguousarray(frames[:, 1:]).view(">u4")[:, 0].astype(np.int64)
    return np.where(frames[:, 0] == MAGIC, ids, NOT_FRAMED)


def not_framed() -> Problem:
    """Return what is wrong with a value that has no frame."""
    return Problem("not_framed", "", "the value does not start with a zero byte and a schema id")


def _problem(key: bytes | None, value: bytes | None, max_event_bytes: int) -> Problem:
    if value is None:
        return Problem("null_value", "", "the record has no value")
    if key is None:
        return Problem("null_key", "", "the record has no key; the key is the workspace id")
    if len(value) > max_event_bytes:
        return Problem("too_large", "", f"{len(value)} bytes, at most {max_event_bytes} are taken")
    return not_framed()
