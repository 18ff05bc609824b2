"""The Kafka producer of the sender, and what its errors mean."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from auditstream.contract.limits import MAX_EVENT_BYTES
from auditstream.publish.config import PublishSettings

WINDOW_EVENTS: Final = 5_000
WINDOW_BYTES: Final = 16 * 1024 * 1024

_POLL_SECONDS: Final = 0.1

PURGED: Final = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
"""Codes of events that were taken back: their outcome is unknown."""

REFUSED: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})
"""Codes that say that the broker will never take an event of the batch."""

LOG = logging.getLogger("auditstream.publish")


class _QuietLog:
    """Takes what librdkafka logs: the sender logs itself what has come of it."""

    def log(self, level: int, message: str, *values: object) -> None:
        del level
        LOG.debug(message, *values)


def new_producer(settings: PublishSettings, on_error: Callable[[KafkaError], None]) -> Producer:
    """Return a producer that keeps the order of each partition, whatever happens.

    It never gives an event up by itself: it repeats until the broker has answered. Where the
    broker's answer would leave a gap, it stops for good (gapless guarantee) instead of sending
    what follows.
    """
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_brokers,
        "security.protocol": settings.kafka_security_protocol,
        "client.id": f"auditstream-{settings.service}",
        "enable.idempotence": True,
        "enable.gapless.guarantee": True,
        "acks": "all",
        "message.timeout.ms": 0,
        "compression.type": "zstd",
        "linger.ms": 5,
        # The same partition for a workspace as Java's producers choose.
        "partitioner": "murmur2_random",
        "message.max.bytes": 2 * MAX_EVENT_BYTES,
        "queue.buffering.max.messages": 2 * WINDOW_EVENTS,
        "queue.buffering.max.kbytes": 4 * WINDOW_BYTES // 1024,
        "reconnect.backoff.max.ms": 2_000,
        "error_cb": on_error,
        "logger": _QuietLog(),
        "log_level": 2,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        config["sasl.mechanism"] = settings.kafka_sasl_mechanism
    if settings.kafka_username is not None:
        config["sasl.username"] = settings.kafka_username
    if settings.kafka_password is not None:
        config["sasl.password"] = settings.kafka_password
    if settings.kafka_ca_file is not None:
        config["ssl.ca.location"] = str(settings.kafka_ca_file)
    return Producer(config)


def take_back(producer: Producer, seconds: float) -> None:
    """Take back what was not sent yet, and wait up to `seconds` for the answers to the rest."""
    producer.purge(in_flight=False)
    end = time.monotonic() + seconds
    while len(producer) and time.monotonic() < end:
        try:
            producer.poll(_POLL_SECONDS)
        except (KafkaException, SystemError) as error:
            # A fatal error is raised between the callbacks, which go on at the next poll.
            LOG.debug("the producer ended with %s", error)


def answers(producer: Producer, topic: str) -> bool:
    """Return whether the broker tells of a topic within a second."""
    try:
        producer.list_topics(topic, timeout=1.0)
    except KafkaException:
        return False
    return True


def describe(error: Exception | KafkaError) -> str:
    """Return an error in words, without the decoration of librdkafka's."""
    if isinstance(error, KafkaException) and isinstance(error.args[0], KafkaError):
        return error.args[0].str()
    return error.str() if isinstance(error, KafkaError) else str(error)
