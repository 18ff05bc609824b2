"""Under which id a writer schema travels."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeAlias

from auditstream.contract.schemas import shipped_schemas
from auditstream.errors import ConfigurationError, ContractError, ServiceUnavailableError

SchemaIds: TypeAlias = Callable[[str, str], int]
"""From a topic and a writer schema, as JSON, to the schema's id in the frame. May block; raises
ServiceUnavailableError when the answer cannot be had now."""

_SECONDS = 5.0


def shipped_ids(topic: str, schema: str) -> int:
    """Return the fixed id of a released schema; does not block.

    Raises:
        ContractError: the schema is not among the released ones.
    """
    del topic
    wanted = json.loads(schema)
    for number, released in shipped_schemas().items():
        if released == wanted:
            return number
    raise ContractError(f"their schema {wanted.get('name')} is not one of this release")


def registry_ids(url: str) -> SchemaIds:
    """Return ids from the Confluent-compatible schema registry at `url`.

    A schema is looked up under the subject `<topic>-value`, and registered if it is not there.

    Raises:
        ConfigurationError: the registry client is not installed, or the URL is wrong.
    """
    try:
        from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
        from confluent_kafka.schema_registry.error import SchemaRegistryError
    except ImportError as error:
        raise ConfigurationError(
            "AUDITSTREAM_SCHEMA_REGISTRY_URL is set, and the registry's client is not installed: "
            "pip install 'auditstream[registry]'"
        ) from error
    try:
        client = SchemaRegistryClient({"url": url, "timeout": _SECONDS, "max.retries": 0})
    except ValueError as error:
        raise ConfigurationError(f"AUDITSTREAM_SCHEMA_REGISTRY_URL: {error}") from error

    def schema_id(topic: str, schema: str) -> int:
        subject, wanted = f"{topic}-value", Schema(schema, "AVRO")
        try:
            try:
                return client.lookup_schema(subject, wanted).schema_id or 0
            except SchemaRegistryError as error:
                if error.http_status_code != HTTPStatus.NOT_FOUND:
                    raise
                return client.register_schema(subject, wanted)
        except Exception as error:  # what it raises is its HTTP library's, which changes
            raise ServiceUnavailableError(
                f"schema registry {url} gave no id for subject {subject}: {error}"
            ) from error

    return schema_id
