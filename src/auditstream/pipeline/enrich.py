"""Enrich: what the catalogue, the history and the addresses tell about an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import polars as pl

from auditstream.pipeline.actions import Actions
from auditstream.pipeline.address import Addresses
from auditstream.pipeline.previous_role import with_previous_role
from auditstream.pipeline.records import Batch
from auditstream.pipeline.sentence import Sentences
from auditstream.pipeline.user_agent import user_agents
from auditstream.store.columns import EVENT_SCHEMA

FACTS: Final = ("category", "severity", "description", "ocsf_class_uid", "ocsf_activity_id")


class Enricher:
    """Adds the columns of enrichment."""

    def __init__(
        self, actions: Actions, sentences: Sentences, addresses: Addresses, late_seconds: float
    ) -> None:
        self._actions = actions
        self._sentences = sentences
        self._addresses = addresses
        self._late_seconds = late_seconds

    def enrich(self, batch: Batch, roles: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of the table of events, in the order of the records.

        `roles` is the history of roles as `look_up_roles` returns it.
        """
        events = with_previous_role(batch.events, roles, self._actions)
        facts = (self._actions.fact(name).alias(name) for name in FACTS)
        events = events.with_columns(
            *facts,
            role_rank=self._actions.rank(pl.col("role")),
            previous_role_rank=self._actions.rank(pl.col("previous_role")),
            sentence=self._sentences.write(events),
            delay_seconds=_seconds_until(batch.now),
            ingested_at=pl.lit(batch.now, EVENT_SCHEMA["ingested_at"]),
        )
        events = events.with_columns(
            *_facts_of(events["actor_user_agent"], user_agents),
            *_facts_of(events["actor_ip"], self._addresses.describe),
            role_change=_signed("role_rank") - _signed("previous_role_rank"),
            is_late=pl.col("delay_seconds") > self._late_seconds,
        )
        return events.select(list(EVENT_SCHEMA))


def _facts_of(
    texts: pl.Series, describe: Callable[[pl.Series], pl.DataFrame]
) -> Iterator[pl.Series]:
    facts = texts.to_frame().join(describe(texts), on=texts.name, how="left", maintain_order="left")
    return (facts[name].fill_null("") for name in facts.columns[1:])


def _signed(rank: str) -> pl.Expr:
    return pl.col(rank).cast(EVENT_SCHEMA["role_change"])


def _seconds_until(now: datetime) -> pl.Expr:
    delay = pl.lit(now, pl.Datetime("us", "UTC")) - pl.col("occurred_at")
    return (delay.dt.total_microseconds() / 1_000_000).cast(EVENT_SCHEMA["delay_seconds"])
