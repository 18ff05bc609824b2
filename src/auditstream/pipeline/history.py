"""What the pipeline must know about events of earlier batches."""

from __future__ import annotations

from typing import Final, Protocol

import polars as pl

from auditstream.store.columns import PAYLOAD_SCHEMA

PAYLOAD: Final = tuple(PAYLOAD_SCHEMA)
"""What an event says, without who sent it: what is compared when an event id repeats."""

ROLE_KEY: Final = ("workspace_id", "entity_type", "entity_id", "subject_type", "subject_id")
"""Whose role on what: `subject_type` is "member", "group" or "everyone", `subject_id` the id of the
member or the group, "" for everyone. Ids need to be unique only among those of one type."""


class History(Protocol):
    """Events of earlier batches; may block, and raise AuditStreamError when it cannot be read."""

    def events_by_id(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
        """Return the stored events that have one of the ids: columns `PAYLOAD`.

        Only events with one of `id_minutes` as their `event_id_minute` need to be searched. An
        event may be returned more than once.
        """

    def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return the roles that were given or removed under the keys.

        `keys` has the columns `ROLE_KEY`, and `since`: the roles held from that time on are
        wanted, so that those before it may be left out except for the last one. Rows: `ROLE_KEY`,
        `occurred_at`, `kafka_offset`, and `role`, null where it was removed; successful actions
        only. A row may be returned more than once.
        """
