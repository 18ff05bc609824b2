"""An alert as a record of the alerts topic: Avro in Confluent's frame, CloudEvents headers."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Final, NamedTuple, cast

import fastavro

from auditstream.contract.alert import Alert
from auditstream.contract.schemas import (
    FRAME,
    MAGIC,
    frame,
    parsed_schema,
    shipped_id,
    shipped_schemas,
)
from auditstream.errors import AuditStreamError

EVENT_TYPE: Final = "auditstream.v1.Alert"
EVENT_SOURCE: Final = "/auditstream/worker"
CONTENT_TYPE: Final = "application/avro"


class AlertRecordError(AuditStreamError):
    """A record of the alerts topic is not an alert; the message says why."""


class AlertRecord(NamedTuple):
    """Key, value and headers of a record; unpack it in that order."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def encode_alert(alert: Alert) -> AlertRecord:
    """Return the record of an alert under the shipped schema id; the key is the workspace id.

    Headers are CloudEvents 1.0 in binary content mode
    (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md).
    """
    datum = BytesIO()
    fastavro.schemaless_writer(datum, parsed_schema("alert"), alert.to_record())
    headers = {
        "ce_specversion": "1.0",
        "ce_id": alert.alert_id,
        "ce_source": EVENT_SOURCE,
        "ce_type": EVENT_TYPE,
        "ce_subject": alert.rule_id,
        "ce_time": _rfc3339(alert.detected_at),
        "ce_partitionkey": alert.workspace_id,
        "content-type": CONTENT_TYPE,
    }
    return AlertRecord(
        alert.workspace_id.encode(),
        frame(shipped_id("alert"), datum.getvalue()),
        [(name, text.encode()) for name, text in headers.items()],
    )


def decode_alert(value: bytes | None) -> Alert:
    """Read an alert from a record's value, whichever released schema it was written with.

    Raises:
        AlertRecordError: the value is not framed, its schema is unknown, or the datum is damaged.
    """
    if value is None or len(value) < FRAME.size or value[0] != MAGIC:
        raise AlertRecordError("not an alert: the value does not start with a frame")
    schema_id = FRAME.unpack_from(value)[1]
    writer = shipped_schemas().get(schema_id)
    if writer is None or writer["name"] != "Alert":
        raise AlertRecordError(f"not an alert: schema id {schema_id} is not one of an alert")
    try:
        datum = fastavro.schemaless_reader(
            BytesIO(value[FRAME.size :]), writer, parsed_schema("alert")
        )
        return Alert.from_record(cast("dict[str, Any]", datum) | _text_id(datum))
    except Exception as error:  # a damaged datum raises whatever its bytes lead to
        raise AlertRecordError(f"not an alert: {error or type(error).__name__}") from error


def _text_id(datum: Any) -> dict[str, str]:
    # The logical type makes it a UUID object; everywhere else it is text.
    return {"alert_id": str(datum["alert_id"])}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
