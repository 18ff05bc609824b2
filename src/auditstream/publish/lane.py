"""One spool on its way to the topic."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from heapq import nsmallest

from confluent_kafka import KafkaError, Message, Producer

from auditstream.contract.schemas import frame
from auditstream.errors import PublishError
from auditstream.publish.disk_spool import SpoolDamagedError
from auditstream.publish.producer import PURGED
from auditstream.publish.record import Accepted, cloudevents_headers
from auditstream.publish.spool import Spool

LOG = logging.getLogger("auditstream.publish")


@dataclass
class Flight:
    """What one producer was handed and the broker has not acknowledged.

    `events` and `size` (bytes) count what is not answered yet, `failed` is the first event that
    was answered by an error.
    """

    events: int = 0
    size: int = 0
    failed: tuple[Lane, Accepted, KafkaError] | None = None


@dataclass(eq=False)
class Lane:
    """A spool, how far it was handed to the producer, and what came back acknowledged."""

    spool: Spool
    cursor: int = 0
    schema_id: int | None = None
    acknowledged: dict[int, int] = field(default_factory=dict)

    def hand(
        self, producer: Producer, flight: Flight, schema_id: int, events: list[Accepted]
    ) -> int:
        """Hand `events` to the producer; return how many of them may be in the topic already.

        Those that are acknowledged, and could not be removed from the spool yet, are left out.
        Raises BufferError or KafkaException when the producer takes no more.
        """
        destination, last = self.spool.destination, events[-1].position
        events = [event for event in events if event.position not in self.acknowledged]
        repeated = sum(event.position <= self.spool.handed for event in events)
        self._mark_handed(last)
        for event in events:
            producer.produce(
                destination.topic,
                value=frame(schema_id, event.datum),
                key=event.workspace_id.encode(),
                headers=cloudevents_headers(event, destination.service),
                on_delivery=partial(self._answered, flight, event),
            )
            flight.events += 1
            flight.size += event.size
            self.cursor = event.position
        self.cursor = last
        return repeated

    def settle(self, limit: int) -> int:
        """Remove acknowledged events from the spool, the oldest `limit`; return how many.

        Raises PublishError when the disk does not work; they are then removed another time.
        """
        oldest = dict(nsmallest(limit, self.acknowledged.items()))
        if oldest:
            self.spool.remove(oldest)
            for position in oldest:
                del self.acknowledged[position]
        return len(oldest)

    def _mark_handed(self, position: int) -> None:
        try:
            self.spool.mark_handed(position)
        except SpoolDamagedError:
            raise
        except PublishError as error:
            # A full disk is no reason not to send what is on it.
            LOG.debug("%s", error)

    def _answered(
        self, flight: Flight, event: Accepted, error: KafkaError | None, message: Message
    ) -> None:
        del message
        flight.events -= 1
        flight.size -= event.size
        if error is None:
            self.acknowledged[event.position] = event.size
        elif flight.failed is None and error.code() not in PURGED:
            flight.failed = self, event, error
