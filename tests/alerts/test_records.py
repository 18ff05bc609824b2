from __future__ import annotations

import pytest
from confluent_kafka import Consumer, TopicPartition

from auditstream.alerts.records import Record, count_ahead, read_topic, send_records
from auditstream.embedded.ports import free_port
from auditstream.errors import ServiceUnavailableError
from auditstream.kafka_config import kafka_config
from auditstream.settings import Settings, load_settings


def test_everything_sent_is_read_as_it_was(settings: Settings) -> None:
    """Keys, values, missing ones and large ones come back, in order within a key."""
    sent = [Record(f"k{n % 5}".encode(), f"v{n}".encode()) for n in range(3_000)]
    odd = [Record(None, b"no key"), Record(b"no value", None), Record(b"big", b"x" * 1_500_000)]
    assert send_records(settings, settings.events_topic, [*sent, *odd]) == 3_003
    read = list(read_topic(settings, settings.events_topic))
    assert len(read) == 3_003
    assert {(r.key, r.value) for r in odd} <= {(r.key, r.value) for r in read}
    for key in (b"k0", b"k4"):
        assert [r.value for r in read if r.key == key] == [r.value for r in sent if r.key == key]
        assert len({r.partition for r in read if r.key == key}) == 1


def test_reading_ends_on_an_empty_topic(settings: Settings) -> None:
    """A topic without records is read to its end at once."""
    assert list(read_topic(settings, settings.events_topic)) == []


def test_unknown_topic_is_told(settings: Settings) -> None:
    """Reading a topic that is not there says so."""
    with pytest.raises(ServiceUnavailableError, match=r"no topic absent"):
        list(read_topic(settings, "absent", timeout=2.0))


def test_record_that_kafka_refuses_is_told(settings: Settings) -> None:
    """A record beyond the client's bound raises instead of being lost in silence."""
    large = Record(b"k", b"x" * (17 * settings.max_event_bytes))
    with pytest.raises(ServiceUnavailableError, match=settings.events_topic):
        send_records(settings, settings.events_topic, [large])


def test_absent_broker_is_told_on_both_ways() -> None:
    """Without a broker sending and reading give up within the time given."""
    settings = load_settings(kafka_brokers=f"127.0.0.1:{free_port()}")
    with pytest.raises(ServiceUnavailableError, match=settings.kafka_brokers):
        send_records(settings, "t", [Record(b"k", b"v")], timeout=1.0)
    with pytest.raises(ServiceUnavailableError, match=settings.kafka_brokers):
        list(read_topic(settings, "t", timeout=1.0))


def test_records_beyond_a_group_are_counted(settings: Settings) -> None:
    """What a group has not committed lies ahead of it; without a commit, everything does."""
    topic = settings.events_topic
    send_records(settings, topic, [Record(b"k", b"%d" % number) for number in range(10)])
    assert count_ahead(settings, topic, "some-group") == 10
    (partition,) = {record.partition for record in read_topic(settings, topic)}
    consumer = Consumer(kafka_config(settings) | {"group.id": "some-group"})
    consumer.commit(offsets=[TopicPartition(topic, partition, 7)], asynchronous=False)
    consumer.close()
    assert count_ahead(settings, topic, "some-group") == 3
