"""Writer schemas by the id that stands in a record's frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from fastavro.schema import SchemaParseException
from fastavro.types import Schema

from auditstream.contract.schemas import JsonSchema, load_schema
from auditstream.errors import Problem
from auditstream.pipeline.datum import parse_writer

SchemaSource: TypeAlias = Callable[[int], JsonSchema | None]
"""Returns the writer schema of an id, None when there is none; may block, and raise
AuditStreamError when that cannot be known."""


UNUSABLE: Final = (SchemaParseException, ValueError, TypeError, KeyError, AttributeError)
"""What may be raised over JSON that is not an Avro schema."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A writer schema, parsed; `current` when its datums have the form of the current schema."""

    schema: Schema
    current: bool


class Writers:
    """Finds writer schemas and remembers them: an id stands for one schema for ever."""

    def __init__(self, schemas: SchemaSource) -> None:
        self._schemas = schemas
        self._known: dict[int, Writer] = {}

    def find(self, schema_id: int) -> Writer | Problem:
        """Return the writer schema of an id, or why there is none that can be used.

        Blocks where the source of schemas does, and raises what it raises.
        """
        writer = self._known.get(schema_id)
        if writer is not None:
            return writer
        schema = self._schemas(schema_id)
        if schema is None:
            return _unknown(f"no schema is known under the id {schema_id}")
        current = load_schema("audit_event")
        if _name(schema) != current["name"]:
            return _unknown(f"the schema under the id {schema_id} is not one of an audit event")
        try:
            writer = Writer(parse_writer(schema), _form(schema) == _form(current))
        except UNUSABLE as error:
            return _unknown(f"the schema under the id {schema_id} cannot be used: {error}")
        self._known[schema_id] = writer
        return writer


def _unknown(message: str) -> Problem:
    return Problem("unknown_schema", "", message)


def _name(schema: Any) -> str:
    return str(schema.get("name")).rpartition(".")[2] if isinstance(schema, dict) else ""


def _form(schema: Any) -> Any:
    """Strip what has no bearing on how a datum is read."""
    if isinstance(schema, list):
        return [_form(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    form = {key: schema[key] for key in ("type", "name", "symbols", "size") if key in schema}
    if "name" in form:
        form["name"] = form["name"].rpartition(".")[2]
    form["type"] = _form(schema["type"])
    if "items" in schema:
        form["items"] = _form(schema["items"])
    if "fields" in schema:
        form["fields"] = [_form(field) for field in schema["fields"]]
    return form["type"] if form.keys() == {"type"} and isinstance(form["type"], str) else form
