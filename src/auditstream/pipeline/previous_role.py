"""The role somebody held before an event, where the producer did not send it."""

from __future__ import annotations

from typing import Final

import polars as pl

from auditstream.pipeline.actions import Actions
from auditstream.pipeline.history import ROLE_KEY
from auditstream.pipeline.look_up import ENTITY_KEY, lacks_previous_role, subject, touches_role

REMOVED: Final = ""


def with_previous_role(events: pl.DataFrame, known: pl.DataFrame, actions: Actions) -> pl.DataFrame:
    """Fill `previous_role` from the past and add `previous_role_origin`.

    The past is `known` (as `look_up_roles` returns it) and the events of the batch itself, in
    the order of `occurred_at`, then offset; of the batch only actions that succeeded count. The
    origin is "producer", "history", or "" where no role is known.
    """
    origin = pl.when(pl.col("previous_role").is_not_null()).then(pl.lit("producer"))
    events = events.with_columns(previous_role_origin=origin.otherwise(pl.lit("")))
    found = _last_roles(events, known, actions)
    if found.is_empty():
        return events
    last = events.select("row").join(found, on="row", how="left", maintain_order="left")
    origin = pl.when(pl.col("last_role").is_not_null()).then(pl.lit("history"))
    return (
        events.with_columns(last["last_role"])
        .with_columns(
            pl.coalesce("previous_role", "last_role").alias("previous_role"),
            previous_role_origin=origin.otherwise("previous_role_origin"),
        )
        .drop("last_role")
    )


def _last_roles(events: pl.DataFrame, known: pl.DataFrame, actions: Actions) -> pl.DataFrame:
    touched = events.select(
        "row",
        *ENTITY_KEY,
        *subject(),
        "occurred_at",
        "kafka_offset",
        "role",
        asked=lacks_previous_role(actions),
        counts=pl.col("outcome") == "success",
        touches=touches_role(actions),
    ).filter("touches")
    asked = touched.filter("asked").select(ROLE_KEY).unique()
    if asked.is_empty():
        return pl.DataFrame(schema={"row": pl.UInt32, "last_role": pl.String})
    # An event that is in the past already does not come before itself: the batch sorts first.
    past = known.with_columns(row=pl.lit(None, pl.UInt32), asked=False, counts=True)
    roles = pl.concat([touched, past], how="diagonal").join(asked, on=ROLE_KEY, how="semi")
    places = roles.sort("occurred_at", "kafka_offset", maintain_order=True).with_row_index("place")
    held = places.filter("counts").select(
        "place", *ROLE_KEY, last_role=pl.col("role").fill_null(REMOVED)
    )
    return (
        places.filter("asked")
        .join_asof(held, on="place", by=ROLE_KEY, allow_exact_matches=False, check_sortedness=False)
        .filter(pl.col("last_role") != REMOVED)
        .select("row", "last_role")
    )
