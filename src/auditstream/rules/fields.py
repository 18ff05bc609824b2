"""Fields of an event that a rule may speak of, and the values they can have."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

import polars as pl

from auditstream.contract.catalogue import SEVERITIES, Catalogue
from auditstream.contract.fields import Field, event_fields
from auditstream.rules.tree import Change, Column, Kind, Metadata, Source
from auditstream.store.columns import EVENT_SCHEMA, EVENTS

METADATA: Final = "metadata."
CHANGES: Final = "changes."

_NOT_THE_SAME: Final = {
    "ingested_at": "it differs between stream and table: an append gives all its rows one value",
    "event_id_minute": "it is a search aid of the table; use occurred_at",
}
_KINDS: Final[dict[type, Kind]] = {
    pl.String: "text",
    pl.Boolean: "boolean",
    pl.Datetime: "time",
    pl.Float32: "real",
}


class FieldError(ValueError):
    """There is no such field; says why."""


@cache
def columns() -> dict[str, Column]:
    """Return the columns of which a rule may speak, by name."""
    found = {}
    for name, dtype in EVENT_SCHEMA.items():
        kind = "integer" if dtype.is_integer() else _KINDS.get(dtype.base_type())
        if kind is not None and name not in _NOT_THE_SAME:
            found[name] = Column(name, kind)
    return found


def text_columns() -> frozenset[str]:
    """Return the names of the columns of text."""
    return frozenset(name for name, column in columns().items() if column.kind == "text")


def source_of(name: str) -> Source:
    """Return what a field of a rule reads.

    Raises:
        FieldError: there is no such field.
    """
    if column := columns().get(name):
        return column
    if name.startswith(METADATA) and name != METADATA:
        return Metadata(name.removeprefix(METADATA))
    if name.startswith(CHANGES):
        field, _, side = name.removeprefix(CHANGES).rpartition(".")
        if field and side == "old":
            return Change(field, "old")
        if field and side == "new":
            return Change(field, "new")
        raise FieldError(f"{name}: write changes.<field>.old or changes.<field>.new")
    if name in _NOT_THE_SAME:
        raise FieldError(f"{name} is not for rules: {_NOT_THE_SAME[name]}")
    raise FieldError(f"{name} is not a field: a column of events, or metadata.<key>")


def metadata_key(name: str) -> str | None:
    """Return the key of which a field is the metadata, None for another field."""
    return name.removeprefix(METADATA) or None if name.startswith(METADATA) else None


def never_absent(column: Column) -> bool:
    """Return whether events always have a value in the column."""
    if column.kind == "text":
        return column.name in _always_there()
    return not EVENTS[column.name].nullable


def domain(column: Column, catalogue: Catalogue) -> frozenset[str] | None:
    """Return all values that a column of text can have, None when they are not known."""
    actions = catalogue.actions.values()
    roles = frozenset(role for action in actions for role in action.roles)
    known: dict[str, frozenset[str]] = {
        "action": frozenset(catalogue.actions),
        "category": frozenset(action.category for action in actions),
        "description": frozenset(action.description for action in actions),
        "entity_type": frozenset(action.entity_type for action in actions),
        "severity": frozenset(SEVERITIES),
        "role": roles,
        "previous_role": roles,
        "previous_role_origin": frozenset({"producer", "history", ""}),
    }
    return known.get(column.name) or _symbols().get(column.name)


@cache
def _symbols() -> dict[str, frozenset[str]]:
    return {
        field.path.replace(".", "_"): frozenset(field.symbols)
        for field in _flat(event_fields())
        if field.kind == "enum"
    }


@cache
def _always_there() -> frozenset[str]:
    required = {
        field.path.replace(".", "_")
        for field in _flat(event_fields())
        if field.kind in ("string", "enum") and not field.nullable and not field.may_be_empty
    }
    enriched = {"category", "severity", "description", "sentence", "stream", "kafka_topic"}
    return frozenset((required | enriched) & {*EVENTS}) - {
        name for name, column in EVENTS.items() if column.nullable
    }


def _flat(fields: tuple[Field, ...]) -> Iterator[Field]:
    for field in fields:
        if field.kind == "record":
            yield from _flat(field.children)
        else:
            yield field
