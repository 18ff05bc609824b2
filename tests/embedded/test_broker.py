from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from auditstream.embedded import Broker
from auditstream.errors import ServiceUnavailableError
from tests.stack.poll import eventually


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(log_path=tmp_path / "broker.log")
    broker.start()
    yield broker
    broker.kill()


def topics(broker: Broker) -> set[str]:
    """The topics the broker has."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    return set(admin.list_topics(timeout=10).topics)


def told_cluster_id(broker: Broker) -> str | None:
    """The cluster id that clients are told."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    told: str | None = admin.describe_cluster().result(10).cluster_id
    return told


def create(broker: Broker, topic: str) -> None:
    """Make a topic of one partition."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)


def publish(broker: Broker, topic: str, values: list[bytes]) -> None:
    """Send the values as the project's producer does, and wait until they are acknowledged."""
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "acks": "all"}
    )
    failures: list[object] = []

    def note(error: object, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    for value in values:
        producer.produce(topic, value, b"key", on_delivery=note)
    assert producer.flush(20) == 0
    assert failures == []


def consume(broker: Broker, topic: str, count: int) -> list[bytes]:
    """The first `count` values of the topic's only partition."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "test"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes] = []

    def read() -> bool:
        for message in consumer.consume(count - len(values), 0.2):
            if message.error() is not None:
                raise KafkaException(message.error())
            values.append(message.value() or b"")
        return len(values) == count

    try:
        eventually(read, within=20, what=f"{count} records")
    finally:
        consumer.close()
    return values


def test_records_come_back_in_order(broker: Broker) -> None:
    """What an idempotent producer sends, a consumer reads."""
    values = [b"%d" % number for number in range(1_000)]
    create(broker, "events")
    publish(broker, "events", values)
    assert consume(broker, "events", 1_000) == values


def test_restart_is_a_new_cluster(broker: Broker) -> None:
    """Under the same address, with no topics, and a cluster id that tells."""
    address, first = broker.bootstrap, broker.cluster_id
    create(broker, "events")
    assert told_cluster_id(broker) == first
    assert topics(broker) == {"events"}
    broker.stop()
    assert broker.pid is None
    broker.start()
    assert broker.bootstrap == address
    assert broker.cluster_id != first
    assert told_cluster_id(broker) == broker.cluster_id
    assert topics(broker) == set()
    create(broker, "events")
    publish(broker, "events", [b"again"])
    assert consume(broker, "events", 1) == [b"again"]


def test_given_cluster_id_stays(tmp_path: Path) -> None:
    """Whoever gives one gets that one at each start."""
    broker = Broker(log_path=tmp_path / "log", cluster_id="mine")
    for _ in range(2):
        with broker:
            assert broker.cluster_id == "mine"
            assert told_cluster_id(broker) == "mine"


def test_environment_is_not_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of other programs do not change what it is."""
    monkeypatch.setenv("CLUSTER_ID", "other")
    monkeypatch.setenv("STORAGE_ENGINE", "postgres://nowhere")
    monkeypatch.setenv("SCHEMA_REGISTRY", "file:///nowhere")
    with Broker(log_path=tmp_path / "log") as broker:
        create(broker, "events")
        publish(broker, "events", [b"x"])
        assert consume(broker, "events", 1) == [b"x"]


def test_no_program_for_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do instead."""
    monkeypatch.setenv("CALF_TANSU_BIN", str(tmp_path / "missing"))
    with pytest.raises(ServiceUnavailableError, match="run a Kafka and give its address"):
        Broker(log_path=tmp_path / "log").start()
