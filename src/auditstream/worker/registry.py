"""Writer schemas from a Confluent-compatible schema registry."""

from __future__ import annotations

import json

from auditstream.contract.schemas import JsonSchema
from auditstream.errors import ConfigurationError, ServiceUnavailableError
from auditstream.pipeline.writers import SchemaSource
from auditstream.settings import Settings

UNKNOWN_SCHEMA = 40_403
"""The registry's error code for a schema id that it does not have."""


def schema_source(settings: Settings) -> SchemaSource | None:
    """Return the source of writer schemas, None where the shipped ids hold.

    The source blocks while it asks the registry, once for each id that is known.

    Raises:
        ConfigurationError: a registry is set, and its client is not installed.
    """
    url = settings.schema_registry_url
    if url is None:
        return None
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient
        from confluent_kafka.schema_registry.error import SchemaRegistryError
    except ImportError as error:
        raise ConfigurationError(
            "AUDITSTREAM_SCHEMA_REGISTRY_URL needs: pip install 'auditstream[registry]'"
        ) from error
    client = SchemaRegistryClient({"url": url})

    def schema_by_id(schema_id: int) -> JsonSchema | None:
        try:
            text = client.get_schema(schema_id).schema_str
        except SchemaRegistryError as error:
            if error.error_code == UNKNOWN_SCHEMA or error.http_status_code == 404:
                return None
            raise ServiceUnavailableError(f"schema registry {url}: {error}") from error
        except OSError as error:
            raise ServiceUnavailableError(f"schema registry {url}: {error}") from error
        except Exception as error:
            raise ServiceUnavailableError(f"schema registry {url}: {error!r}") from error
        schema: JsonSchema = json.loads(text or "{}")
        return schema

    return schema_by_id
