from __future__ import annotations

import uuid
from io import BytesIO

import fastavro
import pytest

from auditstream.alerts.topic import AlertRecordError, decode_alert, encode_alert
from auditstream.contract.schemas import FRAME, parsed_schema, shipped_id
from tests.alerts.samples import ESCALATION, alert


def test_alert_survives_the_way_over_the_topic() -> None:
    """Decoding an encoded alert gives the same alert, evidence and times included."""
    assert decode_alert(encode_alert(ESCALATION).value) == ESCALATION


def test_alert_without_runbook_survives() -> None:
    """What is optional may be missing."""
    sparse = alert(1, runbook=None, evidence=(), reason="")
    assert decode_alert(encode_alert(sparse).value) == sparse


def test_record_is_readable_with_the_schema_alone() -> None:
    """A reader that knows the frame and the schema reads the alert: id 2001, then the datum."""
    key, value, _ = encode_alert(ESCALATION)
    assert key == b"ws-1"
    assert FRAME.unpack_from(value) == (0, shipped_id("alert"))
    datum = fastavro.schemaless_reader(BytesIO(value[5:]), parsed_schema("alert"), None)
    assert isinstance(datum, dict)
    assert datum["alert_id"] == uuid.UUID(ESCALATION.alert_id)
    assert datum["evidence"][0]["offset"] == 42


def test_headers_are_those_of_cloudevents() -> None:
    """Every attribute CloudEvents requires is there, and says what the alert says."""
    headers = dict(encode_alert(ESCALATION).headers)
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": ESCALATION.alert_id.encode(),
        "ce_source": b"/auditstream/worker",
        "ce_type": b"auditstream.v1.Alert",
        "ce_subject": b"role_escalation",
        "ce_time": b"2026-03-14T02:13:42.250000Z",
        "ce_partitionkey": b"ws-1",
        "content-type": b"application/avro",
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "does not start with a frame"),
        (b"", "does not start with a frame"),
        (b"{}", "does not start with a frame"),
        (b"\x01\x00\x00\x07\xd1rest", "does not start with a frame"),
        (FRAME.pack(0, shipped_id("audit_event")) + b"rest", "not one of an alert"),
        (FRAME.pack(0, 77) + b"rest", "schema id 77"),
        (FRAME.pack(0, shipped_id("alert")) + b"\x02", "not an alert"),
    ],
)
def test_what_is_no_alert_is_told(value: bytes | None, why: str) -> None:
    """Anything but an alert raises one error that says why."""
    with pytest.raises(AlertRecordError, match=why):
        decode_alert(value)
