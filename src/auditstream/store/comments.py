"""Comments that list what the catalogue holds, on the columns that take it."""

from __future__ import annotations

from auditstream.contract.catalogue import Catalogue
from auditstream.store.connection import Store
from auditstream.store.sql import literal


def apply_comments(store: Store, catalogue: Catalogue) -> None:
    """Put the catalogue's actions, categories, entity types and roles into the comments of events.

    Changes only comments that differ. Blocks for some milliseconds.
    """
    present = read_comments(store, "events")
    changes = [
        f"COMMENT COLUMN {name} {literal(comment)}"
        for name, comment in column_comments(catalogue).items()
        if present.get(name) != comment
    ]
    if changes:
        store.command(f"ALTER TABLE {store.database}.events {', '.join(changes)}")


def column_comments(catalogue: Catalogue) -> dict[str, str]:
    """Return the comments of the columns whose values the catalogue lists."""
    actions = catalogue.actions.values()
    described = ", ".join(f"{action.name} ({action.description})" for action in actions)
    categories = ", ".join(f"{item.name} ({item.title})" for item in catalogue.categories.values())
    entity_types = ", ".join(sorted({action.entity_type for action in actions}))
    scales = "; ".join(
        f"{name}: {', '.join(roles)}" for name, roles in catalogue.role_scales.items()
    )
    return {
        "action": f"What was done: {described}.",
        "category": f"Category of the action: {categories}.",
        "entity_type": f"Kind of thing that was acted on: {entity_types}.",
        "role": f"Role given, or in force after the action; scales from least to most: {scales}.",
    }


def read_comments(store: Store, table: str) -> dict[str, str]:
    """Return the comments of a table's columns by name. Blocks; raises what `Store` raises."""
    found = store.query_frame(
        "SELECT name, comment FROM system.columns "
        "WHERE database = {database:String} AND table = {table:String} ORDER BY position",
        {"database": store.database, "table": table},
    )
    return dict(found.rows())
