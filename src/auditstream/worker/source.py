"""The events topic as a stream of record batches.

A consumer on a thread of its own, read by the Faust app as `app.stream(source)`. Every partition
starts one past the table's watermark. While the worker is behind, partitions are paused but the
consumer goes on polling, so it keeps its place in the group however long the store is away.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar, cast

import structlog
from confluent_kafka import (
    OFFSET_INVALID,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from auditstream.errors import AuditStreamError
from auditstream.kafka_config import kafka_config
from auditstream.pipeline.records import Records
from auditstream.settings import Settings
from auditstream.worker.assignment import Assignment
from auditstream.worker.identity import stream_identity
from auditstream.worker.metrics import metrics
from auditstream.worker.positions import Ledger, LedgerReader, Positions

T = TypeVar("T")
log = structlog.get_logger("auditstream.source")

HANDOVER: Final = 2
"""Full fetches that may wait for the worker. Of others one: what comes meanwhile goes into the next
one, of which each costs the same, rather than into another that would wait in turn."""

LOOK_SECONDS: Final = 10.0
LAG_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 1.0
"""How long a full worker is waited for before its partitions are paused."""

RETRY_SECONDS: Final = 1.0
LAST_MILLISECOND: Final = 10_413_791_999_999
"""The end of 2299, beyond which ClickHouse has no times; a later one is a producer's mistake."""

REVOKE_MARGIN: Final = 5.0

_PARTITION: Final = cast("Callable[[Message], int]", Message.partition)


class Fetch:
    """One fetch: its records and, per partition, the assignment under which they were read."""

    __slots__ = ("assignments", "records")

    def __init__(self, records: Records, assignments: dict[int, int]) -> None:
        self.records = records
        self.assignments = assignments


class PartitionOwner(Protocol):
    """Who works on the records of the assigned partitions; called on the event loop."""

    async def assigned(self, assignment: Assignment) -> None:
        """Take a partition over; its records follow."""

    async def revoked(self, partitions: Sequence[int], within: float) -> dict[int, int]:
        """Settle or abandon what is in flight, within so many seconds.

        Returns the next offset to read of each partition that was settled.
        """

    async def lost(self, partitions: Sequence[int]) -> None:
        """Abandon what is in flight: another worker owns the partitions already."""


class RecordSource:
    """Reads the events topic in record batches; iterate it from one task of the event loop.

    `lag` is how many records of its partitions are not read yet, measured every few seconds.
    Nothing is committed but what the owner says is settled, and commits are for lag tools: the
    table's watermark decides where reading starts.
    """

    def __init__(self, settings: Settings, ledger: LedgerReader) -> None:
        self._settings = settings
        self._topic = settings.events_topic
        self._read_ledger = ledger
        self._positions = Positions(settings.events_topic)
        self._assigned: dict[int, Assignment] = {}
        self._awaiting: set[int] = set()
        self._reading: Future[tuple[str, Ledger | None]] | None = None
        self._paused: set[int] = set()
        self._not_before = 0.0
        self._look_again = 0.0
        self._measure_again = 0.0
        self.lag = 0
        self._until = float("inf")
        self._commands: queue.SimpleQueue[Callable[[Consumer], None]] = queue.SimpleQueue()
        self._unread = 0
        self._handover = 1
        self._unread_changed = threading.Condition()
        self._fetches: asyncio.Queue[Fetch | BaseException | None] = asyncio.Queue()
        self._stopping = threading.Event()
        self._closing = threading.Event()
        self._owner: PartitionOwner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)
        self._lookups = ThreadPoolExecutor(1, "watermarks")
        self._admin = AdminClient(kafka_config(settings))

    async def start(self, owner: PartitionOwner) -> None:
        """Join the group and begin to read; `owner` hears of partitions that come and go."""
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it has joined the group and not left it."""
        return self._thread.is_alive()

    @property
    def holds_partitions(self) -> bool:
        """Whether partitions are assigned and being read."""
        return bool(self._assigned)

    @property
    def unread(self) -> int:
        """Fetches that were handed over and are not done with."""
        return self._unread

    def stop_reading(self) -> None:
        """Read no further records; the place in the group is kept until `close`."""
        self._stopping.set()

    async def close(self, within: float) -> None:
        """Leave the group; partitions are settled within so many seconds, or abandoned."""
        self._until = time.monotonic() + within
        self._stopping.set()
        self._closing.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)
        self._lookups.shutdown(wait=False, cancel_futures=True)

    def commit(self, assignment: Assignment, offset: int) -> None:
        """Tell Kafka that `offset` is the next to read; does not block, failures are logged."""

        def command(consumer: Consumer) -> None:
            if self._assigned.get(assignment.partition) is assignment:
                consumer.commit(offsets=[self._settled(assignment, offset)], asynchronous=True)

        self._commands.put(command)

    def reassign(self, assignment: Assignment) -> None:
        """Start the partition again from the table's watermark, dropping what was fetched."""

        def command(consumer: Consumer) -> None:
            if self._assigned.get(assignment.partition) is assignment:
                self._unassign(consumer, [assignment.partition])
                self._awaiting.add(assignment.partition)

        self._commands.put(command)

    async def __aiter__(self) -> AsyncIterator[Fetch]:
        while (item := await self._fetches.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            try:
                yield item
            finally:
                # Whoever stops here as well: a fetch that counts for ever would end reading.
                self._count_unread(-1)

    # What follows runs on the consumer's thread.

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            consumer = Consumer(self._config())
            try:
                consumer.subscribe(
                    [self._topic],
                    on_assign=self._on_assign,
                    on_revoke=self._on_revoke,
                    on_lost=self._on_lost,
                )
                while not self._closing.is_set():
                    self._turn(consumer)
            finally:
                consumer.close()
        except BaseException as error:  # noqa: BLE001  it is raised again where the source is read
            end = error
        self._hand_over(end)

    def _turn(self, consumer: Consumer) -> None:
        while not self._commands.empty():
            self._commands.get()(consumer)
        self._assign_awaiting(consumer)
        self._measure_lag(consumer)
        self._pause_or_resume(consumer, self._wait_for_room())
        messages = consumer.consume(self._settings.fetch_rows, self._settings.fetch_seconds)
        if messages:
            # None come while partitions are paused, which tells nothing of what there is to read.
            full = len(messages) >= self._settings.fetch_rows
            self._handover = HANDOVER if full else 1
        fetch = self._fetch(messages)
        if fetch is not None:
            self._count_unread(1)
            self._hand_over(fetch)

    def _measure_lag(self, consumer: Consumer) -> None:
        now = time.monotonic()
        if now < self._measure_again:
            return
        self._measure_again = now + LAG_SECONDS
        lag = 0
        with suppress(KafkaException):
            for place in consumer.position([self._at(partition) for partition in self._assigned]):
                # What the last fetch told of the end; a broker is not asked.
                _, end = consumer.get_watermark_offsets(place, cached=True)
                lag += max(end - place.offset, 0) if place.offset >= 0 else 0
        self.lag = lag
        metrics.lag_records.set(lag)

    def _wait_for_room(self) -> bool:
        """Wait for the worker to take a fetch; False when it does not for a while.

        Partitions are not paused at once, since that throws away what was fetched ahead.
        """
        with self._unread_changed:
            self._unread_changed.wait_for(
                lambda: self._unread < self._handover or self._stopping.is_set(),
                0.0 if self._paused else PATIENCE_SECONDS,
            )
            return self._unread < self._handover and not self._stopping.is_set()

    def _count_unread(self, change: int) -> None:
        with self._unread_changed:
            self._unread += change
            self._unread_changed.notify_all()

    def _hand_over(self, item: Fetch | BaseException | None) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._fetches.put_nowait, item)

    def _pause_or_resume(self, consumer: Consumer, room: bool) -> None:
        if room and self._paused:
            consumer.resume([self._at(p) for p in self._paused & self._assigned.keys()])
            self._paused.clear()
        elif not room and (running := self._assigned.keys() - self._paused):
            consumer.pause([self._at(partition) for partition in running])
            self._paused |= running

    def _fetch(self, messages: list[Message]) -> Fetch | None:
        good = [message for message in messages if message.error() is None]
        if len(good) < len(messages):
            for message in messages:
                self._heed(message)
        # Side by side, a partition's rows are a slice of every frame that is made of them.
        good.sort(key=_PARTITION)
        # Records fetched ahead may be of partitions that were given up since.
        partitions = [cast("int", message.partition()) for message in good]
        if not self._assigned.keys() >= set(partitions):
            good = [message for message in good if message.partition() in self._assigned]
            partitions = [cast("int", message.partition()) for message in good]
        if not good:
            return None
        metrics.records_read.inc(len(good))
        held = {partition: self._assigned[partition] for partition in set(partitions)}
        stream = next(iter(held.values())).stream
        records = Records(
            stream=stream,
            topic=self._topic,
            partitions=partitions,
            offsets=[cast("int", message.offset()) for message in good],
            timestamps=[
                at if kind != TIMESTAMP_NOT_AVAILABLE and 0 <= at <= LAST_MILLISECOND else None
                for kind, at in [message.timestamp() for message in good]
            ],
            keys=[message.key() for message in good],
            values=[message.value() for message in good],
        )
        return Fetch(records, {partition: item.number for partition, item in held.items()})

    def _heed(self, message: Message) -> None:
        """Deal with a message if it is news of the consumer, not a record."""
        error = message.error()
        if error is None:
            return
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._leave_log(cast("int", message.partition()))
        elif error.fatal():
            raise KafkaException(error)
        else:
            log.warning("kafka_error", topic=message.topic(), error=str(error))

    def _leave_log(self, partition: int) -> None:
        """The position is outside the log: look again where the partition stands."""
        assignment = self._assigned.get(partition)
        if assignment is not None:
            self._positions.leave_log(assignment)
            self.reassign(assignment)

    def _assign_awaiting(self, consumer: Consumer) -> None:
        """Begin to read the partitions whose watermarks are known by now.

        Kafka is asked on the consumer's own thread, since `committed` was seen to hang beside a
        `consume` in another.
        """
        try:
            stream, ledger = self._known_ledger()
            found = (
                self._positions.find(consumer, stream, ledger, self._awaiting)
                if stream and ledger
                else []
            )
        except AuditStreamError as error:
            log.warning("start_unknown", error=str(error), retry_seconds=RETRY_SECONDS)
            self._not_before = time.monotonic() + RETRY_SECONDS
            return
        if stream:
            self._restart_other_streams(consumer, stream)
        for assignment in found:
            self._awaiting.discard(assignment.partition)
            self._call(self._owner_().assigned(assignment), self._settings.drain_seconds)
            place = self._at(assignment.partition, assignment.position)
            consumer.incremental_assign([place])
            # librdkafka remembers a pause beyond the assignment in which it was made.
            consumer.resume([place])
            self._assigned[assignment.partition] = assignment
            log.info(
                "assigned",
                topic=self._topic,
                partition=assignment.partition,
                watermark=assignment.watermark,
                position=assignment.position,
            )
        if stream and ledger and self._awaiting:
            self._not_before = time.monotonic() + RETRY_SECONDS

    def _known_ledger(self) -> tuple[str, Ledger | None]:
        """Return the stream, and its ledger if it was wanted, once they are read, else "".

        They are read while partitions await their start; the stream now and then besides, since
        a topic can be deleted and made anew unnoticed. Reading does not hold up polling.
        """
        if self._reading is not None and self._reading.done():
            reading, self._reading = self._reading, None
            self._look_again = time.monotonic() + LOOK_SECONDS
            return reading.result()
        now = time.monotonic()
        if self._reading is None and not self._stopping.is_set() and now > self._not_before:
            if self._awaiting:
                self._reading = self._lookups.submit(self._look_up, True)
            elif self._assigned and now > self._look_again:
                self._reading = self._lookups.submit(self._look_up, False)
        return "", None

    def _look_up(self, with_ledger: bool) -> tuple[str, Ledger | None]:
        stream = stream_identity(self._admin, self._topic)
        return stream, self._read_ledger(stream) if with_ledger else None

    def _restart_other_streams(self, consumer: Consumer, stream: str) -> None:
        """Start every partition again whose topic was deleted and made anew meanwhile."""
        others = [p for p, held in self._assigned.items() if held.stream != stream]
        if others:
            log.warning("topic_made_anew", topic=self._topic, partitions=others, stream=stream)
            self._call(self._owner_().lost(others), REVOKE_MARGIN)
            self._unassign(consumer, others)
            self._awaiting |= set(others)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._awaiting |= {item.partition for item in partitions}
        consumer.incremental_assign([])

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [item.partition for item in partitions]
        within = max(min(self._settings.drain_seconds, self._until - time.monotonic()), 0.0)
        settled = self._call(self._owner_().revoked(numbers, within), within + REVOKE_MARGIN)
        positions = [
            self._settled(self._assigned[partition], offset)
            for partition, offset in (settled or {}).items()
            if partition in self._assigned
        ]
        if positions:
            try:
                consumer.commit(offsets=positions, asynchronous=False)
            except KafkaException as error:
                log.warning("commit_failed", topic=self._topic, error=str(error))
        self._unassign(consumer, numbers)
        log.info("revoked", topic=self._topic, partitions=numbers)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [item.partition for item in partitions]
        self._call(self._owner_().lost(numbers), REVOKE_MARGIN)
        self._unassign(consumer, numbers)
        log.warning("lost", topic=self._topic, partitions=numbers)

    def _unassign(self, consumer: Consumer, partitions: Sequence[int]) -> None:
        held = [partition for partition in partitions if partition in self._assigned]
        if held:
            consumer.incremental_unassign([self._at(partition) for partition in held])
        for partition in partitions:
            self._assigned.pop(partition, None)
            self._awaiting.discard(partition)
            self._paused.discard(partition)

    def _call(self, coroutine: Coroutine[Any, Any, T], within: float) -> T | None:
        """Run a coroutine on the event loop and wait for it, within so many seconds."""
        if self._loop is None or self._loop.is_closed():
            coroutine.close()
            return None
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(within)
        except TimeoutError:
            future.cancel()
            log.warning("owner_too_slow", seconds=within)
            return None

    def _owner_(self) -> PartitionOwner:
        if self._owner is None:
            raise RuntimeError("the source was not started")
        return self._owner

    def _settled(self, assignment: Assignment, offset: int) -> TopicPartition:
        return TopicPartition(self._topic, assignment.partition, offset, assignment.mark)

    def _at(self, partition: int, offset: int = OFFSET_INVALID) -> TopicPartition:
        return TopicPartition(self._topic, partition, offset)

    def _config(self) -> dict[str, Any]:
        session = int(self._settings.session_timeout_seconds * 1000)
        return kafka_config(self._settings) | {
            "group.id": self._settings.consumer_group,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": max(session // 10, 100),
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.message.max.bytes": 1024 * 1024,
            "fetch.wait.max.ms": 50,
            "queued.max.messages.kbytes": 12 * 1024,
            "queued.min.messages": 2 * self._settings.fetch_rows,
            # How long it rests once that much is queued: a second, by default.
            "fetch.queue.backoff.ms": 10,
            "message.max.bytes": 16 * 1024 * 1024,
        }
