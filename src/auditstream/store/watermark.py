"""The watermark of a Kafka partition: the highest offset of it that the table holds."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from typing import Final

from auditstream.errors import StoreError
from auditstream.store.connection import SettingValue, Store

# Aggregates of whole parts, a few rows each, in place of the rows.
_BY_PROJECTION: Final[dict[str, SettingValue]] = {"optimize_use_projections": 1}


def read_watermarks(store: Store, stream: str) -> dict[int, int]:
    """Return the highest stored offset of each partition of a stream that has any.

    Blocks for some milliseconds, whatever the size of the table.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    found = store.query_frame(
        f"SELECT kafka_partition, max(kafka_offset) FROM {store.database}.events "
        "WHERE stream = {stream:String} GROUP BY kafka_partition",
        {"stream": stream},
        _BY_PROJECTION,
    )
    return dict(found.rows())


def read_watermark(store: Store, stream: str, partition: int) -> int | None:
    """Return the highest stored offset of a partition, None when the table holds none of it.

    Blocks for some milliseconds, whatever the size of the table.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    found = store.query_frame(
        f"SELECT max(kafka_offset) FROM {store.database}.events "
        "WHERE stream = {stream:String} AND kafka_partition = {partition:Int32} "
        "GROUP BY stream, kafka_partition",
        {"stream": stream, "partition": partition},
        _BY_PROJECTION,
    )
    return int(found.item()) if found.height else None


def table_identity(store: Store) -> str:
    """Return what tells this table of events from any other, one made anew included.

    Raises:
        StoreError: there is no such table; run `auditstream migrate`.
        ServiceUnavailableError: see `Store`.
    """
    found = store.query_frame(
        "SELECT toString(uuid) FROM system.tables "
        "WHERE database = {database:String} AND name = 'events'",
        {"database": store.database},
    )
    if found.is_empty():
        raise StoreError(f"there is no table {store.database}.events: run `auditstream migrate`")
    return str(found.item())
