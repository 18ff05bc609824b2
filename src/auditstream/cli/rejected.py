"""Rejected records as the table keeps them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import fastavro

from auditstream.contract.dump import hex_dump
from auditstream.contract.schemas import FRAME, shipped_schemas

if TYPE_CHECKING:
    from auditstream.store.connection import Store

DUMPED: Final = 256
COLUMNS: Final = (
    "stream, kafka_partition, kafka_offset, reason, field, message, event_id, rejected_at"
)
BYTES: Final = "base64Encode(key) AS key64, base64Encode(value) AS value64"


@dataclass(frozen=True)
class Selection:
    """Which rejected records are meant; empty means no condition."""

    reason: str | None = None
    positions: tuple[tuple[int, int], ...] = ()
    limit: int = 2**63 - 1


@dataclass(frozen=True)
class Reject:
    """A rejected record; `key` and `value` are None unless they were asked for and there."""

    stream: str
    partition: int
    offset: int
    reason: str
    field: str
    message: str
    event_id: str | None
    rejected_at: datetime
    key: bytes | None = None
    value: bytes | None = None

    @property
    def position(self) -> str:
        """Partition and offset, as commands take them."""
        return f"{self.partition}:{self.offset}"

    def datum(self) -> Any:
        """Return what the bytes say when they can be read as a shipped schema's, else None."""
        value = self.value or b""
        if len(value) <= FRAME.size:
            return None
        writer = shipped_schemas().get(FRAME.unpack_from(value)[1])
        if writer is None:
            return None
        try:
            return fastavro.schemaless_reader(BytesIO(value[FRAME.size :]), _lenient(writer), None)
        except Exception:  # noqa: BLE001  (whatever damaged bytes lead to)
            return None

    def dump(self) -> str:
        """Return the first bytes of the value, 16 a line, in hexadecimal and as text."""
        return hex_dump((self.value or b"")[:DUMPED])


def read_rejects(store: Store, selection: Selection, *, with_bytes: bool = False) -> list[Reject]:
    """Return the selected records, the newest first, their bytes only if asked for.

    Blocks for one query. Raises ServiceUnavailableError or StoreError.
    """
    conditions = ["1"]
    parameters: dict[str, Any] = {"database": store.database, "limit": selection.limit}
    if selection.reason is not None:
        conditions.append("reason = {reason:String}")
        parameters["reason"] = selection.reason
    if selection.positions:
        conditions.append(
            "(kafka_partition, kafka_offset) IN {positions:Array(Tuple(Int32,Int64))}"
        )
        parameters["positions"] = list(selection.positions)
    order = "ORDER BY rejected_at DESC, kafka_partition, kafka_offset DESC LIMIT {limit:UInt64}"
    columns = f"{COLUMNS}, {BYTES}" if with_bytes else COLUMNS
    table = "{database:Identifier}.rejected_events"
    frame = store.query_frame(
        " ".join(["SELECT", columns, "FROM", table, "WHERE", " AND ".join(conditions), order]),
        parameters,
    )
    return [Reject(*row[:8], *(_decoded(text) for text in row[8:])) for row in frame.rows()]


def _lenient(schema: Any) -> Any:
    """Return the schema without its UUIDs, so that what is not one can be read, too."""
    if isinstance(schema, list):
        return [_lenient(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    plain = schema.get("logicalType") == "uuid"
    return {n: _lenient(v) for n, v in schema.items() if not (plain and n == "logicalType")}


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
