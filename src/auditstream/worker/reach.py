"""Whether Kafka answers, asked before a worker starts."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from auditstream.errors import ServiceUnavailableError
from auditstream.kafka_config import kafka_config
from auditstream.settings import Settings

ANSWER_SECONDS: Final = 10.0


def reach_kafka(settings: Settings, within: float = ANSWER_SECONDS) -> None:
    """Ask the brokers for their topics; blocks for `within` seconds at most.

    Faust ends with a traceback when it does not reach them at its start.

    Raises:
        ServiceUnavailableError: no broker answered; the message has the address and a reason.
    """
    reasons: list[KafkaError] = []
    quiet = {"log_level": 0, "error_cb": reasons.append}
    admin = AdminClient(kafka_config(settings) | quiet)
    try:
        admin.list_topics(timeout=within)
    except KafkaException as error:
        admin.poll(0)
        reason = (reasons or list(error.args))[0].str()
        raise ServiceUnavailableError(
            f"Kafka at {settings.kafka_brokers} does not answer: {reason}"
        ) from error
