"""The source on a broker: where it starts, how it waits, how partitions come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from auditstream.alerts.topics import ensure_topics
from auditstream.embedded.broker import Broker
from auditstream.errors import ServiceUnavailableError
from auditstream.settings import Settings
from auditstream.worker.assignment import Assignment
from auditstream.worker.identity import stream_identity
from auditstream.worker.positions import Ledger
from auditstream.worker.source import Fetch, RecordSource
from tests.stack.kafka import KafkaServer

PARTITIONS = 3


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the module; each test has topics of its own."""
    with Broker(log_path=tmp_path_factory.mktemp("broker") / "broker.log") as started:
        yield started


@pytest.fixture
def settings(broker: Broker) -> Settings:
    """Settings with topics and a group of the test's own."""
    return own_settings(broker.bootstrap)


@pytest.fixture
def real_settings(kafka_server: KafkaServer) -> Settings:
    """The same on Apache Kafka, for what the embedded broker does not keep."""
    return own_settings(kafka_server.bootstrap)


def own_settings(brokers: str) -> Settings:
    """Settings with topics and a group of one test."""
    name = f"t{uuid4().hex[:8]}"
    made = Settings(
        kafka_brokers=brokers,
        events_topic=f"{name}.events",
        alerts_topic=f"{name}.alerts",
        rejected_topic=f"{name}.rejected",
        consumer_group=name,
        session_timeout_seconds=6.0,
        fetch_rows=100,
        drain_seconds=2.0,
    )
    ensure_topics(made, PARTITIONS)
    return made


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.held: dict[int, Assignment] = {}
        self.told: list[str] = []

    async def assigned(self, assignment: Assignment) -> None:
        self.held[assignment.partition] = assignment
        self.told.append("assigned")

    async def revoked(self, partitions: Sequence[int], within: float) -> dict[int, int]:
        self.told.append("revoked")
        return {partition: 7 for partition in partitions if self.held.pop(partition, None)}

    async def lost(self, partitions: Sequence[int]) -> None:
        self.told.append("lost")


def publish(settings: Settings, count: int) -> None:
    """Write `count` records to each partition."""
    producer = Producer({"bootstrap.servers": settings.kafka_brokers})
    for number in range(count):
        for partition in range(PARTITIONS):
            producer.produce(settings.events_topic, b"%d" % number, b"key", partition=partition)
    assert producer.flush(30) == 0


@asynccontextmanager
async def running(
    settings: Settings, owner: Owner, watermarks: Callable[[str], dict[int, int]], table: str = "t"
) -> AsyncIterator[RecordSource]:
    """A source that is started and closed."""
    source = RecordSource(settings, lambda stream: Ledger(table, watermarks(stream)))
    await source.start(owner)
    try:
        yield source
    finally:
        await asyncio.wait_for(source.close(5.0), 30)


async def read(source: RecordSource, records: int) -> list[Fetch]:
    """Read fetches until they hold so many records."""
    fetches: list[Fetch] = []
    async with asyncio.timeout(30):
        async for fetch in source:
            fetches.append(fetch)
            if sum(len(item.records.offsets) for item in fetches) >= records:
                break
    return fetches


def offsets(fetches: Sequence[Fetch], partition: int) -> list[int]:
    """The offsets read of a partition, in the order in which they were read."""
    return [
        offset
        for fetch in fetches
        for at, offset in zip(fetch.records.partitions, fetch.records.offsets, strict=True)
        if at == partition
    ]


async def test_starts_past_the_watermark(settings: Settings) -> None:
    """A partition with rows starts one past the watermark, one without at the log's start."""
    publish(settings, 50)
    owner = Owner()
    async with running(settings, owner, lambda _: {0: 19, 1: 39}) as source:
        fetches = await read(source, 30 + 10 + 50)
    assert offsets(fetches, 0) == list(range(20, 50))
    assert offsets(fetches, 1) == list(range(40, 50))
    assert offsets(fetches, 2) == list(range(50))


async def test_watermarks_of_the_stream(settings: Settings) -> None:
    """The watermarks are asked for by the identity of cluster and topic."""
    asked: list[str] = []

    def watermarks(stream: str) -> dict[int, int]:
        asked.append(stream)
        return {}

    publish(settings, 1)
    async with running(settings, Owner(), watermarks) as source:
        await read(source, PARTITIONS)
    admin = AdminClient({"bootstrap.servers": settings.kafka_brokers})
    assert set(asked) == {stream_identity(admin, settings.events_topic)}


async def test_store_away_at_start(settings: Settings) -> None:
    """While the watermarks cannot be read nothing is read, and the group is not left."""
    publish(settings, 5)
    failures = [ServiceUnavailableError("away")] * 2

    def watermarks(_: str) -> dict[int, int]:
        if failures:
            raise failures.pop()
        return {0: 2}

    owner = Owner()
    async with running(settings, owner, watermarks) as source:
        fetches = await read(source, 2 + 5 + 5)
    assert offsets(fetches, 0) == [3, 4]
    assert "lost" not in owner.told


async def test_back_pressure_keeps_the_place(settings: Settings) -> None:
    """A slow reader is not sent more than a few fetches, and no record is skipped after it."""
    publish(settings, 1_000)
    owner = Owner()
    async with running(settings, owner, lambda _: {}) as source:
        fetches = await read(source, 1)
        await asyncio.sleep(8)  # longer than the session
        assert source.unread <= 4
        fetches += await read(source, 3_000 - sum(len(f.records.offsets) for f in fetches))
    for partition in range(PARTITIONS):
        assert offsets(fetches, partition) == list(range(1_000))
    assert owner.told.count("assigned") == PARTITIONS
    assert "lost" not in owner.told


async def test_goes_on_when_one_of_two_is_taken(settings: Settings) -> None:
    """After a pause in the middle of a backlog the next full fetch comes while one still waits."""
    publish(settings, 1_000)
    async with running(settings, Owner(), lambda _: {}) as source:
        fetches = aiter(source)
        await anext(fetches)
        await asyncio.sleep(2.5)  # longer than its patience: the partitions are paused
        assert source.unread == 2
        await anext(fetches)
        async with asyncio.timeout(5):
            while source.unread < 2:  # noqa: ASYNC110  no event tells of it
                await asyncio.sleep(0.02)


async def test_reassign_starts_again(settings: Settings) -> None:
    """A partition that is reassigned starts from the watermark under another number."""
    publish(settings, 20)
    owner = Owner()
    async with running(settings, owner, lambda _: {0: 4}) as source:
        await read(source, 15 + 20 + 20)
        first = owner.held[0]
        source.reassign(first)
        again = await read(source, 15)
    assert offsets(again, 0) == list(range(5, 20))
    assert owner.held == {}
    assert again[0].assignments[0] != first.number


@pytest.mark.real
async def test_close_settles_and_commits(real_settings: Settings) -> None:
    """Closing revokes the partitions, and the offsets that were settled are committed."""
    publish(real_settings, 10)
    owner = Owner()
    async with running(real_settings, owner, lambda _: {}) as source:
        await read(source, 30)
    assert owner.told[-1] == "revoked"
    async with running(real_settings, owner, lambda _: {}) as source:
        fetches = await read(source, 9)
    assert offsets(fetches, 1) == [7, 8, 9]
    async with running(real_settings, owner, lambda _: {}, table="another") as source:
        fetches = await read(source, 30)
    assert offsets(fetches, 1) == list(range(10)), "offsets of another table's rows count"


async def test_reassigned_while_paused(settings: Settings) -> None:
    """A partition that was paused when it was given up is read again when it comes back."""
    publish(settings, 1_000)
    owner = Owner()
    async with running(settings, owner, lambda _: {}) as source:
        fetches = await read(source, 1)
        await asyncio.sleep(2.5)  # longer than its patience: the partitions are paused
        source.reassign(owner.held[0])
        await asyncio.sleep(1.5)
        fetches += await read(source, 3_000 - sum(len(f.records.offsets) for f in fetches))
    assert set(offsets(fetches, 0)) == set(range(1_000))


@pytest.mark.real
async def test_topic_made_anew(real_settings: Settings) -> None:
    """A topic deleted and made anew is read from its start, even if it has grown as long."""
    publish(real_settings, 50)
    owner = Owner()
    admin = AdminClient({"bootstrap.servers": real_settings.kafka_brokers})
    async with running(real_settings, owner, lambda _: {}) as source:
        await read(source, 150)
        first = owner.held[0].stream
        admin.delete_topics([real_settings.events_topic])[real_settings.events_topic].result(10)
        await asyncio.sleep(1)
        ensure_topics(real_settings, PARTITIONS)
        publish(real_settings, 80)
        fetches = await read(source, 240)
    assert owner.held[0].stream != first if owner.held else True
    again = [f for f in fetches if f.records.stream != first]
    assert offsets(again, 0) == list(range(80))


async def test_failure_reaches_the_reader(settings: Settings) -> None:
    """What breaks the consumer's thread is raised where the source is read."""
    broken = settings.model_copy(update={"session_timeout_seconds": 0.0001})
    source = RecordSource(broken, lambda _: Ledger("t", {}))
    await source.start(Owner())
    with pytest.raises(Exception, match="session"):
        await read(source, 1)
