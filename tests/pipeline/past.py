"""Histories for tests: data in place of a store."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from auditstream.pipeline.history import ROLE_KEY
from auditstream.pipeline.look_up import ROLE_SCHEMA
from auditstream.store.columns import EVENT_SCHEMA, PAYLOAD_SCHEMA


class NoPast:
    """A history in which nothing ever happened."""

    def events_by_id(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
        """Return no event."""
        return pl.DataFrame(schema=PAYLOAD_SCHEMA)

    def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return no role."""
        return pl.DataFrame(schema=ROLE_SCHEMA)


@dataclass
class Past:
    """A history of processed events and of roles given as rows of `ROLE_SCHEMA`."""

    events: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EVENT_SCHEMA))
    role_rows: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ROLE_SCHEMA))

    def events_by_id(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
        """Return the events with one of the ids in one of the minutes."""
        found = pl.col("event_id").is_in(event_ids.implode())
        searched = pl.col("event_id_minute").is_in(id_minutes.implode())
        return self.events.filter(found & searched).select(list(PAYLOAD_SCHEMA))

    def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return the role rows of the keys."""
        return self.role_rows.join(keys, on=ROLE_KEY, how="semi")
