"""Rejected events: the raw record and why it was not accepted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from auditstream.contract.reasons import Reason
from auditstream.errors import Problem
from auditstream.pipeline.records import Records
from auditstream.store.columns import REJECT_SCHEMA

MAX_PROBLEMS: Final = 20


class Rejection(NamedTuple):
    """Why the record at place `row` of a batch is rejected; `field` is the path of a field."""

    row: int
    reason: Reason | str
    field: str
    message: str
    event_id: str | None = None


def rejection(row: int, problems: Sequence[Problem], event_id: str | None) -> Rejection:
    """Reject an event for its first problem; the message lists them all."""
    first = problems[0]
    lines = [str(problem) for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        lines.append(f"and {len(problems) - MAX_PROBLEMS} more")
    return Rejection(row, first.reason, first.field, "; ".join(lines), event_id)


def reject_frame(
    records: Records, rejections: Sequence[Rejection], rejected_at: datetime
) -> pl.DataFrame:
    """Return rejected events with their raw bytes, as rows of the table of rejected events."""
    rows = [item.row for item in rejections]
    return pl.DataFrame(
        {
            "stream": [records.stream] * len(rows),
            "kafka_topic": [records.topic] * len(rows),
            "kafka_partition": [records.partitions[row] for row in rows],
            "kafka_offset": [records.offsets[row] for row in rows],
            "kafka_timestamp": [records.timestamps[row] for row in rows],
            "key": [records.keys[row] for row in rows],
            "value": [records.values[row] for row in rows],
            "reason": [item.reason for item in rejections],
            "field": [item.field for item in rejections],
            "message": [item.message for item in rejections],
            "event_id": [item.event_id for item in rejections],
            "rejected_at": [rejected_at] * len(rows),
        },
        schema=REJECT_SCHEMA,
    )
