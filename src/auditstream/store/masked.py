"""The events as those see them who may not see addresses and mail."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from typing import Final

from auditstream.store.connection import Store
from auditstream.store.sql import literal

MASKS: Final = {
    "actor_ip": r"replaceRegexpOne({0}, '^((\\d+\\.)|([0-9a-f]*:)){{2}}', '*')",
    "actor_email": "replaceRegexpOne({0}, '^[^@]*', '*')",
    "member_email": "replaceRegexpOne({0}, '^[^@]*', '*')",
}
"""Columns that only an investigator may see, and what others see of them."""

VIEW: Final = "events_masked"
COMMENT: Final = (
    "Events with the host of each address and the name in each mail address masked, for those who "
    "may not read these columns of events."
)


def apply_masked_view(store: Store) -> None:
    """Make the view `events_masked`, or make it follow the columns and comments of events.

    Changes nothing when it does already. Blocks for some milliseconds. The view reads events with
    the rights of who made it, so that reading it takes no right to the columns it masks; a row
    policy has to name the view itself.
    """
    columns = _columns(store, "events")
    if columns == _columns(store, VIEW):
        return
    declared = ", ".join(f"{name} {kind} COMMENT {literal(text)}" for name, kind, text in columns)
    shown = ", ".join(
        f"{MASKS[name].format(f'e.{name}')} AS {name}" if name in MASKS else f"e.{name} AS {name}"
        for name, _, _ in columns
    )
    store.command(
        f"CREATE OR REPLACE VIEW {store.database}.{VIEW} ({declared}) "
        "DEFINER = CURRENT_USER SQL SECURITY DEFINER "
        f"AS SELECT {shown} FROM {store.database}.events AS e COMMENT {literal(COMMENT)}"
    )


def _columns(store: Store, table: str) -> list[tuple[str, str, str]]:
    found = store.query_frame(
        "SELECT name, type, comment FROM system.columns WHERE database = {database:String} "
        "AND table = {table:String} AND default_kind != 'MATERIALIZED' ORDER BY position",
        {"database": store.database, "table": table},
    )
    return [(name, kind, comment) for name, kind, comment in found.rows()]
