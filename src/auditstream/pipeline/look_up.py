"""Look up: what the history knows about the events of a batch. The one step with I/O.

Each function blocks until the history answers, and raises AuditStreamError when it cannot.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from auditstream.pipeline.actions import FORBIDDEN, Actions
from auditstream.pipeline.history import PAYLOAD, ROLE_KEY, History
from auditstream.store.columns import EVENT_SCHEMA, PAYLOAD_SCHEMA, Schema

ENTITY_KEY: Final = ("workspace_id", "entity_type", "entity_id")
ROLE_SCHEMA: Schema = {
    **dict.fromkeys(ROLE_KEY, pl.String),
    "occurred_at": EVENT_SCHEMA["occurred_at"],
    "kafka_offset": EVENT_SCHEMA["kafka_offset"],
    "role": pl.String,
}


def look_up_events(events: pl.DataFrame, history: History) -> pl.DataFrame:
    """Return the stored events that have an event id of the batch: columns `PAYLOAD`."""
    if events.is_empty():
        return pl.DataFrame(schema=PAYLOAD_SCHEMA)
    known = history.events_by_id(events["event_id"], events["event_id_minute"].unique())
    return known.select(PAYLOAD).cast(pl.Schema(PAYLOAD_SCHEMA))


def look_up_roles(events: pl.DataFrame, history: History, actions: Actions) -> pl.DataFrame:
    """Return the roles once held by those whose previous role the producer did not send.

    Columns: `ROLE_KEY`, `occurred_at`, `kafka_offset`, `role` (null: removed).
    """
    asking = events.select(
        *ENTITY_KEY, *subject(), "occurred_at", asked=lacks_previous_role(actions)
    ).filter("asked")
    keys = asking.group_by(ROLE_KEY).agg(since=pl.col("occurred_at").min())
    if keys.is_empty():
        return pl.DataFrame(schema=ROLE_SCHEMA)
    return history.roles(keys).select(list(ROLE_SCHEMA)).cast(pl.Schema(ROLE_SCHEMA))


def touches_role(actions: Actions) -> pl.Expr:
    """Return whether an event gives or removes a role."""
    gives = actions.fact("has_scale") & pl.col("role").is_not_null()
    return gives | actions.fact("is_removal")


def lacks_previous_role(actions: Actions) -> pl.Expr:
    """Return whether the role before an event is wanted and not told.

    It is wanted where the action could tell it, and where the highest role of all is given.
    """
    could_tell = actions.fact("previous_role") != FORBIDDEN
    highest = actions.rank(pl.col("role")) == actions.fact("highest_rank")
    wanted = touches_role(actions) & (could_tell | highest.fill_null(value=False))
    return wanted & pl.col("previous_role").is_null()


def subject() -> tuple[pl.Expr, pl.Expr]:
    """Return whose role it is: `subject_type` and `subject_id` as in `ROLE_KEY`."""
    kind = (
        pl.when(pl.col("member_id").is_not_null())
        .then(pl.lit("member"))
        .when(pl.col("group_id").is_not_null())
        .then(pl.lit("group"))
        .otherwise(pl.lit("everyone"))
    )
    name = pl.coalesce("member_id", "group_id", pl.lit(""))
    return kind.alias("subject_type"), name.alias("subject_id")
