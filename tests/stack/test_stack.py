"""The real servers: what tests rely on when they kill, pause and restart them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor, wait
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver import Client
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.stack.clickhouse import ClickHouseServer
from tests.stack.fixtures import NewClickHouse, NewKafka
from tests.stack.kafka import KafkaServer
from tests.stack.poll import eventually

pytestmark = pytest.mark.real

MEGABYTE = 1024 * 1024


def test_kafka_takes_records_over_a_mebibyte(kafka_server: KafkaServer) -> None:
    """A record of 2 MiB is acknowledged and comes back."""
    topic = new_topic(kafka_server)
    produce(kafka_server, topic, [b"x" * 2 * MEGABYTE])
    assert [len(value) for value in consume(kafka_server, topic, 1)] == [2 * MEGABYTE]


def test_kafka_keeps_records(kafka_server: KafkaServer, new_kafka: NewKafka) -> None:
    """Killed, and then stopped, it serves the same records again: same port, same cluster."""
    kafka = new_kafka()
    topic, bootstrap, cluster = new_topic(kafka), kafka.bootstrap, cluster_id(kafka)
    assert cluster != cluster_id(kafka_server)
    produce(kafka, topic, [b"1", b"2"])
    kafka.kill()
    assert not kafka.alive()
    kafka.start()
    produce(kafka, topic, [b"3"])
    kafka.stop()
    assert not kafka.alive()
    kafka.start()
    assert consume(kafka, topic, 3) == [b"1", b"2", b"3"]
    assert (kafka.bootstrap, cluster_id(kafka)) == (bootstrap, cluster)


def test_kafka_pauses(kafka_server: KafkaServer) -> None:
    """Paused it acknowledges nothing, though it is alive; resumed it does."""
    topic = new_topic(kafka_server)
    producer = Producer({"bootstrap.servers": kafka_server.bootstrap, "acks": "all"})
    kafka_server.pause()
    try:
        producer.produce(topic, b"1")
        assert producer.flush(1.0) == 1
        assert kafka_server.alive()
    finally:
        kafka_server.resume()
    assert producer.flush(30.0) == 0


def test_clickhouse_keeps_rows_over_kill(new_clickhouse: NewClickHouse) -> None:
    """After SIGKILL it serves the same rows under the same address."""
    clickhouse = new_clickhouse()
    url = clickhouse.url
    with connect(clickhouse) as client:
        client.command("CREATE DATABASE audit")
        client.command("CREATE TABLE audit.n (n UInt64) ENGINE = MergeTree ORDER BY n")
        client.command("INSERT INTO audit.n SELECT number FROM numbers(1000)")
    clickhouse.kill()
    assert not clickhouse.alive()
    clickhouse.start()
    assert clickhouse.url == url
    with connect(clickhouse) as client:
        assert client.command("SELECT count() FROM audit.n") == 1000


def test_clickhouse_stops_and_pauses(new_clickhouse: NewClickHouse) -> None:
    """Paused it answers nothing, resumed it does; stopped it ends with its rows on disk."""
    clickhouse = new_clickhouse()
    with connect(clickhouse) as client, ThreadPoolExecutor(1) as thread:
        client.command("CREATE TABLE n (n UInt64) ENGINE = MergeTree ORDER BY n")
        clickhouse.pause()
        answer = thread.submit(client.command, "INSERT INTO n VALUES (7)")
        try:
            assert not wait([answer], timeout=1.0).done
            assert clickhouse.alive()
        finally:
            clickhouse.resume()
        answer.result(30.0)
    clickhouse.stop()
    clickhouse.start()
    with connect(clickhouse) as client:
        assert client.command("SELECT n FROM n") == 7


def test_clickhouse_drops_a_repeated_token(clickhouse_server: ClickHouseServer) -> None:
    """Of two inserts with one deduplication token, from a body, the first one alone lands."""
    table = f"t{uuid.uuid4().hex}"
    with connect(clickhouse_server) as client:
        client.command(
            f"CREATE TABLE {table} (n UInt64) ENGINE = MergeTree ORDER BY n"
            " SETTINGS non_replicated_deduplication_window = 10000"
        )
        for body in (b"1\n2\n", b"3\n"):
            client.raw_insert(
                f"{table} (n) SELECT n FROM input('n UInt64')",
                insert_block=body,
                settings={"insert_deduplication_token": "events:0:41:0", "async_insert": 0},
                fmt="TSV",
            )
        assert client.query(f"SELECT n FROM {table} ORDER BY n").result_rows == [(1,), (2,)]


def test_a_server_lives_on_when_its_starter_thread_ends(new_clickhouse: NewClickHouse) -> None:
    """A server started again from a short-lived thread is still there afterwards."""
    clickhouse = new_clickhouse()
    clickhouse.kill()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(clickhouse.start).result(60.0)
    with connect(clickhouse) as client:
        assert client.command("SELECT 1") == 1
    assert clickhouse.alive()


def connect(clickhouse: ClickHouseServer) -> Client:
    address = urlsplit(clickhouse.url)
    return clickhouse_connect.get_client(
        host=str(address.hostname), port=address.port or 0, autogenerate_session_id=False
    )


def new_topic(kafka: KafkaServer) -> str:
    topic = f"t-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30.0)
    return topic


def cluster_id(kafka: KafkaServer) -> str:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    return str(admin.list_topics(timeout=30.0).cluster_id)


def produce(kafka: KafkaServer, topic: str, values: list[bytes]) -> None:
    settings = {"bootstrap.servers": kafka.bootstrap, "message.max.bytes": 4 * MEGABYTE}
    producer = Producer({**settings, "enable.idempotence": True})
    failures: list[str] = []
    for value in values:
        producer.produce(
            topic,
            value,
            on_delivery=lambda error, _: failures.append(str(error)) if error else None,
        )
    assert producer.flush(30.0) == 0
    assert failures == []


def consume(kafka: KafkaServer, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"g-{uuid.uuid4()}"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes] = []

    def enough() -> bool:
        for message in consumer.consume(count, 0.5):
            assert message.error() is None
            values.append(message.value() or b"")
        return len(values) >= count

    try:
        eventually(enough, within=30.0, what=f"{count} records of {topic}")
    finally:
        consumer.close()
    return values
