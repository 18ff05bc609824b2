"""Validate: events that do not meet the contract become rejects.

Whole columns are screened, so that no event that is wrong is missed; what is wrong with it, in
order and in words, says the check of a single event, which the producers' SDK shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from auditstream.contract.address import canonical_address
from auditstream.contract.check import UUID_PATTERN, check_event
from auditstream.contract.fields import Field, event_fields
from auditstream.contract.limits import EARLIEST, MAX_ITEMS
from auditstream.pipeline.actions import FORBIDDEN, REQUIRED, Actions
from auditstream.pipeline.datum import datum_of
from auditstream.pipeline.event_id import event_id_minute
from auditstream.pipeline.records import Batch
from auditstream.pipeline.rejects import Rejection, reject_frame, rejection

SUBJECTS: Final = {
    "member": "member_id",
    "group": "group_id",
    "role": "role",
    "previous_role": "previous_role",
}
"""Column that is null exactly where the subject field is absent."""


def validate(batch: Batch, actions: Actions, max_future_seconds: float) -> Batch:
    """Reject what does not meet the contract, and write the rest in one form.

    Roles and event ids are in lower case then, addresses as `ipaddress` writes them. Adds the
    columns `action_number` and `event_id_minute`.
    """
    events = batch.events.with_columns(action_number=actions.number())
    addresses = _addresses(events)
    latest = batch.now + timedelta(seconds=max_future_seconds)
    suspects = _suspects(events, _screens(events, actions, addresses, latest))
    rejections = list(_judge(suspects, actions, batch.now, max_future_seconds))
    if rejections:
        events = events.filter(~pl.col("row").is_in([item.row for item in rejections]))
    changed = {text: form for text, form in addresses.items() if form is not None and form != text}
    if changed:
        events = events.with_columns(pl.col("actor_ip").replace(changed))
    events = events.with_columns(pl.col("event_id", "role", "previous_role").str.to_lowercase())
    return replace(
        batch,
        events=events.with_columns(event_id_minute=event_id_minute()),
        rejects=pl.concat([batch.rejects, reject_frame(batch.records, rejections, batch.now)]),
    )


def _addresses(events: pl.DataFrame) -> dict[str, str | None]:
    texts = events["actor_ip"].unique().drop_nulls()
    return {text: canonical_address(text) for text in texts.to_list()}


def _suspects(events: pl.DataFrame, screens: list[pl.Expr]) -> pl.DataFrame:
    found = events.select(screen.any().alias(str(number)) for number, screen in enumerate(screens))
    caught = [
        screen for screen, any_caught in zip(screens, found.row(0), strict=True) if any_caught
    ]
    return events.filter(pl.any_horizontal(*caught)) if caught else events.clear()


def _screens(
    events: pl.DataFrame,
    actions: Actions,
    addresses: dict[str, str | None],
    latest: datetime,
) -> list[pl.Expr]:
    no_addresses = [text for text, form in addresses.items() if form is None]
    wrong_items = [row for name in ("changes", "metadata") for row in _item_suspects(events, name)]
    screens = [
        *_lengths(event_fields()),
        ~pl.col("event_id").str.contains(UUID_PATTERN),
        pl.col("action_number").is_null(),
        ~pl.col("occurred_at").is_between(EARLIEST, latest),
        pl.col("entity_type") != actions.fact("entity_type"),
        *(_presence(actions, name, column) for name, column in SUBJECTS.items()),
        _off_scale(actions, "role"),
        _off_scale(actions, "previous_role"),
    ]
    if no_addresses:
        screens.append(pl.col("actor_ip").is_in(no_addresses))
    if wrong_items:
        screens.append(pl.col("row").is_in(wrong_items))
    return screens


def _lengths(fields: tuple[Field, ...]) -> Iterator[pl.Expr]:
    for field in fields:
        if field.kind == "record":
            yield from _lengths(field.children)
        elif field.kind == "string":
            yield _wrong_length(pl.col(field.path.replace(".", "_")), field)
        elif field.kind == "array":
            yield pl.col(field.path).list.len() > MAX_ITEMS


def _wrong_length(text: pl.Expr, field: Field) -> pl.Expr:
    # A text has no more characters than bytes, and bytes need not be counted.
    return ~text.str.len_bytes().is_between(0 if field.may_be_empty else 1, field.max_length)


def _item_suspects(events: pl.DataFrame, name: str) -> list[int]:
    (field,) = (field for field in event_fields() if field.name == name)
    filled = events.select("row", name).filter(pl.col(name).list.len() > 0)
    if filled.is_empty():
        return []
    wrong = (_wrong_length(pl.col(name).struct.field(item.name), item) for item in field.children)
    return filled.explode(name).filter(pl.any_horizontal(*wrong))["row"].unique().to_list()


def _presence(actions: Actions, name: str, column: str) -> pl.Expr:
    rule, absent = actions.fact(name), pl.col(column).is_null()
    return ((rule == REQUIRED) & absent) | ((rule == FORBIDDEN) & ~absent)


def _off_scale(actions: Actions, role: str) -> pl.Expr:
    rank = actions.rank(pl.col(role).str.to_lowercase())
    return pl.col(role).is_not_null() & rank.is_null()


def _judge(
    suspects: pl.DataFrame, actions: Actions, now: datetime, max_future_seconds: float
) -> Iterator[Rejection]:
    rows = suspects.with_columns(pl.col("occurred_at").to_physical())
    for row in rows.iter_rows(named=True):
        event = datum_of(row)
        problems = check_event(event, actions.catalogue, now, max_future_seconds)
        if problems:
            known = all(problem.field != "event_id" for problem in problems)
            yield rejection(row["row"], problems, row["event_id"].lower() if known else None)
