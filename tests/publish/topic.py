"""A topic as a consumer sees it, and a broker that takes connections and never answers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from auditstream.contract.schemas import FRAME, shipped_schemas

TOPIC = "audit.events"
PARTITIONS = 3
SECONDS = 30.0


@dataclass(frozen=True)
class Record:
    """One record of the topic, decoded by the schema that its frame names."""

    partition: int
    key: bytes
    value: bytes
    headers: dict[str, str]
    event: dict[str, Any]

    @property
    def event_id(self) -> str:
        """The id within the event."""
        return str(self.event["event_id"])


def create_topic(bootstrap: str, config: dict[str, str] | None = None) -> None:
    """Make the topic, unless a producer's asking for it has; blocks until it is there."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = NewTopic(TOPIC, PARTITIONS, 1, config=config or {})
    try:
        admin.create_topics([new])[TOPIC].result(SECONDS)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def read_until(bootstrap: str, enough: Callable[[list[Record]], bool]) -> list[Record]:
    """Read the topic from its start until `enough`, asked after each record; fail after 30 s."""
    records: list[Record] = []
    for message in _messages(bootstrap):
        records.append(_record(message))
        if enough(records):
            break
    return records


def read_values(bootstrap: str, count: int) -> list[bytes]:
    """Read the first values of the topic as they are."""
    return [message.value() for message in islice(_messages(bootstrap), count)]


def _messages(bootstrap: str) -> Iterator[Any]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test"})
    partitions = consumer.list_topics(TOPIC, SECONDS).topics[TOPIC].partitions
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in partitions])
    deadline = time.monotonic() + SECONDS
    count = 0
    try:
        while time.monotonic() < deadline:
            for message in consumer.consume(1_000, 0.1):
                assert message.error() is None, message.error()
                count += 1
                yield message
        raise AssertionError(f"only {count} records within {SECONDS} s")
    finally:
        consumer.close()


def read_ids(bootstrap: str, expected: list[str]) -> list[Record]:
    """Read the topic until all `expected` events are there."""
    missing = set(expected)

    def complete(records: list[Record]) -> bool:
        missing.discard(records[-1].event_id)
        return not missing

    return read_until(bootstrap, complete)


def first_sequences(records: list[Record], workspace: str) -> list[tuple[int, int]]:
    """Return epoch and sequence of a workspace's events, as they appear for the first time."""
    seen: dict[tuple[int, int], None] = {}
    for record in records:
        if record.event["workspace_id"] == workspace:
            source = record.event["source"]
            seen.setdefault((source["epoch"], source["sequence"]))
    return list(seen)


@contextmanager
def hanging_broker(port: int = 0) -> Iterator[str]:
    """Listen, let connect, and never answer; yield the address."""
    with socket.create_server(("127.0.0.1", port)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def spools(directory: Path) -> list[Path]:
    """Return the spools in a directory."""
    return sorted(directory.glob("*.spool"))


def _record(message: Any) -> Record:
    value: bytes = message.value()
    _, schema_id = FRAME.unpack_from(value)
    body = BytesIO(value[FRAME.size :])
    schema = fastavro.parse_schema(json.loads(json.dumps(shipped_schemas()[schema_id])))
    event: Any = fastavro.schemaless_reader(body, schema, None)
    assert not body.read(), "bytes follow after the datum"
    headers = {name: text.decode() for name, text in message.headers()}
    return Record(message.partition(), message.key(), value, headers, event)
