"""What the table knows about earlier events: repeats of an event id, and roles."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from datetime import UTC
from typing import Final
from zlib import crc32

import polars as pl

from auditstream.contract.catalogue import Catalogue, shipped_catalogue
from auditstream.store.columns import PAYLOAD, PAYLOAD_SCHEMA, Schema
from auditstream.store.connection import Store
from auditstream.store.sql import LONG_QUERY, URGENT, literals, moment, numbers, uuids

ROLE_KEY: Final = ("workspace_id", "entity_type", "entity_id", "subject_type", "subject_id")
ROLE_SCHEMA: Final[Schema] = {
    **dict.fromkeys(ROLE_KEY, pl.String),
    "occurred_at": PAYLOAD_SCHEMA["occurred_at"],
    "kafka_offset": pl.Int64,
    "role": pl.String,
}

_LOOK_UP: Final = {**LONG_QUERY, **URGENT}

_SUBJECT: Final = (
    "multiIf(isNotNull(e.member_id), 'member', isNotNull(e.group_id), 'group', 'everyone')"
    " AS subject_type, coalesce(e.member_id, e.group_id, '') AS subject_id"
)


class StoredHistory:
    """The stored events, as the pipeline's deduplication and enrichment ask for them.

    `catalogue` tells which actions take a role away; the shipped one unless given. Methods block,
    and raise what `Store` raises.
    """

    def __init__(self, store: Store, catalogue: Catalogue | None = None) -> None:
        self._store = store
        self._events = f"{store.database}.events"
        actions = (catalogue or shipped_catalogue()).actions.values()
        self._removals = literals(
            action.name for action in actions if action.roles and "role" not in action.fields
        )

    def events_by_id(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
        """Return the stored events that have one of the ids: columns of `PAYLOAD_SCHEMA`.

        `event_ids` are canonical UUID texts, `id_minutes` the values of `event_id_minute` to be
        searched. 20,000 ids of which none is stored take about 20 ms when the minutes are few.
        """
        if event_ids.is_empty():
            return pl.DataFrame(schema=PAYLOAD_SCHEMA)
        places = self._places(event_ids, id_minutes)
        if places.is_empty():
            return pl.DataFrame(schema=PAYLOAD_SCHEMA)
        columns = ", ".join(
            "toString(e.event_id) AS event_id" if name == "event_id" else f"e.{name}"
            for name in PAYLOAD
        )
        times = places["occurred_at"].sort()
        found = self._store.query_frame(
            f"SELECT {columns} FROM {self._events} AS e "
            f"WHERE e.workspace_id IN ({literals(places['workspace_id'].unique())}) "
            f"AND e.occurred_at BETWEEN {moment(times[0])} AND {moment(times[-1])} "
            f"AND e.event_id IN ({uuids(places['event_id'])})",
            settings=_LOOK_UP,
        )
        return found.cast(pl.Schema(PAYLOAD_SCHEMA))

    def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return every role that was given or removed under the keys, by actions that succeeded.

        `keys` has the columns `ROLE_KEY`: subject_type is "member", "group" or "everyone",
        subject_id the id of the member or the group, "" for everyone. With a column `since`, times
        from which on roles are wanted, what was before the earliest of them is left out, except
        for the last role of each key before it. Rows: the key, occurred_at, kafka_offset, and
        role, null where it was removed. Reads all events of the workspaces: 10,000 keys take about
        0.2 s for each million of them.
        """
        if keys.is_empty():
            return pl.DataFrame(schema=ROLE_SCHEMA)
        wanted = keys.select(ROLE_KEY)
        given = "(e.occurred_at, e.kafka_offset, e.role)"
        kept = f"groupArray({given})"
        if "since" in keys.columns:
            since = f"e.occurred_at >= {moment(keys['since'].sort()[0])}"
            last = f"argMaxIf({given}, (e.occurred_at, e.kafka_offset), NOT {since})"
            kept = (
                f"arrayConcat(groupArrayIf({given}, {since}), "
                f"arrayResize([{last}], toUInt8(countIf(NOT {since}) > 0)))"
            )
        rows = (
            f"SELECT {', '.join(ROLE_KEY)}, "
            "given.1 AS occurred_at, given.2 AS kafka_offset, given.3 AS role "
            f"FROM (SELECT e.workspace_id, e.entity_type, e.entity_id, {_SUBJECT}, {kept} AS kept "
            f"FROM {self._events} AS e "
            f"WHERE e.workspace_id IN ({literals(wanted['workspace_id'].unique())}) "
            f"AND e.outcome = 'success' AND (e.role IS NOT NULL OR e.action IN ({self._removals})) "
            f"AND e.role_key IN ({_checksums(wanted)}) GROUP BY ALL) ARRAY JOIN kept AS given"
        )
        found = self._store.query_frame(rows, settings=_LOOK_UP).cast(pl.Schema(ROLE_SCHEMA))
        # Other keys may share a checksum.
        return found.join(wanted, on=ROLE_KEY, how="semi")

    def _places(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
        # All from the projection that is ordered by these minutes.
        minutes = literals(
            minute.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") for minute in id_minutes.unique()
        )
        return self._store.query_frame(
            f"SELECT workspace_id, occurred_at, toString(e.event_id) AS event_id "
            f"FROM {self._events} AS e "
            f"WHERE e.event_id_minute IN ({minutes}) AND e.event_id IN ({uuids(event_ids)})",
            settings=_LOOK_UP,
        )


def _checksums(keys: pl.DataFrame) -> str:
    pairs = keys.select("entity_id", "subject_id").rows()
    return numbers(crc32(entity.encode()) ^ crc32(subject.encode()) for entity, subject in pairs)
