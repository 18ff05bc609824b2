"""One spool on its way to the topic."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from auditstream.contract.schemas import frame
from auditstream.publish.producer import PURGED
from auditstream.publish.record import Accepted, cloudevents_headers
from auditstream.publish.spool import Spool


@dataclass
class Flight:
    """What one producer was handed and the broker has not acknowledged.

    `events` and `size` (bytes) count what is not answered yet. `failed` is the first event that
    was answered by an error, `last_failed` the highest position with the same error.
    """

    events: int = 0
    size: int = 0
    failed: tuple[Lane, Accepted, KafkaError] | None = None
    last_failed: int = 0


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

        Raises BufferError or KafkaException when the producer takes no more.
        """
        repeated = sum(event.position <= self.spool.handed for event in events)
        self.spool.mark_handed(events[-1].position)
        destination = self.spool.destination
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
        return repeated

    def take_acknowledged(self) -> dict[int, int]:
        """Return the sizes of the events acknowledged since the last call, by position."""
        taken, self.acknowledged = self.acknowledged, {}
        return taken

    def _answered(
        self, flight: Flight, event: Accepted, error: KafkaError | None, message: Message
    ) -> None:
        del message
        flight.events -= 1
        flight.size -= event.size
        if error is None:
            self.acknowledged[event.position] = event.size
        elif error.code() not in PURGED:
            flight.failed = flight.failed or (self, event, error)
            if error.code() == flight.failed[2].code() and flight.failed[0] is self:
                flight.last_failed = max(flight.last_failed, event.position)
