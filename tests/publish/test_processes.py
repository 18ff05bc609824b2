"""Several processes: forks of one, and others on the same spool directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from auditstream import AuditLog
from auditstream.embedded.broker import Broker
from tests.publish.conftest import NewAuditLog
from tests.publish.emission import assert_all_in_order, emit
from tests.publish.topic import create_topic, read_ids, spools
from tests.stack.poll import eventually

SECONDS = 30.0

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def in_a_fork(work: Callable[[], list[str]]) -> tuple[int, list[str]]:
    """Run `work` in a fork of this process, which leaves as a program does; return its lines."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  (another process)
        status = 1
        try:
            os.close(reader)
            lines = work()
            with os.fdopen(writer, "w") as pipe:
                pipe.write("\n".join(lines))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = pipe.read().split("\n")
    return os.waitpid(child, 0)[1], lines


def test_fork_has_a_spool_an_epoch_and_a_producer_of_its_own(
    broker: Broker, new_audit_log: NewAuditLog
) -> None:
    """Parent and child both go on after a fork; each numbers its own events without gaps."""
    audit = new_audit_log(broker.bootstrap)
    ids = emit(audit, 100)

    def child() -> list[str]:
        own = emit(audit, 100)
        assert audit.flush(SECONDS)
        assert audit.stats().accepted == 100
        audit.close(SECONDS)
        return own

    status, theirs = in_a_fork(child)
    assert status == 0
    ids += emit(audit, 100)
    assert audit.flush(SECONDS)
    records = read_ids(broker.bootstrap, [*ids, *theirs])
    by_epoch: dict[int, set[int]] = {}
    for record in records:
        source = record.event["source"]
        by_epoch.setdefault(source["epoch"], set()).add(source["sequence"])
    assert sorted(map(len, by_epoch.values())) == [100, 200]
    for sequences in by_epoch.values():
        assert sequences == set(range(1, len(sequences) + 1))
    assert len({record.event["source"]["instance"] for record in records}) == 2


def test_fork_while_threads_emit(broker: Broker, new_audit_log: NewAuditLog) -> None:
    """A fork at any moment of emission and delivery leaves no lock behind in the child."""
    audit = new_audit_log(broker.bootstrap)
    audit.start()
    stop = threading.Event()

    def busy() -> None:
        while not stop.wait(0.002):
            emit(audit, 5)

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()

    def child() -> list[str]:
        signal.alarm(20)  # a child that hangs dies of this
        own = emit(audit, 5)
        audit.close(SECONDS)
        return own

    try:
        forks = [in_a_fork(child) for _ in range(5)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [status for status, _ in forks] == [0] * 5
    read_ids(broker.bootstrap, [event_id for _, ids in forks for event_id in ids])


def test_program_that_forked_ends(broker: Broker, tmp_path: Path) -> None:
    """A program whose fork emits and both of whose processes just end leaves nothing behind."""
    program = f"""
import os, sys
from auditstream import AuditLog
from tests.publish.emission import emit
audit = AuditLog(service="billing", kafka_brokers={broker.bootstrap!r},
                 spool_dir=__import__("pathlib").Path({str(tmp_path / "spool")!r}))
ids = emit(audit, 5)
child = os.fork()
ids = emit(audit, 5) if child == 0 else ids
if child:
    assert os.waitpid(child, 0)[1] == 0
print("\\n".join(ids), flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read_ids(broker.bootstrap, done.stdout.split())
    assert list((tmp_path / "spool").iterdir()) == []


def test_fork_outlives_its_killed_parent(
    broker: Broker, new_audit_log: NewAuditLog, tmp_path: Path
) -> None:
    """A fork that lives on does not keep the spool of its dead parent from being adopted."""
    program = """
import os, signal, sys
from pathlib import Path
from auditstream import AuditLog
from tests.publish.emission import emit
audit = AuditLog(service="billing", kafka_brokers="127.0.0.1:1", spool_dir=Path(sys.argv[1]))
ids = emit(audit, 10)
child = os.fork()
if child == 0:
    signal.alarm(120)
    signal.pause()
print(child, *ids, flush=True)
signal.pause()
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "spool")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child, *ids = parent.stdout.readline().split()
        parent.kill()
        parent.wait()
        try:
            audit = new_audit_log(broker.bootstrap)
            assert audit.flush(SECONDS)
            read_ids(broker.bootstrap, ids)
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_two_processes_share_a_directory(
    broker: Broker, new_audit_log: NewAuditLog, tmp_path: Path
) -> None:
    """A living process keeps its spool; of two dead ones each is sent once, oldest first."""
    living = new_audit_log("127.0.0.1:1")
    kept = emit(living, 50)
    dead = [new_audit_log("127.0.0.1:1") for _ in range(2)]
    ids: list[str] = []
    for log in dead:
        ids += emit(log, 50)
    for log in dead:
        log.close(0)
    audit = new_audit_log(broker.bootstrap)
    ids += emit(audit, 50)
    assert audit.flush(SECONDS)
    records = assert_all_in_order(broker.bootstrap, ids)
    assert not {record.event_id for record in records} & set(kept)
    assert len(records) == 150
    assert len(spools(tmp_path / "spool")) == 2
    assert living.stats().spooled == 50


def test_spool_of_a_process_that_dies_later(
    broker: Broker, new_audit_log: NewAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process also takes over spools of those that end while it runs."""
    monkeypatch.setattr("auditstream.publish.sender._ADOPT_SECONDS", 0.2)
    audit = new_audit_log(broker.bootstrap)
    audit.start()
    other = new_audit_log("127.0.0.1:1")
    ids = emit(other, 20)
    other.close(0)
    eventually(lambda: audit.stats().acknowledged == 20, within=SECONDS, what="the adoption")
    read_ids(broker.bootstrap, ids)


def test_exit_waits_for_the_broker(
    new_broker: Callable[[], Broker], new_audit_log: NewAuditLog, tmp_path: Path
) -> None:
    """A program that just ends sends what it has, and does not wait for a broker for ever."""
    broker = new_broker()
    broker.start()
    create_topic(broker.bootstrap)
    program = """
import sys
from pathlib import Path
from auditstream import AuditLog
from tests.publish.emission import emit
brokers, directory, seconds = sys.argv[1:]
audit = AuditLog(service="billing", kafka_brokers=brokers, spool_dir=Path(directory),
                 close_seconds=float(seconds))
print("\\n".join(emit(audit, 20)))
"""

    def run(brokers: str, seconds: str) -> list[str]:
        command = [sys.executable, "-c", program, brokers, str(tmp_path / "spool"), seconds]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.split()

    read_ids(broker.bootstrap, run(broker.bootstrap, "30"))
    assert spools(tmp_path / "spool") == []
    left = run("127.0.0.1:1", "0.1")
    audit: AuditLog = new_audit_log(broker.bootstrap)
    assert audit.flush(SECONDS)
    read_ids(broker.bootstrap, left)
