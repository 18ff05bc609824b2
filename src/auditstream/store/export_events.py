"""Events in the formats of files, in any number and little memory."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from auditstream.errors import ServiceUnavailableError
from auditstream.store.connection import SettingValue, Store
from auditstream.store.even_batches import even_batches
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import FAILED, JSON_SETTINGS, Shape
from auditstream.store.snapshot import Snapshot

FileFormat: TypeAlias = Literal["csv", "jsonl", "parquet", "arrow"]

_FORMATS: Final[Mapping[FileFormat, str]] = {
    "csv": "CSVWithNames",
    "jsonl": "JSONEachRow",
    "parquet": "Parquet",
    "arrow": "ArrowStream",
}
# One thread reads in the order of the primary key, so that neither sorting nor writing needs more
# memory for more events, and the same bytes come again when the same is asked for again.
_SETTINGS: Final[Mapping[str, SettingValue]] = {
    **JSON_SETTINGS,
    "max_block_size": 8_192,
    "optimize_read_in_order": 1,
    "query_plan_optimize_lazy_materialization": 0,
    "output_format_parallel_formatting": 0,
    "output_format_parquet_parallel_encoding": 0,
    "output_format_parquet_row_group_size": 65_536,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
}


def export_events(
    store: Store, shape: Shape, wanted: EventFilter, snapshot: Snapshot, form: FileFormat
) -> Iterator[bytes]:
    """Return a file of the events of a snapshot that a filter leaves, piece by piece.

    They are in the order of their time, the oldest first, then of their ids. The same arguments
    give the same bytes, as long as nothing is erased and the server stays the same.

    Raises:
        ServiceUnavailableError: the answer broke off; what was yielded is not the whole file.
        StoreError: see `Store`.
    """
    pieces = _answered(
        store,
        f"SELECT {shape.select()} FROM {store.database}.events AS e "
        f"WHERE {wanted.where()} AND {snapshot.includes()} "
        f"ORDER BY e.{wanted.time}, e.event_id",
        form,
    )
    # A batch would be what the server has read at a time, which merges change.
    return even_batches(pieces) if form == "arrow" else pieces


def _answered(store: Store, sql: str, form: FileFormat) -> Iterator[bytes]:
    last = b""
    for piece in store.stream_raw(sql, _FORMATS[form], _SETTINGS):
        if FAILED in last[-len(FAILED) :] + piece:
            raise ServiceUnavailableError(f"ClickHouse at {store.url} did not answer in full")
        last = piece
        yield piece
