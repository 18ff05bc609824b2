from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient

from auditstream.alerts.topics import ensure_topics
from auditstream.embedded import Broker
from auditstream.embedded.ports import free_port
from auditstream.errors import ServiceUnavailableError
from auditstream.kafka_config import kafka_config
from auditstream.settings import load_settings


def test_missing_topics_are_made_once(broker: Broker) -> None:
    """The first call makes all three with the partitions asked for, the second none."""
    settings = load_settings(
        kafka_brokers=broker.bootstrap,
        events_topic="made.events",
        alerts_topic="made.alerts",
        rejected_topic="made.rejected",
    )
    assert set(ensure_topics(settings, 5)) == {"made.events", "made.alerts", "made.rejected"}
    assert ensure_topics(settings, 7) == ()
    topics = AdminClient(kafka_config(settings)).list_topics(timeout=10).topics
    assert len(topics["made.events"].partitions) == 5
    assert len(topics["made.alerts"].partitions) == 1


def test_absent_broker_is_told_with_its_address() -> None:
    """Without a broker the error names the address, within the time given."""
    settings = load_settings(kafka_brokers=f"127.0.0.1:{free_port()}")
    with pytest.raises(ServiceUnavailableError, match=settings.kafka_brokers):
        ensure_topics(settings, 1, timeout=1.0)
