from __future__ import annotations

import json
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest

from auditstream.alerts.records import read_topic
from auditstream.alerts.topics import ensure_topics
from auditstream.contract.schemas import parsed_schema
from auditstream.embedded.ports import free_port
from auditstream.settings import Settings
from tests.cli.conftest import Command

EVENT: dict[str, Any] = {
    "action": "group_member_added",
    "workspace_id": "ws-1",
    "actor": {"type": "user", "id": "u-1", "username": "ada"},
    "entity": {"type": "workspace_group", "id": "g-1", "name": "Platform"},
    "member": {"id": "u-2", "username": "leo"},
}


@pytest.fixture
def topic(
    services: Settings, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    """A topic for the test alone, to which commands publish."""
    name = f"{request.node.name}.events"
    monkeypatch.setenv("AUDITSTREAM_EVENTS_TOPIC", name)
    monkeypatch.setenv("AUDITSTREAM_KAFKA_BROKERS", services.kafka_brokers)
    ensure_topics(services.model_copy(update={"events_topic": name}), 1)
    return name


def read(services: Settings, topic: str) -> list[dict[str, Any]]:
    records = read_topic(services, topic)
    schema = parsed_schema("audit_event")
    datums = [
        fastavro.schemaless_reader(BytesIO((r.value or b"")[5:]), schema, None) for r in records
    ]
    return [datum for datum in datums if isinstance(datum, dict)]


def test_lines_become_events(auditstream: Command, services: Settings, topic: str) -> None:
    """Each line is an event on the topic; id, time and source are filled in where missing."""
    given = EVENT | {
        "event_id": "0195f0a2-1111-7abc-8def-0123456789ab",
        "occurred_at": "2026-03-14T02:13:41.25+01:00",
    }
    lines = json.dumps(EVENT) + "\n\n" + json.dumps(given) + "\n"
    outcome = auditstream("publish", "-", "--service", "importer", stdin=lines)
    assert (outcome.code, outcome.err) == (0, "2 published, 0 refused\n")
    first, second = read(services, topic)
    assert first["source"]["service"] == "importer"
    assert first["event_id"] != second["event_id"]
    assert str(second["event_id"]) == given["event_id"]
    assert second["occurred_at"] == datetime.fromisoformat(given["occurred_at"])


def test_refused_lines_are_told_with_their_numbers(
    auditstream: Command, services: Settings, topic: str, tmp_path: Path
) -> None:
    """Each refusal names its line and every problem; the lines around it are published."""
    file = tmp_path / "events.jsonl"
    bad = EVENT | {"action": "nonsense", "workspace_id": ""}
    lines = [json.dumps(EVENT), "{", "[]", json.dumps(bad)]
    lines += [json.dumps(EVENT | {"occurred_at": "soon"}), json.dumps(EVENT)]
    file.write_text("\n".join(lines))
    outcome = auditstream("publish", str(file))
    assert outcome.code == 1
    told = outcome.err.splitlines()
    assert [line.partition(":")[0] for line in told[:-1]] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
    ]
    assert "action" in told[2]
    assert "workspace_id" in told[2]
    assert told[-1] == "2 published, 4 refused"
    assert len(read(services, topic)) == 2


def test_events_wait_on_disk_while_kafka_is_away(
    auditstream: Command, services: Settings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a broker the events are kept and told, and the next publish sends them too."""
    line = json.dumps(EVENT)
    absent = f"127.0.0.1:{free_port()}"
    kept = auditstream("publish", "-", "--brokers", absent, "--timeout", "0.5", stdin=line)
    assert kept.code == 3
    assert absent in kept.err
    assert "1 events" in kept.err
    again = auditstream("publish", "-", stdin=line)
    assert again.code == 0
    assert len(read(services, topic)) == 2
