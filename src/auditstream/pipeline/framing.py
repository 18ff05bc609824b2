"""The outside of records: what has no key, no value, no frame, or is too large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from auditstream.contract.schemas import FRAME, MAGIC
from auditstream.errors import Problem
from auditstream.pipeline.container import Container, join
from auditstream.pipeline.records import Records
from auditstream.pipeline.rejects import Rejection

Rows: TypeAlias = NDArray[np.int64]

NOT_FRAMED: Final = -1
"""Stands for the schema id of a value that has no frame."""


class Values(NamedTuple):
    """Values of records with their places in the batch and their sizes in bytes."""

    rows: Rows
    values: list[bytes]
    sizes: Rows

    def take(self, places: Rows) -> Values:
        """Return the values at these places."""
        taken = [self.values[place] for place in places.tolist()]
        return Values(self.rows[places], taken, self.sizes[places])

    def shares(self, count: int) -> Iterator[Values]:
        """Yield the values in so many shares of equal size."""
        for places in np.array_split(np.arange(len(self.rows)), count):
            yield self.take(places)

    def join(self) -> Container:
        """Join the values into a container."""
        return join(self.values, self.sizes)


def accept(records: Records, max_event_bytes: int, rejections: list[Rejection]) -> Values:
    """Return the values that may have a frame; the others are added to the rejections."""
    values = [value or b"" for value in records.values]
    sizes = np.fromiter(map(len, values), np.int64, len(values))
    wrong = (sizes < FRAME.size) | (sizes > max_event_bytes)
    if not all(records.keys):
        wrong |= np.fromiter((key is None for key in records.keys), np.bool_, len(values))
    every = Values(np.arange(len(values)), values, sizes)
    if not wrong.any():
        return every
    for row in np.flatnonzero(wrong).tolist():
        problem = _problem(records.keys[row], records.values[row], max_event_bytes)
        rejections.append(Rejection(row, problem.reason, problem.field, problem.message))
    return every.take(np.flatnonzero(~wrong))


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
