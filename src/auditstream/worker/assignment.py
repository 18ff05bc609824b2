"""A partition as it is held by this worker, from being assigned to being given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Assignment:
    """One period in which this worker owns a partition.

    `number` is never used twice in a process, so that records of an earlier period can be told
    apart. `watermark` is the highest offset that the table holds of the partition, None when it
    holds no row; `position` is the offset at which reading starts. `mark` names stream and table;
    it goes with every offset that is committed.
    """

    stream: str
    partition: int
    number: int
    watermark: int | None
    position: int
    mark: str = ""
