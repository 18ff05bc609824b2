"""The thread that sends spooled events, in order, until the broker has acknowledged them."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from confluent_kafka import Producer

from auditstream.errors import ContractError, PublishError
from auditstream.publish.config import PublishSettings
from auditstream.publish.disk_spool import SpoolDamagedError
from auditstream.publish.lane import Flight, Lane
from auditstream.publish.lanes import Lanes
from auditstream.publish.producer import (
    REFUSED,
    WINDOW_BYTES,
    WINDOW_EVENTS,
    answers,
    new_producer,
    take_back,
)
from auditstream.publish.registry import SchemaIds
from auditstream.publish.stats import Counters
from auditstream.publish.trouble import Trouble

LOG = logging.getLogger("auditstream.publish")

_CHUNK: Final = 32
_POLL_SECONDS: Final = 0.1
_BREATH_SECONDS: Final = 0.000_5
_GATHER_SECONDS: Final = 0.02
_IDLE_SECONDS: Final = 1.0
_UPKEEP_SECONDS: Final = 1.0
_ADOPT_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = (0.1, 0.5, 2.0, 5.0)
_STALL_SECONDS: Final = 10.0
_END_SECONDS: Final = 0.5


class DeliveryError(PublishError):
    """The broker did not take an event; all that is not acknowledged is sent again."""


class Sender:
    """Sends adopted spools first, then the own one, through one idempotent producer at a time.

    Whatever goes wrong, the producer is thrown away, and a new one starts at the oldest event that
    was not acknowledged. So the first appearances of events in a partition are in order.
    `damage` tells what is wrong with the own spool; the thread has then ended.
    """

    def __init__(
        self,
        lanes: Lanes,
        settings: PublishSettings,
        schema_ids: SchemaIds,
        counters: Counters,
    ) -> None:
        self.damage: SpoolDamagedError | None = None
        self._lanes = lanes
        self._settings = settings
        self._schema_ids = schema_ids
        self._counters = counters
        self._producer: Producer | None = None
        self._more = True
        self._full = False
        self._unsettled = False
        self._window = WINDOW_EVENTS
        self._trouble = Trouble(settings.kafka_brokers, counters, lambda: lanes.waiting()[0])
        self._scanned = False
        self._answered_at = 0.0
        self._next_adoption = self._next_upkeep = 0.0
        self._stop_at = float("inf")
        self._wake = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="auditstream-sender", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there is a new event; returns at once."""
        if not self._wake.is_set():
            self._wake.set()

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait until nothing waits to be acknowledged; return whether that came true in time."""
        with self._progress:
            return self._progress.wait_for(self._empty, timeout=seconds)

    def stop(self, seconds: float) -> bool:
        """Send what still waits for at most `seconds`, then end; return whether the thread has."""
        self.end(seconds)
        self._thread.join(seconds + 2 * _END_SECONDS)
        return not self._thread.is_alive()

    def end(self, seconds: float = 0.0) -> None:
        """Have the thread end when nothing waits, or after `seconds`; returns at once."""
        self._stop_at = time.monotonic() + seconds
        self._wake.set()

    def _empty(self) -> bool:
        return self._scanned and not self._lanes.waiting()[0]

    def _done(self) -> bool:
        if self.damage is not None or time.monotonic() >= self._stop_at:
            return True
        return self._stop_at < float("inf") and self._empty()

    def _run(self) -> None:
        failures = 0
        while not self._done():
            acknowledged = self._counters.acknowledged
            try:
                self._deliver()
            except SpoolDamagedError as error:
                if not self._lanes.set_aside(error):
                    self.damage = error
            except Exception as error:  # noqa: BLE001  (the thread must go on)
                self._trouble.begin(error)
                failures = 0 if self._counters.acknowledged > acknowledged else failures + 1
                self._pause(_PAUSE_SECONDS[min(failures, len(_PAUSE_SECONDS) - 1)])
        self._lanes.close()

    def _deliver(self) -> None:
        flight = Flight()
        for lane in self._lanes.all():
            lane.cursor = 0
        with self._lanes.busy:
            producer = self._producer = new_producer(self._settings, self._trouble.begin)
        self._more = True
        self._answered_at = time.monotonic()
        try:
            while not self._done():
                self._adopt()
                self._hand_over(producer, flight)
                self._wait(producer, flight)
                self._settle()
                self._check(producer, flight)
                self._tidy()
        finally:
            take_back(producer, _END_SECONDS)
            self._settle()
            while self._unsettled:
                self._settle()
            self._judge(flight)
            with self._lanes.busy:
                self._producer = None
                del producer

    def _adopt(self) -> None:
        if time.monotonic() >= self._next_adoption:
            self._next_adoption = time.monotonic() + _ADOPT_SECONDS
            self._more |= self._lanes.adopt()
            self._scanned = True

    def _hand_over(self, producer: Producer, flight: Flight) -> None:
        self._full = flight.events >= self._window or flight.size >= WINDOW_BYTES
        if self._full or not (self._more or self._wake.is_set()):
            return
        self._wake.clear()
        self._more = False
        limit = min(_CHUNK, self._window - flight.events)
        for lane in self._lanes.all():
            events = lane.spool.read(lane.cursor, limit, WINDOW_BYTES - flight.size)
            schema_id = self._schema_id(lane) if events else None
            if schema_id is not None:
                self._counters.repeated += lane.hand(producer, flight, schema_id, events)
                self._more = True
                return

    def _schema_id(self, lane: Lane) -> int | None:
        if lane.schema_id is None:
            destination = lane.spool.destination
            try:
                lane.schema_id = self._schema_ids(destination.topic, destination.schema)
            except ContractError as error:
                LOG.warning("the spool %s waits for a newer release: %s", lane.spool.name, error)
                self._lanes.close(lane)
        return lane.schema_id

    def _wait(self, producer: Producer, flight: Flight) -> None:
        if self._unsettled or (self._more and not self._full):
            # Whoever emits is let in between two chunks.
            producer.poll(0)
            time.sleep(_BREATH_SECONDS)
        elif not flight.events:
            producer.poll(0)
            self._wake.wait(_IDLE_SECONDS)
        elif self._full or self._trouble.now:
            producer.poll(_POLL_SECONDS)
        else:
            # A turn for each event would take the interpreter from those who emit.
            time.sleep(_GATHER_SECONDS)
            producer.poll(0)

    def _settle(self) -> None:
        settled = 0
        self._unsettled = False
        for lane in self._lanes.all():
            try:
                settled += lane.settle(_CHUNK)
            except SpoolDamagedError:
                raise
            except PublishError as error:
                self._trouble.begin(error)
            else:
                self._unsettled |= bool(lane.acknowledged)
        if settled:
            self._answered_at = time.monotonic()
            self._counters.acknowledged += settled
            self._window = min(self._window + settled, WINDOW_EVENTS)
            self._trouble.end()
        self._lanes.close_empty()
        with self._progress:
            self._progress.notify_all()

    def _check(self, producer: Producer, flight: Flight) -> None:
        if flight.failed is not None:
            _, event, error = flight.failed
            raise DeliveryError(f"event {event.event_id} was not taken: {error.str()}")
        now = time.monotonic()
        if not flight.events:
            self._answered_at = now
        elif now - self._answered_at > _STALL_SECONDS:
            # A broker may refuse the producer's id for ever, which librdkafka never reports.
            self._answered_at = now
            if answers(producer, self._settings.events_topic):
                raise DeliveryError(f"the broker has taken nothing for {_STALL_SECONDS:g} s")

    def _judge(self, flight: Flight) -> None:
        if flight.failed is None:
            return
        lane, event, error = flight.failed
        if error.code() not in REFUSED:
            return
        if self._window == 1:
            lane.spool.refuse(event.position, event.size, error.str())
            self._counters.refused += 1
            LOG.error("the broker refused audit event %s: %s", event.event_id, error.str())
        else:
            # One event of a batch is to blame: fewer at a time until it stands alone.
            self._window = max(1, self._window // 8)

    def _tidy(self) -> None:
        if time.monotonic() >= self._next_upkeep:
            self._next_upkeep = time.monotonic() + _UPKEEP_SECONDS
            for spool in self._lanes.spools():
                spool.tidy()

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := min(end, self._stop_at) - time.monotonic()) > 0:
            time.sleep(min(left, _POLL_SECONDS))
