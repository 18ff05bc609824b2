"""How to reach Kafka, in librdkafka's words."""

from __future__ import annotations

from typing import Any

from auditstream.settings import Settings


def kafka_config(settings: Settings) -> dict[str, Any]:
    """Return the librdkafka configuration that every client of these settings shares.

    It holds the address and the credentials; what a producer, consumer or admin client needs
    besides is its own affair. The password is in plain text: do not print the result.
    """
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_brokers,
        "security.protocol": settings.kafka_security_protocol,
        "client.id": "auditstream",
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        config["sasl.mechanism"] = settings.kafka_sasl_mechanism
        if settings.kafka_username is not None:
            config["sasl.username"] = settings.kafka_username
        if settings.kafka_password is not None:
            config["sasl.password"] = settings.kafka_password.get_secret_value()
    if settings.kafka_ca_file is not None:
        config["ssl.ca.location"] = str(settings.kafka_ca_file)
    return config
