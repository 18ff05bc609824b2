"""Settings in librdkafka's words."""

from __future__ import annotations

from auditstream.kafka_config import kafka_config
from auditstream.settings import load_settings


def test_plain_connection_names_no_credentials() -> None:
    """Without SASL neither mechanism nor user is there, whatever is set."""
    config = kafka_config(load_settings(kafka_brokers="a:1,b:2", kafka_username="u"))
    assert config == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "PLAINTEXT",
        "client.id": "auditstream",
    }


def test_sasl_over_tls() -> None:
    """User, password, mechanism and certificates reach the client."""
    config = kafka_config(
        load_settings(
            kafka_security_protocol="SASL_SSL",
            kafka_sasl_mechanism="PLAIN",
            kafka_username="u",
            kafka_password="p",
            kafka_ca_file="ca.pem",
        )
    )
    assert config["sasl.mechanism"] == "PLAIN"
    assert (config["sasl.username"], config["sasl.password"]) == ("u", "p")
    assert config["ssl.ca.location"] == "ca.pem"
