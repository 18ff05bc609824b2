"""Spools whose files are damaged are set aside; nothing crashes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from auditstream.embedded.broker import Broker
from tests.publish.conftest import NewAuditLog
from tests.publish.emission import assert_all_in_order, emit
from tests.publish.topic import create_topic, spools
from tests.stack.poll import eventually

NOBODY = "127.0.0.1:1"
SECONDS = 30.0


def left_behind(new_audit_log: NewAuditLog, directory: Path, count: int) -> tuple[Path, list[str]]:
    """Return the spool of an ended process with `count` events, and their ids."""
    before = set(spools(directory))
    audit = new_audit_log(NOBODY)
    ids = emit(audit, count)
    audit.close(0)
    (path,) = set(spools(directory)) - before
    return path, ids


@pytest.mark.parametrize("what", ["garbage", "head", "middle"])
def test_damaged_spool_of_an_ended_process(
    what: str,
    broker: Broker,
    new_audit_log: NewAuditLog,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is renamed with a warning, and what is intact in others is sent."""
    directory = tmp_path / "spool"
    path, _ = left_behind(new_audit_log, directory, 2_000)
    content = bytearray(path.read_bytes())
    if what == "garbage":
        content = bytearray(b"not a database " * 1_000)
    elif what == "head":
        content[:100] = bytes(100)
    else:
        content[8 * 4_096 : -4_096] = b"\xff" * len(content[8 * 4_096 : -4_096])
    path.write_bytes(content)
    _, intact = left_behind(new_audit_log, directory, 20)
    audit = new_audit_log(broker.bootstrap)
    ids = [*intact, *emit(audit, 20)]
    aside = path.with_name(path.name + ".damaged")
    eventually(aside.exists, within=SECONDS, what="the damaged spool to be set aside")
    assert audit.flush(SECONDS)
    assert_all_in_order(broker.bootstrap, ids, but=2_000)
    assert "damaged" in caplog.text
    assert str(aside) in caplog.text


def test_own_spool_is_damaged(
    broker: Broker, new_audit_log: NewAuditLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A spool damaged while in use is replaced by a new one, and events go on being accepted."""
    audit = new_audit_log(NOBODY)
    emit(audit, 2_000)
    (path,) = spools(tmp_path / "spool")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xff" * (path.stat().st_size - 4_096))
    emit(audit, 3_000)
    assert path.with_name(path.name + ".damaged").exists()
    assert "damaged" in caplog.text
    (replacement,) = spools(tmp_path / "spool")
    assert replacement != path
    audit.close(0)
    later = new_audit_log(broker.bootstrap)
    assert later.flush(SECONDS)
    assert later.stats().acknowledged > 0


def test_adopted_spool_is_damaged_while_it_is_sent(
    new_broker: Callable[[], Broker],
    new_audit_log: NewAuditLog,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is set aside, and the own events are sent none the less."""
    path, _ = left_behind(new_audit_log, tmp_path / "spool", 10_000)
    broker = new_broker()
    audit = new_audit_log(broker.bootstrap)
    eventually(lambda: audit.stats().spooled == 10_000, within=SECONDS, what="the adoption")
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xff" * (path.stat().st_size - 4_096))
    ids = emit(audit, 20)
    broker.start()
    create_topic(broker.bootstrap)
    assert audit.flush(SECONDS)
    assert_all_in_order(broker.bootstrap, ids, but=10_000)
    assert path.with_name(path.name + ".damaged").exists()
    assert "damaged" in caplog.text


def test_unfinished_spool(broker: Broker, new_audit_log: NewAuditLog, tmp_path: Path) -> None:
    """Files of a process that ended while it made its spool are cleared away."""
    directory = tmp_path / "spool"
    directory.mkdir()
    (directory / "0-0.spool.lock").touch()
    (directory / "1-1.spool").touch()
    connection = sqlite3.connect(directory / "2-2.spool")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    audit = new_audit_log(broker.bootstrap)
    assert audit.flush(SECONDS)
    eventually(
        lambda: not any(path.name.startswith(("0", "1-", "2")) for path in directory.iterdir()),
        within=SECONDS,
        what="the files to be gone",
    )


def test_schema_of_a_newer_release(
    broker: Broker,
    new_audit_log: NewAuditLog,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Events written by a schema that this release does not know wait for one that does."""
    path, _ = left_behind(new_audit_log, tmp_path / "spool", 5)
    connection = sqlite3.connect(path)
    connection.execute('UPDATE destination SET schema = \'{"name": "AuditEvent2"}\'')
    connection.commit()
    connection.close()
    audit = new_audit_log(broker.bootstrap)
    ids = emit(audit, 5)
    assert audit.flush(SECONDS)
    assert_all_in_order(broker.bootstrap, ids)
    assert path.exists()
    assert "AuditEvent2" in caplog.text


def test_spool_of_another_format(
    broker: Broker,
    new_audit_log: NewAuditLog,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A spool of a newer release is left alone, with a warning."""
    path, _ = left_behind(new_audit_log, tmp_path / "spool", 5)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    audit = new_audit_log(broker.bootstrap)
    ids = emit(audit, 5)
    assert audit.flush(SECONDS)
    assert_all_in_order(broker.bootstrap, ids)
    assert path.exists()
    assert "format 99" in caplog.text
