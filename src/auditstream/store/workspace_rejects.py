"""Rejected records under the key of a workspace: counts, pages of them, and one with its bytes."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from auditstream.store.alert_states import microseconds
from auditstream.store.connection import SettingValue, Store
from auditstream.store.sql import literal

_READ: Final[dict[str, SettingValue]] = {"readonly": 2}
_FACTS: Final = (
    "r.rejected_at, toString(r.reason), r.field, r.message, r.event_id, r.kafka_topic, "
    "r.kafka_partition, r.kafka_offset, r.kafka_timestamp, length(r.value)"
)


class Place(NamedTuple):
    """Where a page ended: time of its last record in microseconds since 1970, and its place."""

    at: int
    partition: int
    offset: int


@dataclass(frozen=True)
class Reject:
    """A record that could not become an event; `size` is that of its value, None without one."""

    rejected_at: datetime
    reason: str
    field: str
    message: str
    event_id: str | None
    topic: str
    partition: int
    offset: int
    timestamp: datetime | None
    size: int | None

    @property
    def position(self) -> str:
        """Partition and offset, as commands take them."""
        return f"{self.partition}:{self.offset}"

    @property
    def place(self) -> Place:
        """Where a page that ends with it goes on."""
        return Place(microseconds(self.rejected_at), self.partition, self.offset)


def count_rejects(store: Store, workspace_id: str) -> dict[str, int]:
    """Return how many records were rejected, by reason, the most frequent first.

    Blocks; raises what `Store` raises.
    """
    return dict(
        _rows(
            store,
            "SELECT toString(r.reason) AS reason, count() AS records "
            f"FROM {_under(store, workspace_id)} GROUP BY reason ORDER BY records DESC, reason",
        )
    )


def list_rejects(
    store: Store,
    workspace_id: str,
    *,
    reason: str | None = None,
    after: Place | None = None,
    limit: int,
) -> list[Reject]:
    """Return rejected records, the newest first; behind `after`, if given.

    Blocks; raises what `Store` raises.
    """
    conditions = ["1"]
    if reason is not None:
        conditions.append(f"r.reason = {literal(reason)}")
    if after is not None:
        conditions.append(
            "(r.rejected_at, r.kafka_partition, r.kafka_offset) < "
            f"(fromUnixTimestamp64Micro({after.at}, 'UTC'), {after.partition}, {after.offset})"
        )
    rows = _rows(
        store,
        f"SELECT {_FACTS} FROM {_under(store, workspace_id)} AND {' AND '.join(conditions)} "
        "ORDER BY r.rejected_at DESC, r.kafka_partition DESC, r.kafka_offset DESC "
        f"LIMIT {limit}",
    )
    return [Reject(*row) for row in rows]


def rejects_at(store: Store, workspace_id: str, partition: int, offset: int) -> list[Reject]:
    """Return what was rejected at a place in Kafka, the newest first.

    More than one where a topic was made anew. Blocks; raises what `Store` raises.
    """
    rows = _rows(
        store,
        f"SELECT {_FACTS} FROM {_under(store, workspace_id)} AND r.kafka_partition = {partition} "
        f"AND r.kafka_offset = {offset} ORDER BY r.rejected_at DESC",
    )
    return [Reject(*row) for row in rows]


def read_value(store: Store, workspace_id: str, reject: Reject, most: int) -> bytes:
    """Return the first bytes of a record's value, at most `most`; none where there is no value.

    Blocks; raises what `Store` raises.
    """
    rows = _rows(
        store,
        f"SELECT base64Encode(substring(ifNull(r.value, ''), 1, {most})) "
        f"FROM {_under(store, workspace_id)} AND r.kafka_partition = {reject.partition} "
        f"AND r.kafka_offset = {reject.offset} AND r.kafka_topic = {literal(reject.topic)} "
        "ORDER BY r.rejected_at DESC LIMIT 1",
    )
    return base64.b64decode(rows[0][0]) if rows else b""


def _under(store: Store, workspace_id: str) -> str:
    return f"{store.database}.rejected_events AS r WHERE r.key = {literal(workspace_id)}"


def _rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    return store.query_frame(sql, settings=_READ).rows()
