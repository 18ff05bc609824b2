"""History as the pipeline must see it: what is stored, and what is about to be."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import polars as pl

from auditstream.contract.catalogue import Catalogue
from auditstream.pipeline.history import ROLE_KEY, History
from auditstream.pipeline.look_up import ROLE_SCHEMA, subject
from auditstream.store.columns import PAYLOAD_SCHEMA, Schema

NO_IDS: Final = pl.Series(dtype=pl.UInt64)
HELD: Final[Schema] = {name: dtype for name, dtype in ROLE_SCHEMA.items() if name not in ROLE_KEY}
MARKS: Final[Schema] = {"mark_1": pl.UInt64, "mark_2": pl.UInt64}
SEEDS: Final = [secrets.randbits(64) for _ in MARKS]
"""Stand for a key of a role: 128 bits that nobody can foresee, in place of five texts that would
keep those of their whole fetch in memory."""


class Pending(NamedTuple):
    """What later events must know of events that are not yet in the table.

    `ids` are hashes of their event ids, `roles` is what `Memory` keeps of those that give or
    remove a role; `read` returns the columns `PAYLOAD` of those for which a mask is true.
    """

    ids: pl.Series
    roles: pl.DataFrame
    read: Callable[[pl.Series], pl.DataFrame]

    @classmethod
    def of(
        cls, events: pl.DataFrame, roles: pl.DataFrame, read: Callable[[pl.Series], pl.DataFrame]
    ) -> Pending:
        """Return what must be known of `events`, with their `roles` and what reads them."""
        return cls(_hashes(events["event_id"]), roles, read)


class Memory:
    """Makes out of events what must be known of them while they are pending."""

    def __init__(self, catalogue: Catalogue) -> None:
        removals = [
            action.name
            for action in catalogue.actions.values()
            if action.roles and "role" not in action.fields
        ]
        touches = pl.col("role").is_not_null() | pl.col("action").is_in(removals)
        self._touched = (pl.col("outcome") == "success") & touches

    def roles(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the roles that events give or take away, and the `kafka_partition` of each."""
        touched = events.lazy().filter(self._touched).with_columns(*subject())
        roles = touched.select("kafka_partition", *ROLE_SCHEMA).collect()
        return roles.select("kafka_partition", *HELD, *_marks(roles))


class PendingHistory:
    """Stored history and the events that are about to be stored.

    The pending events are looked at first: one that lands between the two looks is found twice
    and never missed.
    """

    def __init__(self, stored: History, pending: Callable[[], Sequence[Pending]]) -> None:
        self._stored = stored
        self._pending = pending

    def events_by_id(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
        """Return stored and pending events that have one of the ids; see `History`."""
        pending = self._pending_by_id(event_ids)
        stored = self._stored.events_by_id(event_ids, id_minutes)
        return pl.concat([pending, stored.cast(pl.Schema(PAYLOAD_SCHEMA))])

    def _pending_by_id(self, event_ids: pl.Series) -> pl.DataFrame:
        pending = self._pending()
        alike = pl.concat([NO_IDS, *(item.ids for item in pending)]).is_in(
            _hashes(event_ids).implode()
        )
        found, end = [pl.DataFrame(schema=PAYLOAD_SCHEMA)], 0
        for item in pending:
            begin, end = end, end + len(item.ids)
            mask = alike[begin:end]
            if mask.any():
                found.append(item.read(mask))
        if len(found) == 1:
            return found[0]
        # Another id may have the same hash.
        wanted = pl.DataFrame({"event_id": event_ids.unique()})
        return pl.concat(found).join(wanted, on="event_id", how="semi")

    def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return stored and pending roles under the keys; see `History`."""
        pending = [item.roles for item in self._pending()] or [pl.DataFrame(schema=HELD | MARKS)]
        wanted = keys.select(*ROLE_KEY, *_marks(keys))
        found = pl.concat(pending).join(wanted, on=list(MARKS))
        roles = [part.select(list(ROLE_SCHEMA)) for part in (found, self._stored.roles(keys))]
        return pl.concat(roles)


def _hashes(event_ids: pl.Series) -> pl.Series:
    return event_ids.hash()


def _marks(keys: pl.DataFrame) -> list[pl.Series]:
    texts = keys.select(ROLE_KEY)
    return [texts.hash_rows(seed).alias(name) for name, seed in zip(MARKS, SEEDS, strict=True)]
