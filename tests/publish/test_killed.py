"""A producer that is killed loses no event whose `emit` returned."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auditstream import Durability
from auditstream.embedded.broker import Broker
from tests.publish.conftest import NewAuditLog
from tests.publish.emission import assert_all_in_order, emit
from tests.publish.topic import create_topic, spools


def run_and_kill(brokers: str, directory: Path, durability: Durability, count: int) -> list[str]:
    """Start a producer, SIGKILL it once it has accepted `count` events; return all it accepted."""
    command = [sys.executable, "-m", "tests.publish.crashing", brokers, str(directory), durability]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        accepted = [process.stdout.readline().strip() for _ in range(count)]
        process.kill()
        accepted += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert all(accepted)
    return accepted


@pytest.mark.parametrize("durability", ["disk", "power"])
def test_killed_with_the_broker_away(
    durability: Durability,
    new_broker: Callable[[], Broker],
    new_audit_log: NewAuditLog,
    tmp_path: Path,
) -> None:
    """Three producers killed one after the other: the next process sends what all had accepted."""
    broker = new_broker()
    rng = random.Random(3)
    accepted: list[str] = []
    for _ in range(3):
        count = rng.randrange(50, 500)
        accepted += run_and_kill(broker.bootstrap, tmp_path / "spool", durability, count)
    broker.start()
    create_topic(broker.bootstrap)
    audit = new_audit_log(broker.bootstrap)
    last = emit(audit, 10)
    assert audit.flush(30)
    assert_all_in_order(broker.bootstrap, [*accepted, *last], but=3)
    assert len(spools(tmp_path / "spool")) == 1, "the adopted spools are gone"


def test_killed_with_the_broker_up(
    broker: Broker, new_audit_log: NewAuditLog, tmp_path: Path
) -> None:
    """Events under way when the producer was killed are sent again; repeats have the same bytes."""
    accepted = run_and_kill(broker.bootstrap, tmp_path / "spool", "disk", 2_000)
    audit = new_audit_log(broker.bootstrap)
    assert audit.flush(30)
    records = assert_all_in_order(broker.bootstrap, accepted, but=1)
    values: dict[str, bytes] = {}
    for record in records:
        assert values.setdefault(record.event_id, record.value) == record.value
    assert len(records) - len(values) <= audit.stats().repeated
