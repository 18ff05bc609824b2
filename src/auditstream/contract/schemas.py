"""Avro schemas of the contract and the ids under which they travel.

The wire format is Confluent's: a zero byte, the writer schema's id as a big-endian 32-bit integer,
then the Avro datum (https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format).
"""

from __future__ import annotations

import json
from functools import cache
from struct import Struct
from typing import Any, Final, Literal, TypeAlias

import fastavro
import yaml
from fastavro.types import Schema

from auditstream.contract.resources import resource

SchemaName: TypeAlias = Literal["audit_event", "alert", "rejected_event"]
JsonSchema: TypeAlias = dict[str, Any]

SCHEMA_NAMES: Final[tuple[SchemaName, ...]] = ("audit_event", "alert", "rejected_event")

FRAME: Final = Struct(">bI")
MAGIC: Final = 0


def schema_text(name: SchemaName) -> str:
    """Return the current schema `name` as it is shipped: Avro schema in JSON."""
    return resource(f"{name}.avsc").read_text(encoding="utf-8")


@cache
def load_schema(name: SchemaName) -> JsonSchema:
    """Return the current schema `name` as plain JSON; do not change it."""
    loaded: JsonSchema = json.loads(schema_text(name))
    return loaded


@cache
def parsed_schema(name: SchemaName) -> Schema:
    """Return the current schema `name` parsed by fastavro."""
    return fastavro.parse_schema(load_schema(name))


@cache
def shipped_schemas() -> dict[int, JsonSchema]:
    """Return every released writer schema by its fixed id, newest last for each name."""
    ids: dict[int, str] = yaml.safe_load(resource("schema_ids.yaml").read_text(encoding="utf-8"))
    return {
        number: json.loads(resource(path).read_text(encoding="utf-8"))
        for number, path in sorted(ids.items())
    }


@cache
def shipped_id(name: SchemaName) -> int:
    """Return the fixed id of the newest release of schema `name`."""
    record = load_schema(name)["name"]
    return max(number for number, schema in shipped_schemas().items() if schema["name"] == record)


def frame(schema_id: int, datum: bytes) -> bytes:
    """Prefix a datum with the 5 bytes of the Confluent wire format."""
    return FRAME.pack(MAGIC, schema_id) + datum
