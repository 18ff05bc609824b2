"""Bounds: of the spool, of an event, of time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auditstream import (
    ClosedError,
    ConfigurationError,
    Durability,
    InvalidEventError,
    Ref,
    SpoolFullError,
    Workspace,
)
from auditstream.embedded.broker import Broker
from auditstream.publish.spool_dir import adopt_spools
from tests.publish.conftest import NewAuditLog
from tests.publish.emission import assert_all_in_order, emit
from tests.publish.topic import create_topic, read_ids
from tests.stack.poll import eventually

NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize("durability", ["memory", "disk"])
def test_too_many_events(durability: Durability, new_audit_log: NewAuditLog) -> None:
    """The event beyond the bound is refused, by an error that says where and what to do."""
    audit = new_audit_log(NOBODY, max_spool_events=100, durability=durability)
    emit(audit, 100)
    with pytest.raises(SpoolFullError) as caught:
        emit(audit, 1)
    message = str(caught.value)
    for part in (NOBODY, "100 events", "AUDITSTREAM_SPOOL_MAX_EVENTS", "was not accepted"):
        assert part in message
    assert audit.stats().accepted == 100


def test_too_many_bytes(new_audit_log: NewAuditLog, tmp_path: Path) -> None:
    """The bytes of events on disk are bounded; the error names the file."""
    audit = new_audit_log(NOBODY, max_spool_bytes=100_000)
    with pytest.raises(SpoolFullError, match=str(tmp_path / "spool")):
        emit(audit, 10_000)
    assert 90_000 < audit.stats().spooled_bytes <= 100_000


def test_room_again(broker: Broker, new_audit_log: NewAuditLog) -> None:
    """A full spool takes events again once the broker has taken some; no number is left out."""
    first = new_audit_log(NOBODY, max_spool_events=50)
    ids = emit(first, 50)
    with pytest.raises(SpoolFullError):
        emit(first, 1)
    first.close(0)
    second = new_audit_log(broker.bootstrap, max_spool_events=50)
    assert second.flush(30)
    ids += emit(second, 50)
    assert_all_in_order(broker.bootstrap, ids)


def test_disk_that_takes_no_more(tmp_path: Path) -> None:
    """A disk error is told at once; what was accepted stays, and no number is left out."""
    program = """
import resource, sys
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from auditstream import AuditLog, PublishError
from tests.publish.emission import emit
audit = AuditLog(service="billing", kafka_brokers="127.0.0.1:1", spool_dir=Path(sys.argv[1]))
emit(audit, 10)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
try:
    emit(audit, 10_000)
except PublishError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
accepted = audit.stats().accepted
emit(audit, 10)
audit.close(0)
print(accepted)
"""
    spool = tmp_path / "spool"
    done = subprocess.run(
        [sys.executable, "-c", program, spool],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    message, accepted = done.stdout.splitlines()
    assert str(spool) in message
    (adopted,) = adopt_spools(spool)
    positions = [event.position for event in adopted.read(0, 100_000, 10**9)]
    while len(positions) < adopted.count:
        positions += [event.position for event in adopted.read(positions[-1], 100_000, 10**9)]
    assert positions == list(range(1, int(accepted) + 11))
    adopted.close()


def test_full_disk_does_not_keep_events_back(
    new_broker: Callable[[], Broker], new_audit_log: NewAuditLog, tmp_path: Path
) -> None:
    """What is in the spool is sent while the disk is full: once, though it cannot be removed."""
    broker = new_broker()
    program = """
import resource, sys
from pathlib import Path
from auditstream import AuditLog, PublishError
from tests.publish.emission import emit
audit = AuditLog(service="billing", kafka_brokers=sys.argv[1], spool_dir=Path(sys.argv[2]))
ids = emit(audit, 10)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
try:
    while True:
        ids += emit(audit, 1)
except PublishError:
    print(*ids, flush=True)
sys.stdin.readline()
print(audit.flush(2), audit.stats().spooled, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(audit.flush(30), audit.stats().spooled, flush=True)
"""
    command = [sys.executable, "-c", program, broker.bootstrap, str(tmp_path / "spool")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        ids = process.stdout.readline().split()
        broker.start()
        create_topic(broker.bootstrap)
        read_ids(broker.bootstrap, ids)
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.stdout.readline().split() == ["False", str(len(ids))]
        assert process.stdout.readline().split() == ["True", "0"]
    assert len(ids) > 20
    with new_audit_log(broker.bootstrap) as other:
        marks = [emit(other, 40)[-number] for number in range(1, 5)]
        assert other.flush(30)
    records = read_ids(broker.bootstrap, marks)
    repeats = [record.event_id for record in records if record.event_id in ids]
    assert sorted(repeats) == sorted(ids), "each event is there once"


def test_adopted_events_count(new_audit_log: NewAuditLog) -> None:
    """Processes that end one after the other cannot fill the disk between them."""
    first = new_audit_log(NOBODY, max_spool_events=60)
    emit(first, 60)
    first.close(0)
    second = new_audit_log(NOBODY, max_spool_events=60)
    eventually(lambda: second.stats().spooled == 60, within=10, what="the adoption")
    with pytest.raises(SpoolFullError):
        emit(second, 1)


def test_memory_keeps_nothing(
    new_audit_log: NewAuditLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With durability "memory" nothing is on disk, and a loss at the end is told."""
    audit = new_audit_log(NOBODY, durability="memory")
    emit(audit, 3)
    audit.close(0)
    assert not (tmp_path / "spool").exists()
    assert "3 audit events were not delivered and are lost" in caplog.text


def test_too_large_event(new_audit_log: NewAuditLog) -> None:
    """An event of more than 1 MiB is refused and takes no number."""
    audit = new_audit_log(NOBODY)
    with pytest.raises(InvalidEventError, match=r"has 11.* bytes, at most 1048576") as caught:
        audit.connection_created(
            workspace=Workspace("w-1"),
            connection=Ref("c-1"),
            metadata={f"key-{number}": "x" * 65_000 for number in range(17)},
        )
    assert caught.value.problems[0].reason == "too_large"
    assert audit.stats().accepted == 0


def test_emit_after_close(new_audit_log: NewAuditLog) -> None:
    """A closed log accepts nothing, says so, and may be closed again."""
    audit = new_audit_log(NOBODY)
    emit(audit, 1)
    audit.close(0)
    audit.close(0)
    with pytest.raises(ClosedError, match="billing"):
        emit(audit, 1)


def test_directory_that_cannot_be_used(new_audit_log: NewAuditLog, tmp_path: Path) -> None:
    """A spool directory that cannot be made is told at the start, by the setting's name."""
    file = tmp_path / "file"
    file.write_text("")
    audit = new_audit_log(NOBODY, spool_dir=file / "spool")
    with pytest.raises(ConfigurationError, match="AUDITSTREAM_SPOOL_DIR"):
        audit.start()


def test_files_are_private(new_audit_log: NewAuditLog, tmp_path: Path) -> None:
    """Nobody else may read the events that wait: they hold names and addresses."""
    emit(new_audit_log(NOBODY), 1)
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    for file in (tmp_path / "spool").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
