"""The notifier: reads the alerts topic and sees to it that those who should know are told.

    topic ──▶ Planner ──▶ Ledger (ClickHouse) ──▶ commit of the offset
                 │
                 └──▶ a Lane for each destination ──▶ Ledger: delivered, failed, dead

A delivery is in the ledger before its alert's offset is committed, and a new notifier takes up what
the ledger does not show as delivered. So a notifier killed at any moment loses no alert; it may
send what it sent in its last moment once more, under the same id. Delivering never waits for
ClickHouse: while it is away, alerts are delivered all the same, and their offsets are committed
when the ledger is written.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from prometheus_client import start_http_server
from rich.console import Console

from auditstream.alerts.destinations.make import make_destination
from auditstream.alerts.lane import Lane
from auditstream.alerts.ledger import Ledger
from auditstream.alerts.metrics import alert_metrics
from auditstream.alerts.payload import alert_from_json
from auditstream.alerts.planner import Planner, planned_row
from auditstream.alerts.topic import AlertRecordError, decode_alert
from auditstream.errors import ServiceUnavailableError, StoreError
from auditstream.kafka_config import kafka_config
from auditstream.settings import Settings
from auditstream.store.alert_deliveries import (
    LOOK_BACK,
    OPEN,
    DeliveryRow,
    DeliveryState,
    list_decisions,
    list_hits,
    list_open,
    list_unacknowledged,
)
from auditstream.store.alert_silences import list_silences
from auditstream.store.alert_transitions import list_settled
from auditstream.store.connection import Store, connect

BATCH: Final = 500
POLL_SECONDS: Final = 0.2
METADATA_SECONDS: Final = 5
RESTORE_SECONDS: Final = 5.0
STOP_SECONDS: Final = 5.0
DECISIONS: Final = 100_000
RETRIED: Final = 1_000


class Notifier:
    """Delivers the alerts of the alerts topic; prints what goes wrong on `errors`."""

    def __init__(self, settings: Settings, store: Store, console: Console, errors: Console) -> None:
        self._settings = settings
        self._store = store
        self._errors = errors
        self._planner = Planner(settings.notifier)
        self._ledger = Ledger(store, self._say)
        self._lanes = {
            name: Lane(
                name,
                make_destination(config, console),
                settings.notifier,
                settings.explorer_url,
                self._ledger.add,
                self._refill,
                self._say,
            )
            for name, config in settings.notifier.destinations.items()
        }
        self._partitions: set[int] = set()
        self._unrestored: set[int] = set()
        self._restoring = threading.Lock()
        self._uncommitted: deque[tuple[int, list[TopicPartition]]] = deque()
        self._reported: set[int] = set()
        self._stop = threading.Event()
        self._looking = threading.Thread(target=self._look, name="notifier-look", daemon=True)
        self._paused = False

    def run(self, stop: threading.Event) -> None:
        """Deliver alerts until `stop` is set; returns within seconds of that.

        Waits for as long as Kafka is away or has no alerts topic yet. A record that is not an
        alert is reported and passed over.

        Raises:
            ServiceUnavailableError: Kafka has refused the consumer for good.
        """
        consumer = Consumer(self._config())
        with ExitStack() as stack:
            stack.callback(consumer.close)
            stack.callback(self._end)
            self._ledger.start()
            for lane in self._lanes.values():
                lane.start()
            self._looking.start()
            consumer.subscribe(
                [self._settings.alerts_topic],
                on_assign=self._assigned,
                on_revoke=self._revoked,
                on_lost=self._revoked,
            )
            while not stop.is_set():
                self._turn(consumer)
            self._stop.set()
            for lane in self._lanes.values():
                lane.stop(STOP_SECONDS)
            self._ledger.stop(STOP_SECONDS)
            self._commit(consumer)

    def _end(self) -> None:
        self._stop.set()

    def _turn(self, consumer: Consumer) -> None:
        self._throttle(consumer)
        first = consumer.poll(POLL_SECONDS)
        messages = [first, *consumer.consume(BATCH, 0)] if first is not None else []
        rows: list[DeliveryRow] = []
        places: dict[int, TopicPartition] = {}
        count = 0
        for message in messages:
            error = message.error()
            partition, offset = message.partition(), message.offset()
            if error is not None:
                self._report(error)
            elif partition is not None and offset is not None:
                self._reported.clear()
                places[partition] = TopicPartition(
                    self._settings.alerts_topic, partition, offset + 1
                )
                planned = self._plan(message, partition, offset)
                count = self._ledger.add(planned[0]) if planned else count
                rows += planned[1] if planned else ()
        if places:
            count = count or self._ledger.add(())
            self._uncommitted.append((count, list(places.values())))
            self._hand_out(rows)
        self._commit(consumer)

    def _plan(
        self, message: Message, partition: int, offset: int
    ) -> tuple[Sequence[Any], list[DeliveryRow]] | None:
        """Return the rows of the ledger for a record, and those of them to be delivered."""
        try:
            alert = decode_alert(message.value())
        except AlertRecordError as error:
            self._say(f"{message.topic()}, partition {partition}, offset {offset}: {error}")
            return None
        with self._restoring:
            plan = self._planner.plan(alert, partition, offset, datetime.now(UTC))
        for row in plan.rows:
            if row.state != "planned":
                alert_metrics.held.labels(row.state).inc()
        return [*plan.rows, plan.hit], [row for row in plan.rows if row.state == "planned"]

    def _hand_out(self, rows: Sequence[DeliveryRow]) -> None:
        """Put deliveries into their lanes; those to a destination that is gone are left out."""
        for name, lane in self._lanes.items():
            lane.put(row for row in rows if row.destination == name)

    def _commit(self, consumer: Consumer) -> None:
        """Commit the offsets whose rows are in the ledger."""
        written = self._ledger.written
        offsets: dict[int, TopicPartition] = {}
        while self._uncommitted and self._uncommitted[0][0] <= written:
            _, places = self._uncommitted.popleft()
            offsets |= {p.partition: p for p in places if p.partition in self._partitions}
        if not offsets:
            return
        try:
            consumer.commit(offsets=list(offsets.values()), asynchronous=False)
        except KafkaException as error:
            # The next commit covers it; until then a restart reads these alerts again.
            self._report(error.args[0])

    def _throttle(self, consumer: Consumer) -> None:
        """Read no further while too much waits for the ledger; stay in the group meanwhile."""
        full = self._ledger.waiting > self._settings.notifier.queue
        if full != self._paused:
            assigned = consumer.assignment()
            (consumer.pause if full else consumer.resume)(assigned)
            self._paused = full

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = {item.partition for item in partitions}
        self._partitions |= numbers
        self._unrestored |= numbers
        self._paused = False
        deadline = time.monotonic() + RESTORE_SECONDS
        while not self._restore() and time.monotonic() < deadline and not self._stop.wait(0.5):
            pass

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = {item.partition for item in partitions}
        self._partitions -= numbers
        self._unrestored -= numbers
        for lane in self._lanes.values():
            lane.drop(sorted(numbers))

    def _restore(self) -> bool:
        """Take up what the ledger says of new partitions; returns whether it could be read."""
        numbers = sorted(self._unrestored)
        if not numbers:
            return True
        now = datetime.now(UTC)
        try:
            decisions = list_decisions(self._store, numbers, now - LOOK_BACK, DECISIONS)
            hits = list_hits(self._store, numbers, now - LOOK_BACK)
            silences = list_silences(self._store, now)
            rows = list_open(self._store, numbers, now, self._settings.notifier.queue)
        except (ServiceUnavailableError, StoreError) as error:
            self._say_once(-1, f"what was delivered before is not known yet: {error}")
            return False
        with self._restoring:
            self._planner.silences = tuple(silences)
            self._planner.restore(decisions, hits)
        self._unrestored -= set(numbers)
        self._hand_out(rows)
        return True

    def _open_deliveries(
        self, destination: str, limit: int, states: Sequence[DeliveryState] = OPEN
    ) -> list[DeliveryRow]:
        partitions, now = sorted(self._partitions), datetime.now(UTC)
        return list_open(self._store, partitions, now, limit, destination, states)

    def _refill(self, destination: str, limit: int) -> tuple[list[DeliveryRow], bool]:
        complete = not self._ledger.waiting
        return self._open_deliveries(destination, limit), complete

    def _look(self) -> None:
        """Look up again and again what others have changed: silences, states, who is silent."""
        while not self._stop.wait(self._settings.notifier.tick_seconds):
            try:
                self._look_once()
            except Exception as error:  # noqa: BLE001 - told; a notifier goes on without
                self._say_once(-2, f"silences and escalations are not looked up: {error}")
            else:
                self._reported.discard(-2)

    def _look_once(self) -> None:
        self._restore()
        now = datetime.now(UTC)
        self._planner.silences = tuple(list_silences(self._store, now))
        self._planner.settled = list_settled(self._store, now - LOOK_BACK)
        self._hand_out(self._open_deliveries("", RETRIED, ("retried",)))
        with self._restoring:
            self._planner.tidy(now)
        rows = list(self._escalations(now))
        if rows:
            self._ledger.add(rows)
            self._hand_out(rows)

    def _escalations(self, now: datetime) -> Iterator[DeliveryRow]:
        """Plan deliveries of alerts that nobody has acknowledged in time."""
        partitions = sorted(self._partitions)
        for level, step in self._settings.notifier.escalation.items() if partitions else ():
            before = now - timedelta(minutes=step.after_minutes)
            for row, reopened in list_unacknowledged(self._store, partitions, level, before, now):
                alert = alert_from_json(row.alert)
                for name in step.to:
                    yield planned_row(
                        alert, row.partition, now, "escalation", name, now, row.count, reopened
                    )

    def _report(self, error: KafkaError) -> None:
        """Say an error once, until a record has come again."""
        if error.fatal():
            raise ServiceUnavailableError(
                f"Kafka at {self._settings.kafka_brokers} refuses the notifier: {error.str()}"
            )
        self._say_once(error.code(), f"Kafka at {self._settings.kafka_brokers}: {error.str()}")

    def _say_once(self, code: int, text: str) -> None:
        if code not in self._reported:
            self._reported.add(code)
            self._say(text)

    def _say(self, text: str) -> None:
        self._errors.print(text, markup=False, highlight=False, soft_wrap=True)

    def _config(self) -> dict[str, Any]:
        session = int(self._settings.session_timeout_seconds * 1000)
        return kafka_config(self._settings) | {
            "group.id": self._settings.notifier_group,
            "session.timeout.ms": session,
            "heartbeat.interval.ms": max(session // 10, 100),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": METADATA_SECONDS * 1000,
            "fetch.wait.max.ms": 50,
            "error_cb": self._report_from_client,
            "log_level": 0,
        }

    def _report_from_client(self, error: KafkaError) -> None:
        if not error.fatal():
            self._report(error)


def run(settings: Settings) -> None:
    """Deliver alerts until SIGTERM or SIGINT; blocks."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # What a client of HTTP warns of is raised as an error as well.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, "127.0.0.1")
    with closing(connect(settings)) as store:
        Notifier(settings, store, Console(), Console(file=sys.stderr)).run(stop)
