"""`capture_events`, for producers' own tests."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from auditstream import AuditLog, InvalidEventError, Ref, Workspace, capture_events


def emit(audit: AuditLog, name: str) -> str:
    """Emit an event of the connection `name`."""
    return audit.connection_created(workspace=Workspace("w-1"), connection=Ref(name))


def test_nothing_is_touched(tmp_path: Path) -> None:
    """Neither broker nor disk nor thread is needed to make a log and capture its events."""
    threads = threading.active_count()
    audit = AuditLog(service="billing", kafka_brokers="127.0.0.1:1", spool_dir=tmp_path / "spool")
    with capture_events() as events:
        emit(audit, "c-1")
    assert [event["entity"]["id"] for event in events] == ["c-1"]
    assert not (tmp_path / "spool").exists()
    assert threading.active_count() == threads
    assert audit.stats().accepted == 0


def test_threads_and_services() -> None:
    """Events of all threads and logs are caught; each service numbers its own from 1."""
    logs = [AuditLog(service=name) for name in ("billing", "billing", "search")]
    with capture_events() as events:
        threads = [threading.Thread(target=emit, args=(log, "c-1")) for log in logs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    numbers = sorted((e["source"]["service"], e["source"]["sequence"]) for e in events)
    assert numbers == [("billing", 1), ("billing", 2), ("search", 1)]


def test_checked_just_the_same() -> None:
    """An event that would be refused is refused here too."""
    audit = AuditLog(service="billing")
    with (
        capture_events() as events,
        pytest.raises(InvalidEventError, match=r"entity\.id: is empty"),
    ):
        emit(audit, "")
    assert events == []


def test_nested_blocks() -> None:
    """The innermost block catches."""
    audit = AuditLog(service="billing")
    with capture_events() as outer:
        emit(audit, "c-1")
        with capture_events() as inner:
            emit(audit, "c-2")
        emit(audit, "c-3")
    assert [event["entity"]["id"] for event in outer] == ["c-1", "c-3"]
    assert [event["entity"]["id"] for event in inner] == ["c-2"]
