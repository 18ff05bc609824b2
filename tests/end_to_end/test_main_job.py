"""The main job, from a producer's call to a row, a reject and an alert, on every stack."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from auditstream import Actor, AuditLog, Member, Ref, Workspace
from auditstream.alerts.records import Record, read_topic, send_records
from auditstream.alerts.topic import decode_alert
from auditstream.contract.catalogue import load_catalogue, shipped_catalogue
from auditstream.contract.resources import resource
from auditstream.story.story import Story
from tests.end_to_end.conftest import NewSystem
from tests.harness.system import System
from tests.stack.poll import eventually
from tests.stack.process import Process

pytestmark = pytest.mark.timeout(240)

SEED = 11
EVENTS = 1_500
WORKSPACE = Workspace(id="w-1", username="acme")
ADMIN = Actor(type="user", id="u-1", username="ada")
WAREHOUSE = Ref(id="c-1", name="Warehouse")


def audit_log(system: System, **arguments: object) -> AuditLog:
    """The SDK as a service of the system would use it."""
    return AuditLog(
        service="test",
        kafka_brokers=system.settings.kafka_brokers,
        events_topic=system.settings.events_topic,
        spool_dir=system.directory / "spool",
        **arguments,  # type: ignore[arg-type]
    )


def wait_for_rows(system: System, events: int, rejects: int = 0) -> None:
    """Wait until the tables have so many rows."""
    eventually(
        lambda: (system.count(), system.count("rejected_events")) == (events, rejects),
        within=90,
        what=f"{events} events and {rejects} rejects",
    )


def test_story(new_system: NewSystem) -> None:
    """A whole story becomes rows, rejects with their reasons, and alerts, each once."""
    system = new_system()
    story = Story(SEED, EVENTS, datetime.now(UTC))
    expected = story.expected()
    worker = system.worker()
    notifier = Process(
        [sys.executable, "-m", "auditstream.cli", "notifier"],
        log=system.directory / "notifier.log",
        env=system.environment,
    )
    notifier.start()
    system.processes.append(notifier)
    with audit_log(system) as audit:
        for entry in story.entries():
            audit.emit_envelope(entry.datum)
        assert audit.flush(60)
    malformed = list(story.malformed())
    topic = system.settings.events_topic
    send_records(system.settings, topic, [Record(item.key, item.value) for item in malformed])
    wait_for_rows(system, expected.stored, expected.rejected)

    assert system.ask("SELECT uniqExact(event_id) FROM events") == [(expected.stored,)]
    actions = {row[0] for row in system.ask("SELECT DISTINCT action FROM events")}
    assert actions == set(shipped_catalogue().actions)
    assert system.ask("SELECT count() FROM events WHERE sentence = ''") == [(0,)]
    reasons = Counter(row[0] for row in system.ask("SELECT reason FROM rejected_events"))
    assert reasons == Counter([item.reason for item in malformed] + ["event_id_conflict"])
    kept = {row[0] for row in system.ask("SELECT hex(value) FROM rejected_events")}
    assert kept >= {item.value.hex().upper() for item in malformed if item.value is not None}

    records = list(read_topic(system.settings, system.settings.alerts_topic))
    published = {decode_alert(record.value).alert_id for record in records}
    rows = [str(row[0]) for row in system.ask("SELECT toString(alert_id) FROM alerts")]
    assert set(rows) == published
    urgent = [row[0] for row in system.ask("SELECT rule_id FROM alerts WHERE level >= 'high'")]
    assert len(urgent) == expected.alerts
    assert set(urgent) == {
        "role_escalation_to_admin",
        "connection_manage_granted_to_member",
        "connection_manage_granted_to_group",
    }
    rejected = {
        (record.partition, record.offset)
        for record in read_topic(system.settings, system.settings.rejected_topic)
    }
    assert len(rejected) == expected.rejected
    eventually(
        lambda: notifier.log.read_text().count("HIGH") == expected.alerts,
        within=30,
        what="a line of the notifier for each alert",
    )
    assert worker.stop(within=30) == 0
    assert notifier.stop(within=30) == 0


def test_role_escalation_from_history(new_system: NewSystem) -> None:
    """Without a previous role in the event, the last stored one tells an escalation."""
    system = new_system()
    member = Member(id="m-1", username="grace")
    day = datetime.now(UTC) - timedelta(days=3)
    with audit_log(system) as audit:
        for role, days in (("viewer", 0), ("admin", 1)):
            audit.org_user_role_changed(
                workspace=WORKSPACE,
                actor=ADMIN,
                member=member,
                role=role,  # type: ignore[arg-type]
                occurred_at=day + timedelta(days=days),
            )
            assert audit.flush(30)
            if role == "viewer":
                worker = system.worker()
                wait_for_rows(system, 1)
                assert worker.stop(within=30) == 0
    system.worker("worker-2")
    wait_for_rows(system, 2)
    found = system.ask(
        "SELECT previous_role, previous_role_origin FROM events ORDER BY occurred_at"
    )
    assert found == [(None, ""), ("viewer", "history")]
    eventually(lambda: system.count("alerts") == 1, within=30, what="the alert")
    sentence = system.ask("SELECT sentence FROM alerts")[0][0]
    assert sentence == "ada raised grace from viewer to admin in workspace acme"


def test_action_added_to_the_catalogue(new_system: NewSystem, tmp_path: Path) -> None:
    """A 27th action is an entry in a file: it is published, valid, stored and described."""
    document = yaml.safe_load(resource("actions.yaml").read_text("utf-8"))
    document["actions"]["connection_renamed"] = {
        "category": "workspace_connections",
        "description": "connection renamed",
        "entity": {"type": "workspace_connection", "argument": "connection"},
        "severity": "low",
        "sentence": "{actor} renamed connection {entity}",
        "ocsf": {"class_uid": 3004, "activity_id": 3},
    }
    path = tmp_path / "actions.yaml"
    path.write_text(yaml.safe_dump(document))
    system = new_system(catalogue_file=path)
    system.worker()
    with audit_log(system, catalogue=load_catalogue(path)) as audit:
        audit.emit("connection_renamed", workspace=WORKSPACE, actor=ADMIN, entity=WAREHOUSE)
        assert audit.flush(30)
    wait_for_rows(system, 1)
    told = system.ask("SELECT description, sentence, category FROM events")
    assert told == [
        ("connection renamed", "ada renamed connection Warehouse", "workspace_connections")
    ]


def test_repeats_across_a_restart(new_system: NewSystem) -> None:
    """An event id that comes again is dropped with the same payload and rejected with another."""
    system = new_system()
    worker = system.worker()
    again = {"workspace": WORKSPACE, "actor": ADMIN, "connection": WAREHOUSE}
    with audit_log(system) as audit:
        occurred_at = datetime.now(UTC)
        event_id = audit.connection_created(occurred_at=occurred_at, **again)  # type: ignore[arg-type]
        assert audit.flush(30)
        wait_for_rows(system, 1)
        assert worker.stop(within=30) == 0
        other = {**again, "connection": Ref(id="c-2", name="Lake")}
        for arguments in (again, other):
            audit.connection_created(
                occurred_at=occurred_at,
                event_id=event_id,
                **arguments,  # type: ignore[arg-type]
            )
        last = audit.connection_created(**again)  # type: ignore[arg-type]
        assert audit.flush(30)
    system.worker("worker-2")
    wait_for_rows(system, 2, 1)
    ids = {row[0] for row in system.ask("SELECT event_id FROM events")}
    assert {UUID(bytes=i) if isinstance(i, bytes) else UUID(str(i)) for i in ids} == {
        UUID(event_id),
        UUID(last),
    }
    assert system.ask("SELECT reason FROM rejected_events") == [("event_id_conflict",)]
    assert system.ask("SELECT entity_name FROM events WHERE entity_id = 'c-2'") == []


def test_every_column_is_filled_or_explained(new_system: NewSystem) -> None:
    """Every column of the tables has a comment for those who query it."""
    system = new_system()
    database = system.settings.clickhouse_database
    missing = system.store.query_frame(
        "SELECT table, name FROM system.columns "
        f"WHERE database = '{database}' AND comment = '' AND table IN "
        "('events', 'rejected_events', 'alerts')"
    )
    assert missing.rows() == []
