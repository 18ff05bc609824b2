"""Avro schema resolution between two versions of a record, field by field.

Rules: https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
"""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import Any

import fastavro
from fastavro.utils import generate_many

Json = Any
SAMPLES = 40


def incompatibilities(writer: Json, reader: Json, path: str = "") -> list[str]:
    """Return what keeps data of the record `writer` from being read as the record `reader`."""
    problems = []
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        where = f"{path}{field['name']}"
        if field["name"] in written:
            problems += _field(written[field["name"]]["type"], field["type"], where)
        elif "default" not in field:
            problems.append(f"{where}: the reader needs it, the writer has none, and no default")
    return problems


def _field(writer: Json, reader: Json, where: str) -> list[str]:
    if _is_record(writer) and _is_record(reader):
        return incompatibilities(writer, reader, f"{where}.")
    sample = {"type": "record", "name": "Sample", "fields": [{"name": "value", "type": writer}]}
    target = {"type": "record", "name": "Sample", "fields": [{"name": "value", "type": reader}]}
    try:
        for value in islice(generate_many(fastavro.parse_schema(sample), SAMPLES), SAMPLES):
            datum = BytesIO()
            fastavro.schemaless_writer(datum, sample, value)
            datum.seek(0)
            fastavro.schemaless_reader(datum, sample, target)
    except Exception as error:  # noqa: BLE001  any failure to read is an incompatibility
        return [f"{where}: {type(error).__name__}: {error}"]
    return []


def _is_record(schema: Json) -> bool:
    return isinstance(schema, dict) and schema["type"] == "record"
