"""The Kafka producer that settings make."""

from __future__ import annotations

import ssl

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from auditstream.publish.config import PublishSettings, SecurityProtocol
from auditstream.publish.producer import describe, new_producer


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_security(protocol: SecurityProtocol) -> None:
    """Librdkafka understands every way to talk to a broker."""
    settings = PublishSettings(
        service="billing",
        kafka_brokers="127.0.0.1:1",
        kafka_security_protocol=protocol,
        kafka_username="ana",
        kafka_password="secret",
        kafka_ca_file=None,
    )
    assert isinstance(new_producer(settings, lambda _: None), Producer)


def test_wrong_ca_file() -> None:
    """A file that holds no certificates is an error of librdkafka, in words."""
    settings = PublishSettings(
        service="billing",
        kafka_security_protocol="SSL",
        kafka_ca_file=ssl.__file__,  # type: ignore[arg-type]
    )
    with pytest.raises(KafkaException) as caught:
        new_producer(settings, lambda _: None)
    assert "ssl.ca.location" in describe(caught.value)


def test_words_of_errors() -> None:
    """Errors are told without librdkafka's decoration."""
    error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large")
    assert describe(error) == describe(KafkaException(error)) == "too large"
    assert describe(ValueError("other")) == "other"
