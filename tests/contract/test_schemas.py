"""The Avro schemas: released versions stay readable, ids stay what they are."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from auditstream.contract.limits import ITEM_LENGTH, MAX_LENGTH
from auditstream.contract.schemas import (
    FRAME,
    SCHEMA_NAMES,
    SchemaName,
    frame,
    load_schema,
    shipped_id,
    shipped_schemas,
)
from tests.contract.compatibility import incompatibilities

RELEASED = sorted(shipped_schemas().items())


def current(released: dict[str, Any]) -> dict[str, Any]:
    """The current schema of a released one."""
    return next(
        load_schema(name) for name in SCHEMA_NAMES if load_schema(name)["name"] == released["name"]
    )


@pytest.mark.parametrize(("number", "released"), RELEASED, ids=lambda item: str(item)[:4])
def test_released_schema_resolves_both_ways(number: int, released: dict[str, Any]) -> None:
    """What a released schema wrote is read today, and what is written today is read by it."""
    assert incompatibilities(released, current(released)) == []
    assert incompatibilities(current(released), released) == []


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_newest_release_is_the_current_schema(name: SchemaName) -> None:
    """What is shipped under the newest id is the schema that is used."""
    assert shipped_schemas()[shipped_id(name)] == load_schema(name)


def drop_default(schema: dict[str, Any]) -> None:
    """A field without a default is added."""
    schema["fields"].append({"name": "tenant", "type": "string"})


def rename(schema: dict[str, Any]) -> None:
    """A field without a default is renamed."""
    schema["fields"][3]["name"] = "workspace"


def retype(schema: dict[str, Any]) -> None:
    """A field changes its type."""
    schema["fields"][2]["type"] = "string"


def nested(schema: dict[str, Any]) -> None:
    """A nested field changes its type."""
    entity = next(field for field in schema["fields"] if field["name"] == "entity")
    entity["type"]["fields"][1]["type"] = "long"


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (drop_default, "tenant"),
        (rename, "workspace"),
        (retype, "occurred_at"),
        (nested, "entity.id"),
    ],
)
def test_incompatible_edit_is_named(edit: Callable[[dict[str, Any]], None], named: str) -> None:
    """An edit that breaks a reader or a writer is found, and its field is named."""
    edited = copy.deepcopy(load_schema("audit_event"))
    edit(edited)
    released = shipped_schemas()[shipped_id("audit_event")]
    found = incompatibilities(released, edited) + incompatibilities(edited, released)
    assert any(problem.startswith(f"{named}:") for problem in found), found


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_field_is_documented(name: SchemaName) -> None:
    """Every field, nested ones too, says what it is."""
    records = [load_schema(name)]
    while records:
        for field in records.pop()["fields"]:
            assert field.get("doc"), field["name"]
            kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
            for kind in kinds:
                if isinstance(kind, dict):
                    inner = kind.get("items", kind)
                    records += [inner] if inner["type"] == "record" else []


def test_every_string_has_a_bound() -> None:
    """Each string of an event, nested ones too, has a longest length."""
    assert set(MAX_LENGTH) | set(ITEM_LENGTH) == set(strings(load_schema("audit_event")))


def strings(record: dict[str, Any], path: str = "") -> list[str]:
    """The paths of the strings of a record."""
    found = []
    for field in record["fields"]:
        kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
        for kind in kinds:
            inner = kind.get("items", kind) if isinstance(kind, dict) else kind
            if inner == "string" or (isinstance(inner, dict) and inner["type"] == "string"):
                found.append(path + field["name"])
            elif isinstance(inner, dict) and inner["type"] == "record":
                found += strings(inner, f"{path}{field['name']}.")
    return found


def test_frame() -> None:
    """A frame is a zero byte and the id as a big-endian 32-bit integer."""
    assert frame(1001, b"datum") == b"\x00\x00\x00\x03\xe9datum"
    assert FRAME.size == 5
