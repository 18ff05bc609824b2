"""Events as they wait for their append: the compressed body in place of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from auditstream.store.arrow import arrow_body
from auditstream.store.columns import EVENT_SCHEMA, EVENTS

SENT: Final = {name: column for name, column in EVENTS.items() if name != "ingested_at"}
"""What is in the body; `ingested_at` is one value for all rows of an append."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Events of one Kafka partition in the order of their offsets, from `first` to `last`.

    They take a quarter of the memory of their frame. `arrived` is the newest `ingested_at` among
    them.
    """

    stream: str
    partition: int
    first: int
    last: int
    rows: int
    arrived: datetime
    body: bytes

    def frame(
        self, columns: Sequence[str] = tuple(EVENT_SCHEMA), only: pl.Series | None = None
    ) -> pl.DataFrame:
        """Return the events again, with `arrived` as the `ingested_at` of each.

        With a mask, `only` those at which it is true.
        """
        sent = pl.read_ipc_stream(self.body, columns=[name for name in columns if name in SENT])
        if only is not None:
            sent = sent.filter(only)
        if "ingested_at" in columns:
            sent = sent.with_columns(ingested_at=pl.lit(self.arrived))
        return sent.select(pl.col(name).cast(EVENT_SCHEMA[name]) for name in columns)


def seal(frame: pl.DataFrame) -> Sealed:
    """Seal events; `frame` has the columns of `EVENT_SCHEMA` and offsets that ascend.

    Raises:
        ValueError: there is no event, or they are not of one partition, not in order, or not of
            the table's types.
    """
    if frame.is_empty():
        raise ValueError("at least one event is needed")
    stream, partition = frame["stream"][0], frame["kafka_partition"][0]
    where = f"{stream}, partition {partition}"
    if (frame["stream"] != stream).any():
        raise ValueError(f"{where}: there are events of another stream")
    if (frame["kafka_partition"] != partition).any():
        raise ValueError(f"{where}: there are events of another partition")
    offsets = frame["kafka_offset"]
    if not (offsets[1:] > offsets[:-1]).all():
        raise ValueError(f"{where}: there are offsets that do not ascend")
    arrived = frame["ingested_at"].sort()[-1]
    return Sealed(
        stream, partition, offsets[0], offsets[-1], frame.height, arrived, arrow_body(frame, SENT)
    )
