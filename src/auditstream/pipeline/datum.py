"""Read one record at a time: slow, for records of another schema and for what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any, Final

import fastavro
from fastavro.types import Schema

from auditstream.contract.fields import Field, event_fields
from auditstream.contract.schemas import FRAME, JsonSchema, load_schema
from auditstream.errors import Problem

NO_CHOICE: Final = "it chooses a type or a symbol that is not there"


def read_datum(value: bytes, writer: Schema) -> dict[str, Any] | Problem:
    """Read the datum of a framed value into the columns of an event, or say what is wrong.

    `writer` is the writer schema as `parse_writer` returns it.
    """
    source = BytesIO(value)
    source.seek(FRAME.size)
    try:
        datum = fastavro.schemaless_reader(source, writer, _reader())
    except UnicodeDecodeError as error:
        return Problem("invalid_utf8", "", f"a string is not valid UTF-8: {error.reason}")
    except Exception as error:  # noqa: BLE001  (damaged bytes raise whatever they lead to)
        if isinstance(error, EOFError | IndexError) and source.tell() >= len(value):
            return Problem("truncated", "", "the datum ends before its schema does")
        text = NO_CHOICE if isinstance(error, IndexError) else f"{type(error).__name__}: {error}"
        return Problem("not_avro", "", f"the bytes are not a datum of the schema: {text}"[:500])
    if rest := len(value) - source.tell():
        return Problem("trailing_bytes", "", f"{rest} bytes follow after the end of the datum")
    return _flat(datum)


def parse_writer(schema: JsonSchema) -> Schema:
    """Parse a writer schema without its logical types.

    Raises:
        fastavro.schema.SchemaParseException, ValueError: it is not an Avro schema.
    """
    return fastavro.parse_schema(_without_logical_types(schema), named_schemas={})


@cache
def _reader() -> Schema:
    return parse_writer(load_schema("audit_event"))


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: value if key in ("default", "doc") else _without_logical_types(value)
            for key, value in schema.items()
            if key != "logicalType"
        }
    if isinstance(schema, list):
        return [_without_logical_types(item) for item in schema]
    return schema


def datum_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the datum that has these columns of an event: the way back of `read_datum`."""
    datum: dict[str, Any] = {}
    for field in event_fields():
        if field.kind == "record":
            values = {child.name: row[column(child)] for child in field.children}
            # What an optional record must say, its first field, is missing: so is the record.
            absent = field.nullable and values[field.children[0].name] is None
            datum[field.name] = None if absent else values
        else:
            datum[field.name] = row[field.path]
    return datum


def column(field: Field) -> str:
    """Return the name of the column of a field."""
    return field.path.replace(".", "_")


def _flat(datum: Any) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in event_fields():
        value = datum[field.name]
        if field.kind == "record":
            for child in field.children:
                row[column(child)] = None if value is None else value[child.name]
        else:
            row[field.path] = value
    return row
