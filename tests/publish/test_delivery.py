"""What is emitted arrives, in order, whatever the broker does meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from auditstream import Actor, Durability, Group, InvalidEventError, Ref, Workspace
from auditstream.embedded.broker import Broker
from tests.publish.conftest import NewAuditLog
from tests.publish.emission import assert_all_in_order, emit
from tests.publish.topic import create_topic, hanging_broker, read_ids, spools
from tests.stack.poll import eventually


def test_record_on_the_topic(broker: Broker, new_audit_log: NewAuditLog) -> None:
    """A record is framed Avro, keyed by the workspace, with the headers of CloudEvents 1.0."""
    audit = new_audit_log(broker.bootstrap, service_version="1.2", service_instance="pod-7")
    event_id = audit.connection_group_added_with_role(
        workspace=Workspace("w-1", "acme"),
        connection=Ref("c-1", "warehouse"),
        group=Group("g-1", "analysts"),
        role="manage",
        actor=Actor("u-1", username="ana"),
    )
    (record,) = read_ids(broker.bootstrap, [event_id])
    assert record.key == b"w-1"
    assert record.event["entity"] == {
        "type": "workspace_connection",
        "id": "c-1",
        "name": "warehouse",
    }
    assert record.event["role"] == "manage"
    source = record.event["source"]
    assert (source["service"], source["version"], source["instance"]) == ("billing", "1.2", "pod-7")
    assert source["sequence"] == 1
    assert record.headers == {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": "/services/billing",
        "ce_type": "auditstream.v1.connection_group_added_with_role",
        "ce_subject": "workspace_connection/c-1",
        "ce_time": record.event["occurred_at"].isoformat(timespec="microseconds"),
        "ce_partitionkey": "w-1",
        "content-type": "application/avro",
    }


def test_sequence_has_no_gap(broker: Broker, new_audit_log: NewAuditLog) -> None:
    """Events are numbered from 1; a refused one takes no number; all have the epoch in common."""
    audit = new_audit_log(broker.bootstrap)
    ids = emit(audit, 10)
    with pytest.raises(InvalidEventError):
        audit.emit("no_such_action", workspace=Workspace("w-1"))
    ids += emit(audit, 10)
    sources = [record.event["source"] for record in read_ids(broker.bootstrap, ids)]
    assert sorted(source["sequence"] for source in sources) == list(range(1, 21))
    assert len({source["epoch"] for source in sources}) == 1


@pytest.mark.parametrize("durability", ["memory", "disk", "power"])
def test_broker_away_at_the_start(
    durability: Durability, new_broker: Callable[[], Broker], new_audit_log: NewAuditLog
) -> None:
    """Events wait for a broker that comes later, and are then all there, in order."""
    broker = new_broker()
    audit = new_audit_log(broker.bootstrap, durability=durability)
    ids = emit(audit, 500)
    eventually(lambda: audit.stats().last_error, within=20, what="the error to be told")
    assert audit.stats().spooled == 500
    broker.start()
    create_topic(broker.bootstrap)
    ids += emit(audit, 500)
    assert audit.flush(30)
    assert_all_in_order(broker.bootstrap, ids)
    stats = audit.stats()
    assert (stats.accepted, stats.acknowledged, stats.spooled) == (1_000, 1_000, 0)


def test_broker_hangs_then_answers(
    new_broker: Callable[[], Broker], new_audit_log: NewAuditLog
) -> None:
    """A broker that takes connections and says nothing holds nobody up and loses nothing."""
    broker = new_broker()
    with hanging_broker(broker.port):
        audit = new_audit_log(broker.bootstrap)
        ids = emit(audit, 300)
        assert not audit.flush(0.3)
    broker.start()
    create_topic(broker.bootstrap)
    assert audit.flush(30)
    assert_all_in_order(broker.bootstrap, ids)


def test_broker_stops_and_goes_on(broker: Broker, new_audit_log: NewAuditLog) -> None:
    """A broker stopped with batches under way gets them all, in order, when it goes on."""
    audit = new_audit_log(broker.bootstrap)
    ids = emit(audit, 200)
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        ids += emit(audit, 2_000)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    ids += emit(audit, 200)
    assert audit.flush(30)
    assert_all_in_order(broker.bootstrap, ids)


def test_broker_that_forgot_the_producer(
    new_broker: Callable[[], Broker], new_audit_log: NewAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker restarted without memory of producer and topic gets what it never acknowledged."""
    monkeypatch.setattr("auditstream.publish.sender._STALL_SECONDS", 1.0)
    broker = new_broker()
    broker.start()
    create_topic(broker.bootstrap)
    audit = new_audit_log(broker.bootstrap)
    emit(audit, 100)
    assert audit.flush(30)
    broker.kill()
    ids = emit(audit, 100)
    broker.start()
    create_topic(broker.bootstrap)
    assert audit.flush(60)
    assert_all_in_order(broker.bootstrap, ids)


def test_close_leaves_the_rest_to_the_next_process(
    new_broker: Callable[[], Broker], new_audit_log: NewAuditLog
) -> None:
    """What a closed log could not send is sent first by the next one: same ids, same bytes."""
    broker = new_broker()
    first = new_audit_log(broker.bootstrap)
    ids = emit(first, 100)
    first.close(0)
    second = new_audit_log(broker.bootstrap)
    ids += emit(second, 100)
    broker.start()
    create_topic(broker.bootstrap)
    assert second.flush(30)
    assert_all_in_order(broker.bootstrap, ids)
    assert second.stats().acknowledged == 200


def test_closed_spools_are_deleted(
    broker: Broker, new_audit_log: NewAuditLog, tmp_path: Path
) -> None:
    """Nothing stays on disk of a log that was closed after everything was acknowledged."""
    with new_audit_log(broker.bootstrap, close_seconds=30) as audit:
        emit(audit, 10)
        assert spools(tmp_path / "spool")
    assert list((tmp_path / "spool").iterdir()) == []
