"""Raw records: sent as they are, and read from a topic's start to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from auditstream.errors import ServiceUnavailableError
from auditstream.kafka_config import kafka_config
from auditstream.settings import Settings

POLL_SECONDS: Final = 0.1
CONSUME_RECORDS: Final = 5_000


@dataclass(frozen=True)
class Record:
    """What is sent: key and value may be missing; headers are kept in order."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class StoredRecord:
    """A record as it stands on a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def send_records(
    settings: Settings, topic: str, records: Iterable[Record], timeout: float = 30.0
) -> int:
    """Send records in order and return how many; blocks until Kafka has acknowledged them all.

    A record that is not acknowledged within `timeout` seconds of being queued is given up.

    Raises:
        ServiceUnavailableError: Kafka did not take a record; others may have been written.
    """
    producer = Producer(
        kafka_config(settings)
        | {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "zstd",
            "partitioner": "murmur2_random",
            "message.max.bytes": 16 * settings.max_event_bytes,
            "message.timeout.ms": int(timeout * 1000),
            "log_level": 0,
        }
    )
    failures: list[KafkaError] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error)

    count = 0
    try:
        for record in records:
            if failures:
                break
            _queue(producer, topic, record, on_delivery)
            count += 1
    except KafkaException as error:
        failures.append(error.args[0])
    producer.flush()
    if failures:
        raise _not_sent(settings, topic, failures[0])
    return count


def read_topic(settings: Settings, topic: str, timeout: float = 30.0) -> Iterator[StoredRecord]:
    """Yield every record from the topic's start to the end of each partition.

    Takes part in no group and commits nothing. Ends once every partition's end was seen; records
    written meanwhile may or may not be among the last. Blocks for at most `timeout` seconds
    between two records.

    Raises:
        ServiceUnavailableError: there is no such topic, or Kafka did not answer in time.
    """
    consumer = _reader(settings, "auditstream-reader")
    try:
        partitions = _partitions(consumer, settings, topic, timeout)
        starts = dict.fromkeys(partitions, OFFSET_BEGINNING)
        yield from _read(consumer, settings, topic, starts, timeout)
    finally:
        consumer.close()


def count_ahead(settings: Settings, topic: str, group: str, timeout: float = 10.0) -> int:
    """Return how many records of the topic lie beyond what the group has committed.

    Reads them, since not every broker can tell its topics' ends. Blocks for at most `timeout`
    seconds between two records.

    Raises:
        ServiceUnavailableError: there is no such topic, or Kafka did not answer in time.
    """
    consumer = _reader(settings, group)
    try:
        partitions = _partitions(consumer, settings, topic, timeout)
        committed = consumer.committed([TopicPartition(topic, p) for p in partitions], timeout)
        starts = {p.partition: p.offset if p.offset >= 0 else OFFSET_BEGINNING for p in committed}
        return sum(1 for _ in _read(consumer, settings, topic, starts, timeout))
    except KafkaException as error:
        raise ServiceUnavailableError(
            f"Kafka at {settings.kafka_brokers} cannot be reached: {error.args[0].str()}"
        ) from error
    finally:
        consumer.close()


def _queue(
    producer: Producer,
    topic: str,
    record: Record,
    on_delivery: Callable[[KafkaError | None, Message], None],
) -> None:
    while True:
        try:
            producer.produce(
                topic,
                record.value,
                record.key,
                headers=list(record.headers),
                on_delivery=on_delivery,
            )
        except BufferError:
            producer.poll(POLL_SECONDS)
        else:
            producer.poll(0)
            return


def _reader(settings: Settings, group: str) -> Consumer:
    return Consumer(
        kafka_config(settings)
        | {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )


def _read(
    consumer: Consumer, settings: Settings, topic: str, starts: dict[int, int], timeout: float
) -> Iterator[StoredRecord]:
    """Yield the records from an offset of each partition to the partition's end."""
    unfinished = set(starts)
    consumer.assign([TopicPartition(topic, p, offset) for p, offset in starts.items()])
    deadline = time.monotonic() + timeout
    while unfinished:
        for message in consumer.consume(CONSUME_RECORDS, POLL_SECONDS):
            error, partition, offset = message.error(), message.partition(), message.offset()
            if partition is None or offset is None:
                continue
            if error is None:
                deadline = time.monotonic() + timeout
                yield StoredRecord(partition, offset, message.key(), message.value())
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(partition)
        if time.monotonic() > deadline:
            raise ServiceUnavailableError(
                f"topic {topic} could not be read to its end: {settings.kafka_brokers} did not "
                f"answer within {timeout:g} s"
            )


def _partitions(consumer: Consumer, settings: Settings, topic: str, timeout: float) -> set[int]:
    try:
        metadata = consumer.list_topics(topic, timeout)
    except KafkaException as error:
        raise ServiceUnavailableError(
            f"Kafka at {settings.kafka_brokers} cannot be reached: {error.args[0].str()}"
        ) from error
    found = set(metadata.topics[topic].partitions)
    if not found:
        raise ServiceUnavailableError(f"there is no topic {topic} on {settings.kafka_brokers}")
    return found


def _not_sent(settings: Settings, topic: str, error: KafkaError) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"a record could not be sent to topic {topic} on {settings.kafka_brokers}: {error.str()}"
    )
