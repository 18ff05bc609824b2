"""An accepted event on its way to the topic, and the record it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from urllib.parse import quote

import fastavro
from fastavro.types import Schema

from auditstream.publish.envelope import Envelope

OVERHEAD_BYTES = 128
"""What an event takes beside its texts and its datum, about, in a spool or in memory."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted event.

    `position` is its place in the spool: the sequence number of its source. `datum` is the Avro
    datum without the frame, since the schema's id may not be known yet.
    """

    position: int
    event_id: str
    action: str
    occurred_at: str
    workspace_id: str
    subject: str
    datum: bytes

    @property
    def size(self) -> int:
        """Bytes that the event counts for against the bounds of a spool."""
        texts = len(self.action) + len(self.workspace_id) + len(self.subject)
        return OVERHEAD_BYTES + texts + len(self.datum)


def encode(envelope: Envelope, schema: Schema) -> Accepted:
    """Return a checked envelope, `source` included, as an event for the spool."""
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, schema, envelope)
    occurred_at: datetime = envelope["occurred_at"]
    entity = envelope["entity"]
    return Accepted(
        position=envelope["source"]["sequence"],
        event_id=envelope["event_id"],
        action=envelope["action"],
        occurred_at=occurred_at.isoformat(timespec="microseconds"),
        workspace_id=envelope["workspace_id"],
        subject=f"{entity['type']}/{entity['id']}",
        datum=buffer.getvalue(),
    )


def cloudevents_headers(event: Accepted, service: str) -> list[tuple[str, str | bytes | None]]:
    """Return the record's headers: CloudEvents 1.0, Kafka protocol binding, binary mode.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
    """
    return [
        ("ce_specversion", "1.0"),
        ("ce_id", event.event_id),
        ("ce_source", f"/services/{quote(service, safe='')}"),
        ("ce_type", f"auditstream.v1.{event.action}"),
        ("ce_subject", event.subject),
        ("ce_time", event.occurred_at),
        ("ce_partitionkey", event.workspace_id),
        ("content-type", "application/avro"),
    ]
