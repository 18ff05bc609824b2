"""History as the pipeline must see it: what is stored, and what is about to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from auditstream.contract.catalogue import Catalogue
from auditstream.pipeline.history import PAYLOAD, ROLE_KEY, History
from auditstream.pipeline.look_up import ROLE_SCHEMA, subject

Frames = Callable[[], Sequence[pl.DataFrame]]
"""Returns the events that are not yet in the table, as frames of the pipeline's columns."""


class PendingHistory:
    """Stored history and the events that are about to be stored.

    The pending events are looked at first: one that lands between the two looks is found twice
    and never missed.
    """

    def __init__(self, stored: History, pending: Frames, catalogue: Catalogue) -> None:
        self._stored = stored
        self._pending = pending
        self._removals = [
            action.name
            for action in catalogue.actions.values()
            if action.roles and "role" not in action.fields
        ]

    def events_by_id(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
        """Return stored and pending events that have one of the ids; see `History`."""
        wanted = pl.DataFrame({"event_id": event_ids.unique()})
        pending = [
            frame.select(PAYLOAD).join(wanted, on="event_id", how="semi")
            for frame in self._pending()
        ]
        return pl.concat([*pending, self._stored.events_by_id(event_ids, id_minutes)])

    def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return stored and pending roles under the keys; see `History`."""
        touched = (pl.col("outcome") == "success") & (
            pl.col("role").is_not_null() | pl.col("action").is_in(self._removals)
        )
        pending = [
            frame.filter(touched)
            .with_columns(*subject())
            .select(list(ROLE_SCHEMA))
            .join(keys, on=ROLE_KEY, how="semi")
            for frame in self._pending()
        ]
        return pl.concat([*pending, self._stored.roles(keys).select(list(ROLE_SCHEMA))])
