"""Deduplicate: an event id is stored once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from auditstream.pipeline.history import PAYLOAD
from auditstream.pipeline.records import Batch
from auditstream.pipeline.rejects import Rejection, reject_frame

COMPARED = tuple(name for name in PAYLOAD if name != "event_id")


def deduplicate(batch: Batch, known: pl.DataFrame) -> Batch:
    """Drop repeats, and reject those that say something else under an id already in use.

    `known` holds stored events (columns `PAYLOAD`); a stored event comes before those of the
    batch, and these stand in the order of partition and offset.
    """
    events = batch.events
    used = pl.col("event_id").is_in(known["event_id"].implode())
    candidates = events.filter(used | pl.col("event_id").is_duplicated())
    if candidates.is_empty():
        return batch
    candidates = candidates.sort("kafka_partition", "kafka_offset")
    originals = pl.concat([known, candidates.select(PAYLOAD)]).unique(
        "event_id", keep="first", maintain_order=True
    )
    repeats = (
        candidates.filter(used | ~pl.col("event_id").is_first_distinct())
        .join(originals, on="event_id", suffix="_known", maintain_order="left")
        .select("row", "event_id", *(_same(name).alias(name) for name in COMPARED))
    )
    conflicts = repeats.filter(~pl.all_horizontal(COMPARED))
    rejections = sorted(_conflicts(conflicts))
    return replace(
        batch,
        events=events.filter(~pl.col("row").is_in(repeats["row"].implode())),
        rejects=pl.concat([batch.rejects, reject_frame(batch.records, rejections, batch.now)]),
        duplicates=batch.duplicates + repeats.height - conflicts.height,
    )


def _same(name: str) -> pl.Expr:
    same = pl.col(name).eq_missing(pl.col(f"{name}_known"))
    if name == "previous_role":
        # A stored one may have been found in the history: the producer has sent none then.
        return same | pl.col(name).is_null()
    return same


def _conflicts(conflicts: pl.DataFrame) -> Iterator[Rejection]:
    for row in conflicts.iter_rows(named=True):
        different = ", ".join(name for name in COMPARED if not row[name])
        message = f"event id {row['event_id']} is in use by another event: {different} differ"
        yield Rejection(row["row"], "event_id_conflict", "event_id", message, row["event_id"])
