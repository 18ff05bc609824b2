"""The topics of auditstream: made when they are missing, left alone when they are there."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from auditstream.errors import ServiceUnavailableError
from auditstream.kafka_config import kafka_config
from auditstream.settings import Settings

BROKER_DEFAULT: Final = -1
LOW_VOLUME_PARTITIONS: Final = 1


def ensure_topics(settings: Settings, partitions: int, timeout: float = 15.0) -> tuple[str, ...]:
    """Create the missing ones of the three topics; return the names of those created.

    The events topic gets `partitions` partitions and takes records well above the largest event,
    so that one that is too large is rejected with its reason instead of blocking its producer.
    Replication is the brokers' default. Blocks for about `timeout` seconds at most.

    Raises:
        ServiceUnavailableError: the brokers did not answer, or refused to create a topic.
    """
    largest = settings.max_event_bytes
    wanted = [
        _topic(settings.events_topic, partitions, 2 * largest),
        _topic(settings.alerts_topic, LOW_VOLUME_PARTITIONS, largest),
        _topic(settings.rejected_topic, LOW_VOLUME_PARTITIONS, 4 * largest),
    ]
    admin = AdminClient(kafka_config(settings) | {"log_level": 0})
    created = []
    for name, future in admin.create_topics(wanted, request_timeout=timeout).items():
        try:
            future.result(timeout + 1)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ServiceUnavailableError(
                    f"topic {name} could not be created on {settings.kafka_brokers}: "
                    f"{error.args[0].str()}"
                ) from error
        else:
            created.append(name)
    return tuple(created)


def _topic(name: str, partitions: int, largest: int) -> NewTopic:
    return NewTopic(name, partitions, BROKER_DEFAULT, config={"max.message.bytes": str(largest)})
