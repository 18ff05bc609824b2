"""A record on which the pipeline itself fails is set aside, so that it blocks no other."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import structlog

from auditstream.errors import AuditStreamError
from auditstream.pipeline.history import PAYLOAD, History
from auditstream.pipeline.pipeline import Pipeline
from auditstream.pipeline.records import Batch, Processed, Records
from auditstream.pipeline.rejects import Rejection, reject_frame
from auditstream.store.columns import EVENT_SCHEMA
from auditstream.worker.pending import Memory, Pending, PendingHistory

log = structlog.get_logger("auditstream.quarantine")


def read_all(pipeline: Pipeline, records: Records) -> Batch | None:
    """Read a fetch ahead; None when that fails, which `process_all` then deals with. Blocks."""
    try:
        return pipeline.read(records)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:  # noqa: BLE001  a panic of Polars is no Exception
        return None


def process_all(
    pipeline: Pipeline, records: Records, history: History, read: Batch | None = None
) -> Processed:
    """Run the pipeline over a fetch, whatever its records do to it.

    Where a step fails, the fetch is halved until the record at fault stands alone; that one is
    rejected as `not_processed`, its neighbours are processed. Blocks.

    Raises:
        AuditStreamError: the history cannot be read; nothing is decided.
    """
    try:
        return pipeline.process(records, history, read)
    except (AuditStreamError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001  a panic of Polars is no Exception
        if len(records) == 1:
            return _set_aside(records, error)
        log.warning("pipeline_failed", records=len(records), error=repr(error))
    middle = len(records) // 2
    first = process_all(pipeline, records.part(0, middle), history)
    roles = Memory(pipeline.catalogue).roles(first.events)
    pending = Pending.of(first.events, roles, first.events.select(PAYLOAD).filter)
    seen = PendingHistory(history, lambda: [pending])
    second = process_all(pipeline, records.part(middle, len(records)), seen)
    return Processed(
        events=pl.concat([first.events, second.events]),
        rejects=pl.concat([first.rejects, second.rejects]),
        duplicates=first.duplicates + second.duplicates,
        alerts=(*first.alerts, *second.alerts),
    )


def _set_aside(records: Records, error: BaseException) -> Processed:
    log.error(
        "not_processed",
        topic=records.topic,
        partition=records.partitions[0],
        offset=records.offsets[0],
        error=repr(error),
        advice="the record is in the rejected events; report this, and replay it once mended",
    )
    rejected = Rejection(0, "not_processed", "", f"{type(error).__name__}: {error}")
    rejects = reject_frame(records, [rejected], datetime.now(UTC))
    return Processed(pl.DataFrame(schema=EVENT_SCHEMA), rejects, 0, ())
