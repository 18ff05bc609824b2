"""The fields of an event as the schema and the bounds describe them, by path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, TypeAlias

from auditstream.contract.limits import ITEM_LENGTH, MAX_LENGTH, MAY_BE_EMPTY
from auditstream.contract.schemas import JsonSchema, load_schema

Kind: TypeAlias = Literal["string", "long", "enum", "record", "array"]

MAY_BE_EMPTY_ITEMS: Final = frozenset({"changes.old", "changes.new", "metadata.value"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `path` within the event, its kind, and for a string its bounds.

    `children` are the fields of a record, or of the items of an array.
    """

    path: str
    name: str
    kind: Kind
    nullable: bool
    has_default: bool
    max_length: int = 0
    may_be_empty: bool = False
    symbols: tuple[str, ...] = ()
    children: tuple[Field, ...] = ()


@cache
def event_fields() -> tuple[Field, ...]:
    """Return the fields of an event in the order of the schema."""
    return _fields(load_schema("audit_event"), "", MAX_LENGTH, MAY_BE_EMPTY)


def _fields(
    record: JsonSchema, prefix: str, lengths: Mapping[str, int], may_be_empty: frozenset[str]
) -> tuple[Field, ...]:
    fields = []
    for entry in record["fields"]:
        path = prefix + entry["name"]
        schema: Any = entry["type"]
        nullable = isinstance(schema, list)
        if nullable:
            (schema,) = (branch for branch in schema if branch != "null")
        kind = schema["type"] if isinstance(schema, dict) else schema
        children: tuple[Field, ...] = ()
        if kind == "record":
            children = _fields(schema, path + ".", lengths, may_be_empty)
        elif kind == "array":
            children = _fields(schema["items"], path + ".", ITEM_LENGTH, MAY_BE_EMPTY_ITEMS)
        fields.append(
            Field(
                path=path,
                name=entry["name"],
                kind=kind,
                nullable=nullable,
                has_default="default" in entry,
                max_length=lengths[path] if kind == "string" else 0,
                may_be_empty=path in may_be_empty,
                symbols=tuple(schema["symbols"]) if kind == "enum" else (),
                children=children,
            )
        )
    return tuple(fields)
