"""One epoch of one process: its spool, its sender, its sequence of numbers."""

from __future__ import annotations

import json
import logging
import os

from auditstream.errors import ClosedError, PublishError, SpoolFullError
from auditstream.publish.config import PublishSettings
from auditstream.publish.disk_spool import DiskSpool, SpoolDamagedError
from auditstream.publish.envelope import Envelope
from auditstream.publish.lanes import Lanes
from auditstream.publish.record import Accepted
from auditstream.publish.registry import SchemaIds
from auditstream.publish.sender import Sender
from auditstream.publish.source import Source, writer_schema
from auditstream.publish.spool import Destination, MemorySpool, Spool
from auditstream.publish.spool_dir import adopt_spools, create_spool
from auditstream.publish.stats import Counters, Stats

LOG = logging.getLogger("auditstream.publish")


class Session:
    """Accepts events of this process and has them sent.

    It ends with the process, or when its spool is damaged. The child of a fork begins its own.
    """

    def __init__(
        self, settings: PublishSettings, schema_ids: SchemaIds, counters: Counters
    ) -> None:
        self.pid = os.getpid()
        self._settings = settings
        self._counters = counters
        self._closed = False
        self._source = Source(settings)
        self._spool = _new_spool(settings)
        self._lanes = Lanes(self._spool, lambda: adopt_spools(settings.spool_dir))
        self._sender = Sender(self._lanes, settings, schema_ids, counters)
        self._sender.start()

    def accept(self, envelope: Envelope) -> None:
        """Number a checked envelope, put it into the spool and wake the sender.

        Raises:
            InvalidEventError: the event is too large.
            SpoolFullError: the bound of the spool is reached, or the disk is full.
            SpoolDamagedError: the spool is damaged.
            PublishError: the disk does not work.
            ClosedError: the session is closed.
        """
        if self._sender.damage is not None:
            raise self._sender.damage
        self._source.accept(envelope, self._keep)
        self._sender.wake()

    def flush(self, seconds: float) -> bool:
        """Wait until the broker has acknowledged everything; return whether it has in time."""
        return self._sender.wait_until_empty(seconds)

    def close(self, seconds: float) -> None:
        """Send what waits for at most `seconds`, then end; the rest is left to another process."""
        self._source.hold()
        closed, self._closed = self._closed, True
        self._source.let_go()
        if closed:
            return
        ended = self._sender.stop(seconds)
        left = self._spool.count
        if left and self._settings.durability == "memory":
            LOG.error("%d audit events were not delivered and are lost with this process", left)
        elif left:
            LOG.warning("%d audit events wait in %s for a process", left, self._spool.name)
        if ended:
            try:
                self._spool.close()
            except PublishError as error:
                LOG.warning("%s", error)

    def set_aside(self, damage: SpoolDamagedError) -> None:
        """End at once, since the spool is damaged; its file is renamed."""
        self._closed = True
        self._sender.end()
        if isinstance(self._spool, DiskSpool):
            aside = self._spool.set_aside()
            LOG.warning(
                "%s; it was renamed to %s, and %d of its events are not sent",
                damage,
                aside,
                self._spool.count,
            )

    def stats(self) -> Stats:
        """Return the counts so far."""
        counters = self._counters
        spooled, size = self._lanes.waiting()
        return Stats(
            accepted=counters.accepted,
            acknowledged=counters.acknowledged,
            spooled=spooled,
            spooled_bytes=size,
            repeated=counters.repeated,
            refused=counters.refused,
            last_error=counters.last_error,
        )

    def hold(self) -> None:
        """Bring all threads to a place where the process may fork, until `let_go`."""
        self._source.hold()
        self._lanes.hold()

    def let_go(self) -> None:
        """End a `hold`."""
        self._lanes.let_go()
        self._source.let_go()

    def disown(self) -> None:
        """Leave everything to the parent: this process is a fork of it."""
        for spool in self._lanes.spools():
            spool.disown()

    def _keep(self, event: Accepted) -> None:
        if self._closed:
            raise ClosedError(f"the AuditLog of {self._settings.service} was closed")
        count, size = self._lanes.waiting()
        settings = self._settings
        if count >= settings.max_spool_events or size + event.size > settings.max_spool_bytes:
            raise SpoolFullError(
                f"the spool {self._spool.name} is full with {count} events, {size} bytes (bounds: "
                f"{settings.max_spool_events} events, {settings.max_spool_bytes} bytes), since "
                f"{settings.kafka_brokers} does not take them "
                f"({self._counters.last_error or 'it is too slow'}); the event was not accepted. "
                "Bring the broker back, or raise AUDITSTREAM_SPOOL_MAX_EVENTS and "
                "AUDITSTREAM_SPOOL_MAX_BYTES"
            )
        self._spool.put(event)
        self._counters.accepted += 1


def _new_spool(settings: PublishSettings) -> Spool:
    destination = Destination(settings.events_topic, settings.service, json.dumps(writer_schema()))
    if settings.durability == "memory":
        return MemorySpool(destination)
    flush = settings.durability == "power"
    return create_spool(settings.spool_dir, destination, flush=flush)
