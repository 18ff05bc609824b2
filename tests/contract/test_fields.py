"""The fields of an event by path."""

from __future__ import annotations

from collections.abc import Iterator

from auditstream.contract.fields import Field, event_fields
from auditstream.contract.limits import ITEM_LENGTH, MAX_LENGTH


def walk(fields: tuple[Field, ...]) -> Iterator[Field]:
    for field in fields:
        yield field
        yield from walk(field.children)


def test_every_string_has_a_bound() -> None:
    """Every string of the schema has a longest length, and no bound is for nothing."""
    strings = {field.path: field.max_length for field in walk(event_fields())}
    bounds = {path: length for path, length in strings.items() if length}
    assert bounds == MAX_LENGTH | ITEM_LENGTH


def test_kinds() -> None:
    """Records, arrays, enums and optional fields are told apart."""
    fields = {field.path: field for field in walk(event_fields())}
    assert fields["actor"].kind == "record"
    assert not fields["actor"].nullable
    assert fields["member"].nullable
    assert fields["member.id"].kind == "string"
    assert fields["actor.type"].symbols[0] == "unknown"
    assert fields["changes"].kind == "array"
    assert fields["occurred_at"].kind == "long"
