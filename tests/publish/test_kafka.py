"""What only a real Kafka does: it keeps its log over a SIGKILL, and bounds what a topic takes."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from auditstream import Ref, Workspace
from tests.publish.conftest import NewAuditLog
from tests.publish.emission import assert_all_in_order, emit
from tests.publish.topic import create_topic
from tests.stack.fixtures import NewKafka

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


@pytest.mark.fault
def test_killed_and_restarted_under_load(new_kafka: NewKafka, new_audit_log: NewAuditLog) -> None:
    """Kafka SIGKILLed while events come in has them all in the end, in order."""
    kafka = new_kafka()
    create_topic(kafka.bootstrap)
    audit = new_audit_log(kafka.bootstrap)
    ids: list[str] = []
    stop = threading.Event()

    def busy() -> None:
        while not stop.wait(0.005):
            ids.extend(emit(audit, 8))

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        while audit.stats().acknowledged < 1_000:
            assert not stop.wait(0.01)
        kafka.kill()
        while audit.stats().spooled < 500:
            assert not stop.wait(0.01)
        kafka.start()
    finally:
        stop.set()
        thread.join()
    assert audit.flush(60)
    assert_all_in_order(kafka.bootstrap, ids)
    assert audit.stats().accepted == len(ids)


def test_event_that_the_topic_does_not_take(
    new_kafka: NewKafka,
    new_audit_log: NewAuditLog,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is put aside and told; all others arrive in order, before and after it."""
    kafka = new_kafka()
    create_topic(kafka.bootstrap, {"max.message.bytes": "20000"})
    audit = new_audit_log("127.0.0.1:1")
    ids = emit(audit, 100)
    rng = random.Random(7)
    noise = {f"key-{number}": rng.randbytes(40).hex() for number in range(1_000)}
    refused = audit.connection_created(
        workspace=Workspace("w-1"), connection=Ref("c-1"), metadata=noise
    )
    ids += emit(audit, 3_000)
    audit.close(0)
    audit = new_audit_log(kafka.bootstrap)
    assert audit.flush(60)
    ids += emit(audit, 100)
    assert audit.flush(60)
    assert_all_in_order(kafka.bootstrap, ids)
    stats = audit.stats()
    assert (stats.acknowledged, stats.refused, stats.spooled) == (3_200, 1, 0)
    assert refused in caplog.text
    audit.close(10)
    assert [path.suffix for path in (tmp_path / "spool").iterdir()] == [".refused"]
