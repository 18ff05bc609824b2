"""What became of a fetch, partition by partition, as it waits to be stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from io import BytesIO
from typing import Final, TypeAlias

import polars as pl

from auditstream.pipeline.history import PAYLOAD
from auditstream.pipeline.records import Hits, Processed
from auditstream.store.columns import REJECT_SCHEMA
from auditstream.store.sealed import Sealed, seal
from auditstream.worker.pending import Memory, Pending

Candidates: TypeAlias = Callable[[pl.DataFrame, Hits | None], pl.DataFrame | None]
"""Returns what is to be kept of events, and of their hits, for rules over several events."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows as they wait, compressed: a frame would keep the texts of its whole fetch in memory."""

    rows: int
    body: bytes

    def frame(self) -> pl.DataFrame:
        """Return the rows."""
        return pl.read_ipc_stream(self.body)


def pack(frame: pl.DataFrame) -> Packed:
    """Pack rows."""
    body = BytesIO()
    frame.write_ipc_stream(body, compression="lz4")
    return Packed(frame.height, body.getvalue())


@dataclass(frozen=True)
class Share:
    """One partition's share of a fetch; `pending` is there when there are events.

    `candidates` are those of its events that give cause to evaluate rules over several events.
    """

    events: Sealed | None
    pending: Pending | None
    rejects: pl.DataFrame
    candidates: Packed | None = None

    @property
    def rows(self) -> int:
        """Rows held in memory."""
        return self.rejects.height + (self.events.rows if self.events else 0)

    @cached_property
    def size(self) -> int:
        """Bytes held in memory, about."""
        return int(self.rejects.estimated_size()) + (len(self.events.body) if self.events else 0)


NOTHING: Final = Share(None, None, pl.DataFrame(schema=REJECT_SCHEMA))
"""The share of a partition of whose records nothing is left to store."""


def share_out(processed: Processed, memory: Memory, candidates: Candidates) -> dict[int, Share]:
    """Return the shares of the partitions that have any; blocks for some milliseconds."""
    events = _by_partition(processed.events)
    rejects = _by_partition(processed.rejects)
    found = candidates(processed.events, processed.met)
    causes = {} if found is None else _by_partition(found)
    roles = memory.roles(processed.events)
    held = _by_partition(roles)
    return {
        partition: _share(
            events.get(partition),
            rejects.get(partition, NOTHING.rejects),
            held.get(partition, roles[:0]),
            pack(causes[partition]) if partition in causes else None,
        )
        for partition in events.keys() | rejects.keys()
    }


def _share(
    events: pl.DataFrame | None,
    rejects: pl.DataFrame,
    roles: pl.DataFrame,
    candidates: Packed | None,
) -> Share:
    if events is None:
        return Share(None, None, rejects)
    sealed = seal(events)
    pending = Pending.of(events, roles, partial(sealed.frame, PAYLOAD))
    return Share(sealed, pending, rejects, candidates)


def _by_partition(frame: pl.DataFrame) -> dict[int, pl.DataFrame]:
    """Split a frame, each part in the order of offsets; copies nothing that is so already."""
    partitions = frame["kafka_partition"]
    if partitions.is_sorted():
        ends = partitions.rle().struct.unnest().with_columns(end=pl.col("len").cum_sum())
        parts = {p: frame[end - rows : end] for rows, p, end in ends.iter_rows()}
    else:
        parts = {p: frame.filter(partitions == p) for p in partitions.unique().to_list()}
    return {p: _in_order(part) for p, part in parts.items()}


def _in_order(part: pl.DataFrame) -> pl.DataFrame:
    return part if part["kafka_offset"].is_sorted() else part.sort("kafka_offset")
