"""What goes into the pipeline, between its steps, and out of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from auditstream.contract.alert import Alert

Hits: TypeAlias = Mapping[str, npt.NDArray[np.uint32]]
"""Rows of events that meet rules, by the rule's name."""


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one fetch: lists of equal length, of one topic, maybe of several partitions.

    `stream` is the identity of the topic; timestamps are milliseconds since 1970-01-01; offsets
    ascend within a partition.
    """

    stream: str
    topic: str
    partitions: list[int]
    offsets: list[int]
    timestamps: list[int | None]
    keys: list[bytes | None]
    values: list[bytes | None]

    def __len__(self) -> int:
        return len(self.values)

    def of_partitions(self, partitions: Collection[int]) -> Records:
        """Return the records of these partitions only, in the same order."""
        if set(self.partitions) <= set(partitions):
            return self
        rows = [row for row, number in enumerate(self.partitions) if number in partitions]
        return Records(
            self.stream,
            self.topic,
            [self.partitions[row] for row in rows],
            [self.offsets[row] for row in rows],
            [self.timestamps[row] for row in rows],
            [self.keys[row] for row in rows],
            [self.values[row] for row in rows],
        )

    def part(self, first: int, last: int) -> Records:
        """Return the records from place `first` up to, without, place `last`."""
        rows = slice(first, last)
        return Records(
            self.stream,
            self.topic,
            self.partitions[rows],
            self.offsets[rows],
            self.timestamps[rows],
            self.keys[rows],
            self.values[rows],
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Events on their way, and what was rejected so far.

    `events` has a column `row`, the place of the event in `records`; columns join it from step to
    step. `rejects` has the columns of the table of rejected events. `now` is the time of arrival,
    one for the whole batch.
    """

    records: Records
    now: datetime
    events: pl.DataFrame
    rejects: pl.DataFrame
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of the records of a fetch: rows + rejects + duplicates = records.

    `met` are the hits of rules, None where they were not kept.
    """

    events: pl.DataFrame
    rejects: pl.DataFrame
    duplicates: int
    alerts: tuple[Alert, ...]
    met: Hits | None = None
