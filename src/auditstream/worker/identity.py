"""The identity of a topic: a topic that was deleted and made anew is another stream."""

from __future__ import annotations

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from auditstream.errors import ServiceUnavailableError


def stream_identity(admin: AdminClient, topic: str, timeout: float = 10.0) -> str:
    """Return "cluster id/topic/topic id", the key of the topic's watermarks.

    Blocks for `timeout` seconds at most.

    Raises:
        ServiceUnavailableError: the brokers did not answer, or there is no such topic.
    """
    try:
        cluster = admin.describe_cluster(request_timeout=timeout).result(timeout + 1)
        topics = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout)
        description = topics[topic].result(timeout + 1)
    except (KafkaException, TimeoutError) as error:
        raise ServiceUnavailableError(
            f"topic {topic} cannot be described: {error}; is Kafka up, and was the topic created?"
        ) from error
    return f"{cluster.cluster_id}/{topic}/{description.topic_id}"
